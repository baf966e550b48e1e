"""What the training text does not know of the dev and test set, and text without spaces."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mtkit.quality.scripts import RANGES
from mtkit.smt.flat import Flat, Int64

SOME = 1_000  # lines that show the script
SHARE = 0.2  # of the lines
LONG = 5  # characters of a script without spaces that follow each other in a word
_RUNS = {name: re.compile(f"[{ranges}]{{{LONG},}}") for name, ranges in RANGES.items()}


class Unknown(NamedTuple):
    """Out-of-vocabulary words of a split against the training text."""

    split: str
    side: str  # the language
    tokens: int
    unknown: int
    types: int
    unknown_types: int


def unknown(split: str, side: str, words: Flat, counts: Int64) -> Unknown:
    """The words whose ``counts`` in the training text are 0."""
    types = np.unique(words.words)
    return Unknown(
        split, side, len(words.words), int((counts[words.words] == 0).sum()), len(types),
        int((counts[types] == 0).sum()),
    )  # fmt: skip


def unspaced(lines: Sequence[str]) -> tuple[str, list[int]]:
    """The script without spaces that the lines are written in, and the rows, from 0, of a sample
    in which it shows; "" where in none, or where words have been segmented.
    """
    step = max(1, len(lines) // SOME)
    for name, pattern in _RUNS.items():
        rows = [row for row in range(0, len(lines), step) if pattern.search(lines[row])]
        if len(rows) > SHARE * len(range(0, len(lines), step)):
            return name, rows
    return "", []
