"""Lexical weights of phrase pairs (Koehn, Och & Marcu 2003).

Letters: s a word of the source phrase s̄, t one of the target phrase t̄.

    c(s, t)   links of s to t in the corpus; c(s), c(t) those of s, of t
    c(s, ε)   how often s is unlinked; c(ε, t) how often t is
    w(t|s)    = c(s, t) / c(s)          w(t|NULL) = c(ε, t) / Σ_t′ c(ε, t′), at least 10⁻⁷
    w(s|t)    = c(s, t) / c(t)          w(s|NULL) = c(s, ε) / Σ_s′ c(s′, ε), at least 10⁻⁷
    lex(t̄|s̄)  = Π_{t ∈ t̄} mean of w(t|s) over the s ∈ s̄ linked to t, or w(t|NULL)
    lex(s̄|t̄)  = Π_{s ∈ s̄} mean of w(s|t) over the t ∈ t̄ linked to s, or w(s|NULL)

Tasks for a corpus on disk, after ``distinct_links`` for each piece: ``cut_words`` divides the
source words into ranges that fit the memory, ``add_links`` adds up the counts of a range,
``join_links`` computes the weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from mtkit.smt.flat import Float64, Int32, Int64, UInt64, read_only
from mtkit.smt.kernels import kernel, lean
from mtkit.smt.phrases.extract import MAX_PHRASE, Aligned
from mtkit.storage.arrays import ArrayFile, joined, load, mapped, save, summed
from mtkit.text.vocabulary import PAD

RARE = 1e-7  # lower bound of w(·|NULL)
LINK_BYTES = 64  # bytes per distinct link of a piece while the pieces are added up
EMPTY = PAD  # ε, an id that no word has


class Weights(NamedTuple):
    """w of E distinct links between V_s source and V_t target words."""

    begin: Int64  # (V_s + 1,) source word s has the links begin[s] : begin[s + 1]
    t: Int32  # (E,) their target words, ascending for each s
    both: Float64  # (E, 2) w(t|s), w(s|t)
    s_null: Float64  # (V_s,) w(s|NULL)
    t_null: Float64  # (V_t,) w(t|NULL)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Load the files of ``join_links``, memory-mapped."""
        paths = (directory / f"{name}.npy" for name in cls._fields)
        return cls(*read_only(map(mapped, paths)))


def link_keys(s: NDArray[Any], t: NDArray[Any]) -> UInt64:
    """Return 2³² s + t."""
    return s.astype(np.uint64) << np.uint64(32) | t.astype(np.uint64)


def distinct_links(corpora: Iterable[Aligned]) -> tuple[UInt64, Int64]:
    """Return the distinct links, 2³² s + t, ascending, and their counts c(s, t).

    Unlinked words count as linked to ε.
    """
    keys = []
    for corpus in corpora:
        sentence = np.repeat(np.arange(len(corpus.s_begin) - 1), np.diff(corpus.begin))
        i, j = corpus.s_begin[sentence] + corpus.s, corpus.t_begin[sentence] + corpus.t
        s, t = np.delete(corpus.source, i), np.delete(corpus.target, j)
        epsilon = np.full(max(len(s), len(t)), EMPTY)
        keys += [link_keys(corpus.source[i], corpus.target[j])]
        keys += [link_keys(s, epsilon[: len(s)]), link_keys(epsilon[: len(t)], t)]
    return np.unique(np.concatenate(keys), return_counts=True)


# --- tasks


def cut_words(into: Path, links: Sequence[Path], size: int, room: int) -> None:
    """Save ``ends`` of ranges of the ``size`` source words whose links fit ``room`` bytes."""
    entries = np.zeros(size, np.int64)
    for directory in links:
        s = load(directory / "both.npy") >> np.uint64(32)
        entries += np.bincount(s.astype(np.int64), minlength=size)
    total = np.cumsum(entries)
    n_ranges = max(1, -(-LINK_BYTES * int(total[-1]) // room))
    cuts = 1 + np.searchsorted(total, np.linspace(0, total[-1], n_ranges + 1)[1:-1])
    save(into, ends=np.unique(np.concatenate([[0], cuts, [size]])))


def add_links(into: Path, links: Sequence[Path], first: int, last: int, t_size: int) -> None:
    """Save the summed counts of the links of source words ``first : last``.

    ``t``, ``c``: the links without ε, sorted; ``entries``: distinct links of each s. For each side,
    ``count`` holds c(s) or c(t), and ``null`` how often a word is unlinked.
    """
    parts = []
    for directory in links:
        both = mapped(directory / "both.npy")
        a, b = np.searchsorted(both, np.array([first << 32, last << 32], np.uint64)).tolist()
        parts.append((np.array(both[a:b]), load(directory / "c.npy", a, b)))
    keys, counts = (np.concatenate(column) for column in zip(*parts, strict=True))
    del parts
    both, index = np.unique(keys, return_inverse=True)
    c = np.bincount(index, counts).astype(np.int64)
    s, t = (both >> np.uint64(32)).astype(np.int64) - first, both.astype(np.uint32).view(np.int32)
    s_alone, t_alone = t == EMPTY, s == EMPTY - first
    linked = ~(s_alone | t_alone)
    save(into, t=t[linked], c=c[linked], entries=np.bincount(s[linked], minlength=last - first))
    for side, ids, size, alone in (("s", s, last - first, s_alone), ("t", t, t_size, t_alone)):
        for name, rows in (("count", linked), ("null", alone)):
            total = np.bincount(ids[rows], c[rows], size).astype(np.int64)
            save(into, **{f"{side}_{name}": total})


def join_links(into: Path, ranges: Sequence[Path]) -> None:
    """Save ``Weights``, computed from the counts of all ranges."""

    def files(name: str) -> Iterator[Path]:
        return (directory / f"{name}.npy" for directory in ranges)

    t_count, t_null = (summed(files(f"t_{name}")) for name in ("count", "null"))
    entries, s_null = (joined(files(name)) for name in ("entries", "s_null"))
    save(into, begin=np.append(0, np.cumsum(entries)))
    save(into, s_null=null_weights(s_null), t_null=null_weights(t_null))
    with (
        ArrayFile(into / "t.npy", np.int32) as t_file,
        ArrayFile(into / "both.npy", np.float64, (2,)) as w_file,
    ):
        for directory in ranges:
            t, c, entries, s_count = (
                load(directory / f"{name}.npy") for name in ("t", "c", "entries", "s_count")
            )
            t_file.append(t)
            w_file.append(np.column_stack([c / np.repeat(s_count, entries), c / t_count[t]]))


def null_weights(unlinked: Int64) -> Float64:
    """Return w(·|NULL) of every word of a side."""
    share: Float64 = np.maximum(unlinked / max(1, unlinked.sum()), RARE)
    return share


# --- kernels


@lean
def _find(t: Int32, word: int, first: int, last: int) -> int:
    """Return the index of ``word``, which must occur, in the ascending ``t[first : last]``."""
    n = last - first
    while n > 1:
        half = n >> 1
        first = first + half if t[first + half] <= word else first
        n -= half
    return first


@kernel
def lexical(
    source: Int32, s_begin: Int64, phrase: Int64, target: Int32, t_begin: Int64, links: UInt64,
    w: Weights,
) -> Float64:  # fmt: skip
    """Return lex(t̄|s̄) and lex(s̄|t̄) of P pairs, float64 (P, 2); see the module's head.

    source, s_begin: words of the source phrases, as in ``PhraseTable``; phrase: (P,) index of each
    pair's source phrase; target, t_begin, links: as in ``PhraseTable``.
    """
    out = np.empty((len(links), 2))
    total, n = np.zeros(MAX_PHRASE), np.zeros(MAX_PHRASE, np.int64)
    for p in range(len(links)):
        x, y, J = s_begin[phrase[p]], t_begin[p], t_begin[p + 1] - t_begin[p]
        forward = backward = 1.0
        for i in range(s_begin[phrase[p] + 1] - x):
            s, back, m = source[x + i], 0.0, 0
            row = links[p] >> np.uint64(8 * i)
            for j in range(J):
                if row >> np.uint64(j) & np.uint64(1):
                    t = target[y + j]
                    entry = _find(w.t, t, w.begin[s], w.begin[s + 1])
                    total[j] += w.both[entry, 0]
                    n[j] += 1
                    back += w.both[entry, 1]
                    m += 1
            backward *= back / m if m > 0 else w.s_null[s]
        for j in range(J):
            forward *= total[j] / n[j] if n[j] > 0 else w.t_null[target[y + j]]
            total[j], n[j] = 0.0, 0
        out[p, 0], out[p, 1] = forward, backward
    return out
