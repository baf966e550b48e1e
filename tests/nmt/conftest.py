from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mtkit.corpus import Corpus, open_corpus
from mtkit.nmt.system import train_nmt
from mtkit.nmt.train import TrainConfig
from mtkit.tokenizer import WordTokenizer
from tests.conftest import first

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def everyday() -> Corpus:
    """The first 300 pairs of the embedded corpus to train on, 40 to validate on."""
    corpus = open_corpus()
    assert corpus.dev is not None
    return Corpus("tiny", corpus.pair, first(corpus.train, 300), first(corpus.dev, 40), None)


@pytest.fixture(scope="session")
def tiny_directory(everyday: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model after 30 updates: it knows little, but what it promises must hold all the same."""
    out = tmp_path_factory.mktemp("models") / "tiny"
    config = TrainConfig(
        embedding=24, hidden=24, batch=32, learning_rate=0.01, warmup=5, updates=30, validations=3
    )
    train_nmt(everyday, WordTokenizer(), config, out)
    return out
