"""Combine two directed alignments: the heuristics of Och & Ney (2003) and Koehn et al. (2003).

Forward links give each target word at most one source word, backward links each source word at most
one target word. The intersection has high precision, the union high recall. *grow* starts from the
intersection; it adds links of the union that are adjacent to a link already there (with *diag* also
diagonally) and whose source or target word is not yet linked. *final* then adds links of either
direction whose source or target word is unlinked, *final-and* only those with both words unlinked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from mtkit.errors import InputError
from mtkit.smt.flat import Bool, Flat, Float32, Float64, Int8, Int32, Int64
from mtkit.smt.kernels import inner, kernel, lean
from mtkit.storage import arrays
from mtkit.text.lines import read_lines
from mtkit.text.vocabulary import Sentences

HEURISTICS = (
    "intersection", "union", "grow", "grow-diag", "grow-diag-final", "grow-diag-final-and",
    "source-target", "target-source",
)  # fmt: skip
LinkSet = set[tuple[int, int]]  # (source, target) positions of one sentence pair


@dataclass(frozen=True)
class Links:
    """Word alignments of S sentence pairs; links sorted by source, then by target position."""

    source: Int32  # (L,) 0-based positions
    target: Int32  # (L,)
    begin: Int64  # (S + 1,)
    probability: Float32 | None = None  # (L,) see ``with_probabilities``
    score: Float64 | None = None  # (S,) ln P(y|x) per word of y, −inf if a side is blank

    def save(self, directory: Path) -> None:
        """Write one ``.npy`` for each array that is not None."""
        arrays.save(directory, **{k: v for k, v in vars(self).items() if v is not None})

    @classmethod
    def load(cls, directory: Path) -> Links:
        """Read what ``save`` wrote."""
        return cls(**{path.stem: arrays.load(path) for path in directory.glob("*.npy")})

    def by_sentence(self) -> list[list[tuple[int, int]]]:
        """Return the (source, target) links of every sentence pair."""
        links = list(zip(self.source.tolist(), self.target.tolist(), strict=True))
        return [links[first:last] for first, last in pairwise(self.begin.tolist())]

    def pharaoh(self, probabilities: bool = False) -> list[str]:
        """Return a line ``0-0 1-2 …`` for each sentence pair, followed by its score if it has one.

        With probabilities: ``0-0:0.98 1-2:0.73 …``. With a score: ``0-0 1-2 … ||| -2.1345``.
        """
        links = [f"{i}-{j}" for i, j in zip(self.source, self.target, strict=True)]
        if probabilities:
            assert self.probability is not None, "links of a search have none"
            links = [f"{a}:{p:.2f}" for a, p in zip(links, self.probability, strict=True)]
        lines = [" ".join(links[a:b]) for a, b in pairwise(self.begin.tolist())]
        if self.score is not None:
            lines = [f"{a} ||| {s:.4f}" for a, s in zip(lines, self.score, strict=True)]
        return lines


def joined(parts: Sequence[Links]) -> Links:
    """Concatenate the links of all parts; they have probabilities if those of all parts have."""
    begin = np.cumsum(np.concatenate([np.zeros(1, np.int64), *(np.diff(p.begin) for p in parts)]))
    source, target = (
        np.concatenate([p.source for p in parts]),
        np.concatenate([p.target for p in parts]),
    )
    probs = [p.probability for p in parts if p.probability is not None]
    return Links(source, target, begin, np.concatenate(probs) if len(probs) == len(parts) else None)


def read_pharaoh(line: str, place: str) -> LinkSet:
    """Parse a line ``0-0 1-2 …``. Raises InputError for other text; its message names ``place``."""
    try:
        return {(int(i), int(j)) for i, j in (link.split("-") for link in line.split())}
    except ValueError:
        raise InputError(f"{place}: expected links such as 0-0 1-2, found {line[:40]!r}") from None


def read_gold(path: Path, source: Sentences, target: Sentences) -> list[LinkSet]:
    """Read manual links of the first sentence pairs, a line ``0-0 1-2 …`` for each pair.

    source, target: word tokens. Raises InputError if there are no lines or more lines than pairs,
    or if a link is outside its sentences.
    """
    lines = read_lines(path)
    if not 0 < len(lines) <= len(source):
        raise InputError(
            f"{path}: expected 1 to {len(source)} lines, one per pair; found {len(lines)}"
        )
    gold = [read_pharaoh(line, f"{path}: line {n}") for n, line in enumerate(lines, 1)]
    for n, (links, x, y) in enumerate(zip(gold, source, target, strict=False), 1):
        for i, j in links:
            if not (0 <= i < len(x) and 0 <= j < len(y)):
                raise InputError(
                    f"{path}: line {n}: link {i}-{j} is outside the sentences, of {len(x)} and "
                    f"{len(y)} words; links count from 0"
                )
    return gold


def symmetrize(
    forward: Int32, backward: Int32, source: Flat, target: Flat, heuristic: str
) -> Links:
    """Combine two directions by one of ``HEURISTICS``.

    forward: source position of each target word, or −1; backward: target position of each source
    word, or −1; positions count from 0 in each sentence.
    """
    number = HEURISTICS.index(heuristic)
    return Links(*_symmetrize(forward, backward, source.begin, target.begin, number))


def with_probabilities(
    links: Links, forward: Float32, backward: Float32, source: Flat, target: Flat
) -> Links:
    """Return the links with their probabilities, the mean of the posteriors of both directions.

        P(i–j) = ½ P(a_j = i | x, y) + ½ P(b_i = j | x, y)        (DeNero & Klein 2007, soft union)

    forward, backward: the posterior of every place, as in ``places``.
    """
    I, J = np.diff(source.begin), np.diff(target.begin)
    s = np.repeat(np.arange(len(I)), np.diff(links.begin))  # the sentence of each link
    places = []
    for e_lengths, f_lengths, i, j in (
        (I, J, links.source, links.target),
        (J, I, links.target, links.source),
    ):
        begin = np.cumsum(np.append(0, f_lengths * (e_lengths + 1)))
        places.append(begin[s] + j * (e_lengths[s] + 1) + i + 1)
    return replace(links, probability=(forward[places[0]] + backward[places[1]]) / 2)


# --- kernels

INTERSECTION, UNION, GROW, GROW_DIAG, FINAL, FINAL_AND, ONLY_FORWARD, ONLY_BACKWARD = range(8)
FORWARD, BACKWARD = 1, 2  # bits: which directions link two words
BOTH = FORWARD | BACKWARD
# Neighbours of a link in the order of Koehn et al. (2003); grow uses the first four.
_NEIGHBOURS = np.array([(-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)])


@kernel
def _symmetrize(
    forward: Int32, backward: Int32, s_begin: Int64, t_begin: Int64, heuristic: int
) -> tuple[Int32, Int32, Int64]:
    n_max = len(forward) + len(backward)
    source, target = np.empty(n_max, np.int32), np.empty(n_max, np.int32)
    begin = np.zeros(len(s_begin), np.int64)
    n = 0
    for s in range(len(s_begin) - 1):
        I, J = s_begin[s + 1] - s_begin[s], t_begin[s + 1] - t_begin[s]
        d = np.zeros((I, J), np.int8)
        for j in range(J):
            if forward[t_begin[s] + j] >= 0:
                d[forward[t_begin[s] + j], j] |= FORWARD
        for i in range(I):
            if backward[s_begin[s] + i] >= 0:
                d[i, backward[s_begin[s] + i]] |= BACKWARD
        a = _combine(d, heuristic)
        for i in range(I):
            for j in range(J):
                if a[i, j]:
                    source[n], target[n] = i, j
                    n += 1
        begin[s + 1] = n
    return source[:n].copy(), target[:n].copy(), begin


@inner
def _combine(d: Int8, heuristic: int) -> Bool:
    """Return the links of one sentence pair, bool (I, J); d: int8 (I, J), the bits above."""
    I, J = d.shape
    a = np.zeros((I, J), np.bool_)
    s_linked, t_linked = np.zeros(I, np.bool_), np.zeros(J, np.bool_)
    for i in range(I):
        for j in range(J):
            if heuristic == UNION:
                a[i, j] = d[i, j] > 0
            elif heuristic == ONLY_FORWARD:
                a[i, j] = d[i, j] & FORWARD > 0
            elif heuristic == ONLY_BACKWARD:
                a[i, j] = d[i, j] & BACKWARD > 0
            elif d[i, j] == BOTH:
                a[i, j] = s_linked[i] = t_linked[j] = True
    if GROW <= heuristic <= FINAL_AND:
        _grow(a, d, s_linked, t_linked, 4 if heuristic == GROW else 8)
    if FINAL <= heuristic <= FINAL_AND:
        _final(a, d, FORWARD, s_linked, t_linked, heuristic == FINAL_AND)
        _final(a, d, BACKWARD, s_linked, t_linked, heuristic == FINAL_AND)
    return a


@lean
def _grow(a: Bool, d: Int8, s_linked: Bool, t_linked: Bool, neighbours: int) -> None:
    I, J = a.shape
    grown = True
    while grown:
        grown = False
        for i in range(I):
            for j in range(J):
                if not a[i, j]:
                    continue
                for k in range(neighbours):
                    x, y = i + _NEIGHBOURS[k, 0], j + _NEIGHBOURS[k, 1]
                    if not (0 <= x < I and 0 <= y < J) or a[x, y] or d[x, y] == 0:
                        continue
                    if not (s_linked[x] and t_linked[y]):
                        a[x, y] = s_linked[x] = t_linked[y] = grown = True


@lean
def _final(a: Bool, d: Int8, direction: int, s_linked: Bool, t_linked: Bool, both: bool) -> None:
    I, J = a.shape
    for i in range(I):
        for j in range(J):
            if d[i, j] & direction:
                unlinked = (not s_linked[i]) + (not t_linked[j])
                if unlinked == 2 or (unlinked == 1 and not both):
                    a[i, j] = s_linked[i] = t_linked[j] = True
