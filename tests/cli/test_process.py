"""Commands in separate processes: pipes, signals, closed readers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.support.command import WATCHDOG, mtkit, start


def test_python_m_mtkit_runs() -> None:
    call = [sys.executable, "-m", "mtkit", "--help"]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    assert "train-smt" in done.stdout
    assert done.stderr == ""


def test_bytes_go_through_pipes(project: Path) -> None:
    options = ("translate", "-q", "--model", "models/smt")
    process = start(*options, cwd=project)
    out, said = process.communicate("A café.\r\n\nHello.".encode(), timeout=WATCHDOG)
    assert (process.returncode, said) == (0, b"")
    assert out == mtkit(*options, cwd=project, stdin="A café.\n\nHello.\n".encode()).stdout
    assert out.count(b"\n") == 3


def test_an_interrupted_stream_ends_quietly(project: Path) -> None:
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}  # unflushed output would not arrive
    process = start(
        "translate", "-q", "--model", "models/smt", "--stream", cwd=project, env=buffered
    )
    assert process.stdin and process.stdout  # noqa: PT018
    late = threading.Timer(WATCHDOG, process.kill)
    late.start()
    process.stdin.write(b"Hello.\n")
    process.stdin.flush()
    assert process.stdout.readline()
    late.cancel()
    process.send_signal(signal.SIGINT)
    rest, said = process.communicate(timeout=WATCHDOG)
    assert (process.returncode, rest, said.strip()) == (130, b"", b"")


def test_a_closed_reader_ends_it_quietly(project: Path) -> None:
    process = start("translate", "-q", "--model", "models/smt", cwd=project)
    assert process.stdin and process.stdout and process.stderr  # noqa: PT018
    process.stdout.close()
    process.stdin.write(b"The train is here.\n" * 3000)
    process.stdin.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(WATCHDOG) == 1


@pytest.mark.parametrize("missing", ["", "setitimer"])  # as on Windows
def test_a_dropped_interrupt_is_raised_again(missing: str) -> None:
    code = """
import signal, sys, time, weakref
vars(signal).pop(sys.argv[1], None)
from mtkit.__main__ import main

class Thing: pass

def app(arguments, prog_name):
    thing = Thing()
    told = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))  # dropped there
    del thing
    if hasattr(signal, "setitimer"):
        time.sleep(60)  # which an alarm ends
    for _ in range(6000):
        time.sleep(0.01)

sys.modules["mtkit.cli"] = type(sys)("mtkit.cli")
sys.modules["mtkit.cli"].app, sys.modules["mtkit.cli"].complete = app, list
main()
"""
    call = [sys.executable, "-c", code, missing]
    done = subprocess.run(call, capture_output=True, stdin=subprocess.DEVNULL, timeout=WATCHDOG)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_interrupted_training_leaves_no_model(project: Path, tmp_path: Path) -> None:
    arguments = ["train-nmt", "--train", project / "train.en", project / "train.de", "--out", "m"]
    nowhere = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    process = start(*arguments, cwd=tmp_path, **nowhere)
    deadline = time.monotonic() + WATCHDOG
    while not any(tmp_path.iterdir()):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(WATCHDOG) == 130
    assert os.listdir(tmp_path) == []  # noqa: PTH208
