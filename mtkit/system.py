"""The protocol that all translators implement, and the types of their results.

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
    orders: list[int] = field(default_factory=list)  # n-gram order used for each token (SMT)
    unknown: list[str] = field(default_factory=list)  # source tokens copied, not translated
    pieces: int = 1  # into how many the sentence was cut; 1 unless it was too long
    # System → rank, from 0, in its n-best list (combination).
    places: dict[str, int] = field(default_factory=dict)

    @classmethod
    def copied(cls, words: Sequence[str], text: str) -> Self:
        """Return the source ``words``, which spell ``text``, as their own translation, score 0."""
        return cls(text, list(words), 0.0, alignment=[(0, 0)], unknown=list(words))


EMPTY = Hypothesis(text="", tokens=[], score=0.0)


class TokenScores(NamedTuple):
    """Scores of a model for the N tokens of a sentence, the last of which is ``</s>``; (N,) each.

    log_p: ln of each token's probability given those before it; for a word of several subwords the
    sum of theirs; 0 for a ``</s>`` that the model takes for granted.
    """

    log_p: NDArray[np.float64]
    is_oov: NDArray[np.bool_]  # whether the word is unknown to the model
    order: NDArray[np.int8] | None = None  # n-gram order used for the token; None: no n-gram model


@dataclass(frozen=True)
class LogProbability:
    """ln of a sentence's probability, and the number N of its tokens.

    given_length: the value is ln P(y|x, |y|), which does not score the number of words. by_token:
    the scores of which ``value`` and ``known`` are sums.
    """

    value: float
    tokens: int  # word tokens and one ``</s>``
    oov: int = 0  # those of them that are unknown to the model
    known: float | None = None  # sum over the other tokens; None: the model cannot separate it
    given_length: bool = False
    by_token: TokenScores | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, scores: TokenScores, given_length: bool = False) -> Self:
        """Sum ``scores`` over the tokens."""
        log_p, oov = scores.log_p, scores.is_oov
        sums = float(log_p.sum()), len(log_p), int(oov.sum()), float(log_p[~oov].sum())
        return cls(*sums, given_length, scores)


@dataclass(frozen=True)
class Score:
    """Scores of a system for a sentence pair; ``None`` where it has no such model.

    model: what the system's search maximises, not a probability: the log-linear score of the best
    derivation (SMT), ln P(y|x) normalised by the length in subwords (NMT).
    """

    lm: LogProbability | None = None  # ln P(y)
    channel: LogProbability | None = None  # ln P(x|y)
    direct: LogProbability | None = None  # ln P(y|x)
    model: float | None = None
    why: str = ""  # why ``model`` is None, if it is


# --- why a system translates as it does

RIVALS = 4  # alternatives listed for each chosen subword


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
    orientation: str  # relative to the previous phrase
    copied: bool  # whether it is an unknown word
    terms: list[Term]  # what the phrase adds to each feature


@dataclass(frozen=True)
class Word:
    """A target word or ``</s>``, its ln P by the language model and the n-gram used for it."""

    text: str
    log_p: float
    ngram: list[str]


@dataclass(frozen=True)
class PhraseReasons:
    """A derivation, phrases in target order: score = Σ_k λ_k f_k = the sum of ``terms``."""

    source: list[str]  # word tokens
    translation: str
    score: float
    phrases: list[Phrase]
    words: list[Word]
    terms: list[Term]  # sums over the phrases; the products sum to ``score``


@dataclass(frozen=True)
class Rival:
    """A subword that was not chosen, and its probability."""

    text: str
    p: float


@dataclass(frozen=True)
class Piece:
    """A target subword, its ln p and its ``RIVALS`` best alternatives."""

    text: str
    log_p: float
    looked_at: int | None  # index of the most attended source subword; None without attention
    rivals: list[Rival]
    copied: str  # the source word that replaces an ``<unk>``


@dataclass(frozen=True)
class SubwordReasons:
    """A translation in subwords: score = Σ ln p / (number of subwords) ** ``normalisation``."""

    source: list[str]  # its subwords, ``</s>`` last
    translation: str
    score: float
    normalisation: float
    pieces: list[Piece]
    attention: list[list[float]] | None  # (target, source) subwords; each row sums to 1
    put_back: list[str]  # numbers, URLs and placeholders that the network left out


@dataclass(frozen=True)
class Candidate:
    """A candidate translation of a combination; score = the sum of the terms' products."""

    text: str
    score: float
    places: dict[str, int]  # system → rank, from 0, in its n-best list
    terms: list[Term]  # features are named like ``smt-en-de.model``


@dataclass(frozen=True)
class PoolReasons:
    """The candidates that a combination chose from, best first."""

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
        """Load a model directory."""

    def tokenize(self, sentences: Sequence[str]) -> list[list[str]]:
        """Return word tokens; with the same settings, all systems return the same ones."""

    def translate(self, sentences: Sequence[str], n_best: int = 1) -> list[list[Hypothesis]]:
        """Return 1 to ``n_best`` different translations of each sentence, best first.

        A blank sentence has a blank translation.
        """

    def score(self, pairs: Sequence[tuple[str, str]], brief: bool = False) -> list[Score]:
        """Return the scores of (source, target) pairs.

        brief: compute only ``model``, and what needs no extra work.
        """

    def spell(self, words: Sequence[str], source: bool = False) -> NDArray[np.float64]:
        """ln P(spelling | unknown word) of words that the system does not know, (len(words),).

        Added to the ln probability of an unknown word, it makes the probabilities that systems of
        different vocabularies give to a text comparable. source: words of the source language.
        """

    def explain(self, sentence: str) -> Reasons:
        """Explain the best translation of ``sentence``.

        Raises InputError if the sentence is blank or too long to be translated at once, and if the
        system cannot translate.
        """

    def wider(self, k: int) -> Self:
        """Return the same system with a search ``k`` times as wide."""

    def limit_threads(self, threads: int) -> None:
        """Compute in ``threads`` threads; for a network this sets them for the whole process."""
