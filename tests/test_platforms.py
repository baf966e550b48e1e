"""Substitutes for missing system calls; ``tests/cli/test_elsewhere.py`` runs commands."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mtkit import platforms
from mtkit.errors import InputError
from mtkit.storage.writing import locked, replacing

NOBODY = 2**22 + 1  # no process has such a number


@pytest.fixture
def _no_flock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platforms, "fcntl", None)


def test_usable_cores_follow_the_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert platforms.usable_cores() == 1
    monkeypatch.delattr(os, "sched_getaffinity")
    assert platforms.usable_cores() == 8
    monkeypatch.setattr(os, "cpu_count", lambda: None)  # unknown
    assert platforms.usable_cores() == 1


@pytest.mark.usefixtures("_no_flock")
def test_without_flock_only_one_process_writes(tmp_path: Path) -> None:
    out, lock = tmp_path / "m", tmp_path / ".m.lock"
    with replacing(out) as directory:
        (directory / "a").touch()
        with pytest.raises(InputError, match=rf"process {os.getpid()} \(mtkit .*\) is writing"):
            locked(out).__enter__()
        assert lock.exists()
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


@pytest.mark.usefixtures("_no_flock")
@pytest.mark.parametrize("holder", [f"process {NOBODY} (mtkit info)", "", "process "])
def test_without_flock_the_lock_of_a_dead_process_is_free(holder: str, tmp_path: Path) -> None:
    (tmp_path / ".m.lock").write_text(holder, encoding="utf-8")
    with locked(tmp_path / "m"):
        assert str(os.getpid()) in (tmp_path / ".m.lock").read_text(encoding="utf-8")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("_no_flock")
def test_a_lock_file_open_on_windows_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "another process uses the file")

    path = tmp_path / ".m.lock"
    path.write_text(f"process {NOBODY} (mtkit info)", encoding="utf-8")
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(BlockingIOError, match=f"process {NOBODY}"):
        platforms.take_lock(path)
    platforms.drop_lock(path, os.open(path, os.O_RDONLY))  # taken by another process meanwhile
    assert path.exists()


def test_is_alive() -> None:
    assert platforms.is_alive(os.getpid())
    assert platforms.is_alive(1)  # another user's, perhaps
    assert not platforms.is_alive(NOBODY)
    assert not platforms.is_alive(10**30)
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
        assert not platforms.is_alive(process.pid)


@pytest.mark.parametrize(
    ("handle", "error", "waited", "alive"),
    [(7, 0, 0x102, True), (7, 0, 0, False), (0, 5, None, True), (0, 87, None, False)],
)
def test_is_alive_calls_the_windows_api(
    handle: int, error: int, waited: int | None, alive: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[Any, ...]] = []
    kernel = SimpleNamespace(
        OpenProcess=lambda *a: calls.append(("open", *a)) or handle,  # type: ignore[func-returns-value]
        WaitForSingleObject=lambda *a: calls.append(("wait", *a)) or waited,  # type: ignore[func-returns-value]
        CloseHandle=lambda *a: calls.append(("close", *a)),
    )
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(ctypes, "WinDLL", lambda *_, **__: kernel, raising=False)
    monkeypatch.setattr(ctypes, "get_last_error", lambda: error, raising=False)
    monkeypatch.delattr(os, "kill")
    assert platforms.is_alive(12) is alive
    assert calls[0] == ("open", 0x100000, False, 12)
    assert calls[1:] == ([("wait", 7, 0), ("close", 7)] if handle else [])


@pytest.mark.parametrize("missing", [TypeError, OSError, AttributeError])
def test_replacing_works_without_rename_exchange(
    missing: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def library(*_: object, **__: object) -> object:
        if missing is AttributeError:
            return object()
        raise missing

    monkeypatch.setattr(ctypes, "CDLL", library)
    with pytest.raises(OSError, match="not implemented") as refused:
        platforms.rename_exchange(tmp_path, tmp_path)
    assert refused.value.errno == errno.ENOSYS
    platforms.keep_memory()
    for text in ("old", "new"):
        with replacing(tmp_path / "m") as directory:
            (directory / "a").write_text(text, encoding="utf-8")
    assert (tmp_path / "m" / "a").read_text(encoding="utf-8") == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_windows_flushes_files_opened_for_writing_and_no_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").touch()
    flags, opened = dict[str, int](), os.open
    monkeypatch.delattr(os, "O_DIRECTORY", raising=False)
    monkeypatch.setattr(os, "open", lambda p, f: flags.update({p.name: f}) or opened(p, f))  # type: ignore[func-returns-value]
    platforms.flush(tmp_path / "a")
    platforms.flush(tmp_path)
    assert flags == {"a": os.O_RDWR}


def test_own_directory_works_without_user_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platforms.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.delattr(os, "getuid", raising=False)
    assert platforms.own_directory() == tmp_path / "mtkit"
    (tmp_path / "mtkit").rmdir()
    (tmp_path / "mtkit").touch()
    assert platforms.own_directory() is None


def test_a_path_to_another_drive_is_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert platforms.path_from(tmp_path / "a", tmp_path / "b") == Path("../b")

    def refuse(*_: object) -> str:
        raise ValueError("path is on mount 'D:', start on mount 'C:'")

    monkeypatch.setattr(os.path, "relpath", refuse)
    monkeypatch.chdir(tmp_path)
    assert platforms.path_from(Path("a"), Path("b")) == tmp_path / "b"


def test_the_shorter_form_of_a_path_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = tmp_path / "a/b/c/d/e/f/g/h/i/j"
    far.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert platforms.short_path(tmp_path / "corpora/test.en") == str(Path("corpora/test.en"))
    assert platforms.short_path("test.en") == "test.en"
    monkeypatch.chdir(far)
    assert platforms.short_path(far.anchor) == far.anchor
