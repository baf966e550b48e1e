from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mtkit import load
from mtkit.cli.output import publish
from mtkit.errors import InputError
from mtkit.evaluation.means import Interval, ends, resampled_means
from mtkit.laboratory import study as laboratory
from mtkit.laboratory.files import load_laboratory, save
from mtkit.laboratory.findings import _first_explosion, context_of, decay_rate, recurrent
from mtkit.laboratory.page import MIN_CHARTED, _on_context, _on_vanishing, _rounded, charts, grids
from mtkit.laboratory.recurrent_lm import RecurrentLm
from mtkit.laboratory.study import CELLS, WILD, Plan, Study, frequent, stream, windows
from mtkit.manifest import Manifest
from mtkit.nmt.recurrent.gradients import by_distance
from mtkit.nmt.recurrent.language_model import next_logprobs
from mtkit.nmt.recurrent.probe import CUT, HISTORY, SHUFFLED, K, Trained, probe, spread, train_all
from mtkit.smt.language_model.estimate import train as train_ngrams
from mtkit.smt.language_model.ngrams import cut_logprobs
from mtkit.text.corpus import Bitext, Corpus
from mtkit.text.tokenizer import WordTokenizer
from mtkit.text.vocabulary import EOS, UNK

WORDS = ["a", "b", "c", "d", "e", "f"]


def sentences(n: int, seed: int = 1) -> list[list[str]]:
    rng = np.random.default_rng(seed)
    return [[str(w) for w in rng.choice(WORDS, rng.integers(3, 9))] for _ in range(n)]


TRAIN, DEV = sentences(100), sentences(15, 2)
PLAN = Plan(updates=4, hidden=8, seeds=2)


def quiet(*_: object) -> nullcontext:
    return nullcontext(lambda: None)


def test_rare_words_are_unk_and_sentences_end() -> None:
    words = frequent([["a", "b"], ["a", "b", "x"]], 9)
    a, b = words.encode(["a", "b"])
    assert stream([["a", "b"], ["a", "x", "new"]], words).tolist() == [a, b, EOS, a, UNK, UNK, EOS]
    assert len(words) == 6
    assert frequent([["a", "b"], ["a", "b", "a"]], 1).words[-1] == "a"


def test_too_little_text_is_refused() -> None:
    with pytest.raises(InputError, match="the dev set has only 5 tokens"):
        windows([["a"] * 4], frequent([], 9))


def test_ngram_context_is_limited_by_the_order() -> None:
    """At k ≥ n − 1 a cut history gives exactly the full result; a unigram needs none."""
    words = frequent(sentences(300), 9)
    train, dev = stream(sentences(300), words), stream(sentences(60, 2), words)
    places = windows(sentences(60, 2), words)
    found = laboratory.ngram_contexts(train, places)
    for order, context in found.items():
        at = dict(zip(context.cut.x, context.cut.middle, strict=True))
        assert all(at[k] == context.perplexity for k in CUT if k >= order - 1)
        assert context.effective.value <= order - 1
    assert found[1].effective == Interval(0, 0, 0)
    # With the full history, the result is the model's own score of the text.
    model = train_ngrams([[str(i) for i in train]], 3)
    whole = model.score([[str(i) for i in dev]])
    starts = np.linspace(0, len(dev) - HISTORY - 1, len(places.ids)).astype(int)
    expected = whole.log_prob[starts + HISTORY]
    assert found[3].perplexity == pytest.approx(math.exp(-expected.mean()), rel=1e-9)


def test_an_empty_history_gives_the_unigram_probability() -> None:
    model = train_ngrams(sentences(50), 3)
    ids = model.encode(WORDS)
    found = cut_logprobs(model.arrays, ids, np.arange(6), 0)
    np.testing.assert_array_equal(found, model.arrays.log_prob[1 + ids])


def test_effective_context_within_1_percent() -> None:
    """ln P is 0.02 lower below k = 5, and 0.005 lower from there on."""
    k = np.array(CUT)
    nats = np.where(k < 5, 2.02, np.where(k < HISTORY, 2.005, 2.0))
    cut = np.tile(nats, (3, 50, 1))
    mixed = np.tile(np.where(np.array(SHUFFLED) < 10, 2.1, 2.0), (3, 50, 1))
    context = context_of(cut, 65, mixed)
    assert context.perplexity == pytest.approx(math.exp(2))
    assert context.effective == Interval(5, 5, 5)
    assert context.order == Interval(10, 10, 10)
    never = context_of(cut, 65, mixed + 1).order
    assert never == Interval(HISTORY, HISTORY, HISTORY)


def test_the_decay_rate_is_the_slope() -> None:
    rng = np.random.default_rng(1)
    norms = 3 * 0.8 ** np.arange(51) * np.exp(rng.normal(0, 0.3, (3, 100, 51)))
    found = decay_rate(norms)
    assert found.value == pytest.approx(0.8, abs=0.002)
    assert found.low < 0.8 < found.high
    assert found.high - found.low < 0.004
    assert decay_rate(np.zeros((1, 2, 51))).value == pytest.approx(1)


def test_resampling_is_by_sentence_and_student_t_over_seeds() -> None:
    values = np.zeros((2, 40, 1))
    values[1] = 1.0
    values = np.concatenate([values, values, values])[:5]  # 0, 1, 0, 1, 0: all sentences are equal
    low, high = ends(resampled_means(values)[:, 0])
    half = 2.776 * values[:, 0].std(ddof=1) / math.sqrt(5)  # t with 4 degrees of freedom
    assert (0.4 - low, high - 0.4) == pytest.approx((half, half), rel=0.15)
    sample = np.random.default_rng(1).normal(size=(1, 400, 1))
    assert resampled_means(sample).std() == pytest.approx(sample.std() / 20, rel=0.1)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(5, 10, "is supported"), (1, 4, "is not supported"), (11, 20, "is not supported"),
     (4, 7, "is undecided"), (8, 12, "is undecided")],
)  # fmt: skip
def test_the_claim_of_seven_tokens(study: Study, low: int, high: int, said: str) -> None:
    m = study.models[0]
    effective = Interval((low + high) / 2, low, high)
    found = replace(m.context, effective=effective, perplexity=m.context.cut.middle[0] / 2)
    assert said in _on_context(replace(m, context=found))


def test_models_harmed_by_context_are_excluded(study: Study) -> None:
    m = study.models[0]
    none = m.context.cut.middle[0]
    harmed = replace(m, context=replace(m.context, perplexity=1.1 * none))
    helped = replace(m, context=replace(m.context, perplexity=0.9 * none))
    assert "no effective context" in _on_context(harmed)
    assert "; the claim of 5–10 tokens is" in _on_context(helped)
    for models, lines in (([helped], 3), ([harmed], 2)):
        [chart] = [c for c in charts(replace(study, models=models)) if "last k words" in c.title]
        assert len(chart.lines) == lines


def test_charts_of_context_end_at_twice_what_is_used(study: Study) -> None:
    def last(used: float) -> float:
        m = study.models[0]
        context = replace(m.context, effective=Interval(used, used, used), perplexity=0.0)
        shown = charts(replace(study, models=[replace(m, context=context)]))
        [end] = {x for c in shown if c.x == "k, words" for x, _ in c.lines[0].points[-1:]}
        return end

    assert last(7) == max(k for k in CUT if k <= MIN_CHARTED)
    assert last(15) == max(k for k in CUT if k <= 30)


def test_conclusions_on_vanishing() -> None:
    assert "faster in an rnn" in _on_vanishing(Interval(0.5, 0.4, 0.6), Interval(0.8, 0.7, 0.9))
    assert "unlike in textbooks" in _on_vanishing(Interval(0.9, 0.85, 1), Interval(0.8, 0.7, 0.82))
    assert "is undecided" in _on_vanishing(Interval(0.7, 0.6, 0.8), Interval(0.8, 0.7, 0.9))


def test_first_exploded_gradient() -> None:
    assert _first_explosion([1.0, 99.0, 101.0, 200.0]) == 3
    assert _first_explosion([1.0, float("nan")]) == 2
    assert _first_explosion([1.0, 2.0]) is None


@pytest.mark.parametrize(
    ("norm", "text"),
    [
        (1.1e-9, "1.1e-09"),
        (0.014, "0.014"),
        (3.14, "3.1"),
        (99.6, "100"),
        (1395.86, "1,396"),
        (2e30, "2e+30"),
    ],
)
def test_norms_of_all_sizes_are_short(norm: float, text: str) -> None:
    assert _rounded(norm) == text


def whole_study(threads: int, step: laboratory.Step) -> Study:
    words = frequent(TRAIN, 9)
    train = stream(TRAIN, words)
    lab = laboratory.train(train, words, PLAN, threads, step)
    return laboratory.measure(lab, "x", train, windows(DEV, words), threads, step)


@pytest.fixture(scope="module")
def study() -> Study:
    done = []

    @contextmanager
    def step(name: str, total: int) -> Iterator[Callable[[], None]]:
        count: list[None] = []  # append is atomic
        yield lambda: count.append(None)
        done.append((name, total, len(count)))

    found = whole_study(2, step)
    assert len(done) == 3
    assert all(total == count for _, total, count in done), done
    return found


def test_a_study_is_complete(study: Study) -> None:
    assert [m.setup.name for m in study.models] == ["rnn", "gru", "lstm", "rnn, not clipped"]
    for m in study.models:
        assert len(m.states.x) == len(m.inputs.x) == 51
        assert m.states.low[5] <= m.states.middle[5] <= m.states.high[5]
        assert len(m.exploded) == 2
        assert m.spectral_norm == pytest.approx(m.setup.scale, rel=0.1)
        assert (m.span is None) == (m.setup.cell == "rnn")
    assert list(study.depth) == ["lstm", "lstm, residual"]
    assert set(study.ngrams) == set(range(1, 8))


def test_threads_change_nothing(study: Study) -> None:
    again = whole_study(1, quiet)
    assert json.dumps(laboratory.as_object(again)) == json.dumps(laboratory.as_object(study))


def test_saved_models_measure_the_same(tmp_path: Path) -> None:
    words = frequent(TRAIN, 9)
    train = stream(TRAIN, words)

    lab = laboratory.train(train, words, PLAN, 2, quiet)
    files = (tmp_path / "a.en", tmp_path / "a.de")
    lines = [" ".join(words) for words in TRAIN]
    text = Corpus("x", ("en", "de"), Bitext(lines, lines, files), None, None)
    (tmp_path / "lab").mkdir()
    save(lab, text, WordTokenizer("none"), tmp_path / "lab")
    again, manifest = load_laboratory(tmp_path / "lab")
    assert manifest.languages == ("en", "de")
    first, second = (
        laboratory.as_object(laboratory.measure(part, "x", train, windows(DEV, words), 1, quiet))
        for part in (lab, again)
    )
    assert json.dumps(first) == json.dumps(second)
    with pytest.raises(InputError, match="lab holds language models; name one, as in"):
        load(tmp_path / "lab")
    with pytest.raises(InputError, match="not a directory written by `mtkit gradients`"):
        load_laboratory(tmp_path / "lab/lstm-1")
    own = Manifest.read(tmp_path / "lab/lstm-1")
    for key, value in (("layers", 2**31), ("cell", "gru"), ("scale", 2.0)):
        replace(own, config=own.config | {key: value}).write(tmp_path / "lab/lstm-1")
        manifest.write(tmp_path / "lab")
        with pytest.raises(InputError, match="the settings do not match the network"):
            load_laboratory(tmp_path / "lab")


def test_a_diverged_model_is_saved_and_loaded(tmp_path: Path) -> None:
    words = frequent(TRAIN, 9)
    lab = laboratory.train(stream(TRAIN, words), words, replace(PLAN, seeds=1), 1, quiet)
    for group in lab.trained:
        group[0].trace[-1] = math.nan, math.inf
    lines = [" ".join(words) for words in TRAIN]
    files = (tmp_path / "a.en", tmp_path / "a.de")
    text = Corpus("x", ("en", "de"), Bitext(lines, lines, files), None, None)
    (tmp_path / "lab").mkdir()
    save(lab, text, WordTokenizer("none"), tmp_path / "lab")
    log = (tmp_path / "lab/lstm-1/log.jsonl").read_text("utf-8").splitlines()
    assert json.loads(log[-1]) == {"loss": None, "gradient_norm": None}
    again, _ = load_laboratory(tmp_path / "lab")
    for before, after in zip(lab.trained, again.trained, strict=True):
        assert np.array_equal(before[0].trace[:-1], after[0].trace[:-1])
        assert np.isnan(after[0].trace[-1]).all()


def test_a_recurrent_lm_scores_p_of_y(tmp_path: Path) -> None:
    """Against a plain loop over ln P(y_t | <s> </s> y_1 … y_{t−1}), rare words included."""
    words = frequent(TRAIN, 4)
    lab = laboratory.train(stream(TRAIN, words), words, replace(PLAN, seeds=1), 1, quiet)
    model = lab.trained[0][0].model
    system = RecurrentLm(model, words, WordTokenizer("none"))
    lines = ["a b", "new", "", "c d e a b"]
    for line, score in zip(lines, system.score([("", line) for line in lines]), strict=True):
        ids = [*words.encode(line.split()), EOS]
        expected = [
            next_logprobs(model, np.array([[EOS, *ids[:t]]]), np.array([i]))[0]
            for t, i in enumerate(ids)
        ]
        np.testing.assert_allclose(score.lm.by_token.log_p, expected, rtol=1e-4)
        assert score.lm.oov == ids.count(UNK)
        assert score.lm.tokens == len(ids)
    with pytest.raises(InputError, match="a language model cannot translate"):
        system.translate(["a"])


def test_gradients_sample_the_whole_text() -> None:
    """A word of one half of the text has the same share in the sample as in all windows."""
    words = frequent([["a", "b"] * 9], 9)
    (ids, apart), N = windows([["a"] * 40] * 40 + [["b"] * 40] * 40, words), 1000
    assert (len(ids), apart) == (N, (80 * 41 - HISTORY) / N)
    shares = [np.isin(ids[rows], words.encode(["a"])).mean() for rows in (spread(N, 200), ...)]
    assert shares[0] == pytest.approx(shares[1], abs=0.01)
    [trained], places = train_all([CELLS[0]], [1], stream(TRAIN, words), len(words), 8, 1, 1), ids
    states, _ = by_distance(trained[0].model, places[np.linspace(0, N - 1, 200).astype(int)], K)
    np.testing.assert_array_equal(probe(trained[0].model, places).states, states)


def test_a_probe_has_its_definition() -> None:
    """Cut histories against the model; shapes; seeds that differ; quantiles over seeds."""
    words = frequent(TRAIN, 9)
    places, apart = windows(DEV, words)
    trained = train_all([CELLS[2], WILD], [1, 2], stream(TRAIN, words), len(words), 8, 4, 1)
    (one, other), _ = trained
    difference = one.model.embedding.weight - other.model.embedding.weight
    assert (
        difference.abs().max() > 0.1
    )  # initial weights differ: four updates move a weight by less than 0.01
    found = probe(one.model, places)
    histories, targets = places[:, :-1], places[:, -1]
    for k in (0, 1, 5, HISTORY):
        expected = -next_logprobs(one.model, histories[:, HISTORY - k :], targets)
        np.testing.assert_allclose(found.cut[:, CUT.index(k)], expected, rtol=1e-6)
    assert found.cut.shape == (len(places), len(CUT))
    assert found.shuffled.shape == (len(places), len(SHUFFLED))
    assert found.states.shape == (min(200, len(places)), K + 1)

    context = recurrent(trained[0], [found, probe(other.model, places)], apart)
    norms = [norm for t in trained[0] for norm in t.trace[:, 1].tolist()]
    assert context.clipped == np.mean([norm > 1 for norm in norms])
    assert context.norms["100%"] == max(norms)
    assert context.span[0] < context.span[1] < context.span[2]
    low, middle, high = np.quantile(context_states(trained[0], places), [0.1, 0.5, 0.9], axis=0)
    np.testing.assert_allclose(context.states.low, low)
    np.testing.assert_allclose(context.states.middle, middle)
    np.testing.assert_allclose(context.states.high, high)


def context_states(trained: list[Trained], places: np.ndarray) -> np.ndarray:
    return np.concatenate([by_distance(t.model, places[:200], K)[0] for t in trained])


def test_stacks_have_half_the_units(study: Study) -> None:
    words = frequent(TRAIN, 9)
    lab = laboratory.train(stream(TRAIN, words), words, replace(PLAN, seeds=1), 1, quiet)
    assert [group[0].model.config.hidden for group in lab.trained[-3:]] == [8, 4, 4]
    assert [group[0].model.config.layers for group in lab.trained[-3:]] == [1, 8, 8]


def test_clip_0_turns_clipping_off() -> None:
    words = frequent(TRAIN, 9)
    ids = stream(TRAIN, words)
    free, capped, wide = (
        train_all([replace(WILD, clip=clip)], [1], ids, len(words), 8, 8, 1)[0][0]
        for clip in (0.0, 0.01, 1e9)
    )
    assert free.trace[:, 1].max() > 0.01
    same, other = (
        torch.equal(free.model.embedding.weight, x.model.embedding.weight) for x in (wide, capped)
    )
    assert (same, other) == (True, False)


def test_norms_are_relative_to_the_first(study: Study) -> None:
    table = grids(study)[0]
    m = study.models[0]
    shown = [cell.number for cell in table.rows[0][2:5]]
    assert shown == [m.states.middle[k] / m.states.middle[0] for k in (1, 10, 50)]
    assert [c.title for c in charts(study)][-1] == "Gradient of the loss by the output of layer l"


def test_json_has_null_for_non_finite_numbers(
    study: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    wild = replace(study.models[3], trace=[1.0, math.inf, math.nan])
    publish(None, str, True, lambda: laboratory.as_object(replace(study, models=[wild])), print)
    assert json.loads(capsys.readouterr().out)["models"][0]["trace"] == [1.0, None, None]
