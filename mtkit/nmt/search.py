"""Beam search for argmax_y ln P(y|x) / |y|^λ, in batches of equal source length.

Several models form an ensemble: P(y_t | y_<t, x) is the mean of the models' probabilities.

Letters: B sentences, K hypotheses each (the beam), V vocabulary, I source length.
λ is the length normalisation: 0 compares plain probabilities and favours short output, 1 compares
the mean per token (Wu et al. 2016, equation 14, has a softer form of the same idea).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from mtkit.nmt.model import Seq2Seq, State, mean_probability
from mtkit.text.vocabulary import BOS, EOS, PAD

BLOCK = 64  # values of which ``largest`` takes the maximum first


@dataclass(frozen=True)
class Output:
    """A finished hypothesis.

    ids: target subwords without special symbols. logprobs: ln p of each and of ``</s>``.
    attention[t]: the source position with the largest weight when ids[t] was produced. score:
    ln P(y|x) / |y|^λ.
    """

    ids: list[int]
    logprobs: list[float]
    attention: list[int]
    score: float


@torch.inference_mode()
def beam_search(
    models: Sequence[Seq2Seq], x: Tensor, beam: int = 5, normalisation: float = 1.0,
    max_length: int | None = None,
) -> list[list[Output]]:  # fmt: skip
    """Return 1 to ``beam`` translations of each row of ``x`` (B, I), best first.

    A sentence is finished when it has ``beam`` complete hypotheses, or at ``max_length`` tokens
    including ``</s>`` (default 2 I + 10), where every live hypothesis is forced to end.
    """
    search = _Search(models, x, beam, normalisation)
    limit = max_length or 2 * x.shape[1] + 10
    for length in range(1, limit + 1):
        choice = search.extend(last=length == limit)
        search.finish(choice)
        if length < limit:
            search.keep(choice)
        if not search.live:
            break
    return [sorted(outputs, key=lambda o: -o.score)[:beam] for outputs in search.finished]


@dataclass(frozen=True)
class _Choice:
    """The 2K best continuations of each sentence; all but ``attention`` are (B, 2K).

    scores: total ln p. logprobs: ln p of the new token. rows: the extended hypotheses' rows.
    tokens: the new token. attention: each hypothesis's source position of largest weight, (B·K,).
    """

    scores: Tensor
    logprobs: Tensor
    rows: Tensor
    tokens: Tensor
    attention: Tensor


class _Search:
    """State of a search: the K hypotheses of sentence ``live[b]`` are rows K b … K b + K − 1."""

    def __init__(self, models: Sequence[Seq2Seq], x: Tensor, K: int, normalisation: float) -> None:
        B = len(x)
        self.models, self.K, self.normalisation = models, K, normalisation
        rows = torch.arange(B, device=x.device).repeat_interleave(K)
        encoded = [model.encode(x) for model in models]
        self.sources = [source.select(rows) for source in encoded]
        starts = [model.start(source) for model, source in zip(models, encoded, strict=True)]
        self.states = _select_rows(starts, rows)
        self.scores = torch.full((B, K), -torch.inf, device=x.device)
        self.scores[:, 0] = 0.0  # the K copies of the start are one hypothesis
        self.tokens = torch.full((B * K, 1), BOS, device=x.device)
        self.live = list(range(B))
        self.finished: list[list[Output]] = [[] for _ in range(B)]
        # Back-pointers of each step: parent row, token, its ln p, its attention; (B·K,) each.
        self.steps: list[tuple[list[int], list[int], list[float], list[int]]] = []

    def extend(self, last: bool) -> _Choice:
        """Do one decoder step. Of 2K continuations K remain even if the K best all end.

        last: allow only ``</s>``.
        """
        B, K = self.scores.shape
        inputs = zip(self.models, self.sources, self.states, strict=True)
        decoded = [model.decode(self.tokens, source, state) for model, source, state in inputs]
        self.states = [state for _, _, state in decoded]
        outputs = zip(self.models, decoded, strict=True)
        by_model = [model.logits(o[:, 0]).log_softmax(-1) for model, (o, _, _) in outputs]
        logp = mean_probability(by_model)  # (B·K, V)
        alpha = torch.stack([alpha[:, 0] for _, alpha, _ in decoded]).sum(0)  # (B·K, I)
        logp[:, PAD] = logp[:, BOS] = -torch.inf
        if last:
            logp[:, :EOS] = logp[:, EOS + 1 :] = -torch.inf
        V = logp.shape[1]
        total = (self.scores.reshape(-1, 1) + logp).reshape(B, K * V)
        best, flat = largest(total, min(2 * K, K * V))  # (B, 2K)
        parents = flat // V + torch.arange(B, device=flat.device)[:, None] * K
        tokens = flat % V
        return _Choice(best, logp[parents, tokens], parents, tokens, alpha.argmax(-1))

    def finish(self, choice: _Choice) -> None:
        """Move the complete hypotheses among the best K to ``finished``."""
        for b, rank in (choice.tokens == EOS)[:, : self.K].nonzero().tolist():
            total = choice.scores[b, rank].item()
            if total == -torch.inf:
                continue
            ids, logprobs, attention = self._trace(int(choice.rows[b, rank]))
            logprobs.append(choice.logprobs[b, rank].item())
            score = total / len(logprobs) ** self.normalisation
            self.finished[self.live[b]].append(Output(ids, logprobs, attention, score))

    def keep(self, choice: _Choice) -> None:
        """Keep the K best incomplete hypotheses of each sentence that is not finished."""
        K, device = self.K, self.tokens.device
        incomplete = choice.scores.masked_fill(choice.tokens == EOS, -torch.inf)
        scores, order = incomplete.topk(K, dim=-1)  # (B, K)
        best = scores[:, 0].tolist()
        alive = [
            b
            for b, sentence in enumerate(self.live)
            if len(self.finished[sentence]) < K and best[b] > -torch.inf
        ]
        index = torch.tensor(alive, dtype=torch.int64, device=device)
        fields = choice.rows, choice.tokens, choice.logprobs
        rows, tokens, logprobs = (f.gather(1, order)[index].reshape(-1) for f in fields)
        step = rows.tolist(), tokens.tolist(), logprobs.tolist(), choice.attention[rows].tolist()
        self.steps.append(step)
        self.scores, self.tokens = scores[index], tokens[:, None]
        self.states = _select_rows(self.states, rows)
        if len(alive) < len(self.live):
            source_rows = (index[:, None] * K + torch.arange(K, device=device)).reshape(-1)
            self.sources = [source.select(source_rows) for source in self.sources]
            self.live = [self.live[b] for b in alive]

    def _trace(self, row: int) -> tuple[list[int], list[float], list[int]]:
        """Follow the back-pointers from ``row``; return tokens, their ln p and attention."""
        ids, logprobs, attention = [], [], []
        for parent, token, logprob, position in reversed(self.steps):
            ids.append(token[row])
            logprobs.append(logprob[row])
            attention.append(position[row])
            row = parent[row]
        return ids[::-1], logprobs[::-1], attention[::-1]


def _select_rows(states: list[State], rows: Tensor) -> list[State]:
    return [
        [tuple(part.index_select(1, rows) for part in layer) for layer in state] for state in states
    ]


def largest(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the ``k`` largest values in each row of ``x`` (B, n), best first, and their columns.

    Both are (B, k). They lie in the ``k`` blocks with the largest maxima, which are found in less
    time.
    """
    padded = functional.pad(x, (0, -x.shape[1] % BLOCK), value=-torch.inf)
    blocks = padded.reshape(len(x), -1, BLOCK)
    if k >= blocks.shape[1]:
        return x.topk(k)
    chosen = blocks.amax(-1).topk(k).indices  # (B, k)
    values, places = blocks.gather(1, chosen[..., None].expand(-1, -1, BLOCK)).flatten(1).topk(k)
    return values, chosen.gather(1, places // BLOCK) * BLOCK + places % BLOCK
