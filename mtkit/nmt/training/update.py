"""A training run: the network, the average of its weights, its progress, and one update.

    clipping       g ← g · τ / max(τ, ‖g‖), the cure of exploding gradients (Pascanu et al. 2013)
    averaging      θ̄ ← θ̄ + (1 − β)(θ − θ̄) after every update t, β = min(average, (1 + t)/(10 + t));
                   θ̄ is validated and saved as the model

Dropout at update t uses a generator seeded by (seed, t, process), the order of epochs one seeded by
the seed. A run restored from a checkpoint therefore continues bit for bit.
"""

from __future__ import annotations

import copy
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mtkit.nmt import parallel
from mtkit.nmt.data import Batch, Data, batch_rows, drop_words, epoch
from mtkit.nmt.loss import loss_of, perplexity
from mtkit.nmt.model import ModelConfig, Seq2Seq
from mtkit.nmt.recipe import TrainConfig, learning_rate
from mtkit.nmt.training import checkpoint
from mtkit.nmt.training.checkpoint import Groups, Tensors

PROGRESS = ("update", "stale", "halvings", "epochs", "batches_left", "history", "epoch_rng_state")


class Run:
    """State of a training run.

    pieces: vocabulary size. spell: subword ids → words separated by spaces, for BLEU on the dev
    set; None: no BLEU. segment: seed → the training data in other subwords; None: always ``train``.
    path: the checkpoint file, None: memory only. weights: those to start from.
    """

    def __init__(
        self, config: TrainConfig, pieces: int, train: Data, dev: Data,
        spell: Callable[[Sequence[int]], str] | None = None, path: Path | None = None,
        segment: Callable[[int], Data] | None = None, weights: Tensors | None = None,
    ) -> None:  # fmt: skip
        torch.manual_seed(config.seed)
        self.config = config = replace(config, precision=parallel.resolved(config.precision))
        self.train, self.dev, self.spell, self.segment = train, dev, spell, segment
        self.model = Seq2Seq(ModelConfig.of(config, pieces))
        self.continued = bool(weights)
        if weights:
            self.model.load_state_dict(weights)
        self.model.to(parallel.device())
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.best: tuple[float, int] = (math.inf, 0)
        self.best_weights = copy.deepcopy(self.average.state_dict())
        self.optimiser = torch.optim.Adam(self.model.parameters(), betas=(0.9, 0.98), fused=True)
        self.rng = np.random.default_rng(config.seed)
        self.update = self.stale = self.halvings = self.epochs = self.batches_left = 0
        self.skipped, self.in_a_row = torch.zeros(2, device=self.model.device)
        self.epoch_rng_state = self.rng.bit_generator.state  # before the epoch was drawn
        self.data = train  # as segmented in this epoch
        self.batches: Sequence[list[int]] = ()  # of this epoch
        self.history: list[dict[str, float]] = []
        self.path, self.fingerprint = path, checkpoint.fingerprint(config, weights)
        self.saved_state: tuple[Groups, dict[str, Any]] | None = None

    @property
    def parameters(self) -> int:
        """Number of trained parameters."""
        return sum(p.numel() for p in self.model.parameters())

    @property
    def batches_per_epoch(self) -> int:
        """Number of updates in one epoch."""
        return sum(1 for _ in batch_rows(self.train.sources, self.config.batch))

    def next_batch(self) -> Batch:
        """Return the next batch; begin a new epoch when the last one is used up."""
        if not self.batches_left:
            self._draw_epoch()
            self.batches_left = len(self.batches)
        self.batches_left -= 1
        return self.data.batch(self.batches[self.batches_left])

    def _draw_epoch(self) -> None:
        """Draw the segmentation and order of a new epoch.

        The first epoch starts with its largest batch, so that a lack of memory shows at once.
        """
        self.epoch_rng_state = self.rng.bit_generator.state
        if self.segment:
            self.data = self.segment(int(self.rng.integers(2**62)))
        batches = epoch(self.data, self.config.batch, self.rng)
        self.batches = batches if self.epochs else batches.largest_last(self.data)
        self.epochs += 1

    def step(self, batch: Batch, total: int) -> tuple[Tensor, Tensor]:
        """Do one update; return the loss and the gradient norm before clipping, as tensors.

        If either is not finite, the weights stay unchanged and the update counts as skipped.
        total: planned updates, for the learning rate.
        """
        config, parameters = self.config, list(self.model.parameters())
        self.model.train()
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.update, total, config) / 2**self.halvings
        self.optimiser.zero_grad(set_to_none=True)
        loss = parallel.total(self._backward(batch))
        parallel.add_gradients(parameters)
        norm = nn.utils.clip_grad_norm_(parameters, config.clip or math.inf, foreach=True)
        failed = (~(loss.isfinite() & norm.isfinite())).float()
        self.optimiser.found_inf = failed  # type: ignore[attr-defined]  # makes Adam skip the step
        self.optimiser.step()
        self.skipped += failed
        self.in_a_row = (self.in_a_row + failed) * failed
        self.update += 1
        beta = min(config.average, (1 + self.update) / (10 + self.update))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(parameters), 1 - beta)
        return loss, norm.detach()

    def _backward(self, batch: Batch) -> Tensor:
        """Compute this process's gradients; return its part of the batch's mean loss."""
        config = self.config
        share = batch.share(parallel.RANK, parallel.WORLD).to(self.model.device)
        if not share.rows:
            return torch.zeros((), device=self.model.device)
        # Dropout depends on these three numbers only; mixed, since torch uses 32 bits of a seed.
        sequence = np.random.SeedSequence((config.seed, self.update, parallel.RANK))
        torch.manual_seed(int(sequence.generate_state(1)[0]))
        y_in = drop_words(share.y_in, config.word_dropout)
        share = replace(share, x=drop_words(share.x, config.source_dropout))
        bf16 = config.precision == "bf16"
        with torch.autocast(self.model.device.type, torch.bfloat16, enabled=bf16):
            loss = loss_of(self.model, share, config.smoothing, y_in, len(batch.real))
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def validate(self) -> tuple[float, bool]:
        """Return the averaged weights' dev perplexity, and whether it is the lowest so far."""
        value = parallel.from_first_process(perplexity(self.average, self.dev))
        better = value < self.best[0]
        if better:
            self.best = (value, self.update)
            self.best_weights = copy.deepcopy(self.average.state_dict())
        return value, better

    # --- checkpoints

    def keep(self) -> None:
        """Save the state of the run: in its file, or in memory if it has none."""
        if not self.path:
            self.saved_state = copy.deepcopy(self._state())
        elif parallel.RANK == 0:
            checkpoint.save(self.path, *self._state(), self.fingerprint)
        parallel.wait()

    def restore(self) -> None:
        """Return to the state last saved by ``keep``.

        Raises InputError if the file is missing, damaged or of other settings.
        """
        if not self.path:
            assert self.saved_state, "no state was saved"
            self._take(*copy.deepcopy(self.saved_state))
            return
        state = checkpoint.load(self.path, self.fingerprint)
        try:
            self._take(*state)
        except (RuntimeError, LookupError, ValueError, TypeError):  # its hash fits: somebody's work
            raise checkpoint.damaged(self.path) from None

    def _take(self, groups: Groups, progress: dict[str, Any]) -> None:
        """Set the state to one that ``_state`` returned."""
        self.model.load_state_dict(groups["model"])
        for name in ("best", "average"):  # the first only to check its names and shapes
            self.average.load_state_dict(groups[name])
        self.best_weights = groups["best"]
        adam = self.optimiser.state_dict() | {"state": defaultdict(dict)}
        for name, moment in groups["adam"].items():
            index, key = name.split(".")
            adam["state"][int(index)][key] = moment
        self.optimiser.load_state_dict(adam)
        self.skipped, self.in_a_row = torch.tensor([progress["skipped"], 0.0]).to(self.model.device)
        self.best = (progress["best"][0], progress["best"][1])
        for name in PROGRESS:
            setattr(self, name, progress[name])
        self.config = replace(self.config, updates=progress["updates"])
        self.rng.bit_generator.state = self.epoch_rng_state
        if self.epochs:
            self.epochs -= 1
            self._draw_epoch()

    def _state(self) -> tuple[Groups, dict[str, Any]]:
        """Return the tensors by group, Adam's as INDEX.MOMENT, and the progress, fit for JSON."""
        progress = {name: getattr(self, name) for name in PROGRESS}
        progress |= {"best": self.best, "skipped": self.skipped.item()}
        moments = self.optimiser.state_dict()["state"]
        tensors = {
            "model": dict(self.model.state_dict()),
            "average": dict(self.average.state_dict()),
            "best": self.best_weights,
            "adam": {f"{i}.{key}": v for i, m in moments.items() for key, v in m.items()},
        }
        return tensors, progress | {"updates": self.config.updates, "preset": self.config.preset}
