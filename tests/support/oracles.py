"""Slow reference implementations. Imports nothing of mtkit."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence

Pair = tuple[int, int]


# --- IBM 1, the diagonal model and the HMM, by enumerating every alignment (0 is the empty word)


def ibm1_joint(t: Callable[[int, int], float], I: int, a: Sequence[int]) -> float:
    """Return P(f, a|e) of a sentence pair; ``t(i, j)`` = t(f_j|e_i), i = 0 the empty word."""
    return math.prod(t(i, j) / (I + 1) for j, i in enumerate(a))


def diagonal_joint(
    t: Callable[[int, int], float], p0: float, tension: float, I: int, a: Sequence[int]
) -> float:
    """Return P(f, a|e) with the diagonal prior; positions count from 1."""
    p, J = 1.0, len(a)
    for j, i in enumerate(a, 1):
        near = [math.exp(-tension * abs(k / I - j / J)) for k in range(1, I + 1)]
        p *= t(i, j - 1) * (p0 if i == 0 else (1 - p0) * near[i - 1] / sum(near))
    return p


def hmm_joint(
    t: Callable[[int, int], float],
    jump: Callable[[int], float],
    p0: float,
    I: int,
    a: Sequence[int],
) -> float:
    """Return P(f, a|e); m: the last source position other than the empty word."""
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
    """Return every alignment of J words to positions 0 … I."""
    return itertools.product(range(I + 1), repeat=J)


# --- symmetrisation, as Koehn et al. (2003) describe it


def grow_diag_final_and(
    forward: set[Pair], backward: set[Pair], diagonal: bool = True, final: str = "and"
) -> set[Pair]:
    """Return the links; final: "and", "or" (plain final) or "" (none)."""
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
    """Return (i0, i1, j0, j1), half-open, of every consistent pair of spans."""
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
    """Return orientations to the previous and next word: 0 monotone, 1 swap, 2 discontinuous."""
    i0, i1, j0, j1 = span
    linked = links | {(-1, -1), (I, J)}
    found = []
    for j, before, after in ((j0 - 1, i0 - 1, i1), (j1, i1, i0 - 1)):
        beside = [(before, j) in linked, (after, j) in linked]
        found.append(beside.index(True) if sum(beside) == 1 else 2)
    return found[0], found[1]


# --- decoding, by enumeration

Words = tuple[int, ...]
Three = tuple[float, float, float]  # scores of monotone, swap and discontinuous
START = (0.0, 0.0, 0.0)


def orientation(start: int, end: int, last: Pair) -> int:
    """Return 0 (monotone), 1 (swap) or 2 (discontinuous) for start : end after ``last``."""
    if start == last[1]:
        return 0
    return 1 if end == last[0] else 2


def all_derivations(
    N: int,
    options: dict[Pair, list[tuple[float, Words, Three, Three]]],
    lm: Callable[[Sequence[int]], float],
    lm_weight: float,
    distortion_weight: float,
    limit: int,
) -> list[tuple[float, Words]]:
    """Return the score and words of every derivation, best first.

    options: (start, end) → (score, words, scores to the previous phrase, to the next one).
    limit: the largest distance from the last span's end to the start of the next, and from the
    first gap to the end of a span that leaves it open; < 0: none.
    """
    found = []

    def extend(
        covered: frozenset[int], last: Pair, following: Three, words: Words, score: float
    ) -> None:
        if len(covered) == N:
            found.append((score + lm_weight * lm(words), words))
            return
        gap = min(set(range(N)) - covered)
        for (start, stop), choices in options.items():
            distance = abs(start - last[1])
            if covered & set(range(start, stop)):
                continue
            if limit >= 0 and (distance > limit or (start > gap and stop - gap > limit)):
                continue
            o = orientation(start, stop, last)
            for value, more, before, behind in choices:
                extend(
                    covered | set(range(start, stop)),
                    (start, stop),
                    behind,
                    words + more,
                    score + value + before[o] + following[o] - distortion_weight * distance,
                )

    extend(frozenset(), (0, 0), START, (), 0.0)
    return sorted(found, key=lambda d: -d[0])


def beam_search(  # noqa: C901  one loop, to be read in one piece
    N: int,
    options: dict[Pair, list[tuple[float, float, Words, Three, Three]]],
    step: Callable[[int, int], tuple[float, int]],
    begin: int,
    end_of_sentence: int,
    lm_weight: float,
    distortion_weight: float,
    limit: int,
    stack: int,
    pops: int,
) -> tuple[float, list[float], float]:
    """Return the best score of beam search, and the scores of all hypotheses that it makes.

    The last value is the smallest margin of a decision on what to make or what to keep.

    options: (start, end) → (estimate, score, words, scores to the previous phrase, to the next
    one), best estimate first; ``step``: the language model, (state, word) → (ln p, state).
    ``pops`` and ``stack`` ≥ 1, ``limit`` ≥ 0.
    """
    reorders = any(any(before + behind) for c in options.values() for *_, before, behind in c)

    @functools.cache
    def future(start: int, end: int) -> float:
        cuts = [k for k in range(start + 1, end + 1) if options.get((start, k))]
        sums = [options[start, k][0][0] + future(k, end) for k in cuts]
        return max(sums, default=0.0 if start == end else -math.inf)

    def rest(covered: frozenset[int], end: int) -> float:
        total, start, jumps = 0.0, 0, 0
        for stop in range(N + 1):
            if stop == N or stop in covered:
                total += future(start, stop)
                start = stop + 1
        gaps = [i for i in range(N) if i not in covered]
        for gap in gaps:  # from left to right
            jumps += abs(gap - end)
            end = gap + 1
        return total - distortion_weight * jumps

    # A hypothesis is (estimate, score, covered, last span, following, state of the language model).
    stacks = [[(0.0, 0.0, frozenset[int](), (-1, 0), START, begin)]]
    made, closest = [], math.inf
    for n in range(1, N + 1):
        grids = []
        for (start, stop), choices in options.items():
            groups: dict[object, list] = {}
            for h in stacks[n - stop + start] if choices and stop - start <= n else ():
                gap = min(set(range(N)) - h[2])
                reached = abs(start - h[3][1]) <= limit and (start == gap or stop - gap <= limit)
                if reached and not h[2] & set(range(start, stop)):
                    groups.setdefault(h[2:4], []).append(h)
            grids += [(rows, start, stop, choices) for rows in groups.values()]

        def cell(g: int, row: int, column: int) -> tuple[float, tuple]:
            rows, start, stop, choices = grids[g]  # noqa: B023
            _, score, covered, last, following, state = rows[row]
            estimate, value, words, before, behind = choices[column]
            covered |= set(range(start, stop))
            o = orientation(start, stop, last)
            score += before[o] + following[o] - distortion_weight * abs(start - last[1])
            guess = score + estimate + rest(covered, stop)
            guess += lm_weight * (step(state, words[0])[0] - step(0, words[0])[0])
            score += value
            for w in (*words, end_of_sentence) if len(covered) == N else words:
                log_p, state = step(state, w)
                score += lm_weight * log_p
            swap = reorders and start and start - 1 not in covered  # is still possible
            last = (start if swap else -1, stop)
            return guess, (score + rest(covered, stop), score, covered, last, behind, state)

        cells = [
            cell(g, row, column)
            for g, (rows, _, _, choices) in enumerate(grids)
            for row, column in itertools.product(range(len(rows)), range(len(choices)))
        ]
        cells.sort(key=lambda c: -c[0])
        alive: dict[object, tuple] = {}
        for _, new in cells[:pops]:
            made.append(new[1])
            same = new[2:] if n < N else "complete"
            alive[same] = max(alive.get(same, new), new, key=lambda h: h[0])
        best = sorted(alive.values(), key=lambda h: -h[0])
        stacks.append(best[:stack])
        rejected = [(cells[pops - 1][0], guess) for guess, _ in cells[pops:]]
        rejected += [(best[stack - 1][0], left[0]) for left in best[stack:]]
        closest = min([closest, *(abs(a - b) for a, b in rejected)])
    return stacks[N][0][1], sorted(made), closest
