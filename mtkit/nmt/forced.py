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
from mtkit.system import RIVALS, Piece, Rival
from mtkit.text.subwords import Subwords
from mtkit.text.vocabulary import BOS, EOS, PAD, UNK


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


def explain_subwords(
    models: Sequence[Seq2Seq],
    subwords: Subwords,
    source: list[int],
    target: list[int],
    copied: Sequence[str],
) -> tuple[list[Piece], list[list[float]] | None]:
    """The target subwords, and where the network looked for each: (T, I), if it can.

    copied: for each ``<unk>`` of ``target``, in order, the source word that replaces it.
    """
    forced = force(models, source, target, RIVALS)
    alpha, names, words = forced.attention, subwords.pieces, iter(copied)
    pieces = [
        Piece(
            names[i],
            float(forced.log_p[t]),
            None if alpha is None else int(np.argmax(alpha[t])),
            [Rival(names[rival], p) for rival, p in forced.rivals[t]],
            next(words) if i == UNK else "",
        )
        for t, i in enumerate((*target, EOS))
    ]
    return pieces, None if alpha is None else alpha.tolist()
