"""Flat arrays, the form in which kernels read sentences and stored models."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

from mtkit.smt.kernels import lean
from mtkit.storage.reading import read_array
from mtkit.text.shards import Shards

Int8 = NDArray[np.int8]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
UInt64 = NDArray[np.uint64]
Bool = NDArray[np.bool_]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
T = TypeVar("T")


@dataclass(frozen=True)
class Flat:
    """S sentences of N words in all: sentence s is ``words[begin[s] : begin[s + 1]]``."""

    words: Int32  # (N,)
    begin: Int64  # (S + 1,)

    def __post_init__(self) -> None:
        read_only([self.words, self.begin])

    @classmethod
    def side(cls, text: Shards, name: str, k: int) -> Flat:
        """Return one side, ``source`` or ``target``, of shard ``k``."""
        side = text.side(name, k)
        return cls(side.words, side.begin)

    def __len__(self) -> int:
        return len(self.begin) - 1

    @classmethod
    def of(
        cls,
        sentences: Sequence[Sequence[Any]],
        encode: Callable[[Iterable[Any]], Iterable[int]] = iter,
    ) -> Flat:
        """Flatten lists of ids, or lists of items that ``encode`` maps to ids."""
        lengths = np.fromiter(map(len, sentences), dtype=np.int64, count=len(sentences))
        begin = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        words = np.fromiter(encode(chain.from_iterable(sentences)), np.int32, int(begin[-1]))
        return cls(words, begin)


def read_only(arrays: Iterable[NDArray[Any]]) -> list[NDArray[Any]]:
    """Return the arrays as read-only ``np.ndarray``: one type, for which numba compiles once."""
    views = [np.asarray(array) for array in arrays]  # numba treats np.memmap as another type
    for array in views:
        array.flags.writeable = False
    return views


def load_arrays(directory: Path, arrays: type[T], matrices: Collection[str] = ()) -> T:
    """Return a named tuple whose arrays ``storage.arrays.save`` wrote, memory-mapped.

    arrays: its class; matrices: fields with two dimensions; all others have one. Raises InputError
    if an array is missing or has another dtype or dimension than annotated. Values are not checked
    here; see ``storage.structure``.
    """
    hints = get_type_hints(arrays)
    parts = (
        read_array(
            directory / f"{name}.npy", get_args(get_args(hint)[1])[0], 1 + (name in matrices)
        )
        for name, hint in hints.items()
    )
    return arrays(*parts)


# --- kernels


@lean
def longest(begin: Int64) -> int:
    """Return the number of words of the longest sentence; begin: see ``Flat``."""
    words = 0
    for s in range(len(begin) - 1):
        words = max(words, begin[s + 1] - begin[s])
    return words


@lean
def mix(z: np.uint64) -> np.uint64:
    """Return z hashed by SplitMix64's finaliser (Steele et al. 2014): each bit affects all bits."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
