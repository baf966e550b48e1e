"""Gradient norms against closed forms and finite differences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_

from mtkit.nmt.data import Data
from mtkit.nmt.model import ModelConfig, Seq2Seq
from mtkit.nmt.recurrent import language_model, probe
from mtkit.nmt.recurrent.cells import STEPS, weights_of
from mtkit.nmt.recurrent.gradients import (
    by_depth,
    by_distance,
    by_steps,
    mean_gates,
    memory_span,
    spectral_norm,
)
from mtkit.nmt.recurrent.language_model import (
    LanguageModel,
    LmConfig,
    mean_loss,
    next_logprobs,
    text_logprobs,
)
from mtkit.nmt.system import NmtSystem
from mtkit.text.corpus import Bitext, Corpus
from mtkit.text.vocabulary import BOS

D, K = 6, 12


def model(cell: str = "lstm", **changes: object) -> LanguageModel:
    torch.manual_seed(1)
    return LanguageModel(LmConfig(9, cell, D, **changes)).double()


def windows(n: int = 4, length: int = K + 4) -> np.ndarray:
    return np.random.default_rng(1).integers(1, 9, (n, length))


def still(cell: str) -> LanguageModel:
    """Return a model whose recurrent layer has zero weights and biases."""
    found = model(cell)
    with torch.no_grad():
        for p in found.recurrent[0].parameters():
            p.zero_()
    return found


@pytest.mark.parametrize("lam", [0.5, 1.0, 1.3])
def test_a_linear_rnn_scales_gradients_by_powers(lam: float) -> None:
    """Around 0 tanh is the identity, so that s_t = λ s_{t−1} and ∂s_t/∂s_{t−k} = λ^k I."""
    found = still("rnn")
    w = weights_of(found.recurrent[0])
    with torch.no_grad():
        w.U.copy_(lam * torch.eye(D))
    states, _ = by_distance(found, windows(), K)
    np.testing.assert_allclose(states / states[:, :1], [lam ** np.arange(K + 1)] * 4, rtol=1e-6)

    def after(k: int, s: Tensor) -> Tensor:
        for _ in range(k):
            s, _ = STEPS["rnn"](w, w.read(torch.zeros(1, D, dtype=torch.float64)), s)
        return s

    for k in (1, 5, 20):
        jacobian = torch.autograd.functional.jacobian(
            lambda s, k=k: after(k, s)[0], torch.zeros(1, D, dtype=torch.float64)
        )[:, 0]
        assert torch.linalg.matrix_norm(jacobian, 2).item() == pytest.approx(lam**k, rel=1e-6)
    assert spectral_norm(found) == pytest.approx(lam)


def test_an_lstm_that_keeps_its_cell_keeps_the_gradient() -> None:
    found = still("lstm")
    w = weights_of(found.recurrent[0])
    with torch.no_grad():  # i, f, c̃, o
        w.b_W.copy_(torch.tensor([-60.0] * D + [60.0] * D + [0.0] * 2 * D))

    def cell_after(k: int, c: Tensor) -> Tensor:
        s = torch.cat((torch.zeros_like(c), c), -1)
        for _ in range(k):
            s, _ = STEPS["lstm"](w, w.read(torch.zeros(1, D, dtype=torch.float64)), s)
        return s[:, D:]

    for k in (1, 7, 50):
        jacobian = torch.autograd.functional.jacobian(
            lambda c, k=k: cell_after(k, c)[0], torch.randn(1, D, dtype=torch.float64)
        )[:, 0]
        assert torch.linalg.matrix_norm(jacobian, 2).item() == pytest.approx(1, abs=1e-6)
    # From the first step on, only the part of the gradient by c is passed on.
    states, _ = by_distance(found, windows(), K)
    np.testing.assert_allclose(states[:, 1:], states[:, 1:2].repeat(K, 1), rtol=1e-6)
    gates = mean_gates(found.float(), windows())
    assert gates["forget"].min() > 0.999
    with torch.no_grad():
        w.b_W.fill_(np.log(4))  # f = 4/5
    span = memory_span(found, mean_gates(found, windows()))
    np.testing.assert_allclose(span, [5] * D, rtol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [{"cell": "rnn"}, {"cell": "gru"}, {"cell": "lstm"},
     {"cell": "rnn", "residual": "time"}, {"cell": "lstm", "norm": True}],
)  # fmt: skip
def test_gradients_by_distance_equal_finite_differences(changes: dict) -> None:
    """Perturbs each component of the state after a token."""
    found, w = model(**changes), windows(1)
    y = functional.pad(torch.from_numpy(w[:, :-1]), (1, 0), value=BOS)
    T, eps = y.shape[1], 1e-5
    states, embedded, _ = found.unroll(y)
    layer = weights_of(found.recurrent[0])

    def loss_after(t: int, s: Tensor) -> float:
        step, config = STEPS[found.config.cell], found.config
        for later in range(t + 1, T):
            new, _ = step(layer, layer.read(embedded[later]), s)
            h, rest = new[:, :D], new[:, D:]
            h = s[:, :D] + h if config.residual == "time" else h
            s = torch.cat((found.norm(h) if config.norm else h, rest), -1)
        logits = found.logits(s[:, :D])
        return functional.cross_entropy(logits, torch.from_numpy(w[:, -1])).item()

    norms, _ = by_distance(found, w, K)
    with torch.no_grad():
        for k in (0, 1, 3, K):
            s = states[T - 1 - k]
            gradient = []
            for j in range(s.shape[1]):
                e = torch.zeros_like(s)
                e[0, j] = eps
                up, down = loss_after(T - 1 - k, s + e), loss_after(T - 1 - k, s - e)
                gradient.append((up - down) / (2 * eps))
            assert norms[0, k] == pytest.approx(np.linalg.norm(gradient), rel=1e-5)


def test_gradients_by_input_word() -> None:
    """All input tokens differ, so that a row of E has the gradient of one position."""
    found = model("gru")
    w = np.array([[*range(3, 9), 3]])
    y = torch.from_numpy(w)
    u = found(functional.pad(y[:, :-1], (1, 0), value=BOS))
    found.bias.requires_grad_(False)
    with torch.no_grad():
        out = found.embedding.weight.clone()
    logits = functional.linear(u[:, -1], out, found.bias)
    functional.cross_entropy(logits, y[:, -1]).backward()
    by_word = found.embedding.weight.grad.norm(dim=1)
    _, inputs = by_distance(found, w, 5)
    np.testing.assert_allclose(inputs[0], by_word[[8, 7, 6, 5, 4, 3]], rtol=1e-9)


def test_residuals_keep_gradients_by_depth() -> None:
    """Layers with output 0 pass gradients only through residual connections."""
    for residual, equal in (("layers", True), ("none", False)):
        found = model(layers=3, residual=residual)
        with torch.no_grad():
            for layer in found.recurrent[1:]:
                for p in layer.parameters():
                    p.zero_()
        norms = by_depth(found, windows())
        assert norms.shape == (4, 3)
        assert np.allclose(norms, norms[:, -1:], rtol=1e-9) == equal
        if not equal:
            assert np.all(norms[:, :2] == 0)


def test_gradients_by_depth_are_of_the_mean_loss() -> None:
    """The last layer's u enters only the loss, so that its gradient is computed directly."""
    found, w = model(layers=2), windows(1)
    y = torch.from_numpy(w)
    u = found(functional.pad(y[:, :-1], (1, 0), value=BOS)).detach().requires_grad_()
    loss = functional.cross_entropy(found.logits(u).flatten(0, 1), y.flatten())  # a mean
    [gradient] = torch.autograd.grad(loss, u)
    assert by_depth(found, w)[0, -1] == pytest.approx(gradient.norm().item(), rel=1e-9)


def test_steps_and_the_fused_call_agree() -> None:
    for cell in ("rnn", "gru", "lstm"):
        found = model(cell)
        y = torch.from_numpy(windows())
        states, _, _ = found.unroll(y)
        torch.testing.assert_close(torch.stack(states, 1)[..., :D], found(y))


def test_next_words_sum_to_one() -> None:
    found, w = model().float(), windows()
    for k in (0, 1, 5):
        each = [next_logprobs(found, w[:, :k], np.full(4, v)) for v in range(9)]
        np.testing.assert_allclose(np.exp(each).sum(0), 1, rtol=1e-5)


def test_few_long_sentences_are_scored_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded by tokens, not by sentences."""
    found, shapes = model().float(), list[tuple[int, ...]]()
    found.register_forward_pre_hook(lambda _, inputs: shapes.append(tuple(inputs[0].shape)))
    sentences = [[4] * n for n in (1, 9, 2, 3, 2)]
    together = text_logprobs(found, sentences)
    monkeypatch.setattr(language_model, "TOKENS_AT_ONCE", 8)
    shapes.clear()
    for one, other in zip(together, text_logprobs(found, sentences), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)
    assert [rows for rows, _ in shapes] == [1, 2, 2]


def test_the_loss_is_that_of_a_plain_loop() -> None:
    found, w = model().float(), windows()
    each = [next_logprobs(found, w[:, :k], w[:, k]) for k in range(w.shape[1])]
    with torch.no_grad():
        loss = mean_loss(found, torch.from_numpy(w)).item()
    assert loss == pytest.approx(-np.mean(each), rel=1e-5)


@pytest.mark.parametrize(("norm", "tau"), [(5.0, 2.0), (1.0, 2.0)])
def test_clipping_caps_the_norm(norm: float, tau: float) -> None:
    p = torch.nn.Parameter(torch.zeros(7, dtype=torch.float64))
    g = torch.randn(7, dtype=torch.float64)
    p.grad = g * (norm / g.norm())
    expected = p.grad * (tau / norm if norm > tau else 1)
    clip_grad_norm_([p], tau)
    torch.testing.assert_close(p.grad, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("attention", ["none", "bilinear"])
def test_gradients_by_steps_from_source_to_target(attention: str) -> None:
    torch.manual_seed(1)
    found = Seq2Seq(ModelConfig(9, "lstm", attention, 4, D, dropout=0.0)).double()
    pairs = ([[4, 5, 6]] * 2, [[7, 8, 4, 5], [7]])
    norms, steps = by_steps(found, Data(*pairs, []).batch([0, 1]))
    assert norms.shape == steps.shape == (4 * 5 + 4 * 2,)  # with </s>, without padding
    assert sorted(set(steps)) == list(range(8))  # from x_I to y_1, …, from x_1 to y_T
    alone = [by_steps(found, Data(*pairs, []).batch([row])) for row in (0, 1)]
    np.testing.assert_allclose(sorted(norms), sorted(np.concatenate([n for n, _ in alone])))
    # Finite differences: last target token of the first pair by its first source word.
    batch, eps = Data(*pairs, []).batch([0]), 1e-6
    whole = found.embedding.forward

    def loss(change: Tensor) -> float:
        def disturbed(ids: Tensor) -> Tensor:
            out = whole(ids).clone()
            if ids.shape == batch.x.shape and torch.equal(ids, batch.x):
                out[0, 0] += change
            return out

        found.embedding.forward = disturbed
        logits = found(batch.x, batch.y_in, torch.arange(batch.y_out.numel()))
        return functional.cross_entropy(logits[4:5], batch.y_out[0, 4:5]).item()

    with torch.no_grad():
        each = torch.eye(4, dtype=torch.float64) * eps
        gradient = [(loss(e) - loss(-e)) / (2 * eps) for e in each]
    (last,) = alone[0][0][alone[0][1] == 7]
    assert last == pytest.approx(np.linalg.norm(gradient), rel=1e-5)


def test_gradients_by_steps_sample_the_whole_text(
    nmt_directory: Path, few: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pairs of the first half are one word each; more steps need the second half."""
    monkeypatch.setattr(probe, "PAIRS", 20)
    train, short = few.train, ["Hi"] * 20
    text = Bitext([*short, *train.source[:20]], [*short, *train.target[:20]], train.paths)
    assert max(probe.norms_by_steps(NmtSystem.load(nmt_directory), text).x) > 10
