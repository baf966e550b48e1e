"""Statistics of a small corpus, computed by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from mtkit.quality.stats import ambiguity, describe, statistics, type_growth
from mtkit.quality.stats_report import as_json, findings
from mtkit.text.corpus import Bitext, Corpus, open_corpus
from mtkit.text.tokenizer import WordTokenizer

PATHS = Path("t.en"), Path("t.de")


def toy() -> Corpus:
    train = Bitext(["a b a", "c", "a b c d e"], ["A B", "C", "A"], PATHS)
    return Corpus("toy", ("en", "de"), train, None, Bitext(["a x x", "b"], ["A", "Z"], PATHS))


def test_sizes_lengths_and_unknown_words() -> None:
    stats = statistics(toy(), WordTokenizer("none"))
    train, _, test, _ = stats.texts
    assert (train.sentences, train.tokens, train.types, train.once) == (3, 9, 5, 2)
    assert (train.characters, train.longest, train.longest_line) == (15, 5, 3)
    assert train.quartiles == (2.0, 3.0, 4.0)
    assert (test.split, test.tokens, test.types) == ("test", 4, 3)
    assert [tuple(row) for row in stats.unknown] == [
        ("test", "en", 4, 2, 3, 1), ("test", "de", 2, 1, 2, 1)
    ]  # fmt: skip
    assert as_json(stats)["texts"][0]["types"] == 5


def test_types_follow_heaps_law() -> None:
    growth = type_growth("en", [["a", "b", "a"], ["c"], ["a", "b", "c", "d", "e"]])
    assert growth.points[-1] == (9, 5)
    # A text whose n-th token is new if n is a square has about √N types.
    words = [f"w{math.isqrt(n)}" for n in range(1, 40_001)]
    growth = type_growth("en", [words])
    assert growth.points[-1] == (40_000, 200)
    assert growth.beta == pytest.approx(0.5, abs=0.02)
    assert pytest.approx(1.0, abs=0.15) == growth.K


def test_a_word_with_two_translations_has_one_bit() -> None:
    source = [["bank"], ["bank"]] * 20 + [["sun"]] * 40
    target = [["Bank"], ["Ufer"]] * 20 + [["Sonne"]] * 40
    first, last = ambiguity(source, target)
    assert (first.word, first.occurrences, last.word) == ("bank", 40, "sun")
    assert first.entropy == pytest.approx(1.0, abs=1e-6)
    assert first.translations == (("Bank", pytest.approx(0.5)), ("Ufer", pytest.approx(0.5)))
    assert last.entropy == pytest.approx(0.0, abs=1e-6)


def test_the_report_shows_all_parts() -> None:
    corpus = open_corpus()
    stats = statistics(corpus, WordTokenizer())
    page = findings(stats, corpus).as_html()
    assert "Most ambiguous words" in page
    assert "Heaps" in page
    assert "<svg" in page
    train = corpus.train.tokens(WordTokenizer())[0]
    assert stats.texts[0] == describe("train", "en", train, corpus.train.source)
