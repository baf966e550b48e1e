"""Learning curves: what more text is worth to each system, and where one overtakes another.

Every system is trained anew by its own recipe on n pairs of its training text, for several n and
seeds. A seed puts the text in an order, of which the first n are taken: samples of one seed lie
within each other.

    BLEU(n)      its mean over the seeds, of one test set
    overtakes    the least n from which on BLEU of the one is above BLEU of the other, on straight
                 lines in ln n between the sizes; 0 where it is from the first size on, ∞ where it
                 is not at the last

Intervals are 95 %, over seeds and test sentences together (see ``evaluation.means``); of one seed,
and of where one system overtakes, over test sentences alone: given these samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from mtkit.evaluation.means import Floats, Interval, draws, interval, over_seeds
from mtkit.evaluation.statistics import Scorer
from mtkit.smt.tuning.bleu import ORDER
from mtkit.smt.tuning.bleu import bleu as bleu_of
from mtkit.text.corpus import Bitext

# Of sacreBLEU's row (c, r, matches, totals) what ``smt.tuning.bleu`` reads: matches, totals, r.
COUNTS = [*range(2, 2 * ORDER + 2), 1]


@dataclass(frozen=True)
class Point:
    """What ``system`` makes of the test set, after ``seconds`` of wall time on ``size`` pairs."""

    system: str
    size: int
    seed: int
    seconds: float
    outputs: list[str]


@dataclass(frozen=True)
class Growth:
    """Of one system: BLEU at each size, and the mean seconds that training took."""

    system: str
    bleu: list[Interval]
    seconds: list[float]


@dataclass(frozen=True)
class Overtaking:
    """``ahead`` overtakes ``behind`` at ``size`` pairs; see the module's docstring."""

    ahead: str
    behind: str
    size: Interval


@dataclass(frozen=True)
class Curve:
    """sizes: in pairs. overtaking: of every two systems of which one is ahead at the last size."""

    sizes: list[int]
    seeds: int
    systems: list[Growth]
    overtaking: list[Overtaking]


def sample(text: Bitext, size: int, seed: int) -> Bitext:
    """The first ``size`` pairs of the order that belongs to ``seed``."""
    rows = np.random.default_rng(seed).permutation(len(text))[:size].tolist()
    return text.select(rows)


def curve(points: Sequence[Point], scorer: Scorer) -> Curve:
    """The figures of all trainings: a point for each system, size and seed."""
    names = list(dict.fromkeys(p.system for p in points))
    sizes = sorted({p.size for p in points})
    seeds = sorted({p.seed for p in points})
    at = {(p.system, p.size, p.seed): p for p in points}
    grown, resampled = list[Growth](), dict[str, Floats]()
    for name in names:
        of = [[at[name, size, seed] for size in sizes] for seed in seeds]
        rows = [[scorer.count(p.outputs, ["bleu"]).rows["bleu"] for p in row] for row in of]
        counted = np.array(rows)[..., COUNTS].astype(np.float64)  # (seeds, sizes, N, columns)
        by_seed, resampled[name] = _by_seed(counted)
        means = np.clip(over_seeds(by_seed, resampled[name]), 0, 100)
        bleu = [interval(v, r) for v, r in zip(by_seed.mean(0), means.T, strict=True)]
        seconds = np.mean([[p.seconds for p in row] for row in of], axis=0)
        grown.append(Growth(name, bleu, seconds.tolist()))
    return Curve(sizes, len(seeds), grown, _overtakings(sizes, grown, resampled))


def _by_seed(counted: Floats) -> tuple[Floats, Floats]:
    """BLEU (seeds, sizes) of ``counted`` (seeds, sizes, N, len(COUNTS)); and of drawn sentences,
    (RESAMPLES, seeds, sizes).
    """
    N = counted.shape[2]
    # Counts, not means: BLEU smooths where an order has no match.
    sums = N * np.einsum("rn,skn...->rsk...", draws(N), counted, optimize=True)
    of_all, of_drawn = (np.apply_along_axis(bleu_of, -1, c) for c in (counted.sum(2), sums))
    return of_all, of_drawn


def _overtakings(
    sizes: Sequence[int], grown: Sequence[Growth], resampled: dict[str, Floats]
) -> list[Overtaking]:
    overtakings = []
    for pair in combinations(grown, 2):
        behind, ahead = sorted(pair, key=lambda growth: growth.bleu[-1].value)
        if ahead.bleu[-1].value == behind.bleu[-1].value:
            continue
        gaps = (resampled[ahead.system] - resampled[behind.system]).mean(1)  # (RESAMPLES, sizes)
        own = [a.value - b.value for a, b in zip(ahead.bleu, behind.bleu, strict=True)]
        value = overtakes(sizes, np.array([own]))[0]
        # No interpolation between a size and ∞.
        ends = np.quantile(overtakes(sizes, gaps), [0.025, 0.975], method="inverted_cdf")
        size = Interval(float(value), *ends.tolist())
        overtakings.append(Overtaking(ahead.system, behind.system, size))
    return overtakings


def overtakes(sizes: Sequence[int], gaps: Floats) -> Floats:
    """The size from which on gaps (R, sizes) are positive, (R,); 0 and ∞ beyond the ends."""
    crossings = np.zeros(len(gaps))
    for r, gap in enumerate(gaps):
        behind = np.flatnonzero(gap <= 0)
        k = behind[-1] if behind.size else -1
        if k == len(sizes) - 1:
            crossings[r] = math.inf
        elif k >= 0:
            share = -gap[k] / (gap[k + 1] - gap[k])
            low, high = math.log(sizes[k]), math.log(sizes[k + 1])
            crossings[r] = math.exp((1 - share) * low + share * high)
    return crossings
