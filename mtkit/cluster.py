"""Tasks of ``storage.stages`` in other processes, of this machine or of many, by Dask.

    local:N            N processes of this machine, of one thread each, for as long as it lasts
    tcp://HOST:PORT    the workers of a scheduler that runs, as `dask scheduler` starts one

Dask says who does a task, and has those of a worker that died done again. Between processes go the
names of files, a few numbers and lines that are to be translated; everything else is in files, so
that all workers must see the directory of the stages under its name here.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import sys
import time
from collections.abc import Generator, Iterator, Mapping, Sequence, Set
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from itertools import chain
from multiprocessing import resource_tracker
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from mtkit.errors import InputError, WorkError
from mtkit.platforms import HOST, usable_memory
from mtkit.storage.digests import digest_of_code
from mtkit.storage.stages import Job, Stages
from mtkit.threads import VARIABLES

LACKS_DASK = True
with suppress(ImportError):
    import cryptography  # noqa: F401
    import dask
    from distributed import Client, KilledWorker, LocalCluster, Security
    from distributed.comm.core import CommClosedError, connect
    from distributed.scheduler import NoWorkerError

    LACKS_DASK = False

ANSWER = 8  # seconds that a scheduler, and a first worker, have to answer
LOOK = 0.5  # seconds after which to see whether the work is to end
LEAST = 500 << 20  # bytes of a process: about half of it are Python and its libraries
ONE_THREAD = dict.fromkeys((*VARIABLES, "NUMBA_NUM_THREADS"), "1")
SETTINGS = {
    # A process that died is started again. After this time the cluster would give up who is not
    # there just then, for the second time or the third.
    "distributed.deploy.lost-worker-timeout": "1000d",
    "distributed.scheduler.no-workers-timeout": "5m",  # instead of waiting for ever
    "distributed.nanny.pre-spawn-environ": {},  # which would stay in this process
    "distributed.scheduler.http.routes": [],  # nothing is told to who asks
    "distributed.worker.http.routes": [],
    "distributed.worker.profile.enabled": False,
    # A task holds what is planned for it. Dask counts pages of files as memory of who reads them,
    # and would end one that reads large files.
    **dict.fromkeys(
        (f"distributed.worker.memory.{at}" for at in ("target", "spill", "pause", "terminate")),
        False,
    ),
}


class Worker(NamedTuple):
    """What a worker says of itself."""

    code: str  # ``digest_of_code``
    threads: int
    memory: int  # bytes that it may take


def check(address: str) -> None:
    """Raise InputError for an ``address`` that is none, and where Dask is missing."""
    if LACKS_DASK:
        raise InputError("--cluster needs Dask: pip install 'mtkit[cluster]'")
    if not re.fullmatch(r"local:[1-9]\d{0,3}|(tcp|tls)://\S+:\d+", address):
        raise InputError(
            f"--cluster {address}: expected local:N, as in local:4, or tcp://HOST:PORT"
        )


@contextmanager
def connected(address: str, stages: Stages, memory: int = 0) -> Iterator[Stages]:
    """The stages, whose tasks those at ``address`` do.

    memory: bytes that all workers together may take; 0: those that they have, and of this machine
    those of ``stages``. Raises InputError where nobody answers, where a worker cannot be used, and
    for too little memory.
    """
    check(address)
    with ExitStack() as stack:
        place: Any = address
        if address.startswith("local:"):
            place = stack.enter_context(_processes(address, stages.memory))
        else:
            for name in ("distributed", "distributed.client"):  # errors are raised
                logging.getLogger(name).setLevel(logging.CRITICAL)
            _greet(address)
        client = stack.enter_context(Client(place, timeout=ANSWER, set_as_default=False))
        try:
            client.wait_for_workers(1, timeout=ANSWER)
        except TimeoutError:
            raise InputError(
                f"--cluster {address}: no worker connected within {ANSWER} s; start some"
            ) from None
        workers = _workers(address, client, stages.directory)
        threads = sum(worker.threads for worker in workers)
        total = threads * min(worker.memory // worker.threads for worker in workers)
        execute = partial(_execute, client, stages.stopped)
        yield replace(stages, workers=threads, memory=min(memory or total, total), execute=execute)


@contextmanager
def _processes(address: str, memory: int) -> Iterator[LocalCluster]:
    """Workers of this machine, which share ``memory``; they end with this process."""
    number = int(address.partition(":")[2])
    if memory // number < LEAST:
        raise InputError(
            f"--cluster {address}: {memory >> 20}M are not enough for {number} processes, which "
            f"need {LEAST >> 20}M each; use fewer"
        )
    with (
        TemporaryDirectory(prefix="mtkit-") as scratch,
        _environment(ONE_THREAD),
        dask.config.set(SETTINGS),
    ):
        with _without_interrupts():
            cluster = LocalCluster(
                n_workers=number,
                threads_per_worker=1,
                memory_limit=memory // number,
                dashboard_address=None,
                scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # no fixed port
                silence_logs=logging.CRITICAL,
                local_directory=scratch,
                security=True,  # else every user of this machine could have them run code
            )
        with cluster:
            yield cluster


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Keep Ctrl-C from threads that are started in the block, and from processes that they start,
    which a terminal would interrupt, too; this thread hears of it afterwards.
    """
    if sys.platform != "win32":
        resource_tracker.ensure_running()  # or Python lets them through when it starts that
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        if sys.platform != "win32":
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables for the processes that are started while it lasts."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _greet(address: str) -> None:
    """Raise InputError where no scheduler answers in time; the client waits for ever for one that
    takes a connection and says nothing.
    """

    async def greet() -> None:
        security = Security().get_connection_args("client")
        comm = await asyncio.wait_for(connect(address, **security), ANSWER)
        comm.abort()

    try:
        with ThreadPoolExecutor(1) as pool:  # a notebook has a loop in its own thread
            pool.submit(lambda: asyncio.run(greet())).result()
    # No address, no keys for TLS, or another protocol, of which the first bytes are a huge length.
    except (OSError, ValueError, TypeError, MemoryError) as error:
        said = f": {error}" if isinstance(error, ValueError | TypeError) else ""
        raise InputError(
            f"--cluster {address}: no Dask scheduler answers at this address{said}"
        ) from None


# --- workers


def _workers(address: str, client: Client, directory: Path) -> list[Worker]:
    """What each worker says. Raises InputError where one cannot do tasks in ``directory``."""
    file = directory / f".mtkit-{HOST}-{os.getpid()}.seen"
    file.touch()
    try:
        said = client.run(_introduce, file, on_error="return")
        client.run_on_scheduler(digest_of_code)  # it reads what it is sent
    except (ImportError, AttributeError) as error:  # those of workers are returned
        raise InputError(f"--cluster {address}: the scheduler cannot run mtkit: {error}") from None
    finally:
        file.unlink()
    for where, worker in said.items():
        if isinstance(worker, OSError):
            why = f"does not see {directory}, which all workers must share: {worker.strerror}"
        elif isinstance(worker, Exception):
            why = f"cannot run mtkit: {worker}"
        elif worker.code != digest_of_code():
            why = "has another version of mtkit or its libraries"
        else:
            continue
        raise InputError(f"--cluster {address}: the worker {where} {why}")
    return list(said.values())


def _introduce(file: Path, dask_worker: Any) -> Worker:
    """Run by a worker, which Dask hands over."""
    file.stat()
    memory = dask_worker.memory_manager.memory_limit or usable_memory()
    return Worker(digest_of_code(), dask_worker.state.nthreads, memory)


def _at_work(dask_worker: Any) -> list[object]:
    """Run by a worker: the tasks that it is at, also those that nobody waits for any more."""
    return list(dask_worker.active_threads.values())


# --- tasks


def _execute(
    client: Client, stopped: Sequence[BaseException], jobs: Sequence[Job]
) -> Generator[None, None, None]:
    """``stages.Run``, once ``client`` and ``stopped`` are given."""
    if not jobs:
        return
    done: SimpleQueue[Any] = SimpleQueue()
    futures = client.map(_do, jobs, key=_name(jobs[0]), pure=False)
    left, waits = {future.key for future in futures}, True
    try:
        for future in futures:
            future.add_done_callback(done.put)
        for _ in futures:
            future = _next(done, stopped)
            left.remove(future.key)
            if future.status != "finished":
                _raise_of(future)
            future.release()  # or it is done again where the worker that did it dies
            yield
    except KeyboardInterrupt:
        waits = False
        raise
    finally:
        if left:
            client.cancel(futures)
            if waits:
                _let_end(client, left)


def _name(job: Any) -> str:
    """Of its stage, by which Dask tells tasks apart."""
    return str(job.args[0].parent.name)


def _do(job: Job) -> None:
    job()


def _next(done: SimpleQueue[Any], stopped: Sequence[BaseException]) -> Any:
    """The next of what is done. Raises what has stopped the work."""
    while True:
        try:
            return done.get(timeout=LOOK)
        except Empty:
            if stopped:
                raise stopped[0] from None


def _raise_of(future: Any) -> None:
    """Raise what a task raised, or why it was not done."""
    try:
        future.result()
    except KilledWorker as error:
        tries = error.allowed_failures + 1
        raise WorkError(
            f"task {error.task} crashed {tries} workers, perhaps for lack of memory; raise "
            "--memory, and continue with --resume"
        ) from None
    except (CancelledError, CommClosedError, NoWorkerError):
        raise WorkError(
            "all workers have stopped; restart them, and continue with --resume"
        ) from None


def _let_end(client: Client, tasks: Set[object]) -> None:
    """Wait until no worker is at one of these tasks, which are no longer wanted: then their files
    may be removed.
    """
    with suppress(OSError):  # nobody is left to ask
        while tasks & {*chain(*client.run(_at_work, on_error="ignore").values())}:
            time.sleep(LOOK / 5)
