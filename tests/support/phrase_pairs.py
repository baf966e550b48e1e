"""Small word-aligned sentence pairs, and their phrase pairs by definition."""

from __future__ import annotations

import numpy as np

from mtkit.smt.alignment.symmetrize import Links
from mtkit.smt.flat import Flat
from mtkit.smt.phrases.table import PhraseTable
from tests.support.oracles import phrase_spans

Pairs = list[tuple[list[int], list[int], set[tuple[int, int]]]]


def random_pairs(seed: int, n: int = 40) -> Pairs:
    """Return sentence pairs of few different words, some unlinked, some linked twice."""
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(n):
        I, J = rng.integers(1, 8, 2)
        links = {(int(rng.integers(I)), int(rng.integers(J))) for _ in range(rng.integers(1, 8))}
        pairs.append((rng.integers(1, 4, I).tolist(), rng.integers(1, 4, J).tolist(), links))
    return pairs


def flat(pairs: Pairs) -> tuple[Flat, Flat, Links]:
    links = [sorted(a) for _, _, a in pairs]
    begin = np.cumsum([0, *map(len, links)])
    s, t = np.array([link for a in links for link in a], np.int32).reshape(-1, 2).T.copy()
    return Flat.of([s for s, _, _ in pairs]), Flat.of([t for _, t, _ in pairs]), Links(s, t, begin)


Occurrence = tuple[list[int], list[int], set[tuple[int, int]], tuple[int, int, int, int]]


def occurrences(pairs: Pairs) -> list[Occurrence]:
    """Return (source, target, links, span) of every phrase pair, then of every lone link."""
    rows = []
    for source, target, links in pairs:
        spans = phrase_spans(links, len(source), len(target), 7)
        rows += [(source, target, links, span) for span in spans]
    alone = {s[i0] for s, _, _, (i0, i1, _, _) in rows if i1 - i0 == 1}
    for source, target, links in pairs:
        lone = [(i, j) for i, j in links if source[i] not in alone]
        rows += [(source, target, links, (i, i + 1, j, j + 1)) for i, j in lone]
    return rows


def extracted(pairs: Pairs) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    return [(tuple(s[a:b]), tuple(t[c:d])) for s, t, _, (a, b, c, d) in occurrences(pairs)]


def spell(table: PhraseTable) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return source and target words of every pair, in the table's order."""
    source = np.split(table.source, table.s_begin[1:-1])
    target = np.split(table.target, table.t_begin[1:-1])
    rows = np.repeat(np.arange(len(table.key)), np.diff(table.row))
    return [
        (tuple(source[r].tolist()), tuple(words.tolist()))
        for r, words in zip(rows, target, strict=True)
    ]
