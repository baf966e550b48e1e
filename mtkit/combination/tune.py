"""Tuning: the weights λ that choose best among the candidates of a dev set.

Features are divided by σ_k, the standard deviation of f_k among the candidates of a sentence, so
that a step has the same effect on each weight. Batch MIRA (``smt.tuning.mira``) starts once from
each system's own choice: weight 1 for its ``model``, −1 for ``unreached``. The best result is kept.

Cross-validation estimates the quality on other text, and decides between small and large steps
(``SCHEDULES``): each fold of the dev set is translated with weights tuned on the other ``FOLDS`` −
1. One division of 1,000 sentences errs by about 0.2 BLEU, enough to reject a useful combination;
therefore the results of ``DIVISIONS`` random divisions are averaged. Best means highest ``merit``
(``smt.tuning.bleu``). How much the gain would differ on other sentences of the same kind is
estimated by resampling those of the dev set (``evaluation.means``).

The dev set's references may be longer than those of other text. Tuning would lengthen the output to
match them, which no cross-validation within the dev set reveals. So tuning replaces the length r_s
of each reference (``without_length_gain``); the printed figures keep it:

    r′_s = r_s · min(1, c/r)        c, r: words of the best system's output, of all references
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mtkit.combination.pool import Name, Pool
from mtkit.combination.system import Weights
from mtkit.evaluation.means import Interval, draws, interval
from mtkit.smt.flat import Bool, Flat, Float32, Float64, Int32, Int64
from mtkit.smt.tuning.bleu import ORDER, bleu, merit, statistics, wer
from mtkit.smt.tuning.lists import Lists, best, corpus_merit, scores
from mtkit.smt.tuning.mira import mira

FOLDS, DIVISIONS = 5, 5
Schedule = tuple[float, int]  # longest step C, number of steps
SCHEDULES = ((3e-4, 30_000), (0.1, 100_000))  # stay near the start, or move far
MAX_EPOCHS = 200  # for a dev set of less than 500 sentences


@dataclass(frozen=True)
class Figures:
    """Scores of one choice of candidates for the dev set, computed on word tokens."""

    bleu: float
    wer: float
    merit: float

    @classmethod
    def of(cls, chosen: Int32) -> Figures:
        """Return the scores for the statistics of S choices, (S, COLUMNS) or (DIVISIONS, S, …)."""
        total = chosen.reshape(-1, *chosen.shape[-2:]).sum(1, dtype=np.int64).mean(0)
        return cls(float(bleu(total)), float(wer(total)), float(merit(total)))


@dataclass(frozen=True)
class Tuned:
    """Weights, and scores on the dev set."""

    weights: Weights
    alone: dict[str, Figures]  # each system's own choice
    best: str  # the system with the highest merit alone
    validated: Figures  # cross-validated
    gain: Interval  # in BLEU over ``best``, cross-validated, with its 95 % interval
    fitted: Figures  # with ``weights``, on the data they were tuned on
    oracle: Figures  # of the candidates with the highest sentence BLEU

    @property
    def pays(self) -> bool:
        """Whether the combination, cross-validated, has more merit than the best system."""
        return self.validated.merit > self.alone[self.best].merit


def tune(pool: Pool, systems: Sequence[str], references: Sequence[Sequence[str]]) -> Tuned:
    """Tune weights on a dev set. systems: parts with n-best lists. references: word tokens."""
    true = counts(pool, references)
    own = {system: first_of_system(pool, system) for system in systems}
    alone = {system: Figures.of(true[rows]) for system, rows in own.items()}
    best_alone = max(alone, key=lambda system: alone[system].merit)
    names = list(pool.columns)
    features = pool.matrix(names).astype(np.float32)
    sigma = _deviations(features, pool.begin)
    varies = sigma > 1e-6
    names = [name for name, varying in zip(names, varies, strict=True) if varying]
    features = np.ascontiguousarray((features[:, varies] / sigma[varies]).astype(np.float32))
    lists = Lists(pool.begin, features, without_length_gain(true, pool.begin, own[best_alone]))
    starts = [weights_of_system(system, names) * sigma[varies] for system in systems]
    choices = [(_cross_validated(lists, starts, schedule), schedule) for schedule in SCHEDULES]
    rows, schedule = max(choices, key=lambda choice: Figures.of(lists.statistics[choice[0]]).merit)
    λ = optimum(lists, starts, schedule)
    weights: dict[str, dict[str, float]] = {}
    for (system, feature), weight in zip(names, (λ / sigma[varies]).tolist(), strict=True):
        weights.setdefault(system, {})[feature] = weight
    return Tuned(
        weights,
        alone,
        best_alone,
        Figures.of(true[rows]),
        _gain(true[rows].mean(0), true[own[best_alone]].astype(float)),
        Figures.of(true[best(lists, scores(features, λ))]),
        Figures.of(true[oracle(pool.begin, true)]),
    )


def without_length_gain(statistics: Int32, begin: Int64, rows: Int64) -> Int32:
    """Return the statistics with references shortened to the total length of the output ``rows``.

    rows: a candidate of each sentence, (S,). References that are shorter in total stay as they are.
    """
    r = statistics[begin[:-1], 2 * ORDER]
    share = min(1.0, statistics[rows, ORDER].sum() / max(1, r.sum()))
    shortened = np.diff(np.rint(share * np.cumsum(r)).astype(np.int32), prepend=np.int32(0))
    neutral = statistics.copy()
    neutral[:, 2 * ORDER] = np.repeat(shortened, np.diff(begin))
    return neutral


def _cross_validated(lists: Lists, starts: Sequence[Float64], schedule: Schedule) -> Int64:
    """Return the candidates chosen by weights of the other folds, as rows (DIVISIONS, S)."""
    S = len(lists.begin) - 1
    rows = np.zeros((DIVISIONS, S), np.int64)
    for division in range(DIVISIONS):
        fold = np.random.default_rng(division + 1).permutation(S) % FOLDS
        for k in range(FOLDS):
            weights = optimum(select_sentences(lists, fold != k), starts, schedule)
            rows[division, fold == k] = best(lists, scores(lists.features, weights))[fold == k]
    return rows


def _gain(a: Float64, b: Float64) -> Interval:
    """Return BLEU of choices ``a`` minus that of ``b``, (S, COLUMNS), over resampled sentences."""
    resamples = [len(chosen) * draws(len(chosen)) @ chosen for chosen in (a, b)]
    gains = [bleu(x) - bleu(y) for x, y in zip(*resamples, strict=True)]
    return interval(bleu(a.sum(0)) - bleu(b.sum(0)), np.array(gains))


def optimum(lists: Lists, starts: Sequence[Float64], schedule: Schedule) -> Float64:
    """Return the best weights (F,) that MIRA finds from any of ``starts``, by a schedule."""
    C, steps = schedule
    epochs = min(MAX_EPOCHS, -(-steps // max(1, len(lists.begin) - 1)))
    ends = [mira(lists, start, epochs=epochs, C=C)[0] for start in starts]
    return max(ends, key=lambda end: corpus_merit(lists, end))


def first_of_system(pool: Pool, system: str) -> Int64:
    """Return each sentence's candidate that is first in the list of ``system``, as rows (S,)."""
    top = np.array([y.places.get(system) == 0 for y in pool.candidates])
    spans = pairwise(pool.begin.tolist())
    return np.array([a + np.argmax(top[a:b]) for a, b in spans])  # the first if the list is empty


def weights_of_system(system: str, names: Sequence[Name]) -> Float64:
    """Return λ (F,) with which ``system`` chooses among all candidates as its own search would."""
    weights = {(system, "model"): 1.0, (system, "unreached"): -1.0}
    return np.array([weights.get(name, 0.0) for name in names])


def counts(pool: Pool, references: Sequence[Sequence[str]]) -> Int32:
    """Return the candidates' BLEU statistics, int32 (n, COLUMNS). references: word tokens."""
    ids: dict[str, int] = {}

    def flat(sentences: Sequence[Sequence[str]]) -> Flat:
        return Flat.of([[ids.setdefault(w, len(ids)) for w in words] for words in sentences])

    hypotheses, flat_references = flat([y.tokens for y in pool.candidates]), flat(references)
    return statistics(hypotheses, flat_references, pool.begin)


def select_sentences(lists: Lists, chosen: Bool) -> Lists:
    """Return the lists of the sentences ``chosen``, bool (S,)."""
    sizes = np.diff(lists.begin)
    rows = np.repeat(chosen, sizes)
    return Lists(np.cumsum([0, *sizes[chosen]]), lists.features[rows], lists.statistics[rows])


def oracle(begin: Int64, statistics: Int32) -> Int64:
    """Return each sentence's candidate with the highest sentence BLEU, as rows (S,).

    Counts of orders 2 to 4 are increased by 1 (Lin & Och 2004), so that BLEU is above 0 even for
    short sentences.
    """
    counts = statistics.astype(float)
    matches, totals = counts[:, :ORDER], counts[:, ORDER : 2 * ORDER]
    smoothing = np.array([0.0, *[1.0] * (ORDER - 1)])
    with np.errstate(divide="ignore"):
        log_p = np.log((matches + smoothing) / np.maximum(totals + smoothing, 1)).mean(1)
        brevity = np.minimum(0, 1 - counts[:, 2 * ORDER] / np.maximum(totals[:, 0], 1e-9))
    no_features = np.zeros((len(counts), 0), np.float32)
    return best(Lists(begin, no_features, statistics), log_p + brevity)


def _deviations(features: Float32, begin: Int64) -> Float64:
    """Return σ, the standard deviation of each column (n, F) of features within sentences, (F,)."""
    features, sizes = features.astype(float), np.diff(begin)
    means = np.add.reduceat(features, begin[:-1]) / sizes[:, None]
    deviations: Float64 = np.sqrt(((features - np.repeat(means, sizes, axis=0)) ** 2).mean(0))
    return deviations
