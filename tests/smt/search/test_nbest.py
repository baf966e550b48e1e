from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mtkit.smt.flat import read_only
from mtkit.smt.language_model import ngrams
from mtkit.smt.language_model.ngrams import LM_UNK
from mtkit.smt.search.decoder import Limits
from mtkit.smt.search.features import CHANNEL, DEFAULT_WEIGHTS, NAMES
from mtkit.smt.system import SmtSystem
from mtkit.text.corpus import Corpus
from tests.support.oracles import orientation
from tests.support.search_cases import SIX, UNPRUNED, make, random_case, small_model, spans_of


@pytest.fixture(scope="module")
def model() -> ngrams.NgramModel:
    return small_model()


@pytest.fixture
def smt(smt_directory: Path) -> SmtSystem:
    """Return a system with random weights and reordering."""
    system = SmtSystem.load(smt_directory)
    table, rng = system.models.table, np.random.default_rng(1)
    p = rng.dirichlet((1, 1, 1), (len(table.links), 2)).reshape(-1, 6)
    [random] = read_only([np.log(p).astype(np.float32)])
    table = table._replace(reordering=random)
    weights = {name: w + rng.uniform(0, 0.3) for name, w in DEFAULT_WEIGHTS.items()}
    models = replace(system.models, table=table)
    return SmtSystem(models, system.tokenizer, weights, Limits(), 2)


def test_features_are_those_of_the_options_in_order(model: ngrams.NgramModel) -> None:
    case = random_case(5, model, 9, reordering=SIX)
    del case.choices[2, 3]
    case = make(5, case.choices, model, SIX)  # word 2 is copied where no longer phrase covers it
    best = case.n_best(case.search(UNPRUNED), 3000)
    copied = 0
    for k in range(len(best.score)):
        chosen = best.options[best.o_begin[k] : best.o_begin[k + 1]].tolist()
        words = best.words[best.w_begin[k] : best.w_begin[k + 1]].tolist()
        expected, last, last_pair, made = dict.fromkeys(NAMES, 0.0), (0, 0), -1, list[int]()
        for option, span in zip(chosen, spans_of(case.options, chosen), strict=True):
            pair = int(case.options.pair[option])
            o = orientation(*span, last)
            side = ("monotone", "swap", "discontinuous")[o]
            if pair >= 0:
                expected["direct"] += case.table.features[pair, 0]
                expected[f"previous-{side}"] += case.table.reordering[pair, o]
                made += case.table.target[slice(*case.table.t_begin[pair : pair + 2])].tolist()
            else:
                made.append(-1 - span[0])
                copied += 1
            if last_pair >= 0:
                expected[f"next-{side}"] += case.table.reordering[last_pair, 3 + o]
            expected["distortion"] -= abs(span[0] - last[1])
            expected["context"] += case.options.context[option]
            last, last_pair = span, pair
        assert words == made
        expected["phrases"], expected["words"] = len(chosen), len(words)
        expected["unknown"] = sum(w < 0 for w in words)
        expected["lm"] = case.lm(tuple(max(w, LM_UNK) for w in words))
        assert best.features[k].tolist() == pytest.approx([*expected.values()], abs=1e-5)
    assert 0 < copied < len(best.score)


def test_features_times_weights_are_the_scores(smt: SmtSystem, few: Corpus) -> None:
    sentences = smt.tokenize([*few.test.source, "A xqzvwy!"])
    λ = np.array([smt.weights[name] for name in NAMES])
    for best in smt.n_best(sentences, 100):
        assert best.features @ λ == pytest.approx(best.score, abs=1e-4)
        assert (np.diff(best.score) <= 0).all()
        ways = {
            tuple(best.options[a:b]) for a, b in zip(best.o_begin, best.o_begin[1:], strict=False)
        }
        assert len(ways) == len(best.score)
    assert any(features.any() for best in smt.n_best(sentences, 1) for features in best.features.T)


def test_words_are_those_of_the_translation(smt: SmtSystem, few: Corpus) -> None:
    lines = [*few.test.source, "A xqzvwy!"]
    sentences = smt.tokenize(lines)
    for words, best, [h] in zip(
        sentences, smt.n_best(sentences, 1), smt.translate(lines), strict=True
    ):
        target = smt.models.target.words
        assert [target[w] if w >= 0 else words[-1 - w] for w in best.words.tolist()] == h.tokens
        assert dict(zip(NAMES, best.features[0].tolist(), strict=True)) == h.features
        assert h.features["lm"] == pytest.approx(
            smt.models.lm.score([h.tokens]).log_prob.sum(), abs=1e-4
        )


def test_distinct_derivations_are_the_best_of_each_text(model: ngrams.NgramModel) -> None:
    case = random_case(4, model, 1, reordering=SIX)
    graph = case.search(UNPRUNED)
    every, best = case.n_best(graph, 200), case.n_best(graph, 10, distinct=True)
    expected: dict[tuple[int, ...], float] = {}
    for k in range(200):
        words = tuple(every.words[every.w_begin[k] : every.w_begin[k + 1]].tolist())
        expected.setdefault(words, every.score[k])
    assert [
        (tuple(best.words[a:b].tolist()), s)
        for a, b, s in zip(best.w_begin, best.w_begin[1:], best.score, strict=False)
    ] == [*expected.items()][:10]


def test_channel_search_does_not_depend_on_the_batch(smt: SmtSystem, few: Corpus) -> None:
    lines = few.test.source
    channel = smt.with_weights(CHANNEL)
    assert channel.translate(lines, 5) == [channel.translate([x], 5)[0] for x in lines]
    assert channel.models is smt.models
    assert channel.translate(lines) != smt.translate(lines)
    for [h] in channel.translate(lines):
        assert h.score == pytest.approx(h.features["channel"] - 10 * len(h.unknown), abs=1e-4)


def test_tied_derivations_are_all_distinct(model: ngrams.NgramModel) -> None:
    rng = random.Random(1)
    choices = {(i, i + 1): [(rng.choice((-1.0, -2.0)), (3,), (0.0,) * 6)] for i in range(14)}
    case = make(14, choices, model, distortion=0.0)  # all orders score the same
    best = case.n_best(case.search(Limits()), 1000)
    assert len({tuple(o) for o in best.options.reshape(-1, 14).tolist()}) == 1000
    assert best.score == pytest.approx(best.score[0], abs=1e-9)


def test_many_derivations_of_one_text_do_not_hide_the_next(model: ngrams.NgramModel) -> None:
    N = 10
    choices = {
        (i, i + n): [(-0.1 * n, (3,) * n, (0.0,) * 6)] for n in (1, 2, 3) for i in range(N - n + 1)
    }
    choices[0, 1] = [*choices[0, 1], (-9.0, (4,), (0.0,) * 6)]
    case = make(N, choices, model)
    best = case.n_best(case.search(UNPRUNED._replace(distortion=0)), 2, distinct=True)
    texts = [best.words[a:b].tolist() for a, b in pairwise(best.w_begin.tolist())]
    assert texts == [[3] * N, [4] + [3] * (N - 1)]
