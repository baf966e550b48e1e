"""Run tasks of ``storage.stages`` in other processes, on this machine or on many, by Dask.

    local:N            N processes on this machine, one thread each, until the command ends
    tcp://HOST:PORT    the workers of a running scheduler, started by `dask scheduler`

Dask assigns tasks to workers and repeats the tasks of a worker that died. Processes exchange file
names, a few numbers and lines to translate. Everything else is in files, so all workers must see
the directory of the stages under the same path as this process.
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
from mtkit.platforms import HOST, MIN_MEMORY
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

WAIT_SECONDS = 8  # seconds to wait for a scheduler, and then for a first worker
OTHER_VERSION = "has another version of mtkit or its libraries"
CHECK_SECONDS = 0.5  # seconds between checks whether the work is to stop
ONE_THREAD = dict.fromkeys((*VARIABLES, "NUMBA_NUM_THREADS"), "1")
SETTINGS = {
    # A process that died is restarted. When this time has passed, the cluster would remove a worker
    # that is missing at that moment, even if it is being restarted once more.
    "distributed.deploy.lost-worker-timeout": "1000d",
    "distributed.scheduler.no-workers-timeout": "5m",  # the default waits for ever
    "distributed.nanny.pre-spawn-environ": {},  # Dask would leave these set in this process
    "distributed.scheduler.http.routes": [],  # serve no pages
    "distributed.worker.http.routes": [],
    "distributed.worker.profile.enabled": False,
    # Stages plan the memory of each task. Dask counts file pages as memory of the process that
    # reads them, and would end a worker that reads large files.
    **dict.fromkeys(
        (f"distributed.worker.memory.{at}" for at in ("target", "spill", "pause", "terminate")),
        False,
    ),
}


class Worker(NamedTuple):
    """What a worker reports about itself."""

    code: str  # ``digest_of_code``
    threads: int
    memory: int  # bytes that it may use, 0 if it has no limit


def check(address: str) -> None:
    """Raise InputError if ``address`` is malformed, and if Dask is not installed."""
    if LACKS_DASK:
        raise InputError("--cluster needs Dask: pip install 'mtkit[cluster]'")
    if not re.fullmatch(r"local:[1-9]\d{0,3}|(tcp|tls)://\S+:\d+", address):
        raise InputError(
            f"--cluster {address}: expected local:N, as in local:4, or tcp://HOST:PORT"
        )


@contextmanager
def connected(address: str, stages: Stages, memory: int = 0) -> Iterator[Stages]:
    """Yield the stages, with tasks done by the workers at ``address``.

    memory: bytes that all workers together may use; 0: what they have, or on this machine
    ``stages.memory``. Raises InputError if there is no answer, if a worker cannot be used, and if
    there is too little memory.
    """
    check(address)
    with ExitStack() as stack:
        scheduler: Any = address
        if address.startswith("local:"):
            scheduler = stack.enter_context(_processes(address, stages.memory))
        else:
            for name in ("distributed", "distributed.client"):  # errors are raised: no log
                logging.getLogger(name).setLevel(logging.CRITICAL)
            _check_scheduler(address)
        client = stack.enter_context(Client(scheduler, timeout=WAIT_SECONDS, set_as_default=False))
        try:
            client.wait_for_workers(1, timeout=WAIT_SECONDS)
        except TimeoutError:
            raise InputError(
                f"--cluster {address}: no worker connected within {WAIT_SECONDS} s; start some"
            ) from None
        workers = _workers(address, client, stages.directory)
        threads = sum(worker.threads for worker in workers)
        total = threads * min(worker.memory // worker.threads for worker in workers)
        execute = partial(_execute, client, stages.stopped)
        yield replace(stages, workers=threads, memory=min(memory or total, total), execute=execute)


@contextmanager
def _processes(address: str, memory: int) -> Iterator[LocalCluster]:
    """Yield worker processes on this machine, which share ``memory`` bytes and end with the block.

    Raises InputError if a process would have fewer than ``MIN_MEMORY`` bytes.
    """
    number = int(address.partition(":")[2])
    if memory // number < MIN_MEMORY:
        raise InputError(
            f"--cluster {address}: {memory >> 20}M are not enough for {number} processes, which "
            f"need {MIN_MEMORY >> 20}M each; use fewer"
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
                security=True,  # else any user of this machine could run code in them
            )
        with cluster:
            yield cluster


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Block SIGINT for threads started within the block, and for the processes that they start.

    A terminal would interrupt those processes, too. This thread receives the signal afterwards.
    """
    if sys.platform != "win32":
        resource_tracker.ensure_running()  # else its start unblocks SIGINT
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        if sys.platform != "win32":
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for processes that are started within the block."""
    previous = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in previous.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _check_scheduler(address: str) -> None:
    """Raise InputError if no scheduler answers in time.

    Dask's client would wait for ever for a server that accepts a connection and sends nothing.
    """

    async def greet() -> None:
        security = Security().get_connection_args("client")
        comm = await asyncio.wait_for(connect(address, **security), WAIT_SECONDS)
        comm.abort()

    try:
        with ThreadPoolExecutor(1) as pool:  # in a notebook this thread runs an event loop
            pool.submit(lambda: asyncio.run(greet())).result()
    # No such address, no TLS keys, or another protocol, whose first bytes read as a huge length.
    except (OSError, ValueError, TypeError, MemoryError) as error:
        detail = f": {error}" if isinstance(error, ValueError | TypeError) else ""
        raise InputError(
            f"--cluster {address}: no Dask scheduler answers at this address{detail}"
        ) from None


# --- workers


def _workers(address: str, client: Client, directory: Path) -> list[Worker]:
    """Return what each worker reports. Raises InputError if one cannot do tasks in ``directory``.

    It is also raised if the scheduler cannot import mtkit, or has another version of it.
    """
    file = directory / f".mtkit-{HOST}-{os.getpid()}.seen"
    file.touch()
    try:
        reports = client.run(_report, file, on_error="return")
        scheduler = client.run_on_scheduler(digest_of_code)
    except (ImportError, AttributeError) as error:  # errors of workers are returned
        raise InputError(f"--cluster {address}: the scheduler cannot run mtkit: {error}") from None
    finally:
        file.unlink()
    if scheduler != digest_of_code():
        raise InputError(f"--cluster {address}: the scheduler {OTHER_VERSION}")
    for name, worker in reports.items():
        if isinstance(worker, OSError):
            problem = f"cannot use {directory}, which all workers must share: {worker.strerror}"
        elif isinstance(worker, Exception):
            problem = f"cannot run mtkit: {worker}"
        elif worker.code != digest_of_code():
            problem = OTHER_VERSION
        elif not worker.memory:
            problem = "has no memory limit; start it with --memory-limit"
        else:
            continue
        raise InputError(f"--cluster {address}: the worker {name} {problem}")
    return list(reports.values())


def _report(file: Path, dask_worker: Any) -> Worker:
    """Report on the worker that runs this, which Dask passes in.

    Raises OSError if it cannot see ``file`` or write beside it.
    """
    file.stat()
    own = file.with_name(f"{file.name}-{HOST}-{os.getpid()}")
    own.touch()
    own.unlink()
    memory = dask_worker.memory_manager.memory_limit
    return Worker(digest_of_code(), dask_worker.state.nthreads, memory or 0)


def _running_keys(dask_worker: Any) -> list[object]:
    """Return the keys of the tasks that the worker runs, cancelled ones included."""
    return list(dask_worker.active_threads.values())


# --- tasks


def _execute(
    client: Client, stopped: Sequence[BaseException], jobs: Sequence[Job]
) -> Generator[None, None, None]:
    """Run the jobs on the cluster: a ``stages.Run`` once ``client`` and ``stopped`` are bound."""
    if not jobs:
        return
    done: SimpleQueue[Any] = SimpleQueue()
    key, code = _stage_name(jobs[0]), digest_of_code()
    futures = client.map(_run_job, jobs, key=key, pure=False, code=code)
    unfinished, waits = {future.key for future in futures}, True
    try:
        for future in futures:
            future.add_done_callback(done.put)
        for _ in futures:
            future = _next_done(done, stopped)
            unfinished.remove(future.key)
            if future.status != "finished":
                _raise_error(future)
            future.release()  # else Dask repeats it if its worker dies
            yield
    except KeyboardInterrupt:
        waits = False
        raise
    finally:
        if unfinished:
            client.cancel(futures)
            if waits:
                _wait_for_end(client, unfinished)


def _stage_name(job: Any) -> str:
    """Return the name of the job's stage, which Dask uses in task keys."""
    return str(job.args[0].parent.name)


def _run_job(job: Any, code: str) -> None:
    """Do a job. Raises WorkError if this worker, which may have joined late, has other code."""
    directory = job.args[0].parent
    if digest_of_code() != code:
        problem = OTHER_VERSION
    elif not directory.is_dir():
        problem = f"does not see {directory}, which all workers must share"
    else:
        job()
        return
    raise WorkError(f"a worker on {HOST} {problem}; stop it, and continue with --resume")


def _next_done(done: SimpleQueue[Any], stopped: Sequence[BaseException]) -> Any:
    """Return the next future that is done. Raises the exception that stopped the work."""
    while True:
        try:
            return done.get(timeout=CHECK_SECONDS)
        except Empty:
            if stopped:
                raise stopped[0] from None


def _raise_error(future: Any) -> None:
    """Raise what a task raised, or WorkError if Dask could not run it."""
    try:
        future.result()
    except KilledWorker as error:
        tries = error.allowed_failures + 1
        raise WorkError(
            f"task {error.task} crashed {tries} workers, perhaps for lack of memory; give "
            "them more, and continue with --resume"
        ) from None
    except (CancelledError, CommClosedError, NoWorkerError):
        raise WorkError(
            "all workers have stopped; restart them, and continue with --resume"
        ) from None


def _wait_for_end(client: Client, tasks: Set[object]) -> None:
    """Wait until no worker runs these cancelled tasks, so that their files can be removed."""
    with suppress(OSError):  # no worker is left
        while tasks & {*chain(*client.run(_running_keys, on_error="ignore").values())}:
            time.sleep(CHECK_SECONDS / 5)
