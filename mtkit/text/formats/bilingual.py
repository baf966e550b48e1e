"""One file that holds both languages: what it is by its name, and what it says."""

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
    """The pairs of a bilingual file, one after the other; see ``Choice.pairs``.

    file_format: one of READERS; "" for what the name says. Raises InputError where neither says,
    and for what cannot be read.
    """
    known = file_format or format_of(path)
    if known not in READERS and not path.exists():
        raise InputError(f"{path}: no such file")
    if known not in READERS:
        raise InputError(
            f"{path}: unknown format of a file with both languages; name a file of each language, "
            f"or add --format {'|'.join(READERS)}"
        )
    return choice.pairs(READERS[known](path, choice.wanted))


def read(
    path: Path, wanted: Pair | None = None, file_format: str = ""
) -> tuple[list[str], list[str], Pair]:
    """Both sides of a bilingual file, and their languages: ``wanted``, or the file's own, each ""
    where nothing names it. A PO file's source is taken for English, as gettext advises.

    Raises InputError where ``stream`` does.
    """
    return read_choice(path, Choice(path, wanted), file_format)


def read_choice(
    path: Path, choice: Choice, file_format: str = ""
) -> tuple[list[str], list[str], Pair]:
    """The same, by ``choice``, which then knows where each pair stands."""
    source, target = list[str](), list[str]()
    for x, y in stream(path, choice, file_format):
        source.append(x)
        target.append(y)
    languages = choice.languages
    if (file_format or format_of(path)) == "po" and not languages[0] and languages[1]:
        languages = "en", languages[1]
        note(f"{path}: a PO file names no source language; en is assumed (set it with --pair)")
    return source, target, languages
