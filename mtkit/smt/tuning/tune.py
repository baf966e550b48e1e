"""Tuning the weights of the log-linear model on a dev set (Och 2003; Cherry & Foster 2012).

Translate the dev set with the weights at hand, keep the k best of each sentence, unite them with
those of all rounds before, find the weights that rank these lists best (``mert``, ``mira``), and
again, until nothing new is found. Lists know only what was searched with some weights; so what
counts is a whole translation of the dev set. Kept are, of the weights whose BLEU is not below that
of the first, those with the best ``merit``: tuning never ends worse on dev than it began.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from mtkit.smt.flat import Bool, Flat, Float64
from mtkit.smt.search.features import NAMES
from mtkit.smt.system import SmtSystem
from mtkit.smt.tuning.bleu import COLUMNS, bleu, merit, statistics
from mtkit.smt.tuning.lists import Lists, merge
from mtkit.smt.tuning.mert import mert
from mtkit.smt.tuning.mira import mira

TUNERS = {"mira": {"mira"}, "mert": {"mert", "envelope"}}  # and the modules of their kernels
SIZE = 100  # hypotheses of a sentence and round
ROUNDS = 10
PATIENCE = 3  # rounds that are not the best so far


class Round(NamedTuple):
    """One translation of the dev set."""

    weights: dict[str, float]  # that it was translated with
    bleu: float  # of the best hypotheses, per cent, word tokens as they stand
    wer: float  # likewise
    hypotheses: int  # in all lists so far
    new: int  # those of them that were not known before
    best: bool  # whether it is the best so far


def tune(
    system: SmtSystem, source: Sequence[list[str]], target: Sequence[list[str]], tuner: str = "mira"
) -> Iterator[Round]:
    """Translate and improve the weights, round by round; the last ``best`` round's are the result.

    source, target: the dev set as word tokens. The weight of unknown words stays as it is: they are
    copied whatever it says. Deterministic, whatever the number of threads.
    """
    free = np.array([name != "unknown" for name in NAMES])
    weights = np.array([system.weights[name] for name in NAMES])
    no_features, no_counts = np.zeros((0, len(NAMES)), np.float32), np.zeros((0, COLUMNS), np.int32)
    known = Lists(np.zeros(len(source) + 1, np.int64), no_features, no_counts)
    first, best, waited = -np.inf, -np.inf, 0
    for _ in range(ROUNDS):
        named = dict(zip(NAMES, weights.tolist(), strict=True))
        nbest = dev_lists(system.with_weights(named), source, target)
        total = nbest.statistics[nbest.begin[:-1]].sum(0)
        score, value = float(bleu(total)), float(merit(total))
        before = len(known.features)
        known = merge(known, nbest)
        new = len(known.features) - before
        better = value > best and score >= first
        first = score if first == -np.inf else first
        yield Round(named, score, score - 2 * value, len(known.features), new, better)
        best, waited = (value, 0) if better else (best, waited + 1)
        if not new or waited == PATIENCE:
            return
        weights = optimise(tuner, known, weights, free, system.threads)


def optimise(tuner: str, lists: Lists, weights: Float64, free: Bool, threads: int) -> Float64:
    """The weights under which ``lists`` rank best, by one of ``TUNERS``."""
    if tuner == "mira":
        return mira(lists, weights, free)[0]
    assert tuner == "mert", tuner
    return mert(lists, weights, free, threads=threads)[0]


def dev_lists(system: SmtSystem, source: Sequence[list[str]], target: Sequence[list[str]]) -> Lists:
    """The n-best lists of a dev set, the best hypothesis of each sentence first."""
    lists = system.n_best(source, SIZE)
    number_of = {word: i for i, word in enumerate(system.models.target.words)}

    def number(words: Sequence[str]) -> list[int]:
        return [number_of.setdefault(word, len(number_of)) for word in words]

    hypotheses = []
    for words, nbest in zip(source, lists, strict=True):
        copied = np.array(number(words)[::-1], np.int32)  # source word i is −1 − i
        ids = nbest.words
        hypotheses.append(np.where(ids < 0, copied[np.minimum(ids, -1)], ids))
    lengths = np.concatenate([np.diff(nbest.w_begin) for nbest in lists])
    begin = np.cumsum([0, *(len(nbest.score) for nbest in lists)])
    flat = Flat(np.concatenate(hypotheses), np.cumsum([0, *lengths]))
    references = Flat.of([number(words) for words in target])
    features = np.concatenate([nbest.features for nbest in lists]).astype(np.float32)
    return Lists(begin, features, statistics(flat, references, begin))
