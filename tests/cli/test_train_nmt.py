"""``mtkit train-nmt``: several seeds, training further, ensembles."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from mtkit.manifest import Manifest
from mtkit.nmt import recipe
from mtkit.nmt.training import build, plan, train
from mtkit.nmt.training.build import CHECKPOINT
from mtkit.storage.stages import stages_directory
from tests.support.command import mtkit


@pytest.fixture
def text(project: Path, tmp_path: Path) -> list[object]:
    """80 training pairs; 4 of them are held out."""
    for language in ("en", "de"):
        lines = (project / f"train.{language}").read_bytes().splitlines(keepends=True)[:80]
        (tmp_path / f"t.{language}").write_bytes(b"".join(lines))
    return ["--train", "t.en", "t.de"]


def test_seeds_train_models_for_an_ensemble(
    text: list[object], project: Path, tmp_path: Path, tiny: None
) -> None:
    """Train two seeds, resume one, translate with the ensemble, train one further."""
    options = ["--preset", "quick", "--updates", "8", "--bpe-dropout", "0.1"]
    call = ["train-nmt", *text, *options, "--seeds", 2, "--out", "m"]
    done = mtkit(*call, cwd=tmp_path)
    said = done.stderr.decode()
    assert re.search(r"dev bleu of 2 seeds: mean [\d.]+, standard deviation [\d.]+ \(", said)
    first = (tmp_path / "m-1/weights.safetensors").read_bytes()
    second = (tmp_path / "m-2/weights.safetensors").read_bytes()
    assert first != second
    (tmp_path / "m-2").rename(tmp_path / "old")
    said = mtkit(*call, "--resume", cwd=tmp_path).stderr.decode()
    assert "seed 1: m-1, already trained" in said
    assert (tmp_path / "m-2/weights.safetensors").read_bytes() == second
    assert b"m-1 exists" in mtkit(*call, cwd=tmp_path, check=2).stderr
    refused = mtkit(*call, "--resume", "--minutes", 1, cwd=tmp_path, check=2)
    assert b"m-1 was trained with minutes 2.5, not 1" in refused.stderr
    refused = mtkit(*call, "--resume", "--clip", 2, cwd=tmp_path, check=2)
    assert b"m-1 was trained with clip 1.0, not 2.0" in refused.stderr

    both = mtkit(
        *("translate", "--model", "m-1", "--model", "m-2", "--json"), cwd=tmp_path, stdin=b"Hi.\n"
    )
    each = [
        mtkit("translate", "--model", m, "--json", cwd=tmp_path, stdin=b"Hi.\n").stdout
        for m in ("m-1", "m-2")
    ]
    assert json.loads(both.stdout)["score"] not in [json.loads(line)["score"] for line in each]
    refused = mtkit(
        "translate", "--model", "m-1", "--model", project / "models/smt", cwd=tmp_path, check=2
    )
    assert b"only a neural translator can join an ensemble" in refused.stderr

    (tmp_path / "m-2/log.jsonl").write_text('{"update": 4\n')
    text_of = ["--test", project / "test.en", project / "test.de"]
    refused = mtkit("compare", "m-1", "m-2", *text_of, cwd=tmp_path, check=2)
    assert b"m-2/log.jsonl: damaged: 13 bytes instead of" in refused.stderr

    further = ["train-nmt", *text, "--preset", "quick", "--updates", 4, "--out", "further"]
    mtkit(*further, "--from", "m-1", cwd=tmp_path)
    shapes = [(tmp_path / m / "subwords.json").read_bytes() for m in ("m-1", "further")]
    assert shapes[0] == shapes[1]
    for wrong, message in (
        (["--from", project / "models/smt"], "only a neural translator can be trained further"),
        (["--from", "m-1", "--lowercase"], "was trained with another --tokenizer"),
        (["--from", "m-1", "--cell", "gru"], "--from keeps the architecture of the model"),
        (["--from", "m-1", "--train", *text[:0:-1]], "but the text is de → en"),
        (["--device", "cuda"], "--device cuda: PyTorch finds no GPU"),
    ):
        refused = mtkit(*further[:-1], "other", *wrong, cwd=tmp_path, check=2)
        assert message in refused.stderr.decode()


def last_line(stderr: bytes) -> list[str]:
    """Return the command in the last line."""
    line = stderr.decode().splitlines()[-1]
    assert line.startswith("to repeat this run: mtkit ")
    return shlex.split(line.removeprefix("to repeat this run: mtkit "))


@pytest.fixture
def small_presets(monkeypatch: pytest.MonkeyPatch, tiny: None) -> None:
    """Make three presets tiny networks of different sizes."""
    for name, hidden in (("tiny", 32), ("small", 48), ("short", 16)):
        shaped = recipe.preset(
            "quick", preset=name, hidden=hidden, epochs=recipe.PRESETS[name].epochs
        )
        monkeypatch.setitem(recipe.PRESETS, name, shaped)


def test_the_last_line_repeats_the_run(
    text: list[object], tmp_path: Path, small_presets: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run limited by minutes repeats by number of updates with the same bits."""
    monkeypatch.setattr(plan, "WARM_UP_UPDATES", 1)
    monkeypatch.setattr(plan, "TIMED_UPDATES", 2)
    call = ["train-nmt", *text, "--lowercase", "--minutes", 0.02, "--seed", 3]
    call += ["--clip", 0.5, "--out", "a b"]
    command = last_line(mtkit(*call, "--bpe-dropout", 0.1, cwd=tmp_path).stderr)
    config = Manifest.read(tmp_path / "a b").config
    expected = f"--preset tiny --updates {config['updates']} --seed 3 --precision"
    assert expected in " ".join(command)
    assert command[-5:] == ["--threads", "1", "--out", "a b", "--force"]
    first = (tmp_path / "a b/weights.safetensors").read_bytes()
    assert "--minutes" not in command
    said = mtkit(*command, cwd=tmp_path).stderr  # unchanged
    assert (tmp_path / "a b/weights.safetensors").read_bytes() == first
    assert last_line(said) == command


def test_epochs_limit_training_and_too_few_warn(
    project: Path, tmp_path: Path, small_presets: None
) -> None:
    text = ["--train", project / "train.en", project / "train.de"]
    call = ["train-nmt", *text, "--preset", "quick", "--epochs", 1]
    said = mtkit(*call, "--out", "m", cwd=tmp_path).stderr.decode()
    config = Manifest.read(tmp_path / "m").config
    assert "timing" not in said
    assert f"plan: 1 epoch of 380 pairs = {config['updates']} updates\n" in said
    assert "warning: only 1 epoch; a usable network needs about 15" in said
    assert config["minutes"] == 0
    seeds = mtkit(*call, "--seeds", 2, "--seed", 4, "--out", "s", cwd=tmp_path).stderr
    assert last_line(seeds)[-7:-5] == ["--precision", config["precision"]]
    assert [line.split()[-2] for line in seeds.decode().splitlines()[-2:]] == ["s-1", "s-2"]
    assert last_line(seeds)[-9:-7] == ["--seed", "5"]


def test_auto_chooses_by_text_and_budget_and_keeps_its_choice(
    text: list[object], tmp_path: Path, small_presets: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = ["train-nmt", *text, "--epochs", 2]

    def chosen(*options: object) -> tuple[str, str]:
        said = mtkit(*call, *options, "--force", "--out", "m", cwd=tmp_path).stderr.decode()
        return Manifest.read(tmp_path / "m").config["preset"], said

    assert chosen()[0] == "tiny"
    monkeypatch.setattr(recipe, "FEW_BELOW", 10)
    name, said = chosen("--seeds", 1)
    assert name == "short"
    assert "time for only 2.0 epochs of the preset small; using short" in said
    assert said.count("plan: ") == 1
    assert chosen("--from", "m")[0] == "small"

    class KilledError(Exception):
        pass

    def killed(*_: object) -> None:
        raise KilledError

    def killed_early(run: train.Run, *_: object) -> None:
        run.keep()
        raise KilledError

    mtkit(*call, "--out", "whole", cwd=tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(train.Run, "validate", killed)
        with pytest.raises(KilledError):
            mtkit(*call, "--out", "again", cwd=tmp_path)
    assert (stages_directory(tmp_path / "again") / CHECKPOINT).exists()
    with monkeypatch.context() as patch:  # killed while it measures the time of an update
        patch.setattr(build, "plan", killed_early)
        with pytest.raises(KilledError):
            mtkit(*call, "--out", "early", cwd=tmp_path)
    assert (stages_directory(tmp_path / "early") / CHECKPOINT).exists()
    mtkit(*call, "--out", "early", "--resume", cwd=tmp_path)
    monkeypatch.setattr(recipe, "SHORT_BELOW", 0)  # as at another speed
    mtkit(*call, "--out", "again", "--resume", cwd=tmp_path)
    a, b, c = (Manifest.read(tmp_path / name).config for name in ("whole", "again", "early"))
    assert a == b == c


def test_a_time_budget_is_planned_once_for_all_seeds(
    text: list[object], tmp_path: Path, small_presets: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = iter([5, 3])
    monkeypatch.setattr(plan.Pace, "updates_in", lambda *_: next(planned))
    call = ["train-nmt", *text, "--preset", "quick", "--minutes", 1, "--seeds", 2, "--out", "m"]
    mtkit(*call, cwd=tmp_path)
    assert [Manifest.read(tmp_path / f"m-{k}").config["updates"] for k in (1, 2)] == [5, 5]


def test_resumed_seeds_share_the_preset_of_auto(
    text: list[object], tmp_path: Path, small_presets: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = ["train-nmt", *text, "--updates", 4, "--seeds", 2, "--out", "m"]
    mtkit(*call, cwd=tmp_path)
    second = (tmp_path / "m-2/weights.safetensors").read_bytes()
    (tmp_path / "m-2").rename(tmp_path / "old")
    monkeypatch.setattr(recipe, "FEW_BELOW", 1)  # as by another rule
    said = mtkit(*call, "--resume", cwd=tmp_path).stderr.decode()
    assert "seed 1: m-1, already trained" in said
    assert (tmp_path / "m-2/weights.safetensors").read_bytes() == second
    refused = mtkit(*call, "--resume", "--clip", 2, cwd=tmp_path, check=2)
    assert b"m-1 was trained with clip 1.0, not 2.0" in refused.stderr
