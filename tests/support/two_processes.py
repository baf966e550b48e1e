"""What each of several processes does in ``test_parallel``: some updates, then the command."""

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
CONFIG = replace(TINY, batch=3, smoothing=0.1)  # shares of 2 and 1, and of 1 and none


def updated() -> Run:
    """A run after some updates, and the losses and norms on the way as its history."""
    run = Run(CONFIG, 14, ten_pairs(), ten_pairs())
    for _ in range(UPDATES):
        loss, norm = run.step(run.next_batch(), 20)
        run.history.append({"loss": loss.item(), "norm": norm.item()})
    return run


@contextmanager
def processes(*arguments: object) -> Iterator[None]:
    """As the command meets the others, with the updates done and saved first."""
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
