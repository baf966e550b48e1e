from __future__ import annotations

import math
import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mtkit.errors import InputError
from mtkit.smt.language_model import ngrams
from mtkit.smt.language_model.arpa import read_arpa
from mtkit.smt.language_model.ngrams import LM_EOS
from mtkit.smt.phrases.extract import MAX_PHRASE
from mtkit.smt.search.decoder import MAX_LIMIT, SLACK, Limits
from mtkit.smt.search.features import DISTORTION, LM
from mtkit.smt.search.hypothesis import MAX_DISTORTION
from mtkit.smt.search.options import future_costs
from tests.support.kernels import lm_step
from tests.support.oracles import all_derivations, beam_search
from tests.support.search_cases import (
    SIX,
    UNPRUNED,
    WORDS,
    Case,
    make,
    random_case,
    small_model,
    spans_of,
)


@pytest.fixture(scope="module")
def model() -> ngrams.NgramModel:
    return small_model()


def everything(case: Case, limit: int) -> list[tuple[float, tuple[int, ...]]]:
    choices = {span: [case.for_oracle(*c) for c in of] for span, of in case.choices.items()}
    return all_derivations(case.N, choices, case.lm, case.λ[LM], case.λ[DISTORTION], limit)


@pytest.mark.parametrize("reordering", [(0.0,) * 6, SIX, (*SIX[:3], 0, 0, 0), (0, 0, 0, *SIX[3:])])
@pytest.mark.parametrize("limit", [0, 1, 2, 3, -1])
@pytest.mark.parametrize("N", [1, 2, 3, 4])
def test_unpruned_search_finds_every_derivation(
    N: int, limit: int, reordering: tuple[float, ...], model: ngrams.NgramModel
) -> None:
    for seed in range(3):
        case = random_case(N, model, seed, reordering=reordering)
        expected = everything(case, limit)
        graph = case.search(UNPRUNED._replace(distortion=limit))
        found = case.n_best(graph, len(expected) + 1)
        assert found.score.tolist() == pytest.approx([s for s, _ in expected], abs=1e-6)
        assert found.score.tolist() == sorted(found.score.tolist(), reverse=True)
        scores: dict[tuple[int, ...], list[list[float]]] = {}
        for s, words in expected:
            scores.setdefault(words, [[], []])[0].append(s)
        for k, s in enumerate(found.score.tolist()):
            words = tuple(found.words[found.w_begin[k] : found.w_begin[k + 1]].tolist())
            scores[words][1].append(s)
        for wanted, got in scores.values():
            assert got == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("limit", [0, 1, 3, -1])
@pytest.mark.parametrize("seed", range(12))
def test_a_glossary_leaves_only_derivations_that_use_it(
    seed: int, limit: int, model: ngrams.NgramModel
) -> None:
    rng = random.Random(seed)
    case = random_case(4, model, seed, longest=4, reordering=SIX)
    cuts = sorted(rng.sample(range(5), rng.randint(2, 4)))  # matches may be adjacent
    ids = [model.encode([w]).item() for w in WORDS]
    matches = [
        (
            start,
            end,
            [tuple(rng.choices(ids, k=rng.randint(1, 3))) for _ in range(rng.randint(1, 2))],
        )
        for start, end in pairwise(cuts)
        if rng.random() < 0.8
    ]
    fixed = {
        (start, end): [case.for_oracle(0.0, way, (0.0,) * 6) for way in ways]
        for start, end, ways in matches
    }
    free = {
        (i, j): [case.for_oracle(*c) for c in of]
        for (i, j), of in case.choices.items()
        if all(j <= start or end <= i for start, end, _ in matches)
    }
    expected = all_derivations(4, free | fixed, case.lm, 0.7, 0.3, limit)
    case = make(4, case.choices, model, SIX, matches=matches)
    graph = case.search(UNPRUNED._replace(distortion=limit))
    found = case.n_best(graph, len(expected) + 1)
    assert found.score.tolist() == pytest.approx([s for s, _ in expected], abs=1e-6)
    words = [tuple(found.words[a:b].tolist()) for a, b in pairwise(found.w_begin.tolist())]
    assert sorted(words) == sorted(w for _, w in expected)


@pytest.mark.parametrize("limit", [1, 3, 6])
def test_the_best_of_five_words_is_found(limit: int, model: ngrams.NgramModel) -> None:
    for seed in range(4):
        case = random_case(5, model, seed, longest=2, reordering=SIX)
        graph = case.search(UNPRUNED._replace(distortion=limit))
        assert graph["score"][1] == pytest.approx(everything(case, limit)[0][0], abs=1e-6)


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 6, 56, 1000, -1])
def test_the_narrowest_search_has_no_dead_ends(limit: int, model: ngrams.NgramModel) -> None:
    for seed in range(5):
        case = random_case(9, model, seed)
        best = case.n_best(case.search(Limits(1, 1, limit)), 1)
        assert len(best.options) >= 3


def test_a_wider_search_is_no_worse(model: ngrams.NgramModel) -> None:
    case = random_case(12, model, 2, reordering=SIX)
    scores = [case.search(Limits(k, 2 * k, 6))["score"][1] for k in (1, 10, 1000)]
    assert scores[0] <= scores[1] <= scores[2] + 1e-9


@pytest.mark.compiled
def test_three_hundred_words_are_translated(model: ngrams.NgramModel) -> None:
    case = random_case(300, model, 1, reordering=SIX)
    best = case.n_best(case.search(Limits()), 1)
    assert 100 <= len(best.options) <= 300


def test_future_costs_are_the_best_segmentations(model: ngrams.NgramModel) -> None:
    N = 10
    options = random_case(N, model, 3, MAX_PHRASE).options
    future, rest = future_costs(options.begin, options.estimate, N)

    def best(start: int, end: int) -> float:
        if start == end:
            return 0.0
        values = [-np.inf]
        for stop in range(start + 1, min(end, start + MAX_PHRASE) + 1):
            span = start * MAX_PHRASE + stop - start - 1
            of = options.estimate[options.begin[span] : options.begin[span + 1]]
            if len(of):
                values.append(of[0] + best(stop, end))
        return max(values)

    for start in range(N):
        assert rest[start] == pytest.approx(best(start, N))
        for end in range(start, N + 1):
            assert future[start, end - start] == pytest.approx(best(start, end))


@pytest.mark.parametrize("reordering", [(0.0,) * 6, SIX, (0.0, 0.0, 0.0, 0.0, 0.5, 0.0)])
@pytest.mark.parametrize("limit", [0, 3, 6])
@pytest.mark.parametrize(
    ("stack", "pops"), [(1, 1), (3, 10), (10, 30), (30, 10), (5, 400), (200, 20)]
)
def test_pruned_search_equals_plain_beam_search(
    stack: int, pops: int, limit: int, reordering: tuple[float, ...], model: ngrams.NgramModel
) -> None:
    compared = 0
    for seed in range(4):
        case = random_case(9, model, seed, MAX_PHRASE, reordering, highest=3.0 * (seed % 2))
        options = case.options
        rated = {
            (i, i + k + 1): [
                (
                    options.estimate[o],
                    options.score[o],
                    tuple(options.words[options.w_begin[o] : options.w_begin[o + 1]]),
                    tuple(options.previous[o].tolist()),
                    tuple(options.next[o].tolist()),
                )
                for o in range(*options.begin[i * MAX_PHRASE + k :][:2])
            ]
            for i in range(9)
            for k in range(min(MAX_PHRASE, 9 - i))
        }
        expected, made, closest = beam_search(
            9, rated, lambda state, w: lm_step(model.arrays, state, w), model.begin,
            LM_EOS, 0.7, 0.3, limit, stack, pops,
        )  # fmt: skip
        graph = case.search(Limits(stack, pops, limit))
        if closest > 1e-9:  # otherwise rounding decides
            assert graph["score"][1] == pytest.approx(expected, abs=1e-6)
            assert sorted(graph["score"][2:].tolist()) == pytest.approx(made, abs=1e-6)
            compared += 1
    assert compared >= 2


@pytest.mark.parametrize("difference", [-0.1, 0.1])
def test_a_row_ends_where_slack_is_exceeded(difference: float, tmp_path: Path) -> None:
    """Alone, ln p of b is SLACK + difference below that of c; after a, b is almost certain."""
    e = math.log(10)
    alone = -1 - SLACK - difference
    lines = [
        *("\\data\\", "ngram 1=6", "ngram 2=1", "", "\\1-grams:"),
        *("-9\t<unk>\t0", "-99\t<s>\t0", "-1\t</s>\t0", "-1\ta\t0"),
        *(f"{alone / e}\tb\t0", f"{-1 / e}\tc\t0"),
        *("", "\\2-grams:", "-0.01\ta b", "", "\\end\\"),
    ]
    (tmp_path / "lm.arpa").write_text("\n".join(lines), encoding="utf-8")
    model = read_arpa(tmp_path / "lm.arpa")
    a, b, c = (tuple(model.encode([w]).tolist()) for w in "abc")
    choices = {(0, 1): [(0.0, a, (0.0,) * 6)], (1, 2): [(0.0, w, (0.0,) * 6) for w in (b, c)]}
    case = make(2, choices, model)
    [words] = [case.n_best(case.search(Limits(1, 1, 0)), 1).words.tolist()]
    assert words == [*a, *(b if difference < 0 else c)]


def test_default_limits_are_those_of_moses() -> None:
    assert (Limits().distortion, Limits().table) == (6, 20)


def test_limits_outside_range_are_refused() -> None:
    for limits in (
        Limits(),
        Limits(1, 1, -1, 1),
        Limits(MAX_LIMIT, MAX_LIMIT, MAX_LIMIT, MAX_LIMIT),
    ):
        limits.check(Path("manifest.json"))
    for name in Limits._fields:
        for value in (MAX_LIMIT + 1, -MAX_LIMIT - 1, *(() if name == "distortion" else (0, -1))):
            with pytest.raises(InputError, match=r"^manifest.json: .*out of range"):
                Limits()._replace(**{name: value}).check(Path("manifest.json"))


@pytest.mark.compiled
@pytest.mark.parametrize("limit", [1000, -1])
def test_a_search_with_long_jumps_stays_within_the_mask(
    limit: int, model: ngrams.NgramModel
) -> None:
    N = 80
    choices = {(i, i + 1): [(0.0, (3,), (0.0,) * 6)] for i in range(N)}
    case = make(N, choices, model, lm_weight=0.0, distortion=-1.0)  # each skipped word adds 1
    best = case.n_best(case.search(Limits(20, 100, limit)), 1)
    starts = [start for start, _ in spans_of(case.options, best.options.tolist())]
    assert sorted(starts) == list(range(N))
    jumps = [abs(b - a - 1) for a, b in zip([-1, *starts], starts, strict=False)]
    assert 50 < max(jumps) <= MAX_DISTORTION


def test_without_a_language_model_its_states_are_recombined(model: ngrams.NgramModel) -> None:
    case = random_case(4, model, 5, lm_weight=0.0)
    graph = case.search(UNPRUNED)
    arcs = set(graph["next"].tolist())
    heads = [h for k, h in enumerate(graph) if k > 1 and k not in arcs and h["gap"] < 4]
    states = {(h["gap"], h["covered"], h["end"]) for h in heads}
    assert len(states) == len(heads)
