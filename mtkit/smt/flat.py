"""Sentences as flat integer arrays, the shape in which kernels read them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
UInt64 = NDArray[np.uint64]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

# For small kernels that make no array. Counting the references to those they are given, which numba
# then leaves out, took 70 % of the decoder's time.
lean = njit(cache=True, nogil=True, _nrt=False)  # type: ignore[call-overload]


@dataclass(frozen=True)
class Flat:
    """S sentences of N words in all: sentence s is ``words[begin[s] : begin[s + 1]]``.

    words: int32 (N,); begin: int64 (S + 1,).
    """

    words: Int32
    begin: Int64

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
