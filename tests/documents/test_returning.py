"""Codes are removed from a line and put back into its translation."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from mtkit.documents.codes import Code, Item, codes_of
from mtkit.documents.segments import (
    ICU_MESSAGE,
    INVALID_OUTPUT,
    NO_KNOWN_WORD,
    NO_TRANSLATION,
    Segment,
    translate_segments,
)
from mtkit.system import Hypothesis
from mtkit.text.tokenizer import WordTokenizer
from tests.support.documents import PLACEHOLDERS, WORDS, mirror, reply, shout


def translated(text: str, translate=shout, tokenizer: WordTokenizer = WORDS) -> str | None:  # type: ignore[no-untyped-def]
    [filled] = translate_segments([Segment([text], str, 1)], translate, tokenizer)
    return filled.raw


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Click <b>here</b> now.", "CLICK <b>HERE</b> NOW."),
        ("Delete %1$s files?", "DELETE %1$s FILES?"),
        ("<b>a</b> (<i>b</i>), <u>c</u>: d", "<b>A</b> (<i>B</i>), <u>C</u>: D"),
        ("a <img src='x'> b<img>c, d<img>.", "A <img src='x'> B<img>C, D<img>."),
        ("a<b> c </b>d", "A<b> C </b>D"),
        ("<b>a</b><i>b</i>", "<b>A</b><i>B</i>"),
        ("un<b>fold</b>ed map", "<b>UNFOLDED</b> MAP"),
        (" a  b\u00a0c\n\nd\te ", " A  B\u00a0C\n\nD\tE "),
        ("one\ntwo. Three\nFour", "ONE\nTWO. THREE\nFOUR"),
        ("<b>one\n\ntwo</b> three", "<b>ONE\n\nTWO</b> THREE"),
        ("a <b>one\n\ntwo</b> three", "A <b>ONE\n\nTWO</b> THREE"),
        ("%s of %s%d", "%s OF %s%d"),
        ("E&xit _now, AT&T & co", "&EXIT _NOW, AT&T & CO"),
        ("a {1} %1$s {2}", "A {1} %1$s {2}"),
        ("%s", "%s"),
        ("", ""),
        (" ", " "),
        ("<b></b>a", "<b></b>A"),
        ("a <br> b", "A <br> B"),
        ("It's <b>Tom's</b>.", "IT'S <b>TOM'S</b>."),
    ],
)
def test_word_for_word_only_the_words_change(source: str, expected: str) -> None:
    assert translated(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Click <b>here</b> now.", "now <b>here</b> Click."),
        ("Open <a>the file</a> or <i>all</i>.", "<i>all</i> or <a>file the</a> Open."),
        ("Press <hr>Stop now", "now <hr>Stop Press"),
        ("Delete %1$s files?", "files %1$s Delete?"),
        ("a %s b %d c", "c %s b %d a"),  # unnumbered arguments keep their order
        ("a %1$s b %2$d c", "c %2$d b %1$s a"),
        ("Two\u00a0dogs.", "dogs\u00a0Two."),  # white space does not move to an end
        ("One two<hr>.", "two<hr> One."),
        ("One<hr>two three", "three<hr>two One"),
        ("See (<hr>this) now", "now <hr>this See ()"),
        ("One <b>two</b>, three", "three <b>two</b> One,"),
    ],
)
def test_codes_go_with_their_words(source: str, expected: str) -> None:
    assert translated(source, mirror) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<b>Label:</b> one two.", "<b>Label:</b> two one."),
        ("<b>Label</b>: one two.", "<b>Label</b>: two one."),
        ("Label: <i>one</i> two", "Label: two <i>one</i>"),
        ("<i><b>My label:</b></i> one <hr>two", "<i><b>label My:</b></i> <hr>two one"),
        ("<b>Label: one</b> two", "two <b>one Label:</b>"),  # the pair has words on both sides
        ("%s: one two\n<b>Label:</b> one two", "%s: two one\n<b>Label:</b> two one"),
        ("<b>One:</b> two: three", "<b>One:</b> three two:"),  # only the first
        ("One two three four: five", "five four three two One:"),  # a part of a sentence
        ("Label:<b>one</b> two", "two <b>one</b> Label:"),  # no blank
        ("Come at 12:30 now", "now 12:30 at Come"),
        ("One two: %s", "%s two One:"),
    ],
)
def test_a_label_stays_before_its_sentence(source: str, expected: str) -> None:
    assert translated(source, mirror) == expected


def test_wrong_placeholders_are_repaired() -> None:
    def careless(lines: list[str]) -> list[Hypothesis]:
        return [
            reply(
                lines[0],
                ["das", "{1}", "ist", "{1}", "{x}", "hier", "￭."],
                [(0, 0), (1, 1), (2, 2), (3, 5)],
            )
        ]

    assert translated("the %1$s is here %s.", careless) == "das %1$s ist hier %s."


def test_unusable_output_has_a_reason() -> None:
    def answer(*tokens: str):  # type: ignore[no-untyped-def]
        [filled] = translate_segments(
            [Segment(["Two dogs."], str, 1)], lambda lines: [reply(lines[0], list(tokens))], WORDS
        )
        return filled

    assert answer() == (None, NO_TRANSLATION)
    assert answer("zwei", "%￭", "1", "￭$", "￭s") == ("Two dogs.", INVALID_OUTPUT)
    message = Segment(["{n, plural, one {a} other {b}}"], str, 1)
    assert translate_segments([message], shout, WORDS) == [(message.items[0], ICU_MESSAGE)]


def test_a_copy_of_unknown_words_is_no_translation() -> None:
    def copies(lines: Sequence[str]) -> list[Hypothesis]:
        return [replace(reply(x, w := WORDS.tokenize(x)), unknown=w) for x in lines]

    def knows_one(lines: Sequence[str]) -> list[Hypothesis]:
        return [replace(h, unknown=h.unknown[:1]) for h in copies(lines)]

    segments = [Segment(["WHERE IS <b>IT</b> 7?"], str, 1), Segment(["12 %s"], str, 2)]
    done = translate_segments(segments, copies, WORDS)
    assert done == [("WHERE IS <b>IT</b> 7?", NO_KNOWN_WORD), ("12 %s", "")]
    assert [filled.why for filled in translate_segments(segments, knows_one, WORDS)] == ["", ""]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Terms<sup>1</sup> apply<sup>2</sup>.", "TERMS<sup>1</sup> APPLY<sup>2</sup>."),
        ("See H<sub>2</sub>O here", "SEE H<sub>2</sub>O HERE"),
        ("One w<b>or</b>d more", "ONE <b>WORD</b> MORE"),
    ],
)
def test_a_digit_in_a_tag_is_a_separate_word(source: str, expected: str) -> None:
    assert translated(source, shout, WordTokenizer()) == expected


def test_equal_lines_are_translated_once() -> None:
    asked = list[str]()

    def count(lines: list[str]) -> list[Hypothesis]:
        asked.extend(lines)
        return shout(lines)

    segments = [Segment([text], str, 1) for text in ("a b", "<b>a b</b>", "c\n\na b", "%s", "1")]
    raws = [filled.raw for filled in translate_segments(segments, count, WORDS)]
    assert raws == ["A B", "<b>A B</b>", "C\n\nA B", "%s", "1"]
    assert asked == ["a b", "c"]


@pytest.mark.parametrize("kind", ["words", "none"])
@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("code", PLACEHOLDERS)
def test_any_tokenizer_keeps_placeholders(code: str, kind: str, lowercase: bool) -> None:
    tokenizer = WordTokenizer(kind, lowercase)  # type: ignore[arg-type]

    def copy(lines: list[str]) -> list[Hypothesis]:
        return [reply_by(tokenizer, line) for line in lines]

    for source in (f"İi see {code}, x{code}y ({code})", f"{code}{code} see <b>{code}</b>"):
        assert translated(source, copy, tokenizer) == (source.lower() if lowercase else source) or (
            codes_in(translated(source, copy, tokenizer)) == codes_in(source)
        )


def reply_by(tokenizer: WordTokenizer, line: str) -> Hypothesis:
    tokens = tokenizer.tokenize(line)
    links = [(i, i) for i in range(len(tokens))]
    return Hypothesis(tokenizer.detokenize(tokens), tokens, 0.0, alignment=links)


def codes_in(text: str | None) -> Counter[str]:
    assert text is not None
    return Counter(
        item.text
        for item in codes_of([text], str)
        if isinstance(item, Code) and item.role != "space"
    )


# --- random codes, words and links

LEAVES = [
    "word",
    "Haus",
    "and",
    ",",
    ".",
    " ",
    " ",
    "%s",
    "%1$s",
    "{name}",
    "<hr>",
    "&amp;",
    "\u00a0",
]


@st.composite
def contents(draw: st.DrawFn, deep: int = 3) -> list[Item]:
    items = list[Item]()
    for _ in range(draw(st.integers(0, 5))):
        what = draw(st.sampled_from([*LEAVES, "g", "g", "x", "ph", "break"]))
        number = draw(st.integers(0, 10**9))
        if what == "g" and deep:
            items.append(Code(f'<g id="{number}">', "open", f"<{number}"))
            items += [*draw(contents(deep - 1)), Code("</g>", "close", f"<{number}")]
        elif what in ("x", "ph"):
            items.append(Code(f'<{what} id="{number}"/>', "word" if what == "x" else "point"))
        elif what == "break":
            items.append(Code(f'<lb id="{number}"/>', "break"))
        elif what != "g":
            items.append(what)
    return items


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _tree(xml: str) -> tuple[set[tuple[str, str]], Counter[str]]:
    """Return (code, code directly around it), and the placeholders in the text."""
    root = etree.fromstring(f"<t>{xml}</t>")
    pairs = {
        (e.tag + e.get("id", ""), (e.getparent().tag + e.getparent().get("id", "")))
        for e in root.iter() if e is not root and e.tag != "x"  # words may change pairs
    }  # fmt: skip
    text = "".join(root.itertext())
    words = Counter(e.get("id") for e in root.iter("x"))
    return pairs, words + Counter(re.findall(r"%s|%1\$s|\{name\}|<hr>|&amp;|\u00a0", text))


@given(contents(), st.randoms(use_true_random=False))
@settings(max_examples=500, deadline=None)
def test_codes_occur_once_and_nest_for_any_translation(items, rng) -> None:  # type: ignore[no-untyped-def]
    def wild(lines: list[str]) -> list[Hypothesis]:
        hypotheses = []
        for line in lines:
            source = WORDS.tokenize(line)
            tokens = [t for t in source for _ in range(rng.choice([0, 1, 1, 1, 2]))] + ["und", "￭."]
            tokens += rng.choices(["{1}", "{7}", "%s", "￭</b>", "％000a"], k=rng.randrange(3))
            rng.shuffle(tokens)
            links = [
                (rng.randrange(len(source)), rng.randrange(len(tokens)))
                for _ in range(rng.randrange(9))
            ]
            hypotheses.append(reply(line, tokens, links))
        return hypotheses

    [filled] = translate_segments([Segment(items, _escape, 1)], wild, WORDS)
    assert filled.raw is not None
    source = "".join(i.raw if isinstance(i, Code) else _escape(i) for i in items)
    assert _tree(filled.raw) == _tree(source)
