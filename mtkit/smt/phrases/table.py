"""The phrase table: phrase pairs with their scores, links and reordering probabilities.

``build`` writes one from an aligned text, ``moses.tables`` reads one from a Moses table. A look-up
compares the words of a phrase, not only their hashes.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from mtkit.smt.flat import Float32, Int8, Int32, Int64, UInt64, load_arrays
from mtkit.smt.kernels import kernel
from mtkit.smt.phrases.extract import MAX_PHRASE, hash_phrase
from mtkit.storage.reading import damaged
from mtkit.storage.structure import (
    MAX_VALUE,
    check_ids,
    check_length,
    check_offsets,
    check_range,
    check_rising,
)

BYTES = np.uint64(0x0101010101010101)


class PhraseTable(NamedTuple):
    """P phrase pairs of R distinct source phrases, best pairs first within each source phrase.

    The order is by φ(t̄|s̄) in a table of ``build``, by the sum in ``moses.tables`` in an imported
    one.
    """

    source: Int32  # source phrase r is source[s_begin[r] : s_begin[r + 1]]
    s_begin: Int64  # (R + 1,)
    target: Int32  # the target phrase of pair p is target[t_begin[p] : t_begin[p + 1]]
    t_begin: Int64  # (P + 1,)
    key: UInt64  # (R,) hashes of the source phrases, ascending
    row: Int64  # (R + 1,) source phrase r has the pairs row[r] : row[r + 1]
    features: Float32  # (P, 4) ln of φ(t̄|s̄), lex(t̄|s̄), φ(s̄|t̄), lex(s̄|t̄)
    reordering: Float32  # (P, 6) ln P(o|s̄, t̄): m, s, d towards the previous word, then the next
    links: UInt64  # (P,) bit 8 i + j: source word i is linked to target word j

    @classmethod
    def load(cls, directory: Path, s_size: int, t_size: int) -> Self:
        """Load the table, memory-mapped, for ``s_size`` source and ``t_size`` target words.

        Raises InputError if the arrays are damaged or do not fit these sizes.
        """
        table = load_arrays(directory, cls, ("features", "reordering"))
        path = {name: directory / f"{name}.npy" for name in cls._fields}
        R, P = len(table.key), len(table.t_begin) - 1
        check_offsets(path["s_begin"], table.s_begin, len(table.source), R, 1, MAX_PHRASE)
        check_offsets(path["t_begin"], table.t_begin, len(table.target), None, 1, MAX_PHRASE)
        check_offsets(path["row"], table.row, P, R, 1)
        check_ids(path["source"], table.source, s_size)
        check_ids(path["target"], table.target, t_size)
        check_rising(path["key"], table.key)
        for name, width in (("features", 4), ("reordering", 6)):
            check_length(path[name], getattr(table, name), P)
            if getattr(table, name).shape[1] != width:
                raise damaged(path[name], f"rows must have {width} numbers")
            check_range(path[name], getattr(table, name), -MAX_VALUE, MAX_VALUE)
        check_length(path["links"], table.links, P)
        r, p = flaws(table)
        if r >= 0:
            raise damaged(
                path["key"], f"the key of source phrase {r:,} is not the hash of its words"
            )
        if p >= 0:
            raise damaged(path["links"], f"pair {p:,} has links to words outside it")
        return table


@lru_cache(1 << 16)
def links_of(mask: int) -> tuple[tuple[int, int], ...]:
    """Return the links (i, j) of a phrase pair from its mask, bit 8 i + j."""
    return tuple(divmod(b, 8) for b in range(64) if mask >> b & 1)


# --- kernels


@kernel
def flaws(table: PhraseTable) -> tuple[int, int]:
    """Return the first source phrase with a wrong hash or the first pair with a link outside it.

    The other number is −1, and both are if there is no flaw.
    """
    for r in range(len(table.key)):
        s_first, s_last = table.s_begin[r], table.s_begin[r + 1] - 1
        if hash_phrase(table.source, s_first, s_last) != table.key[r]:
            return r, -1
        s_words = np.uint64(s_last + 1 - s_first)
        for p in range(table.row[r], table.row[r + 1]):
            t_words = np.uint64(table.t_begin[p + 1] - table.t_begin[p])
            t_bits = (np.uint64(1) << t_words) - np.uint64(1)  # bits 0 … t_words − 1 of each byte
            allowed = (t_bits * BYTES) & (~np.uint64(0) >> (np.uint64(64) - np.uint64(8) * s_words))
            if table.links[p] & ~allowed:
                return -1, p
    return -1, -1


@kernel
def gather(words: Int32, at: Int32 | Int64, length: Int8) -> tuple[Int32, Int64]:
    """Return the concatenated spans ``words[at : at + length]`` and their offsets, (n + 1,)."""
    begin = np.zeros(len(at) + 1, np.int64)
    for k in range(len(at)):
        begin[k + 1] = begin[k] + length[k]
    out = np.empty(begin[-1], np.int32)
    for k in range(len(at)):
        for i in range(length[k]):
            out[begin[k] + i] = words[at[k] + i]
    return out, begin
