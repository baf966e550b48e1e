"""Files of contrastive items, and accuracy by distance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mtkit.errors import InputError
from mtkit.grammar.suite import (
    COLUMNS,
    Accuracy,
    Contrast,
    accuracy_by_distance,
    read_suite,
    trials,
    wilson,
)

HEADER = "\t".join(COLUMNS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: expected the columns source TAB right"),
        ("a\tb\n", "line 1: expected the columns source TAB right"),
        (f"{HEADER}\n", "no items after the header"),
        (f"{HEADER}\na\tb\tc\tx\t1\na\tb\n", "line 3: expected 5 columns, found 2"),
        (f"{HEADER}\na\tb\tc\tx\t-1\n", "line 2: expected the distance as a whole number"),
        (
            f"{HEADER}\na\tb\tb\tx\t1\n",
            "line 2: the correct and the wrong translation are the same",
        ),
    ],
)
def test_suite_errors_name_the_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "s.tsv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_suite(tmp_path / "s.tsv")


def test_accuracy_counts_ties_one_half_in_each_group() -> None:
    right = np.array([1.0, 0.0, 2.0, 2.0, -np.inf, 5.0])
    wrong = np.array([0.0, 1.0, 2.0, 1.0, -np.inf, 9.0])
    found = accuracy_by_distance(right, wrong, [0, 1, 3, 2, 2, 30], starts=(0, 2, 5, 10))
    assert [(g.nearest, g.farthest, g.items) for g in found] == [(0, 1, 2), (2, 3, 3), (30, 30, 1)]
    assert [g.share for g in found] == [0.5, pytest.approx(2 / 3), 0.0]
    assert all((g.low, g.high) == wilson(g.share, g.items) for g in found)


@pytest.mark.parametrize(("share", "n"), [(0.5, 10), (0.9, 200), (0.0, 7), (1.0, 7), (0.25, 4)])
def test_wilsons_interval_inverts_the_score_test(share: float, n: int) -> None:
    probabilities = np.linspace(0, 1, 1_000_001)
    spread = np.sqrt(probabilities * (1 - probabilities) / n)
    inside = probabilities[np.abs(share - probabilities) <= 1.959964 * spread + 1e-12]
    assert wilson(share, n) == (
        pytest.approx(inside.min(), abs=2e-6),
        pytest.approx(inside.max(), abs=2e-6),
    )


def test_uncomparable_input_is_an_error() -> None:
    one, two = np.ones(1), np.ones(2)
    for right, wrong, distances, message in (
        (one, two, [1], "one entry an item"),
        (two, two, [1], "one entry an item"),
        (two, np.array([0, np.nan]), [1, 2], "not a number"),
        (one, one, [1], "before the first group"),
    ):
        with pytest.raises(ValueError, match=message):
            accuracy_by_distance(right, wrong, distances, starts=(2,))


def _item(right: str, wrong: str) -> Contrast:
    return Contrast("s", right, wrong, "p", 1)


def test_an_item_and_its_mirror_item_are_one_trial() -> None:
    boy, women = (
        _item("der Junge schläft", "der Junge schlafen"),
        _item("die Frauen schlafen", "die Frauen schläft"),
    )
    assert trials([boy, women, boy, women, women, women, boy]).tolist() == [0, 0, 1, 1, 2, 3, 3]
    alone = [_item("a b", "a c"), _item("a b", "a c"), _item("c", "b b b"), _item("b b b", "c")]
    assert trials(alone).tolist() == [0, 1, 2, 2]
    assert trials([]).tolist() == []


@pytest.mark.parametrize("p", [0.5, 0.8])
def test_the_interval_of_mirror_items_covers(p: float) -> None:
    """The system answers both items of a pair alike; coverage is about 95 %."""
    rng = np.random.default_rng(7)
    inside = 0
    for _ in range(2000):
        points = np.repeat((rng.random(50) < p).astype(float), 2)
        a = Accuracy.of(points, np.ones(100, np.int64), np.repeat(np.arange(50), 2))
        inside += a.low <= p <= a.high
    assert 0.93 <= inside / 2000 <= 0.97
