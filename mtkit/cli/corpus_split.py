"""``mtkit corpus split``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

import mtkit.cli.options as options
from mtkit.console import busy, note
from mtkit.errors import InputError

if TYPE_CHECKING:
    from mtkit.text.corpus import Bitext

SourceTarget = Annotated[
    list[Path],
    Argument(
        metavar="SRC TGT",
        help="Two files that correspond line by line, or one file with both languages.",
    ),
]
USEFUL_FROM = 100  # pairs of a dev or test set
DEFAULT_SIZE = 1000  # pairs of a dev or test set; of a small corpus, a twentieth
DevSize = Annotated[
    int | None,
    Option(
        "--dev", metavar="N", min=0, help=f"Pairs in the dev set. [{DEFAULT_SIZE}, but at most 5 %]"
    ),
]
TestSize = Annotated[
    int | None,
    Option(
        "--test",
        metavar="N",
        min=0,
        help=f"Pairs in the test set. [{DEFAULT_SIZE}, but at most 5 %]",
    ),
]
Documents = Annotated[
    Path | None,
    Option(
        metavar="FILE",
        help="File with the document ID of each line: no document is split; training pairs that "
        "repeat text of dev or test are dropped.",
    ),
]
BlankLines = Annotated[
    bool, Option("--blank-lines", help="Lines that are blank on both sides separate documents.")
]
Out = Annotated[
    Path,
    Option(
        metavar="DIR",
        help="Output directory for train, dev and test, and for the original line numbers.",
    ),
]
MARK = "train.lines"


def split(
    files: SourceTarget, out: Out, file_format: options.FileFormat = None, dev: DevSize = None,
    test: TestSize = None, seed: options.Seed = 1, documents: Documents = None,
    blank_lines: BlankLines = False, pair: options.Pair = None, force: options.Force = False,
    quiet: options.Quiet = False,
) -> None:  # fmt: skip
    """Split a corpus into train, dev and test without leaks.

    Pairs that share a source or a target, ignoring case, digits and punctuation, go
    into the same split.
    """
    from mtkit.models import check_out
    from mtkit.quality.files import name_files
    from mtkit.quality.split import blank_line_documents, split_text, write_split
    from mtkit.storage.writing import replacing
    from mtkit.text.corpus import languages_in
    from mtkit.text.lines import read_lines

    options.set_up(quiet)
    if documents and blank_lines:
        raise InputError("--documents and --blank-lines exclude each other; give one of them")
    languages, paths = name_files(files, None, pair, None, None, None)
    check_out(out, "", force, MARK, "split corpus")
    with busy("splitting"):
        text, numbers = _read(paths["train"], languages, file_format or "")
        languages = languages or languages_in(text)
        ids = read_lines(documents) if documents else None
        if ids is not None and len(ids) != len(text):
            raise InputError(
                f"{documents}: expected {len(text):,} lines, one per sentence pair; "
                f"found {len(ids):,}"
            )
        if blank_lines:
            ids = blank_line_documents(text)
        default = min(DEFAULT_SIZE, -(-len(text) // 20))
        dev, test = (default if size is None else size for size in (dev, test))
        parts = split_text(text, dev, test, seed, ids)
        with replacing(out) as scratch:
            write_split(text, parts, languages, scratch, numbers)
    counts = ", ".join(f"{name} {len(rows):,}" for name, rows in parts.rows.items())
    note(f"corpus: {out} ({counts} pairs)")
    if few := [name for name in ("dev", "test") if 0 < len(parts.rows.get(name, ())) < USEFUL_FROM]:
        note(
            f"warning: fewer than {USEFUL_FROM} pairs in {' and '.join(few)}, too few to tell "
            "systems apart; add text, or raise --dev and --test"
        )
    if parts.blank:
        note(f"dropped: {parts.blank:,} pairs without text on both sides")
    if parts.repeated:
        note(f"dropped: {parts.repeated:,} pairs whose source or target is in another split")


def _read(
    files: options.Files, languages: tuple[str, str] | None, file_format: str
) -> tuple[Bitext, Sequence[int] | None]:
    """Return the text, and the first line of each pair of a bilingual file (``Choice.numbers``)."""
    from mtkit.text.corpus import Bitext
    from mtkit.text.formats.choice import Choice

    source, target = files
    if source != target:
        return Bitext.read(source, target), None
    choice = Choice(source, languages)
    return Bitext.bilingual(choice, file_format), choice.numbers
