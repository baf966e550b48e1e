from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU

from mtkit.console import console
from mtkit.manifest import Manifest
from mtkit.smt import train
from mtkit.smt.search.features import DEFAULT_WEIGHTS, default_weights
from mtkit.smt.system import SmtSystem
from mtkit.smt.train import TrainConfig, train_smt
from mtkit.smt.tuning import tune
from mtkit.smt.tuning.bleu import WER_WEIGHT, bleu
from mtkit.smt.tuning.lists import Lists
from mtkit.smt.tuning.tune import Part
from mtkit.text.corpus import Corpus
from mtkit.text.shards import Shards
from mtkit.text.tokenizer import WordTokenizer
from tests.support.corpora import first

UNKNOWN = "xqzvwy"
Tokens = tuple[list[list[str]], list[list[str]]]


@pytest.fixture
def smt(smt_directory: Path) -> SmtSystem:
    return SmtSystem.load(smt_directory)


@pytest.fixture
def words(smt: SmtSystem, few: Corpus) -> Tokens:
    """Return the dev set as tokens."""
    assert few.dev is not None
    return smt.tokenize(few.dev.source), smt.tokenize(few.dev.target)


def dev_bleu(system: SmtSystem, few: Corpus) -> float:
    """Return sacreBLEU's score on the dev set."""
    assert few.dev is not None
    outputs = [" ".join(h.tokens) for [h] in system.translate(few.dev.source)]
    references = [" ".join(tokens) for tokens in system.tokenize(few.dev.target)]
    return BLEU(tokenize="none", force=True).corpus_score(outputs, [references]).score


def merit_of(figures: dict[str, float]) -> float:
    return (1 - WER_WEIGHT) * figures["bleu"] - WER_WEIGHT * figures["wer"]


def optimiser(change: Callable[[np.ndarray], np.ndarray]) -> Callable[..., np.ndarray]:
    """Return a stub of ``tune.optimise`` that changes the weights."""
    return lambda _tuner, _lists, weights, *_: change(weights)


@pytest.mark.parametrize("tuner", tune.TUNERS)
def test_reported_gains_are_real(tuner: str, smt: SmtSystem, few: Corpus, words: Tokens) -> None:
    weights, figures = train.tuned([Part(smt, *words)], tuner)
    best = max(figures["tuning"], key=merit_of)
    assert figures["dev_bleu"] == best["bleu"]
    assert figures["dev_bleu"] == pytest.approx(dev_bleu(smt.with_weights(weights), few))
    assert figures["tuning"][0]["bleu"] == pytest.approx(dev_bleu(smt, few))
    assert figures["dev_bleu"] > figures["tuning"][0]["bleu"]
    assert figures["weights"] == weights


def test_a_bad_optimiser_is_warned_of_and_ignored(
    smt: SmtSystem,
    words: Tokens,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    console.quiet = False
    monkeypatch.setattr(tune, "optimise", optimiser(lambda weights: -abs(weights)))
    monkeypatch.setattr(tune, "step", lambda *_: 1.0)
    kept, figures = train.tuned([Part(smt, *words)], "mira")
    assert figures["tuning"][1]["bleu"] < figures["tuning"][0]["bleu"]
    assert kept == smt.weights
    warning = "warning: tuning did not help; the initial weights are kept: "
    assert f"{warning}a dev set of 30 pairs is small\n" in capsys.readouterr().err
    monkeypatch.setattr(train, "MIN_PAIRS", 30)
    train.tuned([Part(smt, *words)], "mira")
    assert f"{warning}other weights gave no better translations" in capsys.readouterr().err
    exchanged = words[0], [["nichts", "davon"]] * len(words[1])
    train.tuned([Part(smt, *exchanged)], "mira")
    assert f"{warning}BLEU is near 0" in capsys.readouterr().err


def test_a_round_with_less_merit_or_bleu_halves_the_next_step(
    smt: SmtSystem, words: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, allowed = np.random.default_rng(1), []
    scores, merits = iter([30.0, 29.0, 31.0, 32.0, 33.0, 34.0]), iter([20, 21, 22, 19, 22, 23.0])

    def step(_lists: Lists, _weights: np.ndarray, _optimum: np.ndarray, loss: float) -> float:
        allowed.append(loss)
        return 0.1

    monkeypatch.setattr(tune, "optimise", optimiser(lambda w: w * rng.uniform(0.5, 2, len(w))))
    monkeypatch.setattr(tune, "bleu", lambda _: next(scores))
    monkeypatch.setattr(tune, "merit", lambda _: next(merits))
    monkeypatch.setattr(tune, "reach", lambda *_: 16.0)
    monkeypatch.setattr(tune, "step", step)
    monkeypatch.setattr(tune, "ROUNDS", 6)
    monkeypatch.setattr(tune, "CONVERGED", 0.0)
    rounds = list(tune.tune([Part(smt, *words)]))
    assert [r.best for r in rounds] == [True, False, True, False, False, True]
    assert [r.step for r in rounds] == [0.0] + [0.1] * 5
    assert allowed[:5] == [8.0, 4.0, 8.0, 4.0, 2.0]  # ρ · reach; ρ starts at ½


def test_a_step_leads_from_the_best_weights_towards_the_optimum(
    smt: SmtSystem, words: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, begun, found = np.random.default_rng(1), [], []

    def optimise(_tuner: str, _lists: Lists, weights: np.ndarray, *_: object) -> np.ndarray:
        begun.append(weights)
        found.append(weights * rng.uniform(0.5, 2, len(weights)))
        return found[-1]

    scores, merits = iter([30.0, 31.0, 32.0, 33.0]), iter([20.0, 19.0, 21.0, 20.0])
    monkeypatch.setattr(tune, "optimise", optimise)
    monkeypatch.setattr(tune, "bleu", lambda _: next(scores))
    monkeypatch.setattr(tune, "merit", lambda _: next(merits))
    monkeypatch.setattr(tune, "step", lambda *_: 0.25)
    monkeypatch.setattr(tune, "ROUNDS", 4)
    monkeypatch.setattr(tune, "CONVERGED", 0.0)
    rounds = [list(r.weights.values()) for r in tune.tune([Part(smt, *words)])]
    best = [rounds[0], rounds[0], rounds[2]]  # the second round has less merit
    assert [list(weights) for weights in begun[:3]] == best
    for now, start, optimum in zip(rounds[1:], begun, found, strict=False):
        assert now == pytest.approx(0.75 * start + 0.25 * optimum)


def test_parts_equal_one_whole_dev_set(smt: SmtSystem, words: Tokens) -> None:
    x, y = words
    halves = [Part(smt, x[:15], y[:15]), Part(smt, x[15:], y[15:])]
    assert list(tune.tune(halves)) == list(tune.tune([Part(smt, x, y)]))


def test_it_ends_when_nothing_is_new_or_better(
    smt: SmtSystem, words: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tune, "optimise", optimiser(lambda weights: weights))
    first, second = tune.tune([Part(smt, *words)])
    assert (first.new, second.new) == (first.hypotheses, 0)
    assert first.weights == second.weights
    rng = np.random.default_rng(1)
    monkeypatch.setattr(tune, "optimise", optimiser(lambda w: -rng.random(len(w))))
    monkeypatch.setattr(tune, "step", lambda *_: 1.0)
    rounds = list(tune.tune([Part(smt, *words)]))
    assert all(found.new for found in rounds)
    assert max(rounds[1:], key=lambda found: found.bleu).bleu < rounds[0].bleu
    assert len(rounds) == 1 + tune.PATIENCE


def test_it_ends_when_few_hypotheses_are_new(
    smt: SmtSystem, words: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tune, "CONVERGED", 0.0)
    rounds = list(tune.tune([Part(smt, *words)]))
    shares = [r.new / r.hypotheses for r in rounds]
    monkeypatch.setattr(tune, "CONVERGED", shares[1])
    assert list(tune.tune([Part(smt, *words)])) == rounds[:2]
    assert shares[0] > shares[1] > 0
    assert len(rounds) > 2


@pytest.mark.parametrize("tuner", tune.TUNERS)
def test_threads_do_not_matter_and_the_unknown_weight_is_fixed(
    tuner: str, smt: SmtSystem, words: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tune, "ROUNDS", 4)
    smt.weights = {**DEFAULT_WEIGHTS, "unknown": -7.5}
    found = []
    for threads in (1, 2, 3):
        smt.threads = threads
        found.append(list(tune.tune([Part(smt, *words)], tuner)))
    assert found[0] == found[1] == found[2]
    assert len(found[0]) > 2
    assert {r.weights["unknown"] for r in found[0]} == {-7.5}


@pytest.mark.parametrize("kind", ["words", "none"])
def test_statistics_equal_sacrebleu_of_the_text(kind: str, smt: SmtSystem, few: Corpus) -> None:
    assert few.dev is not None
    system = SmtSystem(smt.models, WordTokenizer(kind), smt.weights)
    source = system.tokenize([*few.dev.source, f"the {UNKNOWN} and {UNKNOWN}s", f"a {UNKNOWN} ."])
    target = system.tokenize([*few.dev.target, f"{UNKNOWN} und die {UNKNOWN}", "ein Mann ."])
    lists = tune.dev_lists(Part(system, source, target), system.weights)
    scorer = BLEU(tokenize="none", force=True)
    vocabulary, row, copied = system.models.target.words, 0, 0
    for x, reference, found in zip(source, target, system.n_best(source, tune.N_BEST), strict=True):
        for begin, end in zip(found.w_begin[:-1], found.w_begin[1:], strict=True):
            ids = found.words[begin:end].tolist()
            spelled = " ".join(vocabulary[i] if i >= 0 else x[-1 - i] for i in ids)
            score = scorer.corpus_score([spelled], [[" ".join(reference)]])
            expected = [*score.counts, *score.totals, score.ref_len]
            assert lists.statistics[row, : len(expected)].tolist() == expected
            copied += UNKNOWN in spelled.split() and UNKNOWN in reference
            row += 1
    assert row == len(lists.features) == lists.begin[-1]
    assert copied
    best = [" ".join(h.tokens) for [h] in system.translate([" ".join(x) for x in source])]
    if kind == "none":  # the text has the same tokens
        expected = scorer.corpus_score(best, [[" ".join(y) for y in target]]).score
        assert bleu(lists.statistics[lists.begin[:-1]].sum(0)) == pytest.approx(expected)


def test_without_a_dev_set_pairs_are_held_out_and_used_later(
    few: Corpus,
    tmp_path: Path,
    smt_directory: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trained = []

    def estimate(text: Shards, *rest: object) -> object:
        trained.append(sentences(text))
        return real(text, *rest)

    real = train.estimate
    monkeypatch.setattr(train, "HELD_OUT_FROM", 400)
    monkeypatch.setattr(train, "estimate", estimate)
    console.quiet = False
    alone = replace(few, dev=None)
    manifest = train_smt(alone, WordTokenizer(), TrainConfig(), DEFAULT_WEIGHTS, tmp_path / "m")
    part, everything = trained
    assert part < everything
    said = capsys.readouterr().err
    assert "no dev set: 40 training pairs are held out to tune on\n" in said
    assert "on 40 sentence pairs" in said
    untuned = timeless(Manifest.read(smt_directory))
    assert {k: manifest.figures[k] for k in untuned} == untuned
    assert manifest.config["weights"] == DEFAULT_WEIGHTS
    kept = json.loads((tmp_path / "m/weights.json").read_text("utf-8"))
    assert kept == manifest.figures["weights"] != DEFAULT_WEIGHTS

    monkeypatch.setattr(train, "HELD_OUT_FROM", 401)
    monkeypatch.setattr(train, "FOLDS_FROM", 401)
    manifest = train_smt(alone, WordTokenizer(), TrainConfig(), DEFAULT_WEIGHTS, tmp_path / "m")
    assert "no dev set, and fewer than 401 training pairs: weights" in capsys.readouterr().err
    assert timeless(manifest) == untuned


@pytest.mark.compiled
def test_small_text_uses_cross_validation(
    few: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, parts = [], list[Part]()

    def estimate(text: Shards, *rest: object) -> object:
        trained.append(sentences(text))
        return real(text, *rest)

    real = train.estimate
    monkeypatch.setattr(train, "estimate", estimate)
    monkeypatch.setattr(train, "tune", lambda of, _: parts.extend(of) or tune.tune(of))
    console.quiet = False
    alone = replace(few, train=first(few.train, 200), dev=None)
    config = TrainConfig("ibm1", order=2)
    manifest = train_smt(alone, WordTokenizer(), config, "default", tmp_path / "m")
    said = capsys.readouterr().err
    assert "no dev set: tuning by cross-validation, in 5 folds of the training text\n" in said
    assert "on 200 sentence pairs" in said
    everything = {" ".join(x) for x in WordTokenizer().tokenize_all(alone.train.source)}
    assert trained[-1] == everything
    assert [len(part.source) for part in parts] == [40] * 5
    for part, text in zip(parts, trained, strict=False):
        assert {" ".join(x) for x in part.source} >= everything - text
    assert manifest.figures["dev_bleu"] >= manifest.figures["tuning"][0]["bleu"]
    ratio = manifest.figures["length_ratio"]
    assert manifest.config["weights"] == default_weights(ratio) != DEFAULT_WEIGHTS


def sentences(text: Shards) -> set[str]:
    """Return the source sentences of a text."""
    words, sides = text.vocabulary("source"), [text.side("source", k) for k in range(len(text))]
    return {
        " ".join(words.decode(side.words[first:last].tolist()))
        for side in sides
        for first, last in pairwise(side.begin.tolist())
    }


def timeless(manifest: Manifest) -> dict[str, Any]:
    return {name: value for name, value in manifest.figures.items() if name != "seconds"}


@pytest.mark.compiled
def test_dev_pairs_with_an_empty_side_are_skipped(few: Corpus, tmp_path: Path) -> None:
    assert few.dev is not None
    blank = replace(
        few.dev, source=["", " ", *few.dev.source], target=["ein Mann", "", *few.dev.target]
    )
    figures = [
        timeless(
            train_smt(
                replace(few, dev=dev),
                WordTokenizer(),
                TrainConfig(),
                DEFAULT_WEIGHTS,
                tmp_path / name,
            )
        )
        for name, dev in (("a", few.dev), ("b", blank))
    ]
    assert figures[0] == figures[1]
    assert figures[0]["tuning"]
