"""How long a run is: its budget as a number of updates, decided once and said in words.

    N = min(epochs · u, (0.97 · 60 · minutes − o) / s)

u updates are a pass over the text, s the seconds of an update, o those of everything else. Updates
are timed only where there is a budget of time, and then undone: a run by the clock is, bit for bit,
the run of as many updates.
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

WARM = 10  # updates before the timed ones: the allocator and the caches settle
TIMED = 30  # updates that are timed to turn minutes into updates
USED = 0.97  # of the budget; the rest is for what no plan foresees


@dataclass(frozen=True)
class Pace:
    """Seconds of an update, and of everything beside updates: preparation and validations."""

    update: float
    overhead: float

    def updates_in(self, minutes: float) -> int:
        """How many updates so many minutes buy, at least one."""
        return max(1, int((USED * 60 * minutes - self.overhead) / self.update))

    def minutes_for(self, updates: float) -> float:
        """The minutes that so many updates take."""
        return (updates * self.update + self.overhead) / (USED * 60)


def plan(run: Run, begun: float) -> list[str]:
    """Decide how many updates the run will have; the plan in words, with a warning where it is too
    short for a network that begins from nothing. begun: when the preparation began, by
    ``time.perf_counter``, as that is part of the budget.
    """
    config, pace, per_epoch = run.config, None, run.batches_per_epoch
    if config.minutes and not config.updates:
        pace = _pace(run, begun)
    run.config = replace(config, updates=updates_of(config, per_epoch, pace))
    lines = in_words(run.config, per_epoch, len(run.train), pace)
    return lines[:1] if run.continued else lines


def _pace(run: Run, begun: float) -> Pace:
    """Time some updates and a validation; the run is afterwards where it was."""
    note(f"timing {WARM + TIMED} updates (preset {run.config.preset})")
    run.keep()
    for k in range(WARM + TIMED):
        if k == WARM:
            start = time.perf_counter()
        run.step(run.next_batch(), run.config.epochs * run.batches_per_epoch)
    update = (time.perf_counter() - start) / TIMED
    start = time.perf_counter()
    perplexity(run.average, run.dev)
    validation = time.perf_counter() - start
    run.restore()
    parallel.wait()  # until all have read what was kept
    overhead = time.perf_counter() - begun + run.config.validations * validation
    return Pace(parallel.agreed(update), parallel.agreed(overhead))


def updates_of(config: TrainConfig, per_epoch: int, pace: Pace | None) -> int:
    """N of the module's docstring; ``config.updates`` where they are fixed."""
    total = config.updates or config.epochs * per_epoch
    return min(total, pace.updates_in(config.minutes)) if pace else total


def in_words(config: TrainConfig, per_epoch: int, pairs: int, pace: Pace | None) -> list[str]:
    """The plan; and a warning where it has less than half the passes that the preset is made for,
    in which the network sees too little before its learning rate falls.
    """
    epochs, needed = config.updates / per_epoch, PRESETS[config.preset].epochs // 2
    passes = _of(f"{epochs:.1f}" if epochs >= 0.1 else f"{epochs:.1g}", "epoch")
    wall = f" in {_of(_rounded(pace.minutes_for(config.updates)), 'minute')}" if pace else ""
    line = f"plan: {passes} of {pairs:,} pairs = {_of(f'{config.updates:,}', 'update')}{wall}"
    if epochs >= needed:
        return [line]
    remedy = f"use --epochs {needed}"
    if pace and config.updates < config.epochs * per_epoch:
        minutes = math.ceil(pace.minutes_for(needed * per_epoch))
        remedy = f"use --minutes {minutes}"
    return [line, f"warning: only {passes}; a usable network needs about {needed}; {remedy}"]


def _rounded(minutes: float) -> str:
    return f"{minutes:.0f}" if minutes >= 10 else f"{minutes:.1f}"


def _of(number: str, what: str) -> str:
    number = number.removesuffix(".0")
    return f"{number} {what}{'' if number == '1' else 's'}"
