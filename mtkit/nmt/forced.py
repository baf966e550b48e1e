"""Forced decoding: the network's probabilities along a given translation, subword by subword.

The decoder reads <s> y_1 … y_{T−1} in one call, whatever produced them. At each position it gives
a distribution over the next subword and attention weights over the source:

    ln P(y_t | y_<t, x)      α_{t,i}, Σ_i α_{t,i} = 1

Letters: I source subwords, T target subwords, both with their ``</s>``. For an ensemble both are
means over the models, of probabilities and of weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from mtkit.nmt.model import Seq2Seq, mean_probability
from mtkit.system import RIVALS, Piece, Rival
from mtkit.text.subwords import Subwords
from mtkit.text.vocabulary import BOS, EOS, PAD, UNK


@torch.inference_mode()
def explain_subwords(
    models: Sequence[Seq2Seq], subwords: Subwords, source: list[int], target: list[int],
    copied: Sequence[str],
) -> tuple[list[Piece], list[list[float]] | None]:  # fmt: skip
    """Return the target subwords with ln p and rivals, and α (T, I) or None without attention.

    source, target: ids without special symbols. copied: the source word for each ``<unk>`` of
    ``target``.
    """
    x = torch.tensor([[*source, EOS]], device=models[0].device)
    y_in, y = torch.tensor([[BOS, *target]], device=x.device), [*target, EOS]
    logs, weights = [], []
    for model in models:
        encoded = model.encode(x)
        o, attention, _ = model.decode(y_in, encoded, model.start(encoded))
        logs.append(model.logits(o[0]).log_softmax(-1))
        if model.config.attention != "none":
            weights.append(attention[0])
    alpha = torch.stack(weights).mean(0).float().cpu().numpy() if weights else None  # (T, I)
    log_p = mean_probability(logs)  # (T, V)
    y_log_p = log_p[torch.arange(len(y)), y].tolist()
    log_p[:, [PAD, BOS]] = -torch.inf  # the search never chooses these
    log_p[torch.arange(len(y)), y] = -torch.inf
    rival_log_p, ids = log_p.topk(RIVALS, -1)
    names, words = subwords.pieces, iter(copied)
    rivals = [
        [Rival(names[i], p) for i, p in zip(*row, strict=True)]
        for row in zip(ids.tolist(), rival_log_p.exp().tolist(), strict=True)
    ]
    looked_at = [None] * len(y) if alpha is None else alpha.argmax(-1).tolist()
    copies = [next(words) if i == UNK else "" for i in y]
    pieces = list(map(Piece, [names[i] for i in y], y_log_p, looked_at, rivals, copies))
    return pieces, None if alpha is None else alpha.tolist()
