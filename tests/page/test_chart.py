"""Charts as coordinates: round marks that enclose the data, and points where they belong."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mtkit.page.chart import BOTTOM, LEFT, RIGHT, TOP, Chart, Line, draw, log_ticks, ticks

NUMBERS = st.floats(0, 1e6, allow_nan=False)


@given(NUMBERS, NUMBERS)
@example(50050.0, 49999.999999989144)
def test_marks_are_round_and_enclose(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    high = max(high, low + 1e-3 * max(1.0, low))  # finer ones drown in rounding
    marks = ticks(low, high)
    assert marks[0] <= low + 1e-6
    assert marks[-1] >= high - 1e-6
    assert 2 <= len(marks) <= 8
    steps = [y - x for x, y in pairwise(marks)]
    assert max(steps) == pytest.approx(min(steps))
    leading = steps[0] / 10 ** math.floor(math.log10(steps[0]) + 1e-9)
    assert any(leading == pytest.approx(m, rel=1e-3) for m in (1, 2, 2.5, 5, 10))


@given(st.floats(1e-3, 1e6), st.floats(1, 1e6))
def test_marks_in_factors_enclose(low: float, factor: float) -> None:
    marks = log_ticks(low, low * factor)
    assert marks[0] <= low * (1 + 1e-6)
    assert marks[-1] >= low * factor * (1 - 1e-6)
    assert all(a < b for a, b in pairwise(marks))
    assert 2 <= len(marks) <= 12


def test_points_are_where_they_belong() -> None:
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
