"""Calibration of p-values and coverage of intervals, by simulation."""

from __future__ import annotations

import math
import random
from collections import Counter

import numpy as np
import pytest

from mtkit.comparison.curve import overtakes
from mtkit.comparison.report import difference_interval
from mtkit.comparison.where import _intervals, _shares
from mtkit.evaluation.means import draws, ends, resampled_means
from mtkit.evaluation.significance import ALPHA, interval, significance
from mtkit.evaluation.statistics import Scorer, Statistics
from mtkit.laboratory.findings import WITHIN, _first_k, block_of
from mtkit.nmt.recurrent.probe import CUT

REPETITIONS = 400
WORDS = [f"w{k}" for k in range(300)]
SLOW = pytest.mark.slow
OTHERS = [(3, 0.1), (5, 1.0), (1, 0.0)]  # seeds, standard deviation over seeds


def _texts(rng: random.Random, sentences: int = 200) -> tuple[list[str], list[str], list[str]]:
    """Return references and outputs of two systems whose quality varies by sentence."""
    references, one, two = list[str](), list[str](), list[str]()
    for _ in range(sentences):
        words = rng.choices(WORDS, k=rng.randint(4, 25))
        references.append(" ".join(words))
        for system in (one, two):
            noise = rng.random() ** 2
            system.append(" ".join(rng.choice(WORDS) if rng.random() < noise else w for w in words))
    return references, one, two


@pytest.mark.slow
def test_p_is_uniform_without_a_difference() -> None:
    """Swaps sentences at random; checks Kolmogorov–Smirnov and the rejection rate at α."""
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


@pytest.mark.slow
def test_intervals_of_scores_and_differences_cover() -> None:
    """Draws test sets of 300 from 5,000 sentences, whose score is the true value."""
    rng, repetitions, size = random.Random(6), 800, 300
    references, one, two = _texts(rng, 5000)
    every = Scorer([references])
    of_all = [every.count(text) for text in (one, two)]
    truth = {metric: [of.score(metric) for of in of_all] for metric in every.metrics}
    inside: Counter[str] = Counter()
    drawn = np.random.default_rng(6)
    for _ in range(repetitions):
        rows = drawn.choice(len(references), size)
        scorer = Scorer([[references[i] for i in rows]])
        a, b = (
            Statistics(scorer, {name: of.rows[name][rows] for name in of.rows}) for of in of_all
        )
        for metric, (x, y) in truth.items():
            low, high = interval(a, metric)
            inside[metric] += low <= x <= high
            gap = difference_interval(a, b, metric)
            inside[f"Δ{metric}"] += gap.low <= x - y <= gap.high
    for name, n in inside.items():
        assert 0.93 <= n / repetitions <= 0.97, name


def test_intervals_of_shares_cover() -> None:
    """F1 of two systems and its difference, on sentences of varying difficulty."""
    rng, repetitions, N = np.random.default_rng(9), 1000, 250
    inside = np.zeros(2)
    for _ in range(repetitions):
        words = rng.poisson(6, (N, 1)) + 1
        p = rng.beta(2, 2, (N, 1))  # how easy a sentence is for both
        right = [rng.binomial(words, p * quality) for quality in (0.9, 0.8)]
        shares = [_shares(2 * of, 2 * words) for of in right]
        [f1], [gap] = (_intervals(of) for of in (shares[0], shares[0] - shares[1]))
        inside += [f1.low <= 0.45 <= f1.high, gap.low <= 0.05 <= gap.high]
    assert (inside / repetitions >= 0.93).all()
    assert (inside / repetitions <= 0.97).all()


@pytest.mark.parametrize(
    ("seeds", "spread"), [(3, 1.0), *(pytest.param(*of, marks=SLOW) for of in OTHERS)]
)
def test_intervals_over_seeds_and_sentences_cover(seeds: int, spread: float) -> None:
    """The interval of a mean contains the true mean, 0, in about 95 % of the trials."""
    rng = np.random.default_rng(3)
    N, trials = 40, []
    for _ in range(1000):
        by_seed = spread * rng.standard_normal((seeds, 1))
        trials.append(by_seed + rng.standard_normal(N) + rng.standard_normal((seeds, N)))
    low, high = ends(resampled_means(np.stack(trials, -1)))
    assert low.shape == (1000,)
    assert 0.93 <= ((low <= 0) & (high >= 0)).mean() <= 0.97


@pytest.mark.parametrize("apart", [65, *(pytest.param(n, marks=SLOW) for n in (6.5, 13))])
def test_intervals_of_overlapping_windows_cover(apart: float) -> None:
    """Each value is a sum of noise that is shared with overlapping windows."""
    rng = np.random.default_rng(4)
    N, overlap, inside = 1000, math.ceil(65 / apart), 0
    for _ in range(1000):
        sums = np.cumsum(np.pad(rng.standard_normal(N + overlap), (1, 0)))
        values = (sums[overlap:] - sums[:-overlap])[None, :N]
        low, high = ends(resampled_means(values, block_of(apart)))
        inside += low <= 0 <= high
    assert 0.93 <= inside / 1000 <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("gaps", [(-6, -2, 1, 2), (-4, 1, 3, 4)])
def test_intervals_of_the_crossover_size_cover(gaps: tuple[float, ...]) -> None:
    """Over sentences only; the training samples are fixed."""
    rng, repetitions, inside = np.random.default_rng(2), 600, 0
    sizes, mean = (1000, 4000, 16000, 29000), np.array([gaps], np.float64)
    [truth] = overtakes(sizes, mean)
    for _ in range(repetitions):
        by_sentence = mean + rng.normal(0, 15, (400, 1)) + rng.normal(0, 10, (400, 4))
        crossings = overtakes(sizes, draws(400) @ by_sentence)
        low, high = np.quantile(crossings, [0.025, 0.975], method="inverted_cdf")
        inside += low <= truth <= high
    assert 0.93 <= inside / repetitions <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("first", [0.05, 0.042])
def test_intervals_of_the_effective_context_are_not_too_narrow(first: float) -> None:
    """The context is an integer, so that intervals may cover more than 95 %."""
    rng, repetitions, inside = np.random.default_rng(2), 400, 0
    excess = first * np.exp(-np.array(CUT) / 4)
    truth = CUT[int(np.argmax(excess <= np.log(WITHIN)))]
    for _ in range(repetitions):
        by_place = 1 + rng.normal(0, 0.15, (1, 500, 1)) + rng.normal(0, 0.2, (3, 1, 1))
        found = _first_k(CUT, excess * (by_place + rng.normal(0, 0.3, (3, 500, len(CUT)))), 1)
        inside += found.low <= truth <= found.high
    assert inside / repetitions >= 0.93


def _kolmogorov_smirnov(p: list[float]) -> float:
    """Return the p-value against uniform, from the limit distribution."""
    ordered, n = np.sort(p), len(p)
    steps = np.arange(n + 1) / n
    distance = max((steps[1:] - ordered).max(), (ordered - steps[:-1]).max())
    x = (math.sqrt(n) + 0.12 + 0.11 / math.sqrt(n)) * distance
    return min(1.0, 2 * sum((-1) ** (k - 1) * math.exp(-2 * (k * x) ** 2) for k in range(1, 101)))
