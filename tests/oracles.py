"""Slow, obvious twins of what mtkit computes fast. Imports nothing of mtkit."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

Pair = tuple[int, int]


# --- IBM 1 and the HMM, by enumerating every alignment (0 is the empty word)


def ibm1_joint(t: Callable[[int, int], float], I: int, a: Sequence[int]) -> float:
    """P(f, a|e) of one sentence pair; ``t(i, j)`` = t(f_j|e_i), i = 0 the empty word."""
    return math.prod(t(i, j) / (I + 1) for j, i in enumerate(a))


def hmm_joint(
    t: Callable[[int, int], float],
    jump: Callable[[int], float],
    p0: float,
    I: int,
    a: Sequence[int],
) -> float:
    """P(f, a|e): the memory m moves with every word that is not from the empty word."""
    p, m = 1.0, 0
    for j, i in enumerate(a):
        if i == 0:
            p *= p0 * t(0, j)
        else:
            total = sum(jump(k - m) for k in range(1, I + 1))
            p *= (1 - p0) * jump(i - m) / total * t(i, j)
            m = i
    return p


def alignments(I: int, J: int) -> Iterator[tuple[int, ...]]:
    """Every alignment of J words to 0 … I."""
    return itertools.product(range(I + 1), repeat=J)


# --- symmetrisation, as Koehn et al. (2003) describe it


def grow_diag_final_and(
    forward: set[Pair], backward: set[Pair], diagonal: bool = True, final: str = "and"
) -> set[Pair]:
    """``final``: "and", "or" (plain final) or "" (none)."""
    steps = [(-1, 0), (0, -1), (1, 0), (0, 1)]
    steps += [(-1, -1), (-1, 1), (1, -1), (1, 1)] if diagonal else []
    a, union = forward & backward, forward | backward

    def reaches(i: int, j: int) -> list[bool]:
        return [all(x != i for x, _ in a), all(y != j for _, y in a)]

    before = None
    while before != a:
        before = set(a)
        for i in range(1 + max((i for i, _ in union), default=0)):
            for j in range(1 + max((j for _, j in union), default=0)):
                for x, y in [(i + di, j + dj) for di, dj in steps] if (i, j) in a else []:
                    if (x, y) in union - a and any(reaches(x, y)):
                        a.add((x, y))
    for one_way in (forward, backward) if final else ():
        for i, j in sorted(one_way):
            if (all if final == "and" else any)(reaches(i, j)):
                a.add((i, j))
    return a


# --- phrases, by definition


def phrase_spans(links: set[Pair], I: int, J: int, limit: int) -> set[tuple[int, int, int, int]]:
    """(i0, i1, j0, j1), half-open, of every consistent pair of spans."""
    found = set()
    for i0, i1 in itertools.combinations(range(I + 1), 2):
        for j0, j1 in itertools.combinations(range(J + 1), 2):
            if i1 - i0 > limit or j1 - j0 > limit:
                continue
            inside = [(i, j) for i, j in links if i0 <= i < i1 and j0 <= j < j1]
            touching = [(i, j) for i, j in links if i0 <= i < i1 or j0 <= j < j1]
            if inside and inside == touching:
                found.add((i0, i1, j0, j1))
    return found


# --- decoding, by trying everything


def all_derivations(
    N: int,
    options: dict[tuple[int, int], list[tuple[float, tuple[int, ...]]]],
    lm: Callable[[Sequence[int]], float],
    lm_weight: float,
    distortion_weight: float,
    limit: int,
) -> list[float]:
    """The score of every derivation, best first.

    options: (start, end) → (score, words). limit: a span starts at most so far from the end of the
    last one, and one that leaves the first gap open ends at most so far behind it; < 0: anything.
    """
    scores = []

    def extend(covered: frozenset[int], end: int, words: tuple[int, ...], score: float) -> None:
        if len(covered) == N:
            scores.append(score + lm_weight * lm(words))
            return
        gap = min(set(range(N)) - covered)
        for (start, stop), choices in options.items():
            if covered & set(range(start, stop)):
                continue
            if limit >= 0 and (abs(start - end) > limit or (start > gap and stop - gap > limit)):
                continue
            for value, more in choices:
                extend(
                    covered | set(range(start, stop)),
                    stop,
                    words + more,
                    score + value - distortion_weight * abs(start - end),
                )

    extend(frozenset(), 0, (), 0.0)
    return sorted(scores, reverse=True)
