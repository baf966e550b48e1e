"""Training with two processes equals training with one."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mtkit.console import console
from mtkit.errors import InputError
from mtkit.manifest import Manifest
from mtkit.nmt import parallel
from mtkit.nmt.data import epoch
from mtkit.text.corpus import Corpus
from tests.support.neural_runs import ten_pairs
from tests.support.paths import ROOT
from tests.support.two_processes import updated

TWO = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


@pytest.fixture(scope="module")
def together(few: Corpus, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return the directory of a training by two processes, and its messages."""
    where = tmp_path_factory.mktemp("together")
    for language, lines in (("en", few.train.source), ("de", few.train.target)):
        (where / f"t.{language}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    options = ["--train", "t.en", "t.de", "--preset", "quick", "--updates", "6", "--out", "model"]
    done = subprocess.run(
        [*TWO, "-m", "tests.support.two_processes", "train-nmt", *options],
        cwd=where,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return where, done.stderr


def test_two_processes_update_as_one_does(together: tuple[Path, str]) -> None:
    where, _ = together
    a, b = (torch.load(where / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    alone = updated()
    for name, expected in alone.model.state_dict().items():
        assert torch.equal(a["weights"][name], b["weights"][name])
        torch.testing.assert_close(a["weights"][name], expected, rtol=1e-4, atol=1e-6)
    for one, two in zip(alone.history, a["history"], strict=True):
        assert two == pytest.approx(one, rel=1e-4)


def test_shares_partition_the_batch() -> None:
    data = ten_pairs()
    for rows in epoch(data, 3, np.random.default_rng(1)):
        batch = data.batch(rows)
        shares = [batch.share(rank, 2) for rank in (0, 1)]
        assert sorted(r for share in shares for r in share.rows) == sorted(rows)
        assert sum(len(share.real) for share in shares) == len(batch.real)


def test_the_command_trains_one_model_with_two_processes(together: tuple[Path, str]) -> None:
    where, said = together
    assert said.count("model: model") == 1
    kept = {p.name for p in where.iterdir()} - {"0.pt", "1.pt", "t.de", "t.en"}
    assert kept == {"model"}
    Manifest.read(where / "model")


def test_a_gpu_is_used_unless_the_cpu_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="PyTorch finds no GPU"), parallel.processes("cuda"):
        pass
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for choice, kind in (("auto", "cuda"), ("cuda", "cuda"), ("cpu", "cpu")):
        with parallel.processes(choice):
            assert parallel.device().type == kind
        assert parallel.device().type == "cuda"


def test_probing_bf16_draws_no_random_number() -> None:
    """Otherwise ``auto`` and the precision that it chooses would give different runs."""
    before = torch.get_rng_state()
    with contextlib.suppress(InputError):  # if the processor lacks it
        parallel.resolved("bf16")
    assert torch.equal(torch.get_rng_state(), before)


def test_auto_is_fp32_without_known_bf16_support(monkeypatch: pytest.MonkeyPatch) -> None:
    for can, expected in (
        ({"avx512_bf16": True}, "bf16"),
        ({"amx_bf16": True}, "bf16"),
        ({}, "fp32"),
    ):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda can=can: can, raising=False)
        with parallel.processes("cpu"):
            assert parallel.resolved("auto") == expected
        with monkeypatch.context() as patch:  # a GPU does not decide for the CPU
            patch.setattr(torch.cuda, "is_available", lambda: True)
            assert parallel.resolved("auto", "cpu") == expected
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    with parallel.processes("cpu"):
        assert parallel.resolved("auto") == "fp32"


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), "fp32"), ((9, 0), "bf16")])
def test_auto_is_fp32_on_gpus_that_emulate_bf16(
    capability: tuple[int, int], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    assert parallel.resolved("auto", "cuda") == expected


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have another library")
def test_spinning_threads_of_torch_are_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console, "quiet", False)
    for name, said in (("PATH", 1), ("GOMP_SPINCOUNT", 0), ("OMP_WAIT_POLICY", 0)):
        monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
        monkeypatch.setenv(name, os.environ.get(name, "1"))
        with parallel.processes():
            pass
        assert capsys.readouterr().err.count("set GOMP_SPINCOUNT=2000") == said
