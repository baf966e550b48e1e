"""Training by worker processes: the same model even if workers die, and errors."""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from mtkit.errors import InputError, WorkError
from mtkit.smt.train import TrainConfig, train_smt
from mtkit.storage.arrays import joined
from mtkit.storage.stages import Stages
from mtkit.text.corpus import Corpus
from mtkit.text.tokenizer import WordTokenizer
from tests.support.command import WATCHDOG, mtkit, start

needs_dask = pytest.mark.skipif(
    find_spec("distributed") is None, reason="Dask is missing: pip install 'mtkit[cluster]'"
)
CONFIG = TrainConfig(tune="none", aligner="fertility")
SOME = "counts-2 phrases-pairs lm-counts"  # stages of alignment, phrase table, language model


def files(model: Path) -> dict[str, bytes]:
    """Return the files of a model, without training time and seal."""
    found = {
        path.relative_to(model).as_posix(): path.read_bytes()
        for path in model.rglob("*")
        if path.is_file()
    }
    manifest = json.loads(found.pop("manifest.json"))
    del manifest["figures"]["seconds"], manifest["seal"]
    return found | {"manifest.json": json.dumps(manifest).encode()}


@pytest.fixture(scope="module")
def by_threads(few: Corpus, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("threads") / "smt"
    train_smt(few, WordTokenizer(), CONFIG, "default", out)
    return files(out)


@needs_dask
def test_the_model_is_the_same_if_workers_die(
    few: Corpus, by_threads: dict[str, bytes], dying: Callable[[str], Path], tmp_path: Path
) -> None:
    deaths, out = dying(SOME), tmp_path / "smt"
    train_smt(few, WordTokenizer(), CONFIG, "default", out, cluster="local:2")
    assert files(out) == by_threads
    assert {path.name.partition(" ")[2] for path in deaths.iterdir()} == set(SOME.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deaths", "smt"]


@needs_dask
@pytest.mark.slow
def test_a_worker_may_die_in_every_stage(
    few: Corpus, by_threads: dict[str, bytes], dying: Callable[[str], Path], tmp_path: Path
) -> None:
    deaths, out = dying("all"), tmp_path / "smt"
    train_smt(few, WordTokenizer(), CONFIG, "default", out, cluster="local:2")
    assert files(out) == by_threads
    assert len(list(deaths.iterdir())) > 60


# --- with permanent workers


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    """Stages of two worker processes."""
    from mtkit.cluster import connected

    place = tmp_path_factory.mktemp("stages")
    with connected("local:2", Stages(place, 7, 1 << 31)) as stages:
        yield stages


def client_of(stages: Stages) -> Any:
    return stages.execute.args[0]  # type: ignore[union-attr]


@needs_dask
def test_tasks_run_in_processes_of_one_thread(shared: Stages) -> None:
    from tests.support.dying import environment, square

    assert (shared.workers, shared.memory) == (2, 1 << 31)
    outputs = shared.run("squares", square, [(n,) for n in range(20)])
    assert joined(out / "n.npy" for out in outputs).tolist() == [n * n for n in range(20)]
    done_by = {*joined(out / "process.npy" for out in outputs).tolist()}
    assert len(done_by) == 2
    assert os.getpid() not in done_by
    [out] = shared.run("environment", environment, [()])
    assert (out / "threads").read_text() == "1 1"


@needs_dask
def test_only_the_current_task_of_a_dead_worker_is_repeated(shared: Stages, tmp_path: Path) -> None:
    from tests.support.dying import note_and_die_once

    calls = [(n, 9, tmp_path / "begun") for n in range(12)]
    outputs = shared.run("noted", note_and_die_once, calls)
    assert all(out.is_dir() for out in outputs)
    begun = (tmp_path / "begun").read_text().split()
    assert sorted(map(int, begun)) == sorted([*range(12), 9])


@needs_dask
def test_several_threads_run_stages_at_once(shared: Stages) -> None:
    from tests.support.dying import square

    def work(name: str) -> list[int]:
        stages = shared.within(name)
        for k in range(3):
            outputs = stages.run(f"squares-{k}", square, [(n,) for n in range(5)])
        return [int(n) for n in joined(out / "n.npy" for out in outputs)]

    with ThreadPoolExecutor(3) as pool:
        assert [*pool.map(work, "abc")] == [[0, 1, 4, 9, 16]] * 3


@needs_dask
@pytest.mark.parametrize(
    ("kind", "error", "said"),
    [
        ("input", InputError, "^too many n-grams$"),
        ("memory", MemoryError, "^no 7 TiB$"),
        ("disk", OSError, "No space left on device: 'some.npy'"),
    ],
)
def test_errors_of_tasks_are_raised_here(
    shared: Stages, kind: str, error: type[Exception], said: str
) -> None:
    from tests.support.dying import fail

    with pytest.raises(error, match=said) as raised:
        shared.run(f"fails-{kind}", fail, [(kind,)])
    assert type(raised.value) is error
    assert getattr(raised.value, "errno", errno.ENOSPC) == errno.ENOSPC


@needs_dask
def test_a_failure_stops_parallel_work_after_its_tasks(shared: Stages) -> None:
    from mtkit.cluster import _execute
    from tests.support.dying import fail, slow

    stopped: list[BaseException] = []
    execute = partial(_execute, client_of(shared), stopped)
    stages = replace(shared.within("beside"), execute=execute, stopped=stopped)
    works: list[Callable[[Stages], object]] = [
        lambda own: own.run("slow", slow, [(0.4,)] * 50),
        lambda own: own.run("fails", fail, [("input",)]),
    ]
    with pytest.raises(InputError, match="too many"):
        stages.in_parallel(1, *works)
    left = sorted(path.name for path in (stages.directory / "slow").iterdir())
    time.sleep(0.8)
    assert sorted(path.name for path in (stages.directory / "slow").iterdir()) == left
    assert 0 < len(left) < 25
    assert all(name.isdecimal() for name in left), "a task was left in the middle"


@needs_dask
def test_a_task_that_kills_workers_is_an_error(
    shared: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.support.dying import always_die

    monkeypatch.setattr(client_of(shared).cluster.scheduler, "allowed_failures", 0)
    with pytest.raises(WorkError, match=r"task .* crashed 1 workers.* memory; give them more"):
        shared.run("dies", always_die, [()])


@needs_dask
@pytest.mark.slow
def test_no_workers_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mtkit.cluster import SETTINGS, connected
    from tests.support.dying import square

    monkeypatch.setitem(SETTINGS, "distributed.scheduler.no-workers-timeout", "1s")
    with connected("local:1", Stages(tmp_path)) as stages:
        client_of(stages).cluster.scale(0)
        with pytest.raises(WorkError, match="all workers have stopped"):
            stages.run("squares", square, [(2,), (3,)])


# --- workers that were started elsewhere


@contextmanager
def scheduler(workers: int = 2, memory: int = 1 << 30) -> Iterator[str]:
    """Yield the address of a scheduler whose workers are threads of this process."""
    import dask
    from distributed import LocalCluster

    with (
        dask.config.set({"distributed.admin.tick.limit": "1h"}),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=False,
            protocol="tcp",
            memory_limit=memory,
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
            silence_logs=logging.CRITICAL,
        ) as cluster,
    ):
        yield cluster.scheduler_address


@needs_dask
def test_a_running_scheduler_trains_the_same(
    few: Corpus, by_threads: dict[str, bytes], tmp_path: Path
) -> None:
    with scheduler() as address:
        train_smt(few, WordTokenizer(), CONFIG, "default", tmp_path / "smt", cluster=address)
    assert files(tmp_path / "smt") == by_threads


@needs_dask
def test_memory_is_at_most_that_of_the_workers(tmp_path: Path) -> None:
    from mtkit.cluster import connected

    with scheduler() as address:
        for memory, taken in ((0, 2 << 30), (1 << 40, 2 << 30), (1 << 30, 1 << 30)):
            with connected(address, Stages(tmp_path, 1, 12345), memory) as stages:
                assert (stages.workers, stages.memory) == (2, taken)
    assert not [*tmp_path.iterdir()]


@needs_dask
def test_workers_that_join_late_are_checked(tmp_path: Path) -> None:
    from mtkit import cluster
    from tests.support.dying import square

    code = cluster.digest_of_code()
    (tmp_path / "stage/0").mkdir(parents=True)
    cluster._run_job(partial(square, tmp_path / "stage/0", 2), code)
    assert (tmp_path / "stage/0/n.npy").exists()
    for place, other, problem in (
        (tmp_path / "stage/0", "1", "has another version of mtkit"),
        (tmp_path / "unseen/0", code, f"does not see {tmp_path / 'unseen'}"),
    ):
        with pytest.raises(WorkError, match=f"^a worker on .* {problem}.*; stop it, and continue"):
            cluster._run_job(partial(square, place, 2), other)


@needs_dask
@pytest.mark.parametrize(
    ("which", "said"),
    [
        (
            "sees_nothing",
            "the worker tcp://.* cannot use .*, which all workers must share: No such file",
        ),
        ("is_older", "the worker tcp://.* has another version of mtkit"),
        ("has_no_mtkit", "the worker tcp://.* cannot run mtkit: No module named 'mtkit'"),
    ],
)
def test_unusable_workers_are_named(
    which: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mtkit.cluster import connected
    from tests.support import dying

    monkeypatch.setattr("mtkit.cluster._report", getattr(dying, which))
    with (
        scheduler(1) as address,
        pytest.raises(InputError, match=f"^--cluster {address}: {said}"),
        connected(address, Stages(tmp_path)),
    ):
        pass
    assert not [*tmp_path.iterdir()]


@needs_dask
def test_workers_without_a_memory_limit_are_refused(tmp_path: Path) -> None:
    """Several on one machine would each plan for all of its memory."""
    from mtkit.cluster import connected

    with (
        scheduler(1, memory=0) as address,
        pytest.raises(InputError, match=r"the worker tcp://.* has no memory limit; start it with"),
        connected(address, Stages(tmp_path)),
    ):
        pass


@needs_dask
def test_an_older_scheduler_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from distributed import Client

    from mtkit.cluster import connected

    monkeypatch.setattr(Client, "run_on_scheduler", lambda *_: "other")
    with (
        scheduler(1) as address,
        pytest.raises(InputError, match=f"^--cluster {address}: the scheduler has another version"),
        connected(address, Stages(tmp_path)),
    ):
        pass


@needs_dask
def test_a_scheduler_without_workers_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mtkit.cluster import connected

    monkeypatch.setattr("mtkit.cluster.WAIT_SECONDS", 0.5)
    with (
        scheduler(0) as address,
        pytest.raises(InputError, match=f"^--cluster {address}: no worker connected within"),
        connected(address, Stages(tmp_path)),
    ):
        pass


# --- errors


def refused(place: Path, *options: str) -> str:
    """Return the error message of a refused command, without "mtkit: "."""
    done = mtkit("train-smt", "--tune", "none", "--out", "m", *options, cwd=place, check=2)
    assert not [*place.iterdir()]
    assert done.stdout == b""
    said = done.stderr.decode()
    assert said.startswith("mtkit: ")
    assert said.count("\n") == 1
    return said[len("mtkit: ") :].rstrip("\n")


@needs_dask
@pytest.mark.parametrize("listens", [False, True])
def test_nobody_answers(listens: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtkit.cluster.WAIT_SECONDS", 0.3)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        if listens:  # but does not answer
            other.listen()
        address = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        assert refused(tmp_path, "--cluster", address) == (
            f"--cluster {address}: no Dask scheduler answers at this address"
        )


@needs_dask
@pytest.mark.parametrize(
    ("address", "why"),
    [("tls://127.0.0.1:1", "TLS expects a `ssl_context`"), ("tcp://[::1:5", "invalid address")],
)
def test_missing_keys_or_bad_hosts_fail(address: str, why: str, tmp_path: Path) -> None:
    said = refused(tmp_path, "--cluster", address)
    assert said.startswith(f"--cluster {address}: no Dask scheduler answers at this address: {why}")


@needs_dask
def test_a_server_of_another_protocol_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, ThreadPoolExecutor(1) as pool:

        def answer() -> None:
            connection, _ = other.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n" * 20)

        pool.submit(answer)
        address = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        assert refused(tmp_path, "--cluster", address) == (
            f"--cluster {address}: no Dask scheduler answers at this address"
        )


@needs_dask
@pytest.mark.parametrize("address", ["local", "local:0", "local:x", "host:8786", "tcp://host"])
def test_invalid_addresses_fail(address: str, tmp_path: Path) -> None:
    assert refused(tmp_path, "--cluster", address) == (
        f"--cluster {address}: expected local:N, as in local:4, or tcp://HOST:PORT"
    )


@needs_dask
def test_too_little_memory_is_an_error(tmp_path: Path) -> None:
    said = refused(tmp_path, "--cluster", "local:3", "--memory", "1G")
    assert said.startswith(
        "--cluster local:3: 1024M are not enough for 3 processes, which need 500M"
    )


def test_without_dask_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "mtkit.cluster", raising=False)
    monkeypatch.delattr("mtkit.cluster", raising=False)
    said = refused(tmp_path, "--cluster", "local:2")
    assert said == "--cluster needs Dask: pip install 'mtkit[cluster]'"


def test_without_a_cluster_dask_is_not_loaded() -> None:
    code = "import sys, mtkit.smt.train; print(*{'dask', 'distributed', 'mtkit'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "mtkit\n"


@needs_dask
@pytest.mark.slow
@pytest.mark.parametrize("at", ["fertility/forward/places", "fertility/forward/links-1"])
def test_an_interrupt_ends_the_workers(at: str, tmp_path: Path) -> None:
    import psutil  # which Dask needs

    options = ("--tune", "none", "--cluster", "local:2", "--out", "m")
    with start("train-smt", *options, cwd=tmp_path, start_new_session=True) as process:
        deadline = time.monotonic() + WATCHDOG
        while not [*tmp_path.glob(f".m.stages/{at}")]:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.02)
        group = psutil.Process(process.pid).children()
        assert len(group) >= 3  # including Python's resource tracker
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        said = process.communicate(timeout=WATCHDOG)[1].decode()
    assert process.returncode == 130
    assert said.endswith(
        "\ninterrupted; the same command with --resume continues from the last stage\n"
    )
    assert "Traceback" not in said
    assert not psutil.wait_procs(group, 10)[1], "alive"
    assert [path.name for path in tmp_path.iterdir()] == [".m.stages"]


@needs_dask
@pytest.mark.slow
def test_dask_command_line_workers(
    few: Corpus, by_threads: dict[str, bytes], tmp_path: Path
) -> None:
    """As in docs/past-one-machine.md; one of three workers is killed and not restarted."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    dask = [sys.executable, "-m", "dask"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    scheduler = [*dask, "scheduler", "--host", address, "--no-dashboard"]
    worker = [*dask, "worker", address, "--nthreads", "1", "--memory-limit", "1GB", "--no-nanny"]
    with ExitStack() as stack:
        processes = []
        for command in (scheduler, worker, worker, worker):
            process = subprocess.Popen(command, env=environment, **quiet)  # type: ignore[call-overload]
            stack.callback(process.wait)
            stack.callback(process.kill)
            processes.append(process)
        killed = threading.Event()

        def kill() -> None:
            deadline = time.monotonic() + WATCHDOG
            while not [*tmp_path.glob(".smt.stages/fertility/forward/diagonal-2")]:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            processes[-1].kill()
            killed.set()

        threading.Thread(target=kill, daemon=True).start()
        train_smt(few, WordTokenizer(), CONFIG, "default", tmp_path / "smt", cluster=address)
        assert killed.is_set()
    assert files(tmp_path / "smt") == by_threads
