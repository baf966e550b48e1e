"""The encoder-decoder: P(y|x) = Π_t P(y_t | y_<t, x).

Letters (Bahdanau et al. 2015, Luong et al. 2015):
    x_1 … x_I   source subwords, the last one </s>     H = (h_1 … h_I)   encoder states
    y_1 … y_T   target subwords, the last one </s>     s_t               decoder state
    E           embeddings, shared by source, target and output (Press & Wolf 2017)
    B, D        sentences in a batch, size of each h_i and s_t

Encoder    h_i = [→LSTM(E x_1 … E x_i); ←LSTM(E x_I … E x_i)]             bi-LSTM
Decoder    s_t = LSTM_1(E y_{t-1}, s_{t-1})
Attention  α_{t,i} = softmax_i a(s_t, h_i)      c_t = Σ_i α_{t,i} h_i
               dot a = s·h    bilinear a = s·W h    mlp a = v·tanh(W_s s + W_h h)
               none: c_t = the encoder's last states, one vector for all t (Sutskever et al. 2014)
Upper      u_t ← u_t + LSTM_k([u_t; c_t])      residual, k = 2 …; u_t = s_t before layer 2
Output     P(y_t) = softmax(E tanh(W_o [u_t; c_t]) + b)

The contexts c_t are not fed back into LSTM_1. With teacher forcing, all inputs of a layer are
therefore known in advance, and every LSTM runs over the whole target in one fused call.

All source sentences of a batch have the same length, so the source side needs no padding or mask.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor, nn
from torch.nn import functional

from mtkit.nmt import recipe
from mtkit.storage.reading import as_fields, damaged, missing, read_json
from mtkit.storage.structure import MAX_VALUE
from mtkit.text.vocabulary import PAD

CELLS: dict[str, type[nn.RNN | nn.GRU | nn.LSTM]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
Network = TypeVar("Network", bound=nn.Module)
Shape = TypeVar("Shape")
MAX_LAYERS, MAX_SIZE = 64, 1 << 20  # the most layers, and the largest other size, in a model.json
Carried = tuple[Tensor, ...]  # a layer's state: (h, c) for an LSTM, (h,) otherwise; (1, B, D) each
State = list[Carried]  # one entry per decoder layer
Recurrence = Callable[[nn.Module, Tensor, Carried], tuple[Tensor, Carried]]  # see ``fused``


@dataclass(frozen=True)
class ModelConfig:
    """Shape of the network: sizes in units, dropout as a probability."""

    vocabulary: int
    cell: recipe.Cell = "lstm"
    attention: recipe.Attention = "bilinear"
    embedding: int = 256
    hidden: int = 512
    encoder_layers: int = 1
    decoder_layers: int = 2
    dropout: float = 0.3

    @classmethod
    def of(cls, config: recipe.TrainConfig, vocabulary: int) -> ModelConfig:
        """Return the network's shape for a recipe and a vocabulary of so many subwords."""
        shape: dict[str, Any] = {f.name: getattr(config, f.name) for f in fields(cls)}
        return cls(**shape | {"vocabulary": vocabulary})


class Attention(nn.Module):
    """Attention scores a(s, h) and the context c; equations in the module's docstring."""

    def __init__(self, kind: str, size: int) -> None:
        super().__init__()
        self.kind = kind
        if kind in ("bilinear", "mlp"):
            self.keys = nn.Linear(size, size, bias=False)
        if kind == "mlp":
            self.query = nn.Linear(size, size)
            self.v = nn.Linear(size, 1, bias=False)

    def precompute(self, H: Tensor) -> Tensor:
        """Return the part of a(s, h) that depends on h only, (B, I, D), for ``H`` (B, I, D)."""
        return self.keys(H) if self.kind in ("bilinear", "mlp") else H

    def forward(self, s: Tensor, source: Source) -> tuple[Tensor, Tensor]:
        """Return contexts (B, T, D) and weights (B, T, I; uniform for ``none``) for ``s``."""
        if self.kind == "none":
            alpha = s.new_full((*s.shape[:2], source.H.shape[1]), 1 / source.H.shape[1])
            return source.summary[:, None].expand(-1, s.shape[1], -1), alpha
        if self.kind == "mlp":
            mixed = torch.tanh(self.query(s)[:, :, None] + source.keys[:, None])  # (B, T, I, D)
            scores = self.v(mixed).squeeze(-1)
        else:
            scores = product(s, source.keys.transpose(1, 2))  # (B, T, I)
        alpha = scores.softmax(-1)
        return product(alpha, source.H), alpha


def product(a: Tensor, b: Tensor) -> Tensor:
    """Return the batched matrix product a b; on a CPU it is computed in float32 at least.

    For bfloat16, oneDNN would compile and cache a kernel for every combination of B, T and I: much
    memory for little time.
    """
    with torch.autocast("cpu", enabled=False):
        dtype = torch.promote_types(a.dtype, torch.float32)
        return a.to(dtype) @ b.to(dtype)


@dataclass(frozen=True)
class Source:
    """Encoded batch of sources.

    H: encoder states (B, I, D). keys: ``Attention.precompute(H)``, (B, I, D). summary: the last
    state of each direction of the top layer, concatenated, (B, D).
    """

    H: Tensor
    keys: Tensor
    summary: Tensor

    def select(self, rows: Tensor) -> Source:
        """Return the sentences ``rows`` (int64 indices), in that order."""
        return Source(self.H[rows], self.keys[rows], self.summary[rows])


class VariationalDropout(nn.Dropout):
    """Dropout with one mask per sentence for all time steps (Gal & Ghahramani 2016)."""

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` (B, T, D) with dropout applied; unchanged outside training."""
        if not self.training or self.p == 0:
            return x
        keep = torch.rand((x.shape[0], 1, x.shape[2]), device=x.device) >= self.p
        return x * (keep / (1 - self.p))


def fused(layer: nn.Module, inputs: Tensor, initial: Carried) -> tuple[Tensor, Carried]:
    """Run a layer over ``inputs`` (B, T, ·) in one call; return all h (B, T, D) and the last state.

    initial: the layer's state before the first input.
    """
    out, last = layer(inputs, initial if len(initial) > 1 else initial[0])
    return out, last if isinstance(last, tuple) else (last,)


class Seq2Seq(nn.Module):
    """The network of the module's docstring."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        if config.hidden % 2:
            raise ValueError(f"hidden is {config.hidden}, not even; each direction has half of it")
        self.config = config
        E, D, cell = config.embedding, config.hidden, CELLS[config.cell]
        self.embedding = nn.Embedding(config.vocabulary, E, padding_idx=PAD)
        self.encoder = nn.ModuleList(
            cell(E if k == 0 else D, D // 2, batch_first=True, bidirectional=True)
            for k in range(config.encoder_layers)
        )
        self.initial = nn.Linear(D, D * config.decoder_layers)
        self.decoder = nn.ModuleList(
            cell(E if k == 0 else 2 * D, D, batch_first=True) for k in range(config.decoder_layers)
        )
        self.attention = Attention(config.attention, D)
        self.combine = nn.Linear(2 * D, E)
        self.bias = nn.Parameter(torch.zeros(config.vocabulary))
        self.dropout = VariationalDropout(config.dropout)
        self._initialise()

    def _initialise(self) -> None:
        """Initialise the weights.

        Recurrent matrices: orthogonal, per gate. Other matrices: Xavier uniform. Embeddings: normal
        with variance 1/E. Biases: 0, forget gates 1.
        """
        for name, p in self.named_parameters():
            if "weight_hh" in name:
                for gate in p.data.chunk(p.shape[0] // p.shape[1]):
                    nn.init.orthogonal_(gate)
            elif name == "embedding.weight":
                nn.init.normal_(p, std=p.shape[1] ** -0.5)
                p.data[PAD].zero_()
            elif p.dim() > 1:
                nn.init.xavier_uniform_(p)
            else:
                nn.init.zeros_(p)
                if self.config.cell == "lstm" and "bias_ih" in name:
                    n = p.shape[0] // 4
                    p.data[n : 2 * n] = 1.0

    def encode(self, x: Tensor) -> Source:
        """Encode ``x`` (B, I), int64 without padding."""
        H = self.dropout(self.embedding(x))  # (B, I, E)
        for k, layer in enumerate(self.encoder):
            out, last = layer(H)
            out = self.dropout(out)
            H = out + H if k > 0 else out  # (B, I, D), residual between stacked layers
        last = last[0] if isinstance(last, tuple) else last  # (2, B, D/2): forward, backward
        summary = torch.cat((last[0], last[1]), -1)  # (B, D)
        return Source(H, self.attention.precompute(H), summary)

    def start(self, source: Source) -> State:
        """Return the decoder's initial state, computed from the encoder's last state."""
        h = torch.tanh(self.initial(source.summary)).chunk(self.config.decoder_layers, -1)
        if self.config.cell == "lstm":
            return [(part[None].contiguous(), torch.zeros_like(part)[None]) for part in h]
        return [(part[None].contiguous(),) for part in h]

    def decode(
        self, y: Tensor, source: Source, state: State, recur: Recurrence = fused
    ) -> tuple[Tensor, Tensor, State]:
        """Read target tokens ``y`` (B, T), starting from ``state``.

        Returns the vectors before the output matrix (B, T, E), the attention weights (B, T, I) and
        the state after the last token. recur: the function that runs a layer.
        """
        u = self.dropout(self.embedding(y))  # (B, T, E)
        new_state: State = []
        for k, layer in enumerate(self.decoder):
            if k == 0:
                u, last = recur(layer, u, state[k])
                u = self.dropout(u)  # (B, T, D)
                c, alpha = self.attention(u, source)  # (B, T, D), (B, T, I)
            else:
                out, last = recur(layer, torch.cat((u, c), -1), state[k])
                u = u + self.dropout(out)
            new_state.append(last)
        o = torch.tanh(self.combine(torch.cat((u, c), -1)))  # (B, T, E)
        return self.dropout(o), alpha, new_state

    def logits(self, o: Tensor) -> Tensor:
        """Return logits (…, vocabulary) for output vectors ``o`` (…, E)."""
        return functional.linear(o, self.embedding.weight, self.bias)

    def forward(self, x: Tensor, y_in: Tensor, positions: Tensor) -> Tensor:
        """Return next-token logits (N, vocabulary) at N of the B·T positions of ``y_in`` (B, T).

        x: sources (B, I). positions: indices into the flattened positions, (N,).
        """
        source = self.encode(x)
        o, _, _ = self.decode(y_in, source, self.start(source))
        return self.logits(o.flatten(0, 1)[positions])

    @property
    def device(self) -> torch.device:
        """The device that holds the weights."""
        return self.bias.device


def mean_probability(logp: Sequence[Tensor]) -> Tensor:
    """Return ln((1/M) Σ_m p_m), an ensemble's log-probability, from ln p_m of M models.

    logp: one tensor per model, all of one shape.
    """
    if len(logp) == 1:
        return logp[0]
    return torch.stack(list(logp)).logsumexp(0) - math.log(len(logp))


def save_network(network: nn.Module, shape: dict[str, Any], directory: Path) -> None:
    """Write ``weights.safetensors`` and, with the fields of ``shape``, ``model.json``."""
    # safetensors' own save_file creates a file that other users cannot read
    (directory / "weights.safetensors").write_bytes(to_bytes(network.state_dict()))
    (directory / "model.json").write_text(json.dumps(shape, indent=2) + "\n", encoding="utf-8")


def load_network(build: Callable[[Shape], Network], shape: type[Shape], directory: Path) -> Network:
    """Read what ``save_network`` wrote.

    build: makes a network from its shape. shape: the dataclass of model.json. The network is built
    on torch's meta device, so that sizes in model.json alone allocate no memory. Raises InputError
    for a file that is missing or damaged, weights that do not match model.json, and weights that
    are not finite or larger than ``MAX_VALUE``.
    """
    file = directory / "model.json"
    config = as_fields(shape, read_json(file, dict), file)
    for name, value in vars(config).items():
        if type(value) is int and not 0 < value <= (MAX_LAYERS if "layers" in name else MAX_SIZE):
            raise damaged(file, f"{name} is {value}")
    try:
        with torch.device("meta"):
            network = build(config)
    except (ValueError, RuntimeError) as error:
        raise damaged(file, error) from None
    file = directory / "weights.safetensors"
    try:
        weights = load_file(file)
    except FileNotFoundError:
        raise missing(file) from None
    except (SafetensorError, OSError, ValueError, MemoryError) as error:
        raise damaged(file, error) from None
    expected = {name: (w.shape, w.dtype) for name, w in network.state_dict().items()}
    if {name: (w.shape, w.dtype) for name, w in weights.items()} != expected:
        raise damaged(file, "names, shapes or types of the weights do not match model.json")
    for name, w in weights.items():
        if w.numel() and not w.abs().max() <= MAX_VALUE:  # false for NaN
            raise damaged(file, f"{name} has weights that are not finite or too large")
    network.to_empty(device="cpu").load_state_dict(weights)
    return network
