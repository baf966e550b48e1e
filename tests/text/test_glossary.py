"""The glossary as a file, what it matches, who complies, and that the statistical half does."""

from __future__ import annotations

import gzip
import random
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mtkit.errors import InputError
from mtkit.smt.phrases.extract import MAX_PHRASE
from mtkit.smt.search.features import DEFAULT_WEIGHTS
from mtkit.smt.system import SmtSystem
from mtkit.smt.train import TrainConfig, train_smt
from mtkit.text.corpus import Bitext, Corpus
from mtkit.text.glossary import LONGEST_PHRASE, Compliance, Glossary, Words
from mtkit.text.tokenizer import WordTokenizer, is_verbatim

NEW = "xqzvwy☃"  # in no vocabulary


@pytest.fixture
def smt(smt_directory: Path) -> SmtSystem:
    return SmtSystem.load(smt_directory)


def read(path: Path, text: str, tokenizer: WordTokenizer = WordTokenizer()) -> Glossary:  # noqa: B008
    path.write_text(text, encoding="utf-8")
    return Glossary.read(path, tokenizer.tokenize)


# --- the file


def test_lines_are_entries_in_the_tokens_of_the_system(tmp_path: Path) -> None:
    text = (
        "\ufeff# a comment\r\n\r\n  \nfire engine\tLöschzug\r\nfire engine\tFeuerwehr-Auto\n"
        "Don't\t Lass das! \nfire engine\tLöschzug\n"
    )
    expected: dict[Words, list[Words]] = {
        ("fire", "engine"): [("Löschzug",), ("Feuerwehr-Auto",)],
        ("Do", "￭n't"): [("Lass", "das", "￭!")],
    }
    assert read(tmp_path / "g.tsv", text).entries == expected
    (tmp_path / "g.tsv.gz").write_bytes(gzip.compress(text.encode()))
    assert Glossary.read(tmp_path / "g.tsv.gz", WordTokenizer().tokenize).entries == expected
    lowercase = read(tmp_path / "g.tsv", "A B.\tC d.\n", WordTokenizer("none", lowercase=True))
    assert lowercase.entries == {("a", "b."): [("c", "d.")]}


REFUSED = {
    b"a\tb\nc d\n": "line 2: expected two columns separated by one TAB; found none",
    b"a\tb\tc\n": "line 1: expected two columns separated by one TAB; found 2",
    b"\tb\n": "line 1: the source phrase is empty",
    b"#\n\na\t \n": "line 3: the target phrase is empty",
    b"a a a a a a a a\tb\n": "line 1: the source phrase has 8 tokens; .* at most 7",
    b"a\tb, b, b, b, b\n": "line 1: the target phrase has 9 tokens; .* at most 7",
    b"a\tb\n\xff\tb\n": "line 2, byte 1: not UTF-8",
    b"# a\tb\n\n": "no entry; a line of a glossary is source TAB target",
}


@pytest.mark.parametrize("data", REFUSED)
def test_what_is_no_glossary_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "g.tsv"
    path.write_bytes(data)
    with pytest.raises(InputError, match=f"^{path}: {REFUSED[data]}") as error:
        Glossary.read(path, WordTokenizer().tokenize)
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="none: no such file"):
        Glossary.read(tmp_path / "none", WordTokenizer().tokenize)


def test_phrases_may_be_as_long_as_the_decoders(tmp_path: Path) -> None:
    assert LONGEST_PHRASE == MAX_PHRASE
    assert read(tmp_path / "g", "a a a a a a a\tb b b b b b b\n").entries


PHRASES = ["fire engine", "E-Mail", "3.50", "Dr.", "Who?", "the (old) inn", "Inc.", "{name}"]


@pytest.mark.parametrize("phrase", PHRASES)
@pytest.mark.parametrize(
    "sentence", ["{}", "See {}", "{} x", "An {} x, y.", 'The "{}" z', "A ({})"]
)
def test_a_phrase_matches_inside_a_sentence(phrase: str, sentence: str) -> None:
    tokenize = WordTokenizer().tokenize
    glossary = Glossary({tuple(tokenize(phrase)): [("y",)]})
    assert len(glossary.matches(tokenize(sentence.replace("{}", phrase)))) == 1


def test_edges_that_a_sentence_glues_are_a_known_limit() -> None:
    tokenize = WordTokenizer().tokenize
    for phrase, sentence in (
        ("pre-", "pre-war"),
        ("'s", "Ann's"),
        ('"Ox"', 'a ("Ox")'),
        ("Hotel", "hotel"),
    ):
        assert not Glossary({tuple(tokenize(phrase)): [("y",)]}).matches(tokenize(sentence))


# --- matches and compliance

SMALL = st.text("ab", min_size=1, max_size=3).map(tuple)
TEXT = st.text("abc", max_size=9).map(tuple)
ENTRIES = st.dictionaries(SMALL, st.lists(SMALL, min_size=1, max_size=2, unique=True), max_size=4)


def leftmost_longest(keys: list[Words], words: Words, start: int = 0) -> list[tuple[int, int]]:
    """By definition: of all places that begin earliest, the longest; then behind that."""
    spans = combinations(range(start, len(words) + 1), 2)
    places = [(i, j) for i, j in spans if words[i:j] in keys]
    if not places:
        return []
    i, j = min(places, key=lambda place: (place[0], -place[1]))
    return [(i, j), *leftmost_longest(keys, words, j)]


@given(ENTRIES, TEXT)
def test_matches_are_leftmost_longest(entries: dict[Words, list[Words]], words: Words) -> None:
    found = Glossary(entries).matches(words)
    assert [(i, j) for i, j, _ in found] == leftmost_longest(list(entries), words)
    assert all(ways == entries[words[i:j]] for i, j, ways in found)


def most_disjoint(ways: list[Words], output: Words, start: int = 0) -> int:
    """The most places that do not overlap, by trying every one as the first."""
    spans = combinations(range(start, len(output) + 1), 2)
    return max(
        (1 + most_disjoint(ways, output, j) for i, j in spans if output[i:j] in ways), default=0
    )


@given(st.lists(SMALL, min_size=1, max_size=3), st.integers(1, 4), TEXT)
@example([("a", "a")], 4, ("a", "a", "a"))
def test_each_match_needs_a_place_of_its_own(ways: list[Words], asked: int, output: Words) -> None:
    glossary = Glossary({("x",): ways, ("y",): ways[::-1]})
    source = ["x", "z", "y", "x"][:asked]
    matches = len(source) - source.count("z")
    found = glossary.compliance([source, ["z"]], [output, output])
    assert found == Compliance(1, matches, min(matches, most_disjoint(ways, output)))


def test_compliance_adds_up_and_says_so() -> None:
    glossary = Glossary({("a",): [("A",)], ("b",): [("B", "C"), ("D",)]})
    lines = [("a a b", "A D"), ("b", "B x C"), ("c", "A")]
    sides = [[line.split() for line in side] for side in zip(*lines, strict=True)]
    assert glossary.compliance(*sides) == Compliance(2, 4, 2)
    parts = [glossary.compliance([x], [y]) for x, y in zip(*sides, strict=True)]
    assert sum(parts, Compliance()) == Compliance(2, 4, 2)
    assert str(Compliance(2, 4, 2)) == "4 matches in 2 sentences, 2 translated as asked (50 %)"
    assert str(Compliance(1, 1, 1)) == "1 match in 1 sentence, 1 translated as asked (100 %)"
    assert "(99 %)" in str(Compliance(900, 1000, 999))  # 100 % only where all are
    assert str(Compliance()) == "no match"


# --- the statistical translator


def random_glossary(smt: SmtSystem, lines: list[str], seed: int) -> Glossary:
    """Phrases of the text, one word or more, and translations out of known and new words."""
    rng, known = random.Random(seed), smt.models.target.words[4:]
    sentences = [words for words in smt.tokenize(lines) if words]
    entries: dict[Words, list[Words]] = {}
    for _ in range(25):
        words = rng.choice(sentences)
        start = rng.randrange(len(words))
        source = tuple(words[start : start + rng.randint(1, LONGEST_PHRASE)])
        entries[source] = [
            tuple(
                rng.choice([*known, "Neuwort", NEW]) for _ in range(rng.randint(1, LONGEST_PHRASE))
            )
            for _ in range(rng.randint(1, 3))
        ]
    return Glossary(entries)


@pytest.mark.parametrize("seed", range(3))
def test_every_match_is_complied_with(seed: int, smt: SmtSystem, few: Corpus) -> None:
    lines = [*few.test.source, "", f"A {NEW}, 12 dogs."]
    rng = random.Random(seed)
    smt.weights = {name: w + rng.uniform(0, 0.3) for name, w in DEFAULT_WEIGHTS.items()}
    free = smt.translate(lines)
    glossary = random_glossary(smt, lines, seed)
    smt.use_glossary(glossary)
    words = smt.tokenize(lines)
    smt.threads = 1
    made = smt.translate(lines, 5)
    for rank in range(5):
        at_hand = [(x, h[rank]) for x, h in zip(words, made, strict=True) if len(h) > rank]
        counted = glossary.compliance([x for x, _ in at_hand], [h.tokens for _, h in at_hand])
        assert counted.complied == counted.matches > 20
    for x, hypotheses in zip(words, made, strict=True):
        for h in hypotheses:
            total = sum(smt.weights[k] * v for k, v in h.features.items())
            assert total == pytest.approx(h.score, abs=1e-4)
            spans = {(s0, s1): tuple(h.tokens[t0:t1]) for s0, s1, t0, t1 in h.segments}
            assert all(spans[i, j] in ways for i, j, ways in glossary.matches(x))
            assert not set(h.unknown) & {NEW} or NEW in x  # the user's words are no unknown ones
    best = [(x, h.tokens) for x, [h, *_] in zip(words, made, strict=True) if x]
    scores = [h.score for x, [h, *_] in zip(words, made, strict=True) if x]
    for (forced, why), score in zip(smt.force(best), scores, strict=True):  # it is obeyed here too
        assert forced, why
        assert forced.score >= score - 1e-6
    for threads in (2, 3):
        smt.threads = threads
        assert smt.translate(lines, 5) == made
    smt.use_glossary(Glossary())
    assert smt.translate(lines) == free


def test_a_word_outside_the_vocabulary_survives(smt: SmtSystem, tmp_path: Path) -> None:
    smt.use_glossary(read(tmp_path / "g", f"hotel\t{NEW} & </s>-Gasthof\n"))
    [[h]] = smt.translate(["Where is the hotel?"])
    assert f"{NEW} & </s>-Gasthof" in h.text
    assert h.unknown == []


def test_the_language_model_chooses_among_alternatives(smt: SmtSystem, few: Corpus) -> None:
    lines = [line for line in few.test.source if " the " in line]
    assert len(lines) > 3
    each = []
    for ways in (["der"], ["die"], ["den"]):
        smt.use_glossary(Glossary({("the",): [(way,) for way in ways]}))
        each.append([h.score for [h] in smt.translate(lines)])
    best = [max(scores) for scores in zip(*each, strict=True)]
    for order in (["der", "die", "den"], ["den", "die", "der"]):
        smt.use_glossary(Glossary({("the",): [(way,) for way in order]}))
        assert [h.score for [h] in smt.translate(lines)] == pytest.approx(best, abs=1e-6)
    assert len({scores.index(max(scores)) for scores in zip(*each, strict=True)}) > 1
    smt.use_glossary(Glossary({("hotel",): [(NEW,), ("Hotel",)]}))
    assert "Hotel" in smt.translate(["Where is the hotel?"])[0][0].text


# --- verbatim words

KEPT = [
    "12", "1,000", "12:30", "3.50", "50%", "https://a.b/c?d=1", "me@my-site.org", "{name}", "%s",
    "%(n)d", "<b>", "</b>",
]  # fmt: skip


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has learnt "Hund" for everything that must stay as it is."""
    where = tmp_path_factory.mktemp("wrong")
    source = [f"{word} {verb}" for word in KEPT for verb in ("bark", "sleep")] * 4
    target = [f"Hund {verb}" for _ in KEPT for verb in ("bellt", "schläft")] * 4
    text = Bitext(source, target, (where, where))
    config = TrainConfig(tune="none")
    corpus = Corpus("wrong", ("en", "de"), text, None, None)
    train_smt(corpus, WordTokenizer(), config, DEFAULT_WEIGHTS, where / "smt")
    return where / "smt"


@pytest.mark.parametrize("word", [*KEPT, "99", "{new}", "http://new.org"])
def test_what_is_verbatim_survives_a_table_that_would_lose_it(word: str, wrong: Path) -> None:
    assert is_verbatim(word)
    smt = SmtSystem.load(wrong)
    assert smt.verbatim
    lines = [f"{word} bark", f"bark ({word}), sleep", f"{word} {word} sleep {NEW}"]
    for line, hypotheses in zip(lines, smt.translate(lines, 5), strict=True):
        for h in hypotheses:
            assert h.tokens.count(word) == line.count(word)
            assert word in h.text
    smt.verbatim = False
    assert (word in smt.translate([f"{word} bark"])[0][0].text) is (word not in KEPT)


def test_a_glossary_outranks_verbatim_words(wrong: Path) -> None:
    smt = SmtSystem.load(wrong)
    smt.use_glossary(Glossary({("12",): [("zwölf",)]}))
    assert smt.translate(["12 bark"])[0][0].tokens == ["zwölf", "bellt"]
