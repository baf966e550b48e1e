from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtkit.text.tokenizer import JOINER, WordTokenizer
from tests.support.paths import SHARED, needs_shared

WORDS = WordTokenizer()
AWKWARD = [
    "",
    " ",
    "a  b",
    " a ",
    "\ta\t\tb ",
    "a\u2028b\u00a0c\u3000d",
    "￭ a￭ ￭b ％ ％0020 ￭％ffed",
    "https://e.org/％0020x ‹a％0041>",
    "He said: \"It's (not) 3.50 €, isn't it?\"",
    "don't can't I'll we've 'tis o'clock",
    "שלום, عالم! \u200f123\u200e",
    "नमस्ते दुनिया। สวัสดี 你好，世界",
    "e\u0301te\u0301 🙂👍🏽 a\u0000b\x1b[31m",
    "...--- !!! ?! (a) [b] {c} <d> </d> <<e>>",
    "Visit https://example.org/a?b=1&c=d, or mail a.b@c-d.org.",
]


@pytest.mark.parametrize("line", AWKWARD)
def test_awkward_lines_round_trip(line: str) -> None:
    assert WORDS.detokenize(WORDS.tokenize(line)) == line


@given(st.text(st.characters(exclude_characters="\n", exclude_categories=("Cs",))))
@settings(max_examples=500)
def test_any_line_round_trips(line: str) -> None:
    tokens = WORDS.tokenize(line)
    assert WORDS.detokenize(tokens) == line
    assert all(token and not any(c.isspace() for c in token) for token in tokens)
    assert " ".join(tokens).split(" ") == (tokens or [""])


@given(st.text("aZ1 ￭％'\"-.,\t{}<>%é", max_size=20))
@settings(max_examples=500)
def test_lines_of_marks_round_trip(line: str) -> None:
    assert WORDS.detokenize(WORDS.tokenize(line)) == line


@pytest.mark.parametrize("run", ["a.", "_", "+-", "a-", "a@", "<a", "{a", "%(", "https://,", "n't"])
def test_long_runs_round_trip(run: str) -> None:
    """`make bench` measures that the time is linear in the length."""
    line = run * 20_000
    assert WORDS.detokenize(WORDS.tokenize(line)) == line


@needs_shared
@pytest.mark.parametrize("step", [20, pytest.param(1, marks=pytest.mark.slow)])
def test_every_line_of_real_text_round_trips(step: int) -> None:
    paths = [p for p in SHARED.rglob("*") if p.suffix in (".en", ".de", ".grc")]
    assert paths
    for path in paths:
        for line in path.read_text(encoding="utf-8").split("\n")[::step]:
            assert WORDS.detokenize(WORDS.tokenize(line)) == line


@pytest.mark.parametrize(
    "whole",
    [
        "https://example.org/a?b=1&c=d",
        "a.b@c-d.org",
        "3.50",
        "12:30",
        "1,000.5",
        "50%",
        "{name}",
        "%s",
        "%(count)d",
        "<b>",
        "</b>",
        "<br/>",
        "T-Shirt",
    ],
)
def test_special_words_are_one_token(whole: str) -> None:
    assert whole in [t.strip("￭") for t in WORDS.tokenize(f"See ({whole}), or not.")]


def test_punctuation_does_not_change_words() -> None:
    tokens = WORDS.tokenize('"Hotel", (Hotel) Hotel. Hotel!')
    assert tokens.count("Hotel") == 4


def test_none_splits_on_spaces_alone() -> None:
    none = WordTokenizer("none")
    assert none.tokenize(" a  b's \u00a0 c\td ") == ["a", "b's", "\u00a0", "c\td"]
    assert none.detokenize(["a", "b"]) == "a b"


def test_lowercase_folds_case() -> None:
    assert WordTokenizer(lowercase=True).tokenize("Das Haus.") == ["das", "haus", "￭."]


def test_detokenizing_removes_stray_joiners() -> None:
    assert WORDS.detokenize(["a", f"B{JOINER}.", f"{JOINER}{JOINER}", "c"]) == "a B.c"
