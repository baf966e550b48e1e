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
    from mtkit.smt.alignment.symmetrize import Links
    from mtkit.text.corpus import Corpus
    from mtkit.text.tokenizer import WordTokenizer


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
            metavar="DIR",
            help="Learn nothing: align by what an earlier --out or train-smt keeps, with its "
            "tokenizer. Faster, and not quite as good as learning from the text itself.",
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
    from mtkit.errors import InputError
    from mtkit.models import check_out

    cores = set_up(quiet, threads)
    check_alignment(aligner, symmetrize)
    if model is not None and out is not None:
        raise InputError("--model learns nothing that --out could keep; leave one of them out")
    if out is not None:
        check_out(out, "", force)
    text, words = _text(stdin, train, corpus, pair, tokenizer, lowercase, model)
    source = [words.tokenize(line) for line in text.train.source]
    target = [words.tokenize(line) for line in text.train.target]
    wanted = _gold_links(gold, source, target) if gold else []
    if model is not None:
        links = _by_model(model, source, target, symmetrize)
    else:
        links = _learn(text, words, source, target, aligner, symmetrize, out, cores)
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
    from mtkit.errors import InputError
    from mtkit.manifest import Manifest
    from mtkit.text.corpus import Corpus, decode_lines, parse_pair, refuse_exchanged, split_pairs
    from mtkit.text.tokenizer import WordTokenizer

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
        manifest = Manifest.read(model)
        words = WordTokenizer(**manifest.tokenizer)
        if train:
            refuse_exchanged("--train", train, manifest.languages)
    return text, words


def _gold_links(
    gold: Path, source: list[list[str]], target: list[list[str]]
) -> list[set[tuple[int, int]]]:
    """The links by hand, which must lie inside their sentences."""
    from mtkit.errors import InputError
    from mtkit.smt.alignment.symmetrize import read_pharaoh
    from mtkit.text.corpus import read_lines

    lines = read_lines(gold)
    if not 0 < len(lines) <= len(source):
        raise InputError(f"{gold}: {len(lines)} lines of links for {len(source)} pairs")
    links = [read_pharaoh(line, f"{gold}: line {n}") for n, line in enumerate(lines, 1)]
    for n, (found, x, y) in enumerate(zip(links, source, target, strict=False), 1):
        for i, j in found:
            if not (0 <= i < len(x) and 0 <= j < len(y)):
                raise InputError(
                    f"{gold}: line {n}: {i}-{j} lies outside sentences of {len(x)} and {len(y)} "
                    "words; links count from 0"
                )
    return links


def _by_model(
    model: Path, source: list[list[str]], target: list[list[str]], heuristic: str
) -> Links:
    from mtkit.console import step
    from mtkit.models import load_word_models

    known = load_word_models(model)
    with step(f"word alignment by {model}"):
        return known.align(source, target, heuristic)


def _learn(
    text: Corpus,
    words: WordTokenizer,
    source: list[list[str]],
    target: list[list[str]],
    aligner: str,
    heuristic: str,
    out: Path | None,
    threads: int,
) -> Links:
    """Align by what the text itself teaches, and keep that in ``out``."""
    from mtkit.console import note, step
    from mtkit.manifest import ALIGNMENT, Manifest, describe_corpus, replacing
    from mtkit.smt.alignment.align import align as run

    text.train.without_empty()  # raises where nothing can be learnt
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
        note(f"model: {out}")
    return found.links


def _print_aer(links: Links, gold: list[set[tuple[int, int]]]) -> None:
    from mtkit.smt.alignment.align import aer
    from mtkit.smt.alignment.symmetrize import read_pharaoh

    found = [read_pharaoh(line, "here") for line in links.pharaoh()[: len(gold)]]
    error, precision, recall = aer(found, gold)
    score = f"AER {error:.4f}  precision {precision:.4f}  recall {recall:.4f}"
    print(score, file=sys.stderr)  # asked for, so that --quiet does not silence it
