"""Resuming an interrupted training, and handling non-finite gradients and losses."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mtkit.comparison.systems import _training_log
from mtkit.console import console
from mtkit.errors import InputError, WorkError
from mtkit.nmt import loss, parallel
from mtkit.nmt.data import Data
from mtkit.nmt.model import Seq2Seq
from mtkit.nmt.recipe import TrainConfig, learning_rate, preset
from mtkit.nmt.training import build, checkpoint
from mtkit.nmt.training import update as running
from mtkit.nmt.training.build import CHECKPOINT
from mtkit.nmt.training.train import MAX_HALVINGS, MAX_SKIPPED, greedy, train
from mtkit.nmt.training.update import Run
from mtkit.storage import writing
from mtkit.storage.stages import stages_directory
from mtkit.text.corpus import Corpus
from mtkit.text.tokenizer import WordTokenizer
from tests.support.command import WATCHDOG, mtkit
from tests.support.neural_runs import TINY, run_of, silent, ten_pairs
from tests.support.paths import ROOT

CONFIG = replace(TINY, updates=30, validations=3, dropout=0.3, word_dropout=0.2, batch=3)


def spelled(ids: Sequence[int]) -> str:
    return " ".join(map(str, ids))


def run_at(path: Path, config: TrainConfig = CONFIG) -> Run:
    return Run(config, 14, ten_pairs(), ten_pairs(), spelled, path, segment)


def segment(seed: int) -> Data:
    """Return the pairs without some of their target ids; the seed decides which."""
    rng, data = np.random.default_rng(seed), ten_pairs()
    targets = [[i for i in ids if rng.random() < 0.7] for ids in data.targets]
    return replace(data, targets=targets)


def bits(model: torch.nn.Module) -> list[bytes]:
    return [p.detach().numpy().tobytes() for p in model.parameters()]


class KilledError(Exception):
    pass


@pytest.mark.parametrize("at", [1, 7, 10, 15, 29])
def test_a_resumed_run_ends_with_identical_weights(
    at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run_at(tmp_path / "whole")
    expected = bits(train(whole, silent))
    run, step = run_at(tmp_path / "run"), Run.step

    def killed(self: Run, *arguments: object) -> object:
        if self.update == at:
            raise KilledError
        return step(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Run, "step", killed)
    with pytest.raises(KilledError):
        train(run, silent)
    monkeypatch.setattr(Run, "step", step)
    torch.manual_seed(99)  # another process
    again = run_at(tmp_path / "run")
    again.restore()
    assert again.update <= at
    assert bits(train(again, silent)) == expected
    assert bits(again.model) == bits(whole.model)
    assert again.best == whole.best
    values = [[entry["dev_perplexity"] for entry in r.history] for r in (again, whole)]
    assert values[0] == values[1]


def test_a_run_is_not_continued_with_other_settings(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no interrupted training to resume"):
        run_at(tmp_path / "run").restore()
    run = run_at(tmp_path / "run")
    run.keep()
    run_at(tmp_path / "run").restore()
    with pytest.raises(InputError, match="has other options"):
        run_at(tmp_path / "run", replace(CONFIG, learning_rate=0.03)).restore()
    data = ten_pairs()
    weights = {name: p + 1 for name, p in run.model.state_dict().items()}
    other = Run(CONFIG, 14, data, data, spelled, run.path, segment, weights)
    with pytest.raises(InputError, match="has other options"):
        other.restore()


def test_an_interrupted_write_leaves_the_old_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_at(tmp_path / "run")
    run.keep()
    run.step(run.next_batch(), 30)

    def broken(*_: object) -> None:
        raise OSError

    with monkeypatch.context() as patch:
        patch.setattr(writing.os, "fsync", broken)
        with pytest.raises(OSError):  # noqa: PT011
            run.keep()
    again = run_at(tmp_path / "run")
    again.restore()
    assert again.update == 0


def lose(monkeypatch: pytest.MonkeyPatch, when: list[int]) -> None:
    """Make the loss of some updates infinite or NaN."""
    loss_of = running.loss_of

    def lost(*arguments: object) -> torch.Tensor:
        at = calls.pop(0)
        loss = loss_of(*arguments)  # type: ignore[arg-type]
        return loss * (math.nan if at % 2 else math.inf) if at in when else loss

    calls = list(range(10_000))
    monkeypatch.setattr(running, "loss_of", lost)


def test_a_step_without_a_finite_gradient_changes_no_weight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = run_of(CONFIG)
    lose(monkeypatch, [2, 3])
    for update in range(6):
        before = bits(run.model)
        run.step(run.next_batch(), 30)
        assert (bits(run.model) == before) == (update in (2, 3))
    assert run.skipped == 2
    assert run.in_a_row == 0
    assert all(
        map(math.isfinite, torch.cat([p.detach().flatten() for p in run.model.parameters()]))
    )


def test_skipped_updates_in_a_row_halve_the_learning_rate(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for path in (tmp_path / "run", None):
        said: list[str] = []
        run = Run(CONFIG, 14, ten_pairs(), ten_pairs(), spelled, path)
        with monkeypatch.context() as patch:
            lose(patch, list(range(14, 20)))
            train(run, said.append)
        [line] = [line for line in said if "half the learning rate" in line]
        assert line.startswith(f"{MAX_SKIPPED} non-finite gradients in a row")
        assert "returning from update 20 to 10" in line
        assert (run.halvings, run.update) == (1, 30)
        rate = learning_rate(29, 30, CONFIG)
        assert run.optimiser.param_groups[0]["lr"] == pytest.approx(rate / 2)


def test_too_many_halvings_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    lose(monkeypatch, list(range(10_000)))
    run = run_of(CONFIG)
    with pytest.raises(WorkError, match="no gradient is finite"):
        train(run, silent)
    assert run.halvings == MAX_HALVINGS + 1


def lose_validations(monkeypatch: pytest.MonkeyPatch, after: int, value: float) -> None:
    """Set all dev losses but the first ``after`` to ``value``."""
    of_subwords, calls = loss.subword_log_probabilities, iter(range(1000))

    def lost(models: Sequence[Seq2Seq], data: Data) -> list[NDArray[np.float64]]:
        log_p = of_subwords(models, data)
        return [p - value for p in log_p] if next(calls) >= after else log_p

    monkeypatch.setattr(loss, "subword_log_probabilities", lost)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_non_finite_dev_loss_ends_the_run_with_the_best_weights(
    value: float, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lose_validations(monkeypatch, 1, value)
    run, said = run_at(tmp_path / "run"), list[str]()
    model = train(run, said.append)
    assert run.update == 20
    assert run.best[0] < 100
    assert f"{value:10.2f}  " in said[-2]
    assert said[-1] == (
        f"the dev loss is {value} at update 20: training ends with the weights of update 10, "
        f"dev perplexity {run.best[0]:.2f}"
    )
    assert bits(model) == [w.numpy().tobytes() for w in run.best_weights.values()]
    assert "bleu" not in run.history[-1]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_no_finite_dev_loss_at_all_is_an_error(
    value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_validations(monkeypatch, 0, value)
    with pytest.raises(WorkError, match=f"^the dev loss is {value} at update 10, the first valid"):
        train(run_of(CONFIG), silent)


def test_a_log_has_null_for_non_finite_values(
    few: Corpus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lose_validations(monkeypatch, 1, math.nan)
    config = TrainConfig(embedding=8, hidden=8, vocabulary=200, updates=4, validations=2)
    manifest = build.train_nmt(few, WordTokenizer(), config, tmp_path / "m")
    assert manifest
    assert manifest.figures["best_update"] == 2
    first, last = map(json.loads, (tmp_path / "m/log.jsonl").read_text("utf-8").splitlines())
    assert math.exp(49) > first["dev_perplexity"] > 1
    assert last["dev_perplexity"] is None
    read = _training_log(tmp_path / "m")
    assert [e.get("dev_perplexity") for e in read] == [first["dev_perplexity"], None]
    assert "dev_perplexity" not in read[-1]


def test_a_network_of_constant_output_is_named() -> None:
    data = ten_pairs()
    many = replace(
        data,
        sources=[[4 + k % 10, 4 + k // 10] for k in range(20)],
        targets=[[5, 6, 7]] * 20,
        target_words=[3] * 20,
    )
    for attention, cause in (("none", "without attention"), ("dot", "the source is ignored")):
        said: list[str] = []
        config = replace(TINY, attention=attention, updates=60, warmup=5)
        train(Run(config, 14, many, many, spelled), said.append)
        assert any("get the same output, '5 6 7'" in line and cause in line for line in said)


def test_the_log_has_bleu_of_greedy_translations() -> None:
    run = Run(TINY, 14, ten_pairs(), ten_pairs(), lambda ids: spelled([*ids, *ids]))
    train(run, silent)
    assert run.history[-1]["bleu"] == pytest.approx(100)
    assert greedy(run.average, run.dev.sources) == run.dev.targets


def test_resume_after_sigkill(few: Corpus, tmp_path: Path, tiny: None) -> None:
    """The command is killed while it trains; resumed, it gives the weights of a whole run."""
    for language, lines in (("en", few.train.source), ("de", few.train.target)):
        (tmp_path / f"t.{language}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    options = ["--train", "t.en", "t.de", "--updates", "60", "--threads", "1"]
    call = ["train-nmt", *options, "--preset", "quick", "-q"]
    mtkit(*call, "--out", "whole", cwd=tmp_path)
    command = [sys.executable, "-m", "tests.support.tiny", *call, "--out", "killed"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment)
    late = time.monotonic() + WATCHDOG
    unfinished = stages_directory(tmp_path / "killed") / CHECKPOINT
    states: set[int] = set()
    while len(states) < 2:  # those of the start and the middle
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < late
        time.sleep(0.01)
        if unfinished.exists():
            states.add(unfinished.stat().st_ino)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert unfinished.exists()
    assert not (tmp_path / "killed").exists()
    longer = mtkit(*call, "--updates", 90, "--out", "killed", "--resume", cwd=tmp_path, check=2)
    assert b"has --updates 60; use the same number, or start again" in longer.stderr
    mtkit(*call, "--out", "killed", "--resume", cwd=tmp_path)
    a, b = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "killed"))
    assert a == b
    assert not unfinished.exists()
    log = (tmp_path / "killed/log.jsonl").read_text("utf-8").splitlines()
    assert {"update", "loss", "dev_perplexity", "bleu", "gradient_norm"} <= set(json.loads(log[-1]))


def test_a_restored_run_equals_the_saved_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patch:
        lose(patch, [13])
        run = run_at(tmp_path / "run")
        train(run, silent)
    again = run_at(tmp_path / "run")
    again.restore()
    assert again.best == run.best
    assert again.history == run.history
    assert all(map(math.isfinite, again.history[1].values()))  # without the skipped update
    assert again.skipped == run.skipped == 1
    for name, weight in run.best_weights.items():
        assert torch.equal(again.best_weights[name], weight)
    rows = [r.next_batch().rows for r in (run, again)]
    assert rows[0] == rows[1]


def test_a_validation_after_skipped_updates_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    lose(monkeypatch, [4, 5])
    run = run_of(replace(CONFIG, updates=8, validations=4))
    train(run, silent)
    assert [math.isfinite(entry["loss"]) for entry in run.history] == [True, True, False, True]
    assert run.skipped == 2


def test_interrupted_training_says_how_to_resume(
    few: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(run: Run) -> None:
        run.keep()
        raise KeyboardInterrupt

    console.quiet = False
    monkeypatch.setattr(build, "train", stopped)
    recipe = preset("quick", updates=2, hidden=8, embedding=8)
    with pytest.raises(KeyboardInterrupt):
        build.train_nmt(few, WordTokenizer(), recipe, tmp_path / "m")
    said = capsys.readouterr().err
    assert said.endswith("the same command with --resume continues from the last saved state\n")
    with pytest.raises(KeyboardInterrupt):
        build.train_nmt(few, WordTokenizer(), recipe, tmp_path / "m")
    said = capsys.readouterr().err
    assert "; --resume would have continued the interrupted training" in said
    other = replace(few, train=few.train.select(range(1, len(few.train))))
    with pytest.raises(InputError, match="training has another text; use the same"):
        build.train_nmt(other, WordTokenizer(), recipe, tmp_path / "m", resume=True)
    with pytest.raises(InputError, match="training has another tokenizer; use the same"):
        build.train_nmt(few, WordTokenizer("none"), recipe, tmp_path / "m", resume=True)
    with pytest.raises(KeyboardInterrupt):
        build.train_nmt(few, WordTokenizer(), recipe, tmp_path / "m", resume=True)
    assert "resumed at update 0 of 2" in capsys.readouterr().err


def test_a_restart_by_torchrun_resumes_or_starts(
    few: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With one process, too, which may have died before it saved anything."""

    def stopped(run: Run) -> None:
        run.keep()
        raise KeyboardInterrupt

    monkeypatch.setattr(parallel, "RESTARTS", 1)
    monkeypatch.setattr(build, "train", stopped)
    console.quiet = False
    recipe = preset("quick", updates=2, hidden=8, embedding=8)
    for said in (False, True):
        with pytest.raises(KeyboardInterrupt):
            build.train_nmt(few, WordTokenizer(), recipe, tmp_path / "m")
        assert ("resumed at update 0 of 2" in capsys.readouterr().err) == said


def test_a_checkpoint_without_a_fingerprint_is_refused(tmp_path: Path) -> None:
    metadata = {"progress": "{}"}
    seal = checkpoint._seal({}, metadata)
    (tmp_path / "c").write_bytes(checkpoint.to_bytes({}, metadata | {"seal": seal}))
    with pytest.raises(InputError, match=r"c: damaged, or of another version of mtkit"):
        checkpoint.load(tmp_path / "c", "mark")


@pytest.mark.parametrize(
    "forge",
    [
        lambda groups, progress: (groups, []),
        lambda groups, progress: (groups, {}),
        lambda groups, progress: (groups | {"model": {}}, progress),
        lambda groups, progress: (groups | {"best": {}}, progress),
        lambda groups, progress: (groups | {"adam": {"x": torch.zeros(1)}}, progress),
        lambda groups, progress: (groups, progress | {"best": 1, "skipped": "x"}),
    ],
)
def test_a_forged_checkpoint_is_refused(forge: Any, tmp_path: Path) -> None:
    run = run_at(tmp_path / "checkpoint")
    groups, progress = forge(*run._state())
    checkpoint.save(tmp_path / "checkpoint", groups, progress, run.fingerprint)
    with pytest.raises(InputError, match="checkpoint: damaged, or of another version of mtkit"):
        run.restore()
