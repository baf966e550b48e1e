"""The sentences shown for each length group and each frequency group."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from mtkit.comparison.groups import SENTENCES, by_frequency, by_length
from mtkit.comparison.page.render import as_html
from mtkit.comparison.page.where import _line
from mtkit.comparison.report import as_json
from mtkit.comparison.where import Text
from mtkit.page.chart import Line
from tests.support.comparisons import REFERENCES, SOURCES, built, systems


def why_of(i: int, why: str) -> Any:
    """Stand in for an example."""
    return f"{i}: {why}"


def test_length_groups_show_the_largest_differences() -> None:
    chrf = {"a": [10.0, 50.0, 60.0, 7.0], "b": [12.0, 90.0, 50.0, 7.0]}
    lengths = [(1, 5, [0, 1, 2]), (6, 10, [3])]
    assert by_length(lengths, chrf, ["a", "b"], why_of) == [
        (
            "1–5",
            [
                "1: b is ahead of a by 40.0 chrF",
                "2: a is ahead of b by 10.0 chrF",
                "0: b is ahead of a by 2.0 chrF",
            ],
        ),
        ("6–10", ["3: the same chrF"]),
    ]
    lowest = [f"{i}: among the lowest chrF" for i in (0, 1, 2)]
    assert by_length(lengths[:1], chrf, ["a"], why_of) == [("1–5", lowest)]
    many = {"a": [float(i) for i in range(20)]}
    [(_, sentences)] = by_length([(1, 5, range(20))], many, ["a"], why_of)
    assert len(sentences) == SENTENCES


def test_frequency_groups_name_systems_with_the_word() -> None:
    lines = [["a", "b"], ["a", "c"], ["a", "a"]]
    outputs = {"one": [["a", "b"], ["a", "x"], ["a"]], "two": [["a"], ["c"], ["a", "a"]]}
    known = Text(lines, lines, counts=Counter({"a": 12, "b": 1}))
    groups = dict(by_frequency(known, outputs, why_of))
    assert groups["0"] == ["1: c (two)"]
    assert groups["1"] == ["0: b (one)"]
    assert groups["2–9"] == []
    assert groups["10–99"] == ["1: a (one)", "2: a (one, two), a (two)", "0: a (one, two)"]
    assert by_frequency(replace(known, counts=None), outputs, why_of) == []


def test_groups_are_on_the_page_not_in_json() -> None:
    report = built(SOURCES, REFERENCES, systems(), resamples=5, trials=5)
    [(label, examples)] = report.sentences["length"]
    page = as_html(report)
    assert f'<details name="length">\n<summary>{label}</summary>' in page
    assert all(f"<h3>Line {example.line} " in page for example in examples)
    assert "sentences" not in as_json(report)


def test_a_figure_without_an_interval_has_a_point_and_no_band() -> None:
    line = _line("a", [(10.0, 8.0, 12.0), (20.0, None, None), None])
    assert line == Line("a", ((0.0, 10.0), (1.0, 20.0)), ((0.0, 8.0, 12.0),))
    assert _line("a", [None]) is None
