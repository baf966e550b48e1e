"""Beam search against plain loops that rerun the decoder for every prefix."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch
from torch import Tensor

from mtkit.nmt.data import Data
from mtkit.nmt.model import ModelConfig, Seq2Seq
from mtkit.nmt.prefixes import subword_log_probabilities
from mtkit.nmt.search import BLOCK, Output, beam_search, largest
from mtkit.text.vocabulary import BOS, EOS, PAD, UNK

WORDS = [4, 5, 6]


def tiny(seed: int = 1, words: int = 3, **changes: object) -> Seq2Seq:
    """Return random weights, with embeddings so large that probabilities of words differ."""
    torch.manual_seed(seed)
    config = {"vocabulary": 4 + words, "embedding": 6, "hidden": 8, "dropout": 0.0, **changes}
    model = Seq2Seq(ModelConfig(**config)).eval()
    model.embedding.weight.data[PAD + 1 :] *= 4
    return model


def next_logprobs(model: Seq2Seq, x: Tensor, prefix: list[int]) -> Tensor:
    """ln p of every subword after ``prefix`` for one source ``x`` (1, I)."""
    source = model.encode(x)
    o, _, _ = model.decode(torch.tensor([[BOS, *prefix]]), source, model.start(source))
    return model.logits(o[0, -1]).log_softmax(-1)


def rows(n: int, length: int = 3, words: int = 3) -> list[list[int]]:
    """``n`` random sources of one length."""
    generator = torch.Generator().manual_seed(n)
    return torch.randint(4, 4 + words, (n, length), generator=generator).tolist()


def with_eos(sources: list[list[int]]) -> Tensor:
    return torch.tensor([[*s, EOS] for s in sources])


@torch.inference_mode()
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_a_beam_of_one_is_a_greedy_loop(cell: str) -> None:
    lengths = set()
    for seed in range(8):
        model = tiny(seed, words=8, cell=cell)
        x = with_eos(rows(4, words=8))
        for k, [output] in enumerate(beam_search([model], x, beam=1, max_length=7)):
            ids: list[int] = []
            while len(ids) < 6:
                logp = next_logprobs(model, x[k : k + 1], ids)
                logp[[PAD, BOS]] = -torch.inf
                best = int(logp.argmax())
                if best == EOS:
                    break
                ids.append(best)
            assert output.ids == ids
            lengths.add(len(ids))
    assert len(lengths) > 1, "the models are too much alike to prove anything"


@torch.inference_mode()
@pytest.mark.parametrize("attention", ["none", "bilinear"])
@pytest.mark.parametrize("normalisation", [0.0, 0.6, 1.0])
def test_a_wide_beam_is_exhaustive_search(attention: str, normalisation: float) -> None:
    model = tiny(attention=attention)
    x = with_eos(rows(2))
    found = beam_search([model], x, beam=200, normalisation=normalisation, max_length=4)
    for k, outputs in enumerate(found):
        scores: dict[tuple[int, ...], float] = {}
        totals: dict[tuple[int, ...], float] = {(): 0.0}
        for length in range(4):
            for ids in product([UNK, *WORDS], repeat=length):
                logp = next_logprobs(model, x[k : k + 1], list(ids)).tolist()
                scores[ids] = (totals[ids] + logp[EOS]) / (length + 1) ** normalisation
                totals |= {(*ids, w): totals[ids] + logp[w] for w in (UNK, *WORDS)}
        assert len(scores) == 1 + 4 + 16 + 64
        assert {tuple(o.ids): o.score for o in outputs} == pytest.approx(scores, abs=1e-4)
        assert len(outputs) == len(scores)
        assert tuple(outputs[0].ids) == max(scores, key=lambda ids: scores[ids])


def check(model: Seq2Seq, source: list[int], outputs: list[Output], limit: int) -> None:
    """Check what holds for all outputs of a search."""
    assert outputs
    scores = [o.score for o in outputs]
    assert scores == sorted(scores, reverse=True)
    assert len({tuple(o.ids) for o in outputs}) == len(outputs)
    n = len(outputs)
    data = Data([source] * n, [o.ids for o in outputs], [len(o.ids) for o in outputs])
    for o, log_p in zip(outputs, subword_log_probabilities([model], data), strict=True):
        expected = float(log_p.sum())
        assert len(o.ids) + 1 == len(o.logprobs) <= limit
        assert not {PAD, BOS, EOS} & set(o.ids)
        assert sum(o.logprobs) == pytest.approx(expected, abs=1e-4)
        assert o.score == pytest.approx(expected / len(o.logprobs), abs=1e-4)


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_logprobs_are_the_models_for_every_batch_size(batch: int) -> None:
    model = tiny(words=8)
    sources = rows(batch, words=8)
    found = beam_search([model], with_eos(sources), beam=4)
    assert len(found) == batch
    for source, outputs in zip(sources, found, strict=True):
        assert len(outputs) <= 4
        check(model, source, outputs, limit=2 * 4 + 10)


def test_a_sentence_has_the_same_outputs_in_any_batch() -> None:
    model = tiny(words=8)
    x = with_eos(rows(64, words=8))
    together = beam_search([model], x, beam=3)
    for k in range(0, 64, 9):
        [alone] = beam_search([model], x[k : k + 1], beam=3)
        assert [o.ids for o in together[k]] == [o.ids for o in alone]
        assert [o.attention for o in together[k]] == [o.attention for o in alone]
        assert [o.score for o in together[k]] == pytest.approx([o.score for o in alone], abs=1e-5)


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_outputs_end_at_the_length_limit(limit: int) -> None:
    model = tiny(words=8)
    model.bias.data[EOS] = -50.0
    sources = rows(3, words=8)
    found = beam_search([model], with_eos(sources), beam=3, max_length=limit)
    for source, outputs in zip(sources, found, strict=True):
        assert {len(o.ids) for o in outputs} == {limit - 1}
        check(model, source, outputs, limit)
    [[unlimited]] = beam_search([model], with_eos(sources[:1]), beam=1)
    assert len(unlimited.logprobs) == 2 * 4 + 10


def test_a_model_that_ends_at_once_has_empty_output() -> None:
    model = tiny()
    model.bias.data[EOS] = 50.0
    for [best, *_] in beam_search([model], with_eos(rows(3)), beam=1):
        assert best.ids == best.attention == []
        assert math.isclose(best.score, 0.0, abs_tol=1e-4)


@torch.inference_mode()
def test_attention_is_the_argmax_of_the_decoder_step() -> None:
    model = tiny(words=8)
    model.attention.keys.weight.data *= 8
    x = with_eos(rows(3, length=5, words=8))
    looked = set()
    for k, outputs in enumerate(beam_search([model], x, beam=4)):
        source = model.encode(x[k : k + 1])
        for o in outputs:
            y = torch.tensor([[BOS, *o.ids]])
            _, alpha, _ = model.decode(y, source, model.start(source))
            assert o.attention == alpha[0, :-1].argmax(-1).tolist()
            looked |= set(o.attention)
    assert len(looked) > 1


def plain_beam(model: Seq2Seq, x: torch.Tensor, K: int, limit: int) -> dict[tuple[int, ...], float]:
    """The search of the module's docstring for one source, in lists, with λ = 1."""
    live, done = [(0.0, ())], {}
    for length in range(1, limit + 1):
        every = []
        for total, ids in live:
            logp = next_logprobs(model, x, list(ids)).tolist()
            every += [
                (total + logp[w], (*ids, w))
                for w in range(len(logp))
                if w == EOS or (w not in (PAD, BOS) and length < limit)
            ]
        every.sort(reverse=True)
        done |= {ids[:-1]: s / length for s, ids in every[:K] if ids[-1] == EOS}
        live = [(s, ids) for s, ids in every if ids[-1] != EOS][:K]
        if len(done) >= K or not live:
            break
    return dict(sorted(done.items(), key=lambda item: -item[1])[:K])


@torch.inference_mode()
@pytest.mark.parametrize("beam", [2, 4])
def test_a_narrow_beam_is_the_plain_loop(beam: int) -> None:
    for seed in range(6):
        model = tiny(seed, words=8)
        model.bias.data[EOS] = 2.0
        x = with_eos(rows(6, words=8))
        for k, outputs in enumerate(beam_search([model], x, beam=beam, max_length=7)):
            expected = plain_beam(model, x[k : k + 1], beam, 7)
            found = {tuple(o.ids): o.score for o in outputs}
            assert list(found) == list(expected)
            assert found == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("n", [1, BLOCK - 1, 3 * BLOCK, 40 * BLOCK + 7])
@pytest.mark.parametrize("k", [1, 10])
def test_the_largest_values_are_found_exactly(n: int, k: int) -> None:
    x = torch.randn(50, n)
    x[0, n // 2 :] = x[1] = -torch.inf
    x[2] = x[2].sort().values
    k = min(k, n)
    values, columns = largest(x, k)
    assert torch.equal(values, x.topk(k).values)
    assert torch.equal(x.gather(1, columns), values)
    assert all(len(set(row)) == k for row in columns.tolist())
