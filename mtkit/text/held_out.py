"""Draw dev and test from a text without official splits.

Pairs are drawn, with a seed, from those of which neither side is repeated in the text when case,
digits, punctuation and spaces are ignored (``repeats.near_keys``). So all repeated lines stay in
train, and no line of dev or test is a near-duplicate of a line of train.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from mtkit.text.repeats import near_keys

MIN_TEXT_RATIO = 10  # a split gets at most 1 / MIN_TEXT_RATIO of the pairs
CHUNK = 100_000  # pairs held in memory as text


def draw(pairs: Iterable[tuple[str, str]], sizes: Mapping[str, int], seed: int) -> dict[int, str]:
    """Return row → split of the pairs drawn from train; fewer than wanted from a small text.

    sizes: pairs wanted in each split. Memory: 17 bytes per pair, and more while they are sorted.
    """
    source, target, filled = (np.concatenate(part) for part in zip(*_keys(pairs), strict=True))
    eligible = np.flatnonzero(_unrepeated(source) & _unrepeated(target) & filled)
    order = np.random.default_rng(seed).permutation(eligible)
    split_of, begin = dict[int, str](), 0
    for split, size in sizes.items():
        end = begin + min(size, len(filled) // MIN_TEXT_RATIO)
        split_of |= {int(row): split for row in order[begin:end]}
        begin = end
    return split_of


def _keys(
    pairs: Iterable[tuple[str, str]],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]]:
    """Yield per chunk the ``near_keys`` of source and target, and which pairs have text on both.

    The last chunk may be empty.
    """
    remaining, chunk = iter(pairs), [("", "")]
    while chunk:
        chunk = list(islice(remaining, CHUNK))
        source, target = [x for x, _ in chunk], [y for _, y in chunk]
        filled = [bool(x.strip() and y.strip()) for x, y in chunk]
        yield near_keys(source), near_keys(target), np.array(filled, bool)


def _unrepeated(keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which ``keys`` occur exactly once."""
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return np.asarray(counts[inverse] == 1)
