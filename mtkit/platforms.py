"""What Linux, macOS and Windows do not have in common, and what stands in where it is missing.

    usable_cores     those that this process may use; where the system does not say, all
    usable_memory    half of the machine's; where the system does not say, 4 GiB
    peak_memory      that of this process; Windows does not say
    take_lock        flock; without it, a file that one process alone can create
    rename_exchange  renameat2 of Linux; elsewhere ENOSYS, and the caller renames twice
    flush            fsync of a file or a directory; Windows cannot flush a directory
    is_alive         signal 0; on Windows, which knows none, the process is opened
    own_directory    by the user's number; Windows gives every user another temporary directory
    path_from        a relative path; none leads from one drive of Windows to another

macOS lacks only the first and the third. Signals, too, differ: see ``__main__``.
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
AT_FDCWD, RENAME_EXCHANGE = -100, 2
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of malloc.h
SYNCHRONIZE, TIMEOUT, ACCESS_DENIED = 0x100000, 0x102, 5  # of Windows


def usable_cores() -> int:
    """The processor's cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def usable_memory() -> int:
    """Half of the machine's memory, in bytes; where the system does not say, 4 GiB."""
    ask: Any = getattr(os, "sysconf", None)  # not on Windows
    try:
        return int(ask("SC_PAGE_SIZE") * ask("SC_PHYS_PAGES") // 2)
    except (TypeError, OSError, ValueError):
        return 4 << 30


def peak_memory() -> int:
    """The most that this process has taken so far, in bytes; 0 where the system does not say."""
    if not resource:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak << 10)


# --- locks


def take_lock(path: Path) -> int:
    """Make the file ``path`` this process's lock; the open file, to be given to ``drop_lock``.

    Raises BlockingIOError with what its holder wrote there. The lock of a process that died is
    free: the kernel drops its flock. Without flock, ``path`` itself is the lock. Windows removes no
    file that a process has open, so that there, too, only a dead one's can be taken away; on a
    system with neither, it is that of a dead process if nobody has its number.
    """
    return _flocked(path) if fcntl else _created(path)


def drop_lock(path: Path, file: int) -> None:
    """Give a lock up, and remove its file."""
    if fcntl:  # removed while locked: nobody locks a file that is about to go
        path.unlink(missing_ok=True)
        os.close(file)
    else:
        os.close(file)
        with contextlib.suppress(PermissionError):  # another process's by now
            path.unlink(missing_ok=True)


def _flocked(path: Path) -> int:
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(file, 200).decode(errors="replace")
            os.close(file)
            raise BlockingIOError(holder) from None
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file), path.stat()):
                return file
        os.close(file)  # its holder took the name away in between


def _created(path: Path) -> int:
    while True:
        with contextlib.suppress(FileExistsError):
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        with contextlib.suppress(FileNotFoundError):  # its holder has just given it up
            holder = path.read_text("utf-8", errors="replace")
            number = re.match(r"process (\d+) ", holder)
            if os.name == "posix" and number and is_alive(int(number[1])):
                raise BlockingIOError(holder)
            try:
                path.unlink()
            except PermissionError:
                raise BlockingIOError(holder) from None


def is_alive(process: int) -> bool:
    """Whether a process of this machine has this number."""
    if sys.platform == "win32":  # where os.kill with 0 is Ctrl-C
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
        except PermissionError:  # another user's
            pass
    return alive


# --- files


def rename_exchange(one: Path, other: Path) -> None:
    """Let two names exchange what they name. Raises OSError, ENOSYS where the system cannot."""
    call = _of_libc("renameat2")
    if call is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if call(AT_FDCWD, bytes(one), AT_FDCWD, bytes(other), RENAME_EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(other))


def flush(path: Path) -> None:
    """Have a file, or the names in a directory, on the disk; of Windows files only."""
    posix = hasattr(os, "O_DIRECTORY")
    if not posix and path.is_dir():
        return
    file = os.open(path, os.O_RDONLY if posix else os.O_RDWR)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def own_directory() -> Path | None:
    """A temporary directory that this user alone can write; None where somebody else has it."""
    user = os.getuid() if hasattr(os, "getuid") else None
    path = Path(tempfile.gettempdir()) / ("mtkit" if user is None else f"mtkit-{user}")
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        status = path.lstat()
    except OSError:
        return None
    if user is None:  # Windows: nor does the mode say who may write
        return path
    is_own = stat.S_ISDIR(status.st_mode) and status.st_uid == user
    return path if is_own and not status.st_mode & 0o022 else None


def path_from(start: Path, path: Path) -> Path:
    """``path`` relative to ``start``; absolute where it lies on another drive."""
    try:
        return Path(os.path.relpath(path, start))
    except ValueError:
        return path.absolute()


# --- the C library


def keep_memory() -> None:
    """Let glibc keep what is freed, where that is the C library: a step of training frees and asks
    for the same arrays again, and to get each from the system anew took an eighth of its time.
    """
    if mallopt := _of_libc("mallopt"):
        mallopt(MMAP_THRESHOLD, 1 << 25)  # the largest it takes
        mallopt(TRIM_THRESHOLD, (1 << 31) - 1)


def _of_libc(name: str) -> Any:
    """A function of the C library, or None."""
    try:
        return getattr(ctypes.CDLL(None, use_errno=True), name, None)
    except (OSError, TypeError):  # on Windows it has a name
        return None
