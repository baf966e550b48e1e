"""``mtkit align``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mtkit.cli.options import (
    CorpusName,
    Lowercase,
    Pair,
    Quiet,
    Symmetrize,
    Tokenizer,
    Tokens,
    Train,
    set_up,
    training_text,
)


def align(
    train: Train = None,
    corpus: CorpusName = None,
    pair: Pair = None,
    tokenizer: Tokenizer = Tokens.words,
    lowercase: Lowercase = False,
    symmetrize: Symmetrize = "grow-diag-final-and",
    gold: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Links by hand, `0-0 1-2 …` for each of the first lines: AER against them.",
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Align the words of a corpus: one line of source-target links a sentence pair, from 0."""
    from mtkit.console import step
    from mtkit.corpus import read_lines
    from mtkit.errors import InputError

    set_up(quiet)
    text, words = training_text(corpus, pair, train, None, None, tokenizer, lowercase)
    gold_lines = read_lines(gold) if gold else []

    from mtkit.smt.align import aer, align_text
    from mtkit.smt.symmetrize import HEURISTICS, read_pharaoh

    if symmetrize not in HEURISTICS:
        raise InputError(f"--symmetrize {symmetrize}: not one of {', '.join(HEURISTICS)}")
    if len(gold_lines) > len(text.train):
        raise InputError(f"{gold}: {len(gold_lines)} lines, but only {len(text.train)} pairs")
    wanted = [read_pharaoh(line, f"{gold}: line {n}") for n, line in enumerate(gold_lines, 1)]
    with step("word alignment: IBM 1, then HMM, both directions"):
        source = [words.tokenize(line) for line in text.train.source]
        target = [words.tokenize(line) for line in text.train.target]
        links = align_text(source, target, symmetrize).links
    lines = [links.pharaoh(s) for s in range(len(text.train))]
    if wanted:
        found = [read_pharaoh(line, "here") for line in lines[: len(wanted)]]
        error, precision, recall = aer(found, wanted)
        score = f"AER {error:.4f}  precision {precision:.4f}  recall {recall:.4f}"
        print(score, file=sys.stderr)  # asked for, so that --quiet does not silence it
    sys.stdout.write("".join(f"{line}\n" for line in lines))
