from __future__ import annotations

import json
import os
import signal

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started by a shell in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # child processes are interrupted

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from mtkit.console import console
from mtkit.text.corpus import Corpus, open_corpus
from tests.support.corpora import first

if os.environ.get("NUMBA_DISABLE_JIT"):
    from tests.support.plain import give_rows_attributes

    give_rows_attributes()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests of a statistical model: uncompiled, they take minutes."""
    for item in items:
        if "smt_directory" in getattr(item, "fixturenames", ()):
            item.add_marker("compiled")


settings.register_profile("any-machine", deadline=None)
settings.load_profile("any-machine")
os.fsync = lambda _: None  # type: ignore[assignment,misc]  # no test survives a power failure


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Switch progress messages off, except where tests check them."""
    console.quiet, before = True, console.quiet
    yield
    console.quiet = before


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
    from mtkit.smt.train import TrainConfig, train_smt
    from mtkit.text.tokenizer import WordTokenizer

    out = tmp_path_factory.mktemp("models") / "smt"
    train_smt(few, WordTokenizer(), TrainConfig(tune="none"), "default", out)
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


@pytest.fixture(scope="session")
def combination_directory(
    few: Corpus, smt_directory: Path, nmt_directory: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:  # fmt: skip
    """A combination of both, where the weights use each."""
    from mtkit.combination.combine import combine
    from mtkit.combination.system import WEIGHTS

    assert few.dev is not None
    out = tmp_path_factory.mktemp("models") / "combined"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mtkit.combination.tune.MAX_EPOCHS", 5)  # its weights are replaced below
        combine({"smt": (smt_directory,), "nmt": (nmt_directory,)}, few.dev, out)
    smt = {"model": 0.3, "unreached": -2.0, "agreement": 8.0}
    nmt = {"model": 1.0, "direct": 0.1, "agreement": 4.0}
    weights = {"smt": smt, "nmt": nmt, "all": {"words": 0.2}}
    (out / WEIGHTS).write_text(json.dumps(weights), encoding="utf-8")
    return out


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the preset quick a tiny network, see ``tests.support.tiny``."""
    from mtkit.nmt.recipe import PRESETS
    from tests.support.tiny import TINY

    monkeypatch.setitem(PRESETS, "quick", TINY)


@pytest.fixture
def dying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Return a function that lets workers die and notes each in a directory."""

    def begin(stages: str) -> Path:
        from tests.support.dying import DEATHS, STAGES, do

        deaths = tmp_path / "deaths"
        deaths.mkdir()
        monkeypatch.setenv(DEATHS, str(deaths))
        monkeypatch.setenv(STAGES, stages)
        monkeypatch.setattr("mtkit.cluster._run_job", do)
        return deaths

    return begin
