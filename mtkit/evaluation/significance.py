"""Statistical significance: bootstrap intervals of BLEU, chrF and TER; two tests between systems.

The bootstrap (Koehn 2004) resamples the test set with replacement. Approximate randomisation
(Riezler & Maxwell 2005) exchanges two systems' outputs of random sentences. Both sum the rows of
``statistics``, whose ``Scorer`` makes the random draws. δ = score(a) − score(b); δ* is that of a
trial. p is two-sided and never 0 (Davison & Hinkley 1997, 4.4; Phipson & Smyth 2010):

    bootstrap       p = (1 + #{|δ* − δ| ≥ |δ|}) / (1 + trials)       δ* − δ: under no difference
    randomisation   p = (1 + #{|δ*| ≥ |δ|}) / (1 + trials)

If no trial is as extreme, p = 1 / (1 + trials), and more trials could only lower it. Such a p is
shown as an upper bound: p ≤ 0.001.

For m pairs of systems, the Holm (1979) correction keeps the risk of any false positive below α:

    p̂_(k) = max_{j ≤ k} min(1, (m − j + 1) p_(j))                   p_(1) ≤ … ≤ p_(m)

People may not notice a significant difference. For differences of a given size, this is the share
in which they prefer the same system as the metric (Kocmi et al. 2024, "Navigating the Metrics
Maze", for news and web text; constants of their program MT-Thresholds):

    agreement       a / (1 + exp(−b min(|δ|, δ_max))), at least ½

δ_max is the largest difference in the paper's table of thresholds: 85 % at 3.35 BLEU, 90 % at 3.05
chrF. For larger differences the paper states no share; the share at δ_max is then a lower bound.
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

ALPHA = 0.05  # below this p a difference is significant
UNTESTED = {"ter"}  # metrics without significance tests
SCALES = {"bleu": (0.0, 100.0), "chrf": (0.0, 100.0), "ter": (0.0, math.inf)}
AGREEING = {"bleu": (0.8833, 0.9664, 3.35), "chrf": (0.9300, 1.1143, 3.05)}  # a, b, δ_max


def interval(statistics: Statistics, metric: str) -> tuple[float, float] | tuple[None, None]:
    """Return the ends of the 95 % bootstrap interval of a corpus score; ``None`` without bootstrap.

    They are mean ∓ half-width as in sacreBLEU, clipped to the metric's scale.
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

    The p-values are two-sided: the probability of a difference as large if there is none.
    holm_bootstrap, holm_randomization: the same, corrected for the number of pairs on this metric.
    p_sacrebleu: as sacreBLEU's command prints it for the paired bootstrap,
    (1 + #{|δ*| − mean |δ*| > |δ|})/(1 + trials), about half of ``p_bootstrap``; 1 if δ is 0, None
    for an external metric. agreement: share of such differences with which people agree, 0.5 to 1;
    a lower bound beyond δ_max; None if it is not known for the metric.
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
        """Number of tests, 0 to 2, that find the difference significant: Holm's p < ``ALPHA``."""
        return (self.holm_bootstrap < ALPHA) + (self.holm_randomization < ALPHA)

    @property
    def significance(self) -> str:
        """The number of ``rejections`` in words."""
        return ("not significant", "disputed", "significant")[self.rejections]

    @property
    def agreement_is_bound(self) -> bool:
        """Whether the difference is larger than any for which the agreement is known."""
        return self.metric in AGREEING and abs(self.delta) > AGREEING[self.metric][2]

    def p_values(self, trials: tuple[int, int], holm: bool = False) -> list[str]:
        """Return both p-values with a sign: ``= 0.03``, or ``≤ 0.001`` if no trial is as extreme.

        trials: of the bootstrap, of the randomisation. holm: return the corrected ones.
        """
        own = self.p_bootstrap, self.p_randomization
        shown = (self.holm_bootstrap, self.holm_randomization) if holm else own
        return [
            f"{'≤' if p <= 1 / (1 + n) else '='} {value:.2g}"
            for p, n, value in zip(own, trials, shown, strict=True)
        ]


def significance(systems: Mapping[str, Statistics]) -> list[Pair]:
    """Test the difference of every pair of systems on every metric that both have, by two tests.

    systems: name → statistics, all by one scorer. ``UNTESTED`` metrics are left out.
    """
    metrics = dict.fromkeys(metric for s in systems.values() for metric in s.rows)
    tested = list[Pair]()
    for metric in metrics:
        if metric not in UNTESTED:
            names = [name for name, s in systems.items() if metric in s.rows]
            pairs = combinations(names, 2)
            tested += corrected([_tested(a, b, metric, systems) for a, b in pairs])
    order = list(combinations(systems, 2))
    return sorted(tested, key=lambda pair: order.index((pair.a, pair.b)))


def corrected(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the pairs of one metric with Holm-corrected p-values."""
    bootstrap = holm([pair.p_bootstrap for pair in pairs])
    randomization = holm([pair.p_randomization for pair in pairs])
    return [
        replace(pair, holm_bootstrap=p, holm_randomization=q)
        for pair, p, q in zip(pairs, bootstrap, randomization, strict=True)
    ]


def holm(p: Sequence[float]) -> list[float]:
    """Return p̂, the Holm-corrected p-value, of each of m p-values.

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
    """Run both tests on two systems; p-values are not corrected yet."""
    one, two = systems[a], systems[b]
    δ = one.score(metric) - two.score(metric)
    drawn = one.resampled[metric] - two.resampled[metric]
    scorer, x, y = one.scorer, one.rows[metric], two.rows[metric]
    gained = scorer.shuffles @ (x - y)  # (trials, columns)
    first, second = (
        np.array([scorer.score(metric, total).score for total in totals.tolist()])
        for totals in (y.sum(0) + gained, x.sum(0) - gained)
    )
    as_large = abs(δ) * (1 - 1e-9)  # sums of scores that are equal differ by rounding
    p = _p_value(np.abs(drawn - δ) >= as_large)
    q = _p_value(np.abs(first - second) >= as_large)
    sacrebleu: float | None = 1.0
    if metric not in scorer.metrics:
        sacrebleu = None
    elif δ:
        sacrebleu = _p_value(np.abs(drawn) - np.abs(drawn).mean() > abs(δ))
    return Pair(a, b, metric, δ, p, q, p, q, sacrebleu, agreement(metric, δ))


def agreement(metric: str, δ: float) -> float | None:
    """Return the share of differences of δ in ``metric`` with which people agree; None if unknown.

    >>> [round(agreement(metric, δ), 2) for metric in ("bleu", "chrf") for δ in (1, 40)]
    [0.64, 0.85, 0.7, 0.9]
    """
    if metric not in AGREEING:
        return None
    a, b, largest = AGREEING[metric]
    return max(0.5, a / (1 + math.exp(-b * min(abs(δ), largest))))


def _p_value(as_large: NDArray[np.bool_]) -> float:
    """Return a p-value, which is never 0. as_large: bool (trials,)."""
    return (int(as_large.sum()) + 1) / (len(as_large) + 1)
