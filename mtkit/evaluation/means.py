"""Means of measurements over sentences and seeds, with 95 % intervals.

Sentences are drawn with replacement (Efron 1979), places of a text that share words with their
neighbours in blocks of these, round its end (Politis & Romano 1992). Of three or five seeds that
would reach no further than from the least to the largest; what their mean v̄ may be is Student's t
instead:

    v̄ + t_ν √(A + B − C)

    A = σ̂²/S                     what seeds vary, of their figures v_1 … v_S
    B = Var_r(v̄_r)               what sentences vary, of resamples r
    C = (Var_r(v_sr) − B)/(S − 1)   their interaction, which A and B both have; mean over s
    ν = (A + B − C)² / (A²/(S − 1) + B²/(blocks − 1))     degrees of freedom (Satterthwaite 1946)

A − C below 0 is taken for 0; ν is whole, at least the lesser of S − 1 and blocks − 1, at most
``MANY``. One seed says nothing of others: only sentences vary then, A = C = 0.
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
def draws(N: int, block: int = 1) -> Floats:
    """Shares of N sentences in RESAMPLES draws with replacement: (RESAMPLES, N).

    block: how many that follow one another are drawn together, the first again behind the last.
    """
    rng = np.random.default_rng(SEED)
    first = rng.multinomial(-(-N // block), [1 / N] * N, RESAMPLES)
    reach = np.cumsum(np.pad(first, ((0, 0), (block, 0)), mode="wrap"), axis=1)
    counts = reach[:, block:] - reach[:, :-block]
    return np.asarray(counts / counts.sum(1, keepdims=True))


def resampled_means(values: Floats, block: int = 1) -> Floats:
    """Means of ``values`` (S, N, …) over seeds and drawn sentences: (RESAMPLES, …); see ``draws``.

    Of blocks there are two at least; single sentences count as many.
    """
    N = values.shape[1]
    block = max(1, min(block, N // 2))
    resampled = np.tensordot(draws(N, block), values, (1, 1))
    return over_seeds(values.mean(1), resampled, N // block if block > 1 else MANY)


def over_seeds(v: Floats, resampled: Floats, blocks: int = MANY) -> Floats:
    """What the mean of seeds may be, (R, …), whose quantiles are the interval; in the unit of v.

    v: a figure by seed, (S, …). resampled: the same of drawn sentences, (R, S, …). blocks: how many
    of these were drawn.
    """
    R, S = resampled.shape[:2]
    mean = resampled.mean(1)
    if S == 1 and blocks >= MANY:
        return np.asarray(mean)
    of_A, of_B = S - 1 or MANY, max(1, blocks - 1)  # degrees of freedom
    with np.errstate(invalid="ignore"):  # NaN where a seed has no figure
        B = mean.var(0)
        A = v.var(0, ddof=1) / S if S > 1 else np.zeros_like(B)
        C = (resampled.var(0).mean(0) - B) / (S - 1) if S > 1 else A
        of_seeds = np.maximum(A - C, 0)
        ν = (of_seeds + B) ** 2 / np.maximum(A**2 / of_A + B**2 / of_B, TINY)
    ν = np.clip(np.nan_to_num(ν, nan=1), min(of_A, of_B), MANY).astype(int)
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
