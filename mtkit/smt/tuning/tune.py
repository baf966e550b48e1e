"""Tuning the weights of the log-linear model on a dev set (Och 2003; Cherry & Foster 2012).

Translate the dev set with the weights at hand, keep the k best of each sentence, unite them with
those of all rounds before, find the weights that rank these lists best (``mert``, ``mira``), go
towards them as far as the lists reach (``region``), and again, until nothing new is found.

What counts is a whole translation of the dev set. Every step begins at the weights of the best one
so far: that of most ``merit`` among those whose BLEU is not below the first's. A round that is no
better halves ρ, the share of the reach that the next step may use, and a better one doubles it, up
to ``RHO``. Tuning never ends worse on dev than it began.

A dev set may come in parts, each translated by models of its own: so text can be tuned on that the
models of all of it were estimated from, in folds that those of the other folds translate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from mtkit.smt.flat import Bool, Flat, Float64
from mtkit.smt.search.features import NAMES
from mtkit.smt.system import SmtSystem
from mtkit.smt.tuning.bleu import COLUMNS, ORDER, bleu, merit, statistics, wer
from mtkit.smt.tuning.lists import Lists, join, merge
from mtkit.smt.tuning.mert import mert
from mtkit.smt.tuning.mira import mira
from mtkit.smt.tuning.region import reach, step

TUNERS = {"mira": {"mira"}, "mert": {"mert", "envelope"}}  # and the modules of their kernels
SIZE = 100  # hypotheses of a sentence and round
ROUNDS = 15
PATIENCE = 4  # rounds that are not the best so far
RHO = 0.5


class Part(NamedTuple):
    """Sentences of a dev set as word tokens, and the models that translate them."""

    system: SmtSystem
    source: Sequence[list[str]]
    target: Sequence[list[str]]


class Round(NamedTuple):
    """One translation of the dev set."""

    weights: dict[str, float]  # that it was translated with
    bleu: float  # of the best hypotheses, per cent, word tokens as they stand
    wer: float  # likewise
    length: float  # their tokens for each of the references
    step: float  # μ, from the best weights before to these; 0 in the first round
    hypotheses: int  # in all lists so far
    new: int  # those of them that were not known before
    best: bool  # whether it is the best so far


def tune(parts: Sequence[Part], tuner: str = "mira") -> Iterator[Round]:
    """Translate and improve the weights, round by round; the last ``best`` round's are the result.

    The weight of unknown words stays as it is: they are copied whatever it says. Deterministic,
    whatever the number of threads.
    """
    free = np.array([name != "unknown" for name in NAMES])
    weights = centre = np.array([parts[0].system.weights[name] for name in NAMES])
    no_features, no_counts = np.zeros((0, len(NAMES)), np.float32), np.zeros((0, COLUMNS), np.int32)
    known = Lists(np.zeros(sum(len(p.source) for p in parts) + 1, np.int64), no_features, no_counts)
    first, best, waited, rho, μ, trusted = -np.inf, -np.inf, 0, RHO, 0.0, 0.0
    for _ in range(ROUNDS):
        named = dict(zip(NAMES, weights.tolist(), strict=True))
        nbest = join([dev_lists(part, named) for part in parts])
        total = nbest.statistics[nbest.begin[:-1]].sum(0)
        score, value = float(bleu(total)), float(merit(total))
        length = float(total[ORDER] / max(1, total[2 * ORDER]))
        before = len(known.features)
        known = merge(known, nbest)
        new = len(known.features) - before
        better = value > best and score >= first
        first = score if first == -np.inf else first
        if better:
            best, centre, trusted, waited = value, weights, reach(nbest, weights), 0
        else:
            waited += 1
        rho = min(RHO, 2 * rho) if better else rho / 2
        yield Round(named, score, wer(total), length, μ, len(known.features), new, better)
        if not new or waited == PATIENCE:
            return
        optimum = optimise(tuner, known, centre, free, parts[0].system.threads)
        μ = step(known, centre, optimum, rho * trusted)
        weights = centre + μ * (optimum - centre)


def optimise(tuner: str, lists: Lists, weights: Float64, free: Bool, threads: int) -> Float64:
    """The weights under which ``lists`` rank best, by one of ``TUNERS``."""
    if tuner == "mira":
        return mira(lists, weights, free)[0]
    assert tuner == "mert", tuner
    return mert(lists, weights, free, threads=threads)[0]


def dev_lists(part: Part, weights: dict[str, float]) -> Lists:
    """The n-best lists of a part of the dev set, the best hypothesis of each sentence first."""
    system = part.system.with_weights(weights)
    lists = system.n_best(part.source, SIZE)
    number_of = {word: i for i, word in enumerate(system.models.target.words)}

    def number(words: Sequence[str]) -> list[int]:
        return [number_of.setdefault(word, len(number_of)) for word in words]

    hypotheses = []
    for words, nbest in zip(part.source, lists, strict=True):
        copied = np.array(number(words)[::-1], np.int32)  # source word i is −1 − i
        ids = nbest.words
        hypotheses.append(np.where(ids < 0, copied[np.minimum(ids, -1)], ids))
    lengths = np.concatenate([np.diff(nbest.w_begin) for nbest in lists])
    begin = np.cumsum([0, *(len(nbest.score) for nbest in lists)])
    flat = Flat(np.concatenate(hypotheses), np.cumsum([0, *lengths]))
    references = Flat.of([number(words) for words in part.target])
    features = np.concatenate([nbest.features for nbest in lists]).astype(np.float32)
    return Lists(begin, features, statistics(flat, references, begin))
