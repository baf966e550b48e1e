"""Count the distinct phrase pairs among their occurrences, and sum over the whole corpus.

Letters: s̄ a source phrase, t̄ a target phrase.

    c(s̄, t̄)   how often the pair occurs, see ``extract``
    c(t̄)      = Σ_s̄ c(s̄, t̄)
    n(t̄)      number of distinct s̄ that are paired with t̄
    F(t̄)      = Σ_s̄ D(c(s̄, t̄)), the count mass that discounting frees; D as in ``score``

A pair keeps its most frequent links; of equally frequent ones, those whose bit mask is the smallest
number.

Tasks: ``cut_parts`` divides the parts of ``extract`` into *ranges* that fit the memory;
``count_pairs`` counts the pairs of one range of source phrases, over all pieces; ``sum_targets``
sums over one range of target phrases, over all pairs. The part of a target phrase is selected by
the first bits of its hash, as that of a source phrase is.
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
from mtkit.storage.arrays import ArrayFile, load, mapped, save, summed

BUCKETS = 11  # bits of a hash; a part is divided into 2^BUCKETS buckets before it is sorted
OCCURRENCE_BYTES = 80  # bytes per occurrence and its pair while a range is processed


class Pairs(NamedTuple):
    """P distinct pairs, sorted by the hash of s̄, then by that of t̄."""

    rows: Rows  # OCCURRENCE (P,), an occurrence of each with its most frequent links
    seen: Int32  # (P,) c(s̄, t̄)
    reordering: Float32  # (P, 6) as in ``PhraseTable``


class Sums(NamedTuple):
    """Sums over the target phrase t̄ of each of P pairs."""

    total: Float64  # (P,) c(t̄)
    sources: Float64  # (P,) n(t̄)
    freed: Float64  # (P,) F(t̄)


def distinct(rows: Rows, part: Int64, bits: int) -> Pairs:
    """Return the distinct pairs of the occurrences ``rows[part]``, which are those of one part.

    bits: number of leading bits of the hash of s̄ that select the part.
    """
    names = "s_key", "t_key", "links", "previous", "next"
    s_key, t_key, links, previous, following = (rows[name][part] for name in names)
    order, ends = by_part(s_key << np.uint64(bits), BUCKETS)
    pick, seen = _distinct(s_key, t_key, links, order, ends)
    c = _orientations(previous, following, order, seen)
    return Pairs(rows.take(part[pick]), seen, log_probabilities(c))


def sums(key: UInt64, seen: Int32, d: Float64, bits: int) -> Sums:
    """Return ``Sums`` for all pairs whose target phrases are in one part.

    key: hashes of t̄; seen: c(s̄, t̄); d: see ``discounts``; bits: as in ``distinct``.
    """
    order, ends = by_part(key << np.uint64(bits), BUCKETS)
    return Sums(*_sums(key, seen, d[np.minimum(seen, 3)], order, ends))


def discounts(pairs: Sequence[Path], discount: str) -> tuple[Float64, int]:
    """Return D of 0, 1, 2 and ≥ 3, float64 (4,), and the number of pairs in all ranges."""
    t = summed(directory / "t_r.npy" for directory in pairs)
    D = closed_form(t.tolist()) or FALLBACK_DISCOUNTS if discount == "kneser-ney" else [0, 0, 0]
    return np.array([0, *D], np.float64), int(t.sum())


def in_ranges(places: Sequence[Path], name: str, first: int, last: int) -> NDArray[Any]:
    """Return the rows of parts ``first : last`` of the array ``name``, place after place.

    places: directories with rows sorted by part; their ``ends.npy`` has the end of each part, after
    a leading 0.
    """
    ends = [load(directory / "ends.npy", first, last + 1)[[0, -1]] for directory in places]
    sizes = [int(b - a) for a, b in ends]
    first_array = mapped(places[0] / f"{name}.npy")
    out, n = np.empty(sum(sizes), first_array.dtype), 0
    for directory, (a, b), size in zip(places, ends, sizes, strict=True):
        out[n : n + size] = mapped(directory / f"{name}.npy")[a:b]
        n += size
    return out


# --- tasks


def cut_parts(into: Path, occurrences: Sequence[Path], room: int) -> None:
    """Save ``ends`` of ranges of parts whose occurrences fit ``room`` bytes."""
    total = summed(directory / "ends.npy" for directory in occurrences)
    size, n_parts = int(total[-1]), len(total) - 1
    n_ranges = max(1, -(-OCCURRENCE_BYTES * size // room))
    cuts = np.searchsorted(total, np.linspace(0, size, n_ranges + 1)[1:-1])
    save(into, ends=np.unique(np.concatenate([[0], cuts, [n_parts]])))


def count_pairs(into: Path, occurrences: Sequence[Path], first: int, last: int, bits: int) -> None:
    """Save ``Pairs`` of parts ``first : last``, part after part, and the ``begin`` of each.

    Also saves ``t_r``: (6,) number of pairs that occur r = 0 … 4 and ≥ 5 times; and, for
    ``sum_targets``, the hashes ``t_key`` and counts ``t_seen``, stably sorted by the part of the
    target phrase, with the ``ends`` of these parts.
    """
    rows = in_ranges(occurrences, "rows", first, last)
    order, ends = by_part(rows["s_key"].copy(), bits)
    keys, counts, begin = [np.empty(0, np.uint64)], [np.empty(0, np.int32)], [0]
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
            counts.append(pairs.seen)
            begin.append(files[0].length)
    del rows
    key, seen = np.concatenate(keys), np.concatenate(counts)
    t_r = np.bincount(np.minimum(seen, 5), minlength=6)
    order, ends = by_part(key, bits)
    save(into, begin=np.array(begin), t_r=t_r, ends=ends, t_key=key[order], t_seen=seen[order])


def sum_targets(
    into: Path, pairs: Sequence[Path], first: int, last: int, bits: int, discount: str
) -> None:
    """Save ``Sums`` of the pairs whose target phrases are in parts ``first : last``.

    The pairs of the first range of source phrases come first, then those of the next; ``begin`` has
    the offset of each range.
    """
    d, _ = discounts(pairs, discount)
    key, seen = (in_ranges(pairs, name, first, last) for name in ("t_key", "t_seen"))
    order, ends = by_part(key, bits)
    out = Sums(*(np.empty(len(key)) for _ in Sums._fields))
    for a, b in filled(ends):
        rows = order[a:b]
        for array, part in zip(out, sums(key[rows], seen[rows], d, bits), strict=True):
            array[rows] = part
    sizes = [np.ptp(load(directory / "ends.npy", first, last + 1)[[0, -1]]) for directory in pairs]
    save(into, begin=np.append(0, np.cumsum(sizes)), **out._asdict())


def sums_of(pairs: Path, targets: Sequence[Path], k: int, bits: int) -> Sums:
    """Return ``Sums`` for all pairs of range ``k`` of source phrases, in their order."""
    order, _ = by_part(mapped(pairs / "rows.npy")["t_key"].copy(), bits)
    out = Sums(*(np.empty(len(order)) for _ in Sums._fields))
    cuts = [load(path / "begin.npy", k, k + 2).tolist() for path in targets]
    for name, array in out._asdict().items():
        parts = (load(path / f"{name}.npy", *cut) for path, cut in zip(targets, cuts, strict=True))
        array[order] = np.concatenate(list(parts))
    return out


def filled(ends: Int64) -> list[tuple[int, int]]:
    """Return begin and end of each part that is not empty."""
    parts = np.flatnonzero(np.diff(ends))
    return list(zip(ends[parts].tolist(), ends[parts + 1].tolist(), strict=True))


# --- kernels


@lean
def _sort(values: UInt64, order: Int64, first: int, last: int) -> None:
    """Sort the rows ``order[first : last]`` by value, then by row number (Shell 1959)."""
    gap = 1
    while 3 * gap < last - first:
        gap = 3 * gap + 1
    while gap > 0:
        for k in range(first + gap, last):
            row, slot = order[k], k
            while slot >= first + gap:
                other = order[slot - gap]
                if values[other] < values[row] or (values[other] == values[row] and other < row):
                    break
                order[slot] = other
                slot -= gap
            order[slot] = row
        gap //= 3


@lean
def _run_end(values: UInt64, order: Int64, first: int, last: int) -> int:
    """Return the end, at most ``last``, of the run of rows with the value of ``order[first]``."""
    end = first + 1
    while end < last and values[order[end]] == values[order[first]]:
        end += 1
    return end


@kernel
def _distinct(
    s_key: UInt64, t_key: UInt64, links: UInt64, order: Int64, ends: Int64
) -> tuple[Int64, Int32]:
    """Return an occurrence of each pair, with its most frequent links, and its c(s̄, t̄).

    order, ends: occurrences in parts by s̄, as ``by_part`` returns them. Sorts ``order`` by pairs.
    """
    pick, seen = np.empty(len(order), np.int64), np.empty(len(order), np.int32)
    n = 0
    for part in range(len(ends) - 1):
        _sort(s_key, order, ends[part], ends[part + 1])
        s = ends[part]  # s, t, a: first occurrence of s̄, of the pair, of the pair with these links
        while s < ends[part + 1]:
            s_end = _run_end(s_key, order, s, ends[part + 1])
            _sort(t_key, order, s, s_end)
            t = s
            while t < s_end:
                t_end, most = _run_end(t_key, order, t, s_end), 0
                _sort(links, order, t, t_end)
                a = t
                while a < t_end:
                    end = _run_end(links, order, a, t_end)
                    if end - a > most:
                        most, pick[n] = end - a, order[a]
                    a = end
                seen[n] = t_end - t
                n, t = n + 1, t_end
            s = s_end
    return pick[:n].copy(), seen[:n].copy()


@kernel
def _orientations(previous: Int8, following: Int8, order: Int64, seen: Int32) -> Int32:
    """Count the orientations of each pair, int32 (P, 2, 3) as in ``reorder``."""
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
    """Return the arrays of ``Sums``; ``order`` has the pairs in parts by t̄ and is sorted here.

    free: D(c(s̄, t̄)) of each pair.
    """
    total, sources, freed = np.empty(len(key)), np.empty(len(key)), np.empty(len(key))
    for part in range(len(ends) - 1):
        _sort(key, order, ends[part], ends[part + 1])
        first = ends[part]
        while first < ends[part + 1]:
            last = _run_end(key, order, first, ends[part + 1])
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
    """Return the order (P,) that stably sorts rows by the first bits of their keys, and ends.

    The ends, (2^bits + 1,), have a leading 0 and then the end of each part.
    """
    shift = np.uint64(64 - bits)
    ends = np.zeros((1 << bits) + 1, np.int64)
    for k in range(len(key)):
        ends[np.int64(key[k] >> shift) + 1] += 1
    for part in range(1 << bits):
        ends[part + 1] += ends[part]
    next_row, order = ends[:-1].copy(), np.empty(len(key), np.int64)
    for k in range(len(key)):
        key_part = np.int64(key[k] >> shift)
        order[next_row[key_part]] = k
        next_row[key_part] += 1
    return order, ends
