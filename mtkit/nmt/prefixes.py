"""ln P(y_t | y_<t, x) of given translations; each distinct prefix is decoded once.

Translations of one source often share prefixes, above all in an n-best list, and the decoder's
state depends only on x and the prefix. The targets of one source therefore form a prefix tree, and
each node is computed once:

    <s> ─── ein ─┬─ mann ─── </s>
                 └─ hund ─┬─ </s>              ln P(y_t | y_<t, x) of node y_t comes from its
                          └─ bellt ─── </s>    parent's state; </s> is never an input

Letters: S sources of one length in a batch, one tree each; M the nodes of the largest tree, to
which the others are padded; N the nodes that are inputs, in all trees; D units of a state.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from mtkit.nmt import parallel
from mtkit.nmt.data import Data
from mtkit.nmt.model import Carried, Seq2Seq, mean_probability
from mtkit.nmt.recurrent.cells import STEPS, Step, weights_of
from mtkit.text.vocabulary import BOS, EOS, PAD

Ids = tuple[int, ...]
MAX_NODES = 2048  # largest S·M, unless one target is longer: bounds the memory of a batch
CHUNK = 128  # distributions over the vocabulary computed at once, so that they fit in the cache


def subword_log_probabilities(models: Sequence[Seq2Seq], data: Data) -> list[NDArray[np.float64]]:
    """Return ln P(y_t | y_<t, x) of each pair's target subwords and ``</s>``, (T,) float64 each.

    An ensemble gives the logarithm of its mean probability. On a CPU each thread computes batches
    of its own. The batches do not depend on the order of the pairs.
    """
    pairs = list(zip(map(tuple, data.sources), map(tuple, data.targets), strict=True))
    targets: dict[Ids, set[Ids]] = defaultdict(set)
    for x, y in pairs:
        targets[x].add(y)
    batches = list(_batches([tree for x in targets for tree in _trees(x, targets[x])]))[::-1]
    matrices = parallel.in_threads(partial(_log_p, models), batches, parallel.concurrent_batches())
    log_p = {
        (tree.source, y): row[path]
        for batch, matrix in zip(batches, matrices, strict=True)
        for tree, row in zip(batch, matrix, strict=True)
        for y, path in tree.paths.items()
    }
    return [log_p[pair] for pair in pairs]


@dataclass(frozen=True)
class _Tree:
    """Prefix tree of the targets of one source. Node 0 is ``<s>``.

    Node n has token ``tokens[n]``, parent ``parents[n]`` < n and depth ``depths[n]``. nodes:
    (parent, token) → node. paths: target → its nodes, that of ``</s>`` last.
    """

    source: Ids
    tokens: list[int] = field(default_factory=lambda: [BOS])
    parents: list[int] = field(default_factory=lambda: [0])
    depths: list[int] = field(default_factory=lambda: [0])
    nodes: dict[tuple[int, int], int] = field(default_factory=dict)
    paths: dict[Ids, list[int]] = field(default_factory=dict)

    def add(self, target: Ids) -> None:
        """Add ``target``; it shares the nodes of prefixes that are already there."""
        node, path = 0, []
        for depth, token in enumerate((*target, EOS), 1):
            edge = node, token
            node = self.nodes.setdefault(edge, len(self.tokens))
            if node == len(self.tokens):
                self.tokens.append(token)
                self.parents.append(edge[0])
                self.depths.append(depth)
            path.append(node)
        self.paths[target] = path

    def __len__(self) -> int:
        return len(self.tokens)


def _trees(source: Ids, targets: set[Ids]) -> Iterator[_Tree]:
    """Yield one tree of all targets, or several of at most ``MAX_NODES`` nodes each."""
    tree = _Tree(source)
    for target in sorted(targets):
        if tree.paths and len(tree) + len(target) >= MAX_NODES:
            yield tree
            tree = _Tree(source)
        tree.add(target)
    yield tree


def _batches(trees: Sequence[_Tree]) -> Iterator[list[_Tree]]:
    """Yield batches of trees with equal source length and similar size, the largest tree last."""
    order = sorted(trees, key=lambda tree: (len(tree.source), len(tree), tree.source))
    for _, same_length in groupby(order, lambda tree: len(tree.source)):
        batch: list[_Tree] = []
        for tree in same_length:
            if batch and (len(batch) + 1) * len(tree) > MAX_NODES:
                yield batch
                batch = []
            batch.append(tree)
        yield batch


@torch.inference_mode()
def _log_p(models: Sequence[Seq2Seq], batch: Sequence[_Tree]) -> NDArray[np.float64]:
    """Return ln P of each node's token given its prefix, (S, M); 0 for ``<s>`` and padding."""
    x = torch.tensor([[*tree.source, EOS] for tree in batch], device=models[0].device)
    nodes = _Nodes.of(batch, x.device)
    by_model = []
    for model in models:
        source = model.eval().encode(x)
        recur = partial(nodes.recur, STEPS[model.config.cell])
        o = model.decode(nodes.y, source, model.start(source), recur)[0].flatten(0, 1)
        losses = [
            functional.cross_entropy(model.logits(o[parents]), tokens, reduction="none")
            for parents, tokens in nodes.chunks
        ]
        by_model.append(-torch.cat(losses))
    log_p = np.zeros(nodes.y.shape)
    log_p.flat[nodes.places] = mean_probability(by_model).double().cpu().numpy()
    return log_p


@dataclass(frozen=True)
class _Nodes:
    """The nodes of a batch of trees; a node's place is its index in the flattened (S, M).

    y: tokens (S, M). places: of the nodes that have a probability. chunks: for ``CHUNK`` of these
    at a time, their parents' places and their own tokens. input_places: of the nodes that are
    decoder inputs, level by level from the roots, (N,). parent_rows: for each level, the parents'
    rows within the level before; for the roots, their sources' rows. All int64.
    """

    y: Tensor
    places: NDArray[np.int64]
    chunks: list[tuple[Tensor, Tensor]]
    input_places: Tensor
    parent_rows: list[Tensor]

    @classmethod
    def of(cls, batch: Sequence[_Tree], device: torch.device) -> _Nodes:
        """Index the nodes of ``batch``, whose last tree is the largest."""
        S, M = len(batch), len(batch[-1])
        y, parents, depths = np.full((3, S, M), PAD)
        for s, tree in enumerate(batch):
            y[s, : len(tree)], depths[s, : len(tree)] = tree.tokens, tree.depths
            parents[s, : len(tree)] = np.array(tree.parents) + M * s
        tokens, parents, depths = y.ravel(), parents.ravel(), depths.ravel()
        scored = np.flatnonzero((tokens != PAD) & (tokens != BOS))
        inputs = np.flatnonzero((tokens != PAD) & (tokens != EOS))
        inputs = inputs[np.argsort(depths[inputs], kind="stable")]
        sizes = np.bincount(depths[inputs])
        row = np.empty(S * M, np.int64)
        row[inputs] = np.concatenate([np.arange(size) for size in sizes])
        tensor = partial(torch.tensor, device=device)
        chunks = [scored[k : k + CHUNK] for k in range(0, len(scored), CHUNK)]
        return cls(
            tensor(y), scored, [(tensor(parents[part]), tensor(tokens[part])) for part in chunks],
            tensor(inputs), list(map(tensor, np.split(row[parents[inputs]], sizes.cumsum()[:-1]))),
        )  # fmt: skip

    def recur(
        self, step: Step, layer: nn.RNNBase, inputs: Tensor, initial: Carried
    ) -> tuple[Tensor, Carried]:
        """Run a layer down the trees, level by level, in place of ``model.fused``.

        inputs: (S, M, ·). Returns h of each node (S, M, D), 0 where none is read, and ``initial``,
        as a tree has no single last state.
        """
        w, D = weights_of(layer), layer.hidden_size
        read = w.read(inputs.flatten(0, 1)[self.input_places])  # (N, G·D)
        state, states, begin = torch.cat([part[0] for part in initial], -1), [], 0
        for rows in self.parent_rows:
            state, _ = step(w, read[begin : begin + len(rows)], state[rows])
            states.append(state[:, :D])
            begin += len(rows)
        out = inputs.new_zeros(*inputs.shape[:2], D)
        out.flatten(0, 1)[self.input_places] = torch.cat(states)
        return out, initial
