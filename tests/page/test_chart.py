"""Chart coordinates: round ticks that enclose the data, and points at the right places."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mtkit.page.chart import (
    BOTTOM,
    LEFT,
    MIN_NAME_DISTANCE,
    RIGHT,
    TOP,
    Chart,
    Line,
    draw,
    draw_all,
    log_ticks,
    spread,
    ticks,
)

NUMBERS = st.floats(0, 1e6, allow_nan=False)


@given(NUMBERS, NUMBERS)
@example(50050.0, 49999.999999989144)
def test_ticks_are_round_and_enclose(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    high = max(high, low + 1e-3 * max(1.0, low))  # smaller ranges are lost in rounding
    marks = ticks(low, high)
    assert marks[0] <= low + 1e-6
    assert marks[-1] >= high - 1e-6
    assert 2 <= len(marks) <= 8
    steps = [y - x for x, y in pairwise(marks)]
    assert max(steps) == pytest.approx(min(steps))
    leading = steps[0] / 10 ** math.floor(math.log10(steps[0]) + 1e-9)
    assert any(leading == pytest.approx(m, rel=1e-3) for m in (1, 2, 2.5, 5, 10))


@given(st.floats(1e-3, 1e6), st.floats(1, 1e6))
def test_log_ticks_enclose(low: float, factor: float) -> None:
    marks = log_ticks(low, low * factor)
    assert marks[0] <= low * (1 + 1e-6)
    assert marks[-1] >= low * factor * (1 - 1e-6)
    assert all(a < b for a, b in pairwise(marks))
    assert 2 <= len(marks) <= 12


def test_points_are_placed_correctly() -> None:
    chart = Chart("t", "x", (Line("a", ((0.0, 1.0), (50.0, 10.0), (100.0, 100.0))),), log=True)
    drawing = draw(chart)
    [stroke] = drawing.strokes
    points = [tuple(map(float, p.split())) for p in re.split("[ML]", stroke.path)[1:]]
    middle = ((LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2)
    assert points == [(LEFT, BOTTOM), pytest.approx(middle), (RIGHT, TOP)]
    assert [text for _, text in drawing.y_ticks] == ["1", "2", "5", "10", "20", "50", "100"]
    assert drawing.x_ticks[0][0] == LEFT
    assert stroke.words == "a: 1 at 0, 100 at 100"
    higher = replace(chart, lines=(Line("a", ((0.0, 10.0), (50.0, 100.0), (100.0, 1000.0))),))
    assert draw(higher).strokes[0].path == stroke.path
    straight = draw(Chart("t", "x", (Line("a", ((0.0, 0.0), (5.0, 20.0))),)))
    assert straight.strokes[0].path == f"M{LEFT} {BOTTOM}L{RIGHT} {TOP}"
    assert [text for _, text in straight.y_ticks] == ["0", "5", "10", "15", "20"]


def test_lines_differ_in_more_than_colour() -> None:
    lines = tuple(Line(name, ((0.0, 1.0), (1.0, 2.0))) for name in "abcd")
    strokes = draw(Chart("t", "x", lines)).strokes
    assert len({s.dashes for s in strokes}) == len({s.colour for s in strokes}) == 4


def test_one_point_is_a_chart() -> None:
    assert draw(Chart("t", "x", (Line("a", ((3.0, 5.0),)),), log=True)).strokes


def test_a_name_has_one_colour_on_all_charts_of_a_page() -> None:
    def chart(*names: str) -> Chart:
        return Chart("t", "x", tuple(Line(name, ((0.0, 1.0),)) for name in names))

    charts = [chart("b", "a"), chart("c", "b", *(f"more {k}" for k in range(7)))]
    first, second = draw_all(charts, ["a"])
    assert [(s.name, s.colour) for s in first.strokes] == [("b", 1), ("a", 0)]
    assert [(s.name, s.colour) for s in second.strokes[:2]] == [("c", 2), ("b", 1)]
    looks = {(s.colour, s.dashes) for s in (*first.strokes, *second.strokes)}
    assert len(looks) == 10  # of ten names, with eight colours


@given(st.lists(st.floats(0, 100), max_size=30))
def test_line_names_are_spaced_and_inside(places: list[float]) -> None:
    moved = spread(places)
    apart = min(MIN_NAME_DISTANCE, 100 / max(1, len(places)))
    in_order = sorted(moved)
    assert all(b - a >= apart - 0.02 for a, b in pairwise(in_order))
    assert not moved or (in_order[0] >= -0.01 and in_order[-1] <= BOTTOM)
    order = sorted(range(len(places)), key=lambda k: places[k])
    assert [moved[k] for k in order] == in_order


def test_groups_are_centred() -> None:
    line = Line("a", ((0.0, 1.0), (3.0, 2.0)))
    drawing = draw(Chart("t", "x", (line,), groups=("0", "1", "2–9", "10–")))
    assert drawing.x_ticks == [(12.5, "0"), (37.5, "1"), (62.5, "2–9"), (87.5, "10–")]
    assert drawing.strokes[0].words == "a: 1 at 0, 2 at 10–"
    assert drawing.strokes[0].path.startswith("M12.5 ")


def test_a_level_is_on_the_axis_and_has_a_name() -> None:
    drawing = draw(Chart("t", "x", (Line("a", ((0.0, 48.0),)),), level=(50.0, "chance")))
    (y,) = [at for at, text in drawing.y_ticks if text == "50"]
    assert drawing.level == y
    assert abs(drawing.level_name_at - drawing.strokes[0].name_at) >= MIN_NAME_DISTANCE
    high = draw(Chart("t", "x", (Line("a", ((0.0, 5.0),)),), level=(50.0, "chance")))
    assert high.level >= TOP


@pytest.mark.parametrize(
    ("lows", "wanted"),
    [((0.9, 0.1), True), ((0.9, 0.5), False), ((0.9, 0.0), False), ((0.9,), False)],
)
def test_wide_ranges_also_get_a_log_scale(lows: tuple[float, ...], wanted: bool) -> None:
    lines = tuple(Line(str(y), ((0.0, y), (1.0, y))) for y in lows)
    drawing = draw(Chart("t", "x", lines))
    assert (drawing.as_log is not None) is wanted
    assert drawing.as_log is None or drawing.as_log.chart.log
