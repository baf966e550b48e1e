"""Splits: nothing leaks, nothing is lost, the same seed gives the same split."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtkit.errors import InputError
from mtkit.quality.split import blank_line_documents, split_text, write_split
from mtkit.text.corpus import Bitext, open_corpus, read_corpus_directory

PATHS = Path("t.en"), Path("t.de")
line = st.text("ab1 2.!", min_size=0, max_size=3)
texts = st.lists(st.tuples(line, line, st.sampled_from("XYZUVW")), min_size=8, max_size=40)


def bare(text: str) -> str:
    return re.sub(r"\d+", "0", "".join(c for c in text.lower() if c.isalnum())) or text


def bitext(pairs: list[tuple[str, ...]]) -> Bitext:
    return Bitext([pair[0] for pair in pairs], [pair[1] for pair in pairs], PATHS)


@settings(max_examples=200)
@given(texts, st.integers(0, 5), st.booleans())
def test_splits_are_disjoint(pairs: list[tuple[str, ...]], seed: int, by_document: bool) -> None:
    text, documents = bitext(pairs), [pair[2] for pair in pairs] if by_document else None
    try:
        split = split_text(text, 2, 3, seed, documents)
    except InputError:
        return
    rows = {name: part.tolist() for name, part in split.rows.items()}
    assert len(rows["dev"]) <= 2
    assert len(rows["test"]) <= 3
    every = sorted(row for part in rows.values() for row in part)
    assert len(every) == len(set(every)) == len(pairs) - split.blank - split.repeated
    for side in (text.source, text.target):
        keys = [{bare(side[row]) for row in part} for part in rows.values()]
        assert not (keys[0] & keys[1])
        assert not (keys[0] & keys[2])
        assert not (keys[1] & keys[2])
    if documents:
        seen = [{documents[row] for row in part} for part in rows.values()]
        assert not (seen[0] & seen[1])
        assert not (seen[0] & seen[2])
        assert not (seen[1] & seen[2])
    again = split_text(text, 2, 3, seed, documents)
    assert {name: part.tolist() for name, part in again.rows.items()} == rows


def test_pairs_sharing_a_side_stay_together() -> None:
    chain = [("a", "A"), ("a!", "B"), ("c", "b."), ("d", "D"), ("e", "E"), ("f", "F")]
    for seed in range(10):
        split = split_text(bitext(chain), 1, 1, seed)
        assert {0, 1, 2} <= set(split.rows["train"].tolist())
        assert [len(part) for part in split.rows.values()] == [4, 1, 1]


def test_sizes_are_met_and_seeds_differ(tmp_path: Path) -> None:
    text = open_corpus().train
    first, second = (split_text(text, 300, 200, seed) for seed in (1, 2))
    assert [len(part) for part in first.rows.values()] == [len(text) - 500, 300, 200]
    assert first.rows["dev"].tolist() != second.rows["dev"].tolist()
    write_split(text, first, ("en", "de"), tmp_path)
    corpus = read_corpus_directory(tmp_path, ("en", "de"))
    assert corpus.dev is not None
    numbers = [int(n) for n in (tmp_path / "dev.lines").read_text("utf-8").split()]
    assert corpus.dev.pairs() == [text.pairs()[n - 1] for n in numbers]


def test_documents_stay_whole_and_repeats_leave_train() -> None:
    pairs = [
        ("a", "A"),
        ("hello", "hallo"),
        ("b", "B"),
        ("Hello!", "Hallo!"),
        ("c", "C"),
        ("d", "D"),
    ]
    documents = ["x", "x", "y", "y", "z", "z"]
    tests = set()
    for seed in range(20):
        split = split_text(bitext(pairs), 0, 2, seed, documents)
        test = split.rows["test"].tolist()
        assert test in ([0, 1], [2, 3], [4, 5])
        assert split.repeated == (test != [4, 5])
        tests.add(tuple(test))
    assert len(tests) == 3


def test_blank_lines_end_documents() -> None:
    pairs = [("a", "A"), ("", " "), ("b", "B"), ("", "C"), ("d", "D")]
    assert blank_line_documents(bitext(pairs)) == ["0", "1", "1", "1", "1"]


def test_unsplittable_text_is_refused() -> None:
    with pytest.raises(InputError, match=r"^t.en: 2 pairs with text; --dev 1 and --test 1 leave"):
        split_text(bitext([("a", "A"), ("b", "B"), ("", "x")]), 1, 1, 1)
    same = bitext([("a", "A"), ("a", "B"), ("a", "C"), ("a", "D")])
    with pytest.raises(InputError, match="dev stays empty: groups of pairs"):
        split_text(same, 1, 1, 1)
