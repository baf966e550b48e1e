"""Repetitions, omissions and unknown words in cases counted by hand."""

from __future__ import annotations

from collections import Counter

import pytest

from mtkit.comparison.faults import Coverage, Unknown, coverage, unknown
from mtkit.comparison.where import Text

SOURCE = [["a", "b", "c", "d"], ["e"]]
REFERENCE = [["A", "B", "C", "D"], ["E"]]
LINKS = [[(0, 0), (1, 1), (2, 2)], [(0, 0)]]  # d has no link
TEXT = Text(SOURCE, REFERENCE, LINKS)


def test_repeated_bigrams_exceed_the_reference() -> None:
    def repeated(output: str, reference: str) -> float:
        text = Text([["x"]], [reference.split()])
        return coverage(text, [output.split()]).repeated * len(output.split())

    assert repeated("the dog the dog the dog", "a cat") == pytest.approx(2 + 1)  # + dog the
    assert repeated("the dog the dog", "the dog saw the dog") == 0
    assert repeated("the dog the dog", "the dog") == 1
    assert repeated("the the the", "the") == 1
    assert repeated("", "the") == 0


def test_untranslated_source_words_are_counted() -> None:
    output = [["A", "D"], ["E"]]
    system_links, aligned = [[(0, 0), (3, 1)], [(0, 0)]], [[(0, 0), (3, 1)], []]
    found = coverage(TEXT, output, system_links, aligned)
    assert found == Coverage(0, 2 / 5, 3 / 5)  # b, c; b, c, e


def test_unknown_coverage_is_none() -> None:
    assert coverage(TEXT, REFERENCE) == Coverage(0, None, None)
    assert coverage(TEXT, REFERENCE, [[], []]).uncovered is None  # without attention
    assert coverage(Text(SOURCE, REFERENCE), REFERENCE, aligned=LINKS).omitted is None


def test_copied_unknown_words_are_counted() -> None:
    source = [["known", "Xyz", "Abc"], ["Xyz", "Foo"]]
    reference = [["bekannt", "Xyz", "Def"], ["Ypsilon", "Foo"]]
    text = Text(source, reference, None, Counter({"known": 3}), Counter())
    assert unknown(text, [["Xyz", "Abc"], ["Xyz"]]) == Unknown(4, copied=3, expected=2, right=1)
    assert unknown(text, [[], []]) == Unknown(4, 0, 2, 0)
    known = Text([["known"]], [["bekannt"]], None, Counter({"known": 3}), Counter())
    assert unknown(known, [["bekannt"]]) == Unknown(0, 0, 0, 0)
    assert unknown(Text(source, reference), [[], []]) is None
