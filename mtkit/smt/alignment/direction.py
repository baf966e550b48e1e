"""One direction, P(f|e), of a text in shards: who meets whom, and EM over all of it.

Letters as in ``places``. A shard has ``Places`` of its own, in which words are numbered by their
rank among those of the shard, and a t of its own, of the pairs of words that meet in it. The t of
the whole text is found in parts, each of a range of words e:

    key      e · 2³² + f of a pair of words that meets; those of a shard, and of a part, are sorted
    cuts     (S, P + 1): the keys of shard k that belong to part p are cuts[k, p] : cuts[k, p + 1]
    slots    where each key of a shard stands among those of all parts, one behind the other

    E-step   a task for each shard: t(f|e) of its keys by ``slots``, then its expected counts
    M-step   a task for each part: c(f|e) = Σ_k those of shard k, in this order; then t(f|e)

Nothing a task holds grows with the text, but for the t of a single e. How many parts there are
changes nothing, since M-steps go row by row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtkit.smt.alignment.places import NOTHING, NULL, Places, maximise
from mtkit.smt.flat import Flat, Float32, Float64, Int32, Int64
from mtkit.storage.stages import Outputs, Stages, array, load, pack, unpack, write_array
from mtkit.text.shards import Shards

HELD = 64  # bytes a key of a shard that a task of a part holds
PARTS = 4  # at least, for several threads
LOW = 0xFFFFFFFF


@dataclass(frozen=True)
class Direction:
    """P(f|e) of words by their classes; small, to be sent to tasks."""

    text: Shards
    e: str  # a side of the text
    f: str
    places: Outputs  # a shard each, see ``_places``
    table: Path  # see ``cut``
    keys: Outputs  # a part each, see ``_keys``
    slots: Outputs  # a shard each, see ``_slots``

    @classmethod
    def of(
        cls, text: Shards, e: str, f: str, classes: tuple[Path, Path], stages: Stages
    ) -> Direction:
        """Find all pairs of words that meet in a sentence pair.

        classes: files with the class of each word of e, of f, int32 (V,).
        """
        calls = [(text, e, f, classes, k) for k in range(len(text))]
        places = stages.run("places", _places, calls)
        [table] = stages.run("cut", cut, [(places, HELD, stages.room)])
        parts = len(array(table, "bounds")) - 1
        keys = stages.run("keys", _keys, [(places, table, p) for p in range(parts)])
        slots = stages.run("slots", _slots, [(places, keys, k) for k in range(len(text))])
        return cls(text, e, f, places, table, keys, slots)

    def read(self, k: int) -> Places:
        """The places of shard ``k``."""
        return Places(*unpack(self.places[k], *Places._fields))

    def t(self, k: int, t: Path | None) -> Float64:
        """t(f|e) of the keys of shard ``k``, of a file of those of all; None: the uniform one."""
        slots, every = unpack(self.slots[k], "slots", "every")
        if t is None:
            return np.full(len(slots), 1.0 / max(1, every[0]))
        own: Float64 = gather(t, slots)
        return own


def gather(path: Path, at: Int64) -> Any:
    """Rows ``at`` of an array in a file, of which no more is read."""
    return np.asarray(np.load(path, mmap_mode="r"))[at]


def beginnings(e: Flat, f: Flat) -> Int64:
    """``Places.begin``."""
    return np.cumsum(np.append(0, (np.diff(e.begin) + 1) * np.diff(f.begin)))


def ranked(words: Int32, size: int) -> tuple[Int32, Int32]:
    """The different ids of a shard behind the empty word's, sorted, and each word as its rank.

    size: ids are below it.
    """
    stands = np.zeros(size, np.bool_)
    stands[words], stands[NULL] = True, True
    return np.flatnonzero(stands).astype(np.int32), (np.cumsum(stands, dtype=np.int32) - 1)[words]


def meet(e: Flat, f: Flat, e_class: Int32, f_class: Int32) -> tuple[Places, Int64, Int32]:
    """Places of a shard with its keys sorted; these; and the classes of e that it has."""
    (e_ids, e_rank), (f_ids, f_rank) = (
        ranked(classes[side.words], len(classes)) for side, classes in ((e, e_class), (f, f_class))
    )
    found = Places.of(Flat(e_rank, e.begin), Flat(f_rank, f.begin), len(e_ids), len(f_ids))
    rows = np.repeat(e_ids, np.diff(found.row)).astype(np.int64)
    key = rows << 32 | f_ids[found.column]
    order = np.argsort(key)
    rank = np.empty(len(key), np.int32)
    rank[order] = np.arange(len(key), dtype=np.int32)
    places = found._replace(column=found.column[order], entry=rank[found.entry])
    return places, key[order], e_ids


# --- tasks


def _places(into: Path, text: Shards, e: str, f: str, classes: tuple[Path, Path], k: int) -> None:
    """The ``Places`` of a shard, its keys, and the classes of e that it has: ``ids``."""
    sides = Flat.side(text, e, k), Flat.side(text, f, k)
    places, key, ids = meet(*sides, *(load(path) for path in classes))
    pack(into, **places._asdict(), key=key, ids=ids)


def cut(into: Path, shards: Outputs, held: int, budget: int) -> None:
    """Ranges of e with about equally many keys, of which ``held`` bytes each fit into ``budget``:
    their ``bounds`` (P + 1,), and ``cuts``.
    """
    widths = np.zeros(1, np.int64)
    for out in shards:
        key = array(out, "key")
        own = np.bincount(key >> 32)
        widths = np.pad(widths, (0, max(0, len(own) - len(widths))))
        widths[: len(own)] += own
    ends = np.cumsum(widths)
    parts = max(PARTS, -(-held * int(ends[-1]) // budget))
    inner = 1 + np.searchsorted(ends, np.linspace(0, ends[-1], parts + 1)[1:-1])
    bounds = np.unique(np.concatenate([[0], inner, [len(ends)]])).astype(np.int64)
    cuts = [np.searchsorted(array(out, "key"), bounds << 32) for out in shards]
    pack(into, bounds=bounds, cuts=np.array(cuts, np.int64))


def _keys(into: Path, shards: Outputs, table: Path, p: int) -> None:
    """The keys of a part as rows of e; by its number, where those of each shard stand in it."""
    cuts = array(table, "cuts")
    own = [array(out, "key", *cuts[k, p : p + 2].tolist()) for k, out in enumerate(shards)]
    keys = np.sort(np.concatenate(own))
    keys = keys[np.append(True, keys[1:] != keys[:-1])]
    first = np.flatnonzero(np.diff(keys >> 32, prepend=-1))
    at = {f"{k}": np.searchsorted(keys, part).astype(np.int32) for k, part in enumerate(own)}
    pack(into, e=keys[first] >> 32, row=np.append(first, len(keys)), **at)


def _slots(into: Path, places: Outputs, keys: Outputs, k: int) -> None:
    """``slots`` of a shard; ``rows``, where its e stand among those of all parts; and ``every``,
    how many words the empty word meets.
    """
    slots, e, n, every = [], [], 0, 0
    for p, part in enumerate(keys):
        at, own, row = unpack(part, f"{k}", "e", "row")
        slots.append(n + at.astype(np.int64))
        e.append(own)
        n += int(row[-1])
        every = every if p else int(row[1])
    ids = np.searchsorted(np.concatenate(e), array(places[k], "ids"))
    pack(into, slots=np.concatenate(slots), rows=ids, every=np.array([every]))


# --- EM


class Model(NamedTuple):
    """What EM needs of a model of alignment."""

    # Its parameters besides t, before the first iteration.
    start: Callable[[Direction], Any]
    # Of places, t, the other parameters, posteriors to fill: c of t and the sums that the other
    # parameters are found from, ln P(f|e) the last of them.
    expect: Callable[[Places, Float64, Any, Float32], tuple[Float64, Float64]]
    # The other parameters, of those sums and of themselves before.
    update: Callable[[Float64, Any], Any]


class Learnt(NamedTuple):
    """Where EM has come to."""

    t: Path | None  # of all keys
    other: Any  # parameters
    likelihood: list[float]  # ln P(f|e) of the text before each iteration


def em(
    d: Direction, stages: Stages, name: str, model: Model, iterations: int, alpha: float,
    t: Path | None = None,
) -> Learnt:  # fmt: skip
    """EM from t on; alpha: the prior of ``places.maximise``."""
    other, likelihood = model.start(d), []
    shards, parts = range(len(d.text)), range(len(d.keys))
    for n in range(1, iterations + 1):
        step = f"{name}-{n}"
        calls = [(d, model.expect, k, t, other) for k in shards]
        counts = stages.run(f"{step}-counts", _expect, calls)
        found = stages.run(f"{step}-rows", _maximise, [(d, p, counts, alpha) for p in parts])
        [joined] = stages.run(step, _join, [(found, counts)])
        stages.forget(f"{step}-counts", f"{step}-rows")
        if n > 1 and t:
            t.unlink(missing_ok=True)
        t, sums = joined / "t.npy", array(joined, "sums")
        other = model.update(sums[:-1], other)
        likelihood.append(float(sums[-1]))
    return Learnt(t, other, likelihood)


def posteriors(d: Direction, stages: Stages, name: str, model: Model, learnt: Learnt) -> Outputs:
    """P(a_j = i | f, e) of every place, float32 ``posterior``, a shard each."""
    calls = [(d, model.expect, k, learnt.t, learnt.other) for k in range(len(d.text))]
    return stages.run(f"{name}-posterior", _posterior, calls)


def _expect(
    into: Path, d: Direction, expect: Callable[..., Any], k: int, t: Path | None, other: Any
) -> None:
    """The E-step of a shard."""
    counts, sums = expect(d.read(k), d.t(k, t), other, NOTHING)
    pack(into, counts=counts, sums=sums)


def _posterior(
    into: Path, d: Direction, expect: Callable[..., Any], k: int, t: Path | None, other: Any
) -> None:
    places = d.read(k)
    posterior = np.empty(len(places.entry), np.float32)
    expect(places, d.t(k, t), other, posterior)
    pack(into, posterior=posterior)


def _maximise(into: Path, d: Direction, p: int, counts: Outputs, alpha: float) -> None:
    """The M-step of a part."""
    cuts = array(d.table, "cuts")
    row, *at = unpack(d.keys[p], "row", *map(str, range(len(counts))))
    c = np.zeros(row[-1])
    for k, out in enumerate(counts):
        c[at[k]] += array(out, "counts", *cuts[k, p : p + 2].tolist())
    maximise(c, row, alpha)
    pack(into, t=c)


def _join(into: Path, parts: Outputs, counts: Outputs) -> None:
    """t of all keys, and the sums of all shards."""
    write_array(into / "t.npy", (array(part, "t") for part in parts), np.float64)
    pack(into, sums=total(counts, "sums"))


def total(outputs: Outputs, name: str) -> NDArray[Any]:
    """The sum of an array over the outputs of a stage, in their order."""
    sums = array(outputs[0], name)
    for k in range(1, len(outputs)):
        sums += array(outputs[k], name)
    return sums
