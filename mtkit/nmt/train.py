"""Training: minimise the label-smoothed cross-entropy −Σ_t ln P(y_t | y_<t, x) by Adam.

Recipe, with its sources:
    clipping       g ← g · τ / max(τ, ‖g‖), the cure of exploding gradients (Pascanu et al. 2013)
    averaging      θ̄ ← θ̄ + (1 − β)(θ − θ̄) after every update; θ̄ is what is validated and kept
    smoothing      ε of each target's probability spread over the vocabulary (Szegedy et al. 2016)
    early stopping the weights with the lowest dev perplexity win; `patience` validations without a
                   better one end the run

A time budget is turned once, by timing the first updates, into a number of updates, so that
everything after that depends on counts and seeds only.
"""

from __future__ import annotations

import contextlib
import copy
import ctypes
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mtkit.console import note, progress
from mtkit.errors import WorkError
from mtkit.evaluate import bleu
from mtkit.nmt import checkpoint
from mtkit.nmt.checkpoint import Tensors
from mtkit.nmt.data import Batch, Data, batch_rows, drop_words, epoch, make_batch
from mtkit.nmt.model import Seq2Seq
from mtkit.nmt.recipe import TrainConfig, learning_rate, model_config, resolved
from mtkit.nmt.search import beam_search
from mtkit.vocabulary import EOS, PAD

TIMED = 30  # updates that are timed to turn minutes into updates
SAVED = 120.0  # seconds, about, between two states that are kept
LOOKED, ROW, HALVINGS = 10, 5, 8  # updates between two looks; lost ones in a row; of the rate
JUDGED = 200  # dev sentences that are translated at each validation
COUNTERS = ("update", "stale", "halvings", "save_every", "history")
ROUND = 64  # logits a batch: a multiple of this
WARM = 10  # updates before those: the allocator and the caches settle


def loss_of(model: Seq2Seq, batch: Batch, smoothing: float, y_in: Tensor) -> Tensor:
    """Mean smoothed cross-entropy a target subword, in nats.

    Only real positions get logits. Their number is rounded up, by some that count for nothing,
    since the library compiles and keeps a kernel for each size it meets.
    """
    source = model.encode(batch.x)
    o, _, _ = model.decode(y_in, source, model.start(source))
    at = (batch.y_out.flatten() != PAD).nonzero()[:, 0]
    n = len(at)
    at = functional.pad(at, (0, -n % ROUND))
    y = batch.y_out.flatten()[at]
    y[n:] = PAD
    logits = model.logits(o.flatten(0, 1)[at])
    return functional.cross_entropy(logits, y, ignore_index=PAD, label_smoothing=smoothing)


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
    """One training run: the network, its moving average, and where it stands.

    spell: a translation's subword ids as words with spaces between, for BLEU on the dev set. path:
    the file that the run is kept in, ``None`` for memory alone; see ``keep``.
    """

    def __init__(
        self,
        config: TrainConfig,
        pieces: int,
        train: Data,
        dev: Data,
        spell: Callable[[Sequence[int]], str] | None = None,
        path: Path | None = None,
    ) -> None:
        torch.manual_seed(config.seed)
        self.config = config = replace(config, precision=resolved(config.precision))
        self.train, self.dev, self.spell, self.path = train, dev, spell, path
        self.model = Seq2Seq(model_config(config, pieces))
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.best: tuple[float, int] = (math.inf, 0)
        self.best_weights = _clone(self.average.state_dict())
        self.optimiser = torch.optim.Adam(self.model.parameters(), betas=(0.9, 0.98), fused=True)
        self.rng = np.random.default_rng(config.seed)
        self.generator = torch.Generator().manual_seed(config.seed)
        self.update = self.stale = self.halvings = 0
        self.save_every = 1
        self.skipped, self.in_a_row = torch.zeros(()), torch.zeros(())
        self.queue: list[list[int]] = []
        self.history: list[dict[str, float]] = []
        self.mark = checkpoint.fingerprint(config, train, dev) if path else ""

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
        """One update; the loss and the gradient's norm before clipping, still as tensors.

        Where either is not finite the weights stay as they are, and the update counts as skipped.
        """
        config = self.config
        self.model.train()
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.update, total, config) / 2**self.halvings
        self.optimiser.zero_grad(set_to_none=True)
        y_in = drop_words(batch.y_in, config.word_dropout, self.generator)
        with torch.autocast("cpu", torch.bfloat16, enabled=config.precision == "bf16"):
            loss = loss_of(self.model, batch, config.smoothing, y_in)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(
            self.model.parameters(), config.clip or math.inf, foreach=True
        )
        lost = (~(loss.isfinite() & norm.isfinite())).float()
        self.optimiser.found_inf = lost  # type: ignore[attr-defined]  # Adam then does nothing
        self.optimiser.step()
        self.skipped += lost
        self.in_a_row = (self.in_a_row + lost) * lost
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
            self.best_weights = _clone(self.average.state_dict())
        return value, better

    # --- what outlives the process

    def keep(self) -> None:
        """Remember the run as it is now, in its file if it has one."""
        tensors, state = self._state()
        if self.path:
            checkpoint.save(self.path, tensors, state, self.mark)
        else:
            self._kept = _clone(tensors), copy.deepcopy(state)

    def restore(self) -> None:
        """Go on from where ``keep`` was called last. Raises InputError where the file is none."""
        tensors, state = checkpoint.load(self.path, self.mark) if self.path else self._kept
        part = {name: _part(tensors, name) for name in ("model", "average", "best")}
        self.model.load_state_dict(part["model"])
        self.average.load_state_dict(part["average"])
        self.best_weights = part["best"]
        adam = self.optimiser.state_dict()
        adam["state"] = {}
        for name, tensor in _part(tensors, "adam").items():
            index, what = name.split(".")
            adam["state"].setdefault(int(index), {})[what] = tensor.clone()
        self.optimiser.load_state_dict(adam)
        torch.set_rng_state(tensors["generator.torch"])
        self.generator.set_state(tensors["generator.words"])
        self.rng.bit_generator.state = state["generator"]
        self.queue = checkpoint.unflat(tensors)
        self.skipped, self.in_a_row = tensors["skipped"].clone(), torch.zeros(())
        self.best = (state["best"][0], state["best"][1])
        for name in COUNTERS:
            setattr(self, name, state[name])
        self.config = replace(self.config, updates=state["updates"])

    def _state(self) -> tuple[Tensors, dict[str, Any]]:
        tensors = {
            **{f"model.{k}": v for k, v in self.model.state_dict().items()},
            **{f"average.{k}": v for k, v in self.average.state_dict().items()},
            **{f"best.{k}": v for k, v in self.best_weights.items()},
            **{
                f"adam.{i}.{what}": tensor
                for i, moments in self.optimiser.state_dict()["state"].items()
                for what, tensor in moments.items()
            },
            **checkpoint.flat(self.queue),
            "generator.torch": torch.get_rng_state(),
            "generator.words": self.generator.get_state(),
            "skipped": self.skipped,
        }
        state = {name: getattr(self, name) for name in (*COUNTERS, "best")}
        generator = self.rng.bit_generator.state
        return tensors, state | {"generator": generator, "updates": self.config.updates}


def _clone(tensors: Tensors) -> Tensors:
    return {name: tensor.clone() for name, tensor in tensors.items()}


def _part(tensors: Tensors, name: str) -> Tensors:
    """The tensors ``name.…`` by the rest of their names."""
    return {k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")}


def keep_memory() -> None:
    """Let glibc keep what is freed, where that is the C library: a step frees and asks for the same
    arrays again, and to get each from the system anew took an eighth of its time.
    """
    trim, mmap = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h
    with contextlib.suppress(AttributeError, OSError, TypeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(mmap, 1 << 25)  # the largest it takes
        libc.mallopt(trim, (1 << 31) - 1)


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
    """Train to the end of the plan or of the patience; the best averaged weights, in eval mode.

    A run that was restored goes on. Raises WorkError where it cannot be saved from divergence.
    """
    keep_memory()
    start, begun = time.perf_counter(), run.update
    if not begun:
        _plan(run, start, log)
        run.keep()
    total = run.config.updates
    every = max(1, total // run.config.validations)
    with progress() as bar:
        task = bar.add_task("training", total=total, completed=run.update, status="")

        def on_update() -> None:
            bar.update(task, completed=run.update)

        while run.update < total and run.stale < run.config.patience:
            entry = _until(run, min(total, (run.update // every + 1) * every), on_update, log)
            dev, better = run.validate()
            run.stale = 0 if better else run.stale + 1
            entry |= {"dev_perplexity": dev, **_judged(run, entry, log)}
            run.history.append(entry)
            left = (time.perf_counter() - start) / (run.update - begun) * (total - run.update)
            log(_line(entry, total, better, left))
            run.keep()
    run.average.load_state_dict(run.best_weights)
    return run.average.eval()


def _plan(run: Run, start: float, log: Callable[[str], None]) -> None:
    """Decide how many updates the run will have, and how often it is kept."""
    total, config = run.config.updates, run.config
    run.save_every = max(1, (total or 1) // config.validations)
    if not total:
        provisional = config.epochs * run.batches_per_epoch
        log(f"timing the first {WARM + TIMED} updates")
        for _ in range(WARM):
            run.step(run.next_batch(), provisional)
        timed = time.perf_counter()
        for _ in range(TIMED):
            run.step(run.next_batch(), provisional)
        now = time.perf_counter()
        seconds = (now - timed) / TIMED
        total = plan_updates(run, seconds, now - start)
        run.save_every = max(1, int(SAVED / seconds))
    run.config = replace(config, updates=total)
    if total < run.batches_per_epoch:
        log("the budget ends within the first pass over the text: this will be no translator")
    log(f"{total} updates = {total / run.batches_per_epoch:.1f} epochs of {len(run.train)} pairs")


def _until(
    run: Run, stop: int, on_update: Callable[[], None], log: Callable[[str], None]
) -> dict[str, float]:
    """Update until ``stop``; what was measured on the way."""
    losses: list[Tensor] = []
    norms: list[Tensor] = []
    tokens, begun = 0, time.perf_counter()
    while run.update < stop:
        batch = run.next_batch()
        tokens += batch.tokens
        loss, norm = run.step(batch, run.config.updates)
        losses.append(loss)
        norms.append(norm)
        if run.update % LOOKED == 0 and run.in_a_row >= ROW:
            _roll_back(run, log)
        elif run.update % run.save_every == 0:
            run.keep()
        on_update()
    gradient = torch.stack(norms)
    clip = run.config.clip or math.inf
    return {
        "update": run.update,
        "loss": torch.stack(losses).mean().item(),
        "gradient_norm": gradient.median().item(),
        "clipped": (gradient > clip).float().mean().item(),
        "skipped": run.skipped.item(),
        "tokens_per_second": tokens / (time.perf_counter() - begun),
    }


def _roll_back(run: Run, log: Callable[[str], None]) -> None:
    """Return to where the run was kept last, with half the learning rate."""
    at, halvings = run.update, run.halvings + 1
    run.restore()
    run.halvings = halvings
    if halvings > HALVINGS:
        raise WorkError(
            f"the gradients stay infinite at 1/{2**HALVINGS} of the learning rate; "
            "look for broken lines in the training text"
        )
    run.keep()
    log(
        f"{ROW} updates in a row without a finite gradient: back from update {at} to {run.update}, "
        "with half the learning rate"
    )


def _judged(run: Run, entry: dict[str, float], log: Callable[[str], None]) -> dict[str, float]:
    """BLEU of greedy translations of some dev sentences; a warning where they are all alike."""
    if run.spell is None:
        return {}
    sources = run.dev.sources[:JUDGED]
    said = [run.spell(ids) for ids in greedy(run.average, sources)]
    if len(set(map(tuple, sources))) > 10 and len(set(said)) == 1:
        log(f"all dev sentences are translated alike, as {said[0]!r}: {_cause(run, entry)}")
    references = [run.spell(ids) for ids in run.dev.targets[:JUDGED]]
    return {"bleu": bleu(said, references, "none")}


def _cause(run: Run, entry: dict[str, float]) -> str:
    """Why a network may have collapsed."""
    if entry["skipped"] or entry["gradient_norm"] > 10 * (run.config.clip or 1.0):
        return "the gradients explode; a lower learning rate or --clip may help"
    if run.update < 2 * run.config.warmup:
        return "it is early, and only the target language is learnt yet"
    if run.config.attention == "none":
        return "without attention the whole source is one vector, which takes long to be of use"
    return "the source is not looked at; are the lines translations of each other?"


def greedy(model: Seq2Seq, sources: Sequence[Sequence[int]]) -> list[list[int]]:
    """The most likely subword at each step, for every source."""
    found: list[list[int]] = [[] for _ in sources]
    for rows in batch_rows(sources, 64):
        x = torch.tensor([[*sources[r], EOS] for r in rows], dtype=torch.int64)
        for r, outputs in zip(rows, beam_search(model.eval(), x, 1), strict=True):
            found[r] = outputs[0].ids
    return found


def _line(entry: dict[str, float], total: int, better: bool, left: float) -> str:
    """A validation for the user."""
    score = f"  BLEU {entry['bleu']:5.2f}" if "bleu" in entry else ""
    skipped = f"  skipped {entry['skipped']:.0f}" if entry["skipped"] else ""
    return (
        f"{entry['update']:6.0f}/{total}  loss {entry['loss']:.3f}  "
        f"dev ppl {entry['dev_perplexity']:8.2f}{' *' if better else '  '}{score}  "
        f"grad {entry['gradient_norm']:.2f} clipped {entry['clipped']:4.0%}{skipped}  "
        f"{entry['tokens_per_second']:6.0f} tok/s  {left / 60:4.1f} min left"
    )


def make_data(
    sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], words: Sequence[int]
) -> Data:
    """Lists as ``Data``."""
    return Data([list(s) for s in sources], [list(t) for t in targets], list(words))
