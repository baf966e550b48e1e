"""Beam search for argmax_y ln P(y|x) / |y|^λ, in batches of equal source length.

Letters: B sentences, K hypotheses each (the beam), V vocabulary, I source length.
λ is the length normalisation: 0 compares bare probabilities and favours short output, 1 the mean
per token (Wu et al. 2016, equation 14, has a softer form of the same idea).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mtkit.nmt.model import Seq2Seq, Source, State
from mtkit.vocabulary import BOS, EOS, PAD, UNK


@dataclass(frozen=True)
class Output:
    """ids: target subwords, without specials; logprobs: ln p of each and of ``</s>``;
    attention[t]: the source position looked at most when ids[t] was produced.
    """

    ids: list[int]
    logprobs: list[float]
    attention: list[int]
    score: float


@dataclass(frozen=True)
class _Step:
    """What one step chose for each live hypothesis, to trace back later; all (B·K,)."""

    parent: list[int]
    token: list[int]
    logprob: list[float]
    attention: list[int]


def _select(state: State, rows: Tensor) -> State:
    return [tuple(part.index_select(1, rows) for part in layer) for layer in state]


def _trace(steps: list[_Step], at: int) -> tuple[list[int], list[float], list[int]]:
    ids, logprobs, attention = [], [], []
    for step in reversed(steps):
        ids.append(step.token[at])
        logprobs.append(step.logprob[at])
        attention.append(step.attention[at])
        at = step.parent[at]
    return ids[::-1], logprobs[::-1], attention[::-1]


@torch.inference_mode()
def beam_search(
    model: Seq2Seq,
    x: Tensor,
    beam: int = 5,
    normalisation: float = 1.0,
    max_length: int | None = None,
) -> list[list[Output]]:
    """At most ``beam`` translations of each row of ``x`` (B, I), best first; at least one.

    A sentence is done when it has ``beam`` complete hypotheses or when ``max_length`` (default
    2 I + 10), counted with ``</s>``, is reached, where every live hypothesis is made to end.
    """
    B, I = x.shape
    K = beam
    limit = max_length or 2 * I + 10
    source = model.encode(x)
    state = model.start(source)
    every = torch.arange(B).repeat_interleave(K)
    source, state = source.select(every), _select(state, every)
    scores = torch.full((B, K), -torch.inf)
    scores[:, 0] = 0.0  # the K copies of the start are one hypothesis
    tokens = torch.full((B * K, 1), BOS)
    live = list(range(B))
    finished: list[list[Output]] = [[] for _ in range(B)]
    steps: list[_Step] = []
    while live:
        length = len(steps) + 1
        choice = _advance(model, tokens, source, state, scores, last=length >= limit)
        state, attention = choice.state, choice.attention
        kept_scores, kept_rows, kept_tokens, kept_logprobs = _split(
            choice, steps, finished, live, K, normalisation
        )
        best_live = kept_scores[:, 0].tolist()
        alive = [
            b
            for b, sentence in enumerate(live)
            if length < limit and len(finished[sentence]) < K and best_live[b] > -torch.inf
        ]
        index = torch.tensor(alive, dtype=torch.int64)
        rows = kept_rows[index].reshape(-1)
        steps.append(
            _Step(
                parent=rows.tolist(),
                token=kept_tokens[index].reshape(-1).tolist(),
                logprob=kept_logprobs[index].reshape(-1).tolist(),
                attention=attention[rows].tolist(),
            )
        )
        scores = kept_scores[index]
        tokens = kept_tokens[index].reshape(-1, 1)
        state = _select(state, rows)
        if len(alive) < len(live):
            source = source.select((index[:, None] * K + torch.arange(K)).reshape(-1))
            live = [live[b] for b in alive]
    return [sorted(outputs, key=lambda o: -o.score)[:K] for outputs in finished]


@dataclass(frozen=True)
class _Choice:
    """The 2K best continuations a sentence: total and own ln p, row of their parent, token."""

    scores: Tensor
    logprobs: Tensor
    rows: Tensor
    tokens: Tensor
    attention: Tensor
    state: State


def _advance(
    model: Seq2Seq, tokens: Tensor, source: Source, state: State, scores: Tensor, last: bool
) -> _Choice:
    """One decoder step for all live hypotheses. 2K continuations leave K where K of them end."""
    B, K = scores.shape
    o, alpha, state = model.decode(tokens, source, state)
    logp = model.logits(o[:, 0]).float().log_softmax(-1)  # (B·K, V)
    logp[:, PAD] = logp[:, BOS] = -torch.inf
    if last:
        logp[:, :EOS] = logp[:, EOS + 1 :] = -torch.inf
    V = logp.shape[1]
    total = (scores.reshape(-1, 1) + logp).reshape(B, K * V)
    best, flat = total.topk(min(2 * K, K * V), dim=-1)
    rows = flat // V + torch.arange(B)[:, None] * K
    chosen = flat % V
    own = logp[rows, chosen]
    return _Choice(best, own, rows, chosen, alpha[:, 0].argmax(-1), state)


def _split(
    choice: _Choice,
    steps: list[_Step],
    finished: list[list[Output]],
    live: list[int],
    K: int,
    normalisation: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Move what ends among the best K to ``finished``; keep the K best that go on, (B, K) each."""
    ends = choice.tokens == EOS
    for b, rank in ends[:, :K].nonzero().tolist():
        total = choice.scores[b, rank].item()
        if total == -torch.inf:
            continue
        ids, logprobs, attention = _trace(steps, int(choice.rows[b, rank]))
        logprobs.append(choice.logprobs[b, rank].item())
        score = total / len(logprobs) ** normalisation
        finished[live[b]].append(Output(ids, logprobs, attention, score))
    scores = choice.scores.masked_fill(ends, -torch.inf)
    kept, order = scores.topk(K, dim=-1)
    rows, tokens = choice.rows.gather(1, order), choice.tokens.gather(1, order)
    return kept, rows, tokens, choice.logprobs.gather(1, order)


def unknown_positions(output: Output) -> list[int]:
    """For each ``<unk>`` of the output, in order, the source position it was made from."""
    return [at for i, at in zip(output.ids, output.attention, strict=True) if i == UNK]
