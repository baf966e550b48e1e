"""Recurrent language models, for the laboratory: P(y) = Π_t P(y_t | y_<t) over a closed vocabulary.

    e_t = E y_t                                      embeddings, shared with the output
    u_t = cell(e_t, u_{t−1})                         a layer; residual ``layers``: u_t + its input
    P(y_{t+1}) = softmax(E u_t + b)                  u of the last layer

Variants of the one-layer cell: residual ``time`` adds the previous state, h_t = h_{t−1} + f(x_t,
h_{t−1}); ``norm`` is layer normalisation of every h_t (Ba et al. 2016). Both need a loop over time
in place of torch's fused call.

The text is one stream of sentences, each followed by ``</s>``. Training chunks start anywhere in
it, with ``<s>`` before them and a zero state, so that the model learns to predict from histories of
any length, 0 included.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from mtkit.evaluation.means import Floats
from mtkit.nmt.model import CELLS
from mtkit.nmt.recipe import Cell
from mtkit.nmt.recurrent.cells import STEPS, Gates, weights_of
from mtkit.text.vocabulary import BOS, EOS

Ids = NDArray[np.int64]
SENTENCES_AT_ONCE, TOKENS_AT_ONCE = 64, 4096  # most that are scored at once
BATCH, LENGTH = 32, 64  # chunks per update, ids per chunk
PEAK, WARMUP = 3e-3, 30  # highest learning rate, updates until it is reached


@dataclass(frozen=True)
class LmConfig:
    """Shape of a language model. scale: initial spectral norm of U."""

    vocabulary: int
    cell: Cell = "lstm"
    hidden: int = 256
    layers: int = 1
    residual: Literal["none", "layers", "time"] = "none"
    norm: bool = False
    scale: float = 1.0


class LanguageModel(nn.Module):
    """Network of the module's docstring, with V words and D units."""

    def __init__(self, config: LmConfig) -> None:
        super().__init__()
        if config.layers > 1 and (config.norm or config.residual == "time"):
            raise ValueError("norm and residual in time need one layer")
        self.config = config
        D = config.hidden
        self.embedding = nn.Embedding(config.vocabulary, D)
        self.layers = nn.ModuleList(
            CELLS[config.cell](D, D, batch_first=True) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(D) if config.norm else nn.Identity()
        self.bias = nn.Parameter(torch.zeros(config.vocabulary))
        nn.init.normal_(self.embedding.weight, std=D**-0.5)
        for layer in self.recurrent:
            w = weights_of(layer)
            nn.init.xavier_uniform_(w.W)
            nn.init.zeros_(w.b_W)
            nn.init.zeros_(w.b_U)
            for gate in w.U.data.chunk(len(w.U) // D):
                nn.init.orthogonal_(gate, gain=config.scale)
            if config.cell == "lstm":
                w.b_W.data[D : 2 * D] = 1.0  # forget gates start open

    @property
    def recurrent(self) -> list[nn.RNNBase]:
        """The recurrent layers, lowest first."""
        return [layer for layer in self.layers if isinstance(layer, nn.RNNBase)]

    def forward(self, y: Tensor) -> Tensor:
        """Return the last layer's u (B, T, D) after each token of ``y`` (B, T)."""
        return self.outputs(y)[-1]

    def outputs(self, y: Tensor) -> list[Tensor]:
        """Return u of every layer, (B, T, D) each, for tokens ``y`` (B, T)."""
        if self.config.norm or self.config.residual == "time":
            states, _, _ = self.unroll(y)
            return [torch.stack(states, 1)[..., : self.config.hidden]]
        by_layer = [self.embedding(y)]
        for layer in self.layers:
            u, _ = layer(by_layer[-1])
            by_layer.append(u + by_layer[-1] if self.config.residual == "layers" else u)
        return by_layer[1:]

    def unroll(self, y: Tensor) -> tuple[list[Tensor], list[Tensor], list[Gates]]:
        """Run a one-layer model step by step over ``y`` (B, T).

        Returns for each token the state after it (B, D or 2 D), its embedding (B, D), its gates.
        """
        [layer] = self.recurrent
        cell, D = self.config.cell, self.config.hidden
        step, w = STEPS[cell], weights_of(layer)
        embedded = list(self.embedding(y).unbind(1))  # T of (B, D)
        s = torch.zeros(len(y), 2 * D if cell == "lstm" else D, dtype=w.W.dtype)
        states, gates = [], []
        for e in embedded:
            new, gate = step(w, w.read(e), s)
            if self.config.residual == "time":
                new = torch.cat((s[:, :D] + new[:, :D], new[:, D:]), -1)
            if self.config.norm:
                new = torch.cat((self.norm(new[:, :D]), new[:, D:]), -1)
            s = new
            states.append(s)
            gates.append(gate)
        return states, embedded, gates

    def logits(self, u: Tensor) -> Tensor:
        """Return logits (…, V) for ``u`` (…, D)."""
        return functional.linear(u, self.embedding.weight, self.bias)


def train_language_model(
    model: LanguageModel, stream: Ids, seed: int, updates: int, clip: float, autocast: bool
) -> Iterator[tuple[float, float]]:
    """Minimise −ln P of chunks of ``stream``; yield each update's loss and gradient norm.

    The loss is in nats per token, the norm is that before clipping. Training ends early if either
    is not finite. An update has ``BATCH`` chunks of ``LENGTH`` ids; an epoch cuts the stream into
    chunks from a new random offset. The learning rate rises linearly to ``PEAK``, then falls
    linearly to a tenth of it. clip: τ, 0 = none. autocast: matrix products in bfloat16.
    """
    optimiser = torch.optim.Adam(model.parameters(), lr=PEAK, fused=True)
    rng = np.random.default_rng(seed)
    queue: list[Tensor] = []
    for update in range(updates):
        if not queue:
            queue = _batches(stream, rng)
        rate = PEAK * min(1.0, (update + 1) / WARMUP) * (1 - 0.9 * update / updates)
        for group in optimiser.param_groups:
            group["lr"] = rate
        y = queue.pop()
        # Threads share autocast's cache of casts: one that clears it would change others' sums.
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast, cache_enabled=False):
            loss = mean_loss(model, y)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        norm = nn.utils.clip_grad_norm_(model.parameters(), clip or math.inf)
        finite = bool(loss.isfinite() & norm.isfinite())
        if finite:
            optimiser.step()
        yield loss.item(), norm.item()
        if not finite:
            return


def mean_loss(model: LanguageModel, y: Tensor) -> Tensor:
    """Return −ln P per token, in nats, of chunks ``y`` (B, T), each preceded by ``<s>``."""
    u = model(functional.pad(y[:, :-1], (1, 0), value=BOS))
    return functional.cross_entropy(model.logits(u).flatten(0, 1).float(), y.flatten())


def _batches(stream: Ids, rng: np.random.Generator) -> list[Tensor]:
    """Cut the stream, from a random offset, into shuffled batches, int64 (BATCH, LENGTH) each."""
    offset = int(rng.integers(LENGTH))
    n = (len(stream) - offset) // LENGTH
    chunks = stream[offset : offset + n * LENGTH].reshape(n, LENGTH)[rng.permutation(n)]
    batches = [chunks[i : i + BATCH] for i in range(0, n - BATCH + 1, BATCH)] or [chunks]
    return [torch.from_numpy(np.ascontiguousarray(part)) for part in batches]


@torch.inference_mode()
def next_logprobs(model: LanguageModel, histories: Ids, targets: Ids) -> Floats:
    """Return ln P(targets[n] | histories[n]), (N,), for histories (N, k), k ≥ 0."""
    parts = []
    for rows in np.array_split(np.arange(len(histories)), max(1, len(histories) // 250)):
        y = functional.pad(torch.from_numpy(histories[rows]), (1, 0), value=BOS)
        logp = model.logits(model(y)[:, -1]).log_softmax(-1)
        parts.append(logp[torch.arange(len(rows)), torch.from_numpy(targets[rows])])
    return torch.cat(parts).double().numpy()


@torch.inference_mode()
def text_logprobs(model: LanguageModel, sentences: Sequence[Sequence[int]]) -> list[Floats]:
    """Return ln P of each sentence's words and ``</s>``, (words + 1,) each.

    Every sentence is preceded by ``<s> </s>``, as if it followed another one.
    """
    log_p: list[Floats] = [np.empty(0)] * len(sentences)
    order = sorted(range(len(sentences)), key=lambda s: -len(sentences[s]))
    while order:
        longest = len(sentences[order[0]]) + 1
        n = min(SENTENCES_AT_ONCE, max(1, TOKENS_AT_ONCE // longest))
        rows, order = order[:n], order[n:]
        width = max(len(sentences[s]) for s in rows)
        y = torch.tensor([[*sentences[s], *[EOS] * (width + 1 - len(sentences[s]))] for s in rows])
        inputs = functional.pad(functional.pad(y[:, :-1], (1, 0), value=EOS), (1, 0), value=BOS)
        logp = model.logits(model(inputs)[:, 1:]).log_softmax(-1).gather(-1, y[..., None])[..., 0]
        for s, values in zip(rows, logp.double().numpy(), strict=True):
            log_p[s] = values[: len(sentences[s]) + 1]
    return log_p
