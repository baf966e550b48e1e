"""The lexicon in context of an integer text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from mtkit.smt.alignment.symmetrize import Links
from mtkit.smt.flat import Flat
from mtkit.smt.phrases.context import Lexicon
from mtkit.smt.phrases.context_train import build
from mtkit.storage.arrays import save
from mtkit.storage.stages import Outputs, Stages
from mtkit.text.shards import SIDES, Shards

# For each sentence pair: source ids, target ids, and linked (source, target) positions.
Bitext = tuple[list[list[int]], list[list[int]], list[list[tuple[int, int]]]]


def write(place: Path, bitext: Bitext, words: int, shards: int) -> tuple[Shards, Outputs]:
    """Write a text of ``words`` ids per side and the links of each shard; return both."""
    *sides, links = bitext
    for name, sentences in zip(SIDES, sides, strict=True):
        flat = Flat.of(sentences)
        (place / name).mkdir(parents=True)
        save(place / name, words=flat.words, begin=flat.begin)
    ends = np.linspace(0, len(links), shards + 1).astype(int).tolist()
    outputs = Outputs(place / "links", shards)
    for out, (first, last) in zip(outputs, pairwise(ends), strict=True):
        out.mkdir(parents=True)
        flat_links(links[first:last]).save(out)
    tokens = (sum(map(len, sides[0])), sum(map(len, sides[1])))
    return Shards(place, tuple(ends), (words, words), tokens), outputs


def flat_links(links: Sequence[Sequence[tuple[int, int]]]) -> Links:
    pairs = np.array([pair for s in links for pair in sorted(s)], np.int32).reshape(-1, 2)
    begin = np.cumsum([0, *map(len, links)])
    return Links(pairs[:, 0].copy(), pairs[:, 1].copy(), begin)


def random_bitext(seed: int, words: int = 12, pairs: int = 60) -> Bitext:
    rng = np.random.default_rng(seed)
    source = [rng.integers(4, words, rng.integers(1, 8)).tolist() for _ in range(pairs)]
    target = [rng.integers(4, words, rng.integers(1, 8)).tolist() for _ in range(pairs)]
    links = [
        sorted({(int(rng.integers(len(x))), int(rng.integers(len(y)))) for _ in range(4)})
        for x, y in zip(source, target, strict=True)
    ]
    return source, target, links


def learn(
    place: Path, bitext: Bitext, words: int = 12, shards: int = 3, workers: int = 1,
    memory: int = 1 << 30,
) -> Lexicon:  # fmt: skip
    """Return the lexicon of a text; its files are in the new directory ``place``."""
    text, links = write(place / "text", bitext, words, shards)
    build(text, links, Stages(place / "stages", workers, memory), place / "lexicon")
    return Lexicon.load(place / "lexicon", words, words)
