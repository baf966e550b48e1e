"""What may be chance: the bootstrap interval of BLEU, chrF or TER, and two tests between systems.

The bootstrap (Koehn 2004) draws test sets from this one, with replacement; approximate
randomisation (Riezler & Maxwell 2005) exchanges two systems' sentences at random. Both sum the rows
of ``statistics``, whose ``Scorer`` draws and shuffles. With δ = score(a) − score(b), and δ* that of
a trial, two-sided and never 0 (Davison & Hinkley 1997, 4.4; Phipson & Smyth 2010):

    bootstrap       p = (1 + #{|δ* − δ| ≥ |δ|}) / (1 + trials)       δ* − δ: as if there were none
    randomisation   p = (1 + #{|δ*| ≥ |δ|}) / (1 + trials)

Of m pairs of systems the Holm (1979) correction keeps the chance of any false find below α:

    p̂_(k) = max_{j ≤ k} min(1, (m − j + 1) p_(j))                   p_(1) ≤ … ≤ p_(m)

A difference that is no chance may still be one that nobody sees. How many of such differences
between systems people judge alike (Kocmi et al. 2024, "Navigating the Metrics Maze", of news and
web text; figures of their program MT-Thresholds):

    agreement       a / (1 + exp(−b |δ|)), at least ½
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from sacrebleu.significance import estimate_ci

from mtkit.evaluation.statistics import Statistics

ALPHA = 0.05  # below this p a difference counts as significant
UNTESTED = {"ter"}  # metrics that significance is not tested by
SCALES = {"bleu": (0.0, 100.0), "chrf": (0.0, 100.0), "ter": (0.0, math.inf)}
AGREEING = {"bleu": (0.8833, 0.9664), "chrf": (0.9300, 1.1143)}  # a, b by metric


def interval(statistics: Statistics, metric: str) -> tuple[float, float] | tuple[None, None]:
    """The ends of the 95 % bootstrap interval of a corpus score; ``None`` without bootstrap.

    Mean ∓ half-width, as sacreBLEU prints them, cut at the ends of the scale.
    """
    if statistics.scorer.resamples < 2:
        return None, None
    mean, half = estimate_ci(statistics.resampled[metric])
    least, most = SCALES.get(metric, (-math.inf, math.inf))
    low, high = (float(min(most, max(least, end))) for end in (mean - half, mean + half))
    return low, high


@dataclass(frozen=True)
class Pair:
    """Two systems on one metric: delta = score of ``a`` − score of ``b``.

    The p-values are two-sided: how often a difference as large arises where there is none; by
    holm, corrected for the number of pairs on this metric. p_sacrebleu: what sacreBLEU's command
    prints for the paired bootstrap, (1 + #{|δ*| − mean |δ*| > |δ|})/(1 + trials): about the half of
    ``p_bootstrap``; None of a metric from elsewhere. agreement: with how many such differences
    people agree, 0.5 to 1; None where nobody has asked them.
    """

    a: str
    b: str
    metric: str
    delta: float
    p_bootstrap: float
    p_randomization: float
    holm_bootstrap: float
    holm_randomization: float
    p_sacrebleu: float | None
    agreement: float | None = None

    @property
    def rejections(self) -> int:
        """How many of the two tests, 0 to 2, find the difference significant: holm < ``ALPHA``."""
        return (self.holm_bootstrap < ALPHA) + (self.holm_randomization < ALPHA)

    @property
    def significance(self) -> str:
        """The same in words."""
        return ("not significant", "disputed", "significant")[self.rejections]


def significance(systems: Mapping[str, Statistics]) -> list[Pair]:
    """Every pair of systems by two tests: is the difference real, or this test set's chance?

    systems: name → rows by one scorer, of the metrics that it has.
    """
    metrics = dict.fromkeys(metric for s in systems.values() for metric in s.rows)
    tested = list[Pair]()
    for metric in metrics:
        if metric not in UNTESTED:
            having = [name for name, s in systems.items() if metric in s.rows]
            every = combinations(having, 2)
            tested += corrected([_tested(a, b, metric, systems) for a, b in every])
    order = list(combinations(systems, 2))
    return sorted(tested, key=lambda pair: order.index((pair.a, pair.b)))


def corrected(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs of one metric with their p-values by Holm's correction."""
    bootstrap = holm([pair.p_bootstrap for pair in pairs])
    randomization = holm([pair.p_randomization for pair in pairs])
    return [
        replace(pair, holm_bootstrap=p, holm_randomization=q)
        for pair, p, q in zip(pairs, bootstrap, randomization, strict=True)
    ]


def holm(p: Sequence[float]) -> list[float]:
    """p̂ of each of m p-values.

    >>> holm([0.04, 0.01, 0.03])
    [0.06, 0.03, 0.06]
    """
    order = np.argsort(p, kind="stable")
    factors = len(p) - np.arange(len(p))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(factors * np.array(p)[order]))
    values: list[float] = adjusted.tolist()
    return values


def _tested(a: str, b: str, metric: str, systems: Mapping[str, Statistics]) -> Pair:
    """Both tests of two systems, each p by itself."""
    one, two = systems[a], systems[b]
    δ = one.score(metric) - two.score(metric)
    drawn = one.resampled[metric] - two.resampled[metric]
    scorer, x, y = one.scorer, one.rows[metric], two.rows[metric]
    gained = scorer.shuffles @ (x - y)  # (trials, columns)
    first, second = (
        np.array([scorer.score(metric, total).score for total in totals.tolist()])
        for totals in (y.sum(0) + gained, x.sum(0) - gained)
    )
    p = _p_value(np.abs(drawn - δ) >= abs(δ))
    q = _p_value(np.abs(first - second) >= abs(δ))
    sacrebleu: float | None = 1.0
    if metric not in scorer.metrics:
        sacrebleu = None
    elif δ:
        sacrebleu = _p_value(np.abs(drawn) - np.abs(drawn).mean() > abs(δ))
    return Pair(a, b, metric, δ, p, q, p, q, sacrebleu, agreement(metric, δ))


def agreement(metric: str, δ: float) -> float | None:
    """With how many differences of δ in ``metric`` people agree.

    >>> [round(agreement(metric, 1), 2) for metric in ("bleu", "chrf")]
    [0.64, 0.7]
    """
    if metric not in AGREEING:
        return None
    a, b = AGREEING[metric]
    return max(0.5, a / (1 + math.exp(-b * abs(δ))))


def _p_value(as_large: NDArray[np.bool_]) -> float:
    """So that none is 0. as_large: bool (trials,)."""
    return (int(as_large.sum()) + 1) / (len(as_large) + 1)
