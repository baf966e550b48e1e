"""Parallel text as integers on disk, cut into shards.

    source/words.npy    int32 (N,)      the ids of all source words, concatenated
    source/begin.npy    int64 (S + 1,)  sentence s is words[begin[s] : begin[s + 1]]
    source.json         the words by id; the target has the same three files
    shards.json         the other fields of ``Shards``

Shard k is the sentence pairs ``begin[k] : begin[k + 1]``. The number of shards depends on the text
alone. Each has about ``SHARD_WORDS`` words or ``SHARD_PLACES`` places at most, so that what is
computed from it fits in memory. A small text is one shard. A *place* is a pair of positions of a
sentence pair, the empty words included: I source and J target words have (I + 1)(J + 1).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain, count, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtkit.errors import InputError
from mtkit.storage.arrays import ArrayFile, load, mapped
from mtkit.storage.stages import Stages
from mtkit.text.corpus import Bitext
from mtkit.text.tokenizer import WordTokenizer
from mtkit.text.vocabulary import SPECIALS, UNK, Vocabulary

SIDES = ("source", "target")
SHARD_WORDS = 1 << 20  # words of both sides in a shard
SHARD_PLACES = 1 << 24  # reached before the words if sentences have more than 30 words
BLOCK = 1 << 20  # words of both sides that are written together
MAX_WORDS = (1 << 31) - 1  # on a side: positions are int32


class Side(NamedTuple):
    """One side of a shard of S sentences."""

    words: NDArray[np.int32]  # (N,)
    begin: NDArray[np.int64]  # (S + 1,) from 0
    offset: int  # index of words[0] in the whole text


@dataclass(frozen=True)
class Shards:
    """A text on disk; this object is small and can be sent to other processes."""

    directory: Path
    begin: tuple[int, ...]  # sentence pairs; see the head of the module
    sizes: tuple[int, int]  # number of ids, source and target
    tokens: tuple[int, int]  # number of words, source and target

    def __len__(self) -> int:
        """The number of shards."""
        return len(self.begin) - 1

    @property
    def pairs(self) -> int:
        """The number of sentence pairs."""
        return self.begin[-1]

    def side(self, name: str, k: int) -> Side:
        """Read the side ``name``, one of ``SIDES``, of shard ``k``."""
        path = self.directory / name
        begin = load(path / "begin.npy", self.begin[k], self.begin[k + 1] + 1)
        words = load(path / "words.npy", int(begin[0]), int(begin[-1]))
        return Side(words, begin - begin[0], int(begin[0]))

    def mapped(self, name: str) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return words, int32 (N,), and begins, int64 (S + 1,), of a whole side, memory-mapped."""
        words, begin = (
            np.asarray(mapped(self.directory / name / f"{array}.npy"))
            for array in ("words", "begin")
        )
        return words, begin

    def vocabulary(self, name: str) -> Vocabulary:
        """Return the vocabulary of one of ``SIDES``."""
        return Vocabulary.load(self.directory / f"{name}.json")


@dataclass(frozen=True)
class Sentences:
    """The words of all source, then all target sentences; every iteration reads them again."""

    text: Shards

    def __iter__(self) -> Iterator[list[str]]:
        for name in SIDES:
            words = self.text.vocabulary(name).words
            for k in range(len(self.text)):
                side = self.text.side(name, k)
                tokens = [words[i] for i in side.words.tolist()]
                yield from (tokens[a:b] for a, b in pairwise(side.begin.tolist()))


def write(directory: Path, pairs: Iterable[tuple[Sequence[str], Sequence[str]]]) -> Shards:
    """Write tokenised sentence pairs, in one pass; words are numbered by first appearance.

    Raises InputError for more than ``MAX_WORDS`` words on a side.
    """
    ids = [_word_ids() for _ in SIDES]
    with ExitStack() as stack:
        files = []
        for side in SIDES:
            path = directory / side
            path.mkdir(parents=True, exist_ok=True)
            words = stack.enter_context(ArrayFile(path / "words.npy", np.int32))
            begin = stack.enter_context(ArrayFile(path / "begin.npy", np.int64))
            begin.append(np.zeros(1, np.int64))
            files.append((words, begin))
        for block in _blocks(pairs):
            for (words, begin), id_of, sentences in zip(
                files, ids, zip(*block, strict=True), strict=True
            ):
                begin.append(words.length + np.cumsum(np.fromiter(map(len, sentences), np.int64)))
                numbers = map(id_of.__getitem__, chain.from_iterable(sentences))
                words.append(np.fromiter(numbers, np.int32))
                if words.length > MAX_WORDS:
                    raise InputError(
                        f"the training text has more than {MAX_WORDS:,} words on a side; train on "
                        "a part of it"
                    )
    for side, id_of in zip(SIDES, ids, strict=True):
        Vocabulary(list(id_of)[len(SPECIALS) :]).save(directory / f"{side}.json")
    text = _cut(directory, (len(ids[0]), len(ids[1])))
    saved = {"begin": text.begin, "sizes": text.sizes, "tokens": text.tokens}
    (directory / "shards.json").write_text(json.dumps(saved), encoding="utf-8")
    return text


def read(directory: Path) -> Shards:
    """Read what ``write`` wrote; the directory may have been moved since."""
    saved = json.loads((directory / "shards.json").read_text(encoding="utf-8"))
    return Shards(directory, *(tuple(saved[name]) for name in ("begin", "sizes", "tokens")))


def write_tokenized(text: Bitext, tokenizer: WordTokenizer, stages: Stages) -> Shards:
    """Tokenise a text and write it as shards, in a stage of its own."""
    sides = (map(tokenizer.tokenize, side) for side in (text.source, text.target))
    return read(stages.once("text", lambda into: write(into, zip(*sides, strict=True))))


def _blocks(
    pairs: Iterable[tuple[Sequence[str], Sequence[str]]],
) -> Iterator[list[tuple[Sequence[str], Sequence[str]]]]:
    """Yield the pairs in lists of about ``BLOCK`` words."""
    block, words = list[tuple[Sequence[str], Sequence[str]]](), 0
    for pair in pairs:
        block.append(pair)
        words += len(pair[0]) + len(pair[1])
        if words >= BLOCK:
            yield block
            block, words = [], 0
    if block:
        yield block


def _word_ids() -> defaultdict[str, int]:
    """Return ids by word: a new word gets the next id, one spelled like a special symbol UNK."""
    specials = dict.fromkeys(SPECIALS, UNK)
    return defaultdict(count(len(SPECIALS)).__next__, specials)


def _cut(directory: Path, sizes: tuple[int, int]) -> Shards:
    """Cut the text in ``directory`` into shards of about equal size."""
    begins = [mapped(directory / side / "begin.npy") for side in SIDES]
    source, target = map(np.diff, begins)
    places = (source + 1) * (target + 1)
    # A shard has size SHARD_WORDS · SHARD_PLACES, so that both limits are whole numbers.
    size = np.maximum((source + target) * SHARD_PLACES, places * SHARD_WORDS)
    ends = np.append(0, np.cumsum(size))
    shards = max(1, -(-int(ends[-1]) // (SHARD_WORDS * SHARD_PLACES)))
    borders = np.searchsorted(ends, np.linspace(0, ends[-1], shards + 1)[1:-1])
    begin = sorted({0, *borders.tolist(), len(size)})
    return Shards(directory, tuple(begin), sizes, (int(begins[0][-1]), int(begins[1][-1])))
