"""The protocol that both translators meet, and what they answer with.

Letters: x the source sentence, y the target sentence. All logarithms are natural.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Hypothesis:
    """One translation.

    score: what the search maximised; comparable only within one system.
    features: name → value (SMT), empty for NMT.
    alignment: (source token, target token) links, 0-based.
    segments: (s0, s1, t0, t1), half-open token spans of the phrases used (SMT).
    token_logprobs: ln p of every target subword (NMT) or, by the language model, of every target
        token (SMT), ``</s>`` last.
    orders: words of the n-gram that each of these is judged by, itself included (SMT).
    unknown: source tokens that were copied because the system does not know them.
    pieces: as how many the sentence was translated; more than 1 if it was too long.
    """

    text: str
    tokens: list[str]
    score: float
    features: dict[str, float] = field(default_factory=dict)
    alignment: list[tuple[int, int]] = field(default_factory=list)
    segments: list[tuple[int, int, int, int]] = field(default_factory=list)
    token_logprobs: list[tuple[str, float]] = field(default_factory=list)
    orders: list[int] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    pieces: int = 1


EMPTY = Hypothesis(text="", tokens=[], score=0.0)


class TokenScores(NamedTuple):
    """What a model thinks of the N tokens of a sentence, ``</s>`` the last of them.

    log_p: ln of each token's probability given those before it, 0 for a ``</s>`` that the model
    takes for granted; of a word in several subwords the sum of theirs. is_oov: whether the model
    knows the word only as unknown. order: words of the n-gram that judged it, if it was one.
    """

    log_p: NDArray[np.float64]
    is_oov: NDArray[np.bool_]
    order: NDArray[np.int8] | None = None


@dataclass(frozen=True)
class LogProbability:
    """ln of a sentence's probability and the number N of tokens it is shared among.

    N counts word tokens and one ``</s>``. Of these, ``oov`` were unknown to the model; ``known`` is
    the part of ``value`` that the other tokens contributed, ``None`` where the model cannot tell.
    by_token: the terms of these sums.
    """

    value: float
    tokens: int
    oov: int = 0
    known: float | None = None
    by_token: TokenScores | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, scores: TokenScores) -> Self:
        """The sums of ``scores``."""
        log_p, oov = scores.log_p, scores.is_oov
        return cls(float(log_p.sum()), len(log_p), int(oov.sum()), float(log_p[~oov].sum()), scores)


@dataclass(frozen=True)
class Score:
    """What a system thinks of a given pair; ``None`` where it has no such model.

    lm = ln P(y), channel = ln P(x|y), direct = ln P(y|x); ``model`` is what the system's search
    maximises, no probability: the log-linear score of the best derivation (SMT), ln P(y|x) by the
    length (NMT), with ``why`` it is missing where it is.
    """

    lm: LogProbability | None = None
    channel: LogProbability | None = None
    direct: LogProbability | None = None
    model: float | None = None
    why: str = ""


# --- why a system translates as it does

RIVALS = 4  # subwords beside each one that was chosen


@dataclass(frozen=True)
class Term:
    """One feature of a log-linear score: value · weight = product."""

    feature: str
    value: float
    weight: float
    product: float


@dataclass(frozen=True)
class Phrase:
    """Source words ``span[0] : span[1]`` and their translation.

    orientation: to the phrase before. copied: the system does not know the word. terms: what the
    phrase adds to each feature.
    """

    source: list[str]
    target: list[str]
    span: tuple[int, int]
    orientation: str
    copied: bool
    terms: list[Term]


@dataclass(frozen=True)
class Word:
    """A target word, or the end, with ln P by the language model and the n-gram that it is of."""

    text: str
    log_p: float
    ngram: list[str]


@dataclass(frozen=True)
class PhraseReasons:
    """A derivation, phrases in target order: score = Σ_k λ_k f_k = Σ over phrases of their terms.

    source: word tokens. terms: the sum of the phrases'; their products sum to ``score``.
    """

    source: list[str]
    translation: str
    score: float
    phrases: list[Phrase]
    words: list[Word]
    terms: list[Term]


@dataclass(frozen=True)
class Rival:
    """A subword that was not chosen, and its probability."""

    text: str
    p: float


@dataclass(frozen=True)
class Piece:
    """A target subword with ln p of it and its ``RIVALS`` best rivals.

    looked_at: the source subword with the largest weight, None without attention. copied: the
    source word that stands for an ``<unk>``.
    """

    text: str
    log_p: float
    looked_at: int | None
    rivals: list[Rival]
    copied: str


@dataclass(frozen=True)
class SubwordReasons:
    """source: its subwords, ``</s>`` last; attention: a row for each target subword, which sums
    to 1 over the source's, None for a model without.

    score: Σ ln p divided by the number of subwords to the power of ``normalisation``. put_back:
    numbers, URLs and placeholders that the network lost.
    """

    source: list[str]
    translation: str
    score: float
    normalisation: float
    pieces: list[Piece]
    attention: list[list[float]] | None
    put_back: list[str]


Reasons = PhraseReasons | SubwordReasons


class System(Protocol):
    """A trained translator. Raw text in, raw text out; n sentences in, n answers out."""

    kind: ClassVar[str]

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read a model directory."""

    def tokenize(self, sentences: Sequence[str]) -> list[list[str]]:
        """The word tokens the system sees: for the same settings the same in every system."""

    def translate(self, sentences: Sequence[str], n_best: int = 1) -> list[list[Hypothesis]]:
        """At most ``n_best`` different translations of each sentence, best first; at least one.

        A blank sentence is answered with a blank.
        """

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[Score]:
        """The probabilities the system gives to (source, target) pairs."""

    def spell(self, words: Sequence[str], source: bool = False) -> NDArray[np.float64]:
        """ln P(spelling | unknown word) of words that the system does not know, (len(words),).

        It multiplies the probability of an unknown word, so that what systems of different
        vocabularies give to a text becomes comparable. source: words of the source language.
        """

    def explain(self, sentence: str) -> Reasons:
        """Why the best translation of ``sentence`` is what it is.

        Raises InputError where the sentence is blank or too long to be translated at once, and by a
        system that cannot translate.
        """

    def wider(self, k: int) -> Self:
        """The same system with a search ``k`` times as wide."""

    def limit_threads(self, threads: int) -> None:
        """Compute in so many threads; a network's count is one for the whole process."""
