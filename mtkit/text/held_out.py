"""Which pairs of a text without official splits become dev and test.

The rule: they are drawn, by a seed, from the pairs of which neither side comes twice in the text,
case, digits, punctuation and spaces aside (``repeats.near``). So whatever comes several times stays
together in train, and no line of dev or test is nearly one of train.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from mtkit.text.repeats import near

MOST = 10  # at least so many times the pairs that are drawn for a split are in the text
CHUNK = 100_000  # pairs that are in memory as text


def draw(pairs: Iterable[tuple[str, str]], sizes: Mapping[str, int], seed: int) -> dict[int, str]:
    """The rows that leave train, each with its split; fewer than asked for of a small text.

    sizes: pairs wanted of each split. Memory: 17 bytes a pair, and some more while they are sorted.
    """
    source, target, filled = (np.concatenate(part) for part in zip(*_keys(pairs), strict=True))
    free = np.flatnonzero(_once(source) & _once(target) & filled)
    order = np.random.default_rng(seed).permutation(free)
    split_of, begin = dict[int, str](), 0
    for split, size in sizes.items():
        end = begin + min(size, len(filled) // MOST)
        split_of |= {int(row): split for row in order[begin:end]}
        begin = end
    return split_of


def _keys(
    pairs: Iterable[tuple[str, str]],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]]:
    """Of chunk after chunk, the last one perhaps empty: the ``near`` key of each side, and which
    pairs have text on both.
    """
    left, chunk = iter(pairs), [("", "")]
    while chunk:
        chunk = list(islice(left, CHUNK))
        source, target = [x for x, _ in chunk], [y for _, y in chunk]
        filled = [bool(x.strip() and y.strip()) for x, y in chunk]
        yield near(source), near(target), np.array(filled, bool)


def _once(keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of ``keys`` come once."""
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return np.asarray(counts[inverse] == 1)
