"""Count out-of-vocabulary words of the dev and test set; detect text without spaces."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mtkit.quality.scripts import RANGES
from mtkit.smt.flat import Flat, Int64

SAMPLE = 1_000  # size of the systematic sample of lines, about
MIN_SHARE = 0.2  # of the sample: more lines must have a long run
RUN_LENGTH = 5  # characters of a long run: consecutive, of one script without spaces
_RUNS = {name: re.compile(f"[{ranges}]{{{RUN_LENGTH},}}") for name, ranges in RANGES.items()}


class Unknown(NamedTuple):
    """Out-of-vocabulary words of one side of a split, relative to the training text."""

    split: str
    side: str  # the language, or the name of the file
    tokens: int
    unknown: int
    types: int
    unknown_types: int


def unknown(split: str, side: str, words: Flat, counts: Int64) -> Unknown:
    """Count the words whose ``counts``, int64 (V,), in the training text are 0."""
    types = np.unique(words.words)
    return Unknown(
        split, side, len(words.words), int((counts[words.words] == 0).sum()), len(types),
        int((counts[types] == 0).sum()),
    )  # fmt: skip


def unspaced(lines: Sequence[str]) -> tuple[str, list[int]]:
    """Return the script without spaces that the lines are written in, and rows that show it.

    The rows, from 0, are of a sample. The script is "" if there is none, or if the words have been
    segmented.
    """
    step = max(1, len(lines) // SAMPLE)
    for name, pattern in _RUNS.items():
        rows = [row for row in range(0, len(lines), step) if pattern.search(lines[row])]
        if len(rows) > MIN_SHARE * len(range(0, len(lines), step)):
            return name, rows
    return "", []
