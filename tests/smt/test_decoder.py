from __future__ import annotations

import heapq
import random
from itertools import islice

import numpy as np
import pytest

from mtkit.smt import lm
from mtkit.smt.decoder import MAX_LIMIT, Limits, derivations, search
from mtkit.smt.options import Options, Weights, future_costs
from mtkit.smt.phrases import MAX_PHRASE
from tests.oracles import all_derivations, beam_search

Choices = dict[tuple[int, int], list[tuple[float, tuple[int, ...]]]]
WORDS = ["a", "b", "c", "d"]
UNPRUNED = 100_000


@pytest.fixture(scope="module")
def model() -> lm.NgramModel:
    rng = random.Random(4)
    return lm.train([rng.choices(WORDS, k=rng.randint(1, 6)) for _ in range(60)], 3)


def random_choices(N: int, model: lm.NgramModel, seed: int, longest: int = 3) -> Choices:
    """Up to three random options for each span up to ``longest``; single words always have one."""
    rng = random.Random(seed)
    choices: Choices = {}
    for start in range(N):
        for length in range(1, min(longest, N - start) + 1):
            made = [
                (rng.uniform(-4, 0), tuple(model.encode(rng.choices(WORDS, k=rng.randint(1, 2)))))
                for _ in range(rng.randint(length == 1, 2 if length > 1 else 3))
            ]
            if made:
                choices[start, start + length] = made
    return choices


def as_options(N: int, choices: Choices, model: lm.NgramModel, lm_weight: float) -> Options:
    begin, pair, score, estimate, words, w_begin = [0], [], [], [], [], [0]
    for span in range(N * MAX_PHRASE):
        start, length = span // MAX_PHRASE, span % MAX_PHRASE + 1
        rated = []
        for value, ids in choices.get((start, start + length), []):
            guess, state = value, lm.ROOT
            for w in ids:
                log_p, state = lm.lm_step(model.arrays, state, w)
                guess += lm_weight * log_p
            rated.append((guess, value, ids))
        for guess, value, ids in sorted(rated, reverse=True):
            pair.append(0)
            score.append(value)
            estimate.append(guess)
            words += ids
            w_begin.append(len(words))
        begin.append(len(pair))
    return Options(
        np.array(begin),
        np.array(pair, np.int32),
        np.array(score, float),
        np.array(estimate, float),
        np.array(words, np.int32),
        np.array(w_begin),
    )


def lm_of(model: lm.NgramModel):
    def total(ids) -> float:
        state, value = model.begin, 0.0
        for w in (*ids, lm.EOS):
            log_p, state = lm.lm_step(model.arrays, state, w)
            value += log_p
        return value

    return total


def graph_of(N: int, choices: Choices, model: lm.NgramModel, limits: Limits):
    weights = Weights(np.zeros(4), 0, 0, 0, 0.7, 0.3)
    options = as_options(N, choices, model, weights.lm)
    return search(N, options, model.arrays, model.begin, weights, limits)


@pytest.mark.parametrize("limit", [0, 1, 2, -1])
@pytest.mark.parametrize("N", [1, 2, 3, 4])
def test_unpruned_search_finds_every_derivation_there_is(
    N: int, limit: int, model: lm.NgramModel
) -> None:
    for seed in range(3):
        choices = random_choices(N, model, seed)
        expected = all_derivations(N, choices, lm_of(model), 0.7, 0.3, limit)
        graph = graph_of(N, choices, model, Limits(UNPRUNED, UNPRUNED, limit))
        found = [d.score for d in islice(derivations(graph), len(expected) + 1)]
        assert found == pytest.approx(expected, abs=1e-6)
        assert found == sorted(found, reverse=True)


def test_a_derivation_is_its_options_in_order(model: lm.NgramModel) -> None:
    choices = random_choices(4, model, 9)
    options = as_options(4, choices, model, 0.7)
    graph = graph_of(4, choices, model, Limits(UNPRUNED, UNPRUNED, -1))
    for derivation in islice(derivations(graph), 50):
        spans = np.searchsorted(options.begin, derivation.options, side="right") - 1
        covered = [w for s in spans for w in range(s // MAX_PHRASE, sum(divmod(s, MAX_PHRASE)) + 1)]
        assert sorted(covered) == [0, 1, 2, 3]
        words = [
            w
            for o in derivation.options
            for w in options.words[options.w_begin[o] : options.w_begin[o + 1]]
        ]
        ends = [0, *(sum(divmod(s, MAX_PHRASE)) + 1 for s in spans)]
        jumps = sum(abs(s // MAX_PHRASE - end) for s, end in zip(spans, ends, strict=False))
        score = sum(options.score[o] for o in derivation.options) - 0.3 * jumps
        assert derivation.score == pytest.approx(score + 0.7 * lm_of(model)(words), abs=1e-6)


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 6, 56, 1000, -1])
def test_the_narrowest_search_never_ends_in_a_dead_end(limit: int, model: lm.NgramModel) -> None:
    for seed in range(5):
        choices = random_choices(9, model, seed)
        best = next(derivations(graph_of(9, choices, model, Limits(1, 1, limit))))
        assert len(best.options) >= 3


def test_a_wider_search_is_no_worse(model: lm.NgramModel) -> None:
    choices = random_choices(12, model, 2)
    scores = [
        next(derivations(graph_of(12, choices, model, Limits(k, 2 * k, 6)))).score
        for k in (1, 10, 1000)
    ]
    assert scores[0] <= scores[1] <= scores[2] + 1e-9


def test_three_hundred_words_are_translated(model: lm.NgramModel) -> None:
    best = next(derivations(graph_of(300, random_choices(300, model, 1), model, Limits())))
    assert 100 <= len(best.options) <= 300


def test_future_costs_are_the_best_segmentations(model: lm.NgramModel) -> None:
    N = 10
    choices = random_choices(N, model, 3, MAX_PHRASE)
    options = as_options(N, choices, model, 0.7)
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


@pytest.mark.parametrize("limit", [0, 3, 6])
@pytest.mark.parametrize(
    ("stack", "pops"), [(1, 1), (3, 10), (10, 30), (30, 10), (5, 400), (200, 20)]
)
def test_a_pruned_search_keeps_the_most_promising(
    stack: int, pops: int, limit: int, model: lm.NgramModel
) -> None:
    for seed in range(3):
        choices = random_choices(9, model, seed, longest=MAX_PHRASE)
        options = as_options(9, choices, model, 0.7)
        rated = {
            (i, i + k + 1): [
                (options.estimate[o], options.score[o],
                 tuple(options.words[options.w_begin[o] : options.w_begin[o + 1]]))
                for o in range(*options.begin[i * MAX_PHRASE + k :][:2])
            ]
            for i in range(9)
            for k in range(min(MAX_PHRASE, 9 - i))
        }  # fmt: skip
        expected, made = beam_search(
            9, rated, lambda state, w: lm.lm_step(model.arrays, state, w), model.begin, lm.EOS,
            0.7, 0.3, limit, stack, pops,
        )  # fmt: skip
        graph = graph_of(9, choices, model, Limits(stack, pops, limit))
        assert next(derivations(graph)).score == pytest.approx(expected, abs=1e-6)
        assert sorted(graph["score"][2:].tolist()) == pytest.approx(made, abs=1e-6)


@pytest.mark.parametrize("limit", [1000, -1])
def test_a_search_that_loves_to_jump_stays_within_the_mask(
    limit: int, model: lm.NgramModel
) -> None:
    N = 80
    choices = {(i, i + 1): [(0.0, (int(model.encode(["a"])[0]),))] for i in range(N)}
    options = as_options(N, choices, model, 0.0)
    weights = Weights(np.zeros(4), 0, 0, 0, 0.0, -1.0)  # every word jumped over earns 1
    graph = search(N, options, model.arrays, model.begin, weights, Limits(20, 100, limit))
    starts, at = list[int](), 1
    while at > 0:  # each word is one option
        starts.insert(0, int(graph["option"][at]))
        at = int(graph["parent"][at])
    assert sorted(starts) == list(range(N))
    jumps = [abs(b - a - 1) for a, b in zip([-1, *starts], starts, strict=False)]
    assert 50 < max(jumps) <= MAX_LIMIT


def test_equally_good_derivations_are_not_all_looked_at(model: lm.NgramModel) -> None:
    N = 14
    choices = {(i, i + 1): [(0.0, (int(model.encode(["a"])[0]),))] for i in range(N)}
    options = as_options(N, choices, model, 0.7)
    weights = Weights(np.zeros(4), 0, 0, 0, 0.7, 0.0)  # any order is as good as any other
    graph = search(N, options, model.arrays, model.begin, weights, Limits())
    queued = []
    push = heapq.heappush
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(heapq, "heappush", lambda *a: queued.append(a) or push(*a))
        best = next(derivations(graph))
    assert sorted(best.options) == list(range(N))
    assert len(queued) <= len(graph)
