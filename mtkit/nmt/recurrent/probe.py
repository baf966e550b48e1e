"""Recurrent language models of the laboratory: trained under one budget, then looked into.

Several are trained at once, one a thread; each draws from its own generator, so that the number of
threads changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Literal, NamedTuple

import numpy as np
import torch

from mtkit.evaluation.means import Band, Floats
from mtkit.nmt.data import batch_rows
from mtkit.nmt.parallel import in_threads, resolved
from mtkit.nmt.recipe import Cell
from mtkit.nmt.recurrent import gradients
from mtkit.nmt.recurrent.language_model import (
    Ids,
    LanguageModel,
    LmConfig,
    next_logprobs,
    train_language_model,
)
from mtkit.nmt.system import NmtSystem
from mtkit.text.corpus import Bitext

HISTORY = 64  # words before the one asked for: "all" of its context
K = 50  # the farthest that gradients are followed
CUT = (*range(11), 12, 14, 16, 20, 25, 30, 40, 50, HISTORY)
SHUFFLED = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50)
GRADIENTS = 200  # windows whose gradients are taken
PAIRS = 100  # of sentences, likewise
LEAST_PAIRS = 20  # of words that are a number of steps apart
SHUFFLE = 2018  # seed of the disorder


@dataclass(frozen=True)
class Setup:
    """What is trained, by all seeds alike. clip: τ, 0 = none; scale: ‖U‖₂ in the beginning."""

    name: str
    cell: Cell
    residual: Literal["none", "layers", "time"] = "none"
    norm: bool = False
    layers: int = 1
    clip: float = 1.0
    scale: float = 1.0
    share: float = 1.0  # of the updates that the others get

    def shape(self, vocabulary: int, hidden: int) -> LmConfig:
        """The network, of so many words and units; of several layers half as wide."""
        units = hidden // 2 if self.layers > 1 else hidden
        kind = self.cell, units, self.layers, self.residual, self.norm
        return LmConfig(vocabulary, *kind, scale=self.scale)

    def updates(self, of: int) -> int:
        """How many updates a training has where the others have ``of``."""
        return max(1, round(of * self.share))


class Trained(NamedTuple):
    """A model; of each update of its training loss and gradient's norm, (updates, 2)."""

    setup: Setup
    model: LanguageModel
    trace: Floats


class Probe(NamedTuple):
    """Of one model and N windows: gradients by k = 0 … K, −ln P by k of ``CUT``, ``SHUFFLED``."""

    states: Floats  # ‖∂L_t/∂s_{t−k}‖, (N, K + 1)
    inputs: Floats  # ‖∂L_t/∂e_{t−k}‖, (N, K + 1)
    spectral_norm: float
    gates: dict[str, float]  # their means
    span: Floats | None  # in tokens, of each unit, where the cell has one
    cut: Floats  # −ln P given the last k words alone, (N, len(CUT))
    shuffled: Floats  # given all, those before the last k in disorder, (N, len(SHUFFLED))


def spread(N: int, n: int) -> Ids:
    """The numbers of at most ``n`` of N places, from the first to the last at equal distances."""
    return np.linspace(0, N - 1, min(n, N)).astype(np.int64)


def train_all(
    setups: Sequence[Setup], seeds: Sequence[int], stream: Ids, vocabulary: int, hidden: int,
    updates: int, threads: int, on_update: Callable[[], None] = lambda: None,
) -> list[list[Trained]]:  # fmt: skip
    """Every set-up by every seed, in the order given, on the ids ``stream`` (T,) of a text. hidden:
    units; updates: of a set-up whose share is 1.
    """
    autocast = resolved("auto") == "bf16"
    jobs = []
    for setup in setups:
        for seed in seeds:
            torch.manual_seed(seed)
            jobs.append((setup, LanguageModel(setup.shape(vocabulary, hidden)), seed))

    def run(job: tuple[Setup, LanguageModel, int]) -> Trained:
        setup, model, seed = job
        trace = []
        budget = setup.updates(updates), setup.clip
        for loss, norm in train_language_model(model, stream, seed, *budget, autocast):
            trace.append((loss, norm))
            on_update()
        return Trained(setup, model, np.array(trace))

    trained = in_threads(run, jobs, threads)
    return [list(group) for _, group in groupby(trained, key=attrgetter("setup"))]


def probe(model: LanguageModel, windows: Ids) -> Probe:
    """Look into one model. windows: (N, HISTORY + 1) ids, the word asked for last."""
    histories, targets = windows[:, :-1], windows[:, -1]
    sample = windows[spread(len(windows), GRADIENTS)]
    norms = gradients.by_distance(model, sample, K)
    gates = gradients.mean_gates(model, sample[:, :-1])
    cut = [next_logprobs(model, histories[:, HISTORY - k :], targets) for k in CUT]
    rng = np.random.default_rng(SHUFFLE)
    shuffled = []
    for k in SHUFFLED:
        mixed = histories.copy()
        mixed[:, : HISTORY - k] = rng.permuted(mixed[:, : HISTORY - k], axis=1)
        shuffled.append(next_logprobs(model, mixed, targets))
    means = {name: float(mean.mean()) for name, mean in gates.items()}
    span, spectral_norm = gradients.memory_span(model, gates), gradients.spectral_norm(model)
    return Probe(*norms, spectral_norm, means, span, -np.stack(cut, 1), -np.stack(shuffled, 1))


def norms_by_steps(system: NmtSystem, text: Bitext) -> Band:
    """‖∂L_t/∂e_i‖ of pairs from all of ``text`` by the steps from x_i to y_t, at most K: the median
    and the central 80 %, where there are enough pairs of words.
    """
    data = system.data(text.select(spread(len(text), PAIRS).tolist()))
    batches = map(data.batch, batch_rows(data.sources, PAIRS))
    by_batch = (gradients.by_steps(system.models[0], batch) for batch in batches)
    norms, steps = map(np.concatenate, zip(*by_batch, strict=True))
    enough = [k for k in range(K + 1) if (steps == k).sum() >= LEAST_PAIRS]
    quantiles = [np.quantile(norms[steps == k], [0.1, 0.5, 0.9]) for k in enough]
    low, middle, high = np.transpose(quantiles).tolist()
    return Band(list(map(float, enough)), middle, low, high)
