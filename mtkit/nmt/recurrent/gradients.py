"""Gradient norms by distance in time and by depth, computed exactly by autograd.

Letters: L_t the loss −ln P(y_{t+1} | y_≤t), s_t the whole state after token t (h, or [h; c] of an
LSTM, so that the path through its cell counts), e_t the embedding of token t, u^l the output of
layer l.

    by distance    ‖∂L_t / ∂s_{t−k}‖ and ‖∂L_t / ∂e_{t−k}‖, k = 0 … K
                   ∂L_t/∂s_{t−k} = ∂L_t/∂s_t Π_{j=0}^{k−1} ∂s_{t−j}/∂s_{t−j−1}: a product of k
                   matrices shrinks or grows like ρ^k          (Hochreiter 1991, Bengio et al. 1994)
    a bound        for the rnn: ‖U‖₂ < 1 suffices for vanishing, ‖U‖₂ > 1 is necessary for exploding
                   (Pascanu et al. 2013, equation 7; γ = 1 for tanh)
    by steps       ‖∂L_t / ∂e_i‖ of a translator, e_i the embedding of source word i
    by depth       ‖∂L / ∂u^l‖, l = 1 … number of layers, L the mean loss of a window
    memory span    1 / (1 − f̄): tokens after which a gate at its mean f̄ has let a value fall to
                   about 1/e

Norms are Euclidean; gradients are computed in double precision.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mtkit.evaluation.means import Floats
from mtkit.nmt.data import Batch
from mtkit.nmt.model import Seq2Seq
from mtkit.nmt.recurrent.cells import KEEPING, weights_of
from mtkit.nmt.recurrent.language_model import Ids, LanguageModel
from mtkit.text.vocabulary import BOS, PAD


def by_distance(model: LanguageModel, windows: Ids, K: int) -> tuple[Floats, Floats]:
    """Return ‖∂L_t/∂s_{t−k}‖ and ‖∂L_t/∂e_{t−k}‖ for k = 0 … K, (N, K + 1) each.

    windows: ids (N, T + 1), T ≥ K; the last id of each is the word that L_t predicts.
    """
    model = copy.deepcopy(model).double()
    y = torch.from_numpy(windows)
    states, embedded, _ = model.unroll(functional.pad(y[:, :-1], (1, 0), value=BOS))
    u = states[-1][:, : model.config.hidden]  # (N, D)
    loss = functional.cross_entropy(model.logits(u), y[:, -1], reduction="sum")
    times = list(range(len(states) - 1, len(states) - 2 - K, -1))
    variables = [states[t] for t in times] + [embedded[t] for t in times]
    norms = [g.norm(dim=-1).numpy() for g in torch.autograd.grad(loss, variables)]
    return np.stack(norms[: K + 1], 1), np.stack(norms[K + 1 :], 1)


def by_depth(model: LanguageModel, windows: Ids) -> Floats:
    """Return ‖∂L/∂u^l‖ of each window and layer, (N, layers). windows: ids (N, T)."""
    model = copy.deepcopy(model).double()
    y = torch.from_numpy(windows)
    outputs = model.outputs(functional.pad(y[:, :-1], (1, 0), value=BOS))
    logits = model.logits(outputs[-1]).flatten(0, 1)
    loss = functional.cross_entropy(logits, y.flatten(), reduction="sum")
    gradients = torch.autograd.grad(loss / y.shape[1], outputs)
    return np.stack([g.flatten(1).norm(dim=-1).numpy() for g in gradients], 1)


@torch.inference_mode()
def mean_gates(model: LanguageModel, windows: Ids) -> dict[str, Floats]:
    """Return each gate's mean over all tokens of ``windows`` (N, T): name → (D,)."""
    _, _, gates = model.unroll(torch.from_numpy(windows))
    return {
        name: torch.stack([g[name] for g in gates]).mean((0, 1)).double().numpy()
        for name in gates[0]
    }


def memory_span(model: LanguageModel, gates: dict[str, Floats]) -> Floats | None:
    """Return 1/(1 − f̄) of each unit, in tokens, (D,); None for a cell without such a gate."""
    name = KEEPING.get(model.config.cell)
    return 1 / (1 - gates[name]) if name else None


def spectral_norm(model: LanguageModel) -> float:
    """Return ‖U‖₂, the largest singular value of the recurrent matrix, over all gates."""
    U = weights_of(model.recurrent[0]).U.detach().double()
    gates = U.chunk(U.shape[0] // U.shape[1])
    return max(float(torch.linalg.matrix_norm(u, 2)) for u in gates)


def by_steps(model: Seq2Seq, batch: Batch) -> tuple[Floats, Ids]:
    """Return ‖∂L_t/∂e_i‖ and the recurrent steps (I − i) + t from x_i to y_t, (M,) each.

    The M pairs are all source positions i and all target positions t without padding, ``</s>``
    included. Attention gives the gradient a shorter path than these steps.
    """
    model = copy.deepcopy(model).cpu().double().eval()
    embedded: list[Tensor] = []
    hook = model.embedding.register_forward_hook(lambda _module, _inputs, out: embedded.append(out))
    (B, T), I = batch.y_out.shape, batch.x.shape[1]
    logits = model(batch.x, batch.y_in, torch.arange(B * T))
    hook.remove()
    losses = functional.cross_entropy(logits, batch.y_out.flatten(), reduction="none").view(B, T)
    norms, steps = [], []
    for t in range(T):
        real = batch.y_out[:, t] != PAD
        [g] = torch.autograd.grad(losses[real, t].sum(), embedded[0], retain_graph=True)
        norms.append(g[real].norm(dim=-1).flatten().numpy())
        steps.append(np.tile(np.arange(I - 1, -1, -1) + t, int(real.sum())))
    return np.concatenate(norms), np.concatenate(steps)
