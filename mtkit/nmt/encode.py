"""Sentence vectors: one vector of D numbers for a sentence of any length.

The encoder reads x_1 … x_I, the last one </s>, and computes a state h_i of both directions for each
(see ``model``). The vector v of the sentence is

    mean    v_d = 1/I Σ_i h_{i,d}
    max     v_d = max_i h_{i,d}
    last    v = [→h_I; ←h_1], the last state of each direction, from which the decoder starts

All sources of a batch have one length, so no padding enters a mean or a maximum. The similarity of
two sentences is the cosine of their vectors:

    cos(v, w) = v·w / (‖v‖ ‖w‖)

Limits: the encoder is trained to help its decoder, not to compare sentences; similar vectors often
mean shared words in similar order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtkit.nmt.data import batch_rows
from mtkit.nmt.model import Source
from mtkit.nmt.system import NmtSystem
from mtkit.text.vocabulary import EOS

Float32 = NDArray[np.float32]
POOLS: dict[str, Callable[[Source], Tensor]] = {
    "mean": lambda source: source.H.mean(1),
    "max": lambda source: source.H.amax(1),
    "last": lambda source: source.summary,
}
BATCH = 64  # sentences encoded at once
CHUNK = 4096  # known sentences whose vectors are in memory at once


@torch.inference_mode()
def encode_sentences(system: NmtSystem, sentences: Sequence[str], pool: str = "mean") -> Float32:
    """Return the vectors of raw sentences, float32 (len(sentences), D); zeros for a blank one.

    pool: one of ``POOLS``. In an ensemble the first model encodes.
    """
    model = system.models[0]
    words = system.tokenize([s if s.strip() else "" for s in sentences])
    sources = [encoded.ids for encoded in system.subwords.encode(words)]
    vectors = np.zeros((len(sentences), model.config.hidden), np.float32)
    for rows in batch_rows(sources, BATCH):
        if sources[rows[0]]:
            x = torch.tensor([[*sources[r], EOS] for r in rows], device=model.device)
            vectors[rows] = POOLS[pool](model.encode(x)).float().cpu().numpy()
    return vectors


def nearest(
    system: NmtSystem, sentences: Sequence[str], known: Sequence[str], k: int, pool: str = "mean"
) -> tuple[NDArray[np.int64], Float32]:
    """Return the ``k`` nearest of ``known`` to each sentence: indices and cosines, best first.

    Both arrays are (len(sentences), min(k, len(known))); ties keep the order of ``known``. The
    cosine with a vector of zeros is 0. Memory: ``CHUNK`` vectors of ``known`` at a time.
    """
    vectors = _normalised(encode_sentences(system, sentences, pool))
    indices = np.empty((len(sentences), 0), np.int64)
    cosine = np.empty((len(sentences), 0), np.float32)
    for begin in range(0, len(known), CHUNK):
        chunk = _normalised(encode_sentences(system, known[begin : begin + CHUNK], pool))
        columns = np.broadcast_to(begin + np.arange(len(chunk)), (len(vectors), len(chunk)))
        indices, cosine = np.hstack([indices, columns]), np.hstack([cosine, vectors @ chunk.T])
        best = np.argsort(-cosine, axis=1, kind="stable")[:, :k]
        indices, cosine = np.take_along_axis(indices, best, 1), np.take_along_axis(cosine, best, 1)
    return indices, cosine


def _normalised(vectors: Float32) -> Float32:
    """Return the vectors scaled to length 1; zeros stay zeros."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(norms > 0, norms, 1)).astype(np.float32, copy=False)
