"""Forced decoding: what a network thinks of a translation that is given, subword by subword.

The decoder reads <s> y_1 … y_{T−1} in one call, whatever search found them, and says at each place
what it expects next and where in the source it looks:

    ln P(y_t | y_<t, x)      α_{t,i}, Σ_i α_{t,i} = 1

Letters: I source subwords, T target subwords, both with their ``</s>``. Of several models both are
the means, of probabilities and of weights, as in ``search``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from mtkit.nmt.model import Seq2Seq, mean_probability
from mtkit.text.vocabulary import BOS, EOS, PAD


class Forced(NamedTuple):
    """log_p: float32 (T,), of each subword; attention: float32 (T, I), None where there is none.

    rivals: of each place the best other subwords and their probabilities, best first.
    """

    log_p: NDArray[np.float32]
    attention: NDArray[np.float32] | None
    rivals: list[list[tuple[int, float]]]


@torch.inference_mode()
def force(models: Sequence[Seq2Seq], source: list[int], target: list[int], rivals: int) -> Forced:
    """Read one pair of subword ids, without specials."""
    device = models[0].device
    x = torch.tensor([[*source, EOS]], device=device)
    y_in, y = torch.tensor([[BOS, *target]], device=device), [*target, EOS]
    logs, weights = [], []
    for model in models:
        encoded = model.encode(x)
        o, alpha, _ = model.decode(y_in, encoded, model.start(encoded))
        logs.append(model.logits(o[0]).log_softmax(-1))
        if model.config.attention != "none":
            weights.append(alpha[0])
    log_p = mean_probability(logs)  # (T, V)
    own = log_p[torch.arange(len(y)), y]
    others = log_p.clone()
    others[:, PAD] = others[:, BOS] = -torch.inf  # what no search may choose
    others[torch.arange(len(y)), y] = -torch.inf
    best, ids = others.topk(rivals, -1)
    return Forced(
        own.float().cpu().numpy(),
        torch.stack(weights).mean(0).float().cpu().numpy() if weights else None,
        [
            list(zip(i, p, strict=True))
            for i, p in zip(ids.tolist(), best.exp().tolist(), strict=True)
        ],
    )
