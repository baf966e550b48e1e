"""Arrays in ``.npy`` files that mtkit writes for itself: whole, row by row, or memory-mapped.

Files from elsewhere are read with the checks of ``storage.reading``.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mtkit.storage.reading import HEADER


def save(directory: Path, **arrays: NDArray[Any]) -> None:
    """Write each array to ``directory/NAME.npy``; create the directory if needed."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        np.save(directory / f"{name}.npy", np.asarray(array, order="C"))


def mapped(path: Path) -> NDArray[Any]:
    """Return the array of a ``.npy`` file that a task wrote, memory-mapped, read-only."""
    with HEADER:
        array: NDArray[Any] = np.load(path, mmap_mode="r")
    return array


def load(path: Path, first: int = 0, last: int | None = None) -> NDArray[Any]:
    """Return rows ``first : last`` of a ``.npy`` file, copied into memory."""
    whole = mapped(path)
    return np.array(whole[first:last] if whole.ndim else whole)


def load_all(directory: Path, *names: str) -> list[NDArray[Any]]:
    """Return several arrays that ``save`` wrote, copied into memory."""
    return [load(directory / f"{name}.npy") for name in names]


def summed(paths: Iterable[Path]) -> NDArray[Any]:
    """Return the sum of the arrays in ``.npy`` files, loaded one after the other."""
    return reduce(np.add, map(load, paths))


def joined(paths: Iterable[Path]) -> NDArray[Any]:
    """Return the concatenated arrays of several files."""
    return np.concatenate([load(path) for path in paths])


class ArrayFile:
    """A ``.npy`` file that grows along its first axis; valid once it is closed."""

    def __init__(self, path: Path, dtype: DTypeLike, row: tuple[int, ...] = ()) -> None:
        self.dtype, self.row, self.length = np.dtype(dtype), row, 0
        self.file: BinaryIO = path.open("wb")
        self._head()

    def append(self, array: NDArray[Any]) -> None:
        """Append rows, converted to the dtype of the file."""
        self.file.write(np.ascontiguousarray(array, self.dtype).data)  # faster than ``tofile``
        self.length += len(array)

    def _head(self) -> None:
        """Write the header, which NumPy pads so that any length fits in."""
        header = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (self.length, *self.row),
        }
        np.lib.format.write_array_header_1_0(self.file, header)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:  # fmt: skip
        self.file.seek(0)
        self._head()
        self.file.close()


def write_array(path: Path, parts: Iterable[NDArray[Any]], dtype: DTypeLike, *row: int) -> None:
    """Write arrays, one behind the other, into one ``.npy`` file; hold one in memory at a time."""
    with ArrayFile(path, dtype, row) as file:
        for part in parts:
            file.append(part)
