"""Slow, obvious twins of what mtkit computes fast. Imports nothing of mtkit."""

from __future__ import annotations

import functools
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


def orientations(
    links: set[Pair], I: int, J: int, span: tuple[int, int, int, int]
) -> tuple[int, int]:
    """Towards the previous and the next word: 0 monotone, 1 swapped, 2 discontinuous."""
    i0, i1, j0, j1 = span
    linked = links | {(-1, -1), (I, J)}
    found = []
    for j, before, after in ((j0 - 1, i0 - 1, i1), (j1, i1, i0 - 1)):
        beside = [(before, j) in linked, (after, j) in linked]
        found.append(beside.index(True) if sum(beside) == 1 else 2)
    return found[0], found[1]


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


def beam_search(  # noqa: C901  one loop, to be read in one piece
    N: int,
    options: dict[tuple[int, int], list[tuple[float, float, tuple[int, ...]]]],
    step: Callable[[int, int], tuple[float, int]],
    begin: int,
    end_of_sentence: int,
    lm_weight: float,
    distortion_weight: float,
    limit: int,
    stack: int,
    pops: int,
) -> tuple[float, list[float]]:
    """The best score that cube pruning finds, and that of every hypothesis it makes on the way.

    options: (start, end) → (estimate, score, words), best estimate first; ``step``: the language
    model, (state, word) → (ln p, state). ``pops`` and ``stack`` ≥ 1, ``limit`` ≥ 0.
    """

    @functools.cache
    def future(start: int, end: int) -> float:
        cuts = [k for k in range(start + 1, end + 1) if options.get((start, k))]
        sums = [options[start, k][0][0] + future(k, end) for k in cuts]
        return max(sums, default=0.0 if start == end else -math.inf)

    def rest(covered: frozenset[int]) -> float:
        total, start = 0.0, 0
        for end in range(N + 1):
            if end == N or end in covered:
                total += future(start, end)
                start = end + 1
        return total

    # A hypothesis is (estimate, score, covered, end, state of the language model).
    stacks = [[(0.0, 0.0, frozenset[int](), 0, begin)]]
    made = []
    for n in range(1, N + 1):
        grids = []
        for (start, stop), choices in options.items():
            groups: dict[object, list] = {}
            for h in stacks[n - stop + start] if choices and stop - start <= n else ():
                gap = min(set(range(N)) - h[2])
                reached = abs(start - h[3]) <= limit and (start == gap or stop - gap <= limit)
                if reached and not h[2] & set(range(start, stop)):
                    groups.setdefault(h[2:4], []).append(h)
            grids += [(rows, start, stop, choices) for rows in groups.values()]

        def cell(g: int, row: int, column: int) -> tuple:
            rows, start, stop, choices = grids[g]  # noqa: B023
            _, score, covered, end, state = rows[row]
            _, value, words = choices[column]
            covered |= set(range(start, stop))
            score += value - distortion_weight * abs(start - end)
            for w in (*words, end_of_sentence) if len(covered) == N else words:
                log_p, state = step(state, w)
                score += lm_weight * log_p
            return score + rest(covered), score, covered, stop, state

        waiting = {(g, 0, 0): cell(g, 0, 0) for g in range(len(grids))}
        alive: dict[object, tuple] = {}
        for _ in range(min(pops, sum(len(rows) * len(c) for rows, _, _, c in grids))):
            g, row, column = max(waiting, key=lambda at: waiting[at][0])
            new = waiting.pop((g, row, column))
            made.append(new[1])
            same = new[2:] if n < N else "complete"
            alive[same] = max(alive.get(same, new), new, key=lambda h: h[0])
            if column + 1 < len(grids[g][3]):
                waiting[g, row, column + 1] = cell(g, row, column + 1)
            if column == 0 and row + 1 < len(grids[g][0]):
                waiting[g, row + 1, 0] = cell(g, row + 1, 0)
        stacks.append(sorted(alive.values(), key=lambda h: -h[0])[:stack])
    return stacks[N][0][1], sorted(made)
