"""The findings of a command: sentences, charts and tables, on a terminal and as one page."""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.console import Console

from mtkit.page.chart import Chart, colours_of, draw_all
from mtkit.page.tables import Grid, html, print_grid, say


@dataclass(frozen=True)
class Findings:
    """What a command found. title, question: of the page. heading: what was measured, on what.

    verdicts: sentences. summary: sentences before the verdicts, only on the page. unfolded: number
    of tables that the page does not fold.
    """

    title: str
    question: str
    heading: str
    charts: list[Chart]
    grids: list[Grid]
    verdicts: list[str] = field(default_factory=list)
    summary: list[str] = field(default_factory=list)
    unfolded: int = 9

    def as_html(self) -> str:
        """Return one self-contained HTML page."""
        lines = [line.name for chart in self.charts for line in chart.lines]
        drawings, colours = draw_all(self.charts), colours_of(lines)
        return html("findings.html.j2", drawings=drawings, colours=colours, **vars(self))

    def show(self, console: Console) -> None:
        """Print tables and sentences."""
        if self.heading:
            say(console, self.heading, "bold")
        for number, grid in enumerate(self.grids):
            print_grid(console, grid, above=bool(self.heading or number))
        if self.verdicts:
            console.print()
        for sentence in self.verdicts:
            say(console, sentence)
