"""Terminology files: TAB-separated lines, CSV and TBX, read as pairs of phrases."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mtkit.console import note
from mtkit.errors import InputError
from mtkit.text.formats import tbx
from mtkit.text.formats.choice import LINES_SHOWN, Pair, listed, one_line, pick
from mtkit.text.formats.tsv import header
from mtkit.text.languages import base, language_called, without_packed_suffix
from mtkit.text.lines import iterate_lines

MAX_PAIRS = 10_000  # of a source term and a target term of one concept
_UNNAMED = {"", "und"}  # codes of an unknown language


class Term(NamedTuple):
    """A pair of phrases. where: file and line, for messages. foreign: it is from a termbase."""

    where: str
    source: str
    target: str
    foreign: bool = False


def read_terms(path: Path, languages: Pair | None = None) -> list[Term]:
    """Return the terms of a file; by its name it is TBX, CSV or else TAB-separated lines.

    The file may be packed. languages: source and target; None, or an undetermined code, for the
    file's own two. Raises InputError, naming the line, for a malformed file, and if the file has no
    term in these languages.
    """
    wanted = None if languages is None or _UNNAMED & set(languages) else languages
    read, hint = READERS.get(Path(without_packed_suffix(path)).suffix.lower(), LINES)
    terms = list(read(path, wanted))
    if not terms:
        raise InputError(f"{path}: no entries; {hint}")
    return terms


def _read_lines(path: Path, wanted: Pair | None) -> Iterator[Term]:
    """Yield the terms of TAB-separated lines.

    Blank lines and lines that begin with # are skipped. A first line may name the columns, as in
    ``_read_csv``.
    """
    columns: tuple[int, int] | None = None
    for number, line in enumerate(iterate_lines(path), 1):
        if not line.strip() or line.startswith("#"):
            continue
        where, sides = f"{path}: line {number}", line.split("\t")
        if len(sides) != 2:
            raise InputError(
                f"{where}: expected two columns separated by one TAB; found {len(sides)}"
            )
        if columns is None:
            if column_of := _column_names(sides, wanted, path, number):
                columns = _columns(column_of, wanted, where)
                continue
            columns = 0, 1
        source, target = (sides[column].strip() for column in columns)
        yield Term(where, source, target)


def _read_csv(path: Path, wanted: Pair | None) -> Iterator[Term]:
    """Yield the terms of CSV rows.

    Blank rows are skipped; rows that lack one of the two texts are left out and counted. A first
    row selects the columns by language codes, the words source and target, or the names of both
    wanted languages; it allows further columns.
    """
    columns: tuple[int, int] | None = None
    exactly_two = False
    complete, empty = 0, list[int]()
    for number, row in _rows(path):
        where = f"{path}: line {number}"
        if columns is None:
            if column_of := _column_names(row, wanted, path, number):
                columns = _columns(column_of, wanted, where)
                continue
            columns, exactly_two = (0, 1), True
        if len(row) <= max(columns) or (exactly_two and len(row) > 2):
            expected = "two columns" if exactly_two else f"{max(columns) + 1} columns or more"
            raise InputError(
                f"{where}: expected {expected} separated by commas, or by semicolons; found "
                f"{len(row)}" + "; add a header line, as in en,de,note" * (len(row) > 2)
            )
        source, target = (one_line(row[column]).strip() for column in columns)
        if source and target:
            complete += 1
            yield Term(where, source, target)
        else:
            empty.append(number)
    if complete and empty:
        lines = ", ".join(map(str, empty[:LINES_SHOWN])) + ", …" * (len(empty) > LINES_SHOWN)
        rows = f"{len(empty):,} of {complete + len(empty):,} rows"
        note(f"{path}: {rows} lack a term in one language; left out (line {lines})")


def _column_names(row: list[str], wanted: Pair | None, path: Path, line: int) -> dict[str, int]:
    """Return language → column if a row names two by codes, or both wanted, as English;German."""
    if column_of := header(row, wanted or (), path, line):
        return column_of
    codes = [language_called(cell) for cell in row]
    columns = {name: codes.index(base(name)) for name in wanted or () if base(name) in codes}
    return columns if len(columns) == 2 else {}


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (number of its first line, row) for each row of a CSV file that is not blank."""
    lines, begin = [f"{line}\n" for line in iterate_lines(path)], 1
    try:
        delimiter, first = _delimiter(lines)
        rows = csv.reader(lines[first:], delimiter=delimiter, strict=True)
        begin = first + 1
        for row in rows:
            if any(cell.strip() for cell in row):
                yield begin, row
            begin = first + rows.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"{path}: line {begin}: not CSV ({error}); quote a cell that holds a comma or a quote, "
            'as in "a ""b"", c"'
        ) from None


def _delimiter(lines: Sequence[str]) -> tuple[str, int]:
    """Return the delimiter of cells, and the index of the first line with a row.

    A spreadsheet may name it in a line ``sep=;``. Else it is the delimiter by which all rows have
    equally many cells. Semicolons are common where the comma is the decimal separator.
    """
    if lines and (declared := re.fullmatch(r"sep=(.)\s*", lines[0])):
        return declared[1], 1
    for delimiter in ",;":
        widths = {len(row) for row in csv.reader(lines, delimiter=delimiter) if any(row)}
        if len(widths) == 1 and widths != {1}:
            return delimiter, 0
    first = next(filter(str.strip, lines), "")
    return ";" if ";" in first and "," not in first else ",", 0


def _columns(column_of: dict[str, int], wanted: Pair | None, where: str) -> tuple[int, int]:
    """Return the columns of source and target among ``column_of``. Raises InputError if unclear."""
    names = tuple(column_of)
    if wanted is None and len(names) > 2:
        raise InputError(
            f"{where}: more than two languages: {listed(names)}; the languages of the systems are "
            "unknown, so keep only two columns"
        )
    keys = pick(names, wanted) if wanted else (names[0], names[1])
    if keys is None:
        raise InputError(
            f"{where}: no columns for {' and '.join(wanted or ())}, found {listed(names)}; "
            f"name the columns source and target, or {' and '.join(wanted or ())}"
        )
    return column_of[keys[0]], column_of[keys[1]]


def _read_tbx(path: Path, wanted: Pair | None) -> Iterator[Term]:
    """Yield each source term of a concept with each of its target terms.

    Target terms that the termbase says to avoid are left out, as are concepts that lack a language;
    these are counted.
    """
    concepts = list(tbx.read(path))
    counts = Counter(language for concept in concepts for language in concept)
    contents = listed([f"{name} ({n:,} concepts)" for name, n in counts.items()]) or "no terms"
    if wanted is None:
        if len(counts) != 2:
            raise InputError(
                f"{path}: expected terms of exactly two languages, since those of the systems are "
                f"unknown; found {contents}"
            )
        source, target = counts
        wanted = source, target
    complete = 0
    for concept in concepts:
        if (keys := pick(tuple(concept), wanted)) is None:
            continue
        complete += 1
        for word in (word for key in keys for word in concept[key] if not word.text):
            raise InputError(f"{path}: line {word.line}: an empty term; complete it, or remove it")
        if len(concept[keys[0]]) * len(concept[keys[1]]) > MAX_PAIRS:
            line = concept[keys[0]][0].line
            raise InputError(
                f"{path}: line {line}: a concept with more than {MAX_PAIRS:,} pairs of terms; "
                "split it"
            )
        for x in concept[keys[0]]:
            targets = (y.text for y in concept[keys[1]] if not y.avoided)
            yield from (Term(f"{path}: line {x.line}", x.text, y, foreign=True) for y in targets)
    if not complete:
        raise InputError(
            f"{path}: no concept has terms in {' and '.join(wanted)}; found {contents}; export "
            "both languages"
        )
    if left := len(concepts) - complete:
        languages = " or ".join(wanted)
        note(f"{path}: {left:,} of {len(concepts):,} concepts lack a term in {languages}; left out")


Read = Callable[[Path, Pair | None], Iterator[Term]]
READERS: dict[str, tuple[Read, str]] = {  # by suffix; the text is a hint if there is no entry
    ".csv": (_read_csv, "expected rows with two columns, source,target"),
    ".tbx": (_read_tbx, "the termbase says to avoid all target terms"),
}
LINES: tuple[Read, str] = _read_lines, "expected lines with two columns, source TAB target"
