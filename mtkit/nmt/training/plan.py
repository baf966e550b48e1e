"""The length of a run: its budget is turned once into a number of updates.

    N = min(epochs · u, (0.97 · 60 · minutes − o) / s)

u: updates per epoch; s: seconds per update; o: seconds of everything else. Updates are timed only
if there is a time budget, and then undone: the run is, bit for bit, the same as one that was given
N updates.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

from mtkit.console import note
from mtkit.nmt import parallel
from mtkit.nmt.loss import perplexity
from mtkit.nmt.recipe import PRESETS, TrainConfig
from mtkit.nmt.training.update import Run

WARM_UP_UPDATES = 10  # updates before the timed ones, for the allocator and the caches
TIMED_UPDATES = 30  # updates that are timed
BUDGET_SHARE = 0.97  # share of the budget that is planned; the rest is reserve


@dataclass(frozen=True)
class Pace:
    """Seconds per update, and of preparation and all validations together."""

    update: float
    overhead: float

    def updates_in(self, minutes: float) -> int:
        """Return the number of updates that fit in ``minutes``, at least one."""
        return max(1, int((BUDGET_SHARE * 60 * minutes - self.overhead) / self.update))

    def minutes_for(self, updates: float) -> float:
        """Return the minutes that so many updates take."""
        return (updates * self.update + self.overhead) / (BUDGET_SHARE * 60)


def plan(run: Run, start_time: float) -> list[str]:
    """Set the run's number of updates; return the plan as text, one message per item.

    A warning follows if the plan is too short for an untrained network. start_time: the
    ``time.perf_counter`` when preparation began, which counts towards the budget.
    """
    config, pace, per_epoch = run.config, None, run.batches_per_epoch
    if config.minutes and not config.updates:
        pace = _pace(run, start_time)
    run.config = replace(config, updates=updates_of(config, per_epoch, pace))
    lines = plan_lines(run.config, per_epoch, len(run.train), pace)
    return lines[:1] if run.continued else lines


def _pace(run: Run, start_time: float) -> Pace:
    """Time some updates and a validation, then restore the run."""
    note(f"timing {WARM_UP_UPDATES + TIMED_UPDATES} updates (preset {run.config.preset})")
    run.keep()
    for k in range(WARM_UP_UPDATES + TIMED_UPDATES):
        if k == WARM_UP_UPDATES:
            start = time.perf_counter()
        run.step(run.next_batch(), run.config.epochs * run.batches_per_epoch)
    update = (time.perf_counter() - start) / TIMED_UPDATES
    start = time.perf_counter()
    perplexity(run.average, run.dev)
    validation = time.perf_counter() - start
    run.restore()
    parallel.wait()  # until all processes have read the checkpoint
    overhead = time.perf_counter() - start_time + run.config.validations * validation
    return Pace(parallel.from_first_process(update), parallel.from_first_process(overhead))


def updates_of(config: TrainConfig, per_epoch: int, pace: Pace | None) -> int:
    """Return N of the module's docstring; ``config.updates`` replaces epochs · u unless it is 0."""
    total = config.updates or config.epochs * per_epoch
    return min(total, pace.updates_in(config.minutes)) if pace else total


def plan_lines(config: TrainConfig, per_epoch: int, pairs: int, pace: Pace | None) -> list[str]:
    """Return the plan as text, and a warning if it has less than half of the preset's epochs.

    With fewer, the learning rate falls before the network has seen enough.
    """
    epochs, needed = config.updates / per_epoch, PRESETS[config.preset].epochs // 2
    passes = _plural(f"{epochs:.1f}" if epochs >= 0.1 else f"{epochs:.1g}", "epoch")
    wall = f" in {_plural(_rounded(pace.minutes_for(config.updates)), 'minute')}" if pace else ""
    line = f"plan: {passes} of {pairs:,} pairs = {_plural(f'{config.updates:,}', 'update')}{wall}"
    if epochs >= needed:
        return [line]
    remedy = f"use --epochs {needed}"
    if pace and config.updates < config.epochs * per_epoch:
        minutes = math.ceil(pace.minutes_for(needed * per_epoch))
        remedy = f"use --minutes {minutes}"
    return [line, f"warning: only {passes}; a usable network needs about {needed}; {remedy}"]


def _rounded(minutes: float) -> str:
    return f"{minutes:.0f}" if minutes >= 10 else f"{minutes:.1f}"


def _plural(number: str, unit: str) -> str:
    number = number.removesuffix(".0")
    return f"{number} {unit}{'' if number == '1' else 's'}"
