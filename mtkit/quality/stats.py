"""Statistics of a corpus, computed from the tokens that the translators see.

Type growth (Heaps' law): V types among the first N tokens, V = K N^β, fitted to the logarithms.
Ambiguity of a source word x: the entropy −Σ_y t(y|x) log₂ t(y|x) of IBM Model 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain, islice
from typing import NamedTuple

import numpy as np

from mtkit.quality.coverage import Unknown
from mtkit.smt.alignment.align import ALPHA, ITERATIONS
from mtkit.smt.alignment.ibm1 import ibm1
from mtkit.smt.alignment.places import Places
from mtkit.smt.flat import Flat, Int64
from mtkit.text.corpus import Corpus
from mtkit.text.tokenizer import JOINER, WordTokenizer
from mtkit.text.vocabulary import SPECIALS, Sentences, Vocabulary

POINTS = 12  # points of type growth
MIN_OCCURRENCES = 20  # occurrences that a word needs for a meaningful entropy
WORDS_LISTED = 15  # words that are listed
TRANSLATIONS = 5  # translations listed per word
SAMPLE = 100_000  # pairs that Model 1 learns from, at most


class Text(NamedTuple):
    """One side of a split. once: types seen once. quartiles: of sentence lengths in tokens."""

    split: str
    language: str
    sentences: int
    tokens: int
    types: int
    once: int
    characters: int
    quartiles: tuple[float, float, float]
    longest: int
    longest_line: int  # from 1


class Growth(NamedTuple):
    """Type growth of the training text. points: (N, V). K, beta: the fit, NaN below two points."""

    language: str
    points: tuple[tuple[int, int], ...]
    K: float
    beta: float


class Ambiguous(NamedTuple):
    """A source word, its count, its entropy in bits, and its most probable translations."""

    word: str
    occurrences: int
    entropy: float
    translations: tuple[tuple[str, float], ...]


class Stats(NamedTuple):
    """All statistics. sampled: the number of pairs that ambiguity was learnt from."""

    texts: list[Text]
    unknown: list[Unknown]
    growth: list[Growth]
    ambiguous: list[Ambiguous]
    sampled: int


def statistics(corpus: Corpus, tokenizer: WordTokenizer) -> Stats:
    """Compute the statistics of every split; dev and test are compared with the training text."""
    texts: list[Text] = []
    unseen: list[Unknown] = []
    growth: list[Growth] = []
    train = corpus.train.tokens(tokenizer)
    train_words = [set(chain.from_iterable(side)) for side in train]
    for name, split in (("train", corpus.train), ("dev", corpus.dev), ("test", corpus.test)):
        if split is None:
            continue
        sides = train if split is corpus.train else split.tokens(tokenizer)
        raw = split.source, split.target
        for k, (tokens, lines) in enumerate(zip(sides, raw, strict=True)):
            texts.append(describe(name, corpus.pair[k], tokens, lines))
            if name == "train":
                growth.append(type_growth(corpus.pair[k], tokens))
            else:
                unseen.append(_unknown(name, corpus.pair[k], tokens, train_words[k]))
    step = len(corpus.train) // SAMPLE + 1
    source, target = (side[::step] for side in train)
    return Stats(texts, unseen, growth, ambiguity(source, target), len(source))


def describe(split: str, language: str, tokens: Sentences, lines: Sequence[str]) -> Text:
    """Return the statistics of one side, which must have a sentence."""
    lengths = np.fromiter(map(len, tokens), np.int64, len(tokens))
    counts = Counter(chain.from_iterable(tokens))
    low, middle, high = np.quantile(lengths, [0.25, 0.5, 0.75]).tolist()
    longest = int(lengths.argmax())
    return Text(
        split, language, len(tokens), int(lengths.sum()), len(counts),
        sum(count == 1 for count in counts.values()), sum(map(len, lines)), (low, middle, high),
        int(lengths[longest]), longest + 1,
    )  # fmt: skip


def type_growth(language: str, tokens: Sentences) -> Growth:
    """Return how the number of types grows with the tokens, in the order of the text."""
    first_at: dict[str, int] = {}
    total = 0
    for word in chain.from_iterable(tokens):
        first_at.setdefault(word, total)
        total += 1
    first = np.sort(np.fromiter(first_at.values(), np.int64, len(first_at)))
    sizes = np.unique(np.geomspace(min(100, max(1, total)), max(1, total), POINTS).round())
    points = tuple((int(n), int(np.searchsorted(first, n))) for n in sizes)
    if len(points) < 2:
        return Growth(language, points, float("nan"), float("nan"))
    n, v = np.log(np.array(points, float)).T
    beta, log_k = np.polyfit(n, v, 1)
    return Growth(language, points, float(np.exp(log_k)), float(beta))


def _unknown(split: str, language: str, tokens: Sentences, train_words: set[str]) -> Unknown:
    counts = Counter(chain.from_iterable(tokens))
    unknown = [count for word, count in counts.items() if word not in train_words]
    return Unknown(split, language, counts.total(), sum(unknown), len(counts), len(unknown))


def ambiguity(source: Sentences, target: Sentences) -> list[Ambiguous]:
    """Return the source words of highest entropy that occur ``MIN_OCCURRENCES`` times or more."""
    words = Vocabulary.build(source), Vocabulary.build(target)
    e, f = Flat.of(source, words[0].encode), Flat.of(target, words[1].encode)
    if not len(e.words) or not len(f.words):
        return []
    places = Places.of(e, f, len(words[0]), len(words[1]))
    *_, (t, _) = islice(ibm1(places, ALPHA), ITERATIONS)
    counts = np.bincount(e.words, minlength=len(words[0]))
    candidates = [
        _entropy(places, t, word, words, counts)
        for word in range(len(SPECIALS), len(words[0]))
        if counts[word] >= MIN_OCCURRENCES and words[0].words[word].strip(JOINER)[:1].isalpha()
    ]
    return sorted(candidates, key=lambda a: (-a.entropy, a.word))[:WORDS_LISTED]


def _entropy(
    places: Places, t: np.ndarray, word: int, words: tuple[Vocabulary, Vocabulary], counts: Int64
) -> Ambiguous:
    row = slice(places.row[word], places.row[word + 1])
    p, column = t[row] / t[row].sum(), places.column[row]
    positive = p[p > 0]
    best = np.lexsort((column, -p))[:TRANSLATIONS]
    translations = tuple((words[1].words[column[k]], float(p[k])) for k in best)
    entropy = float(-(positive * np.log2(positive)).sum())
    return Ambiguous(words[0].words[word], int(counts[word]), entropy, translations)
