"""``mtkit corpus check, split, stats``: files, JSON, pages, errors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mtkit.text.corpus import Bitext, corpora_directory
from tests.support.command import mtkit

EVERYDAY = corpora_directory() / "everyday"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """400 pairs with a duplicate and with damage in lines 7 and 9; the first 8 are also dev."""
    for language in ("en", "de"):
        lines = (EVERYDAY / f"train.{language}").read_bytes().split(b"\n")[:399]
        dev = lines[:8]
        lines[6] += b"\xff" if language == "en" else b""
        lines[8] += "\ufffd".encode() if language == "de" else b""
        lines.append(lines[20])
        (tmp_path / f"t.{language}").write_bytes(b"\n".join([*lines, b""]))
        (tmp_path / f"d.{language}").write_bytes(b"\n".join([*dev, b""]))
    (tmp_path / "one.en").write_bytes(b"a\n")
    return tmp_path


def test_check_reports_and_cleans(place: Path) -> None:
    options = ("--dev", "d.en", "d.de", "--keep", "keep", "--clean", "clean", "--html", "r.html")
    done = mtkit("corpus", "check", "t.en", "t.de", *options, "--json", cwd=place)
    data = json.loads(done.stdout)
    lines = {f["kind"]: f["lines"] for f in data["findings"]}
    assert lines["encoding"] == [7]
    assert data["findings"][0]["bytes"][0]["value"] == 255
    assert lines["replacement"] == [9]
    assert lines["duplicate"] == [400]
    assert lines["leak"] == [1, 2, 3, 4, 5, 6, 8]
    keep = [int(n) for n in (place / "keep").read_text("utf-8").split()]
    assert keep == list(range(10, 400))
    assert (place / "clean/train.lines").read_bytes() == (place / "keep").read_bytes()
    cleaned = Bitext.read(place / "clean/train.en", place / "clean/train.de")
    assert len(cleaned) == 390
    assert {p.name for p in (place / "clean").iterdir()} == {
        f"{split}.{end}" for split in ("train", "dev") for end in ("en", "de", "lines")
    }
    assert "not UTF-8" in (place / "r.html").read_text("utf-8")
    assert b"cleaned corpus: clean (train 390, dev 8 pairs)" in done.stderr
    shown = mtkit("corpus", "check", "t.en", "t.de", cwd=place).stdout.decode()
    assert "train: 2 of 400 lines damaged (0.5 %). --clean DIR drops 3 lines" in shown
    drops = "(not UTF-8, U+FFFD, duplicate pairs) and keeps 397."
    assert drops in " ".join(shown.split())
    assert all(f["dropped"] for f in data["findings"])
    again = mtkit("corpus", "check", "t.en", "t.de", "--clean", "clean", cwd=place, check=2)
    assert b"clean exists; name another --clean, or add --force" in again.stderr


def test_split_takes_5_percent_of_a_small_corpus(tmp_path: Path) -> None:
    sides = EVERYDAY / "dev.en", EVERYDAY / "dev.de"
    said = mtkit("corpus", "split", *sides, "--out", "few", cwd=tmp_path).stderr
    assert b"corpus: few (train 450, dev 25, test 25 pairs)" in said, said
    assert b"warning: fewer than 100 pairs in dev and test, too few to tell systems apart" in said


def test_split_and_stats(place: Path) -> None:
    sides = EVERYDAY / "train.en", EVERYDAY / "train.de"
    sizes = ("--dev", "30", "--test", "20", "--seed", "3")
    done = mtkit("corpus", "split", *sides, *sizes, "--out", "split", cwd=place)
    assert b"corpus: split (train 8,048, dev 30, test 20 pairs)" in done.stderr
    done = mtkit("corpus", "stats", "--corpus", "split", "--json", "--html", "s.html", cwd=place)
    data = json.loads(done.stdout)
    assert [text["sentences"] for text in data["texts"]] == [8048, 8048, 30, 30, 20, 20]
    assert "Most ambiguous words" in (place / "s.html").read_text("utf-8")
    again = mtkit("corpus", "check", "--corpus", "split", "--json", cwd=place)
    assert not [f for f in json.loads(again.stdout)["findings"] if "leak" in f["kind"]]


def test_one_bilingual_file(place: Path) -> None:
    sides = [(EVERYDAY / name).read_text("utf-8").splitlines() for name in ("dev.en", "dev.de")]
    pairs = [*zip(*sides, strict=True)]
    rows = ["en\tde", *("\t".join(pair) for pair in (*pairs, *pairs[:5]))]
    (place / "m.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    said = mtkit("corpus", "check", "m.tsv", "--json", "--clean", "kept", cwd=place)
    findings = {f["kind"]: f for f in json.loads(said.stdout)["findings"]}
    behind_header = [1 + len(pairs) + k for k in range(1, 6)]
    assert findings["duplicate"]["lines"] == behind_header
    assert findings["duplicate"]["examples"][0]["line"] == behind_header[0]
    assert (place / "kept/train.lines").read_text().split()[:2] == ["2", "3"]
    assert (place / "kept/train.en").read_text("utf-8").splitlines() == sides[0]
    call = ["corpus", "split", "m.tsv", "--dev", "9", "--test", "9", "--out", "parts"]
    mtkit(*call, cwd=place)
    assert len((place / "parts/dev.de").read_text("utf-8").splitlines()) == 9
    for split in ("train", "dev", "test"):
        numbers, *texts = (
            (place / f"parts/{split}.{end}").read_text("utf-8").splitlines()
            for end in ("lines", "en", "de")
        )
        assert ["\t".join(pair) for pair in zip(*texts, strict=True)] == [
            rows[int(n) - 1] for n in numbers
        ]
    data = json.loads(mtkit("corpus", "stats", "m.tsv", "--json", cwd=place).stdout)
    assert [text["sentences"] for text in data["texts"]] == [len(rows) - 1] * 2


def test_split_and_check_number_translation_units_alike(tmp_path: Path) -> None:
    """By line; by pair if a line holds several units. One unit lacks a target text."""
    unit = "<tu>\n<tuv xml:lang='en'><seg>{}</seg></tuv>{}\n</tu>\n"
    target = "<tuv xml:lang='de'><seg>{} ist rot</seg></tuv>"
    names = "abcdefghij"
    units = "".join(unit.format(name, "" if name == "c" else target.format(name)) for name in names)
    tmx = f"<tmx version='1.4'>\n<header srclang='en'/>\n<body>\n{units}</body>\n</tmx>"
    for text in (tmx, tmx.replace("\n", " ")):
        (tmp_path / "m.tmx").write_text(text, encoding="utf-8")
        call = ["split", "m.tmx", "--dev", 1, "--test", 1, "--out", "parts", "--force"]
        mtkit("corpus", *call, cwd=tmp_path)
        mtkit("corpus", "check", "m.tmx", "--keep", "kept", cwd=tmp_path)
        numbers = {
            name: int(n)
            for split in ("train", "dev", "test")
            for name, n in zip(
                *(
                    (tmp_path / f"parts/{split}.{end}").read_text().split()
                    for end in ("en", "lines")
                ),
                strict=True,
            )
        }
        lines = [4 + 3 * k if text == tmx else k + 1 - (k > 2) for k in range(10) if k != 2]
        assert numbers == dict(zip("abdefghij", lines, strict=True))
        assert sorted(numbers.values()) == [int(n) for n in (tmp_path / "kept").read_text().split()]


def test_check_names_pairs_of_a_tmx_file_by_line(tmp_path: Path) -> None:
    """By the first line of a unit; by the pair's number if a line holds several units."""
    unit = "<tu>\n<tuv xml:lang='en'><seg>a b c d</seg></tuv>{}\n</tu>\n"
    target = "<tuv xml:lang='de'><seg>{}</seg></tuv>"
    texts = [target.format("x y z"), "", target.format("a b c d")]
    tmx = "<tmx version='1.4'>\n<header srclang='en'/>\n<body>\n{}</body>\n</tmx>"
    tmx = tmx.format("".join(map(unit.format, texts)))
    for content, line in ((tmx, 10), (tmx.replace("\n", ""), 2)):
        (tmp_path / "m.tmx").write_text(content, encoding="utf-8")
        said = mtkit("corpus", "check", "m.tmx", "--json", "--keep", "k", cwd=tmp_path)
        findings = {f["kind"]: f for f in json.loads(said.stdout)["findings"]}
        assert findings["identical"]["lines"] == [line]
        assert (tmp_path / "k").read_text() == ("4\n" if line == 10 else "1\n")


def test_training_notes_likely_damage_in_one_line(place: Path) -> None:
    (place / "t.en").write_bytes((place / "t.en").read_bytes().replace(b"\xff", b"\x07"))
    text = ("--train", "t.en", "t.de")
    said = mtkit("align", *text, "--aligner", "ibm1", cwd=place).stderr.decode().splitlines()
    assert [line for line in said if line.startswith("note:")] == [
        "note: t.en t.de: control characters, U+FFFD or ||| in 2 of 400 pairs (first: line 7); see "
        "`mtkit corpus check t.en t.de`"
    ]
    clean = "--train", EVERYDAY / "dev.en", EVERYDAY / "dev.de"
    assert b"note:" not in mtkit("align", *clean, "--aligner", "ibm1", cwd=place).stderr


REFUSED = {
    "missing": (["check", "t.en", "none.de"], "none.de: no such file"),
    "one-file": (["check", "t.en"], "t.en: one file for both languages, of unknown format"),
    "no-corpus": (["check", "--corpus", "nix"], "no directory or corpus 'nix'"),
    "exchanged": (["check", "t.en", "t.de", "--dev", "d.de", "d.en"], "are exchanged"),
    "unequal": (
        ["check", "one.en", "t.de", "--clean", "c"],
        "one.en has 1 lines but t.de has 400; run the check without --keep and --clean",
    ),
    "too-few": (
        ["split", "d.en", "d.de", "--out", "s", "--dev", "1000"],
        "d.en: 8 pairs with text; --dev 1000 and --test 1 leave none",
    ),
    "documents": (
        ["split", "d.en", "d.de", "--out", "s", "--dev", "1", "--documents", "one.en"],
        "one.en: expected 8 lines, one per sentence pair; found 1",
    ),
    "both": (
        ["split", "d.en", "d.de", "--out", "s", "--blank-lines", "--documents", "one.en"],
        "--documents and --blank-lines exclude each other",
    ),
    "three-files": (["stats", "d.en", "d.de", "t.en"], "expected one or two files, or --train"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_gets_one_line_and_nothing_is_written(case: str, place: Path) -> None:
    before = {path.name for path in place.iterdir()}
    arguments, message = REFUSED[case]
    done = mtkit("corpus", *arguments, cwd=place, check=2)
    [line] = done.stderr.decode().splitlines()
    assert line.startswith("mtkit: ")
    assert message in line
    assert done.stdout == b""
    assert {path.name for path in place.iterdir()} == before
