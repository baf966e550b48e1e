"""From the occurrences of phrase pairs to the different pairs, and what must be known of them all.

Letters: s̄ a source phrase, t̄ a target phrase.

    c(s̄, t̄)   how often the pair occurs, see ``extract``
    c(t̄)      = Σ_s̄ c(s̄, t̄)
    n(t̄)      how many different s̄ are paired with t̄
    F(t̄)      = Σ_s̄ D(c(s̄, t̄)), what discounting frees; D as in ``score``

A pair has the links that it most often has; of links that are equally frequent the lowest mask.

The tasks are ``cut_parts``, which divides the parts of ``extract`` into *ranges* that fit the
memory; ``count_pairs`` of the occurrences of all pieces, a range of source phrases; and
``sum_targets`` of the pairs of all these ranges, a range of target phrases. Their parts are told by
the first bits of t̄'s hash, as those of s̄ are.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtkit.smt.flat import Float32, Float64, Int8, Int32, Int64, UInt64
from mtkit.smt.kernels import kernel, lean
from mtkit.smt.language_model.estimate import FALLBACK_DISCOUNTS, closed_form
from mtkit.smt.phrases.extract import OCCURRENCE, Rows
from mtkit.smt.phrases.reorder import log_probabilities
from mtkit.storage.stages import ArrayFile, load, save

BUCKETS = 11  # bits of a hash by which a part is divided before it is sorted
HELD = 80  # bytes of an occurrence, and of the pair that it is, while a range is worked on


class Pairs(NamedTuple):
    """P different pairs, sorted by the hashes of s̄, then of t̄."""

    rows: Rows  # OCCURRENCE (P,), one of each with the links that it most often has
    seen: Int32  # (P,) c(s̄, t̄)
    reordering: Float32  # (P, 6) as in ``PhraseTable``


class Sums(NamedTuple):
    """Of the target phrase of each of P pairs."""

    total: Float64  # (P,) c(t̄)
    sources: Float64  # (P,) n(t̄)
    freed: Float64  # (P,) F(t̄)


def distinct(rows: Rows, part: Int64, bits: int) -> Pairs:
    """Of the occurrences ``rows[part]``, those of one part, told by the first ``bits`` of the hash
    of s̄, the different pairs.
    """
    names = "s_key", "t_key", "links", "previous", "next"
    s_key, t_key, links, previous, following = (rows[name][part] for name in names)
    order, ends = by_part(s_key << np.uint64(bits), BUCKETS)
    pick, seen = _distinct(s_key, t_key, links, order, ends)
    c = _orientations(previous, following, order, seen)
    return Pairs(rows.take(part[pick]), seen, log_probabilities(c))


def sums(key: UInt64, seen: Int32, d: Float64, bits: int) -> Sums:
    """Of all pairs with target phrases of one part, ``key`` their hashes; d: see ``discounts``."""
    order, ends = by_part(key << np.uint64(bits), BUCKETS)
    return Sums(*_sums(key, seen, d[np.minimum(seen, 3)], order, ends))


def discounts(pairs: Sequence[Path], discount: str) -> tuple[Float64, int]:
    """D of 0, 1, 2 and more, and how many pairs there are in all ranges."""
    t = sum((load(of / "t_r.npy") for of in pairs), np.zeros(6, np.int64))
    D = closed_form(t.tolist()) or FALLBACK_DISCOUNTS if discount == "kneser-ney" else [0, 0, 0]
    return np.array([0, *D], np.float64), int(t.sum())


def in_ranges(places: Sequence[Path], name: str, first: int, last: int) -> NDArray[Any]:
    """What of parts ``first : last`` is in every place, one behind the other.

    places: with rows sorted by parts, ``ends.npy`` saying where each ends, after a leading 0.
    """
    ends = [load(of / "ends.npy", first, last + 1)[[0, -1]] for of in places]
    sizes = [int(b - a) for a, b in ends]
    first_of = np.load(places[0] / f"{name}.npy", mmap_mode="r")
    out, n = np.empty(sum(sizes), first_of.dtype), 0
    for of, (a, b), size in zip(places, ends, sizes, strict=True):
        out[n : n + size] = np.load(of / f"{name}.npy", mmap_mode="r")[a:b]
        n += size
    return out


# --- tasks


def cut_parts(into: Path, occurrences: Sequence[Path], room: int) -> None:
    """Where ranges of parts begin and end, each of occurrences that fit ``room``."""
    total = np.sum([load(of / "ends.npy") for of in occurrences], axis=0)
    size, parts = int(total[-1]), len(total) - 1
    ranges = max(1, -(-HELD * size // room))
    inner = np.searchsorted(total, np.linspace(0, size, ranges + 1)[1:-1])
    save(into, ends=np.unique(np.concatenate([[0], inner, [parts]])))


def count_pairs(into: Path, occurrences: Sequence[Path], first: int, last: int, bits: int) -> None:
    """``Pairs`` of parts ``first : last``, the parts one behind the other; ``begin`` of each.

    t_r: (6,) how many pairs occur 0, 1, … times, the last 5 times or more. The hashes and counts
    once more, for ``sum_targets``: stably sorted by the parts of the target phrases, and ``ends``.
    """
    rows = in_ranges(occurrences, "rows", first, last)
    order, ends = by_part(rows["s_key"].copy(), bits)
    keys, times, begin = [np.empty(0, np.uint64)], [np.empty(0, np.int32)], [0]
    with ExitStack() as stack:
        files = [
            stack.enter_context(ArrayFile(into / f"{name}.npy", dtype, row))
            for name, dtype, row in (
                ("rows", OCCURRENCE, ()), ("seen", np.int32, ()), ("reordering", np.float32, (6,)),
            )
        ]  # fmt: skip
        for a, b in filled(ends):
            pairs = distinct(rows, order[a:b], bits)
            for file, array in zip(files, pairs, strict=True):
                file.append(array)
            keys.append(pairs.rows["t_key"].copy())
            times.append(pairs.seen)
            begin.append(files[0].length)
    del rows
    key, seen = np.concatenate(keys), np.concatenate(times)
    t_r = np.bincount(np.minimum(seen, 5), minlength=6)
    order, ends = by_part(key, bits)
    save(into, begin=np.array(begin), t_r=t_r, ends=ends, t_key=key[order], t_seen=seen[order])


def sum_targets(
    into: Path, pairs: Sequence[Path], first: int, last: int, bits: int, discount: str
) -> None:
    """``Sums`` of the pairs whose target phrases are in parts ``first : last``: those of the first
    range of source phrases, then those of the next; ``begin`` of each.
    """
    d, _ = discounts(pairs, discount)
    key, seen = (in_ranges(pairs, name, first, last) for name in ("t_key", "t_seen"))
    order, ends = by_part(key, bits)
    out = Sums(*(np.empty(len(key)) for _ in Sums._fields))
    for a, b in filled(ends):
        at = order[a:b]
        for whole, part in zip(out, sums(key[at], seen[at], d, bits), strict=True):
            whole[at] = part
    sizes = [np.ptp(load(of / "ends.npy", first, last + 1)[[0, -1]]) for of in pairs]
    save(into, begin=np.append(0, np.cumsum(sizes)), **out._asdict())


def sums_of(pairs: Path, targets: Sequence[Path], k: int, bits: int) -> Sums:
    """Of all pairs of range ``k`` of source phrases, in their order."""
    order, _ = by_part(np.load(pairs / "rows.npy", mmap_mode="r")["t_key"].copy(), bits)
    out = Sums(*(np.empty(len(order)) for _ in Sums._fields))
    begins = [load(of / "begin.npy", k, k + 2).tolist() for of in targets]
    for name, whole in out._asdict().items():
        parts = (load(of / f"{name}.npy", *at) for of, at in zip(targets, begins, strict=True))
        whole[order] = np.concatenate(list(parts))
    return out


def filled(ends: Int64) -> list[tuple[int, int]]:
    """Where each part that is not empty begins and ends."""
    some = np.flatnonzero(np.diff(ends))
    return list(zip(ends[some].tolist(), ends[some + 1].tolist(), strict=True))


# --- kernels


@lean
def _sort(values: UInt64, order: Int64, first: int, last: int) -> None:
    """Sort the rows ``order[first : last]`` by value, then number (Shell 1959)."""
    gap = 1
    while 3 * gap < last - first:
        gap = 3 * gap + 1
    while gap > 0:
        for k in range(first + gap, last):
            row, at = order[k], k
            while at >= first + gap:
                other = order[at - gap]
                if values[other] < values[row] or (values[other] == values[row] and other < row):
                    break
                order[at] = other
                at -= gap
            order[at] = row
        gap //= 3


@lean
def _alike(values: UInt64, order: Int64, first: int, last: int) -> int:
    """Where the rows that have the value of row ``order[first]`` end, at ``last`` at most."""
    end = first + 1
    while end < last and values[order[end]] == values[order[first]]:
        end += 1
    return end


@kernel
def _distinct(
    s_key: UInt64, t_key: UInt64, links: UInt64, order: Int64, ends: Int64
) -> tuple[Int64, Int32]:
    """An occurrence of each pair, with its links, and its c(s̄, t̄); sorts ``order`` by pairs.

    order, ends: occurrences in parts by s̄, as ``by_part`` gives them.
    """
    pick, seen = np.empty(len(order), np.int64), np.empty(len(order), np.int32)
    n = 0
    for part in range(len(ends) - 1):
        _sort(s_key, order, ends[part], ends[part + 1])
        s = ends[part]  # where the occurrences of s̄ begin, those of the pair, those with its links
        while s < ends[part + 1]:
            s_end = _alike(s_key, order, s, ends[part + 1])
            _sort(t_key, order, s, s_end)
            t = s
            while t < s_end:
                t_end, most = _alike(t_key, order, t, s_end), 0
                _sort(links, order, t, t_end)
                a = t
                while a < t_end:
                    end = _alike(links, order, a, t_end)
                    if end - a > most:
                        most, pick[n] = end - a, order[a]
                    a = end
                seen[n] = t_end - t
                n, t = n + 1, t_end
            s = s_end
    return pick[:n].copy(), seen[:n].copy()


@kernel
def _orientations(previous: Int8, following: Int8, order: Int64, seen: Int32) -> Int32:
    """How often each pair has each orientation, (P, 2, 3) as in ``reorder``."""
    c, k = np.zeros((len(seen), 2, 3), np.int32), 0
    for pair in range(len(seen)):
        for row in order[k : k + seen[pair]]:
            c[pair, 0, previous[row]] += 1
            c[pair, 1, following[row]] += 1
        k += seen[pair]
    return c


@kernel
def _sums(
    key: UInt64, seen: Int32, free: Float64, order: Int64, ends: Int64
) -> tuple[Float64, Float64, Float64]:
    """``Sums`` of pairs that ``order`` has in parts by t̄, which it sorts; free: D(c(s̄, t̄))."""
    total, sources, freed = np.empty(len(key)), np.empty(len(key)), np.empty(len(key))
    for part in range(len(ends) - 1):
        _sort(key, order, ends[part], ends[part + 1])
        first = ends[part]
        while first < ends[part + 1]:
            last = _alike(key, order, first, ends[part + 1])
            c, f = 0, 0.0
            for row in order[first:last]:
                c += seen[row]
                f += free[row]
            for row in order[first:last]:
                total[row], sources[row], freed[row] = c, last - first, f
            first = last
    return total, sources, freed


@kernel
def by_part(key: UInt64, bits: int) -> tuple[Int64, Int64]:
    """The order that stably sorts rows by the first bits of their keys, (P,), and where each part
    then ends, after a leading 0, (2^bits + 1,).
    """
    shift = np.uint64(64 - bits)
    ends = np.zeros((1 << bits) + 1, np.int64)
    for k in range(len(key)):
        ends[np.int64(key[k] >> shift) + 1] += 1
    for part in range(1 << bits):
        ends[part + 1] += ends[part]
    at, order = ends[:-1].copy(), np.empty(len(key), np.int64)
    for k in range(len(key)):
        of = np.int64(key[k] >> shift)
        order[at[of]] = k
        at[of] += 1
    return order, ends
