"""Line charts as data and as the coordinates of an SVG: what a template only has to write out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# The plane between the axes, in a drawing of 375 × 200.
LEFT, RIGHT, TOP, BOTTOM = 40.0, 350.0, 10.0, 160.0
# Colour is not all that tells lines apart. There are as many colours (page.html.j2).
DASHES = ("none", "6 3", "2 3", "8 3 2 3", "12 3", "4 2 1 2", "1 2", "10 2 2 2 2 2")


@dataclass(frozen=True)
class Line:
    """points: (x, y), in the order of x. band: (x, low, high) around them, or nothing."""

    name: str
    points: tuple[tuple[float, float], ...]
    band: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True)
class Chart:
    """x: what the axis below shows, as the title says of y. log, log_x: whether y, x grows by
    factors. equation: what is drawn, exactly, where the title is not enough.
    """

    title: str
    x: str
    lines: tuple[Line, ...]
    log: bool = False
    equation: str = ""
    log_x: bool = False


@dataclass(frozen=True)
class Stroke:
    """A line as drawn: SVG paths of it and of its band, which may be empty; colour: from 0."""

    name: str
    path: str
    band: str
    dashes: str
    colour: int
    words: str


@dataclass(frozen=True)
class Drawing:
    """Everything a template writes out of a chart. Ticks: where on the axis, the number as text."""

    chart: Chart
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    strokes: list[Stroke]


def draw(chart: Chart) -> Drawing:
    """The coordinates of a chart, rounded so that they are the same on every machine.

    There must be a point, and where numbers grow by factors all must be positive.
    """
    points = [point for line in chart.lines for point in line.points]
    edges = [(x, y) for line in chart.lines for x, *both in line.band for y in both]
    xs, ys = zip(*points, *edges, strict=True)
    x_marks, x_of = _axis(xs, LEFT, RIGHT, chart.log_x)
    y_marks, y_of = _axis(ys, BOTTOM, TOP, chart.log)

    def path(points: Sequence[tuple[float, float]]) -> str:
        return "M" + "L".join(f"{x_of(x)} {y_of(y)}" for x, y in points) if points else ""

    strokes = []
    for k, line in enumerate(chart.lines):
        (x, y), (last_x, last_y) = line.points[0], line.points[-1]
        words = f"{line.name}: {y:.4g} at {x:,.0f}, {last_y:.4g} at {last_x:,.0f}"
        band = [(x, low) for x, low, _ in line.band] + [(x, top) for x, _, top in line.band[::-1]]
        colour = k % len(DASHES)
        paths = path(line.points), path(band)
        strokes.append(Stroke(line.name, *paths, DASHES[colour], colour, words))
    x_ticks = [(x_of(x), f"{x:,.4g}" if x < 1e4 else f"{x:,.0f}") for x in x_marks]
    return Drawing(chart, x_ticks, [(y_of(y), _figure(y)) for y in y_marks], strokes)


def _figure(y: float) -> str:
    """A round number, a long one as a power of ten if it is one.

    >>> [_figure(y) for y in (0.0001, 0.5, 1000, 25000, 100000)]
    ['10⁻⁴', '0.5', '1,000', '25,000', '10⁵']
    """
    power = str(round(math.log10(y))) if y > 0 else ""
    if not power or 1e-3 <= y < 1e4 or not math.isclose(y, 10.0 ** int(power)):
        return f"{y:,.0f}" if y >= 1e4 else f"{y:,.4g}"
    return "10" + power.translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _axis(
    values: Sequence[float], start: float, end: float, log: bool
) -> tuple[list[float], Callable[[float], float]]:
    """Marks that enclose ``values``; where numbers are drawn, the first mark at ``start``."""
    low, high = min(values), max(values)
    marks = log_ticks(low, high) if log else ticks(min(0.0, low), high)
    grows: Callable[[float], float] = math.log if log else float
    first, last = grows(marks[0]), grows(marks[-1])
    return marks, lambda v: round(start + (end - start) * (grows(v) - first) / (last - first), 2)


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
    """1, 2, 5, 10 … or, if those are many, powers of ten or of 100 …; they enclose both ends."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(max(high, low * 1.001)))
    steps, stride = ((1, 2, 5), 1) if last - first < 3 else ((1,), math.ceil((last - first) / 6))
    marks = [m * 10.0**k for k in range(first, last + stride, stride) for m in steps]
    begin = max(i for i, mark in enumerate(marks) if mark <= low * (1 + 1e-9))
    end = min(i for i, mark in enumerate(marks) if mark >= high * (1 - 1e-9) and i > begin)
    return marks[begin : end + 1]
