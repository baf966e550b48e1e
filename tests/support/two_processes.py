"""The program of each process in ``test_parallel``: some updates, then the command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch

from mtkit.__main__ import main
from mtkit.nmt import parallel
from mtkit.nmt.recipe import PRESETS
from mtkit.nmt.training.update import Run
from tests.support.neural_runs import TINY, ten_pairs
from tests.support.tiny import TINY as TINY_PRESET

UPDATES = 7
CONFIG = replace(TINY, batch=3, smoothing=0.1)  # batches of 3 split 2 + 1; of 1 split 1 + 0


def updated() -> Run:
    """Return a run after some updates, with losses and norms as its history."""
    run = Run(CONFIG, 14, ten_pairs(), ten_pairs())
    for _ in range(UPDATES):
        loss, norm = run.step(run.next_batch(), 20)
        run.history.append({"loss": loss.item(), "norm": norm.item()})
    return run


@contextmanager
def processes(*arguments: object) -> Iterator[None]:
    """Do and save the updates, then run the block within ``parallel.processes``."""
    with meet(*arguments):  # type: ignore[arg-type]
        run = updated()
        content = {"weights": run.model.state_dict(), "history": run.history}
        torch.save(content, f"{parallel.RANK}.pt")
        yield


meet = parallel.processes

if __name__ == "__main__":
    parallel.processes = processes
    PRESETS["quick"] = TINY_PRESET
    main()
