"""Means of measurements over sentences and seeds, with bootstrap intervals (Efron 1979)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
SEED = 12345
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
def draws(S: int, N: int) -> tuple[Floats, Floats]:
    """Shares of draws with replacement: S seeds (RESAMPLES, S), N sentences (RESAMPLES, N)."""
    rng = np.random.default_rng(SEED)
    seeds = rng.multinomial(S, [1 / S] * S, RESAMPLES) / S
    sentences = rng.multinomial(N, [1 / N] * N, RESAMPLES) / N
    return seeds, sentences


def resampled_means(values: Floats) -> Floats:
    """Means of ``values`` (S, N, …) over the same drawn sentences of each seed: (RESAMPLES, …)."""
    seeds, sentences = draws(*values.shape[:2])
    by_sentence = np.tensordot(sentences, values, (1, 1))  # (RESAMPLES, S, …)
    return np.asarray(np.einsum("rs,rs...->r...", seeds, by_sentence))


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
