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
    """One translation. A statistical system (SMT) fills other fields than a neural one (NMT)."""

    text: str
    tokens: list[str]
    score: float  # what the search maximised; comparable only within one system
    features: dict[str, float] = field(default_factory=dict)  # name → value (SMT)
    alignment: list[tuple[int, int]] = field(default_factory=list)  # (source, target) token, from 0
    # (s0, s1, t0, t1), half-open token spans of the phrases used (SMT).
    segments: list[tuple[int, int, int, int]] = field(default_factory=list)
    # ln p of every target subword (NMT) or, by the language model, token (SMT), ``</s>`` last.
    token_logprobs: list[tuple[str, float]] = field(default_factory=list)
    orders: list[int] = field(default_factory=list)  # words of each's n-gram, it included (SMT)
    unknown: list[str] = field(default_factory=list)  # source tokens copied, not translated
    pieces: int = 1  # as how many the sentence was translated, 1 unless it was too long
    # System → the place, from 0, in its own list (of a combination).
    places: dict[str, int] = field(default_factory=dict)

    @classmethod
    def copied(cls, words: Sequence[str], text: str) -> Self:
        """The source ``words``, which spell ``text``, as they are, at score 0."""
        return cls(text, list(words), 0.0, alignment=[(0, 0)], unknown=list(words))


EMPTY = Hypothesis(text="", tokens=[], score=0.0)


class TokenScores(NamedTuple):
    """What a model thinks of the N tokens of a sentence, ``</s>`` the last of them.

    log_p: ln of each token's probability given those before it, 0 for a ``</s>`` that the model
    takes for granted; of a word in several subwords the sum of theirs.
    """

    log_p: NDArray[np.float64]
    is_oov: NDArray[np.bool_]  # whether the model knows the word only as unknown
    order: NDArray[np.int8] | None = None  # words of the n-gram that judged it, if it was one


@dataclass(frozen=True)
class LogProbability:
    """ln of a sentence's probability and the number N of tokens it is shared among.

    given_length: of P(y|x, |y|), where the number of words costs nothing. by_token: the terms of
    these sums.
    """

    value: float
    tokens: int  # word tokens and one ``</s>``
    oov: int = 0  # of these, unknown to the model
    known: float | None = None  # what the other tokens contributed; None: the model cannot tell
    given_length: bool = False
    by_token: TokenScores | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, scores: TokenScores, given_length: bool = False) -> Self:
        """The sums of ``scores``."""
        log_p, oov = scores.log_p, scores.is_oov
        sums = float(log_p.sum()), len(log_p), int(oov.sum()), float(log_p[~oov].sum())
        return cls(*sums, given_length, scores)


@dataclass(frozen=True)
class Score:
    """What a system thinks of a given pair; ``None`` where it has no such model.

    model: what the system's search maximises, no probability: the log-linear score of the best
    derivation (SMT), ln P(y|x) by the length (NMT).
    """

    lm: LogProbability | None = None  # ln P(y)
    channel: LogProbability | None = None  # ln P(x|y)
    direct: LogProbability | None = None  # ln P(y|x)
    model: float | None = None
    why: str = ""  # ``model`` is missing, where it is


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
    """Source words ``span[0] : span[1]`` and their translation."""

    source: list[str]
    target: list[str]
    span: tuple[int, int]
    orientation: str  # to the phrase before
    copied: bool  # the system does not know the word
    terms: list[Term]  # what the phrase adds to each feature


@dataclass(frozen=True)
class Word:
    """A target word, or the end, with ln P by the language model and the n-gram that it is of."""

    text: str
    log_p: float
    ngram: list[str]


@dataclass(frozen=True)
class PhraseReasons:
    """A derivation, phrases in target order: score = Σ_k λ_k f_k = the sum of their terms."""

    source: list[str]  # word tokens
    translation: str
    score: float
    phrases: list[Phrase]
    words: list[Word]
    terms: list[Term]  # the sum of the phrases'; their products sum to ``score``


@dataclass(frozen=True)
class Rival:
    """A subword that was not chosen, and its probability."""

    text: str
    p: float


@dataclass(frozen=True)
class Piece:
    """A target subword with ln p of it and its ``RIVALS`` best rivals."""

    text: str
    log_p: float
    looked_at: int | None  # the source subword with the largest weight, None without attention
    rivals: list[Rival]
    copied: str  # the source word that stands for an ``<unk>``


@dataclass(frozen=True)
class SubwordReasons:
    """A translation in subwords: score = Σ ln p / (number of subwords) ** ``normalisation``."""

    source: list[str]  # its subwords, ``</s>`` last
    translation: str
    score: float
    normalisation: float
    pieces: list[Piece]
    attention: list[list[float]] | None  # of each target subword, 1 in sum over the source's
    put_back: list[str]  # numbers, URLs and placeholders that the network lost


@dataclass(frozen=True)
class Candidate:
    """One of the translations that a combination chose among; score = Σ of the terms' products."""

    text: str
    score: float
    places: dict[str, int]  # system → place, from 0, in its list
    terms: list[Term]  # features are called as in ``smt-en-de.model``


@dataclass(frozen=True)
class PoolReasons:
    """What a combination chose among, best first."""

    source: list[str]  # word tokens
    translation: str
    score: float
    candidates: list[Candidate]


Reasons = PhraseReasons | SubwordReasons | PoolReasons


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

    def score(self, pairs: Sequence[tuple[str, str]], brief: bool = False) -> list[Score]:
        """The probabilities the system gives to (source, target) pairs.

        brief: only ``model``, and what comes with it.
        """

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
