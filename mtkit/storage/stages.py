"""Work in stages, from files to files, with bounded memory and in any number of processes.

    task     a pure function: it reads files of earlier stages and fills its own directory; the same
             arguments give the same bytes
    stage    tasks that are independent of each other; task k fills STAGE/k

A task writes to a temporary directory that is then renamed, so that STAGE/k is complete if it
exists. Nothing else records progress, except a mark for a stage whose files were removed. This is
enough to resume after a process was killed, or to let another process do a task.

How work is cut into tasks depends on the text alone (``text.shards``) or does not affect the bytes
(``Stages.parts``), and sums run over the tasks in their order. So the bytes are the same for any
number of threads, processes or machines of one type of processor, and for any amount of memory.

Files of stages are not flushed to the disk: they survive the death of any process, but not a power
failure.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from mtkit.console import detail, note
from mtkit.errors import InputError
from mtkit.platforms import HOST, flush, peak_memory, short_path, usable_memory
from mtkit.storage.digests import digest_of_code
from mtkit.storage.reading import read_json, unfit
from mtkit.storage.writing import check_no_link

T = TypeVar("T")
Job = Callable[[], None]  # a task with its arguments; it can be pickled and sent to another process
# Runs jobs in any order and yields after each; once closed, it starts no more jobs.
Run = Callable[[Sequence[Job]], Generator[None, None, None]]
DATA_SHARE = 0.4  # of the memory, for the data of tasks; the rest: Python, numba and cached files
TASKS_PER_WORKER = 16  # with so many tasks per worker, hardly any worker idles at the end
DONE = ".done"  # suffix of the mark of a stage whose files were removed
FINGERPRINT = "fingerprint"  # file with the digests of all inputs of the stages


class _Turns:
    """A semaphore that serves threads in their order; threading's lets a waiting one starve."""

    def __init__(self, free: int) -> None:
        self._free, self._waiting, self._lock = free, deque[threading.Event](), threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            turn = threading.Event()
            self._waiting.append(turn)
        turn.wait()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._free += 1


class Threads:
    """Run jobs in threads of this process, in all calls together ``threads`` at a time."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._free = _Turns(threads)

    def __call__(self, jobs: Sequence[Job]) -> Generator[None, None, None]:
        """See ``Run``. An exception of a job is raised here, and no further job starts."""
        if min(self.threads, len(jobs)) <= 1:
            for job in jobs:
                with self._free:
                    job()
                yield
            return
        pool, ended = ThreadPoolExecutor(self.threads), threading.Event()

        def run(job: Job) -> None:
            with self._free:
                if ended.is_set():
                    return
                try:
                    job()
                except BaseException:
                    ended.set()  # before a job that waits for this thread's turn starts
                    raise

        try:
            for future in as_completed([pool.submit(run, job) for job in jobs]):
                yield future.result()
        finally:
            ended.set()
            pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class Stages:
    """A directory of stages, and the workers that run them.

    memory: bytes for all ``workers``, which work at the same time, together.
    """

    directory: Path
    workers: int = 1
    memory: int = field(default_factory=usable_memory)
    execute: Run | None = None  # in other processes; None: in ``pool`` or new threads
    pool: Threads | None = None  # of works in parallel
    works: int = 1  # in parallel
    stopped: list[BaseException] = field(default_factory=list)  # errors that stop the work

    def within(self, name: str) -> Stages:
        """Return the stages of a part of the work, in a subdirectory."""
        return replace(self, directory=self.directory / name)

    def run(self, stage: str, task: Callable[..., None], calls: Iterable[Sequence[Any]]) -> Outputs:
        """Run ``task(directory, *call)`` for every call that is not done yet; return all outputs.

        task: a module-level function; its directory is empty, even after a task that was killed.
        """
        place = self.directory / stage
        calls = list(calls)
        outputs = Outputs(place, len(calls))
        if self._mark(stage).exists():
            return outputs
        place.mkdir(parents=True, exist_ok=True)
        jobs = [
            partial(_perform, out, task, call)
            for out, call in zip(outputs, calls, strict=True)
            if not out.exists()
        ]
        self._go_on()
        start = time.perf_counter()
        with closing((self.execute or self.pool or Threads(self.workers))(jobs)) as running:
            for done, _ in enumerate(running, 1):
                self._go_on()
                seconds = (time.perf_counter() - start) / done * (len(jobs) - done)
                progress = f"{done + len(calls) - len(jobs)} of {len(calls)}, {seconds:.0f} s left"
                detail(f"{stage}: {progress}; {_resources(place)}")
        # A network file system may hide what other machines wrote for half a minute, unless the
        # directory is opened.
        list(place.iterdir())
        return outputs

    def _go_on(self) -> None:
        if self.stopped:
            raise self.stopped[0]

    def in_parallel(self, tasks: int, *works: Callable[[Stages], T]) -> list[T]:
        """Run independent ``works``, which run stages themselves, and return their results.

        Their tasks share the workers and the memory. If the ``tasks`` of a stage are enough to keep
        all workers busy, the works run one after the other, which needs less disk space. After an
        error or Ctrl-C, all stop when their current tasks are done.
        """
        if self.workers == 1 or tasks >= TASKS_PER_WORKER * self.workers:
            return [work(self) for work in works]
        # Other processes can die, together with all tasks that wait for them; two works have few.
        at_once = 2 if self.execute else len(works)
        pool = ThreadPoolExecutor(at_once)
        together = replace(self, pool=self.pool or Threads(self.workers), works=at_once)
        futures = [pool.submit(work, together) for work in works]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException as error:
            self.stopped.append(error)
            raise
        finally:
            pool.shutdown(cancel_futures=True)
        return [future.result() for future in futures]

    def threads(self, tasks: int) -> int:
        """Return the threads for each of ``tasks`` parallel tasks; 1 in other processes."""
        return 1 if self.execute else max(1, self.workers // (tasks * self.works))

    def forget(self, *stages: str) -> None:
        """Remove the files of stages that are no longer needed; they still count as done."""
        for stage in stages:
            self._mark(stage).touch()
            shutil.rmtree(self.directory / stage, ignore_errors=True)

    def once(self, name: str, fill: Callable[[Path], object]) -> Path:
        """Run a stage of one task in this process; ``fill`` may run stages itself.

        Return its directory.
        """
        [out] = outputs = Outputs(self.directory / name, 1)
        if not self._mark(name).exists() and not out.exists():
            self._go_on()
            outputs.directory.mkdir(parents=True, exist_ok=True)
            _perform(out, fill, ())
        return out

    @property
    def task_memory(self) -> int:
        """Bytes of data that a task may hold in memory."""
        return max(1, int(self.memory * DATA_SHARE) // self.workers)

    def parts(self, size: int, least: int = 1) -> int:
        """Return the number of parts, at least ``least``, into which to cut ``size`` bytes of data.

        Each worker then has memory for one part.
        """
        return max(least, -(-size // self.task_memory))

    def _mark(self, stage: str) -> Path:
        return self.directory / f"{stage}{DONE}"


def fingerprint(settings: Mapping[str, Any], digests: Iterable[str]) -> str:
    """Return a hash of all that determines the bytes of the stages.

    It covers the settings, the digests of the texts, and this program.
    """
    content = json.dumps([digest_of_code(), settings, list(digests)], sort_keys=True)
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()


def stages_directory(out: Path) -> Path:
    """Return the directory of the stages of ``out``."""
    return out.resolve().with_name(f".{out.resolve().name}.stages")


def name_of_output(place: Path) -> str:
    """Return the name, for messages, of the output whose stages directory is ``place``."""
    return short_path(place.with_name(place.name.removeprefix(".").removesuffix(".stages")))


@contextmanager
def unfinished(
    out: Path, marks: Mapping[str, str], resume: bool, what: str = "training",
    resume_point: Callable[[Path], str] = lambda _: "the last stage",
) -> Iterator[Path]:  # fmt: skip
    """Yield the directory beside ``out`` for its stages; remove it when the block succeeds.

    marks: digests of the inputs that determine the bytes, by their names in messages; resume:
    continue interrupted work; resume_point: returns a description of where the work in a directory
    continues, "" if nothing is worth resuming. After an InputError the directory is kept only with
    ``resume``, after another error only if there is a resume point. Raises InputError if there is
    nothing to resume, if its marks differ, and for a symbolic link, which the work would follow.
    """
    place = stages_directory(out)
    name = name_of_output(place)  # users have not heard of the directory
    file = place / FINGERPRINT
    for path in (place, *(place.rglob("*") if resume else ())):
        check_no_link(path)
    if resume and not file.is_file():
        raise InputError(
            f"{name}: no interrupted {what} to resume; run the same command without --resume"
        )
    old_marks = read_json(file, dict, unfit) if resume else marks
    if differing := [name for name, digest in marks.items() if old_marks.get(name) != digest]:
        raise InputError(
            f"{name}: the interrupted {what} has another {' and another '.join(differing)}; "
            "use the same, or start again without --resume"
        )
    if not resume:
        if file.exists():
            note(f"{name}: starts anew; --resume would have continued the interrupted {what}")
        _remove(place)
        place.mkdir()
        file.write_text(json.dumps(marks), encoding="utf-8")
    try:
        yield place
    except InputError:
        if not resume:  # otherwise it holds the work of an earlier call
            _remove(place)
        raise
    except BaseException:
        if point := resume_point(place):
            note(f"interrupted; the same command with --resume continues from {point}")
        else:
            _remove(place)
        raise
    _remove(place)


def _remove(place: Path) -> None:
    """Remove a directory of stages; nothing can resume from the rest that a crash may leave."""
    if not place.exists():
        return
    (place / FINGERPRINT).unlink(missing_ok=True)
    flush(place)
    shutil.rmtree(place)


@dataclass(frozen=True)
class Outputs(Sequence[Path]):
    """The directories that the tasks of a stage fill."""

    directory: Path
    size: int

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, k: Any) -> Any:
        """Return the directory of task ``k``."""
        if not 0 <= k < self.size:
            raise IndexError(k)
        return self.directory / str(k)


def _resources(place: Path) -> str:
    """Return the memory used and the disk space left, as text."""
    memory, disk = peak_memory() / 1e9, shutil.disk_usage(place).free / 1e9
    return f"{memory:.1f} GB of memory, {disk:.0f} GB of disk free"


def _perform(out: Path, task: Callable[..., object], call: Sequence[Any]) -> None:
    """Let a task fill ``out``; if another process did so meanwhile, keep that result."""
    scratch = out.with_name(f"{out.name}.{HOST}-{os.getpid()}-{threading.get_native_id()}")
    try:
        scratch.mkdir()
    except FileExistsError:  # left by a killed process with the same number
        shutil.rmtree(scratch)
        scratch.mkdir()
    try:
        task(scratch, *call)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)  # the disk may be full
        raise
    try:
        scratch.rename(out)
    except OSError:
        if not out.is_dir():
            raise
        shutil.rmtree(scratch)
