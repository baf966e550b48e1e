"""One direction, P(f|e), of a text in shards: the word pairs that co-occur, and EM over them.

Letters as in ``places``. Each shard has its own ``Places``, in which the words of the shard are
numbered from 0, and its own t, for the word pairs of the shard. The t of the whole text is computed
in parts; a part is a range of words e:

    key      e · 2³² + f of a word pair that co-occurs; the keys of a shard or a part are sorted
    cuts     (S, P + 1): the keys of shard k that belong to part p are cuts[k, p] : cuts[k, p + 1]
    slots    the index of each key of a shard in its part, part after part

    E-step   a task for each shard: t(f|e) of its keys by ``slots``, then its expected counts
    M-step   a task for each part: c(f|e) = Σ_k the counts of shard k, in this order; then t(f|e)

A task needs memory that does not grow with the text, except for the row t(·|e) of one word e. The
number of parts does not change the result, since the M-step is row by row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mtkit.smt.alignment.places import NO_POSTERIOR, NULL, Places, maximise
from mtkit.smt.flat import Flat, Float32, Float64, Int32, Int64, read_only
from mtkit.storage.arrays import load, load_all, mapped, save, summed
from mtkit.storage.stages import Outputs, Stages
from mtkit.text.shards import Shards

BYTES_PER_KEY = 64  # bytes that the task of a part holds for each key of a shard
PARTS, KEYS_PER_PART = 4, 1 << 20  # parts if memory allows fewer: one per so many keys, at most 4
LOW = 0xFFFFFFFF  # the bits of f in a key


@dataclass(frozen=True)
class Direction:
    """The keys and places of P(f|e) between word classes, as paths that are cheap to send."""

    text: Shards
    e: str  # a side of the text
    f: str
    places: Outputs  # of each shard, see ``_places``
    table: Path  # see ``cut_keys``
    keys: Outputs  # of each part, see ``_keys``
    slots: Outputs  # of each shard, see ``_slots``

    @classmethod
    def of(
        cls, text: Shards, e: str, f: str, classes: tuple[Path, Path], stages: Stages
    ) -> Direction:
        """Find all word pairs that co-occur in a sentence pair.

        classes: two files, with the class of each word of e and of f, int32 (V,).
        """
        calls = [(text, e, f, classes, k) for k in range(len(text))]
        places = stages.run("places", _places, calls)
        [table] = stages.run("cut", cut_keys, [(places, BYTES_PER_KEY, stages.task_memory)])
        parts = len(load(table / "bounds.npy")) - 1
        keys = stages.run("keys", _keys, [(places, table, p) for p in range(parts)])
        slots = stages.run("slots", _slots, [(places, table, keys, k) for k in range(len(text))])
        return cls(text, e, f, places, table, keys, slots)

    def read(self, k: int) -> Places:
        """Return the places of shard ``k``, memory-mapped."""
        return Places(*read_only(mapped(self.places[k] / f"{name}.npy") for name in Places._fields))

    def t(self, k: int, t: Outputs | None) -> Float64:
        """Return t(f|e) of the keys of shard ``k``; t: of each part, None: uniform."""
        if t is not None:
            t_k: Float64 = self.by_key(t, "t", k)
            return t_k
        n_keys, [V_f] = self.key_ends(k)[-1], load(self.slots[k] / "V_f.npy")
        return np.full(n_keys, 1.0 / max(1, V_f))

    def by_key(self, parts: Outputs, name: str, k: int) -> Any:
        """Return an array with an entry per key of a part, for the keys of shard ``k``."""
        return _gather(parts, name, load(self.slots[k] / "slots.npy"), self.key_ends(k))

    def by_row(self, parts: Outputs, name: str, k: int) -> Any:
        """Return an array with an entry per word e of a part, for the words of shard ``k``."""
        return _gather(parts, name, *load_all(self.slots[k], "rows", "row_ends"))

    def key_ends(self, k: int) -> Int64:
        """Return ``cuts[k]``."""
        cuts: Int64 = load(self.table / "cuts.npy", k, k + 1)[0]
        return cuts


def _gather(parts: Outputs, name: str, index: Int32, ends: Int64) -> Any:
    """Return the entries index[ends[p] : ends[p + 1]] of each part's array; only these are read."""
    like = mapped(parts[0] / f"{name}.npy")
    out = np.empty((len(index), *like.shape[1:]), like.dtype)
    for part, (a, b) in zip(parts, pairwise(ends.tolist()), strict=True):
        values = mapped(part / f"{name}.npy")  # one at a time: a process may open few files
        np.take(values, index[a:b], axis=0, out=out[a:b], mode="clip")  # "raise" would copy ``out``
    return out


def beginnings(e: Flat, f: Flat) -> Int64:
    """Return ``Places.begin`` of a text."""
    return np.cumsum(np.append(0, (np.diff(e.begin) + 1) * np.diff(f.begin)))


def ranked(words: Int32, size: int) -> tuple[Int32, Int32]:
    """Return the sorted distinct ids, the empty word's first, and each word's rank among them.

    size: ids are below it.
    """
    occurs = np.zeros(size, np.bool_)
    occurs[words], occurs[NULL] = True, True
    return np.flatnonzero(occurs).astype(np.int32), (np.cumsum(occurs, dtype=np.int32) - 1)[words]


def paired(e: Flat, f: Flat) -> Flat:
    """Return e with each sentence blank whose f is: its words co-occur with nothing."""
    I, has_f = np.diff(e.begin), np.diff(f.begin) > 0
    return Flat(e.words[np.repeat(has_f, I)], np.cumsum(np.append(0, I * has_f)))


def cooccurrences(e: Flat, f: Flat, e_class: Int32, f_class: Int32) -> tuple[Places, Int64, Int32]:
    """Return the places of a shard, its sorted keys, and their classes of e with the empty word."""
    (e_ids, e_rank), (f_ids, f_rank) = (
        ranked(classes[side.words], len(classes)) for side, classes in ((e, e_class), (f, f_class))
    )
    unsorted = Places.of(Flat(e_rank, e.begin), Flat(f_rank, f.begin), len(e_ids), len(f_ids))
    rows = np.repeat(e_ids, np.diff(unsorted.row)).astype(np.int64)
    key = rows << 32 | f_ids[unsorted.column]
    order = np.argsort(key)
    rank = np.empty(len(key), np.int32)
    rank[order] = np.arange(len(key), dtype=np.int32)
    places = unsorted._replace(column=unsorted.column[order], entry=rank[unsorted.entry])
    return places, key[order], e_ids


# --- tasks


def _places(into: Path, text: Shards, e: str, f: str, classes: tuple[Path, Path], k: int) -> None:
    """Write the ``Places`` of a shard, its ``key``, and ``ids``, the classes of e in it."""
    f_side = Flat.side(text, f, k)
    e_side = paired(Flat.side(text, e, k), f_side)
    places, key, ids = cooccurrences(e_side, f_side, *(load(path) for path in classes))
    save(into, **places._asdict(), key=key, ids=ids)


def cut_keys(into: Path, shards: Outputs, held: int, budget: int) -> None:
    """Divide the words e into P ranges with about equally many keys; write ``bounds`` and ``cuts``.

    bounds: (P + 1,), the first e of each range. held: bytes per key; budget: bytes per range.
    """
    widths = np.zeros(1, np.int64)
    for out in shards:
        key = load(out / "key.npy")
        shard_widths = np.bincount(key >> 32)
        widths = np.pad(widths, (0, max(0, len(shard_widths) - len(widths))))
        widths[: len(shard_widths)] += shard_widths
    ends = np.cumsum(widths)
    wanted = min(PARTS, 1 + int(ends[-1]) // KEYS_PER_PART)
    parts = max(wanted, -(-held * int(ends[-1]) // budget))
    inner = 1 + np.searchsorted(ends, np.linspace(0, ends[-1], parts + 1)[1:-1])
    bounds = np.unique(np.concatenate([[0], inner, [len(ends)]])).astype(np.int64)
    cuts = [np.searchsorted(load(out / "key.npy"), bounds << 32) for out in shards]
    save(into, bounds=bounds, cuts=np.array(cuts, np.int64))


def _keys(into: Path, shards: Outputs, table: Path, p: int) -> None:
    """Write ``e``, the words e of a part, their ``row``, and the arrays of ``slots_of``."""
    cuts = load(table / "cuts.npy")
    by_shard = [load(out / "key.npy", *cuts[k, p : p + 2].tolist()) for k, out in enumerate(shards)]
    keys = np.sort(np.concatenate(by_shard))
    keys = keys[np.append(True, keys[1:] != keys[:-1])]
    first = np.flatnonzero(np.diff(keys >> 32, prepend=-1))
    slots = [np.searchsorted(keys, key).astype(np.int32) for key in by_shard]
    ends = np.cumsum([0, *map(len, slots)])
    row = np.append(first, len(keys))
    save(into, e=keys[first] >> 32, row=row, slots=np.concatenate(slots), ends=ends)


def slots_of(part: Path, k: int) -> Int32:
    """Return where in a part the keys of shard ``k`` are that belong to it."""
    slots: Int32 = load(part / "slots.npy", *load(part / "ends.npy", k, k + 2).tolist())
    return slots


def _slots(into: Path, places: Outputs, table: Path, keys: Outputs, k: int) -> None:
    """Write ``slots``, ``rows``, ``row_ends`` and ``V_f`` of a shard.

    rows: the index of each e of the shard in its part; those of part p are row_ends[p : p + 2].
    V_f: the number of words f of the text; all of them co-occur with the empty word.
    """
    ids = load(places[k] / "ids.npy")
    row_ends = np.searchsorted(ids, load(table / "bounds.npy"))
    slots, rows = list[Int32](), list[Int32]()
    for part, (a, b) in zip(keys, pairwise(row_ends.tolist()), strict=True):
        slots.append(slots_of(part, k))
        rows.append(np.searchsorted(load(part / "e.npy"), ids[a:b]).astype(np.int32))
    V_f = load(keys[0] / "row.npy", 1, 2)
    save(into, slots=np.concatenate(slots), rows=np.concatenate(rows), row_ends=row_ends, V_f=V_f)


# --- EM


class Model(NamedTuple):
    """The functions of an alignment model that EM calls."""

    # Returns the parameters besides t before the first iteration.
    start: Callable[[Direction], Any]
    # The E-step. Takes places, t, the other parameters, and posteriors to fill or NO_POSTERIOR.
    # Returns c, and the sums that ``update`` needs, followed by ln P(f|e).
    expect: Callable[[Places, Float64, Any, Float32], tuple[Float64, Float64]]
    # Returns the other parameters from those sums, without ln P(f|e), and their values before.
    update: Callable[[Float64, Any], Any]


class Learnt(NamedTuple):
    """The parameters after EM."""

    t: Outputs | None  # t of the keys of each part
    other: Any  # the parameters besides t
    likelihood: list[float]  # ln P(f|e) of the text before each iteration


def em(
    d: Direction, stages: Stages, name: str, model: Model, iterations: int, alpha: float,
    t: Outputs | None = None,
) -> Learnt:  # fmt: skip
    """Run EM from ``t``, None: from uniform t; alpha: the prior of ``places.maximise``."""
    other, likelihood = model.start(d), []
    shards, parts = range(len(d.text)), range(len(d.keys))
    for n in range(1, iterations + 1):
        step = f"{name}-{n}"
        calls = [(d, model.expect, k, t, other) for k in shards]
        counts = stages.run(f"{step}-counts", _expect, calls)
        old, t = t, stages.run(step, _maximise, [(d, p, counts, alpha) for p in parts])
        stages.forget(f"{step}-counts")
        if old:
            drop(old, "t")
        sums = load(t[0] / "sums.npy")
        other = model.update(sums[:-1], other)
        likelihood.append(float(sums[-1]))
    return Learnt(t, other, likelihood)


def posteriors(d: Direction, stages: Stages, name: str, model: Model, learnt: Learnt) -> Outputs:
    """Return P(a_j = i | f, e) of every place, float32 ``posterior``, one output per shard."""
    calls = [(d, model.expect, k, learnt.t, learnt.other) for k in range(len(d.text))]
    return stages.run(f"{name}-posterior", _posterior, calls)


def _expect(
    into: Path, d: Direction, expect: Callable[..., Any], k: int, t: Outputs | None, other: Any
) -> None:
    """Do the E-step of a shard."""
    counts, sums = expect(d.read(k), d.t(k, t), other, NO_POSTERIOR)
    save(into, counts=counts, sums=sums)


def _posterior(
    into: Path, d: Direction, expect: Callable[..., Any], k: int, t: Outputs | None, other: Any
) -> None:
    places = d.read(k)
    posterior = np.empty(len(places.entry), np.float32)
    expect(places, d.t(k, t), other, posterior)
    save(into, posterior=posterior)


def _maximise(into: Path, d: Direction, p: int, counts: Outputs, alpha: float) -> None:
    """Do the M-step of a part; the first also writes the total of the ``sums`` of all shards."""
    cuts, row = load(d.table / "cuts.npy"), load(d.keys[p] / "row.npy")
    c = np.zeros(row[-1])
    for k, out in enumerate(counts):
        c[slots_of(d.keys[p], k)] += load(out / "counts.npy", *cuts[k, p : p + 2].tolist())
    maximise(c, row, alpha)
    total = {"sums": summed(out / "sums.npy" for out in counts)} if p == 0 else {}
    save(into, t=c, **total)


def drop(parts: Outputs, *names: str) -> None:
    """Remove arrays that ``save`` wrote and no later task reads, of each part."""
    for part in parts:
        for name in names:
            (part / f"{name}.npy").unlink(missing_ok=True)
