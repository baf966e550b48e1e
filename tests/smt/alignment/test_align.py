from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mtkit.smt.alignment import diagonal, hmm, ibm1
from mtkit.smt.alignment import places as meeting
from mtkit.smt.alignment.align import ALIGNERS, aer, stem, stem_ids
from mtkit.smt.alignment.places import NO_POSTERIOR, Places, best_links, link_counts, maximise
from mtkit.smt.alignment.symmetrize import Links, with_probabilities
from mtkit.smt.alignment.word_model import FLOOR, WordModels
from mtkit.smt.flat import Flat
from mtkit.storage.stages import Stages
from mtkit.text.vocabulary import SPECIALS, Vocabulary
from tests.support.alignments import aligned, em, posterior
from tests.support.kernels import outer
from tests.support.oracles import alignments, diagonal_joint, hmm_joint, ibm1_joint

digamma, near_diagonal = outer(meeting.digamma), outer(diagonal.near_diagonal)
# Words repeat within a sentence and across, on both sides.
E = [[1, 2], [2, 2, 3], [1], [3, 1, 2]]
F = [[1, 2, 1], [3, 3], [2, 1], [1, 2, 3]]
SIZES = (5, 5)


def corpus() -> tuple[Flat, Flat, Places]:
    e, f = Flat.of(E), Flat.of(F)
    return e, f, Places.of(e, f, *SIZES)


def random_corpus(seed: int, words: int = 30) -> tuple[Flat, Flat, Places]:
    rng = np.random.default_rng(seed)
    e, f = (
        Flat.of([rng.integers(1, words, rng.integers(1, 9)).tolist() for _ in range(200)])
        for _ in range(2)
    )
    return e, f, Places.of(e, f, words, words)


def dense(t: np.ndarray, places: Places) -> np.ndarray:
    """Return t(f|e) as a matrix [e, f]."""
    table = np.zeros(SIZES)
    for e in range(SIZES[0]):
        for k in range(places.row[e], places.row[e + 1]):
            table[e, places.column[k]] = t[k]
    return table


def expectations(table: np.ndarray, joint) -> tuple[np.ndarray, float, list[np.ndarray]]:
    """Enumerate alignments: counts [e, f], ln P(f|e), and P(a_j = i|f, e) [j, i] by sentence."""
    counts, likelihood, posteriors = np.zeros(SIZES), 0.0, []
    for e, f in zip(E, F, strict=True):
        words = [0, *e]

        def t(i: int, j: int, words=words, f=f) -> float:
            return table[words[i], f[j]]

        weights = {a: joint(t, len(e), a) for a in alignments(len(e), len(f))}
        total = sum(weights.values())
        likelihood += math.log(total)
        posterior = np.zeros((len(f), len(words)))
        for a, p in weights.items():
            for j, i in enumerate(a):
                counts[words[i], f[j]] += p / total
                posterior[j, i] += p / total
        posteriors.append(posterior)
    return counts, likelihood, posteriors


def normalised(counts: np.ndarray) -> np.ndarray:
    total = counts.sum(1, keepdims=True)
    return np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)


def hmm_with(jumps: np.ndarray):
    def joint(t, I, a):
        return hmm_joint(t, lambda d: jumps[d + hmm.FAR], hmm.EMPTY_WORD, I, a)

    return joint


def check_posterior(found: np.ndarray, places: Places, wanted: list[np.ndarray]) -> None:
    for s, expected in enumerate(wanted):
        mine = found[places.begin[s] : places.begin[s + 1]].reshape(expected.shape)
        np.testing.assert_allclose(mine, expected, rtol=0, atol=1e-6)


def test_ibm1_equals_enumeration_of_all_alignments() -> None:
    places = corpus()[2]
    start = places.uniform()
    table = dense(start, places)
    for n in range(1, 4):
        counts, likelihood, posteriors = expectations(table, ibm1_joint)
        check_posterior(posterior(places, ibm1.MODEL, start, None), places, posteriors)
        start, _, likelihoods = em(places, ibm1.MODEL, n)
        assert likelihoods[-1] == pytest.approx(likelihood, rel=1e-12)
        table = normalised(counts)
        np.testing.assert_allclose(dense(start, places), table, rtol=1e-12)


def test_the_diagonal_model_equals_enumeration_of_all_alignments() -> None:
    places = corpus()[2]
    t, prior, _ = em(places, diagonal.MODEL, 0)
    for n in range(1, 4):

        def joint(emission, I, a, tension=prior.tension):
            return diagonal_joint(emission, diagonal.EMPTY_WORD, tension, I, a)

        counts, likelihood, posteriors = expectations(dense(t, places), joint)
        check_posterior(posterior(places, diagonal.MODEL, t, prior), places, posteriors)
        t, prior, likelihoods = em(places, diagonal.MODEL, n)
        assert likelihoods[-1] == pytest.approx(likelihood, rel=1e-12)
        np.testing.assert_allclose(dense(t, places), normalised(counts), rtol=1e-12)
        assert prior.tension != diagonal.TENSION


def test_the_learnt_tension_is_optimal() -> None:
    places = random_corpus(5)[2]
    tension = em(places, diagonal.MODEL, 6)[1].tension

    def expected(λ: float) -> float:
        """Return the terms of E ln P(f, a|e) with λ; a by the model before the step."""
        total = 0.0
        p = np.empty(20)
        for s in range(len(places.begin) - 1):
            I, J = (int(b[s + 1] - b[s]) for b in (places.e_begin, places.f_begin))
            w = before[places.begin[s] : places.begin[s + 1]].reshape(J, I + 1)
            for j in range(1, J + 1):
                Z = sum(math.exp(-λ * abs(i / I - j / J)) for i in range(1, I + 1))
                assert near_diagonal(λ, I, J, j, p) == pytest.approx(Z, rel=1e-12)
                total += sum(
                    w[j - 1, i] * (-λ * abs(i / I - j / J) - math.log(Z)) for i in range(1, I + 1)
                )
        return total

    last, prior, _ = em(places, diagonal.MODEL, 5)
    before = posterior(places, diagonal.MODEL, last, prior).astype(float)
    assert diagonal.MIN_TENSION < tension < diagonal.MAX_TENSION
    assert expected(tension) >= max(expected(tension * k) for k in (0.98, 0.995, 1.005, 1.02))


def test_an_hmm_iteration_equals_enumeration_of_all_alignments() -> None:
    places = corpus()[2]
    start, *_ = em(places, ibm1.MODEL, 2)
    counts, likelihood, posteriors = expectations(dense(start, places), hmm_with(hmm.first_jumps()))
    found = posterior(places, hmm.MODEL, start, hmm.first_jumps())
    check_posterior(found, places, posteriors)
    t, _, likelihoods = em(places, hmm.MODEL, 1, start)
    assert likelihoods == [pytest.approx(likelihood, rel=1e-12)]
    np.testing.assert_allclose(dense(t, places), normalised(counts), rtol=1e-12)


def test_the_likelihood_of_unsmoothed_em_never_falls_and_t_sums_to_one() -> None:
    for seed in range(3):
        places = random_corpus(seed)[2]
        *_, first = em(places, ibm1.MODEL, 12)
        t, _, second = em(places, diagonal.MODEL, 12)
        *_, third = em(places, hmm.MODEL, 12, em(places, ibm1.MODEL, 3)[0])
        for likelihoods in (first, second, third):
            assert np.all(np.diff(likelihoods) >= -1e-9)
        sums = np.add.reduceat(t, places.row[:-1][np.diff(places.row) > 0])
        np.testing.assert_allclose(sums, 1, rtol=1e-9)


def test_the_variational_bound_of_ibm1_never_falls() -> None:
    places, alpha = random_corpus(1)[2], 0.01
    t, bounds = places.uniform(), []
    for _ in range(10):
        counts, _ = ibm1.expect(places, t, None, NO_POSTERIOR)
        t = counts.copy()
        maximise(t, places.row, alpha)
        bound = float(ibm1.expect(places, t, None, NO_POSTERIOR)[1][-1])
        for lo, hi in pairwise(places.row.tolist()):
            bound -= dirichlet_divergence(counts[lo:hi] + alpha, alpha)
        bounds.append(bound)
    assert np.all(np.diff(bounds) >= -1e-6)


def dirichlet_divergence(q: np.ndarray, alpha: float) -> float:
    """KL(Dirichlet(q) ‖ Dirichlet(α, …, α))."""
    if not len(q):
        return 0.0
    ln_gamma = np.vectorize(math.lgamma)
    total = math.lgamma(q.sum()) - ln_gamma(q).sum()
    total += len(q) * math.lgamma(alpha) - math.lgamma(len(q) * alpha)
    return total + sum((v - alpha) * (digamma(v) - digamma(q.sum())) for v in q)


def test_the_variational_m_step_is_correct() -> None:
    counts, row, alpha = np.array([2.0, 0.5, 0.0, 3.0, 1.0, 1.0]), np.array([0, 3, 3, 4, 6]), 0.3
    t = counts.copy()
    maximise(t, row, alpha)
    for lo, hi in pairwise(row.tolist()):
        total = sum(counts[lo:hi] + alpha)
        wanted = [math.exp(digamma(c + alpha) - digamma(total)) for c in counts[lo:hi]]
        np.testing.assert_allclose(t[lo:hi], wanted, rtol=1e-9)


def test_a_link_probability_is_the_mean_of_both_directions() -> None:
    x, y = Flat.of([[1], [], [1, 2]]), Flat.of([[3, 4], [3], [3]])
    # By pair and generated word: from the empty word, then from the others.
    forward = np.array([0.9, 0.1, 0.8, 0.2, 1.0, 0.3, 0.4, 0.3], np.float32)
    backward = np.array([0.7, 0.1, 0.2, 0.5, 0.5, 0.1, 0.9], np.float32)
    links = Links(np.array([0, 0, 0, 1]), np.array([0, 1, 0, 0]), np.array([0, 2, 2, 4]))
    both = with_probabilities(links, forward, backward, x, y).probability
    np.testing.assert_allclose(both, [0.1, 0.2, 0.45, 0.6], rtol=1e-6)
    assert with_probabilities(links, forward, backward, x, y).pharaoh(True) == [
        "0-0:0.10 0-1:0.20",
        "",
        "0-0:0.45 1-0:0.60",
    ]


def test_posteriors_become_links_and_counts() -> None:
    e, f = Flat.of([[1, 2], [2]]), Flat.of([[3, 4], [3]])
    places = Places.of(e, f, *SIZES)
    # By sentence and word of f: from e_0, then e_1 …
    posterior = np.array([0.5, 0.2, 0.3, 0.1, 0.3, 0.6, 0.2, 0.8], np.float32)
    assert best_links(posterior, places.begin, places.e_begin, places.f_begin).tolist() == [
        -1,
        1,
        0,
    ]
    counts = dense(link_counts(posterior, places.entry, len(places.column)), places)
    wanted = np.zeros(SIZES)
    wanted[0, 3], wanted[1, 3], wanted[2, 3] = 0.5 + 0.2, 0.2, 0.3 + 0.8
    wanted[0, 4], wanted[1, 4], wanted[2, 4] = 0.1, 0.3, 0.6
    np.testing.assert_allclose(counts, wanted, rtol=1e-6)


def test_jumps_are_folded_into_the_table_of_the_hmm() -> None:
    jumps = np.zeros(2 * 70 + 1)
    jumps[70 + 1], jumps[70 - 2], jumps[70 + 60], jumps[70 + 50] = 5, 3, 1, 1
    s = hmm.fold_jumps(jumps)
    assert s.sum() == pytest.approx(1)
    found = [s[hmm.FAR + d] for d in (1, -2, 50, -50)]
    np.testing.assert_allclose(found, [0.5, 0.3, 0.2, 0], atol=1e-5)


def test_digamma_is_the_derivative_of_ln_gamma() -> None:
    for x in (0.01, 0.3, 1.0, 4.2, 6.99, 7.0, 1e4):
        h = 1e-4 * x
        slope = (math.lgamma(x + h) - math.lgamma(x - h)) / (2 * h)
        assert digamma(x) == pytest.approx(slope, rel=1e-6, abs=1e-6)
    assert digamma(1.0) == pytest.approx(-0.5772156649015329, abs=1e-9)


def test_a_word_model_gives_the_enumerated_probability(tmp_path: Path) -> None:
    sides = ([[f"{i}" for i in sentence] for sentence in side] for side in (E, F))
    aligned(tmp_path, *sides, "hmm").save_models(Stages(tmp_path), tmp_path)
    model = WordModels.load(tmp_path).forward
    size = len(SPECIALS) + 3  # the words 1, 2, 3 have the ids 4, 5, 6
    table = np.zeros((size, size))
    for word in range(size):
        for k in range(model.row[word], model.row[word + 1]):
            table[word, model.column[k]] = model.t[k]
    for given, made in [([4, 5], [4, 5, 4]), ([6], [6]), ([], [4]), ([5, 6], [])]:
        words = [0, *given]

        def t(i: int, j: int, words=words, made=made) -> float:
            return (1 - FLOOR) * table[words[i], made[j]] + FLOOR / size

        joint = hmm_with(model.jumps)
        total = sum(joint(t, len(given), a) for a in alignments(len(given), len(made)))
        log_p = model.log_probabilities(given, made)
        assert log_p.sum() == pytest.approx(math.log(total), rel=1e-9)


@pytest.mark.parametrize("aligner", ALIGNERS)
def test_aligners_solve_a_simple_text(aligner: str, tmp_path: Path) -> None:
    source = [s.split() for s in ["a b", "b a", "a c", "c b", "a", "b", "c"] * 5]
    target = [[w.upper() + "x" for w in s] for s in source]
    alignment = aligned(tmp_path, source, target, aligner)
    alignment.save_models(Stages(tmp_path), tmp_path)
    known = WordModels.load(tmp_path).align(source, target, "grow-diag-final-and")
    wanted = ["0-0 1-1", "0-0 1-1", "0-0 1-1", "0-0 1-1", "0-0", "0-0", "0-0"]
    assert alignment.read_links().pharaoh()[:7] == wanted
    assert known.pharaoh()[:7] == wanted


def test_stems_are_first_letters_without_case_and_accents() -> None:
    assert stem("ἀνθρώπους") == "ανθρω"
    assert stem("Häuser") == "hause"
    assert stem("STRASSE") == stem("Straße") == "stras"
    words = Vocabulary(["walking", "walk", "Walking", "a", "walki"])
    ids, size = stem_ids(words)
    assert ids.tolist() == [0, 1, 2, 3, 4, 5, 4, 6, 4]
    assert size == 7


def test_aer_of_a_worked_example() -> None:
    error, precision, recall = aer([{(0, 0), (1, 1)}, {(0, 1)}], [{(0, 0)}, {(0, 1), (1, 0)}])
    assert (error, precision, recall) == pytest.approx((1 - 4 / 6, 2 / 3, 2 / 3))


def test_hmm_jump_counts_equal_enumeration() -> None:
    places = corpus()[2]
    start, *_ = em(places, ibm1.MODEL, 2)
    table, joint = dense(start, places), hmm_with(hmm.first_jumps())
    counts = np.zeros(2 * hmm.FAR + 1)
    for given, made in zip(E, F, strict=True):

        def t(i: int, j: int, words=(0, *given), made=made) -> float:
            return table[words[i], made[j]]

        weights = {a: joint(t, len(given), a) for a in alignments(len(given), len(made))}
        for a, p in weights.items():
            path = [0, *(i for i in a if i > 0)]  # words from e_0 keep the position
            for m, i in pairwise(path):
                counts[i - m + hmm.FAR] += p / sum(weights.values())
    _, jumps, _ = em(places, hmm.MODEL, 1, start)
    np.testing.assert_allclose(jumps, (counts + 1e-6) / (counts + 1e-6).sum(), rtol=1e-6)


def test_aer_of_no_links_is_zero() -> None:
    assert aer([set()], [set()]) == (0.0, 0.0, 0.0)
