"""``mtkit align``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtkit.cli.options import (
    Aligner,
    CorpusName,
    Files,
    Force,
    Lowercase,
    Pair,
    Quiet,
    Symmetrize,
    Threads,
    Tokenizer,
    Tokens,
    Train,
    check_alignment,
    set_up,
    training_text,
)

if TYPE_CHECKING:
    from mtkit.corpus import Corpus
    from mtkit.smt.symmetrize import Links
    from mtkit.tokenizer import WordTokenizer


def align(
    train: Train = None,
    corpus: CorpusName = None,
    pair: Pair = None,
    stdin: Annotated[
        bool, typer.Option("--stdin", help="Read `source ||| target` lines from stdin.")
    ] = False,
    tokenizer: Tokenizer = Tokens.words,
    lowercase: Lowercase = False,
    aligner: Aligner = "fertility",
    symmetrize: Symmetrize = "grow-diag-final-and",
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Learn nothing: align by what an earlier --out or train-smt keeps."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep what is learnt, for --model.")
    ] = None,
    force: Force = False,
    gold: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Links by hand, `0-0 1-2 …` for each of the first lines: AER against them.",
        ),
    ] = None,
    threads: Threads = 0,
    quiet: Quiet = False,
) -> None:
    """Align the words of a corpus: one line of source-target links a sentence pair, from 0."""
    from mtkit.corpus import read_lines
    from mtkit.errors import InputError
    from mtkit.models import check_out
    from mtkit.smt.symmetrize import read_pharaoh

    cores = set_up(quiet, threads)
    check_alignment(aligner, symmetrize)
    if model is not None and out is not None:
        raise InputError("--model learns nothing that --out could keep; leave one of them out")
    if out is not None:
        check_out(out, "", force)
    text, words = _text(stdin, train, corpus, pair, tokenizer, lowercase, model)
    gold_lines = read_lines(gold) if gold else []
    if len(gold_lines) > len(text.train):
        raise InputError(f"{gold}: {len(gold_lines)} lines, but only {len(text.train)} pairs")
    wanted = [read_pharaoh(line, f"{gold}: line {n}") for n, line in enumerate(gold_lines, 1)]
    links = _links(text, words, aligner, symmetrize, model, out, cores)
    if wanted:
        _print_aer(links, wanted)
    sys.stdout.write("".join(f"{line}\n" for line in links.pharaoh()))


def _text(
    stdin: bool,
    train: Files | None,
    corpus: str | None,
    pair: str | None,
    tokenizer: Tokens,
    lowercase: bool,
    model: Path | None,
) -> tuple[Corpus, WordTokenizer]:
    """The text to align and its tokenizer: that of ``model``, if there is one."""
    from mtkit.corpus import Corpus, decode_lines, parse_pair, split_pairs
    from mtkit.errors import InputError
    from mtkit.manifest import Manifest
    from mtkit.tokenizer import WordTokenizer

    if not stdin:
        text, words = training_text(corpus, pair, train, None, None, tokenizer, lowercase)
    elif train or corpus:
        raise InputError("--stdin and --train or --corpus name the text twice; give one of them")
    else:
        languages = parse_pair(pair or "source-target")
        lines = split_pairs(decode_lines(sys.stdin.buffer.read(), "stdin"), "stdin")
        text = Corpus("stdin", languages, lines, None, None)
        words = WordTokenizer(tokenizer.value, lowercase)
    if model is not None:
        words = WordTokenizer(**Manifest.read(model).tokenizer)
    return text, words


def _links(
    text: Corpus,
    words: WordTokenizer,
    aligner: str,
    heuristic: str,
    model: Path | None,
    out: Path | None,
    threads: int,
) -> Links:
    """Align by ``model``, or learn and keep what is learnt in ``out``."""
    from mtkit.console import step
    from mtkit.manifest import Manifest, describe_corpus, replacing
    from mtkit.models import ALIGNMENT, load_word_models
    from mtkit.smt.align import align as run

    known = load_word_models(model) if model else None
    source = [words.tokenize(line) for line in text.train.source]
    target = [words.tokenize(line) for line in text.train.target]
    if known:
        with step(f"word alignment by {model}"):
            return known.align(source, target, heuristic)
    with step(f"word alignment ({aligner}), both directions"):
        found = run(source, target, aligner, heuristic, threads)
    if out is not None:
        with replacing(out) as directory:
            found.models.save(directory)
            Manifest(
                kind=ALIGNMENT,
                languages=text.pair,
                corpus=describe_corpus(text),
                tokenizer=asdict(words),
                config={"aligner": aligner, "heuristic": heuristic},
            ).write(directory)
    return found.links


def _print_aer(links: Links, gold: list[set[tuple[int, int]]]) -> None:
    from mtkit.smt.align import aer
    from mtkit.smt.symmetrize import read_pharaoh

    found = [read_pharaoh(line, "here") for line in links.pharaoh()[: len(gold)]]
    error, precision, recall = aer(found, gold)
    score = f"AER {error:.4f}  precision {precision:.4f}  recall {recall:.4f}"
    print(score, file=sys.stderr)  # asked for, so that --quiet does not silence it
