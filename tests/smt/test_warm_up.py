"""Compilation of kernels before training, in a second process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mtkit.console import console
from mtkit.smt import warm_up
from mtkit.smt.alignment.align import ALIGNERS
from mtkit.smt.kernels import KERNELS
from mtkit.smt.tuning.tune import TUNERS

# A program without kernels of its own; it uses those in the cache.
SECOND = """
from mtkit.smt.warm_up import compile_kernels
compile_kernels(["ibm1"], "mira")
"""


def modules_of_kernels() -> set[str]:
    return {kernel.__module__.split(".")[-1] for kernel in KERNELS}


def test_every_counted_module_has_kernels() -> None:
    named = set().union(*(a.modules for a in ALIGNERS.values()), *TUNERS.values())
    assert named | warm_up.ESTIMATION | warm_up.SEARCH <= modules_of_kernels()


@pytest.mark.slow  # compiles all kernels again
@pytest.mark.compiled
def test_the_second_run_compiles_nothing(tmp_path: Path) -> None:
    def run() -> str:
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
        command = [sys.executable, "-c", SECOND]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True
        ).stderr

    first, second = run(), run()
    modules = warm_up.ESTIMATION | warm_up.SEARCH | {"ibm1", "mira"}
    wanted = [k.__name__ for k in KERNELS if k.__module__.split(".")[-1] in modules]
    unused = {"cut_logprobs", "describe"}  # for the laboratory and explanations
    compiled = re.search(r"(\d+) kernels compiled", first)
    assert compiled
    assert int(compiled[1]) == len([name for name in wanted if name not in unused])
    assert "will be compiled on first use" not in first
    assert "kernels compiled" not in second


def test_a_failed_second_process_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho warning >&2\necho no memory left >&2\nexit 3\n", "utf-8")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    monkeypatch.setattr(console, "quiet", False)
    with warm_up._second_process(lambda _: None):
        done = True
    assert done
    said = capsys.readouterr().err
    assert "the decoder will be compiled on first use" in said
    assert "no memory left" in said


@pytest.mark.parametrize(("threads", "beside"), [(1, False), (2, True)])
def test_one_thread_compiles_in_one_process(
    threads: int, beside: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first run compiles the search once, in this or in a second process."""
    ran = list[str]()

    @contextmanager
    def counted(count: Callable[[str], None]) -> Iterator[None]:
        count("a kernel")
        yield

    @contextmanager
    def second(_: object) -> Iterator[None]:
        ran.append("beside")
        yield

    monkeypatch.setattr(warm_up, "_counted", counted)
    monkeypatch.setattr(warm_up, "_second_process", second)
    monkeypatch.setattr(warm_up, "_search", lambda: ran.append("here"))
    monkeypatch.setattr(warm_up, "_estimate", lambda _: None)
    monkeypatch.setattr(warm_up, "_tune", lambda _: None)
    warm_up.compile_kernels(["ibm1"], "mira", threads)
    assert ran == ["beside" if beside else "here"]
