"""Tables and text for a terminal and a browser, which show the same grids.

Text from a corpus is escaped for both: it never acts as markup or as control characters.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mtkit.console import paragraph, visible
from mtkit.page.mathml import mathml, prose
from mtkit.platforms import short_path
from mtkit.storage.writing import named_file
from mtkit.text.tokenizer import JOINER

GAP, EDGES = 2, 2  # spaces between the columns of a table, and at its sides
SHARE = 3  # the least width of the row names is at most 1 / SHARE of the terminal's


@dataclass(frozen=True)
class Cell:
    """A cell of a grid. small: a second line. number: sort key, if the cell is a number."""

    text: str
    small: str = ""
    number: float | None = None


@dataclass(frozen=True)
class Grid:
    """A table whose first column names the rows; the others hold figures."""

    caption: str
    columns: tuple[str, ...]
    rows: list[list[Cell]]
    notes: list[str] = field(default_factory=list)


Record = TypeVar("Record")
Columns = Sequence[tuple[str, Callable[[Record], Cell]]]  # (heading, record → cell)


def table(
    caption: str,
    rows: Iterable[tuple[str | Cell, Record]],
    columns: Columns[Record],
    notes: Sequence[str] = (),
    first: str = "System",
) -> Grid:
    """Return a grid with a row for each named record. first: heading of the names."""
    cells = [
        [name if isinstance(name, Cell) else Cell(name), *(cell(record) for _, cell in columns)]
        for name, record in rows
    ]
    return Grid(caption, (first, *(heading for heading, _ in columns)), cells, list(notes))


def number(value: float | None, decimals: int = 1, small: str = "") -> Cell:
    """Return a figure as a cell, or a dash for None."""
    if value is None:
        return Cell("–")
    if math.isinf(value):
        return Cell("∞", small, sys.float_info.max)
    fixed = value < 1e6 or not decimals
    return Cell(f"{value:,.{decimals}f}" if fixed else f"{value:.2e}", small, value)


# --- terminal


def say(console: Console, text: str, style: str = "", above: bool = False) -> None:
    """Print a paragraph. above: whether a blank line comes first."""
    console.print(*[""] * above, Text(visible(text), style=style), sep="\n")


def print_grid(console: Console, grid: Grid, above: bool = False) -> None:
    """Print a table with its caption and notes. above: whether a blank line comes first.

    A table wider than the terminal is split into several, each with the names of the rows.
    """
    say(console, grid.caption, "bold", above)
    head = [Text(visible(column)) for column in grid.columns]
    rows = [list(map(_text, row)) for row in grid.rows]
    columns = [[cell.plain for cell in column] for column in zip(head, *rows, strict=True)]
    least = [max(map(_longest_word, column)) for column in columns]
    least[0] = min(least[0], console.width // SHARE)
    widest = console.width - EDGES - least[0] - GAP
    least[1:] = [min(width, widest) for width in least[1:]]
    most = [max(map(_longest_line, column)) for column in columns]
    for chosen in _blocks(least, console.width - EDGES):
        table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
        room = console.width - EDGES - GAP * (len(chosen) - 1)
        widths = _widths([least[k] for k in chosen], [most[k] for k in chosen], room)
        for k, width in zip(chosen, widths, strict=True):
            table.add_column(
                head[k], justify="right" if k else "left", overflow="fold", width=width
            )
        for row in rows:
            table.add_row(*(row[k] for k in chosen))
        console.print(table)
    for note in grid.notes:
        paragraph(console, note, "dim")


def _longest_word(text: str) -> int:
    return max(map(cell_len, text.split()), default=0)


def _longest_line(text: str) -> int:
    return max(map(cell_len, text.split("\n")))


def _blocks(least: Sequence[int], width: int) -> list[list[int]]:
    """Split the columns into tables that fit into ``width``; each begins with column 0.

    >>> _blocks([8, 10, 10, 10], 35)
    [[0, 1, 2], [0, 3]]
    """
    blocks, used = list[list[int]](), width
    for k, column in enumerate(least[1:], 1):
        if used + GAP + column > width:
            blocks.append([0])
            used = least[0]
        blocks[-1].append(k)
        used += GAP + column
    return blocks or [[0]]


def _widths(least: Sequence[int], most: Sequence[int], room: int) -> list[int]:
    """Share ``room`` among columns: first the least they need, then up to the most, names last.

    >>> _widths([8, 5, 5], [20, 9, 5], 28)
    [14, 9, 5]
    """
    spare, widths = max(0, room - sum(least)), list(least)
    for k in (*range(1, len(least)), 0):
        more = min(spare, most[k] - least[k])
        widths[k] += more
        spare -= more
    return widths


def _text(cell: Cell) -> Text:
    text = Text(visible(cell.text))
    return text.append(f"\n{visible(cell.small)}", "dim") if cell.small else text


# --- HTML


ENVIRONMENT = Environment(
    autoescape=True,
    # Markup is text that a template has already escaped; it stays as it is.
    finalize=lambda value: visible(value) if type(value) is str else value,
    loader=FileSystemLoader(Path(__file__).parent),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def tokens(text: str) -> str:
    """Replace joiner marks by elements that the style sheet draws: few fonts have the glyph."""
    if JOINER not in text:
        return text
    mark = Markup('<span class="joiner">{}</span>').format(JOINER)
    return mark.join(visible(text).split(JOINER))


def headings(page: str) -> list[tuple[str, Markup]]:
    """Return id and text of each h2 heading of a page."""
    matches = re.findall(r'<h2 id="([^"]+)">(.*?)</h2>', page, re.DOTALL)
    return [(name, Markup(heading)) for name, heading in matches]  # noqa: S704 (escaped already)


def title_of(caption: str) -> str:
    """Return the title of a folded table: its caption up to the first colon or full stop.

    >>> title_of("Unknown source words: total, copied.")
    'Unknown source words'
    """
    return re.split(r"[:.] ", caption + " ")[0]


ENVIRONMENT.filters |= {
    of.__name__: of for of in (tokens, headings, title_of, mathml, prose, short_path)
}


def html(template: str, **values: Any) -> str:
    """Return a self-contained page; the same values give the same bytes."""
    return ENVIRONMENT.get_template(template).render(**values)


def write_page(text: str, path: Path) -> None:
    """Write a page atomically. Raises InputError if ``path`` cannot be written."""
    with named_file(path) as file:
        file.write(text.encode("utf-8"))
