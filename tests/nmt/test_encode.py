"""Sentence vectors against a plain loop over the states of each single sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mtkit.nmt import encode
from mtkit.nmt.encode import POOLS, encode_sentences, nearest
from mtkit.nmt.system import NmtSystem
from mtkit.text.corpus import Corpus
from mtkit.text.vocabulary import EOS

SENTENCES = ["Where is the train?", "", "Hello.", "The train is here.", "Hello!", " ", "xqz ☃"]


@pytest.fixture(scope="module")
def system(nmt_directory: Path) -> NmtSystem:
    return NmtSystem.load(nmt_directory)


@torch.inference_mode()
def by_loop(system: NmtSystem, sentence: str, pool: str) -> list[float]:
    [model] = system.models
    [encoded] = system.subwords.encode(system.tokenize([sentence]))
    states = model.encode(torch.tensor([[*encoded.ids, EOS]])).H[0].tolist()
    half = len(states[0]) // 2
    if pool == "last":
        return states[-1][:half] + states[0][half:]
    columns = [[state[d] for state in states] for d in range(2 * half)]
    return [max(c) if pool == "max" else sum(c) / len(c) for c in columns]


@pytest.mark.parametrize("pool", POOLS)
def test_vectors_are_those_of_a_plain_loop(pool: str, system: NmtSystem) -> None:
    vectors = encode_sentences(system, SENTENCES, pool)
    assert (vectors.dtype, vectors.shape) == (np.float32, (7, 32))
    for sentence, vector in zip(SENTENCES, vectors, strict=True):
        expected = by_loop(system, sentence, pool) if sentence.strip() else np.zeros(32)
        np.testing.assert_allclose(vector, expected, rtol=0, atol=1e-6)
    assert encode_sentences(system, [], pool).shape == (0, 32)


@pytest.mark.parametrize("pool", POOLS)
def test_a_training_sentence_is_its_own_nearest_neighbour(
    pool: str, system: NmtSystem, few: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encode, "CHUNK", 70)
    known = list(dict.fromkeys(few.train.source))
    asked = known[::29]
    at, cosine = nearest(system, asked, known, 3, pool)
    assert [known[i] for i in at[:, 0]] == asked
    np.testing.assert_allclose(cosine[:, 0], 1, atol=1e-5)
    x, y = (encode_sentences(system, s, pool).astype(float) for s in (asked, known))
    every = x @ y.T / np.outer(np.sqrt((x * x).sum(1)), np.sqrt((y * y).sum(1)))
    np.testing.assert_allclose(cosine, -np.sort(-every, 1)[:, :3], atol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(every, at, 1), cosine, atol=1e-5)


def test_nearest_with_few_or_blank_sentences(system: NmtSystem) -> None:
    at, cosine = nearest(system, ["Hello.", ""], ["Hello.", "Hello."], 5)
    assert at.tolist() == [[0, 1], [0, 1]]  # ties keep their order
    np.testing.assert_allclose(cosine, [[1, 1], [0, 0]], atol=1e-6)
    assert nearest(system, ["Hello."], [], 5)[0].shape == (1, 0)
