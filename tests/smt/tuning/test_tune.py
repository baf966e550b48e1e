from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU

from mtkit.console import console
from mtkit.manifest import Manifest
from mtkit.smt import train
from mtkit.smt.search.features import DEFAULT_WEIGHTS
from mtkit.smt.system import SmtSystem
from mtkit.smt.train import TrainConfig, train_smt
from mtkit.smt.tuning import tune
from mtkit.smt.tuning.bleu import bleu
from mtkit.text.corpus import Corpus
from mtkit.text.tokenizer import WordTokenizer

UNKNOWN = "xqzvwy"


@pytest.fixture
def smt(smt_directory: Path) -> SmtSystem:
    return SmtSystem.load(smt_directory)


@pytest.fixture
def words(smt: SmtSystem, few: Corpus) -> tuple[list[list[str]], list[list[str]]]:
    """The dev set as tokens."""
    assert few.dev is not None
    return smt.tokenize(few.dev.source), smt.tokenize(few.dev.target)


def dev_bleu(system: SmtSystem, few: Corpus) -> float:
    """Of a whole translation, by sacreBLEU."""
    assert few.dev is not None
    outputs = [" ".join(h.tokens) for [h] in system.translate(few.dev.source)]
    references = [" ".join(tokens) for tokens in system.tokenize(few.dev.target)]
    return BLEU(tokenize="none", force=True).corpus_score(outputs, [references]).score


def optimiser(change: Callable[[np.ndarray], np.ndarray]) -> Callable[..., np.ndarray]:
    """Stands for ``tune.optimise``: the weights at hand, changed."""
    return lambda _tuner, _lists, weights, *_: change(weights)


@pytest.mark.parametrize("tuner", tune.TUNERS)
def test_tuning_gains_what_it_says(tuner: str, smt: SmtSystem, few: Corpus) -> None:
    assert few.dev is not None
    better, figures = train.tuned(smt, few.dev, tuner)
    best = max(figures["tuning"], key=lambda r: r["bleu"] - r["wer"])  # none is below the first
    assert figures["dev_bleu"] == best["bleu"]
    assert figures["dev_bleu"] == pytest.approx(dev_bleu(better, few))
    assert figures["tuning"][0]["bleu"] == pytest.approx(dev_bleu(smt, few))
    assert figures["dev_bleu"] > figures["tuning"][0]["bleu"]
    assert figures["weights"] == better.weights


def test_a_bad_optimiser_costs_nothing(
    smt: SmtSystem, few: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert few.dev is not None
    monkeypatch.setattr(tune, "optimise", optimiser(lambda weights: -abs(weights)))
    kept, figures = train.tuned(smt, few.dev, "mira")
    assert figures["tuning"][1]["bleu"] < figures["tuning"][0]["bleu"]
    assert kept.weights == smt.weights


def test_fewer_word_errors_at_the_price_of_bleu_are_not_kept(
    smt: SmtSystem, words: tuple[list[list[str]], list[list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    scores, merits = iter([30.0, 29.0, 31.0, 32.0, 33.0]), iter([1.0, 2.0, 1.5, 1.5, 1.0])
    monkeypatch.setattr(tune, "optimise", optimiser(lambda w: w * rng.uniform(0.5, 2, len(w))))
    monkeypatch.setattr(tune, "bleu", lambda _: next(scores))
    monkeypatch.setattr(tune, "merit", lambda _: next(merits))
    monkeypatch.setattr(tune, "ROUNDS", 5)
    rounds = list(tune.tune(smt, *words))
    assert [r.best for r in rounds] == [True, False, True, False, False]
    assert rounds[0].wer == 28.0  # merit = (BLEU − WER) / 2


def test_it_ends_when_nothing_is_new_or_nothing_better(
    smt: SmtSystem, words: tuple[list[list[str]], list[list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tune, "optimise", optimiser(lambda weights: weights))
    first, second = tune.tune(smt, *words)
    assert (first.new, second.new) == (first.hypotheses, 0)
    assert first.weights == second.weights
    rng = np.random.default_rng(1)
    monkeypatch.setattr(tune, "optimise", optimiser(lambda w: -rng.random(len(w))))
    rounds = list(tune.tune(smt, *words))
    assert all(found.new for found in rounds)
    assert max(rounds[1:], key=lambda found: found.bleu).bleu < rounds[0].bleu
    assert len(rounds) == 1 + tune.PATIENCE


@pytest.mark.parametrize("tuner", tune.TUNERS)
def test_threads_change_nothing_and_the_weight_of_unknown_words_stays(
    tuner: str, smt: SmtSystem, words: tuple[list[list[str]], list[list[str]]]
) -> None:
    smt.weights = {**DEFAULT_WEIGHTS, "unknown": -7.5}
    found = []
    for threads in (1, 2, 3):
        smt.threads = threads
        found.append(list(tune.tune(smt, *words, tuner)))
    assert found[0] == found[1] == found[2]
    assert len(found[0]) > 2
    assert {r.weights["unknown"] for r in found[0]} == {-7.5}


@pytest.mark.parametrize("kind", ["words", "none"])
def test_statistics_are_sacrebleus_of_the_spelled_hypotheses(
    kind: str, smt: SmtSystem, few: Corpus
) -> None:
    assert few.dev is not None
    system = SmtSystem(smt.models, WordTokenizer(kind), smt.weights)
    source = system.tokenize([*few.dev.source, f"the {UNKNOWN} and {UNKNOWN}s", f"a {UNKNOWN} ."])
    target = system.tokenize([*few.dev.target, f"{UNKNOWN} und die {UNKNOWN}", "ein Mann ."])
    lists = tune.dev_lists(system, source, target)
    scorer = BLEU(tokenize="none", force=True)
    vocabulary, row, copied = system.models.target.words, 0, 0
    for x, reference, found in zip(source, target, system.n_best(source, tune.SIZE), strict=True):
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
    if kind == "none":  # the tokens survive the way through text
        expected = scorer.corpus_score(best, [[" ".join(y) for y in target]]).score
        assert bleu(lists.statistics[lists.begin[:-1]].sum(0)) == pytest.approx(expected)


def test_without_a_dev_set_pairs_are_held_out_and_trained_on_afterwards(
    few: Corpus,
    tmp_path: Path,
    smt_directory: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trained = []

    def estimate(source: list[list[str]], *rest: object) -> object:
        trained.append({" ".join(x) for x in source})
        return real(source, *rest)

    real = train.estimate
    monkeypatch.setattr(train, "HELD_OUT_FROM", 400)
    monkeypatch.setattr(train, "estimate", estimate)
    console.quiet = False
    alone = replace(few, dev=None)
    manifest = train_smt(alone, WordTokenizer(), TrainConfig(), DEFAULT_WEIGHTS, tmp_path / "m")
    part, everything = trained
    assert part < everything
    said = capsys.readouterr().err
    assert "no dev set: 40 pairs of the training text are held out to tune on\n" in said
    assert "on 40 pairs" in said
    untuned = timeless(Manifest.read(smt_directory))
    assert {k: manifest.figures[k] for k in untuned} == untuned
    kept = json.loads((tmp_path / "m/weights.json").read_text("utf-8"))
    assert kept == manifest.figures["weights"] != DEFAULT_WEIGHTS

    monkeypatch.setattr(train, "HELD_OUT_FROM", 401)
    manifest = train_smt(alone, WordTokenizer(), TrainConfig(), DEFAULT_WEIGHTS, tmp_path / "m")
    assert "no dev set, and fewer than 401 pairs to hold one out of: no" in capsys.readouterr().err
    assert timeless(manifest) == untuned


def timeless(manifest: Manifest) -> dict[str, Any]:
    return {name: value for name, value in manifest.figures.items() if name != "seconds"}


@pytest.mark.compiled
def test_dev_pairs_with_a_blank_side_are_left_out(few: Corpus, tmp_path: Path) -> None:
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
