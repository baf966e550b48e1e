"""Means of measurements over sentences and seeds, with 95 % intervals.

Sentences are drawn with replacement (Efron 1979). Of three or five seeds that would reach no
further than from the least to the largest; what their mean v̄ may be is Student's t instead:

    v̄ + t_ν √(A + B − C)

    A = σ̂²/S                     what seeds vary, of their figures v_1 … v_S
    B = Var_r(v̄_r)               what sentences vary, of resamples r
    C = (Var_r(v_sr) − B)/(S − 1)   their interaction, which A and B both have; mean over s
    ν = (S − 1) (A + B − C)²/A²   degrees of freedom (Satterthwaite 1946), those of B being many

A − C below 0 is taken for 0; ν is whole, from S − 1 to ``MANY``. One seed says nothing of others:
only sentences vary then.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
SEED = 12345
TINY = 1e-300  # in place of a variance of 0
MANY = 200  # degrees of freedom, of which more change nothing
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A figure and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Band:
    """A curve over x with its lower and upper edge; who makes it says what lies between them."""

    x: list[float]
    middle: list[float]
    low: list[float]
    high: list[float]


@lru_cache(maxsize=4)
def draws(N: int) -> Floats:
    """Shares of N sentences in RESAMPLES draws with replacement: (RESAMPLES, N)."""
    rng = np.random.default_rng(SEED)
    return rng.multinomial(N, [1 / N] * N, RESAMPLES) / N


def resampled_means(values: Floats) -> Floats:
    """Means of ``values`` (S, N, …) over seeds and drawn sentences: (RESAMPLES, …)."""
    return over_seeds(values.mean(1), np.tensordot(draws(values.shape[1]), values, (1, 1)))


def over_seeds(v: Floats, resampled: Floats) -> Floats:
    """What the mean of seeds may be, (R, …), whose quantiles are the interval; in the unit of v.

    v: a figure by seed, (S, …). resampled: the same of drawn sentences, (R, S, …).
    """
    R, S = resampled.shape[:2]
    mean = resampled.mean(1)
    if S == 1:
        return np.asarray(mean)
    with np.errstate(invalid="ignore"):  # NaN where a seed has no figure
        A, B = v.var(0, ddof=1) / S, mean.var(0)
        C = (resampled.var(0).mean(0) - B) / (S - 1)
        of_seeds = np.maximum(A - C, 0)
        more = np.clip((of_seeds + B) / np.maximum(A, TINY), 1, MANY)
    ν = np.minimum((S - 1) * np.nan_to_num(more, nan=1) ** 2, MANY).astype(int)
    rng = np.random.default_rng(SEED)
    g = rng.standard_normal((R, *[1] * (v.ndim - 1)))
    χ2 = np.cumsum(rng.standard_normal((R, MANY)) ** 2, axis=1)[:, ν - 1]
    centre = mean.mean(0)
    return np.asarray(centre + (mean - centre + g * np.sqrt(of_seeds)) * np.sqrt(ν / χ2))


def ends(resamples: Floats) -> tuple[Floats, Floats]:
    """The ends of the 95 % percentile interval of figures that were resampled (RESAMPLES, …)."""
    low, high = np.quantile(resamples, [0.025, 0.975], axis=0)
    return low, high


def interval(value: float, resamples: Floats) -> Interval:
    """A figure with its interval; ``resamples`` (RESAMPLES,)."""
    low, high = ends(resamples)
    return Interval(float(value), float(low), float(high))


def band(x: list[float], values: Floats) -> Band:
    """The median and the central 80 % of ``values`` (S, N, len(x)), all seeds together."""
    low, middle, high = np.quantile(values.reshape(-1, len(x)), [0.1, 0.5, 0.9], axis=0)
    return Band(x, middle.tolist(), low.tolist(), high.tolist())
