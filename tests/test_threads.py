"""``--threads 1`` is one thread, in every command and its libraries."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import get_ident
from typing import Any
from unittest import mock

import pytest
import torch

from mtkit import threads
from mtkit.nmt import parallel
from mtkit.storage.digests import BLOCK, digests_of, mismatches
from mtkit.text.corpus import Corpus
from tests.support.command import mtkit
from tests.support.paths import ROOT

# Threads that exist at the end: those of OpenMP, OpenBLAS and rayon besides the main thread.
COUNTED = """
import os, sys
from mtkit.__main__ import main
try:
    main()
except SystemExit as end:
    assert not end.code
print(len(os.listdir("/proc/self/task")), file=sys.stderr)
"""


@pytest.fixture
def place(
    few: Corpus, smt_directory: Path, nmt_directory: Path, combination_directory: Path,
    tmp_path: Path,
) -> Path:  # fmt: skip
    directories = {"smt": smt_directory, "nmt": nmt_directory, "both": combination_directory}
    for name, directory in directories.items():
        (tmp_path / name).symlink_to(directory)
    assert few.test
    for split, text in (("train", few.train), ("test", few.test)):
        for language, lines in (("en", text.source), ("de", text.target)):
            content = "".join(f"{line}\n" for line in lines)
            (tmp_path / f"{split}.{language}").write_text(content, encoding="utf-8")
    return tmp_path


TEST = ["--test", "test.en", "test.de"]
TEXT = ["train.en", "train.de"]
COMMANDS = {
    "perplexity": ["perplexity", "smt", "nmt", *TEST],
    "compare": ["compare", "smt", "nmt", "--fresh", *TEST],
    "translate-smt": ["translate", "--model", "smt", "test.en"],
    "translate-nmt": ["translate", "--model", "nmt", "test.en"],
    "translate-both": ["translate", "--model", "both", "test.en"],
    "encode": ["encode", "--model", "nmt", "--out", "v.npy"],
    "explain": ["explain", "Where is it?", "--model", "smt", "--model", "nmt"],
    "align": ["align", "--train", *TEXT, "--score"],
    "check": ["corpus", "check", *TEXT],
    "info": ["info", "smt", "--check"],
    "export": ["export", "smt", "--out", "moses"],
    "train-smt": ["train-smt", "--train", *TEXT, "--dev", *TEST[1:], "--out", "new"],
    "combine": ["combine", "smt", "nmt", "--dev", "test.en", "test.de", "--out", "new"],
}


Pools = list[int | None]


@pytest.fixture
def pools(monkeypatch: pytest.MonkeyPatch) -> Pools:
    """Record the sizes of all thread pools."""
    sizes, begin = Pools(), ThreadPoolExecutor.__init__

    def begun(self: ThreadPoolExecutor, size: int | None = None, *more: Any, **named: Any) -> None:
        sizes.append(size)
        begin(self, size, *more, **named)

    monkeypatch.setattr(ThreadPoolExecutor, "__init__", begun)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    return sizes


@pytest.mark.parametrize("name", COMMANDS)
def test_one_thread_makes_no_larger_pool(name: str, place: Path, pools: Pools) -> None:
    own = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        mtkit(*COMMANDS[name], "--threads", 1, cwd=place, stdin=b"One line.\n", cores=8)
        if name in ("perplexity", "compare", "translate-nmt", "translate-both", "encode"):
            assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(own)
    assert set(pools) <= {1}


def test_without_a_limit_pools_are_larger(place: Path, pools: Pools) -> None:
    mtkit(*COMMANDS["align"], cwd=place, cores=8)
    assert max(filter(None, pools)) > 1


def test_hashing_obeys_the_thread_limit(
    tmp_path: Path, pools: Pools, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "large").write_bytes(bytes(5 * BLOCK))
    monkeypatch.setattr(threads, "_limit", 1)
    kept = digests_of(tmp_path, [tmp_path / "large"])
    monkeypatch.setattr(threads, "_limit", 3)
    assert mismatches(tmp_path, kept, tmp_path, sample=None) == {}
    assert pools == [1, 3]


def test_one_thread_runs_jobs_in_the_caller() -> None:
    """Meanwhile libraries use one thread, too."""
    own = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        run = parallel.in_threads(lambda _: (get_ident(), torch.get_num_threads()), range(3), 1)
        assert list(run) == [(get_ident(), 1)] * 3
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(own)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc counts the threads")
@pytest.mark.parametrize("name", ["perplexity", "encode", "explain", "check", "info"])
def test_libraries_use_one_thread(name: str, place: Path) -> None:
    command = [sys.executable, "-c", COUNTED, *COMMANDS[name], "--threads", "1"]
    taken = dict.fromkeys(threads.VARIABLES, "2") | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=place, env=os.environ | taken, capture_output=True, input=b"One line.\n"
    )
    assert done.stderr.decode().splitlines()[-1] == "1"


def test_the_default_is_every_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 5})
    with mock.patch.dict(os.environ):
        threads.limit(2)
        assert (threads.cores(), threads.cores(7)) == (2, 7)
        assert {os.environ[name] for name in threads.VARIABLES} == {"2"}
        threads.limit(0)
        assert threads.cores() == 3
