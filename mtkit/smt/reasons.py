"""Explanation of a translation: what each phrase adds to the score, and ln p of each word.

score = Σ_k λ_k f_k(x, y) = Σ_phrases Σ_k λ_k f_k(phrase)
"""

from __future__ import annotations

from collections.abc import Mapping

from mtkit.smt.flat import Float64
from mtkit.system import Hypothesis, Phrase, PhraseReasons, Term, Word
from mtkit.text.vocabulary import BOS, EOS, SPECIALS


def reasons(
    words: list[str], best: Hypothesis, parts: Float64, weights: Mapping[str, float]
) -> PhraseReasons:
    """Return the reasons for ``best``, a translation of ``words``.

    parts: (phrases, F), the features that each phrase adds, in sum those of ``best``; the last row
    includes the sentence's end.
    """
    phrases, last = [], (-1, 0)
    for (s0, s1, t0, t1), part in zip(best.segments, parts.tolist(), strict=True):
        features = dict(zip(best.features, part, strict=True))
        orientation = "swap" if s1 == last[0] else "discontinuous"  # as in ``search.hypothesis``
        if s0 == last[1]:
            orientation = "monotone"
        x, y, is_copied = words[s0:s1], best.tokens[t0:t1], features["unknown"] > 0
        terms = _terms(features, weights)
        phrases.append(Phrase(x, y, (s0, s1), orientation, is_copied, terms))
        last = s0, s1
    context = [SPECIALS[BOS], *best.tokens, SPECIALS[EOS]]
    tokens = enumerate(zip(best.token_logprobs, best.orders, strict=True), 1)
    by_lm = [Word(w, p, context[max(0, i - n + 1) : i + 1]) for i, ((w, p), n) in tokens]
    terms = _terms(best.features, weights)
    return PhraseReasons(words, best.text, best.score, phrases, by_lm, terms)


def _terms(features: Mapping[str, float], weights: Mapping[str, float]) -> list[Term]:
    # + 0.0 turns −0.0 into 0.0
    return [Term(name, f, weights[name], f * weights[name] + 0.0) for name, f in features.items()]
