"""Line charts as data and as the coordinates of an SVG: what a template only has to write out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# The plane between the axes, in a drawing of 375 × 200.
LEFT, RIGHT, TOP, BOTTOM = 40.0, 350.0, 10.0, 160.0
DASHES = ("none", "6 3", "2 3", "8 3 2 3")  # colour is not all that tells lines apart


@dataclass(frozen=True)
class Line:
    """points: (x, y), in the order of x."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Chart:
    """x: what the axis below shows, as the title says of y. log: whether y grows by factors."""

    title: str
    x: str
    lines: tuple[Line, ...]
    log: bool = False


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: where in the drawing, and its number as text."""

    at: float
    text: str


@dataclass(frozen=True)
class Stroke:
    """A line as drawn: an SVG path, its dashes, which colour (from 0), and itself in words."""

    name: str
    path: str
    dashes: str
    colour: int
    words: str


@dataclass(frozen=True)
class Drawing:
    """Everything a template writes out of a chart."""

    chart: Chart
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    strokes: list[Stroke]


def draw(chart: Chart) -> Drawing:
    """The coordinates of a chart, rounded so that they are the same on every machine.

    There must be a point, and with ``log`` every y must be positive.
    """
    xs, ys = zip(*(point for line in chart.lines for point in line.points), strict=True)
    x_marks = ticks(min(0.0, *xs), max(xs))
    y_marks = log_ticks(min(ys), max(ys)) if chart.log else ticks(min(0.0, *ys), max(ys))

    x_of = _scale(x_marks, LEFT, RIGHT)
    y_of = _scale(y_marks, BOTTOM, TOP, chart.log)
    strokes = [
        Stroke(
            line.name,
            "M" + "L".join(f"{x_of(x)} {y_of(y)}" for x, y in line.points),
            DASHES[k % len(DASHES)],
            k % len(DASHES),
            f"{line.name}: {line.points[0][1]:.4g} at {line.points[0][0]:,.0f}, "
            f"{line.points[-1][1]:.4g} at {line.points[-1][0]:,.0f}",
        )
        for k, line in enumerate(chart.lines)
    ]
    return Drawing(
        chart,
        [Tick(x_of(x), f"{x:,.4g}" if x < 1e4 else f"{x:,.0f}") for x in x_marks],
        [Tick(y_of(y), f"{y:,.4g}") for y in y_marks],
        strokes,
    )


def _scale(
    marks: Sequence[float], start: float, end: float, log: bool = False
) -> Callable[[float], float]:
    """Where numbers are drawn, if the first and last of ``marks`` are at ``start`` and ``end``."""
    grows: Callable[[float], float] = math.log if log else float
    low, high = grows(marks[0]), grows(marks[-1])
    return lambda value: round(start + (end - start) * (grows(value) - low) / (high - low), 2)


def ticks(low: float, high: float) -> list[float]:
    """Four to seven round numbers in equal steps, of which the first and last enclose the rest."""
    if high <= low:
        high = low + 1
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 10) for k in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2, 5, 10 … or, if those are many, powers of ten; they enclose ``low`` and ``high``."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(max(high, low * 1.001)))
    steps = (1, 2, 5) if last - first < 3 else (1,)
    marks = [m * 10.0**k for k in range(first, last + 1) for m in steps]
    begin = max(i for i, mark in enumerate(marks) if mark <= low * (1 + 1e-9))
    end = min(i for i, mark in enumerate(marks) if mark >= high * (1 - 1e-9) and i > begin)
    return marks[begin : end + 1]
