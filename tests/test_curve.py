"""Learning curves: samples, figures and intervals, and trainings that are done once."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mtkit import evaluate
from mtkit.comparison import curve_page
from mtkit.comparison.curve import Point, curve, overtakes, sample
from mtkit.comparison.trainings import Training, carry_out, complete, expected, trainings
from mtkit.corpus import Bitext, Corpus
from mtkit.errors import InputError
from mtkit.manifest import Manifest
from tests.conftest import beside_its_text
from tests.test_report import REFERENCES, damaged

SIZES = (1000, 4000, 16000)


def points(shares: dict[str, list[float]], seeds: int = 2) -> list[Point]:
    """Outputs of which so much is wrong, by system and size."""
    return [
        Point(name, size, seed, 10.0 * seed, damaged(share, 100 * seed + k))
        for name, of in shares.items()
        for k, (size, share) in enumerate(zip(SIZES, of, strict=True))
        for seed in range(1, seeds + 1)
    ]


def test_samples_of_one_seed_lie_within_each_other() -> None:
    text = Bitext(
        [f"s{i}" for i in range(50)], [f"t{i}" for i in range(50)], (Path("a"), Path("b"))
    )
    small, large = sample(text, 10, 1), sample(text, 30, 1)
    assert large.pairs()[:10] == small.pairs()
    assert set(large.pairs()) <= set(text.pairs())
    assert len(set(large.pairs())) == 30
    assert sample(text, 10, 2).pairs() != small.pairs()
    assert sorted(sample(text, 50, 3).pairs()) == sorted(text.pairs())


def test_each_point_is_the_mean_bleu_of_the_seeds() -> None:
    given = points({"smt": [0.5, 0.4, 0.35], "nmt": [0.8, 0.4, 0.1]})
    found = curve(given, REFERENCES)
    assert (found.sizes, found.seeds) == (list(SIZES), 2)
    for growth in found.systems:
        for size, bleu in zip(SIZES, growth.bleu, strict=True):
            own = [p for p in given if (p.system, p.size) == (growth.system, size)]
            expected = np.mean([evaluate.bleu(p.outputs, REFERENCES) for p in own])
            assert bleu.value == pytest.approx(expected)
            assert bleu.low < bleu.value < bleu.high
        assert growth.seconds == [15.0] * 3


def test_a_system_overtakes_where_the_lines_cross() -> None:
    found = curve(points({"smt": [0.5, 0.4, 0.35], "nmt": [0.9, 0.6, 0.05]}), REFERENCES)
    [overtaking] = found.overtaking
    assert (overtaking.ahead, overtaking.behind) == ("nmt", "smt")
    assert 4000 < overtaking.size.value < 16000
    assert 1000 < overtaking.size.low < overtaking.size.value < overtaking.size.high <= 16000
    [said] = curve_page.verdicts(found)
    assert said.startswith("nmt overtakes smt at ")


def test_overtaking_is_on_a_line_in_the_logarithm() -> None:
    gaps = np.array([[-1, -1, 1], [1, 2, 3], [1, 2, -1], [2, -1, 3], [-3, 1, 1], [1, 0, 1.0]])
    assert overtakes([1000, 4000, 16000], gaps).tolist() == pytest.approx(
        [8000, 0, math.inf, 4000 * 4**0.25, 1000 * 4**0.75, 4000]
    )


def test_a_system_that_is_ahead_everywhere_overtakes_nothing() -> None:
    found = curve(points({"smt": [0.1, 0.1, 0.1], "nmt": [0.9, 0.9, 0.9]}), REFERENCES)
    [overtaking] = found.overtaking
    assert (overtaking.ahead, overtaking.size.value, overtaking.size.high) == ("smt", 0, 0)
    assert curve_page.verdicts(found) == [
        "smt is ahead of nmt at every size, nearly whatever is drawn."
    ]


def test_the_chart_has_a_line_and_a_band_for_each_system() -> None:
    found = curve(points({"smt": [0.5, 0.4, 0.3], "nmt": [0.9, 0.5, 0.1]}), REFERENCES)
    chart = curve_page.chart(found)
    assert chart.log_x
    assert [line.name for line in chart.lines] == ["smt", "nmt"]
    assert [x for x, _ in chart.lines[0].points] == list(SIZES)
    assert len(chart.lines[0].band) == 3


# --- trainings


@pytest.fixture(scope="module")
def needed(
    smt_directory: Path, nmt_directory: Path, few: Corpus, tmp_path_factory: pytest.TempPathFactory
) -> list[Training]:
    """Of models whose text lies there, the neural one trained for a single pass."""
    where = tmp_path_factory.mktemp("curve")
    smt, _ = beside_its_text(smt_directory, few, where)
    nmt, _ = beside_its_text(nmt_directory, few, where)
    manifest = Manifest.read(nmt)
    replace(manifest, config=manifest.config | {"epochs": 1}).write(nmt)
    return trainings([("smt", smt), ("nmt", nmt)], [100, 200], 1, where / "points")


def test_every_system_size_and_seed_is_trained_the_smallest_first(needed: list[Training]) -> None:
    assert [(t.system, t.size, t.seed) for t in needed] == [
        ("smt", 100, 1),
        ("nmt", 100, 1),
        ("smt", 200, 1),
        ("nmt", 200, 1),
    ]


def test_what_a_training_will_take_is_learnt_from_the_others(needed: list[Training]) -> None:
    small, large = needed[0], needed[2]  # 100 and 200 of 400 pairs
    whole = small.manifest.figures["seconds"]
    assert expected(small, []) == pytest.approx(whole / 4)
    took = [Point("smt", 100, seed, whole * seed / 3, []) for seed in (1, 2)]
    other = Point("nmt", 200, 1, 9999.0, [])
    assert expected(small, [*took, other]) == pytest.approx(whole / 2)
    assert expected(large, [*took, other]) == pytest.approx(whole * (1 / 2 + 1 / 6))


def test_a_point_is_trained_kept_and_found_again(needed: list[Training], few: Corpus) -> None:
    assert few.test is not None
    for training in needed[:2]:
        assert training.point(few.test) is None
        point = carry_out(training, few.test, 1)
        assert (point.system, point.size, point.seed) == (training.system, 100, 1)
        assert len(point.outputs) == len(few.test)
        assert point.seconds > 0
        training.keep(point, few.test)
        assert training.point(few.test) == point
        other = Bitext(few.test.source[1:], few.test.target[1:], few.test.paths)
        assert training.point(other) is None  # of another test set
        changed = replace(training.manifest, config=training.manifest.config | {"order": 2})
        assert replace(training, manifest=changed).point(few.test) is None
        training.path.write_text(training.path.read_text("utf-8")[:-9], encoding="utf-8")
        assert training.point(few.test) is None  # half of it


def test_a_statistical_point_is_that_of_training_on_the_sample(
    needed: list[Training], few: Corpus, tmp_path: Path
) -> None:
    from mtkit.smt.system import DEFAULT_WEIGHTS, SmtSystem
    from mtkit.smt.train import TrainConfig, train_smt
    from mtkit.tokenizer import WordTokenizer

    assert few.test is not None
    point = carry_out(needed[2], few.test, 1)
    corpus = replace(few, train=sample(few.train, 200, 1))
    train_smt(corpus, WordTokenizer(), TrainConfig(tune="none"), DEFAULT_WEIGHTS, tmp_path / "m")
    expected = SmtSystem.load(tmp_path / "m").translate(few.test.source)
    assert point.outputs == [h[0].text for h in expected]


def test_what_cannot_be_trained_again_is_refused(needed: list[Training], tmp_path: Path) -> None:
    models = [("smt", needed[0].directory)]
    with pytest.raises(InputError, match=r"--curve 500: .* was trained on 400 pairs"):
        trainings(models, [100, 500], 1, tmp_path)
    copy = tmp_path / "copy"
    copy.mkdir()
    manifest = needed[0].manifest
    replace(manifest, figures={}).write(copy)
    with pytest.raises(InputError, match="does not say what it was trained on and for how long"):
        trainings([("copy", copy)], [100, 200], 1, tmp_path)


def test_a_kept_point_names_what_it_is_of(needed: list[Training], few: Corpus) -> None:
    assert few.test is not None
    training = needed[3]
    training.keep(Point("nmt", 200, 1, 1.0, list(few.test.target)), few.test)
    kept = json.loads(training.path.read_text("utf-8"))
    assert set(kept) == {"of", "point"}
    assert not list(training.path.parent.glob("*.part"))


def test_what_is_done_is_not_trained_again(
    needed: list[Training], few: Corpus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert few.test is not None
    here = [replace(t, path=tmp_path / t.path.name) for t in needed]
    for training in here[1:]:
        training.keep(
            Point(training.system, training.size, 1, 1.0, list(few.test.source)), few.test
        )
    done = list[Training]()

    def train(training: Training, test: Bitext, threads: int) -> Point:
        done.append(training)
        return Point(training.system, training.size, 1, 2.0, list(test.target))

    monkeypatch.setattr("mtkit.comparison.trainings.carry_out", train)
    found = complete(here, few.test, "13a", 1)
    assert done == here[:1]
    assert [growth.system for growth in found.systems] == ["smt", "nmt"]
    assert found.systems[0].bleu[0].value == pytest.approx(100)
    assert complete(here, few.test, "13a", 1) == found
    assert len(done) == 1
