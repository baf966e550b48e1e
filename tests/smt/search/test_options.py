from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mtkit.smt.flat import read_only
from mtkit.smt.language_model.ngrams import ROOT
from mtkit.smt.phrases.context import MISSING, Lexicon
from mtkit.smt.phrases.extract import MAX_PHRASE
from mtkit.smt.search.features import LM, PREVIOUS
from mtkit.smt.search.options import CANDIDATES, COPIED, collect
from mtkit.smt.system import SmtSystem
from mtkit.smt.train import TrainConfig, train_smt
from mtkit.text.corpus import Bitext, Corpus
from mtkit.text.tokenizer import WordTokenizer
from mtkit.text.vocabulary import UNK
from tests.support.kernels import lm_step, log_probabilities
from tests.support.search_cases import asked, make, small_model


def likely_translations(ids: np.ndarray, lexicon: Lexicon) -> list[dict[int, float]]:
    """Return ln P of the rivals of each word of a sentence."""
    where, log_p = log_probabilities(ids, lexicon)
    rivals = [lexicon.word[lexicon.row[w] : lexicon.row[w + 1]].tolist() for w in ids]
    return [
        dict(zip(words, log_p[where[i] : where[i + 1]].tolist(), strict=True))
        for i, words in enumerate(rivals)
    ]


@pytest.mark.parametrize("limit", [1, 3, 20])
def test_options_are_the_best_pairs_of_every_span(  # noqa: C901
    limit: int, smt_directory: Path, few: Corpus
) -> None:
    smt = SmtSystem.load(smt_directory)
    lm, source = smt.models.lm, smt.models.source
    rng = np.random.default_rng(1)
    p = rng.choice([0.2, 0.5], (len(smt.models.table.links), 6))
    [random] = read_only([np.log(p).astype(np.float32)])
    table = smt.models.table._replace(reordering=random)
    smt = SmtSystem(replace(smt.models, table=table), smt.tokenizer, {})
    reordering = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    λ = np.array([0.3, 0.1, 0.2, 0.4, *reordering, -0.5, 0.7, -9.0, 0.6, 0.3, 0.8])
    pairs = {
        tuple(table.source[table.s_begin[r] : table.s_begin[r + 1]].tolist()): range(
            table.row[r], table.row[r + 1]
        )
        for r in range(len(table.key))
    }

    def guess(ids: list[int]) -> float:
        state, total = ROOT, 0.0
        for w in ids:
            log_p, state = lm_step(lm.arrays, state, w)
            total += λ[LM] * log_p
        return total

    def rated(p: int, near: list[dict[int, float]]) -> tuple[float, float, list[int], float]:
        """Return estimate, score, words and context of a phrase pair, by definition."""
        words = smt.models.target.decode(table.target[table.t_begin[p] : table.t_begin[p + 1]])
        ids = lm.encode(words).tolist()
        links = [(b // 8, b % 8) for b in range(64) if int(table.links[p]) >> b & 1]
        context, a = 0.0, min(links, key=lambda link: (link[1], link[0]))[0]
        for j, t in enumerate(table.target[table.t_begin[p] : table.t_begin[p + 1]].tolist()):
            a = min((i for i, k in links if k == j), default=a)
            context += near[a].get(t, MISSING)
        score = -0.5 + 0.7 * len(ids) + float(λ[:PREVIOUS] @ table.features[p]) + 0.8 * context
        return score + guess(ids), score, ids, context

    # German source words are copied, but the language model knows them.
    longest = 0
    for words in smt.tokenize([*few.train.source[:8], *few.test.source, *few.test.target[:8]]):
        ids, copied = np.array(source.encode(words), np.int32), lm.encode(words)
        lexicon = smt.models.context
        model = smt._model._replace(table=table)
        options = collect(asked(ids, copied), model, λ, limit)
        likely = likely_translations(ids, lexicon)
        assert len(options.begin) == len(words) * MAX_PHRASE + 1
        for span in range(len(words) * MAX_PHRASE):
            i, k = divmod(span, MAX_PHRASE)
            phrase = tuple(ids[i : i + k + 1].tolist())
            rows = pairs.get(phrase, range(0)) if i + k < len(words) else range(0)
            found = range(options.begin[span], options.begin[span + 1])
            spelled = [
                options.words[options.w_begin[o] : options.w_begin[o + 1]].tolist() for o in found
            ]
            if k == 0 and not rows:
                score = -0.5 + 0.7 - 9.0
                assert [options.pair[o] for o in found] == [COPIED]
                assert spelled == [[copied[i]]]
                assert options.score[found[0]] == pytest.approx(score)
                assert options.estimate[found[0]] == pytest.approx(score + guess([copied[i]]))
                continue
            near = likely[i : i + k + 1]
            candidates = rows[: CANDIDATES * limit]
            best = sorted((rated(p, near)[0] for p in candidates), reverse=True)[:limit]
            assert [options.estimate[o] for o in found] == pytest.approx(best, abs=1e-4)
            assert len({options.pair[o] for o in found}) == len(found)
            for o, word_ids in zip(found, spelled, strict=True):
                assert options.pair[o] in rows
                estimate, score, expected, context = rated(options.pair[o], near)
                assert options.context[o] == pytest.approx(context, abs=1e-4)
                assert options.estimate[o] == pytest.approx(estimate, abs=1e-4)
                assert options.score[o] == pytest.approx(score, abs=1e-4)
                assert word_ids == expected
                both = np.concatenate([options.previous[o], options.next[o]])
                assert both == pytest.approx(reordering * table.reordering[options.pair[o]])
            longest = max(longest, k + 1 if found else 0)
        same = options.next[:-1, None] == options.next[None, :-1]
        assert (same.all(2) == (options.kind[:, None] == options.kind[None])).all()
        assert not options.previous[-1].any()
        assert not options.next[[*(options.pair == COPIED), True]].any()
        for a, b in zip(options.w_begin, options.w_begin[1:], strict=False):
            state, behind = ROOT, guess(options.words[a:b].tolist())
            for w in range(a, b):
                log_p, state = lm_step(lm.arrays, state, options.words[w])
                behind -= λ[LM] * log_p
                assert options.state[w] == state
                assert options.score_after[w] == pytest.approx(behind, abs=1e-6)
    assert longest == MAX_PHRASE


def test_unknown_words_are_not_words_spelled_like_a_special(tmp_path: Path) -> None:
    """All of them have one id, that of <unk>."""
    pairs = [
        ("a <unk> b", "A <unk> B"),
        ("a <s> b", "A X B"),
        ("a c b", "A C B"),
        ("a", "A"),
        ("b", "B"),
    ]
    text = Bitext([x for x, _ in pairs], [y for _, y in pairs], (tmp_path / "x", tmp_path / "y"))
    corpus = Corpus("text", ("en", "de"), text, None, None)
    config = TrainConfig("ibm1", order=2, tune="none")
    train_smt(corpus, WordTokenizer("none"), config, "default", tmp_path / "m")
    [[plain], [number], [special]] = SmtSystem.load(tmp_path / "m").translate(
        ["a new b", "a 4711 b", "a <unk> b"]
    )
    assert (plain.text, number.text, special.text) == ("A new B", "A 4711 B", "A <unk> B")


def test_phrase_pairs_that_lose_a_number_are_excluded() -> None:
    kept, other, none = 5, 6, (0.0,) * 6
    words = {
        (0, 1): [(other,), (kept,), (other, kept)],
        (1, 2): [(other,), (kept,)],  # no number: any words
        (0, 2): [(other, other), (other, kept)],
        (1, 3): [(other,), (kept,)],  # word 2 is a number that no pair can keep
    }
    choices = {span: [(-float(k), w, none) for k, w in enumerate(of)] for span, of in words.items()}

    def found(verbatim: dict[int, int]) -> dict[tuple[int, int], list[tuple[int, ...]]]:
        o = make(3, choices, small_model(), lm_weight=0.0, verbatim=verbatim).options
        return {
            (i, i + k + 1): [
                tuple(o.target[o.w_begin[p] : o.w_begin[p + 1]].tolist())
                for p in range(*o.begin[i * MAX_PHRASE + k :][:2])
            ]
            for i in range(3)
            for k in range(3 - i)
        }

    assert found({0: kept, 2: UNK}) == {
        (0, 1): [(kept,), (other, kept)],
        (1, 2): words[1, 2],
        (0, 2): [(other, kept)],
        (1, 3): [],
        (0, 3): [],
        (2, 3): [(-3,)],  # copied
    }
    # A number that occurs twice is kept twice.
    choices[0, 2] = [(0.0, (kept, other), none), (-1.0, (kept, other, kept), none)]
    assert found({0: kept, 1: kept})[0, 2] == [(kept, other, kept)]
    choices[0, 2] = [(-float(k), w, none) for k, w in enumerate(words[0, 2])]
    assert found({}) == {**words, (0, 3): [], (2, 3): [(-3,)]}
