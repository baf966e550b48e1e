"""Options that several commands share, and functions that evaluate them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from typer import Argument, Option

import mtkit.cli.completion as completion
from mtkit.console import console, note, visible
from mtkit.errors import InputError, LossError, WorkError
from mtkit.text.formats.codes import Format
from mtkit.text.tokenizer import Kind, WordTokenizer
from mtkit.threads import cores, limit

if TYPE_CHECKING:
    from mtkit.text.corpus import Corpus

Files = tuple[Path, Path]
Result = TypeVar("Result")
Train = Annotated[
    Files | None,
    Option(
        metavar="SRC TGT",
        help="Training text: two files that correspond line by line, or one file with both "
        "languages, as in --train text.tmx.",
    ),
]
TuningDev = Annotated[
    Files | None, Option("--dev", metavar="SRC TGT", help="Development set, to tune the weights.")
]
StoppingDev = Annotated[
    Files | None,
    Option("--dev", metavar="SRC TGT", help="Development set, to decide when training stops."),
]
Test = Annotated[
    Files | None,
    Option(metavar="SRC TGT", help="Test set: recorded for `mtkit compare`, not used in training."),
]
OtherDev = Annotated[Files | None, Option("--dev", metavar="SRC TGT", help="Development set.")]
OtherTest = Annotated[Files | None, Option("--test", metavar="SRC TGT", help="Test set.")]
Scored = Annotated[
    Files | None,
    Option("--test", metavar="SRC TGT", help="Test set: source and reference. [from the models]"),
]
SourceTarget = Annotated[
    list[Path] | None,
    Argument(
        metavar="SRC TGT",
        help="Two files that correspond line by line, or one file with both languages; same as "
        "--train.",
    ),
]
FileFormat = Annotated[
    Format | None,
    Option(
        "--format",
        help="Format of a file with both languages. [from the file name: .tsv, .jsonl, .tmx, .xlf, "
        ".po, also compressed: .gz, .xz, .zst]",
        show_default=False,
    ),
]
CorpusName = Annotated[
    str | None,
    Option(
        metavar="NAME|DIR",
        help="Corpus: everyday or textbook (included), the name of one fetched by `mtkit corpus "
        "get`, or a directory with train.en, train.de, dev.en … or with train.tmx … [everyday]",
        autocompletion=completion.corpora_here,
    ),
]
Pair = Annotated[
    str | None, Option(metavar="SRC-TGT", help="Source and target language, as in en-de.")
]
Tokenizer = Annotated[
    Kind, Option(help="words: plain text, to be tokenised; none: tokens, separated by spaces.")
]
Lowercase = Annotated[bool, Option("--lowercase", help="Lowercase the text.")]
Symmetrize = Annotated[
    str,
    Option(
        metavar="HEURISTIC",
        help="How to merge the two alignment directions: intersection, union, grow, grow-diag, "
        "grow-diag-final, grow-diag-final-and; source-target or target-source: one direction only.",
        autocompletion=completion.among(
            "intersection",
            "union",
            "grow",
            "grow-diag",
            "grow-diag-final",
            "grow-diag-final-and",
            "source-target",
            "target-source",
        ),
    ),
]
Seed = Annotated[int, Option(min=0, max=2**32 - 1, help="Random seed.")]


def _limit(threads: int) -> int:
    """Limit threads before a command imports numerical libraries: they read the limit once."""
    limit(threads)
    return threads


Cluster = Annotated[
    str,
    Option(
        metavar="local:N|tcp://HOST:PORT",
        help="Where to compute: in N processes on this machine, or on the workers of a Dask "
        "scheduler, which need a shared file system. Does not change the result. "
        "[this process]",
        show_default=False,
    ),
]
Threads = Annotated[
    int,
    Option(
        min=0,
        max=1024,
        help="Number of threads; 0: one per core. [default: 0]",
        show_default=False,
        callback=_limit,
    ),
]
Quiet = Annotated[bool, Option("--quiet", "-q", help="Print nothing but errors on stderr.")]
GlossaryFile = Annotated[
    Path | None,
    Option(
        metavar="FILE",
        help="Glossary to follow: a source phrase, TAB, and a target phrase per line; or a .csv "
        "or .tbx file.",
    ),
]
Inflected = Annotated[
    bool,
    Option(
        "--inflected",
        help="Glossary entries also match inflected forms: words with the same first five "
        "letters, ignoring case and accents.",
    ),
]
Models = Annotated[
    list[Path] | None,
    Argument(
        metavar="MODEL",
        help="Model directories, but no combinations. [all in models/]",
        autocompletion=completion.models,
    ),
]
REPLACED = "asks before replacing a model of another corpus"
Force = Annotated[bool, Option("--force", help="Replace existing output.")]


def training_text(
    corpus: str | None, pair: str | None, train: Files | None, dev: Files | None,
    test: Files | None, tokenizer: Kind, lowercase: bool, file_format: str | None = None,
    unnamed: tuple[str, str] | None = None,
) -> tuple[Corpus, WordTokenizer]:  # fmt: skip
    """Return corpus and tokenizer of the shared options; unnamed: see ``open_corpus``."""
    from mtkit.text.corpus import open_corpus

    text = open_corpus(corpus, pair, train, dev, test, file_format or "", unnamed)
    return text, WordTokenizer(tokenizer, lowercase)


def ask_before_loss(work: Callable[[bool], Result], force: bool) -> Result:
    """Return ``work(force)``; if a model would be lost, ask the user and return ``work(True)``.

    Raises WorkError if the answer is no, LossError if there is no terminal to ask on.
    """
    try:
        return work(force)
    except LossError as error:
        several = os.environ.get("WORLD_SIZE", "1") != "1"  # several processes would all ask
        if several or not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise
        question = f"{error.lost}; replace it? [y/N] "
    print(visible(question), end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise WorkError("nothing was replaced; choose another directory with --out DIR")
    return work(True)


def set_up(quiet: bool, threads: int = 0, *outputs: Path | None) -> int:
    """Apply ``--quiet``; return the number of threads that ``--threads`` stands for.

    Raises InputError if the directory of one of ``outputs`` does not exist: before the work.
    """
    for path in outputs:
        if path is not None and not path.parent.is_dir():
            raise InputError(f"{path}: no such directory: {path.parent}")
    console.quiet = quiet
    return cores(threads)


def check_inflected(inflected: bool, glossary: Path | None) -> None:
    """Raise InputError if ``--inflected`` is given without a glossary."""
    if inflected and glossary is None:
        raise InputError("--inflected needs a glossary; name one with --glossary FILE")


def model_or_newest(
    model: Path | None, how: str = "with --model DIR", kind: str | None = None
) -> Path:
    """Return ``model``; if it is None, the newest model (of ``kind``), and print its name."""
    from mtkit.manifest import Manifest
    from mtkit.models import newest_model

    if model is not None:
        return model
    newest = newest_model(how, kind)
    note(f"model: {newest} ({' → '.join(Manifest.read(newest).languages)})")
    return newest
