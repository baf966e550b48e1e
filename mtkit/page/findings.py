"""What a command found out: sentences, charts and tables, on a terminal and as one page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from rich.console import Console

from mtkit.page.chart import Chart, draw
from mtkit.page.tables import Cell, Grid, html, print_grid, say

T = TypeVar("T")
Columns = Sequence[tuple[str, Callable[[T], Cell]]]  # heading, and what a row's item has there


def table(caption: str, columns: Columns[T], items: Iterable[T], notes: Sequence[str] = ()) -> Grid:
    """A table with a row an item."""
    rows = [[cell(item) for _, cell in columns] for item in items]
    return Grid(caption, tuple(heading for heading, _ in columns), rows, list(notes))


def columns_at(heading: str, places: Iterable[int], cell: Callable[[T, int], Cell]) -> Columns[T]:
    """A column for each of ``places``, whose number the heading has at ``{}``."""

    def at(item: T, place: int) -> Cell:
        return cell(item, place)

    return [(heading.format(place), partial(at, place=place)) for place in places]


@dataclass(frozen=True)
class Findings:
    """title, question: the page's; heading: what was measured, and on what; verdicts: sentences."""

    title: str
    question: str
    heading: str
    charts: list[Chart]
    grids: list[Grid]
    verdicts: list[str] = field(default_factory=list)

    def as_html(self) -> str:
        """One page that needs nothing from elsewhere."""
        drawings = [draw(chart) for chart in self.charts]
        return html("findings.html.j2", drawings=drawings, **vars(self))

    def show(self, console: Console) -> None:
        """Print tables and sentences."""
        if self.heading:
            say(console, self.heading, "bold")
        for number, grid in enumerate(self.grids):
            if self.heading or number:
                console.print()
            print_grid(console, grid)
        if self.verdicts:
            console.print()
        for sentence in self.verdicts:
            say(console, sentence)
