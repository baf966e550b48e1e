"""Find where two files slipped, by a monotone alignment of their lines (Gale & Church 1993).

A line is paired with one line or none. The cost of a pair says how badly its lengths fit, minus a
reward for each number, name or other rare word that both lines have,

    min(z²/2, ``WORST``) − ``REWARD`` · |shared words|        z: as in ``lengths``, divided by σ

and a line without a partner costs ``ALONE``, each further one of a run ``FURTHER``. Dynamic
programming finds a cheap path in a band around the diagonal. It may miss the cheapest one, because
the cost of a run depends on the previous move, and each cell keeps only its best path.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mtkit.quality.lengths import MAD
from mtkit.smt.flat import Flat, Float64, Int8, Int32, Int64
from mtkit.smt.kernels import kernel, lean

ALONE, FURTHER = 7.0, 1.0
WORST = 5.0
REWARD = 3.0
SPREAD = 2.0  # σ in the first pass
EXTRA_LINES = 30  # extra lines of the band on each side
MAX_CELLS = 400_000_000  # cells of the largest band; larger ones are not searched
RARE = 0.01  # occurrences of a rare word, as a share of the lines, at most


class Slip(NamedTuple):
    """Lines ``first`` to ``last`` of one side, from 1, that seem to have no partner."""

    side: int  # 0: source, 1: target
    first: int
    last: int


def find_slips(s: Float64, t: Float64, x: Flat, y: Flat, names: Int64) -> list[Slip]:
    """Return where the sides slipped; empty if they differ too much for a search.

    s, t: characters of each line, float64. x, y: its words. names: words that identify lines, see
    ``shared``.
    """
    n, m = len(s), len(t)
    low, high = min(0, m - n) - EXTRA_LINES, max(0, m - n) + EXTRA_LINES
    if not n or not m or (n + 1) * (high - low + 1) > MAX_CELLS:
        return []
    a, b = _only(x, names), _only(y, names)
    r, spread = float(t.sum() / max(1.0, s.sum())), SPREAD
    moves = np.empty(0, np.int8)
    for _ in range(2):
        back = _best_moves(s, t, a.words, a.begin, b.words, b.begin, r, spread, low, high)
        moves = _path(back, n, m, low)
        i, j = np.cumsum(moves != 2)[moves == 0] - 1, np.cumsum(moves != 1)[moves == 0] - 1
        z = (t[j] - r * s[i]) / np.sqrt((r * s[i] + t[j]) / 2 + 1)
        spread = max(0.5, MAD * float(np.median(np.abs(z)))) if len(z) else SPREAD
    return _runs(moves)


def shared(x: Flat, y: Flat, size: int) -> Int64:
    """Return the words on both sides that are rare on each: names, numbers, copied words."""
    most = max(2.0, RARE * min(len(x), len(y)))
    counts = [np.bincount(side.words, minlength=size) for side in (x, y)]
    return np.flatnonzero((np.minimum(*counts) > 0) & (np.maximum(*counts) <= most))


def _only(text: Flat, names: Int64) -> Flat:
    """Return the words that are in ``names``, sorted within each line."""
    row = np.repeat(np.arange(len(text)), np.diff(text.begin))
    is_name = np.isin(text.words, names)
    words, row = text.words[is_name], row[is_name]
    order = np.lexsort((words, row))
    begin = np.searchsorted(row[order], np.arange(len(text) + 1))
    return Flat(words[order], begin)


def _runs(moves: Int8) -> list[Slip]:
    """Return the lines without a partner; consecutive lines make one slip."""
    slips: list[Slip] = []
    i = j = 0
    for move in moves.tolist():
        i, j = i + (move != 2), j + (move != 1)
        if move:
            side, line = (0, i) if move == 1 else (1, j)
            last = slips[-1] if slips else None
            if last and last.side == side and last.last == line - 1:
                slips[-1] = last._replace(last=line)
            else:
                slips.append(Slip(side, line, line))
    return slips


# --- kernels


@lean
def _n_shared(a: Int32, b: Int32) -> int:
    """Return how many words two sorted lists share."""
    i = j = n = 0
    while i < len(a) and j < len(b):
        n += a[i] == b[j]
        forward = a[i] <= b[j]
        j += b[j] <= a[i]
        i += forward
    return n


@kernel
def _best_moves(
    s: Float64, t: Float64, a: Int32, a_begin: Int64, b: Int32, b_begin: Int64, r: float,
    spread: float, low: int, high: int,
) -> Int8:  # fmt: skip
    """Return the move into each cell (i, j), int8 (n + 1, band), j = i + low + k at [i, k].

    0: a pair; 1: a source line alone; 2: a target line alone.
    """
    n, m, band = len(s), len(t), high - low + 1
    back = np.zeros((n + 1, band), np.int8)
    previous = np.full(band, np.inf)
    for i in range(n + 1):
        current = np.full(band, np.inf)
        for k in range(band):
            j = i + low + k
            if j < 0 or j > m:
                continue
            if i == 0 and j == 0:
                current[k] = 0.0
                continue
            if i > 0 and j > 0 and previous[k] < np.inf:
                x, y = r * s[i - 1], t[j - 1]
                z = (y - x) / (spread * np.sqrt((x + y) / 2 + 1))
                names = _n_shared(a[a_begin[i - 1] : a_begin[i]], b[b_begin[j - 1] : b_begin[j]])
                current[k] = previous[k] + min(z * z / 2, WORST) - REWARD * names
            if i > 0 and k + 1 < band:
                cost = previous[k + 1] + (FURTHER if back[i - 1, k + 1] == 1 else ALONE)
                if cost < current[k]:
                    current[k], back[i, k] = cost, 1
            if k > 0:
                cost = current[k - 1] + (FURTHER if back[i, k - 1] == 2 else ALONE)
                if cost < current[k]:
                    current[k], back[i, k] = cost, 2
        previous = current
    return back


@kernel
def _path(back: Int8, n: int, m: int, low: int) -> Int8:
    """Return the moves of the cheapest path from (0, 0) to (n, m), int8."""
    moves = np.empty(n + m, np.int8)
    i, j, k = n, m, n + m
    while i > 0 or j > 0:
        k -= 1
        move = back[i, j - i - low]
        moves[k] = move
        i -= move != 2
        j -= move != 1
    return moves[k:]
