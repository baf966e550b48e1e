"""Checks of arrays from untrusted files, so that no kernel reads outside an array.

Each check takes the path of the file, for its message, and raises InputError. Together they read
an array once or twice: about a second for a gigabyte.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtkit.storage.reading import damaged

Array = NDArray[Any]
MAX_VALUE = 1e6  # largest absolute value of a logarithm or of a network's weight
SURROGATE = re.compile("[\ud800-\udfff]")


def check_length(path: Path, array: Array, length: int) -> None:
    """Check that ``array`` has ``length`` rows."""
    if len(array) != length:
        raise damaged(path, f"{len(array):,} rows instead of {length:,}")


def check_offsets(
    path: Path, begin: Array, end: int, n: int | None = None, least: int = 0,
    most: int | None = None,
) -> None:  # fmt: skip
    """Check that ``begin``, (n + 1,), divides an array of length ``end`` into parts.

    It must begin with 0, end with ``end``, and each part must have ``least`` to ``most`` items.
    """
    check_length(path, begin, max(1, len(begin)) if n is None else n + 1)
    if begin[0] != 0 or begin[-1] != end:
        raise damaged(path, f"offsets from {begin[0]} to {begin[-1]}, not from 0 to {end}")
    if (begin[1:] < begin[:-1]).any():  # compared, because a difference could overflow
        raise damaged(path, "offsets decrease")
    if least > 0 or most is not None:
        check_range(path, np.diff(begin), least, np.inf if most is None else most)


def check_range(path: Path, values: Array, low: float, high: float) -> None:
    """Check that all ``values`` are numbers from ``low`` to ``high``, inclusive."""
    if values.size and not (low <= values.min() and values.max() <= high):  # false for NaN
        raise damaged(path, f"values outside {low:,g} to {high:,g}")


def check_ids(path: Path, ids: Array, size: int) -> None:
    """Check that all ``ids`` are from 0 to ``size`` − 1."""
    check_range(path, ids, 0, size - 1)


def check_rising(path: Path, values: Array, begin: Array | None = None) -> None:
    """Check that ``values`` rise strictly; with ``begin``, within each part by itself."""
    rises = values[1:] > values[:-1]
    if begin is not None:
        starts = begin[1:-1]  # of all parts but the first
        rises[starts[(starts > 0) & (starts < len(values))] - 1] = True
    if not rises.all():
        raise damaged(path, "values do not increase")


def check_words(path: Path, words: Sequence[Any]) -> None:
    """Check that all ``words`` are non-empty, distinct and valid Unicode."""
    if not all(isinstance(word, str) and word for word in words):
        raise damaged(path, "not a list of words")
    if len(set(words)) < len(words):
        raise damaged(path, "a word occurs twice")
    text = "".join(words)
    if not text.isascii() and SURROGATE.search(text):
        raise damaged(path, "a word is not valid Unicode")
