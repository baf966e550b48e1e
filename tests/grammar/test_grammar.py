"""Text from a grammar: its German, its distances, and suites that no n-gram model solves."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mtkit.errors import InputError
from mtkit.grammar.expand import Grammar, Pair
from mtkit.grammar.make import Text, make, parse_distances, write
from mtkit.grammar.suite import Contrast, read_suite, suite, trials, write_suite
from mtkit.text.corpus import SPLITS, read_corpus_directory
from tests.support.command import mtkit, start

SMALL = """\
[features]
gender m f
number sg pl
case nom
[words]
THE the | m nom der, f die, pl die
HUMAN man, pl men | (m) Mann, pl Männer
HUMAN woman, pl women | (f) Frau, pl Frauen
VERB sleep, sg sleeps
    | schlafen, sg schläft
VERB work, sg works | arbeiten, sg arbeitet
HOW often | oft
[phrases]
# a comment
PERSON (number) the HUMAN | THE HUMAN
[sentences]
number I know that PERSON VERB@PERSON HOW*.
     | Ich weiß, dass [PERSON.nom] HOW* <VERB@PERSON>.
"""


@pytest.fixture(scope="module")
def grammar() -> Grammar:
    return Grammar()


@pytest.fixture(scope="module")
def made(grammar: Grammar) -> Text:
    return make(grammar, 1200, range(13), seed=3, items=600)


@pytest.fixture(scope="module")
def pairs(made: Text) -> list[Pair]:
    return [pair for split in made.splits.values() for pair in split]


def read(text: str, path: Path) -> Grammar:
    path.write_text(text, encoding="utf-8")
    return Grammar(path)


# --- distances, computed from the German words


def first(words: list[str], wanted: str, start: int = 0) -> int:
    """Return the index of the first word from ``start`` on that matches, ignoring its mark."""
    return next(i for i in range(start, len(words)) if re.fullmatch(wanted, words[i].strip(",.")))


NOUN = "[A-ZÄÖÜ].*"
CONJUNCTION = "dass|ob|weil"
BEFORE_VERB = {"Heute": 1, "Vielleicht": 1, "Leider": 1, "Natürlich": 1, "Am": 2, "Nach": 3}


def ends_of_dependency(phenomenon: str, words: list[str]) -> tuple[int, int]:
    last = len(words) - 1
    clause = first(words, CONJUNCTION) if {"dass", "ob", "weil"} & set(words) else 0
    subject = first(words, NOUN, clause + 1)
    verb = BEFORE_VERB.get(words[0], subject + 1)
    if phenomenon == "agreement":
        return subject, last
    if phenomenon == "verb-final":
        return clause, last
    if phenomenon == "case":
        return subject + 1, last
    if phenomenon == "tense" and clause:
        return first(words, "gestern|vorgestern|Woche|damals|jetzt|heute|gerade|zurzeit"), last
    if phenomenon == "relative":
        comma = next(i for i, word in enumerate(words) if word.endswith(","))
        return subject, comma + 1
    if phenomenon == "compound":
        return first(words, NOUN, subject + 1), last
    if phenomenon == "negation" and words[-1] != "nicht.":
        return verb, first(words, "kein.*")
    return verb, last


def test_distances_count_the_german_words(pairs: list[Pair]) -> None:
    assert {pair.phenomenon for pair in pairs} == {
        "agreement", "separable", "auxiliary", "relative", "case", "tense", "verb-second",
        "verb-final", "negation", "compound",
    }  # fmt: skip
    for pair in pairs:
        one, other = ends_of_dependency(pair.phenomenon, pair.target.split())
        assert (one, other) == pair.places, pair
        assert other - one - 1 == pair.distance


def test_distances_are_uniform_over_the_range(made: Text, grammar: Grammar) -> None:
    for found in made.splits.values():
        counts = Counter(pair.distance for pair in found)
        assert sorted(counts) == list(range(13))
        assert max(counts.values()) - min(counts.values()) <= 1
    assert grammar.sentence(np.random.default_rng(1), 150).distance == 150
    phenomena = Counter(pair.phenomenon for pair in made.splits["train"])
    assert min(phenomena.values()) > 50


# --- German, checked with separate tables

MASCULINE = "Garten Park Wald Bahnhof Laden Stall Zoo Fluss See Turm Baum Hund"
NEUTER = "Haus Hotel Museum Schloss Rathaus Zelt Kino Dorf Tor Denkmal Pferd Schwein"
FEMININE = "Kirche Schule Scheune Werkstatt Fabrik Höhle Brücke Mauer Statue Katze Kuh"
PLURAL = "Parks Gärten Häusern Kirchen Schulen Dörfern Toren Türmen Bäumen Brücken Zoos"
DATIVE = dict.fromkeys(f"{MASCULINE} {NEUTER}".split(), "dem")
DATIVE |= dict.fromkeys(FEMININE.split(), "der") | dict.fromkeys(PLURAL.split(), "den")
SINGULAR_PEOPLE_LINES = """
    Junge Mann Frau Kind Baby Arzt Nachbar Freund Student Sohn Tochter Bruder Schwester Tante
    Großmutter Gast Koch König Königin Prinzessin Bauer Dieb Soldat Tourist Kunde
    Krankenschwester Hexe Nonne Dame Mönch Clown Zwilling
"""
SINGULAR_PEOPLE = set(SINGULAR_PEOPLE_LINES.split())
WOMEN_LINES = """
    Frau Tochter Schwester Tante Großmutter Königin Prinzessin Krankenschwester Hexe Nonne Dame
"""
WOMEN = set(WOMEN_LINES.split())
WITH_SEIN_LINES = """
    verschwunden geblieben gestolpert erschienen gestürzt gestorben errötet gescheitert geflohen
    verhungert angekommen abgestürzt eingeschlafen ausgestiegen ausgewandert aufgewacht
    aufgestanden umgekehrt
"""
WITH_SEIN = set(WITH_SEIN_LINES.split())


def test_prepositions_have_their_case(pairs: list[Pair]) -> None:
    seen: Counter[str] = Counter()
    for pair in pairs:
        assert not re.search(r"\b(in|bei) dem\b", pair.target)
        for article, adjective, noun in re.findall(
            r"\b(?:hinter|neben|vor|mit|in|bei) (d\w+) (?:([a-zäöüß]+) )?([A-ZÄÖÜ]\w+)", pair.target
        ):
            if noun in DATIVE:
                seen[noun] += 1
                assert article == DATIVE[noun], pair
                assert adjective in {"dort", "hier"} or adjective.endswith("en") or not adjective
        for noun in re.findall(r"\b(?:im|beim) (?:[a-zäöüß]+en )?([A-ZÄÖÜ]\w+)", pair.target):
            assert DATIVE.get(noun, "dem") == "dem", pair
    assert len(seen) > 30
    without = [pair.target for pair in pairs if re.search("ohne (?!Grund|ein Wort)", pair.target)]
    assert without
    assert all(re.search("ohne (die|das|den|meinen|meine|mein) ", target) for target in without)


def test_verbs_agree_with_their_subjects(grammar: Grammar) -> None:
    seen: Counter[bool] = Counter()
    rng = np.random.default_rng(2)
    for rule in 500 * [*grammar.sentences["agreement"]]:
        drawn = grammar.draw(rng, "agreement", rule, 2)
        assert drawn is not None
        words = [word.strip(".,") for word in drawn.words]
        clause = first(words, CONJUNCTION)
        # Forms such as Jungen are plural here, as subjects: their singular is Junge.
        singular = words[first(words, NOUN, clause)] in SINGULAR_PEOPLE
        seen[singular] += 1
        assert (words[-1].endswith("n") and words[-1] != "erschien") is not singular, drawn
        article = words[clause + 1]
        assert article in {"der", "die", "das", "dieser", "diese", "dieses", "mein", "meine"}
        assert singular or article in {"die", "diese", "meine"}, drawn
    assert min(seen[True], seen[False]) > 300


def test_participles_have_their_auxiliary(pairs: list[Pair]) -> None:
    seen: Counter[bool] = Counter()
    for pair in pairs:
        if pair.phenomenon == "auxiliary":
            words = [word.strip(".") for word in pair.target.split()]
            sein = words[-1] in WITH_SEIN
            seen[sein] += 1
            assert (words[pair.places[0]] in {"ist", "sind", "war", "waren"}) is sein, pair
    assert min(seen[True], seen[False]) > 20


def test_adjectives_have_their_endings(grammar: Grammar) -> None:
    rng = np.random.default_rng(5)
    text = " ".join(grammar.sentence(rng, 4).target for _ in range(600))
    trait = "(?:alt|jung|klein|reich|arm|freundlich|traurig|neu|groß|schön|seltsam)"
    seen = 0
    for before, ending, after in re.findall(rf"(\w+) {trait}(e|en|er|es) (\w+)", text):
        if after in SINGULAR_PEOPLE - {"Kind", "Baby"} and before in {"Mein", "mein"}:
            assert ending == "er"
        elif after in {"Kind", "Baby"} and before in {"Mein", "mein"}:
            assert ending == "es"
        elif before in {"dem", "den", "meinem", "meinen", "meiner", "im", "beim"}:
            assert ending == "en"
        elif after in SINGULAR_PEOPLE and before.lower() in {"der", "die", "das", "meine"}:
            assert (ending == "en") is (before == "der" and after in WOMEN)  # die alte, der alten
        else:
            continue
        seen += 1
    assert seen > 200


# --- suites


def test_only_right_is_in_the_grammar(tmp_path: Path) -> None:
    small = read(SMALL, tmp_path / "small.grammar")
    rng = np.random.default_rng(1)
    drawn = [small.sentence(rng, distance) for distance in (0, 1, 2) for _ in range(150)]
    known = {pair.source: pair.target for pair in drawn}
    assert len(known) == 3 * 2 * 2 * 2
    assert set(known.values()) == {
        f"Ich weiß, dass {subject} {'oft ' * distance}{verb}."
        for distance in (0, 1, 2)
        for subject, verbs in (
            ("der Mann", "schläft arbeitet"), ("die Frau", "schläft arbeitet"),
            ("die Männer", "schlafen arbeiten"), ("die Frauen", "schlafen arbeiten"),
        )
        for verb in verbs.split()
    }  # fmt: skip
    items = suite(small, 1, 12, (0, 1, 2))
    assert len(items) == 12
    for item in items:
        assert known[item.source] == item.right
        assert item.wrong not in known.values()


def test_right_and_wrong_differ_by_one_word(made: Text) -> None:
    assert len(made.suite) == 600
    assert len({item.source for item in made.suite}) == 600
    targets = {pair.target for split in made.splits.values() for pair in split}
    rights = {item.right for item in made.suite}
    for item in made.suite:
        right, wrong = item.right.split(), item.wrong.split()
        [place] = (i for i, words in enumerate(zip(right, wrong, strict=True)) if len({*words}) > 1)
        ends = ends_of_dependency(item.phenomenon, right)
        assert place in ends
        assert ends[1] - ends[0] - 1 == item.distance
        assert item.wrong not in targets | rights
    counts = Counter((item.phenomenon, item.distance) for item in made.suite)
    assert {phenomenon for phenomenon, _ in counts} == {
        "agreement", "separable", "auxiliary", "relative", "case", "tense",
    }  # fmt: skip
    assert max(counts.values()) - min(counts.values()) <= 2  # a pair of mirror items


def windows(item: Contrast, n: int, tokens: str) -> tuple[Counter[tuple[str, ...]], ...]:
    """Return the windows of ``n`` tokens with the word that differs, of ``right`` and ``wrong``."""
    sides = [re.findall(tokens, side) for side in (item.right, item.wrong)]
    place = next(i for i, (a, b) in enumerate(zip(*sides, strict=True)) if a != b)
    return tuple(
        Counter(
            tuple(words[start : start + n])
            for start in range(max(0, place - n + 1), place + 1)
            if start + n <= len(words)
        )
        for words in sides
    )


@pytest.mark.parametrize("tokens", [r"\S+", r"\w+|[^\w\s]"])
@pytest.mark.parametrize("n", range(2, 8))
def test_windows_of_right_and_wrong_agree(n: int, tokens: str, made: Text) -> None:
    right: Counter[tuple[str, ...]] = Counter()
    wrong: Counter[tuple[str, ...]] = Counter()
    near: Counter[tuple[str, ...]] = Counter()
    for item in made.suite:
        ours, theirs = windows(item, n, tokens)
        if item.distance >= n:
            right += ours
            wrong += theirs
        elif item.distance == 0:
            near += ours
            near.subtract(theirs)
    assert right.total() > 500
    assert right == wrong
    assert any(near.values())  # windows that reach the governor differ


def test_each_item_shares_a_trial_with_its_mirror_item(made: Text) -> None:
    assert Counter(Counter(trials(made.suite).tolist()).values()) == {2: len(made.suite) // 2}


def test_a_suite_round_trips(made: Text, tmp_path: Path) -> None:
    write_suite(made.suite, tmp_path / "suite.tsv")
    assert read_suite(tmp_path / "suite.tsv") == made.suite


# --- the file, the directory, the command


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("[words]", "[wörter]", 5, "unknown section"),
        ("[features]\n", "", 1, "expected a section such as [words] first"),
        ("HOW often | oft", "HOW often oft", 12, "expected two sides with one |"),
        ("(m) Mann", "(x) Mann", 7, "unknown feature value 'x'"),
        ("man, pl men", "man,, pl men", 7, "a form is missing"),
        ("the HUMAN | THE HUMAN", "PEOPLE | PEOPLE", 15, "PEOPLE: no word or phrase of this class"),
        ("the HUMAN", "the", 15, "HUMAN is on one side only, so"),
        ("<VERB@PERSON>", "VERB@PERSON", 17, "mark two words of the target side"),
        ("[PERSON.nom]", "[PERSON.acc]", 17, "unknown feature value 'acc'"),
        ("[PERSON.nom]", "[PERSON.nom>", 17, "expected a word or a slot"),
        ("[PERSON.nom]", "[Mann]", 17, "[X] must be a single slot"),
        ("<VERB@PERSON>", "<VERB@THE>", 17, "@THE must refer to a slot THE without ? or *"),
        ("HOW* <", "HOW? <", 17, "HOW has ? or * on one side only"),
        ("HOW* <", "HOW* HOW* <", 17, "may occur only once"),
        ("[features]", "  [features]", 1, "there is no line before to continue"),
    ],
)
def test_grammar_errors_name_the_line(
    old: str, new: str, line: int, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "broken.grammar"
    assert old in SMALL
    with pytest.raises(InputError) as refused:
        read(SMALL.replace(old, new, 1), path)
    assert str(refused.value).startswith(f"{path}: line {line}: ")
    assert message in str(refused.value)


def test_a_missing_form_names_its_line(tmp_path: Path) -> None:
    small = read(SMALL.replace("m nom der, ", ""), tmp_path / "x.grammar")
    with pytest.raises(InputError, match=r"line 6: this word has no form for .*nom"):
        [small.sentence(np.random.default_rng(seed), 0) for seed in range(20)]


def test_impossible_requests_are_errors(tmp_path: Path) -> None:
    small = read(SMALL, tmp_path / "x.grammar")
    with pytest.raises(InputError, match="too few different sentences at distance 0"):
        make(small, 20, range(1), seed=1, items=0)
    near = read(SMALL.replace("HOW*", "HOW?"), tmp_path / "x.grammar")
    with pytest.raises(InputError, match="no sentence with 7 words between"):
        near.sentence(np.random.default_rng(1), 7)
    with pytest.raises(InputError, match="--pairs 9: expected at least 10"):
        make(small, 9, range(3), seed=1)


@pytest.mark.parametrize("text", ["", "x", "3-", "5-2", "-1", "1-2-3", "²"])
def test_a_bad_range_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="expected MIN-MAX words"):
        parse_distances(text)


def test_ranges() -> None:
    assert (parse_distances("0-20"), parse_distances("7")) == (range(21), range(7, 8))


def test_sentences_are_distinct(made: Text, pairs: list[Pair], tmp_path: Path) -> None:
    few = make(read(SMALL, tmp_path / "few.grammar"), 20, range(5), seed=1, items=8)  # of 40
    texts = [pair.target for split in few.splits.values() for pair in split]
    texts += [item.right for item in few.suite]
    assert len(set(texts)) == len(texts) == 28
    assert {split: len(found) for split, found in made.splits.items()} == {
        "train": 960, "dev": 120, "test": 120,
    }  # fmt: skip
    sources = [pair.source for pair in pairs] + [item.source for item in made.suite]
    targets = [pair.target for pair in pairs] + [item.right for item in made.suite]
    assert len(set(sources)) == len(sources)
    assert len(set(targets)) == len(targets)


def test_the_directory_is_a_corpus_with_tags(made: Text, tmp_path: Path) -> None:
    write(made, tmp_path)
    corpus = read_corpus_directory(tmp_path, ("en", "de"))
    for split, text in zip(SPLITS, (corpus.train, corpus.dev, corpus.test), strict=True):
        assert text is not None
        header, *tags = (tmp_path / f"{split}.tags.tsv").read_text("utf-8").splitlines()
        assert header == "phenomenon\tdistance"
        assert len(tags) == len(text)
        for (source, target), tag, pair in zip(text.pairs(), tags, made.splits[split], strict=True):
            assert (source, target) == (pair.source, pair.target)
            assert tag == f"{pair.phenomenon}\t{pair.distance}"


SOME = ("corpus", "make", "--pairs", 60, "--items", 24, "--distance", "0-4")


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    for name, seed, hashes in (("a", 5, "1"), ("b", 5, "2")):  # for any order of hashes
        environment = {**os.environ, "PYTHONHASHSEED": hashes}
        process = start(*SOME, "--seed", seed, "--out", name, cwd=tmp_path, env=environment)
        out, said = process.communicate()
        assert (process.returncode, out) == (0, b""), said.decode()
    mtkit(*SOME, "--seed", 6, "--out", "c", cwd=tmp_path)
    files = [{p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in "abc"]
    assert files[0] == files[1]
    assert len(files[0]) == 10
    assert all(files[0][name] != files[2][name] for name in files[0])


def test_the_command_reports_and_keeps_existing_files(tmp_path: Path) -> None:
    done = mtkit(*SOME, cwd=tmp_path)
    assert "corpus: grammar (train 48, dev 6, test 6 pairs; 24 contrastive pairs in suite.tsv)" in (
        done.stderr.decode()
    )
    assert mtkit(*SOME, "-q", cwd=tmp_path).stderr == b""  # the default output needs no --force
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter").write_text("dear")
    for arguments, message in (
        (("--out", "grammar"), "grammar exists; name another --out, or add --force"),
        (("--out", "mine", "--force"), "mine exists and is not a suite directory (it has no suite"),
        (("--distance", "9-2"), "--distance 9-2: expected MIN-MAX words"),
        (("--pairs", 3), "--pairs 3: expected at least 10"),
        (("--distance", "0-10000"), "--distance 0-10000: expected MIN-MAX words"),
    ):
        done = mtkit(*SOME, *arguments, cwd=tmp_path, check=2)
        assert done.stderr.decode().startswith(f"mtkit: {message}")
        assert done.stderr.count(b"\n") == 1
    mtkit(*SOME, "--out", "grammar", "--force", cwd=tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["grammar", "mine"]
