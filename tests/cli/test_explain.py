"""``mtkit explain``, ``encode`` and ``info``: explanations, vectors, descriptions."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from mtkit.text.corpus import Corpus
from tests.support.command import mtkit
from tests.support.corpora import beside_its_text


def test_explain_uses_the_newest_of_each_kind(project: Path) -> None:
    done = mtkit("explain", "The train is here.", "--html", "why.html", cwd=project)
    said = done.stderr.decode().splitlines()
    named = ["model: models/smt (en → de)", "model: models/nmt (en → de)"]
    assert said == [*named, f"report: {project}/why.html"]
    text = done.stdout.decode()
    assert text.startswith("The train is here.\n")
    assert text.index("models/smt, statistical: ") < text.index("models/nmt, neural: ")
    assert "Why did it say that?" in (project / "why.html").read_text("utf-8")
    options = ("explain", "Hello.", "--json", "-q", "--model", "models/nmt")
    done = mtkit(*options, cwd=project)
    [found] = json.loads(done.stdout)["systems"]
    assert (found["kind"], found["name"], done.stderr) == ("nmt", "models/nmt", b"")


@pytest.mark.parametrize("sentence", [" ", "x " * 201])
def test_blank_or_long_input_is_an_error(sentence: str, project: Path) -> None:
    done = mtkit("explain", "-q", sentence, cwd=project, check=2)
    assert len(done.stderr.decode().splitlines()) == 1
    assert done.stdout == b""


@pytest.fixture(scope="module")
def whole(project: Path, few: Corpus, nmt_directory: Path) -> Path:
    """A neural model whose training text is at the path in its manifest."""
    where = project / "whole"
    where.mkdir()
    return beside_its_text(nmt_directory, few, where)[0]


def test_encode_writes_vectors_and_prints_neighbours(
    project: Path, whole: Path, few: Corpus
) -> None:
    lines = [few.train.source[5], "", "Hello \x1b[1m."]
    text = "".join(f"{line}\n" for line in lines).encode()
    options = ("encode", "--model", whole, "--nearest", 2, "--pool", "max", "--out", "v")
    done = mtkit(*options, cwd=project, stdin=text)
    rows = [row.split("\t") for row in done.stdout.decode().splitlines()]
    assert [row[0] for row in rows] == ["1", "1", "3", "3"]  # none for the blank line
    assert rows[0][1:] == [str(few.train.source.index(lines[0]) + 1), "1.000000", lines[0]]
    assert all(few.train.source[int(row[1]) - 1] == row[3] for row in rows)
    assert done.stderr.decode() == "v: 3 vectors of 32\n"
    vectors = np.load(project / "v")
    assert (vectors.dtype, vectors.shape) == (np.float32, (3, 32))
    assert vectors[0].any()
    assert not vectors[1].any()
    assert mtkit("encode", "--model", whole, cwd=project, stdin=text).stdout.count(b"\n") == 6
    done = mtkit("encode", "--out", "v", cwd=project, stdin=text)
    assert done.stdout == b""
    assert re.match(r"model: models/nmt \(en → de\)\n", done.stderr.decode())
    assert not np.array_equal(np.load(project / "v"), vectors)  # mean, not max


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--model", "models/smt", "--out", "v"), "models/smt: a model of kind smt; only a neural"),
        ((), "differs from the text that models/nmt was trained on"),
        (("--out", "no/v"), "no/v: no such directory: no"),
    ],
)
def test_encode_errors_are_one_line(options: tuple[str, ...], message: str, project: Path) -> None:
    done = mtkit("encode", "-q", *options, cwd=project, stdin=b"Hello.\n", check=2)
    [line] = done.stderr.decode().splitlines()
    assert message in line
    assert done.stdout == b""


def test_info_names_a_bilingual_file_once(project: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(project / "models/smt", tmp_path / "smt"))
    manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    manifest["corpus"]["train"] = ["/x/a.tmx"] * 2
    (copy / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert mtkit("info", copy, cwd=tmp_path).stdout.count(b"a.tmx") == 1


def test_info_describes_a_model(project: Path) -> None:
    text = mtkit("info", "models/smt", cwd=project).stdout.decode()
    assert "statistical" in text
    assert "en → de" in text
    assert json.loads(mtkit("info", "models/nmt", "--json", cwd=project).stdout)["kind"] == "nmt"
