"""The recurrent cells by their equations, one step at a time.

Letters: σ the logistic function, ⊙ the elementwise product.

    rnn     h_t = tanh(W x_t + U h_{t−1} + b)                                     (Elman 1990)
    lstm    f, i, o = σ(W x_t + U h_{t−1} + b), each with its own W, U, b         (Hochreiter &
            c̃   = tanh(W x_t + U h_{t−1} + b)                                      Schmidhuber 1997,
            c_t = f ⊙ c_{t−1} + i ⊙ c̃                                              Gers et al. 2000)
            h_t = o ⊙ tanh(c_t)
    gru     r, z = σ(W x_t + U h_{t−1} + b)                                       (Cho et al. 2014)
            h̃   = tanh(W x_t + r ⊙ (U h_{t−1} + b_U) + b_W)
            h_t = z ⊙ h_{t−1} + (1 − z) ⊙ h̃

Training runs torch's fused ``nn.RNN``, ``nn.LSTM`` and ``nn.GRU`` over a whole sequence at once.
These single steps use the same weights and give access to states and gates.

The state s is the vector that a cell passes to the next step: h, or [h; c] for an LSTM.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

Gates = dict[str, Tensor]


class Weights(NamedTuple):
    """Weights of one layer and direction, with the gates stacked as in torch.

    W: (G·D, E). U: (G·D, D). b_W, b_U: (G·D,), their sum is b. G gates, D units, inputs of size E.
    """

    W: Tensor
    U: Tensor
    b_W: Tensor  # noqa: N815  the papers' letters
    b_U: Tensor  # noqa: N815

    def read(self, x: Tensor) -> Tensor:
        """Return W x + b_W, (…, G·D), for inputs (…, E): the part that needs no state."""
        return functional.linear(x, self.W, self.b_W)


def weights_of(layer: nn.RNNBase) -> Weights:
    """Return the weights of a torch module with one layer and one direction."""
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    return Weights(*(layer.get_parameter(name) for name in names))


def rnn(w: Weights, read: Tensor, s: Tensor) -> tuple[Tensor, Gates]:
    """Return the next state (B, D) and no gates, from ``read`` = W x + b_W (B, D), ``s`` (B, D)."""
    return torch.tanh(read + functional.linear(s, w.U, w.b_U)), {}


def lstm(w: Weights, read: Tensor, s: Tensor) -> tuple[Tensor, Gates]:
    """Return the next [h; c] and the gates, (B, D) each, from ``read`` (B, 4 D), ``s`` (B, 2 D)."""
    h, c = s.chunk(2, -1)
    i, f, c_new, o = (read + functional.linear(h, w.U, w.b_U)).chunk(4, -1)
    f, i, o = f.sigmoid(), i.sigmoid(), o.sigmoid()
    c = f * c + i * c_new.tanh()
    return torch.cat((o * c.tanh(), c), -1), {"forget": f, "input": i, "output": o}


def gru(w: Weights, read: Tensor, s: Tensor) -> tuple[Tensor, Gates]:
    """Return the next state and the gates, (B, D) each, from ``read`` (B, 3 D), ``s`` (B, D)."""
    r_x, z_x, h_x = read.chunk(3, -1)
    r_h, z_h, h_h = functional.linear(s, w.U, w.b_U).chunk(3, -1)
    r, z = (r_x + r_h).sigmoid(), (z_x + z_h).sigmoid()
    new = torch.tanh(h_x + r * h_h)
    return z * s + (1 - z) * new, {"update": z, "reset": r}


Step = Callable[[Weights, Tensor, Tensor], tuple[Tensor, Gates]]
STEPS: dict[str, Step] = {"rnn": rnn, "gru": gru, "lstm": lstm}
KEEPING = {"lstm": "forget", "gru": "update"}  # the gate that decides how much state is kept
