"""TSV: one pair per line, columns separated by TABs, nothing quoted or escaped.

A first line of language codes (or the words source and target) names the columns, and there may be
other columns. Without such a line, the first two columns are source and target. All lines have as
many columns as the first: further TABs belong to the text of the last column.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mtkit.errors import InputError
from mtkit.text.formats.choice import Numbered, Pair
from mtkit.text.formats.codes import ROLES, languages_among, parse_code
from mtkit.text.lines import iterate_lines


def read(path: Path, wanted: Pair | None = None) -> Iterator[Numbered]:
    """Yield (line number, unit) for each line that is not empty.

    wanted: codes that count as languages even if ISO 639-1 does not list them. Raises InputError,
    naming the line, if it has too few columns, and where ``iterate_lines`` does.
    """
    columns: dict[str, int] = {}
    width = 0  # columns of all lines; 0 before the first line
    for number, line in enumerate(iterate_lines(path), 1):
        if not line:
            continue
        cells = line.split("\t", width - 1)
        if not columns:
            width = len(cells)
            if columns := header(cells, wanted or (), path, number):
                continue
            columns = {role: k for k, role in enumerate(ROLES)}
        if len(cells) <= max(columns.values()):
            actual = f"{len(cells)} columns" if len(cells) > 1 else "no TAB"
            raise InputError(
                f"{path}: line {number}: expected source TAB target; found {actual}: {line[:40]!r}"
            )
        yield number, {name: cells[k] for name, k in columns.items()}


def header(cells: list[str], wanted: Pair | tuple[()], path: Path, line: int) -> dict[str, int]:
    """Return language → column if a line names at least two; {} for a line of text."""
    names = [c.lower() if (c := cell.strip()).lower() in ROLES else c for cell in cells]
    if not all(name and len(name) <= 20 and " " not in name for name in names):
        return {}
    columns = list(ROLES) if set(ROLES) <= set(names) else languages_among(names, wanted)
    column_of = {parse_code(name, path, line): names.index(name) for name in columns}
    return column_of if len(column_of) > 1 else {}
