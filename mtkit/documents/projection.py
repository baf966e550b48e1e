"""Place codes in a translation, using the links between source and target words.

Source tokens s_0 … s_{n−1}, target tokens t_0 … t_{m−1}, links (s, t). A pair of codes around
source tokens is put around the smallest span of the target that has all tokens linked to these:

    [min T, max T + 1)        T = {t : (s, t) is a link, s inside the pair}

If the spans of two sibling pairs overlap, they are cut where the fewest tokens end up in the wrong
span. Thus the tree of pairs stays that of the source, and only siblings may change their order. A
point goes before the target of the token after it. If no space separates it from the token before
it, it goes after the target of that token.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

Links = Iterable[tuple[int, int]]


@dataclass(frozen=True)
class Point:
    """A code between source tokens ``at − 1`` and ``at``."""

    code: int
    at: int
    sticks_left: bool = False


@dataclass(frozen=True)
class Pair:
    """Codes around source tokens ``start : end``, and the codes inside the pair.

    ``open`` is None if the pair opened in an earlier line: it then begins at the start of this
    line. ``close`` is None if it closes in a later line: it then ends at the end of this line.
    """

    open: int | None
    close: int | None
    start: int
    end: int
    inside: Sequence[Pair | Point] = field(default_factory=tuple)


@dataclass
class _Box:
    """The target span ``a : b`` of a code or pair before cuts; siblings are sorted by ``key``."""

    key: float
    a: int
    b: int
    targets: list[int]  # linked target tokens, sorted
    of: Pair | Point


class Projection:
    """Positions for codes of a source of ``n`` tokens in a target of ``m`` tokens."""

    def __init__(self, n: int, m: int, links: Links) -> None:
        self.n, self.m = n, m
        self.to = [list[int]() for _ in range(n)]
        for s, t in sorted(set(links)):
            self.to[s].append(t)
        self.linked = {t for targets in self.to for t in targets}

    def order(self, codes: Sequence[Pair | Point]) -> list[tuple[bool, int]]:
        """Return target tokens (False, t) and codes (True, code) in their final order.

        Each token occurs once, in ascending order; each code occurs once, and pairs are nested.
        """
        return list(self._order(codes, (0, self.m), (0, self.n)))

    def _order(
        self, codes: Sequence[Pair | Point], target: tuple[int, int], source: tuple[int, int]
    ) -> Iterator[tuple[bool, int]]:
        t, hi = target
        for box in self._boxes(codes, target, source):
            yield from ((False, i) for i in range(t, box.a))
            t = box.b
            if isinstance(box.of, Point):
                yield True, box.of.code
                continue
            if box.of.open is not None:
                yield True, box.of.open
            yield from self._order(box.of.inside, (box.a, box.b), (box.of.start, box.of.end))
            if box.of.close is not None:
                yield True, box.of.close
        yield from ((False, i) for i in range(t, hi))

    def _boxes(
        self, codes: Sequence[Pair | Point], target: tuple[int, int], source: tuple[int, int]
    ) -> list[_Box]:
        """Return disjoint spans of ``target`` for sibling codes, from left to right."""
        boxes = sorted((self._box(code, target, source) for code in codes), key=lambda b: b.key)
        for left, right in pairwise(boxes):
            if left.b > right.a:
                cut = _border(left, right)
                left.b, right.a = min(left.b, cut), max(right.a, cut)
            right.b = max(right.a, right.b)
        return boxes

    def _box(self, code: Pair | Point, target: tuple[int, int], source: tuple[int, int]) -> _Box:
        (lo, hi), (first, last) = target, source
        start, end = (code.at, code.at) if isinstance(code, Point) else (code.start, code.end)
        if start == end:  # between two words, or at an edge, where it remains
            edge = lo if start == first else hi if start == last else None
            if isinstance(code, Pair) and (code.open is None or code.close is None):
                edge = lo if code.open is None else hi
            if edge is not None:
                return _Box(
                    -math.inf if edge == lo and start == first else math.inf, edge, edge, [], code
                )
            at = min(max(self.between(start, isinstance(code, Point) and code.sticks_left), lo), hi)
            return _Box(at - 0.5, at, at, [], code)
        assert isinstance(code, Pair)
        targets = sorted({t for s in range(start, end) for t in self.to[s] if lo <= t < hi})
        a, b = (targets[0], targets[-1] + 1) if targets else self._unlinked(start, end, lo, hi)
        key = sum(targets) / len(targets) if targets else (a + b - 1) / 2
        if code.open is None or (start, end) == source:
            a, key = lo, -math.inf if code.open is None else key
        if code.close is None or (start, end) == source:
            b, key = hi, math.inf if code.close is None else key
        return _Box(key, a, b, targets, code)

    def between(self, at: int, sticks_left: bool) -> int:
        """Return the target position of a code between source tokens ``at − 1`` and ``at``.

        The nearest linked token decides; without links, the position is proportional.
        """
        for distance in range(self.n):
            left, right = at - 1 - distance, at + distance
            for s in (left, right) if sticks_left else (right, left):
                if 0 <= s < self.n and self.to[s]:
                    return self.to[s][0] if s == right else self.to[s][-1] + 1
        return round(at * self.m / max(1, self.n))

    def _unlinked(self, start: int, end: int, lo: int, hi: int) -> tuple[int, int]:
        """Return the target span of source tokens ``start : end`` that have no links.

        The span is the run of unlinked target tokens between the targets of the words around. If
        there are none, it is the token before that place, or the first token at the start.
        """
        before = next((self.to[s][-1] + 1 for s in range(start - 1, -1, -1) if self.to[s]), lo)
        after = next((self.to[s][0] for s in range(end, self.n) if self.to[s]), hi)
        a = b = min(max(before, lo), hi)
        while b < min(after, hi) and b not in self.linked:
            b += 1
        if a == b:
            a, b = (a - 1, a) if a > lo else (a, min(a + 1, hi))
        return a, b


def _border(left: _Box, right: _Box) -> int:
    """Return the border of two spans that puts the fewest targets on the wrong side."""
    low, high = left.a, max(left.a, left.b, right.b)
    if left.targets and low < high:
        low += 1
    if right.targets and low < high:
        high -= 1
    candidates = {low, high, left.b, right.a, *(t + 1 for t in left.targets), *right.targets}

    def cost(cut: int) -> tuple[int, int, int]:
        wrong = len(left.targets) - bisect_left(left.targets, cut) + bisect_left(right.targets, cut)
        return wrong, abs(cut - right.a), cut

    return min((c for c in candidates if low <= c <= high), key=cost)
