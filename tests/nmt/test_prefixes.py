"""Pairs that share sources and prefixes get the scores of single pairs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mtkit.nmt import prefixes
from mtkit.nmt.data import Data
from mtkit.nmt.model import ModelConfig, Seq2Seq
from mtkit.nmt.prefixes import subword_log_probabilities
from mtkit.text.vocabulary import BOS, EOS

A, B, C, D, E = [4, 5], [6, 7], [8, 4, 5], [7, 7], [5, 5]
PAIRS = [
    (A, [4]), (B, [5, 6, 7]), (A, [4, 5]), (C, []), (A, []), (B, [5, 6, 8]), (A, [4]), (C, [4, 4]),
    (B, [5, 6, 7, 8, 8]), (A, [5, 4, 4, 8]), (C, [4, 4, 7]), (B, [5, 6, 7]), (B, [1, 6, 7]),
    (D, [6]), (E, [5]),
]  # fmt: skip


def model(**changes: object) -> Seq2Seq:
    torch.manual_seed(1)
    shape = {"vocabulary": 9, "embedding": 4, "hidden": 6, **changes}
    return Seq2Seq(ModelConfig(**shape))


def scored(models: list[Seq2Seq], pairs: list[tuple[list[int], list[int]]]) -> list[list[float]]:
    sources, targets = map(list, zip(*pairs, strict=True))
    return [p.tolist() for p in subword_log_probabilities(models, Data(sources, targets, []))]


@torch.inference_mode()
def alone(network: Seq2Seq, source: list[int], target: list[int]) -> NDArray[np.float64]:
    x, y = torch.tensor([[*source, EOS]]), torch.tensor([[BOS, *target]])
    logits = network.eval()(x, y, torch.arange(y.shape[1]))
    return logits.log_softmax(-1)[range(y.shape[1]), [*target, EOS]].double().numpy()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limit batches and chunks to a few nodes."""
    monkeypatch.setattr(prefixes, "MAX_NODES", 8)
    monkeypatch.setattr(prefixes, "CHUNK", 3)


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("attention", ["none", "dot", "bilinear", "mlp"])
def test_pairs_together_score_as_each_alone(cell: str, attention: str) -> None:
    network = model(cell=cell, attention=attention)
    for (x, y), log_p in zip(PAIRS, scored([network], PAIRS), strict=True):
        np.testing.assert_allclose(log_p, alone(network, x, y), atol=1e-5)


@pytest.mark.usefixtures("small", "two_threads")
def test_pairs_in_small_batches_and_threads_score_as_each_alone() -> None:
    network = model()
    for (x, y), log_p in zip(PAIRS, scored([network], PAIRS), strict=True):
        np.testing.assert_allclose(log_p, alone(network, x, y), atol=1e-5)


def test_order_and_number_of_pairs_change_nothing() -> None:
    network, encoded = model(), []
    network.encoder[0].register_forward_pre_hook(lambda _, inputs: encoded.append(inputs[0]))
    expected = scored([network], PAIRS)
    assert scored([network], PAIRS[::-1]) == expected[::-1]
    assert scored([network], PAIRS * 2) == expected * 2
    encoded.sort(key=lambda x: x.shape[1])  # batches run in parallel, so that either may be first
    assert len(encoded) == 6
    for k in range(3):  # sources of three and of four subwords
        assert torch.equal(encoded[k], encoded[0])
        assert torch.equal(encoded[3 + k], encoded[3])


def test_several_models_give_their_mean_probability() -> None:
    one, other = model(), model(hidden=8)
    for (x, y), log_p in zip(PAIRS, scored([one, other], PAIRS), strict=True):
        mean = (np.exp(alone(one, x, y)) + np.exp(alone(other, x, y))) / 2
        np.testing.assert_allclose(np.exp(log_p), mean, atol=1e-5)


def test_each_source_is_encoded_and_each_prefix_read_once() -> None:
    network, encoded, read = model(), [], []
    network.encoder[0].register_forward_pre_hook(lambda _, inputs: encoded.append(len(inputs[0])))
    step = prefixes.STEPS["lstm"]

    def counted(w, of_inputs, state):  # type: ignore[no-untyped-def]
        read.append(len(of_inputs))
        return step(w, of_inputs, state)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(prefixes.STEPS, "lstm", counted)
        scored([network], PAIRS)
    distinct = {(*x, BOS, *y[:t]) for x, y in PAIRS for t in range(len(y) + 1)}
    assert sum(encoded) == 5
    assert sum(read) == 2 * len(distinct)  # by two layers


@pytest.mark.usefixtures("small")
def test_sizes_of_batches_and_logits_are_bounded() -> None:
    network, sizes, rows = model(), [], []
    network.embedding.register_forward_pre_hook(lambda _, inputs: sizes.append(inputs[0].shape))
    logits = network.logits
    network.logits = lambda o: rows.append(len(o)) or logits(o)  # type: ignore[method-assign]
    pairs = [(A, [4 + k % 5, 4 + k // 5 % 5, 4 + k // 25]) for k in range(125)]
    for (x, y), log_p in zip(pairs, scored([network], pairs), strict=True):
        np.testing.assert_allclose(log_p, alone(model(), x, y), atol=1e-5)
    assert max(a * b for a, b in sizes) <= 8
    assert max(rows) <= 3
