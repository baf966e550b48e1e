"""Words by group, against compare-mt and against cases counted by hand."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mtkit.comparison.where import (
    JUMPS,
    KINDS,
    Accuracy,
    Grouping,
    NgramMatches,
    Text,
    function_words,
    groupings,
    kind_of,
    matches,
    ngrams,
)
from mtkit.evaluation.means import Interval
from mtkit.evaluation.perplexity import FREQUENCIES

RNG = random.Random(3)
WORDS = [f"w{k}" for k in range(60)]
TRAINING = RNG.choices(WORDS, weights=[1000 / (k + 1) ** 2 for k in range(60)], k=4000)


def sentences(n: int, seed: int) -> list[list[str]]:
    rng = random.Random(seed)
    return [rng.choices(WORDS, k=rng.randint(0, 15)) for _ in range(n)]


def near(lines: list[list[str]], seed: int) -> list[list[str]]:
    rng = random.Random(seed)
    return [[w if rng.random() < 0.6 else rng.choice(WORDS) for w in line] for line in lines]


def by(found: list[Grouping]) -> dict[str, Grouping]:
    return {grouping.by: grouping for grouping in found}


def links(source: list[list[str]], target: list[list[str]]) -> list[list[tuple[int, int]]]:
    rng = random.Random(9)
    return [
        sorted({(rng.randrange(len(x)), rng.randrange(len(y))) for _ in range(len(y))})
        if x and y
        else []
        for x, y in zip(source, target, strict=True)
    ]


SOURCE, REFERENCE = sentences(200, 1), sentences(200, 2)
OUTPUTS = {"a": near(REFERENCE, 4), "b": near(REFERENCE, 5)}
TEXT = Text(
    SOURCE, REFERENCE, links(SOURCE, REFERENCE), Counter(TRAINING[:2000]), Counter(TRAINING)
)


@pytest.mark.parametrize("name", ["frequency", "source frequency"])
def test_words_by_frequency_match_compare_mt(name: str, tmp_path: Path) -> None:
    bucketers = pytest.importorskip("compare_mt.bucketers")
    of_source = name == "source frequency"
    counts = TEXT.source_counts if of_source else TEXT.counts
    file = tmp_path / "counts"
    file.write_text("".join(f"{w}\t{n}\n" for w, n in counts.items()), encoding="utf-8")
    bucketer = bucketers.create_word_bucketer_from_profile(
        "freq", bucket_cutoffs=":".join(map(str, FREQUENCIES[1:])), freq_count_file=str(file)
    )
    more = {"src": SOURCE, "ref_aligns": TEXT.links} if of_source else {}
    outputs = [OUTPUTS["a"], OUTPUTS["b"]]
    expected, *_ = bucketer.calc_statistics(REFERENCE, outputs, **more)
    found = by(groupings(TEXT, OUTPUTS))[name]
    assert found.words == [row[1] for row in expected[0]]
    for accuracies, rows in zip(found.systems.values(), expected, strict=True):
        assert [a.recall.value for a in accuracies] == pytest.approx([row[3] for row in rows])
        if not of_source:
            assert [a.precision for a in accuracies] == pytest.approx([row[4] for row in rows])
            assert [a.f1.value for a in accuracies] == pytest.approx([row[5] for row in rows])
    assert len({a.recall.value for a in found.systems["a"]}) > 3


def value(figure: Interval | None) -> float:
    """Return the value, or 0 as compare-mt does for a missing one."""
    return figure.value if figure else 0.0


def test_words_by_case_match_compare_mt() -> None:
    bucketers = pytest.importorskip("compare_mt.bucketers")

    def cased(lines: list[list[str]]) -> list[list[str]]:
        how = [str.upper, str.title, str.lower, lambda w: f"{w}Xy", lambda w: "7"]
        return [[how[int(w[1:]) % 5](w) for w in line] for line in lines]

    reference, outputs = cased(REFERENCE), {name: cased(o) for name, o in OUTPUTS.items()}
    bucketer = bucketers.create_word_bucketer_from_profile("case")
    expected, *_ = bucketer.calc_statistics(reference, list(outputs.values()))
    found = by(groupings(Text(SOURCE, reference), outputs))["case"]
    assert found.labels == bucketer.bucket_strs
    for accuracies, rows in zip(found.systems.values(), expected, strict=True):
        assert [value(a.f1) for a in accuracies] == pytest.approx([row[5] for row in rows])


def test_intervals_include_the_value_and_widen_for_few_words() -> None:
    found = by(groupings(TEXT, OUTPUTS))["frequency"]
    for accuracies in found.systems.values():
        for a in accuracies:
            assert a.f1.low <= a.f1.value <= a.f1.high
            assert 0 <= a.recall.low <= a.recall.high <= 1
    few = Text(SOURCE[:20], REFERENCE[:20], None, None, TEXT.counts)
    of_few = by(groupings(few, {k: v[:20] for k, v in OUTPUTS.items()}))["frequency"]
    wide, narrow = (
        np.mean([a.f1.high - a.f1.low for a in g.systems["a"] if a.f1.value])
        for g in (of_few, found)
    )
    assert wide > 2 * narrow


def test_a_group_without_words_has_no_score() -> None:
    """None: no word in the reference or, for precision, in the output. 0: no match."""
    text = Text([["x"]] * 4, [["wort", "7"]] * 4)
    outputs = {"none": [["wort"]] * 4, "wrong": [["wort", "8"]] * 4}
    kinds = by(groupings(text, outputs))["kind"]
    number, name, zero = KINDS.index("number"), KINDS.index("name"), Interval(0.0, 0.0, 0.0)
    assert kinds.systems["none"][name] == kinds.systems["wrong"][name] == Accuracy(None, None, None)
    assert kinds.systems["wrong"][number] == Accuracy(0.0, zero, zero)
    assert kinds.systems["none"][number] == Accuracy(None, zero, zero)
    gaps = kinds.differences[0].by_group
    assert (gaps[name], gaps[number]) == (None, zero)


def test_an_f1_difference_has_a_narrower_interval() -> None:
    """Paired resampling removes the variance of errors that both systems share."""
    rng = random.Random(6)
    worse = [[w if rng.random() < 0.95 else "-" for w in line] for line in OUTPUTS["a"]]
    frequency = by(groupings(TEXT, {"a": OUTPUTS["a"], "worse": worse}))["frequency"]
    [gap] = frequency.differences
    for a, b, of in zip(*frequency.systems.values(), gap.by_group, strict=True):
        assert of is None if a.f1 is None else of.value == pytest.approx(a.f1.value - b.f1.value)
    widest = frequency.words.index(max(frequency.words))
    a, b = (of[widest].f1 for of in frequency.systems.values())
    assert a.low < b.high
    assert gap.by_group[widest].low > 0


def test_each_word_matches_once_in_order() -> None:
    assert matches(list("abca"), list("aaxab")) == [0, 3, -1, -1, 1]
    assert matches([], ["a"]) == [-1]


def test_groupings_need_their_data() -> None:
    assert list(by(groupings(TEXT, OUTPUTS))) == ["frequency", "kind", "jump", "source frequency"]
    bare = Text(SOURCE, REFERENCE)
    assert list(by(groupings(bare, OUTPUTS))) == ["kind"]
    aligned = Text(SOURCE, REFERENCE, TEXT.links)
    assert list(by(groupings(aligned, OUTPUTS))) == ["kind", "jump"]
    cased = Text(SOURCE, [["Ein", "Haus"]] * len(SOURCE))
    assert list(by(groupings(cased, OUTPUTS))) == ["kind", "case"]


def test_function_words_are_the_frequent_half() -> None:
    counts = Counter({"the": 40, "of": 20, "x": 15, "y": 15, "z": 10})
    assert function_words(counts) == {"the", "of"}
    assert function_words(Counter()) == set()


def test_kinds_of_words() -> None:
    common, source = {"the"}, {"Weber", "hall"}
    words = ("3rd", "￭％0020￭", "￭.", "The", "Weber", "hall", "Halle")
    said = {w: kind_of(w, common, source) for w in words}
    assert said == {
        "3rd": "number",
        "￭％0020￭": "punctuation",
        "￭.": "punctuation",
        "The": "function",
        "Weber": "name",
        "hall": "other",
        "Halle": "other",
    }
    text = Text([["Mr", "Weber", "2"]], [["Herr", "Weber", "2", "."]], None, None, Counter("x"))
    found = by(groupings(text, {"a": [["Weber", "3", "Weber"]]}))["kind"]
    assert dict(zip(KINDS, found.words, strict=True)) == {
        "number": 1,
        "punctuation": 1,
        "function": 0,
        "name": 1,
        "other": 1,
    }
    name = found.systems["a"][KINDS.index("name")]
    assert (name.precision, name.recall.value) == (0.5, 1.0)


def test_jumps_are_computed_from_links() -> None:
    reference = ["a", "b", "c", "d", "e"]
    aligned = [(0, 0), (4, 1), (1, 2), (2, 3)]  # jumps 0, +3, −4, 0; e is unaligned
    text = Text([list("vwxyz")], [reference], [aligned])
    found = by(groupings(text, {"all": [reference], "some": [["b", "d"]]}))["jump"]
    assert JUMPS == (0, 1, 3, 6)
    assert found.words == [2, 0, 2, 0]
    assert [a.recall and a.recall.value for a in found.systems["all"]] == [1, None, 1, None]
    assert [a.recall and a.recall.value for a in found.systems["some"]] == [0.5, None, 0.5, None]
    [gap] = found.differences
    assert (gap.a, gap.b) == ("all", "some")
    assert [of and of.value for of in gap.by_group] == [0.5, None, 0.5, None]
    assert all(a.f1 is None and a.precision is None for a in found.systems["all"])


def test_words_of_one_source_word_do_not_jump() -> None:
    text = Text([["Haustür", "ist"]], [["front", "door", "is"]], [[(0, 0), (0, 1), (1, 2)]])
    found = by(groupings(text, {"a": text.reference}))["jump"]
    assert found.words == [3, 0, 0, 0]


def test_resamples_without_words_of_a_group_are_skipped() -> None:
    reference = [["rare"]] * 3 + [["x"]] * 97
    text = Text([["s"]] * 100, reference, None, None, Counter({"x": 5000, "rare": 1}))
    found = by(groupings(text, {"all": reference}))["frequency"]
    rare = found.systems["all"][1].f1
    assert (found.words[1], rare.value, rare.low, rare.high) == (3, 1.0, 1.0, 1.0)


def test_ngrams_matched_by_one_system_come_first() -> None:
    references = [["a", "b", "c"], ["a", "b"], ["c", "d"]]
    outputs = {"one": [["a", "b"], ["a", "b"], ["d", "c"]], "two": [["b"], ["b"], ["c", "d"]]}
    ahead, behind = ngrams(references, outputs)
    assert (ahead.ahead, ahead.behind) == ("one", "two")
    assert ahead.ngrams == [NgramMatches(("a",), 2, 2, 0), NgramMatches(("a", "b"), 2, 2, 0)]
    assert behind.ngrams == [NgramMatches(("c", "d"), 1, 1, 0)]


def test_ngrams_are_ranked_by_share() -> None:
    references = [["x"]] * 9 + [["y"]] * 4
    outputs = {"one": references, "two": [["x"]] * 2 + [[]] * 11}
    found, none = ngrams(references, outputs)
    assert [t.ngram for t in found.ngrams] == [("y",), ("x",)]  # 5/6, 10/13
    assert none.ngrams == []
