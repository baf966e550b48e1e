"""Glossaries: files, matches, compliance, and that the statistical system complies."""

from __future__ import annotations

import csv
import gzip
import random
import time
from itertools import combinations, pairwise
from pathlib import Path
from typing import cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mtkit.console import console
from mtkit.errors import InputError
from mtkit.smt.phrases.extract import MAX_PHRASE
from mtkit.smt.search.features import DEFAULT_WEIGHTS
from mtkit.smt.system import SmtSystem
from mtkit.smt.train import TrainConfig, train_smt
from mtkit.text.corpus import Bitext, Corpus
from mtkit.text.glossary import LONGEST_PHRASE, Compliance, Glossary, Words
from mtkit.text.terms import read_terms
from mtkit.text.tokenizer import WordTokenizer, is_code, is_verbatim

NEW = "xqzvwy☃"  # in no vocabulary


@pytest.fixture
def smt(smt_directory: Path) -> SmtSystem:
    return SmtSystem.load(smt_directory)


def read(path: Path, text: str, tokenizer: WordTokenizer = WordTokenizer()) -> Glossary:  # noqa: B008
    path.write_text(text, encoding="utf-8")
    return Glossary.read(path, tokenizer.tokenize)


# --- the file


def test_a_cell_beyond_the_limit_of_csv_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"g\.csv: line 1: not CSV \(field larger than"):
        read(tmp_path / "g.csv", f"a,{'x' * 200_000}\n")


def test_a_concept_of_too_many_pairs_is_refused(tmp_path: Path) -> None:
    terms = "".join(f"<termSec><term>a{n}</term></termSec>" for n in range(101))
    languages = "".join(f'<langSec xml:lang="{x}">{terms}</langSec>' for x in ("en", "de"))
    with pytest.raises(InputError, match=r"g\.tbx: line 1: a concept with more than 10,000 pairs"):
        read(tmp_path / "g.tbx", f"<tbx><conceptEntry>{languages}</conceptEntry></tbx>")


def test_many_translations_of_a_phrase_are_read_in_time(tmp_path: Path) -> None:
    lines = "".join(f"a\tb{n}\n" for n in [*range(20_000), *range(20_000)])
    start = time.process_time()
    [translations] = read(tmp_path / "g", lines, WordTokenizer("none")).entries.values()
    assert len(translations) == 20_000
    assert time.process_time() - start < 5  # 0.2 s; it was quadratic


def test_lines_are_tokenized_entries(tmp_path: Path) -> None:
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
    b"a\tb\nc d\n": "line 2: expected two columns separated by one TAB; found 1",
    b"a\tb\tc\n": "line 1: expected two columns separated by one TAB; found 3",
    b"\tb\n": "line 1: the source phrase is empty",
    b"#\n\na\t \n": "line 3: the target phrase is empty",
    b"a a a a a a a a\tb\n": "line 1: the source phrase has 8 tokens; .* at most 7",
    b"a\tb, b, b, b, b\n": "line 1: the target phrase has 9 tokens; .* at most 7",
    b"a\tb\n\xff\tb\n": "line 2, byte 1: not UTF-8",
    b"# a\tb\n\n": "no entries; expected lines with two columns, source TAB target",
}


@pytest.mark.parametrize("data", REFUSED)
def test_invalid_glossaries_are_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "g.tsv"
    path.write_bytes(data)
    with pytest.raises(InputError, match=f"^{path}: {REFUSED[data]}") as error:
        Glossary.read(path, WordTokenizer().tokenize)
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="none: no such file"):
        Glossary.read(tmp_path / "none", WordTokenizer().tokenize)


def test_a_first_line_may_be_a_heading(tmp_path: Path) -> None:
    tokenize = WordTokenizer().tokenize
    for heading, of in (
        ("Source\tTarget", None), ("en\tde", ("en", "de")), ("en\tde", ("en-GB", "de")),
        ("en\tde", None), ("English\tGerman", ("en", "de")), ("", ("en", "de")),
    ):  # fmt: skip
        (tmp_path / "g.tsv").write_text(f"# terms\n{heading}\ncat\tKatze\n")
        entries = Glossary.read(tmp_path / "g.tsv", tokenize, of).entries
        assert entries == {("cat",): [("Katze",)]}
    (tmp_path / "g.tsv").write_text("de\ten\nKatze\tcat\n")
    entries = Glossary.read(tmp_path / "g.tsv", tokenize, ("en", "de")).entries
    assert entries == {("cat",): [("Katze",)]}


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


SAVE: dict[Words, list[Words]] = {("save", "it"): [("speichern",), ("￭x", "y")], ("Ox",): [("O",)]}


@pytest.mark.parametrize(
    ("sentence", "span", "ways"),
    [
        ("Save it .", (0, 2), ["speichern", "￭x y", "Speichern"]),
        ("￭( Save it .", (1, 3), ["speichern", "￭x y", "Speichern"]),  # after a mark
        ("save it", (0, 2), ["speichern", "￭x y"]),
        ("Please Save it", None, []),
        ("SAVE it", None, []),
        ("Save It", None, []),  # only of the first word
        ("Ox", (0, 1), ["O"]),
        ("ox", None, []),
    ],
)
@pytest.mark.parametrize("inflected", [False, True])
def test_a_sentence_may_begin_with_a_capital(
    sentence: str, span: tuple[int, int] | None, ways: list[str], inflected: bool
) -> None:
    glossary = Glossary(SAVE, inflected)
    if span or not inflected:
        expected = [(*span, [tuple(way.split()) for way in ways])] if span else []
        assert glossary.matches(sentence.split()) == expected
    said = [["x", "Speichern", "￭."]]
    assert glossary.compliance([["Save", "it", "￭."]], said).complied == 1
    assert glossary.compliance([["Now", "save", "it"]], said).complied == 0


def test_joined_phrase_edges_do_not_match() -> None:
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
    """Return the matches by definition: the longest at the earliest start, then after it."""
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
    """Return the largest number of disjoint places, trying every one as the first."""
    spans = combinations(range(start, len(output) + 1), 2)
    return max(
        (1 + most_disjoint(ways, output, j) for i, j in spans if output[i:j] in ways), default=0
    )


@given(st.lists(SMALL, min_size=1, max_size=3), st.integers(1, 4), TEXT)
@example([("a", "a")], 4, ("a", "a", "a"))
def test_each_match_needs_its_own_place(ways: list[Words], asked: int, output: Words) -> None:
    glossary = Glossary({("x",): ways, ("y",): ways[::-1]})
    source = ["x", "z", "y", "x"][:asked]
    matches = len(source) - source.count("z")
    found = glossary.compliance([source, ["z"]], [output, output])
    assert found == Compliance(1, matches, min(matches, most_disjoint(ways, output)))


def test_compliance_sums_and_prints() -> None:
    glossary = Glossary({("a",): [("A",)], ("b",): [("B", "C"), ("D",)]})
    lines = [("a a b", "A D"), ("b", "B x C"), ("c", "A")]
    sides = [[line.split() for line in side] for side in zip(*lines, strict=True)]
    assert glossary.compliance(*sides) == Compliance(2, 4, 2)
    parts = [glossary.compliance([x], [y]) for x, y in zip(*sides, strict=True)]
    assert sum(parts, Compliance()) == Compliance(2, 4, 2)
    assert str(Compliance(2, 4, 2)) == "4 matches in 2 sentences, 2 translated as asked (50 %)"
    assert str(Compliance(1, 1, 1)) == "1 match in 1 sentence, 1 translated as asked (100 %)"
    assert "(99 %)" in str(Compliance(900, 1000, 999))  # 100 % only if all comply
    assert str(Compliance()) == "no match"


# --- termbases and spreadsheets

MARTIF = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE martif SYSTEM "TBXcoreStructV02.dtd">
<martif type="TBX" xml:lang="en"><martifHeader><fileDesc><sourceDesc><p>terms</p></sourceDesc>
</fileDesc></martifHeader><text><body>
<termEntry id="c1"><descrip type="definition">a <hi>red</hi> car</descrip>
 <langSet xml:lang="de-DE"><tig><term>Löschzug</term></tig>
  <tig><term>Feuer-<hi>Auto</hi></term><termNote type="register">colloquial</termNote></tig>
  <tig><term>Spritze</term>
   <termNote type="administrativeStatus">deprecatedTerm-admn-sts</termNote></tig></langSet>
 <langSet xml:lang="en"><ntig><termGrp><term>fire
   engine</term></termGrp></ntig><tig><term>R&amp;D "x"</term></tig></langSet>
 <langSet xml:lang="fr"><tig><term/></tig></langSet></termEntry>
<termEntry id="c2"><langSet xml:lang="en"><tig><term>pump</term></tig></langSet></termEntry>
<termEntry id="c3"><langSet xml:lang="en"><tig><term>a b c d e f g h</term></tig></langSet>
 <langSet xml:lang="de"><tig><term>x</term></tig></langSet></termEntry>
</body></text></martif>
"""
TBX = """<?xml version="1.0" encoding="UTF-8"?>
<tbx type="TBX-Basic" style="dct" xml:lang="en" xmlns="urn:iso:std:iso:30042:ed-2"
 xmlns:min="http://www.tbxinfo.net/ns/min" xmlns:basic="http://www.tbxinfo.net/ns/basic">
<tbxHeader/><text><body>
<conceptEntry id="c1">
 <langSec xml:lang="fr"><termSec><term/></termSec></langSec>
 <langSec xml:lang="de-DE"><termSec><term>Löschzug</term></termSec>
  <termSec><term>Feuer-Auto</term><min:partOfSpeech>noun</min:partOfSpeech></termSec>
  <termSec><term>Spritze</term>
   <min:administrativeStatus>supersededTerm-admn-sts</min:administrativeStatus></termSec></langSec>
 <langSec xml:lang="en"><termSec><term>fire engine</term></termSec>
  <termSec><term>R&amp;D "x"</term></termSec></langSec>
</conceptEntry>
<conceptEntry id="c2"><langSec xml:lang="en"><termSec><term>pump</term></termSec></langSec>
</conceptEntry>
<conceptEntry id="c3">
 <langSec xml:lang="en"><termSec><term>a b c d e f g h</term></termSec></langSec>
 <langSec xml:lang="de"><termSec><term>x</term></termSec></langSec></conceptEntry>
</body></text></tbx>
"""
WAYS: list[Words] = [("Löschzug",), ("Feuer-Auto",)]


@pytest.mark.parametrize("text", [MARTIF, TBX], ids=["martif", "tbx"])
def test_concepts_of_a_termbase_are_entries(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "quiet", False)
    path, tokenize = tmp_path / "g.tbx", WordTokenizer().tokenize
    path.write_text(text, encoding="utf-8")
    glossary = Glossary.read(path, tokenize, ("en", "de"))
    expected = {("fire", "engine"): WAYS, tuple(tokenize('R&D "x"')): WAYS}
    assert (glossary.entries, glossary.left_out) == (expected, 1)
    said = f"{path}: 1 of 3 concepts lack a term in en or de; left out\n"
    assert capsys.readouterr().err == said
    glossary.note_left_out(path)
    assert "left out 1 entry with more than 7 tokens on a side" in capsys.readouterr().err
    back = Glossary.read(path, tokenize, ("de", "en")).entries
    assert back["Spritze",] == [("fire", "engine"), tuple(tokenize('R&D "x"'))]  # old source terms
    data = gzip.compress(text.replace("UTF-8", "UTF-16").encode("utf-16"))
    (tmp_path / "G.TBX.gz").write_bytes(data)
    assert Glossary.read(tmp_path / "G.TBX.gz", tokenize, ("en", "de")).entries == expected


def test_terms_are_as_translate_toolkit_reads(tmp_path: Path) -> None:
    from translate.storage.tbx import tbxfile

    theirs = tbxfile()
    for source, target in (("fire engine", "Löschzug"), ("R&D <x>", "F&E"), ("a", "b c")):
        unit = theirs.addsourceunit(source)
        unit.target = target
    data = bytes(theirs).replace(b'xml:lang="xx"', b'xml:lang="de"')
    (tmp_path / "g.tbx").write_bytes(data)
    again = tbxfile.parsestring(data)
    ours = read_terms(tmp_path / "g.tbx", ("en", "de"))
    assert [(t.source, t.target) for t in ours] == [(u.source, u.target) for u in again.units]
    assert len(ours) == 3


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), min_size=1, max_size=8)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=4))
def test_rows_are_as_csv_writes_them(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "g.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("source", "target"), *rows])
    wanted = [(x.strip(), y.strip()) for x, y in rows if x.strip() and y.strip()]
    if wanted:
        assert [(t.source, t.target) for t in read_terms(path)] == wanted
    else:
        with pytest.raises(InputError, match="no entries; expected rows with two columns"):
            read_terms(path)


PAIR = [("a b", 'c, "d"')]
SHEETS: dict[str, tuple[str, int]] = {  # and the line number of the pair
    'a b,"c, ""d"""\n': ('a b,"c, ""d"""\n', 1),
    "bom": ('\ufeffsource,target\r\n\r\n"a b","c, ""d"""\r\n', 3),
    "codes": ('de-AT,note,en_GB\n"c, ""d""",x,a b\n', 2),
    "Roles": ('Source,NOTE,TARGET\na b,x,"c, ""d"""\n', 2),
    "semicolons": ('en;note;de\na b;x;"c, ""d"""\n', 2),
    "names": ('English;German\na b;"c, ""d"""\n', 2),
    "own-names": ('Kommentar,DEUTSCH , Englisch\nx,"c, ""d""",a b\n', 2),
    "a-name-and-a-code": ('en,German\na b,"c, ""d"""\n', 2),
    "wide": ('target,source,id\n"c, ""d""","a\n  b",7,8\n', 2),
}


@pytest.mark.parametrize("case", SHEETS)
def test_a_header_selects_the_columns(case: str, tmp_path: Path) -> None:
    text, line = SHEETS[case]
    path = tmp_path / "g.csv"
    path.write_text(text, encoding="utf-8", newline="")
    [term] = read_terms(path, ("en", "de"))
    assert (term.source, term.target) == PAIR[0]
    assert term.where == f"{path}: line {line}"


@pytest.mark.parametrize(
    ("first", "wanted"),
    [
        ("English,Englisch", ("en", "de")),  # the same language twice
        ("English,German", ("en", "fr")),  # not the model's languages
        ("English,German", None),
        ("French,house", ("en", "de")),
        ("house,Deutsch", ("en", "de")),
    ],
)
def test_names_of_other_languages_are_an_entry(
    first: str, wanted: tuple[str, str] | None, tmp_path: Path
) -> None:
    (tmp_path / "g.csv").write_text(f"{first}\na,b\n", encoding="utf-8")
    terms = read_terms(tmp_path / "g.csv", wanted)
    assert [(t.source, t.target) for t in terms] == [tuple(first.split(",")), ("a", "b")]


def test_rows_without_a_translation_are_left_out_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "quiet", False)
    path = tmp_path / "g.csv"
    path.write_text("en,de\na,b\nc,\n\n , d\n" + "e,\n" * 4 + "f,g\n", encoding="utf-8")
    glossary = Glossary.read(path, WordTokenizer().tokenize, ("en", "de"))
    assert glossary.entries == {("a",): [("b",)], ("f",): [("g",)]}
    [line] = capsys.readouterr().err.splitlines()
    assert line == (
        f"{path}: 6 of 8 rows lack a term in one language; left out (line 3, 5, 6, 7, …)"
    )


def test_two_languages_default_to_the_file_order(tmp_path: Path) -> None:
    (tmp_path / "g.csv").write_text("de,en\nHaus,house\n", encoding="utf-8")
    (tmp_path / "g.tbx").write_text(
        "<tbx><conceptEntry><langSec xml:lang='de'><termSec><term>Haus</term></termSec></langSec>"
        "<langSec xml:lang='en'><termSec><term>house</term></termSec></langSec>"
        "</conceptEntry></tbx>",
        encoding="utf-8",
    )
    for name in ("g.csv", "g.tbx"):
        for languages in (None, ("", ""), ("und", "und")):
            [term] = read_terms(tmp_path / name, languages)
            assert (term.source, term.target) == ("Haus", "house")


ENTRY = "<martif>\n<termEntry>{}</termEntry></martif>"
TERM = "<langSet xml:lang='{}'><tig>\n<term>{}</term></tig></langSet>"
TWO = TERM.format("en", "a") + TERM.format("de", "b")
LAUGHS = "".join(f"<!ENTITY l{n} '&l{n - 1};&l{n - 1};'>" for n in range(1, 99))
WRONG: dict[str, tuple[str, str, str]] = {
    "others": (
        "g.tbx", ENTRY.format(TWO.replace("de", "fr")),
        "no concept has terms in en and de; found en (1 concepts), fr (1 concepts); export",
    ),
    "no-terms": ("g.tbx", "<tbx/>", "no concept has terms in en and de; found no terms"),
    "bomb": (
        "g.tbx", f"<!DOCTYPE tbx [<!ENTITY l0 'ha'>{LAUGHS}]>\n<tbx>&l98;</tbx>",
        "line 1: declares an entity or a document type of its own",
    ),
    "empty": ("g.tbx", ENTRY.format(TWO.replace("b<", " <")), "line 4: an empty term; complete it"),
    "avoided": (
        "g.tbx",
        ENTRY.format(TWO.replace("b</term>", "b</term><termNote>deprecatedTerm</termNote>")),
        "no entries; the termbase says to avoid all target terms",
    ),
    "long": (
        "g.tbx", ENTRY.format(TWO.replace("b<", "b b b b b b b b<")),
        "line 3: the target phrase has 8 tokens; the decoder's phrases have at most 7",
    ),
    "no-language": (
        "g.tbx", ENTRY.format("\n<langSet/>"), "line 3: <langSet> without its language, xml:lang",
    ),
    "html": ("g.tbx", "<html/>", "line 1: expected TBX, found <html>; export the termbase"),
    "no-xml": ("g.tbx", "a\tb\n", "line 1: not TBX, as it is not XML (syntax error); export"),
    "cut": ("g.tbx", ENTRY[:20], "the file is cut off inside <termEntry>; get the whole file"),
    "one-column": ("g.csv", "a,b\n\nc\n", "line 3: expected two columns separated by commas, or"),
    "three-columns": ("g.csv", "a,b\nc,d,e\n", "line 2: expected two columns separated by commas"),
    "mixed": ("g.csv", "a;b\nc,d\n", "line 2: expected two columns separated by commas, or by"),
    "few-columns": ("g.csv", "id,en,de\n1,a\n", "line 2: expected 3 columns or more separated by"),
    "quote": ("g.csv", 'a,b\n"c"d,e\n', "line 2: not CSV ("),
    "open-quote": ("g.csv", 'a,b\n"c,e\nf,g\n', "line 2: not CSV (unexpected end of data)"),
    "after-a-break": ("g.csv", 'a,"b\nc"\nd\n', "line 3: expected two columns separated by commas"),
    "empty-cells": ("g.csv", "a,\n ,b\n", "no entries; expected rows with two columns"),
    "long-cell": ("g.csv", "a,b b b b b b b b\n", "line 1: the target phrase has 8 tokens"),
    "other-columns": ("g.csv", "en,fr\na,b\n", "line 1: no columns for en and de, found en, fr"),
    "only-header": ("g.csv", "en,de\n", "no entries; expected rows with two columns"),
    "nothing": ("g.csv", "", "no entries; expected rows with two columns"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_termbase_errors_are_one_line(case: str, tmp_path: Path) -> None:
    name, text, message = WRONG[case]
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    with pytest.raises(InputError) as raised:
        Glossary.read(tmp_path / name, WordTokenizer().tokenize, ("en", "de"))
    assert str(raised.value).startswith(f"{tmp_path / name}: ")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sep=;\na, b;c\n", [("a, b", "c")]),
        ("sep=\t\na;b\tc, d\n", [("a;b", "c, d")]),
        ("a, b;c\nd;e\n", [("a, b", "c"), ("d", "e")]),
        ('"a, b";c\nd;e\n', [("a, b", "c"), ("d", "e")]),
        ("a;b,c\nd,e\n", [("a;b", "c"), ("d", "e")]),
    ],
)
def test_commas_or_semicolons_separate_cells(
    text: str, expected: list[tuple[str, str]], tmp_path: Path
) -> None:
    (tmp_path / "g.csv").write_text(text, encoding="utf-8")
    assert [(t.source, t.target) for t in read_terms(tmp_path / "g.csv")] == expected


def test_three_languages_need_a_choice(tmp_path: Path) -> None:
    text = ENTRY.format(TWO + TERM.format("fr", "c"))
    for name, content, message in (
        (
            "g.tbx",
            text,
            r"expected terms of exactly two languages.* found en \(1 concepts\), de \(",
        ),
        ("g.csv", "en,de,fr\na,b,c\n", "line 1: more than two languages: en, de, fr"),
    ):
        (tmp_path / name).write_text(content, encoding="utf-8")
        with pytest.raises(InputError, match=message):
            read_terms(tmp_path / name)
        assert len(read_terms(tmp_path / name, ("de", "fr"))) == 1


# --- inflected forms

STEMMED = {
    ("fire", "engine"): [("L",)], ("machine",): [("M",)], ("Machines",): [("N",), ("M",)],
    ("12345678",): [("Z",)], ("engines", "stop"): [("E",)], ("café",): [("C",)],
}  # fmt: skip


@pytest.mark.parametrize(
    ("sentence", "ways"),
    [
        ("Fire engines", {(0, 2): ["L"]}),
        ("fire engines stop", {(1, 3): ["E"]}),  # exact matches have priority
        ("machines", {(0, 1): ["M", "N"]}),  # all entries with this stem
        ("Machines machine", {(0, 1): ["N", "M"], (1, 2): ["M"]}),
        ("12345679 12345678", {(1, 2): ["Z"]}),  # numbers have no inflected forms
        ("Cafe", {(0, 1): ["C"]}),
        ("fires engine", {}),  # short words keep their endings
        ("machination", {(0, 1): ["M", "N"]}),  # a known limit
    ],
)
def test_stems_match_if_nothing_exact_does(
    sentence: str, ways: dict[tuple[int, int], list[str]]
) -> None:
    glossary = Glossary(cast("dict[Words, list[Words]]", STEMMED), inflected=True)
    found = {(i, j): [way for (way,) in ways] for i, j, ways in glossary.matches(sentence.split())}
    assert found == ways


@given(ENTRIES, TEXT, st.booleans())
def test_inflected_forms_only_add_matches(
    entries: dict[Words, list[Words]], words: Words, upper: bool
) -> None:
    words = tuple(w.upper() if upper and k % 2 else w for k, w in enumerate(words))
    exact, more = (Glossary(entries, inflected).matches(words) for inflected in (False, True))
    assert all(match in more for match in exact)
    spans = [(i, j) for i, j, _ in more]
    assert all(j <= i for (_, j), (i, _) in pairwise(spans))
    folded = tuple(w.lower() for w in words)
    assert all(folded[i:j] in entries for i, j in spans)
    taken = {k for i, j in spans for k in range(i, j)}
    left = [(i, j) for i, j in combinations(range(len(words) + 1), 2) if folded[i:j] in entries]
    assert all(taken & set(range(i, j)) for i, j in left)


def test_unmatched_entries_are_counted() -> None:
    entries: dict[Words, list[Words]] = {("a",): [("A",)], ("b",): [("B",)], ("c", "d"): [("C",)]}
    glossary = Glossary(entries)
    some = glossary.compliance([["a", "x"]], [["A"]])
    assert glossary.unmatched(some) == [("b",), ("c", "d")]
    none = WordTokenizer("none")
    summary = glossary.summary(some, none)
    assert summary.endswith('(100 %); 2 of 3 entries matched nothing: "b", "c d"')
    joined = Glossary({("a",): [("A",)], ("end", "￭-￭", "user"): [("E",)]})
    some = joined.compliance([["a"]], [["A"]])
    assert joined.summary(some, WordTokenizer()).endswith(': "end-user"')
    some = glossary.compliance([["a", "x"]], [["A"]])
    every = some + glossary.compliance([["b", "c", "d"], ["a"]], [["B", "C"], ["A"]])
    assert glossary.unmatched(every) == []
    assert glossary.summary(every, none) == str(every)
    stems = Glossary({("machine",): [("M",)], ("machines",): [("N",)]}, inflected=True)
    assert stems.unmatched(stems.compliance([["x", "Machine"]], [["x", "M"]])) == []
    assert stems.unmatched(stems.compliance([["machine"]], [["M"]])) == [("machines",)]


def test_inflected_matches_do_not_take_any_place_for_a_beginning() -> None:
    """An address matches only exactly, but for a capital at the beginning of the sentence."""
    entries: dict[Words, list[Words]] = {("mail",): [("M",)], ("info@x.org", "machine"): [("N",)]}
    glossary = Glossary(entries, inflected=True)
    assert glossary.matches(["mail", "Info@x.org", "machines"]) == [(0, 1, [("M",)])]
    assert glossary.matches(["Info@x.org", "machines"]) == [(0, 2, [("N",)])]


# --- the statistical translator


def random_glossary(smt: SmtSystem, lines: list[str], seed: int) -> Glossary:
    """Return phrases of the text with random translations of known and new words."""
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
            assert not set(h.unknown) & {NEW} or NEW in x  # the user's words count as known
    best = [(x, h.tokens) for x, [h, *_] in zip(words, made, strict=True) if x]
    scores = [h.score for x, [h, *_] in zip(words, made, strict=True) if x]
    for (forced, why), score in zip(smt.force(best), scores, strict=True):  # forcing complies too
        assert forced, why
        assert forced.score >= score - 1e-6
    for threads in (2, 3):
        smt.threads = threads
        assert smt.translate(lines, 5) == made
    smt.use_glossary(Glossary())
    assert smt.translate(lines) == free


def test_words_outside_the_vocabulary_are_kept(smt: SmtSystem, tmp_path: Path) -> None:
    smt.use_glossary(read(tmp_path / "g", f"hotel\t{NEW} & </s>-Gasthof\n"))
    [[h]] = smt.translate(["Where is the hotel?"])
    assert f"{NEW} & </s>-Gasthof" in h.text
    assert h.unknown == []


def test_the_language_model_chooses_among_alternatives(smt: SmtSystem, few: Corpus) -> None:
    lines = [line for line in few.test.source if " the " in line and "The" not in line]
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
    """Train a model that translates every verbatim word as "Hund"."""
    where = tmp_path_factory.mktemp("wrong")
    source = [f"{word} {verb}" for word in KEPT for verb in ("bark", "sleep")] * 4
    target = [f"Hund {verb}" for _ in KEPT for verb in ("bellt", "schläft")] * 4
    text = Bitext(source, target, (where, where))
    config = TrainConfig(tune="none")
    corpus = Corpus("wrong", ("en", "de"), text, None, None)
    train_smt(corpus, WordTokenizer(), config, DEFAULT_WEIGHTS, where / "smt")
    return where / "smt"


@pytest.mark.parametrize("word", [*KEPT, "99", "{new}", "http://new.org"])
def test_verbatim_words_override_the_phrase_table(word: str, wrong: Path) -> None:
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


CODES = [word for word in KEPT if not word[0].isdigit()]


def test_no_code_is_added(tmp_path: Path) -> None:
    source = [f"{verb}" for verb in ("bark", "sleep") for _ in CODES] + ["no 4 bark"] * 9
    target = [f"{code} {verb}" for verb in ("bellt", "schläft") for code in CODES]
    text = Bitext(source, [*target, *["keine vier bellen"] * 9], (tmp_path, tmp_path))
    corpus = Corpus("made", ("en", "de"), text, None, None)
    directory = tmp_path / "smt"
    train_smt(corpus, WordTokenizer(), TrainConfig(tune="none"), DEFAULT_WEIGHTS, directory)
    smt = SmtSystem.load(directory)
    phrases = {smt.models.target.words[i] for i in smt.models.table.target.tolist()}
    assert phrases & set(CODES)  # the table has them
    for line in ("bark", "sleep bark", f"bark {CODES[0]}", f"bark {NEW}"):
        for h in smt.translate([line], 9)[0]:
            assert [w for w in h.tokens if is_code(w)] == [w for w in line.split() if is_code(w)]


def test_a_glossary_outranks_verbatim_words(wrong: Path) -> None:
    smt = SmtSystem.load(wrong)
    smt.use_glossary(Glossary({("12",): [("zwölf",)]}))
    assert smt.translate(["12 bark"])[0][0].tokens == ["zwölf", "bellt"]


def test_inflected_forms_follow_the_glossary(smt: SmtSystem) -> None:
    entries: dict[Words, list[Words]] = {("hotel",): [(NEW,)]}
    for inflected in (False, True):
        smt.use_glossary(Glossary(entries, inflected))
        for line in ("Where are the hotels?", "HOTELS are here."):
            assert (NEW in smt.translate([line])[0][0].text) is inflected
        assert NEW in smt.translate(["Where is the hotel?"])[0][0].text
