"""Learning curves: samples, scores with intervals, and cached trainings."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mtkit import load
from mtkit.comparison import trainings as of_curve
from mtkit.comparison.curve import Point, curve, overtakes, sample
from mtkit.comparison.page import curve as curve_page
from mtkit.comparison.report import Material
from mtkit.comparison.trainings import (
    Training,
    carry_out,
    complete,
    expected,
    for_sample,
    trainings,
)
from mtkit.errors import InputError
from mtkit.evaluation import metrics
from mtkit.evaluation.statistics import Scorer
from mtkit.manifest import Manifest
from mtkit.nmt.recipe import preset
from mtkit.text.corpus import Bitext, Corpus
from tests.support.comparisons import REFERENCES, damaged
from tests.support.corpora import beside_its_text

SIZES = (1000, 4000, 16000)


def points(shares: dict[str, list[float]], seeds: int = 2) -> list[Point]:
    """Return points whose outputs have these shares of wrong words, by size."""
    return [
        Point(name, size, seed, 10.0 * seed, damaged(share, 100 * seed + k))
        for name, of in shares.items()
        for k, (size, share) in enumerate(zip(SIZES, of, strict=True))
        for seed in range(1, seeds + 1)
    ]


def test_samples_of_one_seed_are_nested() -> None:
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
    found = curve(given, Scorer([REFERENCES]))
    assert (found.sizes, found.seeds) == (list(SIZES), 2)
    for growth in found.systems:
        for size, bleu in zip(SIZES, growth.bleu, strict=True):
            own = [p for p in given if (p.system, p.size) == (growth.system, size)]
            expected = np.mean([metrics.bleu(p.outputs, REFERENCES) for p in own])
            assert bleu.value == pytest.approx(expected)
            assert bleu.low < bleu.value < bleu.high
        assert growth.seconds == [15.0] * 3


def test_intervals_include_scores_without_a_match() -> None:
    lines = [f"a{i} b{i} c{i} d{i} e{i}" for i in range(60)]
    outputs = [f"a{i} x y z e{i}" for i in range(60)]  # no 2-gram matches
    given = [Point("s", size, 1, 1.0, outputs) for size in (1, 2)]
    [growth] = curve(given, Scorer([lines])).systems
    assert growth.bleu[0].value == pytest.approx(metrics.bleu(outputs, lines))
    assert growth.bleu[0].low == pytest.approx(growth.bleu[0].value)
    assert growth.bleu[0].high == pytest.approx(growth.bleu[0].value)


def test_the_curve_uses_all_references() -> None:
    given = points({"smt": [0.5, 0.4, 0.3]}, 1)
    second = damaged(0.5, 77)
    [growth] = curve(given, Scorer([REFERENCES, second])).systems
    expected = metrics.bleu(given[0].outputs, REFERENCES, also=[second])
    assert growth.bleu[0].value == pytest.approx(expected)
    assert expected > metrics.bleu(given[0].outputs, REFERENCES)


def test_a_system_overtakes_where_the_lines_cross() -> None:
    found = curve(points({"smt": [0.5, 0.4, 0.35], "nmt": [0.9, 0.6, 0.05]}), Scorer([REFERENCES]))
    [overtaking] = found.overtaking
    assert (overtaking.ahead, overtaking.behind) == ("nmt", "smt")
    assert 4000 < overtaking.size.value < 16000
    assert 1000 < overtaking.size.low < overtaking.size.value < overtaking.size.high <= 16000
    [said] = curve_page.verdicts(found)
    assert said.startswith("nmt overtakes smt at ")


def test_crossings_are_linear_in_log_size() -> None:
    gaps = np.array([[-1, -1, 1], [1, 2, 3], [1, 2, -1], [2, -1, 3], [-3, 1, 1], [1, 0, 1.0]])
    assert overtakes([1000, 4000, 16000], gaps).tolist() == pytest.approx(
        [8000, 0, math.inf, 4000 * 4**0.25, 1000 * 4**0.75, 4000]
    )


def test_a_system_ahead_at_every_size_crosses_at_0() -> None:
    found = curve(points({"smt": [0.1, 0.1, 0.1], "nmt": [0.9, 0.9, 0.9]}), Scorer([REFERENCES]))
    [overtaking] = found.overtaking
    assert (overtaking.ahead, overtaking.size.value, overtaking.size.high) == ("smt", 0, 0)
    assert curve_page.verdicts(found) == [
        "smt is ahead of nmt at every size, in at least 97.5 % of the resampled test sets."
    ]


def test_the_chart_has_a_line_and_a_band_for_each_system() -> None:
    found = curve(points({"smt": [0.5, 0.4, 0.3], "nmt": [0.9, 0.5, 0.1]}), Scorer([REFERENCES]))
    chart = curve_page.chart(found)
    assert chart.log_x
    assert [line.name for line in chart.lines] == ["smt", "nmt"]
    assert [x for x, _ in chart.lines[0].points] == list(SIZES)
    assert len(chart.lines[0].band) == 3


# --- trainings


@pytest.fixture(scope="module")
def models(
    smt_directory: Path, nmt_directory: Path, few: Corpus, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Models with their training text; the neural one trains for one epoch."""
    where = tmp_path_factory.mktemp("models")
    smt, _ = beside_its_text(smt_directory, few, where)
    nmt, _ = beside_its_text(nmt_directory, few, where)
    manifest = Manifest.read(nmt)
    replace(manifest, config=manifest.config | {"epochs": 1}).write(nmt)
    return {"smt": smt, "nmt": nmt}


def the_test(few: Corpus) -> Bitext:
    assert few.test is not None
    return few.test


def alone(models: dict[str, Path]) -> dict[str, list[Path]]:
    return {name: [directory] for name, directory in models.items()}


def planned(
    models: dict[str, Path], few: Corpus, where: Path, sizes: tuple[int, ...] = (100, 200)
) -> list[Training]:
    return trainings(alone(models), sizes, 1, the_test(few), where)


def test_all_combinations_are_trained_smallest_first(
    models: dict[str, Path], few: Corpus, tmp_path: Path
) -> None:
    needed = trainings(alone(models), [100, 200], 2, the_test(few), tmp_path)
    assert [(t.system, t.size, t.seed) for t in needed] == [
        (system, size, seed) for size in (100, 200) for system in ("smt", "nmt") for seed in (1, 2)
    ]
    assert len({t.path for t in needed}) == 8
    assert all(t.point() is None for t in needed)


def test_an_ensemble_has_no_curve(models: dict[str, Path], few: Corpus, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--curve retrains single models, but both is an ensemble"):
        trainings({"both": [models["nmt"]] * 2}, [100, 200], 1, the_test(few), tmp_path)


def test_training_time_is_estimated_from_other_runs(
    models: dict[str, Path], few: Corpus, tmp_path: Path
) -> None:
    small, _, large, _ = planned(models, few, tmp_path)  # 100 and 200 of 400 pairs
    whole = small.manifest.figures["seconds"]
    assert expected(small, []) == pytest.approx(whole / 4)
    took = [Point("smt", 100, seed, whole * seed / 3, []) for seed in (1, 2)]
    other = Point("nmt", 200, 1, 9999.0, [])
    assert expected(small, [*took, other]) == pytest.approx(whole / 2)
    assert expected(large, [*took, other]) == pytest.approx(whole * (1 / 2 + 1 / 6))


def test_a_point_equals_training_on_the_sample(
    models: dict[str, Path], few: Corpus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from mtkit.nmt.recipe import TrainConfig as NmtConfig
    from mtkit.nmt.training import plan
    from mtkit.nmt.training.build import train_nmt
    from mtkit.smt.search.features import DEFAULT_WEIGHTS
    from mtkit.smt.train import TrainConfig, train_smt
    from mtkit.text.tokenizer import WordTokenizer

    monkeypatch.setattr(plan, "WARM_UP_UPDATES", 1)
    monkeypatch.setattr(plan, "TIMED_UPDATES", 2)
    corpus = replace(few, train=sample(few.train, 100, 1))
    train_smt(corpus, WordTokenizer(), TrainConfig(tune="none"), DEFAULT_WEIGHTS, tmp_path / "smt")
    config = NmtConfig(embedding=32, hidden=32, epochs=1, validations=2, learning_rate=5e-3, seed=1)
    train_nmt(corpus, WordTokenizer(), config, tmp_path / "nmt")
    for training in planned(models, few, tmp_path)[:2]:
        point = carry_out(training, the_test(few), 1)
        assert (point.system, point.size, point.seed) == (training.system, 100, 1)
        assert point.seconds > 0
        translated = load(tmp_path / training.system).translate(the_test(few).source)
        assert point.outputs == [h[0].text for h in translated]


def test_outdated_points_are_removed(
    models: dict[str, Path], few: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point, other = Point("smt", 100, 1, 1.5, list(few.train.target[:30])), tmp_path / "mine.json"
    [first, *_] = planned(models, few, tmp_path)
    first.keep(point)
    other.write_text("{}")
    assert planned(models, few, tmp_path)[0].point() == point
    said = list[str]()
    monkeypatch.setattr(of_curve, "note", said.append)
    monkeypatch.setattr(of_curve, "digest_of_code", lambda: "0" * 16)
    assert planned(models, few, tmp_path)[0].point() is None
    assert list(tmp_path.iterdir()) == [other]
    assert said == [
        f"{tmp_path}: 1 outdated results removed (other version of mtkit or its libraries)"
    ]


def test_only_matching_points_are_reused(
    models: dict[str, Path], few: Corpus, tmp_path: Path
) -> None:
    [first, *_] = planned(models, few, tmp_path)
    point = Point("smt", 100, 1, 1.5, list(few.train.target[:30]))
    first.keep(point)
    assert first.point() == point
    renamed = {"a/b": models["smt"]}
    assert planned(renamed, few, tmp_path)[0].point() == replace(point, system="a/b")
    shorter = Bitext(few.train.source[:9], few.train.target[:9], few.train.paths)
    assert trainings(alone(models), [100, 200], 1, shorter, tmp_path)[0].point() is None
    manifest = first.manifest
    weights = manifest.config["weights"] | {"lm": 7.0}
    changed = tmp_path / "changed"
    shutil.copytree(models["smt"], changed)
    replace(manifest, config=manifest.config | {"weights": weights}).write(changed)
    assert planned({"smt": changed}, few, tmp_path)[0].point() is None
    assert [t.point() is None for t in planned(models, few, tmp_path)] == [False, True, True, True]


def test_models_unfit_for_a_curve_are_an_error(
    models: dict[str, Path], few: Corpus, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"--curve 500: .* was trained on only 400 pairs"):
        planned(models, few, tmp_path, (100, 500))
    copy = shutil.copytree(models["smt"], tmp_path / "copy")
    manifest = Manifest.read(copy)
    replace(manifest, figures={}).write(copy)
    with pytest.raises(InputError, match="not trained by mtkit"):
        planned({"copy": copy}, few, tmp_path)
    replace(manifest, config=manifest.config | {"continued": True}).write(copy)
    with pytest.raises(InputError, match=r"was trained with --from, which --curve cannot repeat"):
        planned({"copy": copy}, few, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="--curve stores its results there"):
        planned(models, few, tmp_path / "file" / "points")


def test_finished_points_are_not_retrained(
    models: dict[str, Path], few: Corpus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here = planned(models, few, tmp_path)
    for t in here[1:]:
        t.keep(Point(t.system, t.size, 1, 1.0, list(the_test(few).source)))
    done = list[Training]()

    def train(training: Training, test: Bitext, threads: int) -> Point:
        done.append(training)
        return Point(training.system, training.size, 1, 2.0, list(test.target))

    monkeypatch.setattr("mtkit.comparison.trainings.carry_out", train)
    material = Material(the_test(few), Scorer([the_test(few).target]))
    found = complete(here, material, 1)
    assert done == here[:1]
    assert [growth.system for growth in found.systems] == ["smt", "nmt"]
    assert found.systems[0].bleu[0].value == pytest.approx(100)
    assert complete(here, material, 1) == found
    assert len(done) == 1


def test_a_sample_uses_the_preset_of_its_size_unless_one_was_chosen() -> None:
    whole = preset("small", minutes=10.0, vocabulary=5000, updates=900)
    assert for_sample(whole, 29_000, seed=3) == {"minutes": 10.0, "seed": 3}
    short = preset("short", minutes=2.0)
    assert for_sample(short, 29_000, seed=1) == {"minutes": 2.0}
    assert for_sample(preset("few"), 4_000, seed=1) == {}
    asked_for = preset("best", updates=900)
    assert for_sample(asked_for, 29_000, seed=2) == preset("best", seed=2)
    assert for_sample(preset("small"), 1_000, seed=2) == preset("small", seed=2)
