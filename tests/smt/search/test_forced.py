from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mtkit.smt.flat import Flat
from mtkit.smt.language_model import ngrams
from mtkit.smt.search.decoder import Limits
from mtkit.smt.search.features import DISTORTION, LM
from mtkit.smt.search.forced import Forced, force
from mtkit.smt.search.nbest import derivations
from mtkit.smt.search.options import Options, collect
from mtkit.smt.system import MAX_WORDS, SmtSystem
from mtkit.text.corpus import Corpus
from mtkit.text.vocabulary import FIRST_WORD
from tests.support.oracles import all_derivations
from tests.support.search_cases import SIX, UNPRUNED, Case, asked, make, random_case, small_model

UNKNOWN = "xqzvwy"


@pytest.fixture(scope="module")
def model() -> ngrams.NgramModel:
    return small_model()


@pytest.fixture
def smt(smt_directory: Path) -> SmtSystem:
    return SmtSystem.load(smt_directory)


def forced(case: Case, y: tuple[int, ...], limits: Limits) -> tuple[Forced, Options]:
    """Return the best derivation of ``y`` and the options."""
    size = len(case.lm_model.words)
    words, copied = FIRST_WORD + np.arange(case.N, dtype=np.int32), np.zeros(case.N, np.int32)
    options = collect(asked(words, copied, y), case.model, case.λ, 20)
    ids = np.arange(size, size + case.N, dtype=np.int32)  # copied words are not in y
    return force(case.N, options, ids, Flat.of([y]), case.model.lm, case.λ, limits), options


def forced_score(case: Case, y: tuple[int, ...], limits: Limits) -> float | None:
    """Return the score of the best derivation of ``y`` with the language model."""
    found, options = forced(case, y, limits)
    if not len(found.options):
        return None
    best = derivations(found.options, found.begin, options, case.model, case.λ)
    assert tuple(best.words.tolist()) == y
    return float(best.score[0])


def test_reachable_words_are_reported(model: ngrams.NgramModel) -> None:
    choices = {(0, 2): [(-1.0, (3, 4), (0.0,) * 6)], (2, 3): [(-1.0, (5,), (0.0,) * 6)]}
    found, _ = forced(make(3, choices, model), (6, 3, 4), Limits())
    assert not len(found.options)
    assert found.source.tolist() == [[True, True, False]]
    assert found.target.tolist() == [False, True, True]


@pytest.mark.parametrize("reordering", [(0.0,) * 6, SIX, (0, 0, 0, *SIX[3:])])
@pytest.mark.parametrize("limit", [0, 1, 2, 3, -1])
@pytest.mark.parametrize("N", [1, 2, 3, 4])
def test_it_is_the_best_of_all_derivations_of_the_target(
    N: int, limit: int, reordering: tuple[float, ...], model: ngrams.NgramModel
) -> None:
    for seed in range(3):
        case = random_case(N, model, seed, reordering=reordering)
        choices = {span: [case.for_oracle(*c) for c in of] for span, of in case.choices.items()}
        best: dict[tuple[int, ...], float] = {}
        for score, words in all_derivations(
            N, choices, case.lm, case.λ[LM], case.λ[DISTORTION], limit
        ):
            best[words] = max(score, best.get(words, -np.inf))
        limits = UNPRUNED._replace(distortion=limit)
        for words in sorted(best)[:: 1 + len(best) // 25]:
            assert forced_score(case, words, limits) == pytest.approx(best[words], abs=1e-6)
            for other in (words[::-1], words[1:], (*words, words[0])):
                if other and other not in best:
                    assert forced_score(case, other, limits) is None


@pytest.mark.parametrize("N", [2, 3, 4])
def test_derivations_with_different_next_reordering_are_kept(
    N: int, model: ngrams.NgramModel
) -> None:
    for seed in range(6):
        made = random_case(N, model, seed, reordering=SIX)
        one_word = {
            span: [(score, (3,) * len(words), six) for score, words, six in of]
            for span, of in made.choices.items()
        }
        case = make(N, one_word, model, SIX)
        choices = {span: [case.for_oracle(*c) for c in of] for span, of in one_word.items()}
        best: dict[tuple[int, ...], float] = {}
        for score, words in all_derivations(N, choices, case.lm, 0.7, 0.3, 6):
            best[words] = max(score, best.get(words, -np.inf))
        for words, score in best.items():
            assert forced_score(case, words, UNPRUNED) == pytest.approx(score, abs=1e-6)


def test_forced_score_is_never_below_the_search_score(smt: SmtSystem, few: Corpus) -> None:
    assert few.test is not None
    sources = [*few.train.source[:20], *few.test.source, f"A {UNKNOWN}, a {UNKNOWN}2!"]
    tokens = smt.tokenize(sources)
    for x, hypotheses in zip(tokens, smt.translate(sources, 5), strict=True):
        pairs = [(x, h.tokens) for h in hypotheses]
        for h, (found, _) in zip(hypotheses, smt.force(pairs), strict=True):
            assert found is not None
            assert found.tokens == h.tokens
            assert found.unknown == h.unknown
            assert found.score >= h.score - 1e-6
            total = sum(smt.weights[k] * v for k, v in found.features.items())
            assert total == pytest.approx(found.score, abs=1e-6)
            if found.segments == h.segments:
                assert found.features == pytest.approx(h.features, abs=1e-6)


def test_the_table_limit_is_ignored(smt: SmtSystem, few: Corpus) -> None:
    source = ["the"]
    smt.limits = Limits(table=1000)
    last = smt.translate(source, 1000)[0][-1]
    smt.limits = Limits(table=1)
    assert last.tokens != smt.translate(source)[0][0].tokens
    [(found, _)] = smt.force([(source, last.tokens)])
    assert found is not None
    assert found.score == pytest.approx(last.score, abs=1e-6)


def test_unreachable_has_a_reason(smt: SmtSystem) -> None:
    x, [[best]] = smt.tokenize(["A man is here."])[0], smt.translate(["A man is here."])
    cases = {
        f"no phrase gives: {UNKNOWN}": [*best.tokens, UNKNOWN],
        "no phrase of the target translates": best.tokens[:1],
        "an empty sentence": [],
    }
    for why, y in cases.items():
        [(found, reason)] = smt.force([(x, y)])
        assert found is None
        assert why in reason
    [score] = smt.score([("A man", f"{UNKNOWN}")])
    assert score.model is None
    assert UNKNOWN in score.why


def test_a_line_in_pieces_has_no_derivation(smt: SmtSystem) -> None:
    [(found, reason)] = smt.force([(["a"] * (MAX_WORDS + 1), ["ein"])])
    assert found is None
    assert "pieces" in reason


def test_score_gives_the_best_derivation(smt: SmtSystem, few: Corpus) -> None:
    pairs = few.train.pairs()[:10]
    found = smt.force([(smt.tokenize([s])[0], smt.tokenize([t])[0]) for s, t in pairs])
    assert any(hypothesis for hypothesis, _ in found)
    for score, (one, reason) in zip(smt.score(pairs), found, strict=True):
        assert score.model == (one.score if one else None)
        assert score.why == reason


def test_threads_change_nothing(smt: SmtSystem, few: Corpus) -> None:
    pairs = [(smt.tokenize([s])[0], smt.tokenize([t])[0]) for s, t in few.train.pairs()[:20]]
    smt.threads = 1
    alone = smt.force(pairs)
    smt.threads = 2
    assert smt.force(pairs) == alone


@pytest.mark.compiled
def test_many_repetitions_terminate(model: ngrams.NgramModel) -> None:
    N = 40
    choices = {(i, i + 1): [(-0.1 * (i % 3), (3,), (0.0,) * 6)] for i in range(N)}
    choices |= {(i, i + 2): [(-0.1, (3, 3), (0.0,) * 6)] for i in range(N - 1)}
    assert forced_score(make(N, choices, model), (3,) * N, Limits()) is not None
