"""Tasks for workers of ``mtkit.cluster``, which import this module."""

from __future__ import annotations

import errno
import os
import signal
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from unittest import mock

import numpy as np

from mtkit.cluster import Worker
from mtkit.errors import InputError
from mtkit.storage.arrays import save
from mtkit.storage.stages import Job

DEATHS = "MTKIT_TEST_DEATHS"  # a directory with a file for each stage in which a worker has died
STAGES = "MTKIT_TEST_STAGES"  # the stages in which a worker dies, or "all"


def do(job: Job, code: str) -> None:
    """Do a job, as ``cluster._run_job`` does.

    The first worker of a stage in ``STAGES`` dies before it renames its output.
    """
    out: Path = job.args[0]  # type: ignore[attr-defined]
    with ExitStack() as stack:
        if os.environ[STAGES] == "all" or out.parent.name in os.environ[STAGES].split():
            with suppress(FileExistsError):
                death = Path(os.environ[DEATHS], f"{out.parent.parent.name} {out.parent.name}")
                death.touch(exist_ok=False)
                stack.enter_context(mock.patch.object(Path, "rename", die))
        job()


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def square(into: Path, n: int) -> None:
    save(into, n=np.array([n * n]), process=np.array([os.getpid()]))


def note_and_die_once(into: Path, n: int, last: int, begun: Path) -> None:
    """Append n to a file; die the first time that n is ``last``."""
    with begun.open("a") as file:
        file.write(f"{n}\n")
    time.sleep(0.05)
    if n == last and begun.read_text().split().count(str(n)) == 1:
        die()


def always_die(into: Path) -> None:
    die()


def fail(into: Path, kind: str) -> None:
    if kind == "disk":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "some.npy")
    if kind == "memory":
        raise MemoryError("no 7 TiB")
    raise InputError("too many n-grams")


def slow(into: Path, seconds: float) -> None:
    time.sleep(seconds)
    (into / "done").touch()


def environment(into: Path) -> None:
    (into / "threads").write_text(
        " ".join(os.environ[name] for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"))
    )


def sees_nothing(file: Path, dask_worker: object) -> Worker:
    file.with_name("elsewhere").stat()
    raise AssertionError


def is_older(file: Path, dask_worker: object) -> Worker:
    return Worker("another", 1, 1 << 30)


def has_no_mtkit(file: Path, dask_worker: object) -> Worker:
    raise ModuleNotFoundError("No module named 'mtkit'")
