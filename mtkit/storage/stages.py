"""Work in stages, from files to files, so that it needs neither much memory nor one process.

    task     a pure function: it reads files of earlier stages and fills a directory of its own,
             from the same arguments with the same bytes
    stage    tasks that need nothing of one another; task k fills STAGE/k

A task writes beside its place and is renamed into it, whole or not at all: a directory that is
there is done. Nothing else is kept of where the work stands, and nothing else is needed to go on
after a crash, or to let another process do a task.

What is cut into tasks depends on the text alone (``text.shards``) or does not matter to the bytes
(``Stages.parts``); sums run over the tasks in their order. So the bytes are the same whatever the
number of threads, processes or machines, and whatever the memory.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from mtkit.console import detail, note
from mtkit.errors import InputError
from mtkit.platforms import HOST, peak_memory, usable_memory
from mtkit.storage.digests import digest_of_code
from mtkit.storage.reading import read_json, unfit

T = TypeVar("T")
Job = Callable[[], None]  # a task with its arguments, which another process can be sent
# Does jobs, in any order, and says when one is done; closed, it begins no more.
Run = Callable[[Sequence[Job]], Generator[None, None, None]]
SHARE = 0.4  # of the memory is for what tasks hold; the rest is Python's, numba's and the files'
BUSY = 16  # tasks a worker, between the first and the last of which none waits
PACKED = "arrays.safetensors"
DONE = ".done"  # a stage whose files were forgotten
FINGERPRINT = "fingerprint"  # what decides the bytes of all stages


@dataclass(frozen=True)
class Threads:
    """Jobs in threads of this process."""

    threads: int

    def __call__(self, jobs: Sequence[Job]) -> Generator[None, None, None]:
        """See ``Run``. What a job raises is raised here, and no further job is begun."""
        if min(self.threads, len(jobs)) <= 1:
            for job in jobs:
                yield job()
            return
        pool = ThreadPoolExecutor(self.threads)
        try:
            for future in as_completed([pool.submit(job) for job in jobs]):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class Stages:
    """A directory of stages, and who does them.

    memory: bytes that all may take together, those that work at once being ``workers``.
    """

    directory: Path
    workers: int = 1
    memory: int = field(default_factory=usable_memory)
    execute: Run | None = None  # None: threads of this process
    stopped: list[BaseException] = field(default_factory=list)  # why no further task is to begin

    def within(self, name: str) -> Stages:
        """The stages of a part of the work, in a directory of their own."""
        return replace(self, directory=self.directory / name)

    def run(self, stage: str, task: Callable[..., None], calls: Iterable[Sequence[Any]]) -> Outputs:
        """Do what is not done yet of ``task(directory, *call)``, for every call of ``calls``.

        task: a function of a module; it may find files of a task that was killed in no place.
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
        begun = time.perf_counter()
        with closing((self.execute or Threads(self.workers))(jobs)) as doing:
            for done, _ in enumerate(doing, 1):
                self._go_on()
                left = (time.perf_counter() - begun) / done * (len(jobs) - done)
                tasks = f"{done + len(calls) - len(jobs)} of {len(calls)}, {left:.0f} s left"
                detail(f"{stage}: {tasks}; {_taken(place)}")
        # Of what other machines wrote, a network file system goes on saying for half a minute that
        # it is not there, unless its directory is opened.
        list(place.iterdir())
        return outputs

    def _go_on(self) -> None:
        if self.stopped:
            raise self.stopped[0]

    def beside(self, tasks: int, *works: Callable[[Stages], T]) -> list[T]:
        """What works return that run stages and need nothing of one another: two at a time, each
        with half of the workers and of the memory. Where each has so many ``tasks`` in a stage that
        they keep all workers busy, one after the other, for that takes half of the disk. Where one
        fails, or Ctrl-C comes, all end with the tasks they are at.
        """
        if self.workers == 1 or tasks >= BUSY * self.workers:
            return [work(self) for work in works]
        half = replace(self, workers=self.workers // 2, memory=self.memory // 2)
        pool = ThreadPoolExecutor(2)
        futures = [pool.submit(work, half) for work in works]
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
        """In how many threads each of so many tasks may compute; in another process in one."""
        return 1 if self.execute else max(1, self.workers // tasks)

    def forget(self, *stages: str) -> None:
        """Remove the files of stages that nobody will read again; they stay done."""
        for stage in stages:
            self._mark(stage).touch()
            shutil.rmtree(self.directory / stage, ignore_errors=True)

    def once(self, name: str, fill: Callable[[Path], object]) -> Path:
        """A stage of one task that this process does, and that may run stages itself."""
        [out] = outputs = Outputs(self.directory / name, 1)
        if not self._mark(name).exists() and not out.exists():
            outputs.place.mkdir(parents=True, exist_ok=True)
            _perform(out, fill, ())
        return out

    @property
    def room(self) -> int:
        """Bytes that a task may hold."""
        return max(1, int(self.memory * SHARE) // self.workers)

    def parts(self, size: int, least: int = 1) -> int:
        """Into how many parts work that holds ``size`` bytes is to be cut, for each worker to have
        memory for one; never into fewer than ``least``.
        """
        return max(least, -(-size // self.room))

    def _mark(self, stage: str) -> Path:
        return self.directory / f"{stage}{DONE}"


def fingerprint(settings: Mapping[str, Any], digests: Iterable[str]) -> str:
    """Of what decides the bytes of all stages: the settings, the texts and this program."""
    said = json.dumps([digest_of_code(), settings, list(digests)], sort_keys=True)
    return hashlib.blake2b(said.encode(), digest_size=16).hexdigest()


def place_of(out: Path) -> Path:
    """Where the stages of what ``out`` will be lie."""
    return out.resolve().with_name(f".{out.resolve().name}.stages")


@contextmanager
def unfinished(
    out: Path, marks: Mapping[str, str], resume: bool, what: str = "training",
    rest: Callable[[Path], str] = lambda _: "the last stage",
) -> Iterator[Path]:  # fmt: skip
    """The directory beside ``out`` for the stages of what will be there; gone when it is there.

    marks: digests of what decides their bytes, by its name in messages. resume: go on with what an
    interruption left, as ``rest`` says of the directory; "" for nothing that is worth it. Raises
    InputError where it left nothing, or something with another mark.
    """
    place = place_of(out)
    file = place / FINGERPRINT
    if resume and not file.is_file():
        raise InputError(f"{place}: no unfinished {what}; start one without --resume")
    old = read_json(file, dict, unfit) if resume else marks
    if others := [name for name, digest in marks.items() if old.get(name) != digest]:
        raise InputError(
            f"{place}: the unfinished {what} has another {' and another '.join(others)}; "
            "use the same, or start again without --resume"
        )
    if not resume:
        if file.exists():
            note(f"removed {place}, of an interrupted {what}; --resume would have continued it")
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        file.write_text(json.dumps(marks), encoding="utf-8")
    try:
        yield place
    except InputError:
        if not resume:  # else it is the work of another call
            shutil.rmtree(place)
        raise
    except BaseException:
        if reached := rest(place):
            note(f"interrupted; the same command with --resume continues from {reached}")
        else:
            shutil.rmtree(place)
        raise
    shutil.rmtree(place)


@dataclass(frozen=True)
class Outputs(Sequence[Path]):
    """The directories that the tasks of a stage fill."""

    place: Path
    size: int

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, k: Any) -> Any:
        """That of task ``k``."""
        if not 0 <= k < self.size:
            raise IndexError(k)
        return self.place / str(k)


def _taken(place: Path) -> str:
    """Memory and disk, for people."""
    memory, disk = peak_memory() / 1e9, shutil.disk_usage(place).free / 1e9
    return f"{memory:.1f} GB of memory, {disk:.0f} GB of disk free"


def _perform(out: Path, task: Callable[..., object], call: Sequence[Any]) -> None:
    """Let a task fill ``out``; if another process has done so in the meantime, that is as good."""
    scratch = out.with_name(f"{out.name}.{HOST}-{os.getpid()}-{threading.get_native_id()}")
    try:
        scratch.mkdir()
    except FileExistsError:  # of a process that was killed, and that had our number
        shutil.rmtree(scratch)
        scratch.mkdir()
    task(scratch, *call)
    try:
        scratch.rename(out)
    except OSError:
        if not out.is_dir():
            raise
        shutil.rmtree(scratch)


# --- arrays in files


def pack(into: Path, **arrays: NDArray[Any]) -> None:
    """Write the arrays of a task into one file."""
    save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, into / PACKED)


def unpack(out: Path, *names: str) -> list[NDArray[Any]]:
    """Some of the arrays that ``pack`` wrote."""
    with safe_open(out / PACKED, "np") as file:
        return [file.get_tensor(name) for name in names]


def array(out: Path, name: str, first: int = 0, last: int | None = None) -> NDArray[Any]:
    """One of them, or rows ``first : last`` of it."""
    with safe_open(out / PACKED, "np") as file:
        if last is None or first == last:  # an empty slice at the end is refused
            whole: NDArray[Any] = file.get_tensor(name)[first:last]
            return whole
        part: NDArray[Any] = file.get_slice(name)[first:last]
        return part


def link(source: str | Path, target: str | Path) -> None:
    """Let a file be in a second place, which is nothing yet; where links are not known, a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def save(directory: Path, **arrays: NDArray[Any]) -> None:
    """Write one ``.npy`` an array."""
    for name, array in arrays.items():
        np.save(directory / f"{name}.npy", array)


def load(path: Path, first: int = 0, last: int | None = None) -> NDArray[Any]:
    """Rows ``first : last`` of an array in a file, as memory of this process."""
    if first == 0 and last is None:
        whole: NDArray[Any] = np.load(path)
        return whole
    return np.array(np.load(path, mmap_mode="r")[first:last])


def joined(paths: Iterable[Path]) -> NDArray[Any]:
    """The arrays of several files, one behind the other."""
    return np.concatenate([load(path) for path in paths])


class ArrayFile:
    """A ``.npy`` that grows along its first axis; whole when it is closed."""

    def __init__(self, path: Path, dtype: DTypeLike, row: tuple[int, ...] = ()) -> None:
        self.dtype, self.row, self.length = np.dtype(dtype), row, 0
        self.file: BinaryIO = path.open("wb")
        self._head()

    def append(self, array: NDArray[Any]) -> None:
        """Write rows, converted to the type of the file, behind those that are there."""
        self.file.write(np.ascontiguousarray(array, self.dtype).data)  # faster than ``tofile``
        self.length += len(array)

    def _head(self) -> None:
        """NumPy leaves room in it for the digits of any length."""
        head = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (self.length, *self.row),
        }
        np.lib.format.write_array_header_1_0(self.file, head)

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
    """Write arrays into one ``.npy``, one behind the other, holding one at a time."""
    with ArrayFile(path, dtype, row) as file:
        for part in parts:
            file.append(part)
