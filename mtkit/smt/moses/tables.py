"""Read and write Moses's text tables: phrase pairs and their reordering, one per line.

    phrase table       s̄ ||| t̄ ||| φ(s̄|t̄) lex(s̄|t̄) φ(t̄|s̄) lex(t̄|s̄) ||| i-j … ||| …
    reordering table   s̄ ||| t̄ ||| P(o|s̄, t̄), o as in ``reorder``: of the previous word, of the next

i-j are links. The fields after them (counts, sparse features) do not affect the score and are not
read. Logarithms of the probabilities are at least −100, as in Moses.

Moses considers the best translations of s̄ by

    Σ_k λ_k f_k(s̄, t̄)  +  λ_words |t̄|  +  λ_lm ln P_lm(t̄)       the phrase in isolation

An imported table is stored in this order, because ``options`` considers only the first pairs of a
phrase and chooses among them by the same sum.

Limits: no factors. Phrases longer than ``MAX_PHRASE`` and words spelled like a special symbol are
left out. Of source phrases with equal hashes only one is kept (``extract``: how rare that is).
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mtkit.errors import InputError
from mtkit.smt.flat import Bool, Float32, Float64, Int8, Int32, Int64, UInt64, read_only
from mtkit.smt.kernels import kernel
from mtkit.smt.language_model.arpa import create, text_of
from mtkit.smt.language_model.ngrams import ROOT, Lm, lm_step
from mtkit.smt.phrases.extract import MAX_PHRASE, hash_phrase, hash_word
from mtkit.smt.phrases.table import PhraseTable, gather, links_of
from mtkit.smt.search.features import OF_PHRASES
from mtkit.text.vocabulary import PAD, SPECIALS

CHANNEL_FIRST = [2, 3, 0, 1]  # Moses's order of OF_PHRASES; the permutation is its own inverse
LOWEST = -100.0  # lower bound of logarithms in Moses
PART = 1 << 16  # lines per part
_SPECIAL = {special.encode() for special in SPECIALS}


class Lines(NamedTuple):
    """N lines of a table."""

    words: Int32  # source ids, then target ids of the first line, then of the next …
    length: Int8  # (N, 2) number of source and target words
    log: Float32  # (N, K) ln of the probabilities
    links: UInt64  # (N,) as in ``PhraseTable``
    left_out: int  # number of lines left out


class Words(dict[bytes, int]):
    """Ids of the words of one side, in order of appearance, as ``Vocabulary`` numbers them."""

    def __missing__(self, word: bytes) -> int:
        """Assign the next id. Raises ValueError for a word with factors or invalid UTF-8."""
        if "|" in word.decode():
            raise ValueError
        return self.setdefault(word, len(SPECIALS) + len(self))


# --- reading


def read_table(path: Path, size: int, source: Words, target: Words) -> Iterator[Lines]:
    """Yield a table of ``size`` probabilities per line, part by part.

    New words are added to ``source`` and ``target``. Raises InputError, naming file and line, for a
    malformed line.
    """
    numbered = text_of(path)
    while part := list(islice(numbered, PART)):
        words, length, probabilities, links = array("i"), array("b"), array("d"), array("Q")
        left_out = 0
        for number, line in part:
            try:
                s, t, p, mask = _parse(line, size)
                if max(len(s), len(t)) > MAX_PHRASE or not _SPECIAL.isdisjoint((*s, *t)):
                    left_out += 1
                    continue
                words.extend([source[word] for word in s])
                words.extend([target[word] for word in t])
            except (ValueError, IndexError):
                raise InputError(
                    f"{path}: line {number}: expected `source ||| target ||| {size} "
                    "probabilities`, optionally with ` ||| word links`, without factors; found "
                    f"{line[:60].decode(errors='replace')!r}"
                ) from None
            length.extend((len(s), len(t)))
            probabilities.extend(p)
            links.append(mask)
        log = np.log(np.maximum(np.array(probabilities).reshape(-1, size), math.exp(LOWEST)))
        lengths, masks = np.array(length, np.int8).reshape(-1, 2), np.array(links, np.uint64)
        yield Lines(np.array(words, np.int32), lengths, log.astype(np.float32), masks, left_out)


def read_phrases(path: Path, source: Words, target: Words) -> Lines:
    """Return all lines of a phrase table.

    Raises InputError as ``read_table`` does, and if no usable pair is left.
    """
    parts = list(read_table(path, 4, source, target))
    if not sum(len(part.links) for part in parts):
        raise InputError(f"{path}: no usable phrase pair")
    *arrays, left_out = zip(*parts, strict=True)
    words, length, log, links = map(np.concatenate, arrays)
    return Lines(words, length, log, links, sum(left_out))


def _parse(line: bytes, size: int) -> tuple[list[bytes], list[bytes], list[float], int]:
    """Return both phrases, the probabilities and the link mask of a line.

    Raises ValueError or IndexError for a malformed line.
    """
    fields = line.split(b"|||")
    s, t, p = fields[0].split(), fields[1].split(), [float(x) for x in fields[2].split()]
    if not (s and t and len(p) == size and min(p) >= 0 and sum(p) < math.inf):  # refuses NaN, too
        raise ValueError
    if max(len(s), len(t)) > MAX_PHRASE or len(fields) < 4:
        return s, t, p, 0
    return s, t, p, _mask(fields[3], len(s), len(t))


@lru_cache(1 << 16)
def _mask(links: bytes, I: int, J: int) -> int:
    """Return the mask, bit 8 i + j, of links ``i-j …``. Raises ValueError outside I and J words."""
    mask = 0
    for link in links.split():
        i, j = map(int, link.split(b"-"))
        if not (0 <= i < I and 0 <= j < J):
            raise ValueError
        mask |= 1 << (8 * i + j)
    return mask


def assemble(
    lines: Lines, reordering: Iterable[Lines], weights: dict[str, float], lm: Lm, lm_id: Int32
) -> PhraseTable:
    """Return the phrase table of these lines. Of equal pairs the first line counts.

    weights, lm, lm_id: they set the order of the pairs; lm_id: the language model's id of each
    target word.
    """
    s_key, pair_key = _keys(lines.words, lines.length)
    pairs, first = np.unique(pair_key, return_index=True)
    features = lines.log[:, CHANNEL_FIRST]
    estimate = features @ np.array([weights[name] for name in OF_PHRASES])
    estimate += weights["words"] * lines.length[:, 1]
    estimate += weights["lm"] * _lm_scores(lines.words, lines.length, lm, lm_id)
    log = np.zeros((len(pairs), 6), np.float32)  # ln P(o) of each pair, 0 without a line
    for part in reordering:
        _, part_key = _keys(part.words, part.length)
        index = np.minimum(np.searchsorted(pairs, part_key), len(pairs) - 1)
        in_table = pairs[index] == part_key
        log[index[in_table]] = part.log[in_table]
    order = np.lexsort((first, -estimate[first], s_key[first]))  # into ``pairs``
    begin = np.append(0, np.cumsum(lines.length.sum(axis=1, dtype=np.int64))[:-1])
    order = order[_same_source(lines.words, begin, lines.length[:, 0], s_key, first[order])]
    rows = first[order]
    key, row = np.unique(s_key[rows], return_index=True)
    heads, row = rows[row], np.append(row, len(rows))
    s_length, t_length = lines.length[heads, 0], lines.length[rows, 1]
    sources = gather(lines.words, begin[heads], s_length)
    targets = gather(lines.words, begin[rows] + lines.length[rows, 0], t_length)
    arrays = *sources, *targets, key, row, features[rows], log[order], lines.links[rows]
    return PhraseTable(*read_only(map(np.ascontiguousarray, arrays)))


# --- writing


def write_tables(
    table: PhraseTable, source: list[bytes], target: list[bytes], phrases: Path, reordering: Path
) -> int:
    """Write both tables, sorted as `LC_ALL=C sort` does; return the number of pairs left out.

    source, target: words by their ids.
    """
    ends = zip(table.s_begin.tolist(), table.s_begin[1:].tolist(), strict=False)
    ids = [table.source[i:j].tolist() for i, j in ends]
    phrase = [b" ".join([*(source[w] for w in words), b"|||"]) for words in ids]
    written = 0
    with create(phrases) as phrase_file, create(reordering) as reordering_file:
        for r in sorted(range(len(phrase)), key=phrase.__getitem__):
            if min(ids[r]) >= len(SPECIALS):
                lines = sorted(_lines_of(table, r, phrase[r], target))
                phrase_file.writelines(b"%b %b\n" % (pair, scores) for pair, scores, _ in lines)
                reordering_file.writelines(b"%b %b\n" % (pair, log) for pair, _, log in lines)
                written += len(lines)
    return len(table.links) - written


def _lines_of(
    table: PhraseTable, r: int, phrase: bytes, target: list[bytes]
) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield ``s̄ ||| t̄ |||`` of each pair of source phrase r, and its fields in either table."""
    for p in range(int(table.row[r]), int(table.row[r + 1])):
        ids = table.target[table.t_begin[p] : table.t_begin[p + 1]].tolist()
        if min(ids) >= len(SPECIALS):
            pair = b" ".join([phrase, *(target[w] for w in ids), b"|||"])
            links = b" ".join([b"%d-%d" % link for link in links_of(int(table.links[p]))])
            scores, log = _format(table.features[p, CHANNEL_FIRST]), _format(table.reordering[p])
            yield pair, b"%b ||| %b ||| ||| |||" % (scores, links), log


def _format(log: Float32) -> bytes:
    """Format probabilities with enough digits to restore the same float32 logarithms."""
    return b" ".join([b"%.9g" % p for p in np.exp(log, dtype=np.float64).tolist()])


# --- kernels


@kernel
def _keys(words: Int32, length: Int8) -> tuple[UInt64, UInt64]:
    """Return a hash of each line's source phrase, and one of its pair."""
    s_key, key = np.empty(len(length), np.uint64), np.empty(len(length), np.uint64)
    end = 0
    for n in range(len(length)):
        middle = end + length[n, 0]
        s_key[n] = hash_phrase(words, end, middle - 1)
        key[n] = hash_word(s_key[n], PAD)  # a separator: "a, b c" differs from "a b, c"
        end = middle + length[n, 1]
        for j in range(middle, end):
            key[n] = hash_word(key[n], words[j])
    return s_key, key


@kernel
def _lm_scores(words: Int32, length: Int8, lm: Lm, lm_id: Int32) -> Float64:
    """Return ln P_lm of each line's target phrase in isolation."""
    log_p, end = np.zeros(len(length)), 0
    for n in range(len(length)):
        state, middle = ROOT, end + length[n, 0]
        end = middle + length[n, 1]
        for j in range(middle, end):
            p, state = lm_step(lm, state, lm_id[words[j]])
            log_p[n] += p
    return log_p


@kernel
def _same_source(words: Int32, begin: Int64, length: Int8, s_key: UInt64, rows: Int64) -> Bool:
    """Return whether each row has the same source words as the first row with its key."""
    same, first = np.ones(len(rows), np.bool_), 0
    for n in range(len(rows)):
        if s_key[rows[n]] != s_key[rows[first]]:
            first = n
        a, b = rows[n], rows[first]
        same[n] = length[a] == length[b]
        for i in range(length[a]):
            same[n] = same[n] and words[begin[a] + i] == words[begin[b] + i]
    return same
