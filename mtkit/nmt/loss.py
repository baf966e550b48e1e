"""The loss of training and validation: cross-entropy −Σ_t ln P(y_t | y_<t, x), in nats.

Training uses label smoothing by ε (Szegedy et al. 2016, section 7), V the vocabulary size:

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

ROUND = 64  # the number of logit rows of a batch is a multiple of this


def loss_of(
    model: Seq2Seq, batch: Batch, smoothing: float, y_in: Tensor, tokens: int = 0
) -> Tensor:
    """Return the smoothed cross-entropy of a batch in nats per token, a scalar.

    tokens: the divisor of the sum; 0 = the batch's tokens. Logits are computed only for tokens that
    are no padding. Their number is rounded up with ignored ones, because oneDNN compiles and caches
    a kernel for each size.
    """
    n = len(batch.real)
    rows = functional.pad(batch.real, (0, -n % ROUND))
    y = batch.y_out.flatten()[rows]
    y[n:] = PAD
    total = functional.cross_entropy(
        model(batch.x, y_in, rows), y, ignore_index=PAD, label_smoothing=smoothing, reduction="sum"
    )
    return total / (tokens or n)


def perplexity(model: Seq2Seq, data: Data) -> float:
    """Return exp(−(1/N) Σ ln P(y|x)), N = target words and one ``</s>`` per sentence.

    It is at most e^50 for a finite loss; NaN or infinite if the loss is.
    """
    tokens = sum(data.target_words) + len(data)
    total = sum(float(log_p.sum()) for log_p in subword_log_probabilities([model], data))
    loss = -total / tokens
    return math.exp(min(50.0, loss)) if math.isfinite(loss) else loss
