"""Tune the weights of the log-linear model on a dev set (Och 2003; Cherry & Foster 2012).

Each round translates the dev set with the current weights, adds the k best hypotheses of each
sentence to those of all rounds before, finds the weights that rank these lists best (``mert``,
``mira``), and moves towards them within a trust region (``region``). Tuning ends when at most
``CONVERGED`` of the hypotheses are new, after ``PATIENCE`` rounds without a better one, or after
``ROUNDS``. Further rounds gained 0.07 BLEU on the dev sets of seven trainings, and lost 0.03 on
their test sets.

A round is judged by its translation of the whole dev set. The best round has the highest ``merit``
among those whose BLEU is not below the first round's. Every step starts at the best round's
weights. ρ is the share of the reach that the next step may use: a round that is not the best so far
halves it, a better one doubles it, up to ``RHO``. So the result is never worse on dev than the
initial weights.

A dev set may come in parts, each translated by its own models. This allows cross-validation: each
fold of the training text is a part, translated by models of the other folds.
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

TUNERS = {"mira": {"mira"}, "mert": {"mert", "envelope"}}  # and the modules with their kernels
N_BEST = 100  # k, hypotheses per sentence and round
ROUNDS = 15
CONVERGED = 0.03  # share of hypotheses; see above
PATIENCE = 4  # rounds in a row that are not the best so far
RHO = 0.5


class Part(NamedTuple):
    """Sentences of a dev set as word tokens, and the models that translate them."""

    system: SmtSystem
    source: Sequence[list[str]]
    target: Sequence[list[str]]


class Round(NamedTuple):
    """One translation of the dev set."""

    weights: dict[str, float]  # of this translation
    bleu: float  # of the best hypotheses, 0 to 100, on word tokens
    wer: float  # likewise, per cent
    length: float  # tokens of the best hypotheses per token of the references
    step: float  # μ, from the best weights before to these; 0 in the first round
    hypotheses: int  # in all lists so far
    new: int  # hypotheses that were not in the lists before
    best: bool  # whether it is the best round so far


def tune(parts: Sequence[Part], tuner: str = "mira") -> Iterator[Round]:
    """Translate and improve the weights, round by round; the last ``best`` round has the result.

    The weight of unknown words is fixed, since they are copied whatever its value. The result does
    not depend on the number of threads.
    """
    free = np.array([name != "unknown" for name in NAMES])
    weights = centre = np.array([parts[0].system.weights[name] for name in NAMES])
    no_features, no_counts = np.zeros((0, len(NAMES)), np.float32), np.zeros((0, COLUMNS), np.int32)
    pool = Lists(np.zeros(sum(len(p.source) for p in parts) + 1, np.int64), no_features, no_counts)
    first_bleu, best_merit, n_waited, rho, μ, best_reach = -np.inf, -np.inf, 0, RHO, 0.0, 0.0
    for _ in range(ROUNDS):
        by_name = dict(zip(NAMES, weights.tolist(), strict=True))
        nbest = join([dev_lists(part, by_name) for part in parts])
        total = nbest.statistics[nbest.begin[:-1]].sum(0)
        dev_bleu, dev_merit = float(bleu(total)), float(merit(total))
        length = float(total[ORDER] / max(1, total[2 * ORDER]))
        n_before = len(pool.features)
        pool = merge(pool, nbest)
        n_new = len(pool.features) - n_before
        is_best = dev_merit > best_merit and dev_bleu >= first_bleu
        first_bleu = dev_bleu if first_bleu == -np.inf else first_bleu
        if is_best:
            best_merit, centre, best_reach, n_waited = dev_merit, weights, reach(nbest, weights), 0
        else:
            n_waited += 1
        rho = min(RHO, 2 * rho) if is_best else rho / 2
        yield Round(by_name, dev_bleu, wer(total), length, μ, len(pool.features), n_new, is_best)
        if n_new <= CONVERGED * len(pool.features) or n_waited == PATIENCE:
            return
        optimum = optimise(tuner, pool, centre, free, parts[0].system.threads)
        μ = step(pool, centre, optimum, rho * best_reach)
        weights = centre + μ * (optimum - centre)


def optimise(tuner: str, lists: Lists, weights: Float64, free: Bool, threads: int) -> Float64:
    """Return the weights that rank ``lists`` best, by one of ``TUNERS``."""
    if tuner == "mira":
        return mira(lists, weights, free)[0]
    assert tuner == "mert", tuner
    return mert(lists, weights, free, threads=threads)[0]


def dev_lists(part: Part, weights: dict[str, float]) -> Lists:
    """Return the n-best lists of a part of the dev set, best hypothesis of each sentence first."""
    system = part.system.with_weights(weights)
    lists = system.n_best(part.source, N_BEST)
    id_of = {word: i for i, word in enumerate(system.models.target.words)}

    def encode(words: Sequence[str]) -> list[int]:
        return [id_of.setdefault(word, len(id_of)) for word in words]

    hypotheses = []
    for words, nbest in zip(part.source, lists, strict=True):
        copied = np.array(encode(words)[::-1], np.int32)  # id −1 − i is source word i
        ids = nbest.words
        hypotheses.append(np.where(ids < 0, copied[np.minimum(ids, -1)], ids))
    lengths = np.concatenate([np.diff(nbest.w_begin) for nbest in lists])
    begin = np.cumsum([0, *(len(nbest.score) for nbest in lists)])
    flat = Flat(np.concatenate(hypotheses), np.cumsum([0, *lengths]))
    references = Flat.of([encode(words) for words in part.target])
    features = np.concatenate([nbest.features for nbest in lists]).astype(np.float32)
    return Lists(begin, features, statistics(flat, references, begin))
