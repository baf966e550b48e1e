from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from nltk.translate.phrase_based import phrase_extraction

from mtkit.smt.flat import load_arrays
from mtkit.smt.language_model.estimate import FALLBACK_DISCOUNTS
from mtkit.smt.phrases.table import PhraseTable
from mtkit.storage.arrays import save
from tests.support.oracles import phrase_spans
from tests.support.phrase_pairs import Pairs, extracted, flat, occurrences, random_pairs, spell
from tests.support.phrase_tables import build_table, extract


@pytest.mark.parametrize("limit", [3, 7])
def test_extraction_equals_definition_and_nltk(limit: int) -> None:
    for source, target, links in random_pairs(5):
        found = extract([(source, target, links)], limit)
        columns = (found[name].astype(int) for name in ("source", "s_length", "target", "t_length"))
        spans = [(i, i + n, j, j + m) for i, n, j, m in zip(*columns, strict=True)]
        assert len(spans) == len(set(spans))
        consistent = phrase_spans(links, len(source), len(target), limit)
        alone = {source[i0] for i0, i1, _, _ in consistent if i1 - i0 == 1}
        lone = {(i, i + 1, j, j + 1) for i, j in links if source[i] not in alone}
        assert set(spans) == consistent | lone
        text = [" ".join(map(str, side)) for side in (source, target)]
        nltk = {(*s, *t) for s, t, _, _ in phrase_extraction(*text, sorted(links))}
        short = {(i0, i1, j0, j1) for i0, i1, j0, j1 in nltk if max(i1 - i0, j1 - j0) <= limit}
        assert consistent == short  # NLTK's own limit holds for one side only


def test_the_links_inside_a_pair_are_kept_as_a_mask() -> None:
    found = extract([([1, 2], [3, 4], {(0, 1), (1, 0)})])
    whole = found[(found["s_length"] == 2) & (found["t_length"] == 2)]
    assert whole["links"].tolist() == [1 << 1 | 1 << 8]


def test_one_word_linked_to_many_has_only_lone_links() -> None:
    table = build_table(*flat([([1], list(range(1, 501)), {(0, j) for j in range(500)})]))
    assert len(table.links) == 500
    assert set(table.links.tolist()) == {1}


def by_definition(pairs: Pairs) -> dict[tuple[tuple[int, ...], tuple[int, ...]], list[float]]:
    """Return φ(t|s), lex(t|s), φ(s|t), lex(s|t) of every pair, from the equations."""
    count: Counter = Counter()
    masks: dict[tuple, Counter] = {}
    words: Counter = Counter()
    for source, target, links in pairs:
        words.update((source[i], target[j]) for i, j in links)
        linked_s, linked_t = {i for i, _ in links}, {j for _, j in links}
        words.update((None, target[j]) for j in range(len(target)) if j not in linked_t)
        words.update((source[i], None) for i in range(len(source)) if i not in linked_s)
    for source, target, links, (i0, i1, j0, j1) in occurrences(pairs):
        pair = tuple(source[i0:i1]), tuple(target[j0:j1])
        inside = frozenset((i - i0, j - j0) for i, j in links if i0 <= i < i1 and j0 <= j < j1)
        count[pair] += 1
        masks.setdefault(pair, Counter())[inside] += 1
    bits = {pair: max((n, -mask_of(a), a) for a, n in m.items()) for pair, m in masks.items()}

    def w(made: int, given: int | None, forward: bool) -> float:
        def key(g: int | None, m: int | None) -> tuple[int | None, int | None]:
            return (g, m) if forward else (m, g)

        if given is None:
            total = sum(n for k, n in words.items() if k[0 if forward else 1] is None)
        else:
            side = 0 if forward else 1
            total = sum(n for k, n in words.items() if k[side] == given and None not in k)
        return words[key(given, made)] / max(1, total)

    def lex(made: tuple, given: tuple, links: set[tuple[int, int]], forward: bool) -> float:
        value = 1.0
        for m, word in enumerate(made):
            partners = [given[g] for g, x in links if x == m]
            if partners:
                value *= sum(w(word, g, forward) for g in partners) / len(partners)
            else:
                value *= max(w(word, None, forward), 1e-7)
        return value

    result = {}
    for (s, t), n in count.items():
        links = bits[s, t][2]
        back = {(j, i) for i, j in links}
        result[s, t] = [
            n / sum(c for (a, _), c in count.items() if a == s),
            lex(t, s, links, True),
            n / sum(c for (_, b), c in count.items() if b == t),
            lex(s, t, back, False),
        ]
    return result


def mask_of(links: frozenset[tuple[int, int]]) -> int:
    return sum(1 << (8 * i + j) for i, j in links)


def test_the_table_equals_the_equations(tmp_path: Path) -> None:
    pairs = random_pairs(8, n=25)
    table = build_table(*flat(pairs))
    save(tmp_path, **table._asdict())
    expected = by_definition(pairs)
    for t in (table, load_arrays(tmp_path, PhraseTable, ("features", "reordering"))):
        found = dict(zip(spell(t), np.exp(t.features).tolist(), strict=True))
        for r in range(len(t.key)):
            assert np.all(np.diff(t.features[t.row[r] : t.row[r + 1], 0]) <= 0)
        assert found.keys() == expected.keys()
        for pair, values in expected.items():
            assert found[pair] == pytest.approx(values, rel=1e-4), pair
    assert np.all(np.diff(table.key.astype(object)) > 0)


def test_a_word_without_a_phrase_gets_its_lone_links() -> None:
    # Words 1 and 2 always occur together, both linked to both target words.
    pairs: Pairs = [([1, 2], [5, 6], {(0, 0), (0, 1), (1, 0), (1, 1)})]
    table = build_table(*flat(pairs))
    lengths = np.diff(table.s_begin)
    rows = [r for r in range(len(table.key)) if lengths[r] == 1]
    assert [table.source[table.s_begin[r]] for r in rows] in ([1, 2], [2, 1])
    for r in rows:
        assert table.row[r + 1] - table.row[r] == 2
        assert table.features[table.row[r], 0] == pytest.approx(math.log(1 / 2))


def closed_form(t: list[int]) -> list[float]:
    """Return D(1), D(2), D(3+) of Chen & Goodman, or the fallback."""
    if all(t[1:4]):
        Y = t[1] / (t[1] + 2 * t[2])
        D = [r - (r + 1) * Y * t[r + 1] / t[r] for r in (1, 2, 3)]
        if all(0 < d <= r for r, d in enumerate(D, start=1)):
            return D
    return list(FALLBACK_DISCOUNTS)


@pytest.mark.parametrize("n", [3, 100])  # too few pairs for the closed form of D; enough
def test_kneser_ney_sums_to_one_with_unseen_pairs(n: int) -> None:
    corpus = random_pairs(3, n)
    smooth = build_table(*flat(corpus), discount="kneser-ney")
    seen = Counter(extracted(corpus))
    total = {k: Counter(pair[k] for pair in seen.elements()) for k in (0, 1)}
    t = [sum(c == r for c in seen.values()) for r in range(5)]
    D = [0.0, *closed_form(t)]
    assert (D[1:] == list(FALLBACK_DISCOUNTS)) == (n == 3)
    kinds = {k: Counter(pair[k] for pair in seen) for k in (0, 1)}
    for column, given, made in ((0, 0, 1), (2, 1, 0)):
        phi = dict(zip(spell(smooth), np.exp(smooth.features[:, column]).tolist(), strict=True))
        for g, c_g in total[given].items():
            listed = {pair: c for pair, c in seen.items() if pair[given] == g}
            mass = sum(D[min(c, 3)] for c in listed.values()) / c_g
            for pair, c in listed.items():
                p = kinds[made][pair[made]] / len(seen)
                assert phi[pair] == pytest.approx((c - D[min(c, 3)]) / c_g + mass * p, rel=1e-5)
            unseen = set(kinds[made]) - {pair[made] for pair in listed}
            rest = mass * sum(kinds[made][m] for m in unseen) / len(seen)
            assert sum(phi[pair] for pair in listed) + rest == pytest.approx(1, rel=1e-5)
    for r in range(len(smooth.key)):
        assert np.all(np.diff(smooth.features[smooth.row[r] : smooth.row[r + 1], 0]) <= 0)
