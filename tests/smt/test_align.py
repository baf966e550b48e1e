from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mtkit.smt import hmm, ibm1
from mtkit.smt.align import FLOOR, WordModel, aer, align, train_direction
from mtkit.smt.flat import Flat
from tests.oracles import alignments, hmm_joint, ibm1_joint

# Words repeat within a sentence and across, on both sides.
E = [[1, 2], [2, 2, 3], [1], [3, 1, 2]]
F = [[1, 2, 1], [3, 3], [2, 1], [1, 2, 3]]
SIZES = (5, 5)


def corpus() -> tuple[Flat, Flat, ibm1.Places]:
    e, f = Flat.of(E), Flat.of(F)
    return e, f, ibm1.Places.of(e, f, *SIZES)


def dense(t: np.ndarray, places: ibm1.Places) -> np.ndarray:
    """t(f|e) as a matrix [e, f]."""
    table = np.zeros(SIZES)
    for e in range(SIZES[0]):
        for k in range(places.row[e], places.row[e + 1]):
            table[e, places.column[k]] = t[k]
    return table


def expected_counts(table: np.ndarray, joint) -> tuple[np.ndarray, float]:
    """One E-step by enumeration: counts [e, f] and ln P(f|e) of the corpus."""
    counts, likelihood = np.zeros(SIZES), 0.0
    for e, f in zip(E, F, strict=True):
        words = [0, *e]

        def t(i: int, j: int, words=words, f=f) -> float:
            return table[words[i], f[j]]

        weights = {a: joint(t, len(e), a) for a in alignments(len(e), len(f))}
        total = sum(weights.values())
        likelihood += math.log(total)
        for a, p in weights.items():
            for j, i in enumerate(a):
                counts[words[i], f[j]] += p / total
    return counts, likelihood


def normalised(counts: np.ndarray) -> np.ndarray:
    total = counts.sum(1, keepdims=True)
    return np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)


def hmm_with(jumps: np.ndarray):
    def joint(t, I, a):
        return hmm_joint(t, lambda d: jumps[d + hmm.FAR], hmm.EMPTY_WORD, I, a)

    return joint


def test_ibm1_iterations_equal_enumeration_of_all_alignments() -> None:
    e, f, places = corpus()
    start, _ = ibm1.ibm1(places, e, f, 0)
    table = dense(start, places)
    for n in range(1, 4):
        counts, likelihood = expected_counts(table, ibm1_joint)
        t, likelihoods = ibm1.ibm1(places, e, f, n)
        assert likelihoods[-1] == pytest.approx(likelihood, rel=1e-12)
        table = normalised(counts)
        np.testing.assert_allclose(dense(t, places), table, rtol=1e-12)


def test_an_hmm_iteration_equals_enumeration_of_all_alignments() -> None:
    e, f, places = corpus()
    start, _ = ibm1.ibm1(places, e, f, 2)
    counts, likelihood = expected_counts(dense(start, places), hmm_with(hmm.first_jumps()))
    t, _, likelihoods = hmm.hmm(start, places, e, f, 1)
    assert likelihoods == [pytest.approx(likelihood, rel=1e-12)]
    np.testing.assert_allclose(dense(t, places), normalised(counts), rtol=1e-12)


def test_the_hmms_best_alignment_is_the_best_of_all() -> None:
    e, f, places = corpus()
    t, jumps, _ = hmm.hmm(ibm1.ibm1(places, e, f, 2)[0], places, e, f, 2)
    best = hmm.best_alignments(t, jumps, places, e, f) + 1
    table, joint = dense(t, places), hmm_with(jumps)
    for s, (given, made) in enumerate(zip(E, F, strict=True)):

        def emission(i: int, j: int, words=(0, *given), made=made) -> float:
            return table[words[i], made[j]]

        probabilities = [joint(emission, len(given), a) for a in alignments(len(given), len(made))]
        found = joint(emission, len(given), best[f.begin[s] : f.begin[s + 1]])
        assert found == pytest.approx(max(probabilities), rel=1e-12)


def test_the_likelihood_of_ibm1_never_falls_and_t_sums_to_one() -> None:
    rng = np.random.default_rng(3)
    e, f = (
        Flat.of([rng.integers(1, 30, rng.integers(1, 9)).tolist() for _ in range(200)])
        for _ in range(2)
    )
    places = ibm1.Places.of(e, f, 30, 30)
    t, likelihoods = ibm1.ibm1(places, e, f, 12)
    assert np.all(np.diff(likelihoods) >= -1e-9)
    sums = np.add.reduceat(t, places.row[:-1][np.diff(places.row) > 0])
    np.testing.assert_allclose(sums, 1, rtol=1e-9)


def test_a_word_model_gives_the_enumerated_probability_and_survives_saving(tmp_path: Path) -> None:
    e, f, _ = corpus()
    model = train_direction(e, f, *SIZES).model
    model.save(tmp_path)
    loaded = WordModel.load(tmp_path)
    table = np.zeros(SIZES)
    for word in range(SIZES[0]):
        for k in range(model.row[word], model.row[word + 1]):
            table[word, model.column[k]] = model.t[k]
    for given, made in [([1, 2], [1, 2, 1]), ([3], [4]), ([], [1]), ([2, 3], [])]:
        words = [0, *given]

        def t(i: int, j: int, words=words, made=made) -> float:
            return (1 - FLOOR) * table[words[i], made[j]] + FLOOR / SIZES[1]

        joint = hmm_with(model.jumps)
        total = sum(joint(t, len(given), a) for a in alignments(len(given), len(made)))
        assert model.log_probability(given, made) == pytest.approx(math.log(total), rel=1e-9)
        assert loaded.log_probability(given, made) == model.log_probability(given, made)


def test_aligning_twice_gives_the_same_and_finds_the_obvious() -> None:
    source = Flat.of([[1, 2], [2, 1], [1, 3], [3, 2], [1], [2], [3]] * 5)
    target = Flat.of([[4, 5], [5, 4], [4, 6], [6, 5], [4], [5], [6]] * 5)
    a, b = (align(source, target, (4, 7)) for _ in range(2))
    np.testing.assert_array_equal(a.links.source, b.links.source)
    np.testing.assert_array_equal(a.links.target, b.links.target)
    assert a.links.pharaoh(0) == "0-0 1-1"


def test_aer_of_a_worked_example() -> None:
    error, precision, recall = aer([{(0, 0), (1, 1)}, {(0, 1)}], [{(0, 0)}, {(0, 1), (1, 0)}])
    assert (error, precision, recall) == pytest.approx((1 - 4 / 6, 2 / 3, 2 / 3))


def test_the_hmm_counts_the_jumps_that_enumeration_counts() -> None:
    e, f, places = corpus()
    start, _ = ibm1.ibm1(places, e, f, 2)
    table, joint = dense(start, places), hmm_with(hmm.first_jumps())
    counts = np.zeros(2 * hmm.FAR + 1)
    for given, made in zip(E, F, strict=True):

        def t(i: int, j: int, words=(0, *given), made=made) -> float:
            return table[words[i], made[j]]

        weights = {a: joint(t, len(given), a) for a in alignments(len(given), len(made))}
        for a, p in weights.items():
            path = [0, *(i for i in a if i > 0)]  # a word from e_0 leaves the memory as it was
            for m, i in pairwise(path):
                counts[i - m + hmm.FAR] += p / sum(weights.values())
    _, jumps, _ = hmm.hmm(start, places, e, f, 1)
    np.testing.assert_allclose(jumps, (counts + 1e-6) / (counts + 1e-6).sum(), rtol=1e-6)


def test_the_best_path_remembers_its_position_across_the_empty_word() -> None:
    rng = np.random.default_rng(7)
    paths = []
    for _ in range(100):
        e, f = Flat.of([[1, 2, 3]]), Flat.of([[1, 2, 3]])
        places = ibm1.Places.of(e, f, *SIZES)
        t, jumps = rng.random(len(places.column)) ** 3, rng.random(2 * hmm.FAR + 1) ** 3
        table, joint = dense(t, places), hmm_with(jumps)

        def emission(i: int, j: int, table=table) -> float:
            return table[i, j + 1]

        a = tuple((hmm.best_alignments(t, jumps, places, e, f) + 1).tolist())
        best = max(joint(emission, 3, x) for x in alignments(3, 3))
        assert joint(emission, 3, a) == pytest.approx(best, rel=1e-12)
        paths.append(a)
    assert any(a[0] > 0 and a[1] == 0 and a[2] > 0 for a in paths)


def test_aer_of_no_links_at_all_is_no_error() -> None:
    assert aer([set()], [set()]) == (0.0, 0.0, 0.0)
