"""Default directories of models; models of another corpus there are kept."""

from __future__ import annotations

import json
import os
import pty
from pathlib import Path

import pytest

from mtkit.text.corpus import Corpus
from tests.support.command import Terminal, mtkit, start

QUICK = ("--aligner", "ibm1", "--order", "2", "--tune", "none")
TINY = ("--preset", "quick", "--updates", "2")
MINE = ("--train", "mine.en", "mine.de")
LOST = "models/smt-en-de holds a model trained on train.en (400 pairs)"


def content(directory: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in directory.rglob("*") if p.is_file()}


@pytest.fixture
def where(few: Corpus, tmp_path: Path) -> Path:
    """A directory with a model in its default directory, and two corpora: train and mine."""
    for name, size in (("train", 400), ("mine", 50)):
        for language, lines in (("en", few.train.source), ("de", few.train.target)):
            text = "\n".join(lines[:size]) + "\n"
            (tmp_path / f"{name}.{language}").write_text(text, encoding="utf-8")
    said = mtkit("train-smt", "--train", "train.en", "train.de", *QUICK, cwd=tmp_path)
    assert said.stderr.endswith(b"model: models/smt-en-de\n")
    return tmp_path


def test_replacing_a_model_of_another_corpus_needs_force(where: Path) -> None:
    place = where / "models/smt-en-de"
    before = content(place)
    done = mtkit("train-smt", *MINE, *QUICK, cwd=where, check=2)
    assert done.stderr.decode() == (
        f"mtkit: {LOST}; add --force to replace it, or name another directory with --out\n"
    )
    assert content(place) == before
    assert [path.name for path in (where / "models").iterdir()] == ["smt-en-de"]
    again = ("train-smt", "--train", "train.en", "train.de", *QUICK, "--prune", "0 1")
    said = mtkit(*again, cwd=where).stderr
    assert content(place) != before
    assert b"models/smt-en-de: replacing the model of the same corpus there\n" in said
    mtkit("train-smt", *MINE, *QUICK, "--force", cwd=where)
    assert json.loads((place / "manifest.json").read_text("utf-8"))["corpus"]["sentences"] == 50


def test_neural_models_are_numbered_and_kept(where: Path, tiny: None) -> None:
    said = mtkit("train-nmt", *MINE, *TINY, "--seeds", 2, cwd=where).stderr
    assert b"model: models/nmt-en-de-1\nmodel: models/nmt-en-de-2\n" in said
    before = content(where / "models/nmt-en-de-1")
    other = ("train-nmt", "--train", "train.en", "train.de", *TINY, "--seeds", 2)
    for resume in ((), ("--resume",)):
        done = mtkit(*other, *resume, cwd=where, check=2)
        assert (
            b"nmt-en-de-1 holds a model trained on mine.en (50 pairs), models/nmt-en-de-2"
            in done.stderr
        )
    assert content(where / "models/nmt-en-de-1") == before
    mtkit("train-nmt", *MINE, *TINY, "--seeds", 2, "--resume", cwd=where)
    assert content(where / "models/nmt-en-de-1") == before


def test_an_existing_out_is_refused_before_reading(where: Path) -> None:
    for command in ("train-smt", "train-nmt"):
        options = ("--train", "none.en", "none.de", "--out", "models/smt-en-de")
        done = mtkit(command, *options, cwd=where, check=2)
        assert b"models/smt-en-de exists; name another --out, or add --force" in done.stderr


@pytest.mark.parametrize("answer", ["n\n", "\n", "y\n"])
def test_replacement_asks_on_a_terminal(answer: str, where: Path) -> None:
    place = where / "models/smt-en-de"
    before = content(place)
    terminal, far = pty.openpty()
    process = start("train-smt", *MINE, *QUICK, "--quiet", cwd=where, stdin=far, stderr=far)
    os.close(far)
    said = b""
    while not said.endswith(b"? [y/N] "):
        said += os.read(terminal, 1000)
    assert said.decode() == f"{LOST}; replace it? [y/N] "
    assert content(place) == before
    os.write(terminal, answer.encode())
    out, _ = process.communicate()
    assert out == b""
    if answer == "y\n":
        assert process.returncode == 0
        assert json.loads((place / "manifest.json").read_text("utf-8"))["corpus"]["sentences"] == 50
    else:
        assert process.returncode == 1
        assert content(place) == before
        assert b"mtkit: nothing was replaced; choose another" in os.read(terminal, 1000)
    os.close(terminal)


def test_it_does_not_ask_without_a_terminal_or_in_several_processes(
    where: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = ("train-smt", *MINE, *QUICK)
    done = mtkit(*call, cwd=where, stdin=Terminal(b"y\n"), check=2)
    assert f"mtkit: {LOST}; add --force to replace it" in " ".join(done.stderr.decode().split())
    done = mtkit(*call, cwd=where, stdin=b"y\n", stderr=Terminal(), check=2)
    assert f"mtkit: {LOST}; add --force to replace it" in " ".join(done.stderr.decode().split())
    monkeypatch.setenv("WORLD_SIZE", "2")
    done = mtkit(*call, cwd=where, stdin=Terminal(b"y\n"), stderr=Terminal(), check=2)
    assert f"mtkit: {LOST}; add --force to replace it" in " ".join(done.stderr.decode().split())
