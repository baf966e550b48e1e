"""``mtkit translate FILE``: plain text, XLIFF and PO, in and out."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from mtkit.storage.reading import unpacked
from tests.support.command import mtkit
from tests.support.documents import AROUND_12, EMPTY_12, po, sources, xliff_12

LINES = b"The train is here.\n\nHello, two men.\n"


@pytest.mark.parametrize("kind", ["smt", "nmt"])
def test_a_file_is_translated_like_stdin(kind: str, project: Path, tmp_path: Path) -> None:
    (tmp_path / "in.en").write_bytes(LINES)
    with gzip.open(tmp_path / "in.en.gz", "wb") as file:
        file.write(LINES)
    model = ("translate", "-q", "--model", project / "models" / kind)
    expected = mtkit(*model, cwd=tmp_path, stdin=LINES).stdout
    assert expected.count(b"\n") == 3
    for name in ("in.en", "in.en.gz"):
        assert mtkit(*model, name, cwd=tmp_path).stdout == expected
    assert mtkit(*model, "in.en", "--stream", cwd=tmp_path).stdout == expected
    assert mtkit(*model, "in.en", "-o", "out.de", cwd=tmp_path).stdout == b""
    assert (tmp_path / "out.de").read_bytes() == expected
    mtkit(*model, "in.en", "-o", "out.gz", cwd=tmp_path)
    assert gzip.decompress((tmp_path / "out.gz").read_bytes()) == expected
    for name in ("out.xz", "out.zst"):
        mtkit(*model, "in.en", "-o", name, cwd=tmp_path)
        assert b"".join(unpacked(tmp_path / name)) == expected
    refused = mtkit(*model, "in.tsv", cwd=tmp_path, check=2).stderr
    expectation = b"expected plain text, XLIFF or PO"
    assert refused == b"mtkit: in.tsv: cannot translate tsv; " + expectation + b"\n"
    mtkit(*model, "-o", "out.2", cwd=tmp_path, stdin=LINES)
    assert (tmp_path / "out.2").read_bytes() == expected
    best = mtkit(*model, "in.en", "--n-best", 2, cwd=tmp_path).stdout
    assert best == mtkit(*model, "--n-best", 2, cwd=tmp_path, stdin=LINES).stdout


def test_output_can_replace_input(project: Path, tmp_path: Path) -> None:
    path, model = tmp_path / "in.en", ("translate", "--model", project / "models/smt")
    path.write_bytes(LINES)
    path.chmod(0o640)
    expected = mtkit(*model, cwd=tmp_path, stdin=LINES).stdout
    mtkit(*model, "in.en", "-o", "in.en", cwd=tmp_path)
    assert path.read_bytes() == expected
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["in.en"]  # noqa: PTH208


@pytest.mark.parametrize("packed", [False, True])
def test_a_filled_document_is_kept_the_second_time(
    packed: bool, project: Path, tmp_path: Path
) -> None:
    data = xliff_12(sources(EMPTY_12, AROUND_12)[:20])
    more = b'<trans-unit id="n" translate="no"><source>a</source></trans-unit><trans-unit id="i">'
    more += b"<source>{n, plural, one {a} other {b}}</source></trans-unit></body>"
    data = data.replace(b"</body>", more)
    path = tmp_path / ("a.xliff.gz" if packed else "a.xliff")
    path.write_bytes(gzip.compress(data) if packed else data)
    model = ("translate", path.name, "--model", project / "models/smt")
    whole = mtkit(*model, cwd=tmp_path)
    mtkit(*model, "-o", path.name, cwd=tmp_path)
    content = path.read_bytes()
    assert whole.stdout == (gzip.decompress(content) if packed else content)
    assert whole.stdout.count(b"needs-review-translation") == 20
    said = (
        f"{path.name}: 20 segments translated; 1 copied untranslated "
        '(an ICU message with plural or select: 1); 1 kept (translate="no": 1)\n'
    )
    assert whole.stderr.decode() == said
    again = mtkit(*model, "-o", path.name, cwd=tmp_path)
    assert path.read_bytes() == content
    said = (
        "0 segments translated; 1 copied untranslated (an ICU message with plural or "
        'select: 1); 21 kept (with a target: 20, translate="no": 1)'
    )
    assert again.stderr.decode() == f"{path.name}: {said}\n"
    every = mtkit(*model, "--all", cwd=tmp_path)
    assert every.stdout == whole.stdout


def test_a_glossary_is_followed(project: Path, tmp_path: Path) -> None:
    (tmp_path / "g.tsv").write_text("train\tEisenbahn\n", encoding="utf-8")
    (tmp_path / "a.po").write_bytes(po(["The <b>train</b> is here.", "A train!"]))
    model = ("--model", project / "models/smt", "--glossary", "g.tsv")
    done = mtkit("translate", "a.po", *model, cwd=tmp_path)
    assert "<b>Eisenbahn</b>" in done.stdout.decode()
    assert "3 segments translated" in done.stderr.decode()
    assert done.stderr.decode().endswith(
        "glossary: 2 matches in 2 sentences, 2 translated as asked (100 %)\n"
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"<xliff version='1.2'><file source-language='fr'/></xliff>", "the source language is fr"),
        (b"<xliff version='1.2'>\n<file></xliff>", "line 2: not well-formed XML"),
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]><xliff version='1.2'/>", "line 1: a document type decl"),
    ],
)  # fmt: skip
def test_a_bad_document_is_refused_and_nothing_written(
    data: bytes, message: str, project: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.xlf").write_bytes(data)
    model = ("--model", project / "models/smt")
    done = mtkit("translate", "a.xlf", "-o", "b.xlf", *model, cwd=tmp_path, check=2)
    [line] = done.stderr.decode().splitlines()
    assert line.startswith("mtkit: a.xlf: line ")
    assert message in line
    assert done.stdout == b""
    assert os.listdir(tmp_path) == ["a.xlf"]  # noqa: PTH208
    done = mtkit("translate", "a.xlf", "-o", "no/b.xlf", *model, cwd=tmp_path, check=2)
    assert len(done.stderr.splitlines()) == 1
