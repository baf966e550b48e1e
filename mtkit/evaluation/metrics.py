"""BLEU, chrF and TER of a corpus, each computed from the sum of its rows in ``statistics``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from mtkit.evaluation.significance import interval
from mtkit.evaluation.statistics import Lines, Scorer, Statistics

LABELS = {"bleu": "BLEU", "chrf": "chrF", "ter": "TER"}
LOWER_IS_BETTER = frozenset({"ter"})  # metrics of which less is better


@dataclass(frozen=True)
class Metric:
    """A corpus score: 0 to 100 (TER: errors per 100 reference words, 0 is best), or external.

    low, high: see ``significance.interval``. signature: see ``Scorer.signature``.
    """

    score: float
    low: float | None
    high: float | None
    signature: str
    less_is_better: bool = False


def label(metric: str) -> str:
    """Return the usual spelling of a metric's name."""
    return LABELS.get(metric, metric)


def corpus_scores(
    statistics: Statistics, less: Collection[str] = LOWER_IS_BETTER
) -> dict[str, Metric]:
    """Return every metric that was counted, with its interval if the scorer resamples.

    less: metrics of which less is better.
    """
    scores = {}
    for name in statistics.rows:
        low, high = interval(statistics, name)
        signature = statistics.scorer.signature(name)
        scores[name] = Metric(statistics.score(name), low, high, signature, name in less)
    return scores


def bleu(
    outputs: Lines, references: Lines, tokenize: str = "13a", also: Sequence[Lines] = ()
) -> float:
    """Return corpus BLEU, 0 to 100. also: further references. Raises InputError as ``Scorer``."""
    return Scorer([references, *also], tokenize, ["bleu"]).count(outputs).score("bleu")


def bleu_parts(statistics: Statistics) -> dict[str, float]:
    """Return the parts: BLEU = brevity penalty × geometric mean of n-gram precisions (per cent)."""
    score = statistics.total("bleu")
    precisions = {f"precision_{n}": float(p) for n, p in enumerate(score.precisions, 1)}
    return {**precisions, "brevity_penalty": float(score.bp), "length_ratio": float(score.ratio)}


def why_zero(statistics: Statistics) -> str:
    """Return why BLEU is 0, or would be 0 without smoothing; an empty string if neither."""
    score: Any = statistics.total("bleu")
    if not score.sys_len:
        return "BLEU is 0: every output is empty"
    if not any(score.counts):
        return "BLEU is 0: no token of the output is in its reference"
    if 0 in score.totals:
        n = score.totals.index(0) + 1
        return f"BLEU is 0: the output has no {n}-gram, as every line is shorter than {n} tokens"
    if 0 in score.counts:
        n = score.counts.index(0) + 1
        return f"no {n}-gram matched: without smoothing BLEU would be 0"
    return ""
