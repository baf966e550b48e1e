"""Means of measurements over sentences and seeds, with 95 % intervals.

Sentences are resampled with replacement (Efron 1979). Positions of a text share words with their
neighbours, so they are resampled in blocks that wrap round its end (Politis & Romano 1992).
Resamples of three or five seeds would never leave the range from their smallest to their largest
figure; so the interval of the mean v̄ over seeds is that of Student's t:

    v̄ ± t_ν √(A + B − C)

    A = σ̂²/S                     variance due to seeds, of their figures v_1 … v_S
    B = Var_r(v̄_r)               variance due to sentences, over resamples r
    C = (Var_r(v_sr) − B)/(S − 1)   their interaction, part of both A and B; mean over s
    ν = (A + B − C)² / (A²/(S − 1) + B²/(blocks − 1))     degrees of freedom (Satterthwaite 1946)

If A − C is below 0, it is set to 0. ν is rounded down; it is at least min(S − 1, blocks − 1) and at
most ``MAX_FREEDOM``. With one seed, only sentences vary: A = C = 0.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
SEED = 12345
TINY = 1e-300  # in place of a denominator of 0
MAX_FREEDOM = 200  # degrees of freedom; more make no difference
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A figure and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Band:
    """A curve over x with a lower and an upper edge, whose meaning its maker defines."""

    x: list[float]
    middle: list[float]
    low: list[float]
    high: list[float]

    def until(self, x: float) -> Band:
        """Return the part of the curve up to ``x``; the curve's x ascends."""
        n = bisect_right(self.x, x)
        return Band(self.x[:n], self.middle[:n], self.low[:n], self.high[:n])


@lru_cache(maxsize=4)
def draws(N: int, block: int = 1) -> Floats:
    """Return the shares of N sentences in RESAMPLES resamples with replacement: (RESAMPLES, N).

    block: number of consecutive sentences drawn together; the first follows the last.
    """
    rng = np.random.default_rng(SEED)
    starts = rng.multinomial(-(-N // block), [1 / N] * N, RESAMPLES)
    cumulative = np.cumsum(np.pad(starts, ((0, 0), (block, 0)), mode="wrap"), axis=1)
    counts = cumulative[:, block:] - cumulative[:, :-block]
    return np.asarray(counts / counts.sum(1, keepdims=True))


def resampled_means(values: Floats, block: int = 1) -> Floats:
    """Return means of ``values`` (S, N, …) over seeds and resampled sentences: (RESAMPLES, …).

    block: see ``draws``; at most N/2, for at least two blocks. Blocks of one sentence count as
    ``MAX_FREEDOM``.
    """
    N = values.shape[1]
    block = max(1, min(block, N // 2))
    resampled = np.tensordot(draws(N, block), values, (1, 1))
    return over_seeds(values.mean(1), resampled, N // block if block > 1 else MAX_FREEDOM)


def over_seeds(v: Floats, resampled: Floats, blocks: int = MAX_FREEDOM) -> Floats:
    """Return samples of the mean over seeds, (R, …), in the unit of v; quantiles are intervals.

    v: one figure per seed, (S, …). resampled: the same of resampled sentences, (R, S, …). blocks:
    number of blocks in a resample.
    """
    R, S = resampled.shape[:2]
    mean = resampled.mean(1)
    if S == 1 and blocks >= MAX_FREEDOM:
        return np.asarray(mean)
    ν_A, ν_B = S - 1 or MAX_FREEDOM, max(1, blocks - 1)  # degrees of freedom
    with np.errstate(invalid="ignore"):  # NaN where a seed has no figure
        B = mean.var(0)
        A = v.var(0, ddof=1) / S if S > 1 else np.zeros_like(B)
        C = (resampled.var(0).mean(0) - B) / (S - 1) if S > 1 else A
        seed_variance = np.maximum(A - C, 0)
        ν = (seed_variance + B) ** 2 / np.maximum(A**2 / ν_A + B**2 / ν_B, TINY)
    ν = np.clip(np.nan_to_num(ν, nan=1), min(ν_A, ν_B), MAX_FREEDOM).astype(int)
    rng = np.random.default_rng(SEED)
    g = rng.standard_normal((R, *[1] * (v.ndim - 1)))
    χ2 = np.cumsum(rng.standard_normal((R, MAX_FREEDOM)) ** 2, axis=1)[:, ν - 1]
    centre = mean.mean(0)
    return np.asarray(centre + (mean - centre + g * np.sqrt(seed_variance)) * np.sqrt(ν / χ2))


def ends(resamples: Floats) -> tuple[Floats, Floats]:
    """Return the ends of the 95 % percentile interval of ``resamples`` (RESAMPLES, …)."""
    low, high = np.quantile(resamples, [0.025, 0.975], axis=0)
    return low, high


def interval(value: float, resamples: Floats) -> Interval:
    """Return ``value`` with the 95 % percentile interval of ``resamples`` (RESAMPLES,)."""
    low, high = ends(resamples)
    return Interval(float(value), float(low), float(high))


def band(x: list[float], values: Floats) -> Band:
    """Return the median and the central 80 % of ``values`` (S, N, len(x)), with seeds pooled."""
    low, middle, high = np.quantile(values.reshape(-1, len(x)), [0.1, 0.5, 0.9], axis=0)
    return Band(x, middle.tolist(), low.tolist(), high.tolist())
