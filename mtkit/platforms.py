"""Functions that differ between Linux, macOS and Windows, with substitutes for what is missing.

    usable_cores     cores this process may use; all cores if the system does not say
    usable_memory    half of the machine's memory; 4 GiB if the system does not say
    peak_memory      of this process; unknown on Windows
    take_lock        flock; without it, a file that only one process can create
    rename_exchange  renameat2 of Linux; elsewhere ENOSYS, and the caller renames twice
    flush            fsync of a file or a directory; Windows cannot flush a directory
    is_alive         signal 0; Windows has none, so the process is opened
    own_directory    named by the user's id; on Windows every user has a temporary directory
    path_from        a relative path; on Windows there is none from one drive to another

macOS lacks only what ``usable_cores`` and ``rename_exchange`` need. Signals differ, too: see
``__main__``.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import re
import stat
import sys
import tempfile
from pathlib import Path
from typing import Any

fcntl: Any = None
resource: Any = None
with contextlib.suppress(ImportError):  # Windows
    import fcntl
    import resource

HOST = platform.node().partition(".")[0]
MIN_MEMORY = 500 << 20  # bytes per process or thread of a training; Python takes about half
AT_FDCWD, RENAME_EXCHANGE = -100, 2
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of malloc.h
SYNCHRONIZE, TIMEOUT, ACCESS_DENIED = 0x100000, 0x102, 5  # of the Windows API


def usable_cores() -> int:
    """Number of cores that this process may use; all cores if the system does not say."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def usable_memory() -> int:
    """Half of the machine's memory, in bytes; 4 GiB if the system does not say."""
    sysconf: Any = getattr(os, "sysconf", None)  # not on Windows
    try:
        return int(sysconf("SC_PAGE_SIZE") * sysconf("SC_PHYS_PAGES") // 2)
    except (TypeError, OSError, ValueError):
        return 4 << 30


def peak_memory() -> int:
    """Peak memory of this process so far, in bytes; 0 if the system does not say."""
    if not resource:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak << 10)


# --- locks


def take_lock(path: Path) -> int:
    """Lock the file ``path`` for this process; return the open file, for ``drop_lock``.

    Raises BlockingIOError with what the holder wrote there if another process holds the lock. The
    lock of a dead process is free: the kernel drops its flock. Without flock, the existence of
    ``path`` is the lock. Windows removes no file that a process has open, so there, too, only the
    lock of a dead process can be taken. A system with neither compares the number of the holder
    with the running processes.
    """
    return _lock_by_flock(path) if fcntl else _lock_by_creation(path)


def drop_lock(path: Path, file: int) -> None:
    """Release a lock and remove its file."""
    if fcntl:  # remove the file while it is locked, so that nobody locks it in between
        path.unlink(missing_ok=True)
        os.close(file)
    else:
        os.close(file)
        with contextlib.suppress(PermissionError):  # another process holds it by now
            path.unlink(missing_ok=True)


def _lock_by_flock(path: Path) -> int:
    while True:
        # A link could lead to a file of the user, which the lock would overwrite.
        file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(file, 200).decode(errors="replace")
            os.close(file)
            raise BlockingIOError(holder) from None
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file), path.stat()):
                return file
        os.close(file)  # the holder removed the file in between


def _lock_by_creation(path: Path) -> int:
    while True:
        with contextlib.suppress(FileExistsError):
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        with contextlib.suppress(FileNotFoundError):  # the holder has just released it
            holder = path.read_text("utf-8", errors="replace")
            number = re.match(r"process (\d+) ", holder)
            if os.name == "posix" and number and is_alive(int(number[1])):
                raise BlockingIOError(holder)
            try:
                path.unlink()
            except PermissionError:
                raise BlockingIOError(holder) from None


def is_alive(process: int) -> bool:
    """Return whether a process of this machine has this number."""
    if sys.platform == "win32":  # os.kill with 0 would send Ctrl-C
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        handle = kernel.OpenProcess(SYNCHRONIZE, False, process)
        if not handle:
            return ctypes.get_last_error() == ACCESS_DENIED
        alive = bool(kernel.WaitForSingleObject(handle, 0) == TIMEOUT)
        kernel.CloseHandle(handle)
    else:
        alive = True
        try:
            os.kill(process, 0)
        except (ProcessLookupError, OverflowError):
            alive = False
        except PermissionError:  # of another user
            pass
    return alive


# --- files


def rename_exchange(one: Path, other: Path) -> None:
    """Exchange two paths atomically. Raises OSError, with ENOSYS if the system cannot."""
    renameat2 = _libc_function("renameat2")
    if renameat2 is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if renameat2(AT_FDCWD, bytes(one), AT_FDCWD, bytes(other), RENAME_EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(other))


def flush(path: Path) -> None:
    """Flush a file, or the entries of a directory, to the disk; on Windows only files."""
    posix = hasattr(os, "O_DIRECTORY")
    if not posix and path.is_dir():
        return
    file = os.open(path, os.O_RDONLY if posix else os.O_RDWR)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def own_directory() -> Path | None:
    """Return a temporary directory that only this user can write; None if that is impossible."""
    user = os.getuid() if hasattr(os, "getuid") else None
    path = Path(tempfile.gettempdir()) / ("mtkit" if user is None else f"mtkit-{user}")
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        status = path.lstat()
    except OSError:
        return None
    if user is None:  # on Windows the mode does not say who may write
        return path
    is_own = stat.S_ISDIR(status.st_mode) and status.st_uid == user
    return path if is_own and not status.st_mode & 0o022 else None


def path_from(start: Path, path: Path) -> Path:
    """Return ``path`` relative to ``start``; absolute if it is on another drive."""
    try:
        return Path(os.path.relpath(path, start))
    except ValueError:
        return path.absolute()


def short_path(path: Path | str) -> str:
    """Return ``path``, or its way from the current directory if that is shorter, for people."""
    return min(str(path), str(path_from(Path(), Path(path))), key=len)


# --- the C library


def keep_memory() -> None:
    """Let glibc, if it is the C library, keep freed memory instead of returning it to the system.

    A training step frees and allocates the same arrays again; without this, that took an eighth of
    its time.
    """
    if mallopt := _libc_function("mallopt"):
        mallopt(MMAP_THRESHOLD, 1 << 25)  # the largest value allowed
        mallopt(TRIM_THRESHOLD, (1 << 31) - 1)


def _libc_function(name: str) -> Any:
    """Return a function of the C library, or None."""
    try:
        return getattr(ctypes.CDLL(None, use_errno=True), name, None)
    except (OSError, TypeError):  # Windows needs the name of the library
        return None
