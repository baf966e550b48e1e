"""Flat arrays, the shape in which kernels read everything: sentences, and what lies on disk."""

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
        """One side, ``source`` or ``target``, of shard ``k``."""
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
        """Lists of ids, or of what ``encode`` makes ids of, flattened."""
        lengths = np.fromiter(map(len, sentences), dtype=np.int64, count=len(sentences))
        begin = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        words = np.fromiter(encode(chain.from_iterable(sentences)), np.int32, int(begin[-1]))
        return cls(words, begin)


def read_only(arrays: Iterable[NDArray[Any]]) -> list[NDArray[Any]]:
    """The same arrays, closed for writing, mapped or not: one numba type, compiled for once."""
    closed = [np.asarray(array) for array in arrays]  # np.memmap would be another type
    for array in closed:
        array.flags.writeable = False
    return closed


def save_arrays(directory: Path, **arrays: NDArray[Any]) -> None:
    """Write one ``.npy`` an array into ``directory``, made if need be."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        np.save(directory / f"{name}.npy", array)


def load_arrays(directory: Path, arrays: type[T], matrices: Collection[str] = ()) -> T:
    """What ``save_arrays`` wrote of a named tuple, memory-mapped; all but ``matrices`` have one
    dimension. Raises InputError for other arrays than its annotations name; ``storage.structure``
    has checks of what is in them.
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
    """Words of the longest of the sentences that ``begin`` separates."""
    words = 0
    for s in range(len(begin) - 1):
        words = max(words, begin[s + 1] - begin[s])
    return words


@lean
def mix(z: np.uint64) -> np.uint64:
    """SplitMix64's finaliser (Steele et al. 2014): every bit of z decides about every bit."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
