"""What p-values and intervals promise, by simulation."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from mtkit.evaluation.means import ends, resampled_means
from mtkit.evaluation.significance import ALPHA, significance
from mtkit.evaluation.statistics import Scorer
from mtkit.laboratory.findings import block_of

REPETITIONS = 400
WORDS = [f"w{k}" for k in range(300)]


def _texts(rng: random.Random, sentences: int = 200) -> tuple[list[str], list[str], list[str]]:
    """References, and two systems that are good here and poor there, each elsewhere."""
    references, one, two = list[str](), list[str](), list[str]()
    for _ in range(sentences):
        words = rng.choices(WORDS, k=rng.randint(4, 25))
        references.append(" ".join(words))
        for system in (one, two):
            noise = rng.random() ** 2
            system.append(" ".join(rng.choice(WORDS) if rng.random() < noise else w for w in words))
    return references, one, two


@pytest.mark.slow
def test_where_there_is_no_difference_p_is_uniform() -> None:
    """Systems whose sentences are exchanged at random; Kolmogorov–Smirnov, and the rate at α."""
    rng = random.Random(5)
    references, one, two = _texts(rng)
    scorer = Scorer([references], metrics=["bleu", "chrf"], resamples=400, trials=400)
    found: dict[str, list[float]] = {}
    for _ in range(REPETITIONS):
        swapped = [
            pair if rng.random() < 0.5 else pair[::-1] for pair in zip(one, two, strict=True)
        ]
        outputs = dict(zip("ab", map(list, zip(*swapped, strict=True)), strict=True))
        for pair in significance({name: scorer.count(text) for name, text in outputs.items()}):
            found.setdefault(f"bootstrap {pair.metric}", []).append(pair.p_bootstrap)
            found.setdefault(f"randomisation {pair.metric}", []).append(pair.p_randomization)
            found.setdefault(f"sacreBLEU {pair.metric}", []).append(pair.p_sacrebleu)
    for name, p in found.items():
        rate, ks = np.mean(np.array(p) < ALPHA), _kolmogorov_smirnov(p)
        print(f"{name}: rejected {rate:.3f}, Kolmogorov-Smirnov p {ks:.3g}")
    for name in (
        f"{test} {metric}" for test in ("bootstrap", "randomisation") for metric in ("bleu", "chrf")
    ):
        p = np.array(found[name])
        assert _kolmogorov_smirnov(found[name]) > 0.01
        bound = 2.58 * math.sqrt(ALPHA * (1 - ALPHA) / REPETITIONS)
        assert abs(np.mean(p < ALPHA) - ALPHA) < bound
    assert _kolmogorov_smirnov(found["sacreBLEU bleu"]) < 1e-6


@pytest.mark.parametrize(("seeds", "spread"), [(3, 1.0), (3, 0.1), (5, 1.0), (1, 0.0)])
def test_intervals_over_seeds_and_sentences_cover(seeds: int, spread: float) -> None:
    """How often the interval of a mean has what all seeds and sentences would have, which is 0."""
    rng = np.random.default_rng(3)
    N, inside = 40, 0
    for _ in range(1000):
        by_seed = spread * rng.standard_normal((seeds, 1))
        values = by_seed + rng.standard_normal(N) + rng.standard_normal((seeds, N))
        low, high = ends(resampled_means(values))
        inside += low <= 0 <= high
    assert 0.93 <= inside / 1000 <= 0.97


@pytest.mark.parametrize("apart", [6.5, 13, 65])
def test_intervals_of_overlapping_windows_cover(apart: float) -> None:
    """Each figure the sum of what it shares with all windows that overlap with it."""
    rng = np.random.default_rng(4)
    N, overlap, inside = 1000, math.ceil(65 / apart), 0
    for _ in range(1000):
        sums = np.cumsum(np.pad(rng.standard_normal(N + overlap), (1, 0)))
        values = (sums[overlap:] - sums[:-overlap])[None, :N]
        low, high = ends(resampled_means(values, block_of(apart)))
        inside += low <= 0 <= high
    assert 0.93 <= inside / 1000 <= 0.97


def _kolmogorov_smirnov(p: list[float]) -> float:
    """How probable it is that p this far from uniform is; by the limit distribution."""
    ordered, n = np.sort(p), len(p)
    steps = np.arange(n + 1) / n
    distance = max((steps[1:] - ordered).max(), (ordered - steps[:-1]).max())
    x = (math.sqrt(n) + 0.12 + 0.11 / math.sqrt(n)) * distance
    return min(1.0, 2 * sum((-1) ** (k - 1) * math.exp(-2 * (k * x) ** 2) for k in range(1, 101)))
