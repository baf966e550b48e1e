"""A derivation as reasons: what each phrase, and each word by the language model, adds.

score = Σ_k λ_k f_k(x, y) = Σ_phrases Σ_k λ_k f_k(phrase)
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from mtkit.smt.flat import Float64
from mtkit.system import Hypothesis, Phrase, PhraseReasons, Term, Word
from mtkit.text.vocabulary import BOS, EOS, SPECIALS


def reasons(
    words: list[str], best: Hypothesis, parts: Float64, weights: Mapping[str, float]
) -> PhraseReasons:
    """Why ``words`` became ``best``.

    parts: float64 (phrases, features), what each phrase adds to the features, the last one with the
    sentence's end; they sum to the hypothesis's.
    """
    spans = [(-1, 0), *((s0, s1) for s0, s1, _, _ in best.segments)]
    phrases = []
    for (s0, s1, t0, t1), (before, span), part in zip(
        best.segments, pairwise(spans), parts.tolist(), strict=True
    ):
        features = dict(zip(best.features, part, strict=True))
        phrases.append(
            Phrase(
                words[s0:s1],
                best.tokens[t0:t1],
                span,
                _orientation(span, before),
                features["unknown"] > 0,
                _terms(features, weights),
            )
        )
    terms = _terms(best.features, weights)
    return PhraseReasons(words, best.text, best.score, phrases, _words(best), terms)


def _orientation(span: tuple[int, int], before: tuple[int, int]) -> str:
    """That of a phrase's span towards the one before, by ``search.decoder``'s rule."""
    if span[0] == before[1]:
        return "monotone"
    return "swap" if span[1] == before[0] else "discontinuous"


def _words(h: Hypothesis) -> list[Word]:
    context = [SPECIALS[BOS], *h.tokens, SPECIALS[EOS]]
    return [
        Word(text, log_p, context[max(0, at - order + 1) : at + 1])
        for at, ((text, log_p), order) in enumerate(zip(h.token_logprobs, h.orders, strict=True), 1)
    ]


def _terms(features: Mapping[str, float], weights: Mapping[str, float]) -> list[Term]:
    # + 0.0: no feature costs −0
    return [Term(name, f, weights[name], f * weights[name] + 0.0) for name, f in features.items()]
