from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from mtkit.errors import InputError
from mtkit.nmt import parallel
from mtkit.nmt.data import Data, drop_words
from mtkit.nmt.loss import loss_of, perplexity
from mtkit.nmt.recipe import learning_rate
from mtkit.nmt.search import beam_search
from mtkit.nmt.training.train import train
from mtkit.nmt.training.update import Run
from mtkit.text.vocabulary import EOS
from tests.support.neural_runs import TINY, run_of, silent, ten_pairs


def test_ten_pairs_are_memorised() -> None:
    run = run_of(TINY)
    model = train(run, silent)
    assert run.best[0] < 1.05
    data = ten_pairs()
    x = torch.tensor([[*s, EOS] for s in data.sources])
    assert [outputs[0].ids for outputs in beam_search([model], x, 3)] == data.targets


def test_clipping_caps_the_norm_and_reports_the_one_before() -> None:
    clipped, free = (run_of(replace(TINY, clip=clip)) for clip in (0.01, 0.0))
    norms = []
    for run in (clipped, free):
        _, norm = run.step(run.next_batch(), 150)
        gradients = torch.cat(
            [p.grad.flatten() for p in run.model.parameters() if p.grad is not None]
        )
        norms.append((norm.item(), gradients.norm().item()))
    (before, after), (free_before, free_after) = norms
    assert after == pytest.approx(0.01, rel=1e-3)
    assert before > 0.01
    assert before == pytest.approx(free_before, rel=1e-5)
    assert free_after == pytest.approx(free_before, rel=1e-5)


def weights(seed: int) -> list[torch.Tensor]:
    run = run_of(replace(TINY, seed=seed, updates=12, dropout=0.3, word_dropout=0.2))
    return list(train(run, silent).state_dict().values())


def test_the_same_seed_gives_the_same_bits_and_another_does_not() -> None:
    assert all(torch.equal(a, b) for a, b in zip(weights(1), weights(1), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(weights(1), weights(2), strict=True))


def test_the_best_weights_on_dev_are_kept_and_patience_ends_the_run() -> None:
    data = ten_pairs()
    unlike = Data(data.sources, data.targets[::-1], data.target_words)
    run = Run(replace(TINY, updates=300, validations=60, patience=4), 14, data, unlike)
    train(run, silent)
    values = [entry["dev_perplexity"] for entry in run.history]
    assert run.best[0] == min(values)
    assert run.update < 300
    best = next(e for e in run.history if e["dev_perplexity"] == run.best[0])
    assert run.best[1] == best["update"]
    assert len(run.history) - run.history.index(best) - 1 == 4
    assert perplexity(run.average, unlike) == pytest.approx(run.best[0], rel=1e-6)


def test_a_step_follows_the_schedule_and_averages_the_weights() -> None:
    run = run_of(replace(TINY, average=0.4))
    average = [p.clone() for p in run.average.parameters()]
    for update in range(8):
        run.step(run.next_batch(), 150)
        assert run.optimiser.param_groups[0]["lr"] == learning_rate(update, 150, run.config)
        beta = min(0.4, (update + 2) / (update + 11))
        average = [
            beta * old + (1 - beta) * p
            for old, p in zip(average, run.model.parameters(), strict=True)
        ]
    for ours, theirs in zip(average, run.average.parameters(), strict=True):
        torch.testing.assert_close(theirs, ours)


def test_a_steps_gradient_is_of_its_batch_with_words_dropped_out() -> None:
    run = run_of(replace(TINY, clip=0.0, word_dropout=0.5, source_dropout=0.3))
    for _ in range(3):
        before, batch = copy.deepcopy(run.model), run.next_batch()
        seed = np.random.SeedSequence((run.config.seed, run.update, 0)).generate_state(1)[0]
        torch.manual_seed(int(seed))
        y_in = drop_words(batch.y_in, 0.5)
        x = drop_words(batch.x, 0.3)
        run.step(batch, 150)
        before.zero_grad()
        assert not torch.equal(y_in, batch.y_in)
        assert not torch.equal(x, batch.x)
        loss_of(before, replace(batch, x=x), 0.0, y_in).backward()
        for p, q in zip(run.model.parameters(), before.parameters(), strict=True):
            torch.testing.assert_close(p.grad, q.grad)


def test_the_seed_sets_the_initial_weights_and_epochs_differ() -> None:
    a, b = (run_of(replace(TINY, seed=seed, batch=2)) for seed in (1, 2))
    assert not torch.equal(a.model.combine.weight, b.model.combine.weight)
    epochs = [[a.next_batch().rows for _ in range(a.batches_per_epoch)] for _ in range(2)]
    assert epochs[0] != epochs[1]
    assert all(sorted(r for rows in e for r in rows) == list(range(10)) for e in epochs)


def test_the_first_batch_is_the_largest() -> None:
    data = ten_pairs()
    data.targets[6] = [5] * 9
    for seed in range(5):
        run = Run(replace(TINY, batch=2, seed=seed), 14, data, data)
        batches = [run.next_batch() for _ in range(run.batches_per_epoch)]
        assert 6 in batches[0].rows
        assert sorted(r for batch in batches for r in batch.rows) == list(range(10))


def test_patience_restarts_with_every_better_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of(replace(TINY, updates=50, validations=50, patience=3))
    answers = iter([True, False, False, True, False, False, True, False, False, False, True])
    monkeypatch.setattr(run, "validate", lambda: (2.0, next(answers)))
    train(run, silent)
    assert run.update == 10


def test_bf16_learns_as_fp32_does_but_only_in_training() -> None:
    if not getattr(torch.cpu, "get_capabilities", dict)().get("avx512_f", True):
        with pytest.raises(InputError, match="bf16: this processor lacks AVX-512"):
            run_of(replace(TINY, precision="bf16"))
        return
    run = run_of(replace(TINY, precision="bf16"))
    model = train(run, silent)
    assert run.best[0] < 1.1
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    other = run_of(TINY)
    train(other, silent)
    assert run.best[0] != other.best[0]


def test_a_precision_is_resolved_or_refused() -> None:
    assert run_of(replace(TINY, precision="auto")).config.precision in ("fp32", "bf16")
    with pytest.raises(ValueError, match="not one of auto, fp32, bf16"):
        run_of(replace(TINY, precision="fp8"))


def test_missing_bf16_support_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacks(*_: object, **__: object) -> torch.Tensor:
        raise RuntimeError("could not create a primitive descriptor")

    monkeypatch.setattr(torch.nn.LSTM, "forward", lacks)
    with pytest.raises(InputError, match="bf16: this processor lacks AVX-512"):
        run_of(replace(TINY, precision="bf16"))


def test_a_run_can_start_from_given_weights() -> None:
    trained = train(run_of(TINY), silent)
    run = Run(replace(TINY, seed=2), 14, ten_pairs(), ten_pairs(), weights=trained.state_dict())
    assert perplexity(run.model, ten_pairs()) < 1.05
    assert all(
        torch.equal(p, q) for p, q in zip(run.model.parameters(), trained.parameters(), strict=True)
    )


def test_dropout_depends_on_seed_update_and_process_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(TINY, dropout=0.5, learning_rate=0.0)
    run = run_of(config)
    batch = run.next_batch()

    def loss_at(update: int, seed: int = 1, rank: int = 0) -> float:
        monkeypatch.setattr(parallel, "RANK", rank)
        run.update, run.config = update, replace(config, seed=seed)
        torch.manual_seed(rank)  # earlier draws have no effect
        return run._backward(batch).item()

    monkeypatch.setattr(type(batch), "share", lambda self, *_: self)
    losses = [loss_at(0), loss_at(1), loss_at(0, seed=2), loss_at(0, rank=1), loss_at(1, rank=1)]
    assert len(set(losses)) == 5
    assert loss_at(1) == losses[1]
