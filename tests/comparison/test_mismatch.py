"""Warnings about output whose form differs from the references."""

from __future__ import annotations

import random

import pytest

from mtkit.comparison.mismatch import case, language, looks_tokenized, mismatches, quotes, tokens
from mtkit.text.corpus import open_corpus
from mtkit.text.tokenizer import JOINER, WordTokenizer

TEST = open_corpus().test
assert TEST is not None
SOURCE, REFERENCES = TEST.source, TEST.target
OTHERS = open_corpus().train.target
SIZES = (500, 100, 30, 10)


def lowered(lines: list[str]) -> list[str]:
    return [line.lower() for line in lines]


def tokenised(lines: list[str]) -> list[str]:
    tokenizer = WordTokenizer()
    return [" ".join(t.strip(JOINER) for t in tokenizer.tokenize(line)) for line in lines]


def told(outputs: list[str], references: list[str] = REFERENCES, n: int = 500) -> list[str]:
    return mismatches(SOURCE[:n], [references[:n]], outputs[:n], False, "13a")


# --- no false alarms


def weak(share: float) -> list[str]:
    """Return the references with a share of words replaced by words of the source."""
    rng, lines = random.Random(3), []
    for x, y in zip(SOURCE, REFERENCES, strict=True):
        copied = x.split()
        lines.append(" ".join(rng.choice(copied) if rng.random() < share else w for w in y.split()))
    return lines


@pytest.mark.parametrize("n", SIZES)
def test_good_and_weak_systems_get_no_warning(n: int) -> None:
    rng = random.Random(1)
    shuffled = rng.sample(REFERENCES[:n], n)
    unrelated = rng.sample(OTHERS, n)
    for outputs in (REFERENCES, shuffled, unrelated, weak(0.3), ["Das."] * n, [""] * n):
        assert told(outputs, n=n) == []


def test_scripts_without_case_or_spaces_get_no_warning() -> None:
    sources = ["Where is the next train to Berlin?"] * 40
    chinese, other = [], []
    for n in range(40):
        sign, also, name = chr(0x4E00 + n), "，好的" * (n % 3 == 0), "NBA" * (n % 8 == 0)
        chinese.append(f"{sign}班火车，在{sign}站{also}。{name}")
        other.append(f"下{sign}趟列车，{sign}台，可以。{name.lower()}")
    for references, outputs in (
        (chinese, other),
        (["שלום לכולם"] * 40, ["שלום לכולם"] * 40),
        (["სად არის შემდეგი NBA მატარებელი"] * 40, ["სად არის მატარებელი"] * 40),
    ):
        assert mismatches(sources, [references], outputs, False, "13a") == []


# --- case


@pytest.mark.parametrize("n", SIZES)
def test_missing_or_extra_capitals_are_reported(n: int) -> None:
    [clause] = told(lowered(REFERENCES), n=n)
    assert clause.startswith("0.0 % of its letters are capitals, 6.") or n == 100
    assert clause.endswith(
        "% of the references'; scores count case (use --ignore-case to ignore it)"
    )
    [clause] = told(REFERENCES, lowered(REFERENCES), n=n)
    assert "capitals, 0.0 % of the references'" in clause
    assert mismatches(SOURCE, [REFERENCES], lowered(REFERENCES), True, "13a") == []


def test_few_capitals_are_reported_but_not_in_short_text() -> None:
    mostly = [*lowered(REFERENCES[:450]), *REFERENCES[450:]]
    half = [*lowered(REFERENCES[:250]), *REFERENCES[250:]]
    assert case(REFERENCES, mostly) != ""
    assert case(REFERENCES, half) == ""
    assert case(["Der Hund."] * 4, ["der hund."] * 4) == ""
    assert case(["der hund"] * 40, ["DER HUND"] * 40) != ""


# --- tokens


def test_tokenized_text_is_recognised() -> None:
    assert looks_tokenized(["Ein Hund .", "Zwei Hunde . ", "", "Wo ?"])
    assert not looks_tokenized(["Ein Hund.", "Zwei Hunde .", "Drei .", "Vier.", "Wo?"])
    assert not looks_tokenized(["", " "])


def test_tokens_must_agree() -> None:
    plain, spaced = REFERENCES, tokenised(REFERENCES)
    for tokenize in ("13a", "none"):
        assert "the references' do not; detokenise it" in tokens(plain, spaced, tokenize)
        assert "it is plain text, but most references end" in tokens(spaced, plain, tokenize)
        assert tokens(plain, plain, tokenize) == ""
    assert tokens(plain, spaced, "none").endswith("detokenise it, or tokenise the references")
    remedy = "or tokenise the references and add --tokenizer none"
    assert tokens(plain, spaced, "13a").endswith(remedy)
    assert "so are the references; use --tokenizer none" in tokens(spaced, spaced, "13a")
    assert tokens(spaced, spaced, "none") == ""
    without_stops = [line.rstrip(" .") for line in spaced]
    assert tokens(spaced, without_stops, "13a") == ""  # unclear whether plain or tokenised


# --- quotes


def test_lines_with_other_quotes_are_counted() -> None:
    typographic = ["Er sagt: „Komm!“ und geht.", "Geht’s?", "Ja."] * 10
    straight = ['Er sagt: "Komm!" und geht.', "Geht's?", "Ja."] * 10
    clause = quotes(typographic, straight)
    assert clause.startswith(
        "in 20 lines the references have typographic quotes or apostrophes, it"
    )
    assert quotes(straight, typographic).startswith("in 20 lines it has typographic quotes")
    assert quotes(typographic, typographic) == quotes(straight, straight) == ""
    french = [line.replace("„", "« ").replace("“", " »") for line in typographic]
    assert quotes(french, typographic) == ""
    assert quotes([*typographic[:1], *straight[1:]], straight) == ""  # a single line
    mostly_alike = [*typographic[:6], *straight[6:]]
    assert quotes(mostly_alike, straight) == ""
    mixed = ["„Geht's?“ fragt er."] * 10  # typographic quotes, a straight apostrophe
    assert quotes(mixed, mixed) == ""


# --- language


@pytest.mark.parametrize("n", SIZES)
def test_wrong_language_is_found(n: int) -> None:
    [clause] = told(SOURCE, n=n)
    assert clause.endswith(
        "% of its words are the source's and in no reference; check that it is a translation"
    )
    english = open_corpus().train.source[:n]
    [clause] = told(english, n=n)
    assert clause.startswith("only ")
    assert clause.endswith("% of its words are in the references; check its language")


def test_copying_half_of_the_words_gets_no_warning() -> None:
    assert language(SOURCE, REFERENCES, weak(0.5)) == ""
    assert language(SOURCE, SOURCE, SOURCE) == ""  # a paraphrase in one language
