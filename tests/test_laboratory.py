from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from mtkit import laboratory
from mtkit.errors import InputError
from mtkit.intervals import Interval, resampled_means
from mtkit.laboratory import CUT, END, FIRST, HISTORY, RARE, SHUFFLED, Text, context_of
from mtkit.laboratory_page import _seven, _vanishing
from mtkit.smt.history import cut_logprobs
from mtkit.smt.lm import train as train_ngrams

WORDS = ["a", "b", "c", "d", "e", "f"]


def sentences(n: int, seed: int = 1) -> list[list[str]]:
    rng = np.random.default_rng(seed)
    return [[str(w) for w in rng.choice(WORDS, rng.integers(3, 9))] for _ in range(n)]


def test_rare_words_are_one_word_and_sentences_end() -> None:
    text = Text.of([["a", "b"], ["a", "b", "x"]], [["a", "x", "new"]], words=9)
    a, b = FIRST, FIRST + 1
    assert text.train.tolist() == [a, b, END, a, b, RARE, END]
    assert text.dev.tolist() == [a, RARE, RARE, END]
    assert text.vocabulary == FIRST + 2
    assert Text.of([["a", "b"], ["a", "b", "a"]], [], words=1).train.tolist().count(RARE) == 2


def test_too_little_text_is_refused() -> None:
    with pytest.raises(InputError, match="the dev set has 5 words; more than 64 are needed"):
        Text.of(sentences(9), [["a"] * 4], 9).windows()


def test_an_ngram_model_sees_as_far_as_its_order() -> None:
    """At k ≥ n − 1 the cut history gives the whole one's figure exactly; a unigram needs none."""
    text = Text.of(sentences(300), sentences(60, 2), 9)
    windows = text.windows()
    found = laboratory.ngram_contexts(text, windows)
    for order, context in found.items():
        at = dict(zip(context.cut.x, context.cut.middle, strict=True))
        assert all(at[k] == context.perplexity for k in CUT if k >= order - 1)
        assert context.effective.value <= order - 1
    assert found[1].effective == Interval(0, 0, 0)
    # The whole one is what the model says of the text as it stands.
    model = train_ngrams([[str(i) for i in text.train]], 3)
    whole = model.score([[str(i) for i in text.dev]])
    starts = np.linspace(0, len(text.dev) - HISTORY - 1, len(windows)).astype(int)
    expected = whole.log_prob[starts + HISTORY]
    assert found[3].perplexity == pytest.approx(math.exp(-expected.mean()), rel=1e-9)


def test_a_history_of_nothing_gives_the_unigram_probability() -> None:
    model = train_ngrams(sentences(50), 3)
    ids = model.encode(WORDS)
    found = cut_logprobs(model, ids, np.arange(6), 0)
    np.testing.assert_array_equal(found, model.log_prob[1 + ids])


def test_the_least_history_within_a_hundredth() -> None:
    """ln P falls short by 0.02 below k = 5 and by 0.005 from there on."""
    k = np.array(CUT)
    nats = np.where(k < 5, 2.02, np.where(k < HISTORY, 2.005, 2.0))
    cut = np.tile(nats, (3, 50, 1))
    mixed = np.tile(np.where(np.array(SHUFFLED) < 10, 2.1, 2.0), (3, 50, 1))
    context = context_of(cut, mixed)
    assert context.perplexity == pytest.approx(math.exp(2))
    assert context.effective == Interval(5, 5, 5)
    assert context.order == Interval(10, 10, 10)
    never = context_of(cut, mixed + 1).order
    assert never == Interval(HISTORY, HISTORY, HISTORY)


def test_the_decay_rate_is_the_slope() -> None:
    rng = np.random.default_rng(1)
    norms = 3 * 0.8 ** np.arange(51) * np.exp(rng.normal(0, 0.3, (3, 100, 51)))
    found = laboratory.decay_rate(norms)
    assert found.value == pytest.approx(0.8, abs=0.002)
    assert found.low < 0.8 < found.high
    assert found.high - found.low < 0.004
    assert laboratory.decay_rate(np.zeros((1, 2, 51))).value == pytest.approx(1)


def test_resampling_keeps_sentences_together_and_draws_seeds() -> None:
    values = np.zeros((2, 40, 1))
    values[1] = 1.0
    means = resampled_means(values)[:, 0]
    assert sorted(set(np.round(means, 6))) == [0.0, 0.5, 1.0]  # whole seeds, every sentence alike
    sample = np.random.default_rng(1).normal(size=(1, 400, 1))
    assert resampled_means(sample).std() == pytest.approx(sample.std() / 20, rel=0.1)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(5, 10, ": supported"), (1, 4, "not supported"), (11, 20, "not supported"),
     (4, 7, "neither"), (8, 12, "neither")],
)  # fmt: skip
def test_the_claim_of_seven_tokens(study: laboratory.Study, low: int, high: int, said: str) -> None:
    from dataclasses import replace

    m = study.models[0]
    found = replace(m.context, effective=Interval((low + high) / 2, low, high))
    assert said in _seven(replace(m, context=found))


def test_what_is_said_of_vanishing() -> None:
    assert "faster in an rnn" in _vanishing(Interval(0.5, 0.4, 0.6), Interval(0.8, 0.7, 0.9))
    assert "against the textbooks" in _vanishing(Interval(0.9, 0.85, 1), Interval(0.8, 0.7, 0.82))
    assert "is open" in _vanishing(Interval(0.7, 0.6, 0.8), Interval(0.8, 0.7, 0.9))


def test_when_a_gradient_exploded() -> None:
    assert laboratory._exploded([1.0, 99.0, 101.0, 200.0]) == 2
    assert laboratory._exploded([1.0, float("nan")]) == 1
    assert laboratory._exploded([1.0, 2.0]) is None


@pytest.fixture(scope="module")
def study() -> laboratory.Study:
    from contextlib import contextmanager

    done = []

    @contextmanager
    def step(name: str, total: int) -> Iterator[Callable[[], None]]:
        count = [0]

        def on() -> None:
            count[0] += 1

        yield on
        done.append((name, total, count[0]))

    text = Text.of(sentences(100), sentences(15, 2), 9)
    found = laboratory.study("x", text, [*laboratory.CELLS, laboratory.WILD], [1, 2], 8, 4, 2, step)
    assert all(total == count for _, total, count in done), done
    return found


def test_a_study_has_everything(study: laboratory.Study) -> None:
    assert [m.setup.name for m in study.models] == ["rnn", "gru", "lstm", "rnn, not clipped"]
    for m in study.models:
        assert len(m.states.x) == len(m.inputs.x) == 51
        assert m.states.low[5] <= m.states.middle[5] <= m.states.high[5]
        assert len(m.exploded) == 2
        assert m.spectral_norm == pytest.approx(m.setup.scale, rel=0.1)
        assert (m.span is None) == (m.setup.cell == "rnn")
    assert list(study.depth) == ["lstm", "lstm, residual"]
    assert set(study.ngrams) == set(range(1, 8))


def test_threads_change_nothing(study: laboratory.Study) -> None:
    from contextlib import nullcontext

    text = Text.of(sentences(100), sentences(15, 2), 9)
    setups = [*laboratory.CELLS, laboratory.WILD]
    again = laboratory.study(
        "x", text, setups, [1, 2], 8, 4, 1, lambda *_: nullcontext(lambda: None)
    )
    assert json.dumps(laboratory.as_object(again)) == json.dumps(laboratory.as_object(study))
