"""Small random models for the search: every span of the sentence 4 5 6 … is a distinct phrase."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mtkit.smt.flat import read_only
from mtkit.smt.language_model import estimate, ngrams
from mtkit.smt.language_model.ngrams import LM_EOS
from mtkit.smt.phrases.context import Lexicon
from mtkit.smt.phrases.extract import MAX_PHRASE
from mtkit.smt.phrases.table import PhraseTable
from mtkit.smt.search.decoder import Limits, search
from mtkit.smt.search.features import PHRASES, PREVIOUS
from mtkit.smt.search.hypothesis import Records
from mtkit.smt.search.nbest import NBest, n_best
from mtkit.smt.search.options import Model, Options, Sentence, collect
from mtkit.text.vocabulary import FIRST_WORD
from tests.support.kernels import hash_phrase, lm_step
from tests.support.plain import PLAIN, in_double

WORDS = ["a", "b", "c", "d"]
UNPRUNED = Limits(100_000, 100_000, -1)
SIX = (0.9, 0.4, 0.6, 0.8, 0.5, 0.7)
NO_LEXICON = Lexicon.empty(1000)
NOTHING: dict[int, int] = {}
Match = tuple[int, int, list[tuple[int, ...]]]  # start, end, translations
Choice = tuple[float, tuple[int, ...], tuple[float, ...]]  # score, words, ln P of six orientations


class Case(NamedTuple):
    N: int
    choices: dict[tuple[int, int], list[Choice]]
    lm_model: ngrams.NgramModel
    λ: np.ndarray
    model: Model
    options: Options

    def search(self, limits: Limits) -> Records:
        return search(self.N, self.options, self.model, self.λ, limits)

    def n_best(self, graph: Records, k: int, distinct: bool = False) -> NBest:
        return n_best(graph, self.options, self.model, k, distinct)

    @property
    def table(self) -> PhraseTable:
        return self.model.table

    def lm(self, words: tuple[int, ...]) -> float:
        state, value = self.model.begin, 0.0
        for w in (*words, LM_EOS):
            log_p, state = lm_step(self.model.lm, state, w)
            value += log_p
        return value

    def for_oracle(self, score: float, words: tuple[int, ...], six: tuple[float, ...]) -> tuple:
        """Return a choice with its orientation scores: to the previous phrase, to the next."""
        weighted = [w * p for w, p in zip(self.λ[PREVIOUS:PHRASES].tolist(), six, strict=True)]
        return score, words, tuple(weighted[:3]), tuple(weighted[3:])


def asked(
    words: np.ndarray,
    copied: np.ndarray,
    given: tuple[int, ...] = (),
    matches: Sequence[Match] = (),
    verbatim: dict[int, int] = NOTHING,
) -> Sentence:
    """Return a sentence; given: forced translation; verbatim: position → target id."""
    kept = np.array([verbatim.get(i, -1) for i in range(len(words))], np.int32)
    match = np.full(len(words), -1, np.int32)
    for m, (start, end, _) in enumerate(matches):
        match[start:end] = m
    ways = [way for _, _, of in matches for way in of]
    rows = np.cumsum([0, *(len(of) for _, _, of in matches)])
    target = np.array([w for way in ways for w in way], np.int32)
    begin = np.cumsum([0, *map(len, ways)])
    arrays = words, copied, kept, match, rows, target, begin, np.array(given, np.int32)
    return Sentence(*read_only(arrays))


def small_model() -> ngrams.NgramModel:
    rng = random.Random(4)
    model = estimate.train([rng.choices(WORDS, k=rng.randint(1, 6)) for _ in range(60)], 3)
    return in_double(model) if PLAIN else model


def make(
    N: int,
    choices: dict[tuple[int, int], list[Choice]],
    model: ngrams.NgramModel,
    reordering: tuple[float, ...] = (0.0,) * 6,
    lm_weight: float = 0.7,
    distortion: float = 0.3,
    matches: Sequence[Match] = (),
    verbatim: dict[int, int] = NOTHING,
) -> Case:
    """Return the case of these choices; a word without one is copied as ``<unk>``, for −2.

    matches, verbatim: see ``asked``.
    """
    spans = np.array(sorted(choices), np.int64).reshape(-1, 2)
    sentence = FIRST_WORD + np.arange(N, dtype=np.int32)
    length = spans[:, 1] - spans[:, 0]
    key = np.array([hash_phrase(sentence, i, j - 1) for i, j in spans.tolist()], np.uint64)
    order = np.argsort(key)
    source = [w for i, j in spans[order].tolist() for w in sentence[i:j].tolist()]
    pairs = [c for span in spans[order].tolist() for c in choices[tuple(span)]]
    words = [w for _, ids, _ in pairs for w in ids]
    features = np.zeros((len(pairs), 4), np.float32)
    features[:, 0] = [score for score, _, _ in pairs]
    table = PhraseTable(
        np.array(source, np.int32),
        np.cumsum([0, *length[order]]),
        np.array(words, np.int32),
        np.cumsum([0, *(len(ids) for _, ids, _ in pairs)]),
        key[order],
        np.cumsum([0, *(len(choices[tuple(span)]) for span in spans[order].tolist())]),
        features,
        np.array([six for _, _, six in pairs], np.float32),
        np.ones(len(pairs), np.uint64),
    )
    λ = np.array([1.0, 0, 0, 0, *reordering, 0.0, 0.0, -2.0, lm_weight, distortion, 0.0])
    copied, lm_id = np.zeros(N, np.int32), np.arange(len(model.words), dtype=np.int32)
    for array in table:
        array.flags.writeable = False  # as in a model, for one kernel type
    wanted = asked(sentence, copied, matches=matches, verbatim=verbatim)
    code = np.zeros(0, np.bool_)
    estimated = Model(table, NO_LEXICON, model.arrays, model.begin, lm_id, code)
    return Case(N, choices, model, λ, estimated, collect(wanted, estimated, λ, 20))


def random_case(
    N: int,
    model: ngrams.NgramModel,
    seed: int,
    longest: int = 3,
    reordering: tuple[float, ...] = (0.0,) * 6,
    lm_weight: float = 0.7,
    highest: float = 0.0,
) -> Case:
    """Make up to three random options for each span up to ``longest``; every word has one.

    highest: the highest score; the lowest is 4 less.
    """
    rng = random.Random(seed)
    choices: dict[tuple[int, int], list[Choice]] = {}
    for start in range(N):
        for length in range(1, min(longest, N - start) + 1):
            made = [
                (
                    float(np.float32(rng.uniform(-4, 0) + highest)),
                    tuple(model.encode(rng.choices(WORDS, k=rng.randint(1, 2))).tolist()),
                    tuple(float(np.float32(rng.choice((-0.2, -1.0, -2.5)))) for _ in range(6)),
                )
                for _ in range(rng.randint(length == 1, 2 if length > 1 else 3))
            ]
            if made:
                choices[start, start + length] = made
    return make(N, choices, model, reordering, lm_weight)


def spans_of(options: Options, chosen: list[int]) -> list[tuple[int, int]]:
    """Return the source spans of some options."""
    spans = (np.searchsorted(options.begin, chosen, side="right") - 1).tolist()
    return [(s // MAX_PHRASE, sum(divmod(s, MAX_PHRASE)) + 1) for s in spans]
