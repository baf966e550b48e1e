from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from mtkit.nmt.data import Batch, Data, batch_rows, drop_words, epoch
from mtkit.nmt.loss import loss_of, perplexity
from mtkit.nmt.model import Attention, ModelConfig, Seq2Seq, Source, VariationalDropout
from mtkit.nmt.recipe import TrainConfig, learning_rate
from mtkit.text.vocabulary import BOS, EOS, PAD, UNK


def tiny(**changes: object) -> Seq2Seq:
    torch.manual_seed(1)
    config = {"vocabulary": 9, "embedding": 4, "hidden": 6, "dropout": 0.0, **changes}
    return Seq2Seq(ModelConfig(**config)).eval()


def some_data(n: int = 12) -> Data:
    rng = torch.Generator().manual_seed(2)

    def sequence() -> list[int]:
        length = int(torch.randint(1, 5, (1,), generator=rng))
        return torch.randint(4, 9, (length,), generator=rng).tolist()

    sources, targets = ([sequence() for _ in range(n)] for _ in range(2))
    return Data(sources, targets, [len(t) for t in targets])


def test_the_lstm_follows_its_equations() -> None:
    lstm = nn.LSTM(3, 5, batch_first=True)
    x = torch.randn(2, 7, 3)
    h, c = torch.zeros(2, 5), torch.zeros(2, 5)
    states = []
    for t in range(7):
        gates = functional.linear(x[:, t], lstm.weight_ih_l0, lstm.bias_ih_l0)
        gates = gates + functional.linear(h, lstm.weight_hh_l0, lstm.bias_hh_l0)
        i, f, candidate, o = gates.chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * candidate.tanh()
        h = o.sigmoid() * c.tanh()
        states.append(h)
    torch.testing.assert_close(lstm(x)[0], torch.stack(states, 1))


@pytest.mark.parametrize("kind", ["dot", "bilinear", "mlp"])
def test_attention_is_its_equation(kind: str) -> None:
    torch.manual_seed(3)
    attention = Attention(kind, 4)
    s, H = torch.randn(2, 3, 4), torch.randn(2, 5, 4)
    context, alpha = attention(s, Source(H, attention.precompute(H), H[:, 0]))

    def a(query: Tensor, state: Tensor) -> Tensor:
        if kind == "dot":
            return query @ state
        if kind == "bilinear":
            return query @ (attention.keys.weight @ state)
        mixed = torch.tanh(attention.query(query) + attention.keys.weight @ state)
        return attention.v.weight[0] @ mixed

    for b, t in product(range(2), range(3)):
        weights = torch.stack([a(s[b, t], H[b, i]) for i in range(5)]).softmax(0)
        torch.testing.assert_close(alpha[b, t], weights)
        torch.testing.assert_close(
            context[b, t], sum(w * h for w, h in zip(weights, H[b], strict=True))
        )
    torch.testing.assert_close(alpha.sum(-1), torch.ones(2, 3))


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("attention", ["none", "dot", "bilinear", "mlp"])
def test_gradients_equal_finite_differences(cell: str, attention: str) -> None:
    model = tiny(cell=cell, attention=attention, embedding=2, hidden=4, encoder_layers=2).double()
    batch = Data([[4, 5], [6, 7]], [[5], [7, 8, 4]], []).batch([0, 1])

    def loss() -> Tensor:
        return functional.cross_entropy(
            model(batch.x, batch.y_in, batch.real), batch.y_out[batch.y_out != PAD]
        )

    loss().backward()
    for name, p in model.named_parameters():
        if p.grad is None:
            assert attention == "none", name
            continue
        at = torch.randint(p.numel(), (1,)).item()
        flat, step = p.data.view(-1), 1e-6
        value = flat[at].item()
        flat[at] = value + step
        up = loss().item()
        flat[at] = value - step
        down = loss().item()
        flat[at] = value
        numeric = (up - down) / (2 * step)
        padding = name == "embedding.weight" and at < p.shape[1]
        if not padding:
            assert p.grad.view(-1)[at].item() == pytest.approx(numeric, abs=1e-7), name


def test_the_embeddings_are_tied() -> None:
    names = [name for name, _ in tiny().named_parameters() if "embed" in name]
    assert names == ["embedding.weight"]
    model, o = tiny(), torch.randn(2, 4)
    torch.testing.assert_close(model.logits(o), o @ model.embedding.weight.T + model.bias)


def test_stacked_layers_are_residual() -> None:
    one, two = tiny(decoder_layers=1), tiny(decoder_layers=2)
    shared = {k: v for k, v in one.state_dict().items() if not k.startswith("initial")}
    two.load_state_dict(shared, strict=False)
    two.initial.weight.data[:6] = one.initial.weight.data
    for p in two.decoder[1].parameters():
        p.data.zero_()  # with zero weights and c = 0 the layer returns h = ½ tanh(0) = 0
    batch = Data([[4, 5]], [[5, 6]], []).batch([0])
    torch.testing.assert_close(
        two(batch.x, batch.y_in, batch.real), one(batch.x, batch.y_in, batch.real)
    )


def test_variational_dropout_keeps_one_mask_over_time() -> None:
    dropout = VariationalDropout(0.5).train()
    out = dropout(torch.ones(3, 7, 50))
    assert torch.equal(out, out[:, :1].expand_as(out))
    assert set(out.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(dropout.eval()(out), out)


def test_perplexity_is_its_definition() -> None:
    model, data = tiny(), some_data()
    total = 0.0
    for x, y in zip(data.sources, data.targets, strict=True):
        source = model.encode(torch.tensor([[*x, EOS]]))
        o, _, _ = model.decode(torch.tensor([[BOS, *y]]), source, model.start(source))
        logp = model.logits(o[0]).log_softmax(-1)
        total += sum(logp[t, w].item() for t, w in enumerate([*y, EOS]))
    tokens = sum(len(y) + 1 for y in data.targets)
    expected = torch.tensor(-total / tokens).exp().item()
    assert perplexity(model, data) == pytest.approx(expected, rel=1e-5)


# --- batches and schedule


def test_batches_have_one_source_length_and_an_epoch_has_every_row_once() -> None:
    import numpy as np

    data = some_data(100)
    rng = np.random.default_rng(1)
    first, second = (epoch(data, 8, rng) for _ in range(2))
    for batches in (first, second, list(batch_rows(data.sources, 8))):
        assert sorted(r for rows in batches for r in rows) == list(range(100))
        assert all(len({len(data.sources[r]) for r in rows}) == 1 for rows in batches)
        assert max(map(len, batches)) <= 8
    assert list(first) != list(second)
    again = epoch(data, 8, np.random.default_rng(1))
    assert list(again) == list(first)


def test_word_dropout_keeps_the_specials() -> None:
    y = torch.tensor([[BOS, 4, 5, 6, PAD, EOS]] * 200)
    dropped = drop_words(y, 0.5)
    assert torch.equal(dropped[:, [0, 4, 5]], y[:, [0, 4, 5]])
    share = (dropped[:, 1:4] == UNK).float().mean().item()
    assert 0.4 < share < 0.6
    assert torch.equal(drop_words(y, 0.0), y)


def test_the_learning_rate_warms_up_and_falls_along_a_cosine() -> None:
    config = TrainConfig(learning_rate=1.0, warmup=10)
    rates = [learning_rate(u, 110, config) for u in range(110)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(rates[10], abs=1e-3) == pytest.approx(1.0, abs=1e-3)
    assert rates[60] == pytest.approx(0.51)
    assert rates[-1] == pytest.approx(0.02, abs=1e-3)


def test_epochs_shuffle_lengths_and_batches() -> None:
    data = some_data(100)
    rng = np.random.default_rng(1)
    first, second = (epoch(data, 8, rng) for _ in range(2))
    lengths = [len(data.sources[rows[0]]) for rows in first]
    assert lengths != sorted(lengths)
    assert {frozenset(rows) for rows in first} != {frozenset(rows) for rows in second}


def test_the_encoder_reads_the_source_in_both_directions() -> None:
    model, x = tiny(), torch.tensor([[4, 5, 6, EOS]])
    source = model.encode(x)
    for i in range(4):
        before, behind = model.encode(x[:, : i + 1]), model.encode(x[:, i:])
        torch.testing.assert_close(source.H[:, i, :3], before.H[:, -1, :3])
        torch.testing.assert_close(source.H[:, i, 3:], behind.H[:, 0, 3:])
    ends = torch.cat((source.H[:, -1, :3], source.H[:, 0, 3:]), -1)
    torch.testing.assert_close(source.summary, ends)


def test_stacked_encoder_layers_are_residual() -> None:
    one, two = tiny(encoder_layers=1), tiny(encoder_layers=2)
    two.load_state_dict(one.state_dict(), strict=False)
    for p in two.encoder[1].parameters():
        p.data.zero_()
    x = torch.tensor([[4, 5, EOS]])
    torch.testing.assert_close(two.encode(x).H, one.encode(x).H)


@torch.inference_mode()
def test_without_attention_the_decoder_sees_the_last_states_only() -> None:
    model, y = tiny(attention="none"), torch.tensor([[4, 5]])
    source = model.encode(torch.tensor([[4, 5, 6, EOS]]))
    state = model.start(source)
    expected = model.decode(y, source, state)[0]
    other = Source(torch.randn_like(source.H), source.keys, source.summary)
    torch.testing.assert_close(model.decode(y, other, state)[0], expected)
    other = Source(source.H, source.keys, torch.randn_like(source.summary))
    assert not torch.allclose(model.decode(y, other, state)[0], expected)


def test_forget_gates_start_open() -> None:
    for layer in tiny().decoder:
        i, f, candidate, o = layer.bias_ih_l0.chunk(4)  # in the order of the gate equations above
        assert torch.equal(f, torch.ones(6))
        assert not torch.cat((i, candidate, o, layer.bias_hh_l0)).any()


def test_dropout_is_active_in_training_only() -> None:
    batch = Data([[4, 5]], [[5, 6]], []).batch([0])
    model = tiny(dropout=0.5, hidden=32).train()
    a, b = (model(batch.x, batch.y_in, batch.real) for _ in range(2))
    assert not torch.equal(a, b)
    model.eval()
    plain = tiny(dropout=0.0, hidden=32)
    torch.testing.assert_close(
        model(batch.x, batch.y_in, batch.real), plain(batch.x, batch.y_in, batch.real)
    )


def test_variational_dropout_differs_from_sentence_to_sentence() -> None:
    out = VariationalDropout(0.5).train()(torch.ones(3, 7, 50))
    assert not torch.equal(out[0], out[1])


def test_perplexity_counts_words_without_dropout() -> None:
    model, data = tiny(dropout=0.5).train(), some_data()
    words = Data(data.sources, data.targets, [1] * len(data))  # one word in several pieces
    tokens = sum(len(t) + 1 for t in data.targets)
    in_pieces = math.log(perplexity(model, data)) * tokens
    model.train()
    assert math.log(perplexity(model, words)) * 2 * len(data) == pytest.approx(in_pieces, rel=1e-5)


def test_the_loss_is_smoothed_and_ignores_padding() -> None:
    model, smoothing = tiny(), 0.3
    batch = Data([[4, 5], [6, 7]], [[5], [7, 8, 4]], []).batch([0, 1])
    logp = model(batch.x, batch.y_in, batch.real).log_softmax(-1)  # padding left out
    gold = batch.y_out[batch.y_out != PAD]
    nll = -logp[torch.arange(len(gold)), gold]
    expected = ((1 - smoothing) * nll - smoothing * logp.mean(-1)).mean()
    assert len(gold) == 6
    torch.testing.assert_close(loss_of(model, batch, smoothing, batch.y_in), expected)


@pytest.mark.parametrize("attention", ["none", "mlp"])
def test_filler_sentences_change_neither_loss_nor_gradients(attention: str) -> None:
    model = tiny(attention=attention).double()
    filled = Data([[4, 5], [6, 7], [8, 4]], [[5], [7, 8, 4], []], []).batch([0, 1, 2])
    assert filled.x.shape == (16, 3)
    bare = Batch(filled.x[:3], filled.y_in[:3], filled.y_out[:3], filled.rows)
    losses, gradients = [], []
    for batch in (bare, filled):
        loss = loss_of(model, batch, 0.1, batch.y_in)
        losses.append(loss)
        gradients.append(torch.autograd.grad(loss, [*model.parameters()], allow_unused=True))
    torch.testing.assert_close(*losses)
    torch.testing.assert_close(*gradients)
