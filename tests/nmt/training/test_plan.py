"""A budget is converted to updates once, and reported before the training."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mtkit.nmt.recipe import TrainConfig
from mtkit.nmt.training import plan as planning
from mtkit.nmt.training.plan import Pace, plan, plan_lines, updates_of
from mtkit.nmt.training.train import train
from mtkit.nmt.training.update import Run
from tests.support.neural_runs import TINY, run_of, silent, ten_pairs


def test_minutes_convert_to_updates_and_back() -> None:
    pace = Pace(update=0.5, overhead=60.0)
    assert 100 < pace.updates_in(2.0) < 120
    assert pace.updates_in(0.5) == 1
    for updates in (100, 5400):
        assert pace.updates_in(pace.minutes_for(updates) + 1e-9) == updates


def test_the_smaller_of_epochs_and_minutes_decides_unless_updates_are_fixed() -> None:
    config, pace = TrainConfig(epochs=7, minutes=2.0), Pace(1.0, 0.0)
    assert updates_of(config, 10, pace) == 70
    assert updates_of(config, 100, pace) == pace.updates_in(2.0) == 116
    assert updates_of(config, 100, None) == 700
    assert updates_of(replace(config, updates=5), 100, None) == 5


def test_the_plan_is_reported() -> None:
    pace = Pace(update=0.29, overhead=5.0)
    enough = replace(TrainConfig(), updates=16_500)
    assert plan_lines(enough, 550, 29_000, None) == [
        "plan: 30 epochs of 29,000 pairs = 16,500 updates"
    ]
    assert plan_lines(replace(enough, updates=8_250), 550, 29_000, pace) == [
        "plan: 15 epochs of 29,000 pairs = 8,250 updates in 41 minutes"
    ]
    assert plan_lines(replace(enough, updates=16), 16, 1, None)[0].startswith("plan: 1 epoch of 1 ")


@pytest.mark.parametrize(
    ("updates", "epochs", "preset", "remedy"),
    [
        (5_400, 30, "small", "a usable network needs about 15; use --minutes 56"),
        (5_400, 7, "small", "a usable network needs about 15; use --epochs 15"),
        (5_400, 45, "best", "a usable network needs about 22; use --minutes 82"),
    ],
)
def test_a_short_budget_is_reported_with_a_remedy(
    updates: int, epochs: int, preset: str, remedy: str
) -> None:
    config = replace(TrainConfig(), updates=updates, epochs=epochs, preset=preset)
    _, warning = plan_lines(config, 771, 37_000, Pace(0.28, 12.0))
    assert warning == f"warning: only 7 epochs; {remedy}"
    if "--minutes" in remedy:
        passes = Pace(0.28, 12.0).updates_in(float(remedy.split()[-1])) / 771
        assert passes >= int(remedy.split("about ")[1].split(";")[0])


def test_a_budget_without_minutes_needs_no_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(planning, "_pace")
    for config in (replace(TINY, updates=12), replace(TINY, updates=0, minutes=0, epochs=12)):
        run = run_of(config)
        plan(run, time.perf_counter())
        assert run.config.updates == 12


@pytest.mark.parametrize("on_disk", [True, False])
def test_a_timed_run_equals_one_of_as_many_updates(on_disk: bool, tmp_path: Path) -> None:
    """Timed updates are undone: weights, batches and dropout do not depend on them."""
    config = replace(TINY, dropout=0.3, word_dropout=0.2, batch=3, epochs=100_000, patience=1)

    def trained(name: str, **budget: float) -> tuple[Run, list[torch.Tensor]]:
        path = tmp_path / name if on_disk else None
        run = Run(replace(config, **budget), 14, ten_pairs(), ten_pairs(), path=path)
        plan(run, time.perf_counter())
        assert run.update == 0
        return run, list(train(run, silent).state_dict().values())

    timed, by_clock = trained("clock", updates=0, minutes=0.02)
    counted, by_count = trained("count", updates=timed.config.updates)
    assert timed.update == counted.update
    assert all(torch.equal(a, b) for a, b in zip(by_clock, by_count, strict=True))
    assert [e["dev_perplexity"] for e in timed.history] == [
        e["dev_perplexity"] for e in counted.history
    ]


def test_continued_training_gets_no_budget_warning() -> None:
    weights = train(run_of(TINY), silent).state_dict()
    for start, lines in ((weights, 1), (None, 2)):
        run = Run(replace(TINY, updates=3), 14, ten_pairs(), ten_pairs(), weights=start)
        assert len(plan(run, time.perf_counter())) == lines
