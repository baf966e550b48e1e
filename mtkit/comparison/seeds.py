"""Systems that differ only in the seed: mean and sample standard deviation of each metric."""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtkit.evaluation.metrics import Metric


@dataclass(frozen=True)
class SeedScores:
    """One metric over seeds: mean, sample standard deviation, lowest and highest score."""

    mean: float
    deviation: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, scores: Sequence[float]) -> SeedScores:
        """Summarise two or more scores."""
        return cls(statistics.mean(scores), statistics.stdev(scores), min(scores), max(scores))


@dataclass(frozen=True)
class Spread:
    """Systems that differ only in the seed.

    bleu: of each. mean, deviation: of BLEU, as in ``metrics``; older readers of --json know only
    these. name: what their names have in common. metrics: every metric that all of them have.
    """

    systems: list[str]
    bleu: list[float]
    mean: float
    deviation: float
    name: str
    metrics: dict[str, SeedScores]


def spread(systems: Mapping[str, Mapping[str, Metric]]) -> Spread:
    """Return the spread of two or more systems. systems: name → metric → score."""
    first, *others = systems.values()
    scores = {
        metric: [metrics[metric].score for metrics in systems.values()]
        for metric in first
        if all(metric in metrics for metrics in others)
    }
    metrics = {metric: SeedScores.of(of_systems) for metric, of_systems in scores.items()}
    bleu, names = metrics["bleu"], list(systems)
    return Spread(names, scores["bleu"], bleu.mean, bleu.deviation, family_name(names), metrics)


def family_name(systems: Sequence[str]) -> str:
    """Return the name that systems of several seeds share, without -1, -2 …; else all names.

    >>> family_name(["nmt-en-de-1", "nmt-en-de-12"]), family_name(["a", "b"])
    ('nmt-en-de', 'a, b')
    """
    names = {re.sub(r"-\d+$", "", name) for name in systems}
    return names.pop() if len(names) == 1 else ", ".join(systems)
