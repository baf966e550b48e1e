"""How a word is spelled that a model does not know: a character n-gram.

    P(c_1 … c_n) = Π_i p(c_i | c_{i−4} … c_{i−1}) · p(</s> | c_{n−3} … c_n)

by modified Kneser-Ney (see ``estimate``), the known words being the text that it is trained on,
each of them once: a new word is more like the many rare words than like the few frequent ones.
Characters are Unicode code points, joiner marks among them. A character that no known word has is
``<unk>`` and then any of Unicode's, all of them equally likely.

With P(w) = P(<unk>) · P(spelling) each unknown word has a probability of its own, and a text the
probability of its characters, which no longer depends on what a vocabulary leaves out. Limits: the
n-gram also gives some probability to the known words, which never need it, so that what unknown
words are left is a little too small.
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
    """A character n-gram.

    >>> spelling = Spelling.of(["lied", "leid", "lider"])
    >>> likely, odd = spelling.log_probabilities(["leider", "rrr"])
    >>> bool(likely > odd)
    True
    """

    model: NgramModel

    @classmethod
    def of(cls, words: Sequence[str]) -> Self:
        """Learn from ``words``, perhaps none."""
        return cls(train(words or [""], ORDER))

    def log_probabilities(self, words: Sequence[str]) -> Float64:
        """ln P(spelling) of each word, (len(words),)."""
        if not words:
            return np.empty(0)
        scores = self.model.score(words)
        log_p = scores.log_prob - math.log(CODE_POINTS) * scores.is_oov
        spelled: Float64 = np.add.reduceat(log_p, scores.offsets[:-1])
        return spelled
