"""Beam search for argmax_y ln P(y|x) / |y|^λ, in batches of equal source length.

Several models make an ensemble: P(y_t | y_<t, x) is then the mean of what each gives.

Letters: B sentences, K hypotheses each (the beam), V vocabulary, I source length.
λ is the length normalisation: 0 compares bare probabilities and favours short output, 1 the mean
per token (Wu et al. 2016, equation 14, has a softer form of the same idea).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mtkit.nmt.model import Seq2Seq, Source, State, mean_probability
from mtkit.text.vocabulary import BOS, EOS, PAD, UNK


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


def _select(states: list[State], rows: Tensor) -> list[State]:
    return [
        [tuple(part.index_select(1, rows) for part in layer) for layer in state] for state in states
    ]


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
    models: Sequence[Seq2Seq],
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
    every = torch.arange(B, device=x.device).repeat_interleave(K)
    encoded = [model.encode(x) for model in models]
    states = _select([m.start(s) for m, s in zip(models, encoded, strict=True)], every)
    sources = [source.select(every) for source in encoded]
    scores = torch.full((B, K), -torch.inf, device=x.device)
    scores[:, 0] = 0.0  # the K copies of the start are one hypothesis
    tokens = torch.full((B * K, 1), BOS, device=x.device)
    live = list(range(B))
    finished: list[list[Output]] = [[] for _ in range(B)]
    steps: list[_Step] = []
    while live:
        length = len(steps) + 1
        choice = _advance(models, tokens, sources, states, scores, last=length >= limit)
        kept_scores, kept_rows, kept_tokens, kept_logprobs = _split(
            choice, steps, finished, live, K, normalisation
        )
        best_live = kept_scores[:, 0].tolist()
        alive = [
            b
            for b, sentence in enumerate(live)
            if length < limit and len(finished[sentence]) < K and best_live[b] > -torch.inf
        ]
        index = torch.tensor(alive, dtype=torch.int64, device=x.device)
        rows = kept_rows[index].reshape(-1)
        steps.append(
            _Step(
                parent=rows.tolist(),
                token=kept_tokens[index].reshape(-1).tolist(),
                logprob=kept_logprobs[index].reshape(-1).tolist(),
                attention=choice.attention[rows].tolist(),
            )
        )
        scores = kept_scores[index]
        tokens = kept_tokens[index].reshape(-1, 1)
        states = _select(choice.states, rows)
        if len(alive) < len(live):
            kept = (index[:, None] * K + torch.arange(K, device=x.device)).reshape(-1)
            sources = [source.select(kept) for source in sources]
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
    states: list[State]


def _advance(
    models: Sequence[Seq2Seq],
    tokens: Tensor,
    sources: list[Source],
    states: list[State],
    scores: Tensor,
    last: bool,
) -> _Choice:
    """One decoder step for all live hypotheses. 2K continuations leave K where K of them end."""
    B, K = scores.shape
    steps = [
        model.decode(tokens, source, state)
        for model, source, state in zip(models, sources, states, strict=True)
    ]
    each = [m.logits(o[:, 0]).log_softmax(-1) for m, (o, _, _) in zip(models, steps, strict=True)]
    logp = mean_probability(each)  # (B·K, V)
    alpha = torch.stack([alpha[:, 0] for _, alpha, _ in steps]).sum(0)
    logp[:, PAD] = logp[:, BOS] = -torch.inf
    if last:
        logp[:, :EOS] = logp[:, EOS + 1 :] = -torch.inf
    V = logp.shape[1]
    total = (scores.reshape(-1, 1) + logp).reshape(B, K * V)
    best, flat = total.topk(min(2 * K, K * V), dim=-1)
    rows = flat // V + torch.arange(B, device=flat.device)[:, None] * K
    chosen = flat % V
    own = logp[rows, chosen]
    return _Choice(best, own, rows, chosen, alpha.argmax(-1), [after for _, _, after in steps])


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
