"""Learning curves: BLEU by size of the training text, and where one system overtakes another.

Every system is retrained by its own recipe on n pairs of its training text, for several n and
seeds. A seed shuffles the text; the sample is the first n pairs. The samples of one seed are
therefore nested.

    BLEU(n)      mean over the seeds, on one test set
    overtakes    the smallest n from which on BLEU of one system is above BLEU of the other,
                 interpolated linearly in ln n between the sizes; 0 if it is from the first size
                 on, ∞ if it is not at the last

Intervals are 95 %, over seeds and test sentences together (see ``evaluation.means``). With one
seed, and where one system overtakes, they are over test sentences only, given these samples.
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

# sacreBLEU's row holds c, r, matches, totals; ``smt.tuning.bleu`` reads matches, totals, r.
COUNTS = [*range(2, 2 * ORDER + 2), 1]


@dataclass(frozen=True)
class Point:
    """Test-set outputs of ``system``, trained on ``size`` pairs in ``seconds`` of wall time."""

    system: str
    size: int
    seed: int
    seconds: float
    outputs: list[str]


@dataclass(frozen=True)
class Growth:
    """BLEU of one system at each size, and its mean training time in seconds."""

    system: str
    bleu: list[Interval]
    seconds: list[float]


@dataclass(frozen=True)
class Overtaking:
    """``ahead`` overtakes ``behind`` at ``size`` pairs; see the head of the module."""

    ahead: str
    behind: str
    size: Interval


@dataclass(frozen=True)
class Curve:
    """The learning curves of all systems. sizes: in pairs.

    overtaking: one for every two systems whose BLEU differs at the last size.
    """

    sizes: list[int]
    seeds: int
    systems: list[Growth]
    overtaking: list[Overtaking]


def sample(text: Bitext, size: int, seed: int) -> Bitext:
    """Return the first ``size`` pairs of the text shuffled by ``seed``."""
    rows = np.random.default_rng(seed).permutation(len(text))[:size].tolist()
    return text.select(rows)


def curve(points: Sequence[Point], scorer: Scorer) -> Curve:
    """Return the curves of all trainings. points: one for each system, size and seed."""
    names = list(dict.fromkeys(p.system for p in points))
    sizes = sorted({p.size for p in points})
    seeds = sorted({p.seed for p in points})
    by_key = {(p.system, p.size, p.seed): p for p in points}
    growths, resampled = list[Growth](), dict[str, Floats]()
    for name in names:
        trained = [[by_key[name, size, seed] for size in sizes] for seed in seeds]
        rows = [[scorer.count(p.outputs, ["bleu"]).rows["bleu"] for p in row] for row in trained]
        counts = np.array(rows)[..., COUNTS].astype(np.float64)  # (seeds, sizes, N, columns)
        by_seed, resampled[name] = _by_seed(counts)
        means = np.clip(over_seeds(by_seed, resampled[name]), 0, 100)
        bleu = [interval(v, r) for v, r in zip(by_seed.mean(0), means.T, strict=True)]
        seconds = np.mean([[p.seconds for p in row] for row in trained], axis=0)
        growths.append(Growth(name, bleu, seconds.tolist()))
    return Curve(sizes, len(seeds), growths, _overtakings(sizes, growths, resampled))


def _by_seed(counts: Floats) -> tuple[Floats, Floats]:
    """Return BLEU, (seeds, sizes), and BLEU of the resamples, (RESAMPLES, seeds, sizes).

    counts: (seeds, sizes, N, len(COUNTS)).
    """
    N = counts.shape[2]
    # Times N for counts, not means: BLEU smooths an order without a match.
    sums = N * np.einsum("rn,skn...->rsk...", draws(N), counts, optimize=True)
    bleu, resampled = (np.apply_along_axis(bleu_of, -1, c) for c in (counts.sum(2), sums))
    return bleu, resampled


def _overtakings(
    sizes: Sequence[int], growths: Sequence[Growth], resampled: dict[str, Floats]
) -> list[Overtaking]:
    overtakings = []
    for pair in combinations(growths, 2):
        behind, ahead = sorted(pair, key=lambda growth: growth.bleu[-1].value)
        if ahead.bleu[-1].value == behind.bleu[-1].value:
            continue
        gaps = (resampled[ahead.system] - resampled[behind.system]).mean(1)  # (RESAMPLES, sizes)
        observed = [a.value - b.value for a, b in zip(ahead.bleu, behind.bleu, strict=True)]
        value = overtakes(sizes, np.array([observed]))[0]
        # No interpolation between a size and ∞.
        ends = np.quantile(overtakes(sizes, gaps), [0.025, 0.975], method="inverted_cdf")
        size = Interval(float(value), *ends.tolist())
        overtakings.append(Overtaking(ahead.system, behind.system, size))
    return overtakings


def overtakes(sizes: Sequence[int], gaps: Floats) -> Floats:
    """Size from which on gaps (R, sizes) are positive, (R,); 0 and ∞ as in the module's head."""
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
