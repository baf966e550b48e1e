"""Files that are not parallel plain text are refused; unusual sentences are not."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from mtkit.console import console
from mtkit.errors import InputError
from mtkit.text.corpus import Bitext, open_corpus

SENTENCES = [f"The number {n} is a number." for n in range(40)]
SAETZE = [f"Die Zahl {n} ist eine Zahl." for n in range(40)]


def pair(where: Path, source: list[str], target: list[str], suffix: str = "") -> tuple[Path, Path]:
    paths = where / f"t.en{suffix}", where / f"t.de{suffix}"
    for path, lines in zip(paths, (source, target), strict=True):
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return paths


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        (['<?xml version="1.0"?>', "<a>", "</a>"], "XML"),
        (["", '<!DOCTYPE tmx SYSTEM "tmx14.dtd">'], "XML"),
        (["<!doctype html>", "Hi"], "XML"),
        (['<tmx version="1.4"><header/>'], "XML"),
        (['  <xliff version="1.2">'], "XML"),
        (["<html>", "<body>"], "XML"),
        (['<TEI xmlns="http://www.tei-c.org/ns/1.0">'], "XML"),
        (['<srcset setid="x" srclang="any">'], "XML"),
        (["<doc>", *("<seg>Ein Satz.</seg>" for _ in range(30))], "XML"),
        (['{"en": "a", "de": "b"}', '{"en": "c", "de": "d"}'], "JSON"),
        (['{"en": "a {b}"}'], "JSON"),
        (["[", '  {"en": "a"},', "]"], "JSON"),
        (["a\tb", "c\td"], "a table with TABs (TSV)"),
        (["source\ttarget\tid\tscore", *("a\tb\tc" for _ in range(30))], "a table with TABs (TSV)"),
        (['"a","b"', '"c, d","say ""e"""'], "a table with commas (CSV)"),
        (["id,en", *('"c","d"' for _ in range(30))], "a table with commas (CSV)"),
    ],
)
def test_markup_and_tables_are_refused(lines: list[str], kind: str, tmp_path: Path) -> None:
    number = 1 + (not lines[0])
    for sides in ((lines, ["x"]), (["x"], lines)):
        paths = pair(tmp_path, *sides)
        named = re.escape(f"{paths[sides.index(lines)]}: line {number}: this is {kind}; ")
        with pytest.raises(InputError, match=f"^{named}expected two files of plain text"):
            Bitext.read(*paths)


@pytest.mark.parametrize(("suffix", "kind"), [(".tsv", "TSV"), (".csv", "CSV"), (".tsv.gz", "TSV")])
def test_tables_are_refused_by_suffix(suffix: str, kind: str, tmp_path: Path) -> None:
    paths = pair(tmp_path, ["a"], ["b"], suffix)
    if suffix.endswith(".gz"):
        for path in paths:
            path.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(InputError, match=rf"t\.en{suffix}: line 1: this is a table .*{kind}"):
        Bitext.read(*paths)


@pytest.mark.parametrize(
    "lines",
    [
        ['"Yes," she said, "I know."', '"No", "never" and "always".', '"Yes", "no".', '"One"'],
        ["one, two, three", "four, five, six", "Well, yes, no"],
        ["{name} has joined.", "{0}", "{}"],
        ["{}", "{}"],
        ["[1] See there.", "[2] And there."],
        ["<s> a </s>", "<unk> b"],
        ["<html><b>Save</b> the file</html>", "Open it"],
        ["Write <?xml first.", "<htmlfoo>", "<b>XML</b>"],
        ["a\tb", "no tab", "none either"],
        ["a\tb", "a\tb\tc", "a\t\t\tb"],
        ["\tindented", "\tindented, too"],
        ["a\tb"],
    ],
)
def test_sentences_with_commas_quotes_brackets_and_tabs_are_read(
    lines: list[str], tmp_path: Path
) -> None:
    target = [f"Satz {n}" for n, _ in enumerate(lines)]
    assert Bitext.read(*pair(tmp_path, lines, target)).source == lines


# --- copied sides


def test_the_same_text_on_both_sides_is_refused(tmp_path: Path) -> None:
    message = r"t\.en and .*t\.de are the same, line by line; name a file of each language$"
    names = [f"Name {n}" for n in range(40)]
    for lines in (SENTENCES, SENTENCES[:1], ["", *SENTENCES[:3], " "], names, SENTENCES * 100):
        with pytest.raises(InputError, match=message):
            Bitext.read(*pair(tmp_path, lines, lines))
    en, _ = pair(tmp_path, ["a"], ["b"])
    (link := tmp_path / "link.de").symlink_to(en)
    with pytest.raises(InputError, match=r"t\.en and .*link\.de are the same"):
        Bitext.read(en, link)


def test_short_identical_sides_are_accepted(tmp_path: Path) -> None:
    for lines in (["Berlin", "1970", "", "New York City"], [str(n) for n in range(19)]):
        assert len(Bitext.read(*pair(tmp_path, lines, lines))) == len(lines)


def test_dev_lines_in_the_training_text_warn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    console.quiet = False
    train = pair(tmp_path, SENTENCES, SAETZE)
    fresh = [f"{line} Again." for line in SENTENCES]
    for seen in (4, 5):
        (tmp_path / "d").mkdir(exist_ok=True)
        dev = pair(tmp_path / "d", [*SENTENCES[:seen], *fresh[seen:]], SAETZE)
        open_corpus(train=train, dev=dev)
    assert capsys.readouterr().err == (
        "warning: 5 of 40 dev lines are in the training text; tuning on them overfits\n"
    )


def test_half_of_the_lines_copied_warns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    console.quiet = False
    for same, times in ((20, 1), (30, 1), (20, 200)):
        lines = [*SAETZE[: 40 - same], *SENTENCES[40 - same :]]
        paths = pair(tmp_path, ["", *SENTENCES * times], ["", *lines * times])
        assert len(Bitext.read(*paths)) == 40 * times + 1
        assert capsys.readouterr().err == (
            f"warning: {paths[0]} and {paths[1]} are the same in {same * times:,} of "
            f"{40 * times:,} lines ({100 * same // 40} %), first in line {42 - same}\n"
        )
    Bitext.read(*pair(tmp_path, SENTENCES, [*SAETZE[:21], *SENTENCES[21:]]))
    Bitext.read(*pair(tmp_path, SENTENCES[:19], [*SAETZE[:1], *SENTENCES[1:19]]))
    assert capsys.readouterr().err == ""
