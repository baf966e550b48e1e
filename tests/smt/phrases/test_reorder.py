from __future__ import annotations

import numpy as np
import pytest

from mtkit.smt.phrases.reorder import DISCONTINUOUS, MONOTONE, SWAP
from tests.support.oracles import orientations
from tests.support.phrase_pairs import Pairs, extracted, flat, occurrences, random_pairs, spell
from tests.support.phrase_tables import build_table, extract


def test_orientations_follow_the_definition() -> None:
    met = set()
    for pair in random_pairs(4, n=80):
        source, target, links = pair
        expected = {
            span: orientations(links, len(source), len(target), span)
            for *_, span in occurrences([pair])
        }
        for row in extract([pair]):
            i, j = int(row["source"]), int(row["target"])
            span = i, i + int(row["s_length"]), j, j + int(row["t_length"])
            assert (row["previous"], row["next"]) == expected[span]
        met |= set(expected.values())
    assert met == {(p, n) for p in range(3) for n in range(3)}


def test_boundaries_are_monotone_and_two_neighbours_discontinuous() -> None:
    def of(links: set[tuple[int, int]], I: int, J: int, i: int, j: int) -> tuple[int, int]:
        rows = extract([(list(range(1, I + 1)), list(range(1, J + 1)), links)])
        short = rows[(rows["s_length"] == 1) & (rows["t_length"] == 1)]
        [row] = short[(short["source"] == i) & (short["target"] == j)]
        return int(row["previous"]), int(row["next"])

    assert of({(0, 0)}, 1, 1, 0, 0) == (MONOTONE, MONOTONE)
    assert of({(0, 1), (1, 0)}, 2, 2, 0, 1) == (SWAP, DISCONTINUOUS)
    assert of({(0, 1), (1, 0)}, 2, 2, 1, 0) == (DISCONTINUOUS, SWAP)
    assert of({(1, 1), (0, 0), (2, 0)}, 3, 2, 1, 1) == (DISCONTINUOUS, DISCONTINUOUS)


def test_reordering_is_smoothed_and_sums_to_one() -> None:
    corpus: Pairs = random_pairs(6)
    table = build_table(*flat(corpus))
    counts = {pair: np.zeros((2, 3)) for pair in extracted(corpus)}
    for pair, (source, target, links, span) in zip(
        extracted(corpus), occurrences(corpus), strict=True
    ):
        for side, o in enumerate(orientations(links, len(source), len(target), span)):
            counts[pair][side, o] += 1
    assert table.reordering.dtype == np.float32
    for pair, found in zip(spell(table), np.exp(table.reordering).reshape(-1, 2, 3), strict=True):
        c = counts[pair]
        assert found == pytest.approx((c + 0.5) / (c.sum(axis=1, keepdims=True) + 1.5), rel=1e-5)
        assert found.sum(axis=1) == pytest.approx([1, 1], rel=1e-5)
