"""A study from text files, and the same study from its saved models."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mtkit.errors import InputError
from mtkit.laboratory.experiment import measure_again, train_and_measure
from mtkit.laboratory.page import charts, findings
from mtkit.laboratory.study import Plan, as_object
from mtkit.text.corpus import hold_out, open_corpus
from mtkit.text.tokenizer import WordTokenizer

PLAN = Plan(updates=4, hidden=8, words=9, seeds=2)


def text(directory: Path, lines: int, seed: int) -> tuple[Path, Path]:
    rng = np.random.default_rng(seed)
    files = directory / f"{seed}.en", directory / f"{seed}.de"
    for path in files:
        words = [rng.choice(list("abcdef"), rng.integers(3, 9)) for _ in range(lines)]
        path.write_text("".join(" ".join(line) + "\n" for line in words), encoding="utf-8")
    return files


def test_saved_models_give_the_same_measurements(tmp_path: Path) -> None:
    corpus = open_corpus(None, "en-de", text(tmp_path, 400, seed=1))
    study = train_and_measure(corpus, WordTokenizer("none"), PLAN, tmp_path / "lab")
    again = as_object(measure_again(tmp_path / "lab"))
    assert json.dumps(again) == json.dumps(as_object(study))
    kept, _ = hold_out(corpus.train, 20)
    assert study.words == sum(len(line.split()) + 1 for line in kept.target)
    assert (study.corpus, study.vocabulary, study.seeds) == ("1.en (de)", 6, 2)
    assert [m.setup.name for m in study.models] == ["rnn", "gru", "lstm", "rnn, not clipped"]

    other = as_object(measure_again(tmp_path / "lab", dev=text(tmp_path, 30, seed=2)))
    assert other["models"][0]["decay_rate"] != again["models"][0]["decay_rate"]
    assert other["words"] > study.words  # nothing is held out where there is a dev set

    page = findings(study).as_html()
    assert all(chart.title in page for chart in charts(study))
    assert len(charts(study)) == 6


def test_too_little_text_is_an_error_before_training(tmp_path: Path) -> None:
    corpus = open_corpus(None, "en-de", text(tmp_path, 40, seed=1))
    with pytest.raises(InputError, match="the dev set has"):
        train_and_measure(corpus, WordTokenizer("none"), PLAN, tmp_path / "lab")
    assert not (tmp_path / "lab").exists()
    few = open_corpus(None, "en-de", text(tmp_path, 5, seed=1), text(tmp_path, 300, seed=2))
    with pytest.raises(InputError, match="tokens are too few to train on; expected at least 127"):
        train_and_measure(few, WordTokenizer("none"), PLAN, tmp_path / "lab")
