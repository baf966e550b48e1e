"""What may be chance: the bootstrap interval of BLEU, chrF or TER, and two tests between systems.

The bootstrap (Koehn 2004) draws test sets from this one, with replacement; approximate
randomisation (Riezler & Maxwell 2005) exchanges two systems' sentences at random. Both sum the rows
of ``statistics``, whose ``Scorer`` draws and shuffles; intervals and p-values are sacreBLEU's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from sacrebleu.significance import estimate_ci

from mtkit.evaluation.statistics import Statistics

ALPHA = 0.05  # below this p a difference counts as significant
TESTED = ("bleu", "chrf")  # metrics that significance is tested by


def interval(statistics: Statistics, metric: str) -> tuple[float, float] | tuple[None, None]:
    """The ends of the 95 % bootstrap interval of a corpus score; ``None`` without bootstrap.

    Mean ∓ half-width, as sacreBLEU prints them, cut at the ends of the scale.
    """
    if statistics.scorer.resamples < 2:
        return None, None
    mean, half = estimate_ci(statistics.resampled[metric])
    top = math.inf if metric == "ter" else 100.0
    low, high = (float(min(top, max(0.0, end))) for end in (mean - half, mean + half))
    return low, high


@dataclass(frozen=True)
class Pair:
    """Two systems on one metric: delta = score of ``a`` − score of ``b``.

    The p-values are two-sided: how often a difference as large arises where there is none.
    """

    a: str
    b: str
    metric: str
    delta: float
    p_bootstrap: float
    p_randomization: float

    @property
    def rejections(self) -> int:
        """How many of the two tests, 0 to 2, find the difference significant at p < ``ALPHA``."""
        return (self.p_bootstrap < ALPHA) + (self.p_randomization < ALPHA)

    @property
    def significance(self) -> str:
        """The same in words."""
        return ("not significant", "disputed", "significant")[self.rejections]


def significance(systems: Mapping[str, Statistics]) -> list[Pair]:
    """Every pair of systems by two tests: is the difference real, or this test set's chance?

    systems: name → rows by one scorer. Where two systems score the same, p is 1: sacreBLEU counts
    only what exceeds the difference, and would say 0.001.
    """
    pairs = []
    for (a, one), (b, two) in combinations(systems.items(), 2):
        for metric in (name for name in TESTED if name in one.rows):
            delta = one.score(metric) - two.score(metric)
            p = _p_values(metric, one, two, abs(delta)) if delta else [1.0, 1.0]
            pairs.append(Pair(a, b, metric, delta, *p))
    return pairs


def _p_values(metric: str, a: Statistics, b: Statistics, delta: float) -> list[float]:
    """p = (1 + differences larger than ``delta``) / (1 + all), so that none is 0, by both tests.

    Bootstrap: |score_b − score_a| of each resampled test set, less their mean. Randomisation:
    |score_a − score_b| where the two exchange sentences at random.
    """
    resampled = np.abs(b.resampled[metric] - a.resampled[metric])
    scorer, x, y = a.scorer, a.rows[metric], b.rows[metric]
    gained = scorer.shuffles @ (x - y)  # (trials, columns)
    first, second = (
        np.array([scorer.score(metric, total).score for total in totals.tolist()])
        for totals in (y.sum(0) + gained, x.sum(0) - gained)
    )
    differences = resampled - resampled.mean(), np.abs(first - second)
    return [(int(np.sum(of > delta)) + 1) / (len(of) + 1) for of in differences]
