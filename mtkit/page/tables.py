"""Tables and text for a terminal and a browser, which draw the same grids.

Whatever a corpus holds reaches either as plain text.
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

from mtkit.console import visible
from mtkit.page.mathml import mathml, prose
from mtkit.storage.writing import named_file
from mtkit.text.tokenizer import JOINER

NARROW = 64  # columns that a table needs; on a narrower terminal it wraps instead of losing figures
NAME = 8  # of these the first column needs; the others the longest word of their headings


@dataclass(frozen=True)
class Cell:
    """small: a second line. number: what the cell is sorted by, where it is a number."""

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
Columns = Sequence[tuple[str, Callable[[Record], Cell]]]  # heading, what the cell shows


def table(
    caption: str,
    rows: Iterable[tuple[str | Cell, Record]],
    columns: Columns[Record],
    notes: Sequence[str] = (),
    first: str = "System",
) -> Grid:
    """A row for each named record. first: the heading of the names."""
    cells = [
        [name if isinstance(name, Cell) else Cell(name), *(cell(record) for _, cell in columns)]
        for name, record in rows
    ]
    return Grid(caption, (first, *(heading for heading, _ in columns)), cells, list(notes))


def number(value: float | None, decimals: int = 1, small: str = "") -> Cell:
    """A figure as a cell; a dash where there is none."""
    if value is None:
        return Cell("–")
    if math.isinf(value):
        return Cell("∞", small, sys.float_info.max)
    fixed = value < 1e6 or not decimals
    return Cell(f"{value:,.{decimals}f}" if fixed else f"{value:.2e}", small, value)


# --- terminal


def say(console: Console, text: str, style: str = "", above: bool = False) -> None:
    """A paragraph, perhaps with a blank line above."""
    console.print(*[""] * above, Text(visible(text), style=style), sep="\n")


def print_grid(console: Console, grid: Grid, above: bool = False) -> None:
    """A table with its caption and notes, perhaps with a blank line above."""
    say(console, grid.caption, "bold", above)
    first, *others = (Text(visible(column)) for column in grid.columns)
    words = [max(map(cell_len, head.plain.split()), default=0) for head in others]
    needed = max(NARROW, NAME + sum(word + 2 for word in words))
    width = needed if console.width < needed else None
    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False, width=width)
    table.add_column(first, overflow="fold", min_width=NAME)
    for head, word in zip(others, words, strict=True):
        table.add_column(head, justify="right", overflow="fold", min_width=word)
    for row in grid.rows:
        table.add_row(*map(_text, row))
    console.print(table, crop=False)
    for note in grid.notes:  # a signature must not be cut: the terminal may wrap it
        console.print(Text(visible(note), "dim"), soft_wrap=True)


def _text(cell: Cell) -> Text:
    text = Text(visible(cell.text))
    return text.append(f"\n{visible(cell.small)}", "dim") if cell.small else text


# --- HTML


ENVIRONMENT = Environment(
    autoescape=True,
    # What a template made of text already, which is Markup, stays.
    finalize=lambda value: visible(value) if type(value) is str else value,
    loader=FileSystemLoader(Path(__file__).parent),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def tokens(text: str) -> str:
    """Text with its joiner marks as elements that a style sheet draws: few fonts have the glyph."""
    if JOINER not in text:
        return text
    mark = Markup('<span class="joiner">{}</span>').format(JOINER)
    return mark.join(visible(text).split(JOINER))


def headings(page: str) -> list[tuple[str, Markup]]:
    """Id and text of the sections of a page."""
    found = re.findall(r'<h2 id="([^"]+)">(.*?)</h2>', page, re.DOTALL)
    return [(name, Markup(heading)) for name, heading in found]  # noqa: S704 (escaped already)


def title_of(caption: str) -> str:
    """What a table is folded under.

    >>> title_of("Unknown source words: total, copied.")
    'Unknown source words'
    """
    return re.split(r"[:.] ", caption + " ")[0]


ENVIRONMENT.filters |= {of.__name__: of for of in (tokens, headings, title_of, mathml, prose)}


def html(template: str, **values: Any) -> str:
    """A page that needs nothing from elsewhere; the same values give the same bytes."""
    return ENVIRONMENT.get_template(template).render(**values)


def write_page(text: str, path: Path) -> None:
    """Write a page, whole or not at all. Raises InputError where it cannot lie there."""
    with named_file(path) as file:
        file.write(text.encode("utf-8"))
