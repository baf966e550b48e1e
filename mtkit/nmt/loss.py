"""What training minimises and what validation reports: cross-entropy −Σ_t ln P(y_t | y_<t, x).

In training it is smoothed by ε (Szegedy et al. 2016, section 7), V the vocabulary:

    −Σ_t [ (1 − ε) ln P(y_t | y_<t, x) + ε/V Σ_v ln P(v | y_<t, x) ]
"""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional

from mtkit.nmt.data import Batch, Data
from mtkit.nmt.model import Seq2Seq
from mtkit.nmt.prefixes import subword_log_probabilities
from mtkit.text.vocabulary import PAD

ROUND = 64  # logits a batch: a multiple of this


def loss_of(
    model: Seq2Seq, batch: Batch, smoothing: float, y_in: Tensor, tokens: int = 0
) -> Tensor:
    """The smoothed cross-entropy in nats, summed over the batch and divided by ``tokens``, 0 =
    those of the batch. Only real positions get logits; their number is rounded up by some that
    count for nothing, as the library compiles and keeps a kernel for each size it meets.
    """
    n = len(batch.real)
    at = functional.pad(batch.real, (0, -n % ROUND))
    y = batch.y_out.flatten()[at]
    y[n:] = PAD
    total = functional.cross_entropy(
        model(batch.x, y_in, at), y, ignore_index=PAD, label_smoothing=smoothing, reduction="sum"
    )
    return total / (tokens or n)


def perplexity(model: Seq2Seq, data: Data) -> float:
    """exp(−(1/N) Σ ln P(y|x)), N = target words and one ``</s>`` a sentence; e^50 at most where the
    loss is finite, NaN or infinite where it is.
    """
    tokens = sum(data.target_words) + len(data)
    total = sum(float(log_p.sum()) for log_p in subword_log_probabilities([model], data))
    loss = -total / tokens
    return math.exp(min(50.0, loss)) if math.isfinite(loss) else loss
