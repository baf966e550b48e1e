"""Line charts as data, and their SVG coordinates for a template.

The SVG contains only the lines and is stretched to the available width. All text is HTML around it,
placed in per cent of the plane, so that its size is the same at any width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

# The plane between the axes: coordinates are per cent of its width and height.
LEFT, RIGHT, TOP, BOTTOM = 0.0, 100.0, 0.0, 100.0
MIN_NAME_DISTANCE = 7.0  # distance between names at the ends of lines, per cent of the height
MAX_DOTS = 12  # a line with at most so many points has them marked
LOG_AXIS_RATIO = 5.0  # of the highest to the lowest line's maximum, for a logarithmic axis
# Dashes distinguish lines without colour. There are as many colours (page.css.j2).
DASHES = ("none", "6 3", "2 3", "8 3 2 3", "12 3", "4 2 1 2", "1 2", "10 2 2 2 2 2")


@dataclass(frozen=True)
class Line:
    """A line. points: (x, y), sorted by x. band: (x, low, high) around them, or empty."""

    name: str
    points: tuple[tuple[float, float], ...]
    band: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True)
class Chart:
    """A line chart. x, y: names of the axes, with units. log, log_x: whether y, x is logarithmic.

    equations: of what is drawn, see ``mathml``. note: what bands are. level: value and name of a
    horizontal line. groups: names of x = 0, 1, 2 …, if x is not a number. anchor: if not empty, the
    groups link to the page's elements anchor-1, anchor-2 …
    """

    title: str
    x: str
    lines: tuple[Line, ...]
    log: bool = False
    equations: tuple[str, ...] = ()
    log_x: bool = False
    y: str = ""
    note: str = ""
    level: tuple[float, str] | None = None
    groups: tuple[str, ...] = ()
    anchor: str = ""


@dataclass(frozen=True)
class Stroke:
    """A line as drawn: SVG paths of the line, its dots and its band; the last two may be empty.

    colour: number from 0. words: description for screen readers. name_at: position of its name, in
    per cent of the height.
    """

    name: str
    path: str
    dots: str
    band: str
    dashes: str
    colour: int
    words: str
    name_at: float


@dataclass(frozen=True)
class Drawing:
    """A chart as a template writes it. x_ticks, y_ticks: (position in per cent, text).

    level, level_name_at: positions in per cent. as_log: the same chart with logarithmic y, if small
    values would otherwise be hidden.
    """

    chart: Chart
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    strokes: list[Stroke]
    level: float | None
    level_name_at: float
    as_log: Drawing | None = None


def draw_all(charts: Sequence[Chart], names: Sequence[str] = ()) -> list[Drawing]:
    """Draw the charts of a page; a name has one colour in all. names: get the first colours."""
    colours = colours_of([*names, *(line.name for chart in charts for line in chart.lines)])
    return [draw(chart, colours) for chart in charts]


def colours_of(names: Sequence[str]) -> dict[str, int]:
    """Number the different names in order, from 0."""
    return {name: k for k, name in enumerate(dict.fromkeys(names))}


def draw(chart: Chart, colours: Mapping[str, int] | None = None) -> Drawing:
    """Return the coordinates of a chart, rounded so that they are the same on every machine.

    The chart needs at least one point; values on a logarithmic axis must be positive. colours: name
    → number.
    """
    colours = colours or colours_of([line.name for line in chart.lines])
    points = [point for line in chart.lines for point in line.points]
    edges = [(x, y) for line in chart.lines for x, *both in line.band for y in both]
    xs, ys = zip(*points, *edges, strict=True)
    if chart.level:
        ys += (chart.level[0],)
    x_marks, x_of = _axis(xs, LEFT, RIGHT, chart.log_x, snug=True)
    if chart.groups:
        x_marks, x_of = list(map(float, range(len(chart.groups)))), _middles(len(chart.groups))
    y_marks, y_of = _axis(ys, BOTTOM, TOP, chart.log)
    x_texts = chart.groups or [f"{x:,.4g}" if x < 1e4 else f"{x:,.0f}" for x in x_marks]
    level = y_of(chart.level[0]) if chart.level else None
    ends = [y_of(line.points[-1][1]) for line in chart.lines]
    names_at = spread(ends if level is None else [*ends, level])
    strokes = [
        _stroke(line, colours[line.name], name_at, x_of, y_of, chart.groups)
        for line, name_at in zip(chart.lines, names_at, strict=False)
    ]
    return Drawing(
        chart,
        list(zip(map(x_of, x_marks), x_texts, strict=True)),
        [(y_of(y), _figure(y)) for y in y_marks],
        strokes,
        level,
        names_at[-1],
        draw(replace(chart, log=True), colours) if _hides(chart) else None,
    )


Place = Callable[[float], float]


def _stroke(
    line: Line, k: int, name_at: float, x_of: Place, y_of: Place, groups: Sequence[str]
) -> Stroke:
    def path(points: Sequence[tuple[float, float]], to: str = "L") -> str:
        return "M" + to.join(f"{x_of(x)} {y_of(y)}" for x, y in points) if points else ""

    dots = path(line.points, "h0M") + "h0" if len(line.points) <= MAX_DOTS else ""
    band = [(x, low) for x, low, _ in line.band] + [(x, top) for x, _, top in line.band[::-1]]
    dashes = DASHES[(k + k // len(DASHES)) % len(DASHES)]
    words = f"{line.name}: {_ends(line, groups)}"
    colour = k % len(DASHES)
    return Stroke(line.name, path(line.points), dots, path(band), dashes, colour, words, name_at)


def _ends(line: Line, groups: Sequence[str]) -> str:
    """Describe a line by its ends, for screen readers."""
    ends = [
        (y, groups[int(x)] if groups else f"{x:,.0f}")
        for x, y in line.points[:: len(line.points) - 1 or 1]
    ]
    return ", ".join(f"{y:.4g} at {x}" for y, x in ends)


def _middles(n: int) -> Place:
    """Return a function group → x position, the middle of its share of the width."""
    return lambda x: round(LEFT + (RIGHT - LEFT) * (x + 0.5) / n, 2)


def _hides(chart: Chart) -> bool:
    """Whether a linear axis hides small values that a logarithmic one shows."""
    highest = [max(y for _, y in line.points) for line in chart.lines]
    values = [y for line in chart.lines for _, *ys in (*line.points, *line.band) for y in ys]
    return not chart.log and min(values) > 0 and max(highest) > LOG_AXIS_RATIO * min(highest)


def spread(places: Sequence[float]) -> list[float]:
    """Move places, in per cent, apart by ``MIN_NAME_DISTANCE``, or less if room is short; greedy.

    >>> spread([50.0, 99.0, 52.0])
    [50.0, 99.0, 57.0]
    """
    apart = min(MIN_NAME_DISTANCE, (BOTTOM - TOP) / max(1, len(places)))
    order = sorted(range(len(places)), key=lambda k: places[k])
    moved, free = list(places), -math.inf
    for k in order:
        moved[k] = free = max(places[k], free + apart)
    free = math.inf
    for k in reversed(order):
        moved[k] = free = min(moved[k], BOTTOM, free)
        free -= apart
    return [round(place, 2) for place in moved]


def _figure(y: float) -> str:
    """Format a tick; a very small or large power of ten as such.

    >>> [_figure(y) for y in (0.0001, 0.5, 1000, 25000, 100000)]
    ['10⁻⁴', '0.5', '1,000', '25,000', '10⁵']
    """
    power = str(round(math.log10(y))) if y > 0 else ""
    if not power or 1e-3 <= y < 1e4 or not math.isclose(y, 10.0 ** int(power)):
        return f"{y:,.0f}" if y >= 1e4 else f"{y:,.4g}"
    return "10" + power.translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _axis(
    values: Sequence[float], start: float, end: float, log: bool, snug: bool = False
) -> tuple[list[float], Place]:
    """Return ticks that enclose ``values``, and a function value → position on the axis.

    start, end: positions of the first tick and of the end of the axis. snug: the axis ends at the
    largest value, not at a tick.
    """
    low, high = min(values), max(values)
    marks = log_ticks(low, high) if log else ticks(min(0.0, low), high)
    scale: Place = math.log if log else float
    top = high if snug and high > marks[0] else marks[-1]
    first, last = scale(marks[0]), scale(top)
    shown = [mark for mark in marks if mark <= top * (1 + 1e-9)]
    return shown, lambda v: round(start + (end - start) * (scale(v) - first) / (last - first), 2)


def ticks(low: float, high: float) -> list[float]:
    """Return four to seven round numbers in equal steps that enclose ``low`` and ``high``."""
    if high <= low:
        high = low + 1
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 10) for k in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return 1, 2, 5, 10 … or, if too many, powers of 10, 100 …, so that they enclose both ends."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(max(high, low * 1.001)))
    steps, stride = ((1, 2, 5), 1) if last - first < 3 else ((1,), math.ceil((last - first) / 6))
    marks = [m * 10.0**k for k in range(first, last + stride, stride) for m in steps]
    begin = max(i for i, mark in enumerate(marks) if mark <= low * (1 + 1e-9))
    end = min(i for i, mark in enumerate(marks) if mark >= high * (1 - 1e-9) and i > begin)
    return marks[begin : end + 1]
