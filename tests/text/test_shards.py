"""Text as integers on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mtkit.errors import InputError
from mtkit.text import shards
from mtkit.text.vocabulary import SPECIALS, UNK, Vocabulary

PAIRS = [(["a", "b"], ["x"]), (["b", "<s>", "c"], ["y", "x"]), (["a"], ["z", "z"])]


def test_shards_store_the_encoded_text(tmp_path: Path) -> None:
    shards.write(tmp_path, iter(PAIRS))
    text = shards.read(tmp_path)
    assert (text.pairs, len(text), text.tokens) == (3, 1, (6, 5))
    for k, name in enumerate(shards.SIDES):
        vocabulary, side = text.vocabulary(name), text.side(name, 0)
        expected = Vocabulary.build([pair[k] for pair in PAIRS])
        assert vocabulary.words == expected.words
        assert text.sizes[k] == len(expected)
        ids = [expected.encode(pair[k]) for pair in PAIRS]
        assert side.words.tolist() == [i for sentence in ids for i in sentence]
        assert np.diff(side.begin).tolist() == list(map(len, ids))
    assert UNK in text.side("source", 0).words
    assert text.sizes == (3 + len(SPECIALS), 3 + len(SPECIALS))


def test_shards_are_parts_of_about_equal_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "BLOCK", 100)  # written in many blocks
    monkeypatch.setattr(shards, "SHARD_WORDS", 30_000)
    pairs = [(["a"] * (1 + n % 9), ["b"] * 3) for n in range(20_000)]
    shards.write(tmp_path, pairs)
    text = shards.read(tmp_path)
    assert len(text) == -(-sum(text.tokens) // 30_000)
    sides = [[text.side(name, k) for k in range(len(text))] for name in shards.SIDES]
    words = [len(x.words) + len(y.words) for x, y in zip(*sides, strict=True)]
    assert max(words) - min(words) < 40
    for parts in sides:
        assert [part.offset for part in parts] == np.cumsum([0, *(len(p.words) for p in parts)])[
            :-1
        ].tolist()


def test_long_sentences_make_more_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What tasks hold in memory grows with the product of both lengths."""
    monkeypatch.setattr(shards, "SHARD_WORDS", 30_000)
    monkeypatch.setattr(shards, "SHARD_PLACES", 300_000)
    text = shards.write(tmp_path, [(["a"] * 99, ["b"] * 99)] * 100 + [(["a"], ["b"])] * 100)
    assert sum(text.tokens) < 30_000
    assert text.begin == (0, 26, 51, 76, 200)  # 26 · 100² < 300,000


def test_positions_must_fit_int32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "MAX_WORDS", 9)
    shards.write(tmp_path, [(["a"], ["b"])] * 9)
    with pytest.raises(InputError, match=r"more than 9 words on a side; train on a part"):
        shards.write(tmp_path, [(["a"], ["b"] * 2)] * 5)
