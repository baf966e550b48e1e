from __future__ import annotations

import os

os.environ.setdefault("GOMP_SPINCOUNT", "2000")  # before torch is there; see mtkit.cli.main

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtkit.console import console
from mtkit.text.corpus import Bitext, Corpus, open_corpus


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Progress is for people; the tests of what it says ask for it."""
    console.quiet, before = True, console.quiet
    yield
    console.quiet = before


def first(text: Bitext, n: int) -> Bitext:
    return Bitext(text.source[:n], text.target[:n], text.paths)


def beside_its_text(directory: Path, corpus: Corpus, where: Path) -> tuple[Path, tuple[Path, Path]]:
    """A copy of a model whose manifest names files of its own training text, and these files."""
    copy = shutil.copytree(directory, where / directory.name)
    paths = where / "train.en", where / "train.de"
    for path, lines in zip(paths, (corpus.train.source, corpus.train.target), strict=True):
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    manifest = (copy / "manifest.json").read_text("utf-8")
    for old, new in zip(corpus.train.paths, paths, strict=True):
        manifest = manifest.replace(str(old.resolve()), str(new))
    (copy / "manifest.json").write_text(manifest, encoding="utf-8")
    return copy, paths


@pytest.fixture(scope="session")
def few() -> Corpus:
    """The first pairs of the embedded corpus."""
    corpus = open_corpus()
    assert corpus.dev is not None
    assert corpus.test is not None
    return Corpus(
        "few", corpus.pair, first(corpus.train, 400), first(corpus.dev, 30), first(corpus.test, 30)
    )


@pytest.fixture(scope="session")
def smt_directory(few: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A statistical model of ``few``."""
    from mtkit.smt.system import DEFAULT_WEIGHTS
    from mtkit.smt.train import TrainConfig, train_smt
    from mtkit.text.tokenizer import WordTokenizer

    out = tmp_path_factory.mktemp("models") / "smt"
    train_smt(few, WordTokenizer(), TrainConfig(tune="none"), DEFAULT_WEIGHTS, out)
    return out


@pytest.fixture(scope="session")
def nmt_directory(few: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A neural model of ``few``, barely trained."""
    from mtkit.nmt.recipe import TrainConfig
    from mtkit.nmt.training.build import train_nmt
    from mtkit.text.tokenizer import WordTokenizer

    out = tmp_path_factory.mktemp("models") / "nmt"
    config = TrainConfig(embedding=32, hidden=32, updates=60, validations=2, learning_rate=5e-3)
    train_nmt(few, WordTokenizer(), config, out)
    return out
