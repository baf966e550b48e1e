"""Atomic replacement of a file or a directory: at any time the old or the new one is complete.

    .NAME.lock                names the process that writes NAME; the lock of a dead one is free
    .NAME.new                 the directory that will become NAME
    .NAME.old                 the former NAME, on systems that cannot exchange two names
    .NAME.HOST-PID-N.part     the file that will become NAME, written by thread N

The next process that works there removes what a killed one left. Everything is flushed to the disk
before it gets its name.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mtkit.errors import InputError
from mtkit.platforms import HOST, drop_lock, flush, is_alive, rename_exchange, take_lock

NEW, OLD, LOCK, PART = "new", "old", "lock", "part"
DAY = 86400  # seconds


def remove_stale(directory: Path, is_stale: Callable[[str], bool]) -> int:
    """Remove the files NAME.json of a directory whose NAME is stale; return their number."""
    stale = [file for file in directory.glob("*.json") if is_stale(file.stem)]
    for file in stale:
        file.unlink(missing_ok=True)
    return len(stale)


def write_whole(content: str | bytes, path: Path) -> None:
    """Write a file atomically, text as UTF-8; create its parents. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that becomes ``path`` when the block succeeds. Raises OSError."""
    user_path, path = path, path.resolve()  # a symbolic link stays, its target is replaced
    if path.exists() and not path.is_file():  # a device or a pipe cannot be replaced
        with path.open("wb") as file:
            yield file
        return
    _sweep_parts(path.parent, _glob_escaped(path.name))
    scratch = _beside(path, f"{HOST}-{os.getpid()}-{threading.get_native_id()}.{PART}")
    try:
        with add_path_to_errors(user_path), scratch.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        replace_file(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def replace_file(written: Path, path: Path) -> None:
    """Replace ``path`` by a file that is flushed to the disk; keep the mode of ``path``."""
    if path.exists():
        shutil.copymode(path, written)
    written.replace(path)
    flush(path.parent)


@contextmanager
def named_file(path: Path) -> Iterator[BinaryIO]:
    """Like ``whole_file``, for a path from the user. Raises InputError as ``placing`` does."""
    with placing(path), whole_file(path) as file:
        yield file


@contextmanager
def placing(path: Path) -> Iterator[None]:
    """Raise InputError if a file cannot be created at the ``path`` that the user names."""
    if not path.parent.exists():
        raise InputError(f"{path}: no such directory: {path.parent}")
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError) as error:
        raise InputError(f"{path}: {error.strerror}") from None


@contextmanager
def replacing(out: Path) -> Iterator[Path]:
    """Yield a directory beside ``out`` that becomes ``out`` when the block succeeds.

    After an exception (Ctrl-C included) it is removed, with the parents created for it, and ``out``
    is unchanged. Raises InputError if another process writes there.
    """
    with reserved(out), renamed(out) as directory:
        yield directory


@contextmanager
def reserved(out: Path) -> Iterator[None]:
    """Lock ``out`` and create its parents, which are removed if they are empty afterwards.

    Raises InputError if another process writes there.
    """
    with add_path_to_errors(out), _creating(out.resolve().parent), locked(out.resolve()):
        yield


@contextmanager
def renamed(out: Path) -> Iterator[Path]:
    """Yield a directory that becomes ``out``, which is ``reserved``, when the block succeeds."""
    out = out.resolve()
    scratch = _beside(out, NEW)
    try:  # starts before ``mkdir``: Ctrl-C may come at any moment
        scratch.mkdir()
        yield scratch
        for path in (*scratch.rglob("*"), scratch):
            flush(path)
        if not out.exists():
            scratch.replace(out)
        else:
            _exchange(scratch, out)
        flush(out.parent)
    finally:
        _sweep(out)


@contextmanager
def add_path_to_errors(path: Path) -> Iterator[None]:
    """Add the path to errors of a full disk; NumPy's error has only two numbers."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) and not error.filename:
            error.filename = str(path)
        elif re.fullmatch(r"\d+ requested and \d+ written", str(error)):
            message = "not all could be written; is the disk full?"
            raise OSError(errno.ENOSPC, message, str(path)) from error
        raise


@contextmanager
def _creating(directory: Path) -> Iterator[None]:
    """Create a directory and its parents; afterwards remove those created that are empty."""
    missing = [parent for parent in (directory, *directory.parents) if not parent.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        for parent in missing:
            with contextlib.suppress(OSError):
                parent.rmdir()


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Lock ``out`` against other processes, and clean up after processes that died.

    Raises InputError if another process holds the lock.
    """
    path = _beside(out, LOCK)
    try:
        file = take_lock(path)
    except BlockingIOError as error:
        holder = str(error) or "another process"
        raise InputError(
            f"{out}: {holder} is writing there; wait for it, or name another --out"
        ) from None
    except OSError:
        check_no_link(path)
        raise
    try:
        os.ftruncate(file, 0)
        os.write(file, f"process {os.getpid()} (mtkit {' '.join(sys.argv[1:2])})".encode())
        _sweep(out)
        yield
    finally:
        drop_lock(path, file)


def check_no_link(path: Path) -> None:
    """Raise InputError for a symbolic link where mtkit writes, which may lead to any file."""
    if path.is_symlink():
        raise InputError(f"{path}: a symbolic link, which mtkit does not follow; remove it")


def recover(parent: Path) -> None:
    """Clean up what dead processes left in a directory; what others have locked stays."""
    with contextlib.suppress(OSError):
        _sweep_parts(parent)
    leftovers = [path for mark in (LOCK, NEW, OLD) for path in parent.glob(f".*.{mark}")]
    for name in {path.name[1:].rpartition(".")[0] for path in leftovers}:
        settle(parent / name)


def settle(out: Path) -> None:
    """Clean up what dead processes left of replacing ``out``."""
    out = out.resolve()
    if out.name and any(_beside(out, mark).exists() for mark in (LOCK, NEW, OLD)):
        with contextlib.suppress(InputError, OSError), locked(out):
            pass


def _sweep(out: Path) -> None:
    """Remove what is left of a replacement; restore ``out`` if it was moved away for it."""
    _sweep_parts(out.parent)
    new, old = _beside(out, NEW), _beside(out, OLD)
    if old.exists() and not out.exists():
        old.replace(out)
    for leftover in (new, old):
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(leftover)


def _sweep_parts(parent: Path, name: str = "*") -> None:
    """Remove the temporary files of dead processes."""
    for part in parent.glob(f".{name}.*-*-*.{PART}"):
        with contextlib.suppress(FileNotFoundError):  # another process may remove it first
            if not _may_be_alive(part):
                part.unlink()


def _exchange(new: Path, out: Path) -> None:
    """Exchange the names of two directories; else rename ``out`` to OLD and ``new`` to ``out``."""
    try:
        rename_exchange(new, out)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
            raise
        out.replace(_beside(out, OLD))
        new.replace(out)


def _beside(path: Path, mark: str) -> Path:
    return path.with_name(f".{path.name}.{mark}")


def _may_be_alive(part: Path) -> bool:
    """Return whether the writer of ``part`` may be alive; on another host, for one day."""
    host, process, _ = part.name.split(".")[-2].rsplit("-", 2)
    if host != HOST or not process.isdecimal():
        return time.time() - part.stat().st_mtime < DAY
    return is_alive(int(process))


def _glob_escaped(name: str) -> str:
    """Escape a name for ``glob``."""
    return re.sub(r"([*?[])", r"[\1]", name)


def link(source: str | Path, target: str | Path) -> None:
    """Make ``target``, which must not exist, a hard link to ``source``, or else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
