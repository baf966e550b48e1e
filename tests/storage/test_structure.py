from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mtkit.errors import InputError
from mtkit.storage import structure

HERE = Path("row.npy")
MOST, LEAST = np.iinfo(np.int64).max, np.iinfo(np.int64).min


@pytest.mark.parametrize(
    ("begin", "reason"),
    [
        ([], "0 rows|1 rows"),
        ([1, 5], "from 1 to 5"),
        ([0, 4], "from 0 to 4"),
        ([0, 3, 2, 5], "decrease"),
        ([0, MOST, LEAST, -1, 5], "decrease"),  # the differences overflow to valid ones
        ([0, 0, 5], "values outside 1 to 4"),
        ([0, 5], "values outside 1 to 4"),
    ],
)
def test_invalid_offsets_are_refused(begin: list[int], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        structure.check_offsets(HERE, np.array(begin, np.int64), 5, None, 1, 4)


def test_offsets_of_empty_parts_are_valid() -> None:
    structure.check_offsets(HERE, np.array([0, 0, 2, 5]), 5, 3)
    with pytest.raises(InputError, match="4 rows instead of 5"):
        structure.check_offsets(HERE, np.array([0, 0, 2, 5]), 5, 4)


@pytest.mark.parametrize("values", [[0, np.nan], [np.inf], [-np.inf, 0], [-2.0], [1.5]])
def test_values_outside_range_fail(values: list[float]) -> None:
    with pytest.raises(InputError, match="values outside -1 to 1"):
        structure.check_range(HERE, np.array(values), -1, 1)
    structure.check_range(HERE, np.array([-1, 0.5, 1]), -1, 1)
    structure.check_range(HERE, np.empty(0), -1, 1)


@pytest.mark.parametrize("ids", [[0, 3], [-1], [2**31 - 1]])
def test_ids_outside_size_fail(ids: list[int]) -> None:
    with pytest.raises(InputError, match="outside"):
        structure.check_ids(HERE, np.array(ids, np.int32), 3)


def test_values_increase_in_each_part() -> None:
    values, begin = np.array([1, 4, 2, 3, 0]), np.array([0, 2, 2, 4, 5])
    structure.check_rising(HERE, values, begin)
    for k in (1, 3):
        wrong = values.copy()
        wrong[k] = wrong[k - 1]
        with pytest.raises(InputError, match="do not increase"):
            structure.check_rising(HERE, wrong, begin)
    with pytest.raises(InputError, match="do not increase"):
        structure.check_rising(HERE, values)
    structure.check_rising(HERE, np.empty(0, np.int32), np.zeros(3, np.int64))


@pytest.mark.parametrize("words", [["a", "a"], [""], [1], ["a", None], ["\ud800"]])
def test_words_are_unique_strings(words: list[object]) -> None:
    with pytest.raises(InputError, match="damaged"):
        structure.check_words(HERE, words)
    structure.check_words(HERE, ["a", "b", "\n", "\x00"])
