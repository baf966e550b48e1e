"""Make a corpus directory from a grammar: training, dev and test text with tags, and a suite."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtkit.errors import InputError
from mtkit.grammar.expand import Grammar, Pair
from mtkit.grammar.suite import Contrast, suite, write_suite
from mtkit.text.catalog import SPLITS
from mtkit.text.corpus import DEFAULT_PAIR

SUITE = "suite.tsv"
TRIES = 100  # draws in a row without a new pair before the grammar counts as exhausted


@dataclass(frozen=True)
class Text:
    """The pairs of each split, and the contrastive items."""

    splits: dict[str, list[Pair]]
    suite: list[Contrast]


def parse_distances(text: str) -> range:
    """Return the distances of ``0-20`` (0 to 20) or ``7`` (7 alone); InputError for other texts."""
    match = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", text, re.ASCII)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
    if last < first:
        raise InputError(f"--distance {text}: expected MIN-MAX words, as in 0-20")
    return range(first, last + 1)


def make(
    grammar: Grammar, pairs: int, distances: Sequence[int], seed: int, items: int = 5000
) -> Text:
    """Draw ``pairs`` sentence pairs in all, and a suite of about ``items`` items.

    Dev and test get a tenth each, at most 1,000 pairs; each split is spread evenly over the
    distances. No sentence occurs twice, on either side, and none is in an item of the suite. Raises
    InputError for fewer than 10 pairs, or if the grammar has too few different sentences.
    """
    if pairs < 10:
        raise InputError(f"--pairs {pairs}: expected at least 10; dev and test are a tenth each")
    held_out = min(1000, pairs // 10)
    contrasts = suite(grammar, seed, items, distances)
    used = {s for item in contrasts for s in (item.source, item.right, item.wrong)}
    rng = np.random.default_rng([seed, 1])  # independent of the draws for the suite
    sizes = zip(SPLITS, (pairs - 2 * held_out, held_out, held_out), strict=True)
    splits = {split: list(_new_pairs(grammar, rng, n, distances, used)) for split, n in sizes}
    return Text(splits, contrasts)


def _new_pairs(
    grammar: Grammar, rng: np.random.Generator, size: int, distances: Sequence[int], used: set[str]
) -> Iterator[Pair]:
    """Yield ``size`` pairs that are not ``used`` and add them; distances are in random order."""
    for number in rng.permutation(size):
        distance = distances[number % len(distances)]
        for _ in range(TRIES):
            pair = grammar.sentence(rng, distance)
            if not used & {pair.source, pair.target}:
                break
        else:
            raise InputError(
                f"the grammar has too few different sentences at distance {distance}; "
                "lower --pairs, or widen --distance"
            )
        used |= {pair.source, pair.target}
        yield pair


def write(text: Text, directory: Path) -> None:
    """Write the texts, ``SPLIT.tags.tsv`` (a header, then one line per pair) and ``suite.tsv``."""
    source, target = DEFAULT_PAIR
    for split, pairs in text.splits.items():
        sides = {source: [pair.source for pair in pairs], target: [pair.target for pair in pairs]}
        tags = ["phenomenon\tdistance", *(f"{pair.phenomenon}\t{pair.distance}" for pair in pairs)]
        for ending, lines in {**sides, "tags.tsv": tags}.items():
            content = "".join(f"{line}\n" for line in lines)
            (directory / f"{split}.{ending}").write_text(content, encoding="utf-8", newline="")
    write_suite(text.suite, directory / SUITE)
