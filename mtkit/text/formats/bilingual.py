"""Read a file that holds both languages; its name says the format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mtkit.console import note
from mtkit.errors import InputError
from mtkit.text.formats import jsonl, po, tmx, tsv, xliff
from mtkit.text.formats.choice import Choice, Pair
from mtkit.text.formats.names import format_of

READERS = {
    "tsv": tsv.read, "jsonl": jsonl.read, "tmx": tmx.read, "xliff": xliff.read, "po": po.read,
}  # fmt: skip


def stream(path: Path, choice: Choice, file_format: str = "") -> Iterator[Pair]:
    """Return an iterator over the pairs of a bilingual file; see ``Choice.pairs``.

    file_format: one of READERS; "" for the one that the name says. Raises InputError if neither
    says a known format, and if the file cannot be read.
    """
    kind = file_format or format_of(path)
    if kind not in READERS and not path.exists():
        raise InputError(f"{path}: no such file")
    if kind not in READERS:
        raise InputError(
            f"{path}: one file for both languages, of unknown format; name two files, or add "
            f"--format {'|'.join(READERS)}"
        )
    return choice.pairs(READERS[kind](path, choice.wanted))


def read(
    path: Path, wanted: Pair | None = None, file_format: str = ""
) -> tuple[list[str], list[str], Pair]:
    """Return source lines, target lines and languages of a bilingual file.

    The languages are ``wanted``, or the file's own, "" where the file names none. The source of a
    PO file is assumed to be English, as gettext advises. Raises InputError where ``stream`` does.
    """
    return read_choice(path, Choice(path, wanted), file_format)


def read_choice(
    path: Path, choice: Choice, file_format: str = ""
) -> tuple[list[str], list[str], Pair]:
    """Read as ``read`` does, by ``choice``, which records the line of each pair."""
    source, target = list[str](), list[str]()
    for x, y in stream(path, choice, file_format):
        source.append(x)
        target.append(y)
    languages = choice.languages
    if (file_format or format_of(path)) == "po" and not languages[0] and languages[1]:
        languages = "en", languages[1]
        note(f"{path}: a PO file names no source language; en is assumed (set it with --pair)")
    return source, target, languages
