"""``mtkit.compare`` called from Python on models and files."""

from __future__ import annotations

from pathlib import Path

import pytest

import mtkit
from mtkit.errors import InputError
from mtkit.evaluation import metrics
from mtkit.text.corpus import Corpus
from tests.support.corpora import beside_its_text

N = 6  # sentences


@pytest.fixture
def model(smt_directory: Path, few: Corpus, tmp_path: Path) -> Path:
    copy, _ = beside_its_text(smt_directory, few, tmp_path)
    return copy


@pytest.fixture
def files(few: Corpus, tmp_path: Path) -> dict[str, Path]:
    assert few.test is not None
    source, target = few.test.source[:N], few.test.target[:N]
    sides = {"x": source, "y": target, "second": [f"{y} !" for y in target], "out": target[::-1]}
    for name, lines in sides.items():
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {name: tmp_path / name for name in sides}


def test_models_and_files_are_compared(model: Path, files: dict[str, Path]) -> None:
    test, other = (files["x"], files["y"]), f"other={files['out']}"
    both = mtkit.compare([model, other], test, examples=3, threads=1, explain=True)
    target, output = (files[name].read_text("utf-8").splitlines() for name in ("y", "out"))
    assert [system.name for system in both.systems] == [model.name, "other"]
    assert both.systems[1].bleu == metrics.bleu(output, target)
    assert both.test.source == str(files["x"])
    assert {example.line for example in both.examples} == set(both.explanations)
    assert all([e.name for e in of] == [model.name] for of in both.explanations.values())
    more = mtkit.compare([other], test, references=[files["second"]], examples=0)
    second = files["second"].read_text("utf-8").splitlines()
    assert (
        more.systems[0].bleu == metrics.bleu(output, target, also=[second]) != both.systems[1].bleu
    )
    assert (more.examples, more.explanations, more.curve) == ((), {}, None)


def test_unusable_input_is_an_error(model: Path, files: dict[str, Path]) -> None:
    test = files["x"], files["y"]
    with pytest.raises(InputError, match="neither a model directory nor a file"):
        mtkit.compare([model.parent / "none"], test)
    with pytest.raises(InputError, match="translation files do not record a test set; name"):
        mtkit.compare([f"other={files['out']}"])
    with pytest.raises(InputError, match="--curve retrains single models, and none is named"):
        mtkit.compare([f"other={files['out']}"], test, curve=[1, 2])
    with pytest.raises(InputError, match="--tokenizer x: unknown; choose one of words, none"):
        mtkit.compare([f"other={files['out']}"], test, tokenizer="x")  # type: ignore[arg-type]
    for sizes, seeds in (([2], 1), ([2, 2], 1), ([0, 2], 1), ([-3, 2], 1), ([1, 2], 0)):
        with pytest.raises(InputError, match="--curve: expected two or more different sizes"):
            mtkit.compare([model], test, curve=sizes, seeds=seeds)
