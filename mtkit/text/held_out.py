"""Which pairs of a text without official splits become dev and test.

The rule: they are drawn, by a seed, from the pairs of which neither side comes twice in the text,
case and spaces aside. So whatever comes several times stays together in train, and no line of dev
or test is one of train. Near duplicates are not looked for: a better rule takes the place of
``draw``, the only function here that others call.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

MOST = 10  # at least so many times the pairs that are drawn for a split are in the text


def draw(pairs: Iterable[tuple[str, str]], sizes: Mapping[str, int], seed: int) -> dict[int, str]:
    """The rows that leave train, each with its split; fewer than asked for of a small text.

    sizes: pairs wanted of each split. Memory: 16 bytes a pair, and some more while they are sorted.
    """
    keys = np.fromiter(_keys(pairs), np.uint64).reshape(-1, 2)
    free = np.flatnonzero(_once(keys[:, 0]) & _once(keys[:, 1]) & (keys != 0).all(1))
    order = np.random.default_rng(seed).permutation(free)
    split_of, begin = dict[int, str](), 0
    for split, size in sizes.items():
        end = begin + min(size, len(keys) // MOST)
        split_of |= {int(row): split for row in order[begin:end]}
        begin = end
    return split_of


def _keys(pairs: Iterable[tuple[str, str]]) -> Iterator[int]:
    """64 bits of each side, the same for lines that differ by case and spaces; 0 if it is blank."""
    for pair in pairs:
        for line in pair:
            folded = " ".join(line.casefold().split()).encode("utf-8", "replace")
            digest = hashlib.blake2b(folded, digest_size=8).digest() if folded else b""
            yield int.from_bytes(digest, "little")


def _once(keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which of ``keys`` come once."""
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return np.asarray(counts[inverse] == 1)
