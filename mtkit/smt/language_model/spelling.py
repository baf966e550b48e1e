"""Character n-gram model for the spelling of unknown words.

    P(c_1 … c_n) = Π_i p(c_i | c_{i−4} … c_{i−1}) · p(</s> | c_{n−3} … c_n)

with modified Kneser-Ney smoothing (see ``estimate``). The training text is the list of known words,
each once: an unknown word resembles the many rare words more than the few frequent ones. Characters
are Unicode code points, joiner marks included. A character that no known word has is scored as
``<unk>``, then as any code point of Unicode with equal probability.

With P(w) = P(<unk>) · P(spelling), each unknown word has its own probability. The probability of a
text is then that of its characters, comparable between vocabularies. Limits: the model also gives
probability to the known words, so the probabilities of unknown words are a little too small.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from mtkit.smt.flat import Float64
from mtkit.smt.language_model.estimate import train
from mtkit.smt.language_model.ngrams import NgramModel
from mtkit.text.vocabulary import CODE_POINTS

ORDER = 5


@dataclass(frozen=True)
class Spelling:
    """A character n-gram model.

    >>> spelling = Spelling.of(["lied", "leid", "lider"])
    >>> likely, odd = spelling.log_probabilities(["leider", "rrr"])
    >>> bool(likely > odd)
    True
    """

    model: NgramModel

    @classmethod
    def of(cls, words: Sequence[str]) -> Self:
        """Train on ``words``; there may be none."""
        return cls(train(words or [""], ORDER))

    def log_probabilities(self, words: Sequence[str]) -> Float64:
        """Return ln P(spelling) of each word, float64 (len(words),)."""
        if not words:
            return np.empty(0)
        scores = self.model.score(words)
        log_p = scores.log_prob - math.log(CODE_POINTS) * scores.is_oov
        sums: Float64 = np.add.reduceat(log_p, scores.offsets[:-1])
        return sums
