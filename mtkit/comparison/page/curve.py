"""Learning curves as a chart, a table and sentences."""

from __future__ import annotations

import math

from mtkit.comparison.curve import Curve
from mtkit.evaluation.means import Interval
from mtkit.page.chart import Chart, Line
from mtkit.page.tables import Cell, Grid, number


def chart(curve: Curve) -> Chart:
    """BLEU by training pairs, with its 95 % interval."""
    lines = []
    for growth in curve.systems:
        bleu = list(zip(curve.sizes, growth.bleu, strict=True))
        band = tuple((n, b.low, b.high) for n, b in bleu)
        lines.append(Line(growth.system, tuple((n, b.value) for n, b in bleu), band))
    note, x = f"Bands: 95 % intervals over {_units(curve)}.", "sentence pairs of training text"
    return Chart("BLEU by training text", x, tuple(lines), log_x=True, y="BLEU", note=note)


def _units(curve: Curve) -> str:
    """Name what the intervals are over. One sample does not show how samples vary."""
    return "samples and test sentences" if curve.seeds > 1 else "test sentences only"


def verdicts(curve: Curve) -> list[str]:
    """Return sentences on which system overtakes which, with 95 % intervals."""

    def pairs(size: float) -> str:
        if size == 0:
            return f"fewer than {curve.sizes[0]:,}"
        return f"more than {curve.sizes[-1]:,}" if size == math.inf else f"{size:,.0f}"

    def verdict(ahead: str, behind: str, size: Interval) -> str:
        everywhere = f"{ahead} is ahead of {behind} at every size"
        if size.high == 0:
            return f"{everywhere}, in at least 97.5 % of the resampled test sets."
        interval = f"given these samples, 95 % interval: {pairs(size.low)} to {pairs(size.high)}"
        if size.value == 0:
            return f"{everywhere} ({interval} pairs)."
        return f"{ahead} overtakes {behind} at {pairs(size.value)} pairs ({interval})."

    return [verdict(pair.ahead, pair.behind, pair.size) for pair in curve.overtaking]


def grid(curve: Curve) -> Grid:
    """Table of BLEU by system and size."""
    rows = []
    for g in curve.systems:
        bleu = [number(b.value, small=f"{b.low:.1f}–{b.high:.1f}") for b in g.bleu]
        rows.append([Cell(g.system), *bleu])
    times = [", ".join(f"{seconds:,.0f}" for seconds in g.seconds) for g in curve.systems]
    seconds = "; ".join(f"{g.system} {t}" for g, t in zip(curve.systems, times, strict=True))
    return Grid(
        "Learning curves: BLEU by number of training sentence pairs, mean of "
        f"{curve.seeds} sample{'s' * (curve.seeds > 1)}, with 95 % intervals over "
        f"{_units(curve)}.",
        ("System", *(f"{size:,}" for size in curve.sizes)),
        rows,
        [f"Training time in seconds: {seconds}."],
    )
