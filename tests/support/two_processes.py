"""What each of several processes does in ``test_parallel``: some updates, then what it has."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import torch

from mtkit.nmt import parallel
from mtkit.nmt.training.run import Run
from tests.support.neural_runs import TINY, ten_pairs

UPDATES = 7
CONFIG = replace(TINY, batch=3, smoothing=0.1)  # shares of 2 and 1, and of 1 and none


def updated() -> Run:
    """A run after some updates, and the losses and norms on the way as its history."""
    run = Run(CONFIG, 14, ten_pairs(), ten_pairs())
    for _ in range(UPDATES):
        loss, norm = run.step(run.next_batch(), 20)
        run.history.append({"loss": loss.item(), "norm": norm.item()})
    return run


if __name__ == "__main__":
    with parallel.processes():
        run = updated()
        content = {"weights": run.model.state_dict(), "history": run.history}
        torch.save(content, Path(sys.argv[1]) / f"{parallel.RANK}.pt")
