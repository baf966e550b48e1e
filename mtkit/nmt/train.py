"""Training: minimise the label-smoothed cross-entropy −Σ_t ln P(y_t | y_<t, x) by Adam.

Recipe, with its sources:
    clipping       g ← g · τ / max(τ, ‖g‖), the cure of exploding gradients (Pascanu et al. 2013)
    schedule       linear warm-up, then half a cosine down to 2 % of the peak
    averaging      θ̄ ← θ̄ + (1 − β)(θ − θ̄) after every update; θ̄ is what is validated and kept
    smoothing      ε of each target's probability spread over the vocabulary (Szegedy et al. 2016)
    early stopping the weights with the lowest dev perplexity win; `patience` validations without a
                   better one end the run

A time budget is turned once, by timing the first updates, into a number of updates, so that
everything after that depends on counts and seeds only.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from rich.progress import Progress, TaskID
from torch import Tensor
from torch.nn import functional

from mtkit.console import note, progress
from mtkit.nmt.data import Batch, batch_rows, drop_words, epoch, make_batch
from mtkit.nmt.model import ModelConfig, Seq2Seq
from mtkit.vocabulary import PAD

TIMED = 30  # updates that are timed to turn minutes into updates
WARM = 10  # updates before those: the allocator and the caches settle


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a run; the resolved one is saved with the model.

    vocabulary: joint BPE pieces, 0 = 8 √N for N target words. batch: sentences. minutes: the
    budget of wall time, 0 = none. epochs: passes over the data at most. updates: exactly so many,
    whatever the other two say (0 = they decide). clip: τ, 0 = no clipping.
    """

    cell: str = "lstm"
    attention: str = "bilinear"
    embedding: int = 256
    hidden: int = 320
    encoder_layers: int = 1
    decoder_layers: int = 2
    vocabulary: int = 0
    dropout: float = 0.25
    word_dropout: float = 0.1
    smoothing: float = 0.1
    batch: int = 64
    learning_rate: float = 4e-3
    warmup: int = 200
    clip: float = 1.0
    average: float = 0.998
    epochs: int = 30
    minutes: float = 33.0
    updates: int = 0
    validations: int = 20
    patience: int = 5
    max_length: int = 100
    seed: int = 1


PRESETS = {
    "small": TrainConfig(),
    # Small batches of a small network: what a few thousand sentences and minutes are best spent on.
    "quick": TrainConfig(
        embedding=192,
        hidden=256,
        decoder_layers=1,
        vocabulary=4000,
        dropout=0.15,
        word_dropout=0.0,
        batch=32,
        learning_rate=8e-3,
        warmup=100,
        minutes=2.5,
        validations=8,
    ),
    "textbook": TrainConfig(attention="none"),
}


@dataclass(frozen=True)
class Data:
    """Subword ids of sources and targets, without specials, and the targets' word counts."""

    sources: list[list[int]]
    targets: list[list[int]]
    target_words: list[int]

    def __len__(self) -> int:
        return len(self.sources)


def learning_rate(update: int, total: int, config: TrainConfig) -> float:
    """The schedule of the module's docstring, ``update`` counted from 0."""
    warm = min(1.0, (update + 1) / max(1, config.warmup))
    done = max(0.0, (update - config.warmup) / max(1, total - config.warmup))
    return (
        config.learning_rate * warm * (0.02 + 0.98 * (1 + math.cos(math.pi * min(done, 1.0))) / 2)
    )


def loss_of(model: Seq2Seq, batch: Batch, smoothing: float, y_in: Tensor) -> Tensor:
    """Mean smoothed cross-entropy a target subword, in nats."""
    logits = model(batch.x, y_in, batch.y_out)
    return functional.cross_entropy(
        logits, batch.y_out[batch.y_out != PAD], label_smoothing=smoothing
    )


@torch.inference_mode()
def log_probabilities(model: Seq2Seq, data: Data, batch: int = 64) -> list[float]:
    """ln P(y|x) of every pair, for the subwords as they are given."""
    model.eval()
    result = [0.0] * len(data)
    for rows in batch_rows(data.sources, batch):
        b = make_batch(data.sources, data.targets, rows)
        real = b.y_out != PAD
        logp = torch.zeros(b.y_out.shape)
        logits = model(b.x, b.y_in, b.y_out)
        logp[real] = -functional.cross_entropy(logits, b.y_out[real], reduction="none")
        for row, value in zip(rows, logp.double().sum(-1).tolist(), strict=True):
            result[row] = value
    return result


def perplexity(model: Seq2Seq, data: Data) -> float:
    """exp(−(1/N) Σ ln P(y|x)), N = target words and one ``</s>`` a sentence."""
    tokens = sum(data.target_words) + len(data)
    return math.exp(min(50.0, -sum(log_probabilities(model, data)) / tokens))


class Run:
    """One training run: the network, its moving average, and where it stands."""

    def __init__(self, config: TrainConfig, pieces: int, train: Data, dev: Data) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.train, self.dev = train, dev
        self.model = Seq2Seq(model_config(config, pieces))
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.best: tuple[float, int] = (math.inf, 0)
        self.best_weights = self.average.state_dict()
        self.optimiser = torch.optim.Adam(self.model.parameters(), betas=(0.9, 0.98), fused=True)
        self.rng = np.random.default_rng(config.seed)
        self.generator = torch.Generator().manual_seed(config.seed)
        self.update = 0
        self.queue: list[list[int]] = []
        self.history: list[dict[str, float]] = []

    @property
    def batches_per_epoch(self) -> int:
        """Updates that one pass over the data takes."""
        return sum(1 for _ in batch_rows(self.train.sources, self.config.batch))

    def next_batch(self) -> Batch:
        """The next batch; a new epoch in new order when the last one is used up."""
        if not self.queue:
            self.queue = epoch(self.train.sources, self.train.targets, self.config.batch, self.rng)
        return make_batch(self.train.sources, self.train.targets, self.queue.pop())

    def step(self, batch: Batch, total: int) -> tuple[Tensor, Tensor]:
        """One update; the loss and the gradient's norm before clipping, still as tensors."""
        config = self.config
        self.model.train()
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.update, total, config)
        self.optimiser.zero_grad(set_to_none=True)
        y_in = drop_words(batch.y_in, config.word_dropout, self.generator)
        loss = loss_of(self.model, batch, config.smoothing, y_in)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(
            self.model.parameters(), config.clip or math.inf, foreach=True
        )
        self.optimiser.step()
        self.update += 1
        beta = min(config.average, (1 + self.update) / (10 + self.update))
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self.average.parameters()), list(self.model.parameters()), 1 - beta
            )
        return loss.detach(), norm.detach()

    def validate(self) -> tuple[float, bool]:
        """Dev perplexity of the averaged weights, and whether it is the lowest so far."""
        value = perplexity(self.average, self.dev)
        better = value < self.best[0]
        if better:
            self.best = (value, self.update)
            self.best_weights = {k: v.clone() for k, v in self.average.state_dict().items()}
        return value, better


def model_config(config: TrainConfig, pieces: int) -> ModelConfig:
    """The part of the configuration that shapes the network."""
    names = ("cell", "attention", "embedding", "hidden", "encoder_layers", "decoder_layers")
    shape: dict[str, Any] = {name: getattr(config, name) for name in (*names, "dropout")}
    return ModelConfig(vocabulary=pieces, **shape)


def plan_updates(run: Run, seconds_per_update: float, spent: float) -> int:
    """How many updates fit into the budget, validations included."""
    config = run.config
    total = config.epochs * run.batches_per_epoch
    if config.minutes > 0:
        start = time.perf_counter()
        perplexity(run.average, run.dev)
        validation = time.perf_counter() - start
        left = config.minutes * 60 * 0.97 - spent - (config.validations + 1) * validation
        total = min(total, run.update + int(left / seconds_per_update))
    return max(run.update + 1, total)


def train(run: Run, log: Callable[[str], None] = note) -> Seq2Seq:
    """Train to the end of the plan or of the patience; the best averaged weights, in eval mode."""
    start = time.perf_counter()
    total = run.config.updates
    if not total:
        provisional = run.config.epochs * run.batches_per_epoch
        log(f"timing the first {WARM + TIMED} updates")
        for _ in range(WARM):
            run.step(run.next_batch(), provisional)
        timed = time.perf_counter()
        for _ in range(TIMED):
            run.step(run.next_batch(), provisional)
        now = time.perf_counter()
        total = plan_updates(run, (now - timed) / TIMED, now - start)
    run.config = replace(run.config, updates=total)
    if total < run.batches_per_epoch:
        log("the budget ends within the first pass over the text: this will be no translator")
    log(f"{total} updates = {total / run.batches_per_epoch:.1f} epochs of {len(run.train)} pairs")
    every = max(1, total // run.config.validations)
    with progress() as bar:
        task = bar.add_task("training", total=total, completed=run.update, status="")
        stale = 0
        while run.update < total and stale < run.config.patience:
            stop = min(total, (run.update // every + 1) * every)
            better = _until(run, stop, total, start, bar, task, log)
            stale = 0 if better else stale + 1
    run.average.load_state_dict(run.best_weights)
    return run.average.eval()


def _until(
    run: Run,
    stop: int,
    total: int,
    start: float,
    bar: Progress,
    task: TaskID,
    log: Callable[[str], None],
) -> bool:
    """Update until ``stop``, then validate and report; whether dev perplexity improved."""
    losses: list[Tensor] = []
    norms: list[Tensor] = []
    tokens, begun = 0, time.perf_counter()
    while run.update < stop:
        batch = run.next_batch()
        tokens += batch.tokens
        loss, norm = run.step(batch, total)
        losses.append(loss)
        norms.append(norm)
        bar.update(task, completed=run.update, status="")
    now = time.perf_counter()
    dev, better = run.validate()
    clip = run.config.clip or math.inf
    gradient = torch.stack(norms)
    entry = {
        "update": run.update,
        "loss": torch.stack(losses).mean().item(),
        "dev_perplexity": dev,
        "gradient_norm": gradient.median().item(),
        "clipped": (gradient > clip).float().mean().item(),
        "tokens_per_second": tokens / (now - begun),
    }
    run.history.append(entry)
    left = (now - start) / run.update * (total - run.update) / 60
    log(
        f"{run.update:6d}/{total}  loss {entry['loss']:.3f}  dev ppl {dev:8.2f}"
        f"{' *' if better else '  '} grad {entry['gradient_norm']:.2f}"
        f" clipped {entry['clipped']:4.0%}  {entry['tokens_per_second']:6.0f} tok/s"
        f"  {left:4.1f} min left"
    )
    return better


def make_data(
    sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], words: Sequence[int]
) -> Data:
    """Lists as ``Data``."""
    return Data([list(s) for s in sources], [list(t) for t in targets], list(words))
