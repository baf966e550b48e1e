"""All bilingual formats give the same pairs, here and in other readers."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polib
import pytest
from translate.storage import pypo, tmx, xliff, xliff2

from mtkit.console import console
from mtkit.text.corpus import Bitext, files_of, open_corpus
from mtkit.text.formats.bilingual import read
from mtkit.text.lines import read_lines
from tests.support.bilingual import PACKERS, WRITERS, Pairs, write
from tests.support.paths import MULTI30K, needs_shared

PAIRS = [
    ("Two men.", "Zwei Männer."),
    ('He said "no" & left <here>.', "Er sagte „nein“ & ging <hier>."),
    (" a \\ b \\n c", "a \\ b \\t c "),
    ("next\u2028line\x85and\u00a0more", "nächste\u2028Zeile\x85und\u00a0mehr"),
    ("e\u0301 \U0001f600 \ufeff", "é 😀 ]]>"),
    ("{name} has %1$s &amp; %d", "{name} hat %1$s &amp; %d"),
]


def by_csv(path: Path) -> list[tuple[str, str]]:
    with path.open(encoding="utf-8", newline="\n") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [(row["en"], row["de"]) for row in rows]


def by_json(path: Path) -> list[tuple[str, str]]:
    objects = map(json.loads, path.read_bytes().splitlines())
    return [(line["en"], line["de"]) for line in objects]


def by_toolkit(kind: Any) -> Callable[[Path], list[tuple[str, str]]]:
    def pairs(path: Path) -> list[tuple[str, str]]:
        units = kind.parsefile(str(path)).units
        return [(str(u.source), str(u.target)) for u in units if u.istranslatable()]

    return pairs


ORACLES = {
    "t.tsv": by_csv, "t.jsonl": by_json, "t.tmx": by_toolkit(tmx.tmxfile),
    "t12.xlf": by_toolkit(xliff.xlifffile), "t21.xliff": by_toolkit(xliff2.Xliff2File),
    "t.po": by_toolkit(pypo.pofile),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("languages", [None, ("en", "de")])
def test_special_characters_are_kept(
    name: str, languages: tuple[str, str] | None, tmp_path: Path
) -> None:
    path = write(tmp_path / name, PAIRS)
    assert ORACLES[name](path) == PAIRS
    source, target, named = read(path, languages)
    assert list(zip(source, target, strict=True)) == PAIRS
    assert named == ("en", "de")


@needs_shared
@pytest.mark.parametrize("name", WRITERS)
def test_every_format_reads_multi30k(name: str, tmp_path: Path) -> None:
    sides = (read_lines(MULTI30K / f"train.{language}")[:500] for language in ("en", "de"))
    pairs = list(zip(*sides, strict=True))
    path = write(tmp_path / name, pairs)
    assert ORACLES[name](path) == pairs
    corpus = open_corpus(train=path)
    assert corpus.train.pairs() == pairs
    assert corpus.pair == ("en", "de")


@pytest.mark.parametrize("packed", PACKERS)
@pytest.mark.parametrize("name", WRITERS)
def test_packed_files_read_alike(name: str, packed: str, tmp_path: Path) -> None:
    assert Bitext.read(*files_of(write(tmp_path / f"{name}{packed}", PAIRS))).pairs() == PAIRS


@pytest.mark.parametrize("name", WRITERS)
def test_the_reverse_pair_swaps_the_sides(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, PAIRS)
    corpus = open_corpus(pair="de-en", train=path, test=(path, path))
    assert corpus.train.pairs() == [(t, s) for s, t in PAIRS]
    assert corpus.test is not None
    assert corpus.test.pairs() == corpus.train.pairs()


@pytest.mark.parametrize("name", WRITERS)
def test_file_format_overrides_the_suffix(name: str, tmp_path: Path) -> None:
    known = {"t12.xlf": "xliff", "t21.xliff": "xliff"}.get(name, name.partition(".")[2])
    path = write(tmp_path / "text", PAIRS, name)
    corpus = open_corpus(train=path, file_format=known)
    assert (corpus.train.pairs(), corpus.train.file_format) == (PAIRS, known)
    other = write(tmp_path / "text.po", PAIRS, name)  # --format has priority over the name
    assert open_corpus(train=other, file_format=known).train.pairs() == PAIRS


def test_a_directory_may_hold_bilingual_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "train.tmx.zst", PAIRS, "t.tmx").rename(tmp_path / "train.tmx")
    (tmp_path / "train.tmx").write_bytes(WRITERS["t.tmx"](PAIRS).encode())
    write(tmp_path / "dev.po", PAIRS[:2], "t.po")
    (tmp_path / "test.tsv.gz").write_bytes(PACKERS[".gz"](b"source\ttarget\nOne.\tEins.\n"))
    for pair in (None, "en-de"):
        corpus = open_corpus(str(tmp_path), pair)
        assert corpus.pair == ("en", "de")
        assert corpus.train.pairs() == PAIRS
        assert corpus.dev is not None
        assert corpus.dev.pairs() == PAIRS[:2]
        assert corpus.test is not None
        assert corpus.test.pairs() == [("One.", "Eins.")]
    for language, line in (("en", "Plain."), ("de", "Einfach.")):
        (tmp_path / f"train.{language}").write_text(f"{line}\n")
    console.quiet = False
    assert open_corpus(str(tmp_path)).train.pairs() == [("Plain.", "Einfach.")]
    assert "train.de; ignoring train.tmx in the same directory" in capsys.readouterr().err


# --- features of single formats

INLINE = {
    "a.tmx": (
        '<tmx version="1.4"><header srclang="en"/><body><tu><tuv xml:lang="en"><seg>Press <bpt '
        'i="1">&lt;b><sub>x</sub></bpt>the <hi>red</hi><ept i="1">&lt;/b></ept> key<ph/>.<it>y</it>'
        '<ut>z</ut></seg></tuv><tuv xml:lang="de"><seg>Taste</seg></tuv></tu></body></tmx>'
    ),
    "a.xlf": (
        '<xliff version="1.2"><file source-language="en" target-language="de"><body><trans-unit '
        'id="1"><source>Press <g id="1">the <mrk mtype="x">red</mrk></g> key<x id="2"/>.<bpt '
        'id="3">&lt;i></bpt><ph id="4">{0}</ph></source><seg-source>old</seg-source>'
        "<target>Taste</target></trans-unit></body></file></xliff>"
    ),
    "b.xlf": (
        '<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.0" srcLang="en" '
        'trgLang="de"><file id="f"><unit id="u"><mtc:matches xmlns:mtc="urn:m"><mtc:match><source>'
        "no</source><target>nein</target></mtc:match></mtc:matches><originalData><data id='d'>"
        '&lt;br/></data></originalData><segment><source>Press <pc id="1">the <mrk id="m">red</mrk>'
        '</pc> key<ph id="2" dataRef="d"/>.<sc id="3"/><ec startRef="3"/></source><target>Taste'
        "</target></segment><ignorable><source> </source></ignorable></unit></file></xliff>"
    ),
}


@pytest.mark.parametrize("name", INLINE)
def test_code_is_dropped_marked_text_is_kept(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(INLINE[name], encoding="utf-8")
    assert read(tmp_path / name) == (["Press the red key."], ["Taste"], ("en", "de"))


def test_a_code_between_words_separates_them(tmp_path: Path) -> None:
    text = 'one<ph>&lt;br/></ph>two<ph/><ph/>three<ph/>, <bpt i="1"/>f<ept i="1"/>our<ph/> five'
    data = INLINE["a.tmx"].replace("<seg>Press", f"<seg>{text} Press")
    (tmp_path / "a.tmx").write_text(data)
    assert read(tmp_path / "a.tmx")[0] == ["one two three, four five Press the red key."]


def test_xliff_files_have_their_own_languages(tmp_path: Path) -> None:
    unit = "<body><trans-unit><source>{}</source><target>{}</target></trans-unit></body>"
    files = (
        '<file source-language="en" target-language="fr">' + unit.format("a", "b") + "</file>",
        '<file source-language="en">' + unit.format("c", "d") + "</file>",
        '<file source-language="en" target-language="en">' + unit.format("e", "f") + "</file>",
        '<file source-language="it" target-language="en">' + unit.format("g", "h") + "</file>",
    )
    (tmp_path / "a.xlf").write_text(f"<xliff>{''.join(files)}</xliff>")
    assert read(tmp_path / "a.xlf", ("en", "fr"))[:2] == (["a", "c", "e"], ["b", "d", "f"])
    assert read(tmp_path / "a.xlf", ("en", "it"))[:2] == (["c", "e", "h"], ["d", "f", "g"])


FILES = Path("/proc/self/fd")
PO = r"""
msgid ""
msgstr "Language: de_AT\n"

msgid "%d file"
msgid_plural "%d files"
msgstr[0] "%d Datei"
msgstr[1] "%d Dateien"
msgstr[2] "never"

#, fuzzy
msgid "fuzzy"
msgstr "unscharf"

msgid "not translated"
msgstr ""

msgid "two\n"
"lines\n"
msgstr "zwei\n"
"Zeilen\n"

#~ msgid "old"
#~ msgstr "alt"
"""


@pytest.mark.skipif(not FILES.is_dir(), reason="the system does not list a process's open files")
def test_polib_reads_a_closed_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows cannot open an open file again."""
    parse, read_there = polib.pofile, []

    def closed(name: str, **options: Any) -> Any:
        opened = {os.path.realpath(path) for path in FILES.iterdir()}
        assert os.path.realpath(name) not in opened
        read_there.append(name)
        return parse(name, **options)

    (tmp_path / "a.po").write_text(PO, encoding="utf-8")
    monkeypatch.setattr(polib, "pofile", closed)
    read(tmp_path / "a.po")
    assert read_there
    assert not Path(read_there[0]).exists()


def test_po_plurals_are_read_fuzzy_entries_are_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.po").write_text(PO, encoding="utf-8")
    console.quiet = False
    source, target, languages = read(tmp_path / "a.po")
    assert source == ["%d file", "%d files", "two lines"]
    assert target == ["%d Datei", "%d Dateien", "zwei Zeilen"]
    assert languages == ("en", "de-AT")
    said = capsys.readouterr().err
    assert "1 of 4 units lack text on a side; left out" in said
    assert "line breaks became blanks in 1 of 3 pairs" in said
    assert "names no source language; en is assumed" in said
    assert read(tmp_path / "a.po", ("fr", "de"))[0] == source
    assert "read as de: de-AT (3 pairs)" in capsys.readouterr().err


def test_po_in_another_charset(tmp_path: Path) -> None:
    text = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=ISO-8859-1\\n"\n\nmsgid "men"\n'
    text += 'msgstr "Männer"\n'
    (tmp_path / "a.po").write_bytes(text.encode("latin-1"))
    assert read(tmp_path / "a.po", ("en", "de"))[1] == ["Männer"]


@pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1", "windows-1252"])
def test_xml_in_another_encoding(encoding: str, tmp_path: Path) -> None:
    text = WRITERS["t.tmx"](PAIRS[:1]).replace("UTF-8", encoding)
    (tmp_path / "a.tmx").write_bytes(text.encode(encoding))
    assert read(tmp_path / "a.tmx")[1] == ["Zwei Männer."]


JSONL = {
    "keys": '{"en": "a", "de": "b", "score": 1}',
    "translation": '{"id": "x", "translation": {"en": "a", "de": "b"}}',
    "roles": '{"source": "a", "target": "b", "de": "no"}',
}


@pytest.mark.parametrize("case", JSONL)
def test_json_lines_have_three_shapes(case: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(f"\n{JSONL[case]}\n", encoding="utf-8")
    named = ("", "") if case == "roles" else ("en", "de")
    assert read(tmp_path / "a.jsonl") == (["a"], ["b"], named)
    assert read(tmp_path / "a.jsonl", ("en", "de")) == (["a"], ["b"], ("en", "de"))


def test_id_and_url_are_no_languages(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "7", "eng": "a", "deu": "b", "url": "u"}\n')
    assert read(tmp_path / "a.jsonl", ("eng", "deu"))[:2] == (["a"], ["b"])


TSV = {
    "columns": ("a\tb\tc\n", None, [("a", "b")]),
    "header": ("de\tid\ten\nb\t1\ta\n", ("en", "de"), [("a", "b")]),
    "own order": ("de\tid\ten\nb\t1\ta\n", None, [("b", "a")]),
    "roles": ("id\tsource\ttarget\n1\ta\tb\n", ("en", "de"), [("a", "b")]),
    "named": ("eng\tdeu\na\tb\n", ("eng", "deu"), [("a", "b")]),
    "no header": ("cat\tdog\na\tb\n", ("en", "de"), [("cat", "dog"), ("a", "b")]),
    "sentences": ("de en\tx y\na\tb\n", ("en", "de"), [("de en", "x y"), ("a", "b")]),
    "TAB": ("en\tde\na\tb \tc\n", ("en", "de"), [("a", "b \tc")]),
    "blank": ("\na\tb\n\n \tc\n", ("en", "de"), [("a", "b")]),
}  # fmt: skip


@pytest.mark.parametrize("case", TSV)
def test_a_tsv_header_is_optional(case: str, tmp_path: Path) -> None:
    text, wanted, pairs = TSV[case]
    (tmp_path / "a.tsv").write_text(text, encoding="utf-8")
    source, target, _ = read(tmp_path / "a.tsv", wanted)
    assert list(zip(source, target, strict=True)) == pairs


def test_unfinished_targets_are_left_out(tmp_path: Path) -> None:
    states = (
        "state='new'",
        "state='needs-translation'",
        "state-qualifier='x-mtkit'",
        "state='final'",
    )
    units = "".join(
        f"<trans-unit id='{k}'><source>a{k}</source><target {state}>b{k}</target></trans-unit>"
        for k, state in enumerate(states)
    )
    (tmp_path / "a.xlf").write_text(
        '<xliff version="1.2"><file source-language="en" target-language="de" original="a" '
        f'datatype="plaintext"><body>{units}</body></file></xliff>'
    )
    assert read(tmp_path / "a.xlf")[:2] == (["a3"], ["b3"])


# --- languages


def tmx_of(path: Path, *units: dict[str, str], source: str = "*all*") -> Path:
    rows = ""
    for unit in units:
        texts = (f'<tuv xml:lang="{code}"><seg>{t}</seg></tuv>' for code, t in unit.items())
        rows += f"<tu>{''.join(texts)}</tu>"
    path.write_text(f'<tmx><header srclang="{source}"/><body>{rows}</body></tmx>')
    return path


def test_closest_variants_are_used_and_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmx_of(
        tmp_path / "a.tmx",
        {"EN_gb": "colour", "en": "color", "de-AT": "Farbe", "de-CH": "Farb", "fr": "c"},
        {"en-US": "flavor", "de": "Geschmack"},
        {"en-GB": "only", "fr": "seulement"},
    )
    console.quiet = False
    source, target, languages = read(path, ("en", "de"))
    assert (source, target) == (["color", "flavor"], ["Farbe", "Geschmack"])
    assert languages == ("en", "de")
    said = capsys.readouterr().err
    assert "read as en: en (1 pairs), en-US (1 pairs)" not in said
    assert "read as en: en-US (1 pairs)" in said
    assert "read as de: de-AT (1 pairs)" in said
    assert "1 of 3 units lack text on a side; left out" in said
    assert read(path, ("en-GB", "de-CH"))[:2] == (["colour"], ["Farb"])


def test_the_source_language_comes_first(tmp_path: Path) -> None:
    unit = {"de-DE": "Hund", "en-US": "dog"}
    for named, pair in (("en", ("en-US", "de-DE")), ("*all*", ("de-DE", "en-US"))):
        assert read(tmx_of(tmp_path / "a.tmx", unit, source=named))[2] == pair
    assert read(tmx_of(tmp_path / "a.tmx", {"en": "a", "en-GB": "b"}), ("en-GB", "en"))[0] == ["b"]


def test_the_first_text_in_a_language_is_used(tmp_path: Path) -> None:
    path = tmp_path / "a.tmx"
    texts = "".join(
        f'<tuv xml:lang="{code}"><seg>{text}</seg></tuv>'
        for code, text in (("en", "a"), ("de", "first"), ("de", "second"))
    )
    path.write_text(f"<tmx><body><tu>{texts}</tu></body></tmx>")
    assert read(path)[1] == ["first"]


def test_unnamed_languages_may_be_und(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("a\tb\n")
    corpus = open_corpus(train=tmp_path / "a.tsv", unnamed=("und", "und"))
    assert corpus.pair == ("und", "und")
    assert open_corpus(train=tmp_path / "a.tsv", pair="und-und").train.pairs() == [("a", "b")]


def test_readers_read_one_unit_at_a_time(tmp_path: Path) -> None:
    """The first pair is returned before the error at the end of the file is read."""
    from mtkit.text.formats.bilingual import stream
    from mtkit.text.formats.choice import Choice

    many: Pairs = [(f"man {n}", f"Mann {n}") for n in range(5000)]
    for name in ("t.tsv", "t.jsonl", "t.tmx", "t12.xlf", "t21.xliff"):
        path = tmp_path / name
        path.write_text(WRITERS[name](many) + "<>", encoding="utf-8")
        assert next(stream(path, Choice(path, None))) == many[0]
