"""Train the laboratory's recurrent language models under one budget and measure each of them.

Several are trained at once, one per thread. Each has its own random generator, so that the results
do not depend on the number of threads.
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

HISTORY = 64  # words before the predicted word: its full context
K = 50  # largest distance at which gradients are measured
CUT = (*range(11), 12, 14, 16, 20, 25, 30, 40, 50, HISTORY)
SHUFFLED = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50)
GRADIENTS = 200  # windows whose gradients are computed
PAIRS = 100  # sentence pairs whose gradients are computed
LEAST_PAIRS = 20  # fewest word pairs for a figure at a number of steps
SHUFFLE = 2018  # seed for shuffling histories


@dataclass(frozen=True)
class Setup:
    """Settings of a model, the same for all seeds. clip: τ, 0 = none. scale: initial ‖U‖₂."""

    name: str
    cell: Cell
    residual: Literal["none", "layers", "time"] = "none"
    norm: bool = False
    layers: int = 1
    clip: float = 1.0
    scale: float = 1.0
    share: float = 1.0  # of the planned updates

    def shape(self, vocabulary: int, hidden: int) -> LmConfig:
        """Return the network's shape; with several layers, each has half of ``hidden`` units."""
        units = hidden // 2 if self.layers > 1 else hidden
        kind = self.cell, units, self.layers, self.residual, self.norm
        return LmConfig(vocabulary, *kind, scale=self.scale)

    def updates(self, planned: int) -> int:
        """Return the number of updates if a set-up with share 1 has ``planned``."""
        return max(1, round(planned * self.share))


class Trained(NamedTuple):
    """A trained model. trace: loss and gradient norm before clipping, by update, (updates, 2)."""

    setup: Setup
    model: LanguageModel
    trace: Floats


class Probe(NamedTuple):
    """Measurements of one model on N windows; gradients on at most ``GRADIENTS`` of them."""

    states: Floats  # ‖∂L_t/∂s_{t−k}‖, k = 0 … K, (min(N, GRADIENTS), K + 1)
    inputs: Floats  # ‖∂L_t/∂e_{t−k}‖, likewise
    spectral_norm: float
    gates: dict[str, float]  # gate → mean over tokens and units
    span: Floats | None  # memory span of each unit in tokens, (D,); None without such a gate
    cut: Floats  # −ln P given only the last k words, k in CUT, (N, len(CUT))
    shuffled: Floats  # −ln P with the words before the last k shuffled, (N, len(SHUFFLED))


def spread(N: int, n: int) -> Ids:
    """Return at most ``n`` of the indices 0 … N − 1 at equal distances, int64."""
    return np.linspace(0, N - 1, min(n, N)).astype(np.int64)


def train_all(
    setups: Sequence[Setup], seeds: Sequence[int], stream: Ids, vocabulary: int, hidden: int,
    updates: int, threads: int, on_update: Callable[[], None] = lambda: None,
) -> list[list[Trained]]:  # fmt: skip
    """Train every set-up with every seed; return the models by set-up and seed, in order.

    stream: ids of the text (T,). hidden: units. updates: of a set-up whose share is 1.
    """
    autocast = resolved("auto", "cpu") == "bf16"
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
    """Measure one model. windows: ids (N, HISTORY + 1), the predicted word last."""
    histories, targets = windows[:, :-1], windows[:, -1]
    sample = windows[spread(len(windows), GRADIENTS)]
    norms = gradients.by_distance(model, sample, K)
    gates = gradients.mean_gates(model, sample[:, :-1])
    cut = [next_logprobs(model, histories[:, HISTORY - k :], targets) for k in CUT]
    rng = np.random.default_rng(SHUFFLE)
    shuffled = []
    for k in SHUFFLED:
        permuted = histories.copy()
        permuted[:, : HISTORY - k] = rng.permuted(permuted[:, : HISTORY - k], axis=1)
        shuffled.append(next_logprobs(model, permuted, targets))
    means = {name: float(mean.mean()) for name, mean in gates.items()}
    span, spectral_norm = gradients.memory_span(model, gates), gradients.spectral_norm(model)
    return Probe(*norms, spectral_norm, means, span, -np.stack(cut, 1), -np.stack(shuffled, 1))


def norms_by_steps(system: NmtSystem, text: Bitext) -> Band:
    """Return ‖∂L_t/∂e_i‖ by the steps from x_i to y_t, 0 … K: median and central 80 %.

    Measured on a systematic sample of ``PAIRS`` pairs of ``text``. Steps with fewer than
    ``LEAST_PAIRS`` word pairs are left out.
    """
    data = system.data(text.select(spread(len(text), PAIRS).tolist()))
    batches = map(data.batch, batch_rows(data.sources, PAIRS))
    by_batch = (gradients.by_steps(system.models[0], batch) for batch in batches)
    norms, steps = map(np.concatenate, zip(*by_batch, strict=True))
    measured = [k for k in range(K + 1) if (steps == k).sum() >= LEAST_PAIRS]
    quantiles = [np.quantile(norms[steps == k], [0.1, 0.5, 0.9]) for k in measured]
    low, middle, high = np.transpose(quantiles).tolist()
    return Band(list(map(float, measured)), middle, low, high)
