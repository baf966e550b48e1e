"""How good translations are: BLEU, chrF and TER with intervals, and significance between systems.

All of it sums the rows of ``statistics``; figures, intervals and p-values are sacreBLEU's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from sacrebleu.significance import estimate_ci

from mtkit.evaluation.statistics import Lines, Scorer, Statistics

ALPHA = 0.05  # below this p a difference counts as significant
TESTED = ("bleu", "chrf")  # metrics that significance is tested by


@dataclass(frozen=True)
class Metric:
    """A corpus score, 0 to 100 (TER: errors per 100 reference words, 0 is best).

    low, high: the 95 % bootstrap interval, mean ∓ half-width as sacreBLEU prints them, cut at the
    ends of the scale; ``None`` without bootstrap. signature: what exactly was computed.
    """

    score: float
    low: float | None
    high: float | None
    signature: str


def corpus_scores(statistics: Statistics) -> dict[str, Metric]:
    """Every metric that was counted, with its interval (Koehn 2004) where the scorer resamples."""
    scorer = statistics.scorer
    scores = {}
    for name in statistics.rows:
        low = high = None
        if scorer.resamples > 1:
            mean, half = estimate_ci(statistics.resampled[name])
            top = math.inf if name == "ter" else 100.0
            low, high = (float(min(top, max(0.0, end))) for end in (mean - half, mean + half))
        scores[name] = Metric(statistics.score(name), low, high, scorer.signature(name))
    return scores


def bleu(
    outputs: Lines, references: Lines, tokenize: str = "13a", also: Sequence[Lines] = ()
) -> float:
    """Corpus BLEU alone, 0 to 100. also: further references."""
    return Scorer([references, *also], tokenize, ["bleu"]).count(outputs).score("bleu")


def bleu_parts(statistics: Statistics) -> dict[str, float]:
    """BLEU = brevity penalty × geometric mean of the n-gram precisions (per cent)."""
    score = statistics.total("bleu")
    precisions = {f"precision_{n}": float(p) for n, p in enumerate(score.precisions, 1)}
    return {**precisions, "brevity_penalty": float(score.bp), "length_ratio": float(score.ratio)}


def why_zero(statistics: Statistics) -> str:
    """Which n-gram order brought BLEU to 0, or would have without smoothing."""
    score: Any = statistics.total("bleu")
    if not score.sys_len:
        return "BLEU is 0: every output is empty"
    if not any(score.counts):
        return "BLEU is 0: no 1-gram matched, not one token of the output is in its reference"
    if 0 in score.totals:
        n = score.totals.index(0) + 1
        return f"BLEU is 0: the output has no {n}-gram, every line is shorter than {n} tokens"
    if 0 in score.counts:
        n = score.counts.index(0) + 1
        return f"no {n}-gram matched: without smoothing BLEU would be 0"
    return ""


def looks_tokenized(lines: Lines) -> bool:
    """Whether most lines end in `` .``, as text does that was never detokenised."""
    lines = [line for line in lines if line.strip()]
    return sum(line.rstrip().endswith(" .") for line in lines) > len(lines) / 2


# --- significance


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


def significance(systems: Mapping[str, Statistics]) -> list[Pair]:
    """Every pair of systems by two tests: is the difference real, or this test set's chance?

    systems: name → rows by one scorer. Paired bootstrap resampling (Koehn 2004) draws test sets
    from this one; paired approximate randomisation (Riezler & Maxwell 2005) exchanges the two
    systems' sentences at random. The p-values are sacreBLEU's, but where two systems score the
    same p is 1: it counts only what exceeds the difference, and would say 0.001.
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

    Differences of resampled test sets are moved to have mean 0; others arise where two systems
    exchange sentences at random.
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
