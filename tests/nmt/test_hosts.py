"""Training on two machines resumes after one process is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from mtkit.manifest import Manifest
from mtkit.nmt.training import checkpoint
from mtkit.nmt.training.build import CHECKPOINT
from mtkit.storage.stages import stages_directory
from mtkit.text.corpus import Corpus
from tests.support import hosts
from tests.support.command import WATCHDOG
from tests.support.hosts import ADDRESSES, PORT
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow
UPDATES = 400
TRAIN = ["tests.support.tiny", "train-nmt", "--train", "t.en", "t.de", "--preset", "quick"]
TRAIN += [
    "--updates",
    str(UPDATES),
    "--bpe-dropout",
    "0.1",
    "--precision",
    "fp32",
    "--threads",
    "2",
]


@pytest.fixture
def where(few: Corpus, tmp_path: Path) -> Path:
    if not hosts.can_be_made():
        pytest.skip("this user may not make network namespaces")
    for language, lines in (("en", few.train.source), ("de", few.train.target)):
        (tmp_path / f"t.{language}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def torchrun(k: int) -> list[str]:
    """Return the start of the command on machine ``k`` of two."""
    options = ["--nnodes", "2", "--nproc-per-node", "1", "--max-restarts", "3"]
    meet = ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"{ADDRESSES[0]}:{PORT}", "--rdzv-id", "m"]
    host = [f"--rdzv-conf=is_host={int(k == 0)}", "--local-addr", ADDRESSES[k]]
    return [sys.executable, "-m", "torch.distributed.run", *options, *meet, *host, "-m"]


def trained(name: str) -> list[str]:
    return [sys.executable, "-m", *TRAIN, "--out", name]


def process_of(agent: int) -> int:
    """Return the id of the training process that an agent has started."""
    [child] = Path(f"/proc/{agent}/task/{agent}/children").read_text().split()
    return int(child)


def wait_for_update(where: Path, update: int, *agents: subprocess.Popen[bytes]) -> None:
    late = time.monotonic() + WATCHDOG
    kept = stages_directory(where / "two") / CHECKPOINT
    while not kept.exists() or checkpoint.progress_of(kept)["update"] < update:
        assert all(agent.poll() is None for agent in agents)
        assert time.monotonic() < late
        time.sleep(0.05)


@pytest.mark.parametrize("killed", [0, 1])
def test_training_resumes_when_a_machine_loses_its_process(killed: int, where: Path) -> None:
    variables = {"PYTHONPATH": str(ROOT), "MTKIT_PLAIN": "1"}
    subprocess.run(
        trained("one"), cwd=where, env={**os.environ, **variables}, check=True, capture_output=True
    )
    with hosts.hosts() as names:
        agents = [
            hosts.start(
                name, [*torchrun(k), *TRAIN, "--out", "two"], where / f"{k}.log", **variables
            )
            for k, name in enumerate(names)
        ]
        wait_for_update(where, UPDATES // 2, *agents)
        os.kill(process_of(agents[killed].pid), signal.SIGKILL)
        codes = [agent.wait(WATCHDOG) for agent in agents]
    said = [(where / f"{k}.log").read_text("utf-8") for k in range(2)]
    assert codes == [0, 0], said
    assert f"resumed at update {UPDATES // 2} of {UPDATES}" in said[0] + said[1]
    one, two = (load_file(where / name / "weights.safetensors") for name in ("one", "two"))
    for name, expected in one.items():
        torch.testing.assert_close(two[name], expected, rtol=1e-3, atol=1e-4)
    assert not stages_directory(where / "two").exists()
    a, b = (Manifest.read(where / name).figures for name in ("one", "two"))
    assert b["dev_perplexity"] == pytest.approx(a["dev_perplexity"], rel=1e-3)
    last = json.loads((where / "two/log.jsonl").read_text("utf-8").splitlines()[-1])
    assert last["update"] == UPDATES
