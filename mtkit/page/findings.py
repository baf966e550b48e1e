"""What a command found out: sentences, charts and tables, on a terminal and as one page."""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.console import Console

from mtkit.page.chart import Chart, draw
from mtkit.page.tables import Grid, html, print_grid, say


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
            print_grid(console, grid, above=bool(self.heading or number))
        if self.verdicts:
            console.print()
        for sentence in self.verdicts:
            say(console, sentence)
