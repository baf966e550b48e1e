"""Arrays in files: whole, by rows, or memory-mapped."""

from __future__ import annotations

import ast
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtkit.storage.arrays import ArrayFile, load, load_all, mapped, save, write_array
from mtkit.storage.reading import read_array


def test_arrays_of_a_task_are_read_whole_or_by_rows(tmp_path: Path) -> None:
    save(tmp_path, a=np.arange(12).reshape(6, 2), none=np.zeros(0, np.int32))
    a, none = load_all(tmp_path, "a", "none")
    assert (a.shape, none.dtype, len(none)) == ((6, 2), np.int32, 0)
    assert load(tmp_path / "a.npy", 2, 4).tolist() == [[4, 5], [6, 7]]
    assert load(tmp_path / "a.npy", 6, 6).shape == (0, 2)
    a[0, 0] = 9  # a task may change its input arrays


def test_array_files_grow_by_rows(tmp_path: Path) -> None:
    with ArrayFile(tmp_path / "a.npy", np.int32, (2,)) as file:
        for n in range(1, 40):
            file.append(np.full((n, 2), n))
    a = np.load(tmp_path / "a.npy")
    assert a.dtype == np.int32
    assert a[:, 1].tolist() == [n for n in range(1, 40) for _ in range(n)]
    assert load(tmp_path / "a.npy", 1, 3).tolist() == [[2, 2], [2, 2]]
    write_array(tmp_path / "none.npy", [], np.float32, 4)
    assert np.load(tmp_path / "none.npy").shape == (0, 4)


@pytest.mark.parametrize("read", [mapped, lambda path: read_array(path, np.int64)])
def test_threads_read_headers_in_turn(
    read: Callable[[Path], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CPython 3.11 counts the depth of nested syntax over all threads."""
    parse, active, parsed = ast.literal_eval, list[int](), list[str]()

    def slow(text: str) -> object:
        parsed.append(text)
        active.append(1)
        time.sleep(0.05)
        assert len(active) == 1, "two threads parse at once"
        active.pop()
        return parse(text)

    monkeypatch.setattr(ast, "literal_eval", slow)
    save(tmp_path, n=np.arange(3))
    with ThreadPoolExecutor(3) as pool:
        arrays = list(pool.map(read, [tmp_path / "n.npy"] * 3))
    assert [a.tolist() for a in arrays] == [[0, 1, 2]] * 3
    assert len(parsed) == 3
