"""Perplexity of a text and of groups of its tokens, and the surprisal of every token.

    surprisal       −log2 p of a token, in bits; tokens are words and one </s> per sentence
    perplexity      2 to the power of the mean surprisal, over all tokens or a group
    bits per        −(1/C) Σ log2 p, where a word unknown to the model has
    character       p = P(<unk>) · P(spelling), and the </s> of a model that is given the length
                    P(J|I) = Poisson(J; r I), r = words of the text / words of the other side
    C               the characters of the text: the Unicode code points of each line as its tokens
                    spell it (``WordTokenizer.detokenize``: with spaces, without joiner marks, in
                    lower case if the tokens are), and one per line for its end

Perplexities are comparable if the models have the same tokens and as many unknown words, and all or
none of them are given the length of the sentence. Bits per character are also comparable if unknown
words or given lengths differ. Answers to different questions, such as P(y) and P(y|x), are never
comparable.

A split puts every token into one group, so that the groups' tokens and Σ ln p add up to those of
the text:

    oov         known and unknown words
    frequency   occurrences of the word in the training text
    position    position of the word in its sentence, from 1
    order       length of the n-gram that predicted the word, itself included

Limits: the word models are given the length of a sentence, so their </s> has p = 1 in a perplexity.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import compress, pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mtkit.system import LogProbability, Score, System
from mtkit.text.tokenizer import WordTokenizer
from mtkit.text.vocabulary import EOS, SPECIALS

Question = Literal["P(y)", "P(x|y)", "P(y|x)"]
MEANINGS: dict[Question, str] = {
    "P(y)": "how well the language model predicts the reference, without the source",
    "P(x|y)": "how well the channel model explains the source by the reference",
    "P(y|x)": "how well the model predicts the reference from the source",
}
END = SPECIALS[EOS]
Words = Sequence[str]
FREQUENCIES = (0, 1, 2, 10, 100, 1000)  # first value of each group
POSITIONS = (1, 2, 3, 6, 11, 21)


# --- perplexity


@dataclass(frozen=True)
class Perplexity:
    """exp(−(1/N) Σ ln p), N = ``tokens``: word tokens and one ``</s>`` per sentence.

    value: ``None`` if no sentence has a probability, infinite if one has probability 0.
    without_oov: over the ``tokens`` − ``oov`` known tokens; ``None`` if the model does not separate
    them. note: number of sentences without a value or with probability 0. given_length: the length
    is given, so </s> has p = 1. bits_per_character: ``None`` if the text is not known.
    """

    value: float | None
    without_oov: float | None
    tokens: int
    oov: int
    question: Question
    note: str = ""
    given_length: bool = False
    bits_per_character: float | None = None


def perplexity(values: Sequence[LogProbability | None], question: Question) -> Perplexity:
    """Return the perplexity of sentences by their log-probabilities; None and NaN are left out."""
    scored = [v for v in values if v is not None and not math.isnan(v.value)]
    possible = [v for v in scored if v.value > -math.inf]
    tokens, oov = sum(v.tokens for v in scored), sum(v.oov for v in scored)
    logs = [v.known for v in scored if v.known is not None]
    notes = []
    if missing := len(values) - len(scored):
        notes.append(f"{missing} of {len(values)} sentences have no value and are left out")
    if impossible := len(scored) - len(possible):
        note = f"{impossible} of {len(values)} sentences have probability 0"
        others = perplexity_of([v.value for v in possible], sum(v.tokens for v in possible))
        notes.append(note if others is None else f"{note}; over the others it is {others:.2f}")
    value = perplexity_of([v.value for v in scored], tokens)
    without_oov = perplexity_of(logs, tokens - oov) if len(logs) == len(scored) else None
    given_length = any(v.given_length for v in scored)
    return Perplexity(value, without_oov, tokens, oov, question, "; ".join(notes), given_length)


def by_question(scores: Sequence[Score]) -> dict[Question, list[LogProbability | None]]:
    """Return each sentence's log-probability, for each question that the system has a model of."""
    answers: dict[Question, list[LogProbability | None]] = {
        "P(y)": [score.lm for score in scores],
        "P(x|y)": [score.channel for score in scores],
        "P(y|x)": [score.direct for score in scores],
    }
    return {question: p for question, p in answers.items() if any(v is not None for v in p)}


def perplexities(scores: Sequence[Score]) -> dict[Question, Perplexity]:
    """Return the perplexity of a test set for each question that the system has a model of."""
    return {q: perplexity(v, q) for q, v in by_question(scores).items()}


def perplexity_of(logs: Sequence[float], tokens: int) -> float | None:
    """exp(−(1/N) Σ ln p), N = ``tokens``; infinite beyond the largest float, ``None`` if N is 0."""
    if not tokens:
        return None
    nats = -math.fsum(logs) / tokens
    return math.exp(nats) if nats < 709.0 else math.inf


def why_only_bits_compare(by_name: Mapping[str, Perplexity], same_tokens: bool) -> str:
    """Return why only bits per character of these models are comparable; "" if perplexities are.

    by_name: perplexities for one question. same_tokens: whether the models have the same tokens.
    """
    with_length = [name for name, p in by_name.items() if p.given_length]
    reasons = [
        *["the tokens differ"] * (not same_tokens),
        *[f"{', '.join(with_length)} is given the number of words"]
        * (0 < len(with_length) < len(by_name)),
        *["their unknown words differ"] * (len({p.oov for p in by_name.values()}) > 1),
    ]
    if not reasons:
        return ""
    compare = "compare bits per character, not perplexities"
    return f"{next(iter(by_name.values())).question}: {compare}: {'; '.join(reasons)}."


# --- token by token


@dataclass(frozen=True)
class Group:
    """A group of tokens: their number and their Σ ln p."""

    label: str
    tokens: int
    log_p: float

    @property
    def perplexity(self) -> float | None:
        """exp(−Σ ln p / tokens)."""
        return perplexity_of([self.log_p], self.tokens)


Splits = dict[str, list[Group]]  # property → its groups, in order


@dataclass(frozen=True, eq=False)
class TokenProbabilities:
    """Probabilities by a model of S sentences of T tokens in all; each sentence ends in ``</s>``.

    extra_log_p: added for bits per character: ln P(spelling) of an OOV, ln P(J|I) of a </s> by a
    model that is given the length, otherwise 0.
    """

    perplexity: Perplexity
    words: list[str]  # (T,)
    log_p: NDArray[np.float64]  # ln p, (T,)
    is_oov: NDArray[np.bool_]  # (T,)
    order: NDArray[np.int8] | None  # (T,), n-gram lengths; None: no n-gram model
    begin: NDArray[np.int64]  # (S + 1,), sentence s is begin[s] : begin[s + 1]
    extra_log_p: NDArray[np.float64]  # (T,)
    characters: NDArray[np.int64]  # (S,), the characters of each line; their sum is C

    @property
    def bits(self) -> NDArray[np.float64]:
        """Surprisal of each token in bits, (T,)."""
        return 0.0 - self.log_p / math.log(2)  # 0, not −0, for p = 1

    @property
    def spans(self) -> Iterator[slice]:
        """Yield the range of tokens of each sentence."""
        return (slice(a, b) for a, b in pairwise(self.begin.tolist()))


def token_probabilities(
    system: System,
    tokenizer: WordTokenizer,
    pairs: Sequence[tuple[str, str]],
    scores: Sequence[Score] = (),
) -> dict[Question, TokenProbabilities]:
    """Return the probabilities of all tokens, for each question that ``system`` has a model of.

    tokenizer: the system's. scores: the system's scores of the pairs, if already computed.
    """
    by_model = {}
    sides = [system.tokenize([pair[k] for pair in pairs]) for k in (0, 1)]
    for question, values in by_question(scores or system.score(pairs)).items():
        of_source = question == "P(x|y)"
        tokens, other = sides if of_source else sides[::-1]
        by_token = [value.by_token for value in values if value and value.by_token]
        orders = [arrays.order for arrays in by_token if arrays.order is not None]
        lengths = [len(words) + 1 for words in tokens]
        assert [len(arrays.log_p) for arrays in by_token] == lengths, "a token without a value"
        words = [word for words in tokens for word in (*words, END)]
        log_p, is_oov = (np.concatenate(arrays) for arrays in list(zip(*by_token, strict=True))[:2])
        begin, extra_log_p = np.cumsum([0, *lengths]), np.zeros(len(words))
        extra_log_p[is_oov] = system.spell(list(compress(words, is_oov)), of_source)
        if (p := perplexity(values, question)).given_length:
            extra_log_p[begin[1:] - 1] = _length_log_p(tokens, other)
        characters = np.array([len(tokenizer.detokenize(line)) + 1 for line in tokens])
        bits = _bits_per_character(log_p + extra_log_p, int(characters.sum()))
        p = replace(p, bits_per_character=bits)
        order = np.concatenate(orders) if orders else None
        by_model[question] = TokenProbabilities(
            p, words, log_p, is_oov, order, begin, extra_log_p, characters
        )
    return by_model


def _length_log_p(tokens: Sequence[Words], other: Sequence[Words]) -> list[float]:
    """ln P(J|I) of each sentence of J ``tokens`` given I words of the ``other`` side, at least 1.

    >>> [round(math.exp(p), 3) for p in _length_log_p([["a"], ["b", "c", "d"]], [["x"], ["y"]])]
    [0.271, 0.18]
    """
    I, J = ([max(1, len(words)) for words in other], list(map(len, tokens)))
    r = max(1, sum(J)) / sum(I)
    return [j * math.log(r * i) - r * i - math.lgamma(j + 1) for i, j in zip(I, J, strict=True)]


def _bits_per_character(log_p: NDArray[np.float64], characters: int) -> float:
    return float(-log_p.sum()) / math.log(2) / characters


# --- splits


def splits(probabilities: TokenProbabilities, counts: Mapping[str, int] | None = None) -> Splits:
    """Split the tokens into groups, some empty, by each property. counts: of training words."""
    is_end = np.zeros(len(probabilities.words), dtype=np.bool_)
    is_end[probabilities.begin[1:] - 1] = True
    position = (
        np.arange(len(is_end)) - probabilities.begin[:-1].repeat(np.diff(probabilities.begin)) + 1
    )

    def grouped(index: NDArray[Any], labels: Sequence[str]) -> list[Group]:
        """Sum tokens and ln p by label. index: (T,), the number of each token's label."""
        tokens = np.bincount(index, minlength=len(labels)).tolist()
        log_p = np.bincount(index, probabilities.log_p, len(labels)).tolist()
        return list(map(Group, labels, tokens, log_p))

    def binned(values: NDArray[Any], begins: Sequence[int]) -> list[Group]:
        """Group words by ranges of their values; all ``</s>``, which are no words, in one group."""
        index = np.where(is_end, len(begins), np.digitize(values, begins) - 1)
        return grouped(index, [*ranges(begins), END])

    groups = {"oov": grouped(probabilities.is_oov, ["known", "unknown"])}
    if counts is not None:
        frequency = np.array([counts.get(word, 0) for word in probabilities.words])
        groups["frequency"] = binned(frequency, FREQUENCIES)
    groups["position"] = binned(position, POSITIONS)
    if probabilities.order is not None:
        labels = [str(1 + k) for k in range(int(probabilities.order.max()))]
        groups["order"] = grouped(probabilities.order - 1, labels)
    return groups


def frequencies(tokenizer: WordTokenizer, lines: Sequence[str]) -> Counter[str]:
    """Count each word in ``lines``."""
    return Counter(word for line in lines for word in tokenizer.tokenize(line))


def ranges(begins: Sequence[int]) -> list[str]:
    """Return the labels of groups that begin at these numbers.

    >>> ranges((0, 1, 2, 10))
    ['0', '1', '2–9', '10–']
    """
    inner = [f"{a}" if a + 1 == b else f"{a:,}–{b - 1:,}" for a, b in pairwise(begins)]
    return [*inner, f"{begins[-1]:,}–"]


# --- models of a text


@dataclass(frozen=True)
class TextPerplexity:
    """The probabilities of a text by one model, under the name that is shown for it."""

    name: str
    probabilities: Mapping[Question, TokenProbabilities]
    splits: Mapping[Question, Splits]  # of its tokens, by question
    missing: str = ""  # why there is no split by frequency, if so
    files: tuple[Path, ...] = ()  # the files of the text


def as_json(model: TextPerplexity) -> dict[Question, dict[str, Any]]:
    """Return the figures of text, groups and sentences by question; some may be infinite."""
    return {
        question: {
            **asdict(probabilities.perplexity),
            "characters": int(probabilities.characters.sum()),
            "splits": {
                name: [{**asdict(group), "perplexity": group.perplexity} for group in groups]
                for name, groups in model.splits[question].items()
            },
            "no_frequency": model.missing,
            "sentences": [
                _sentence(probabilities, s, span) for s, span in enumerate(probabilities.spans)
            ],
        }
        for question, probabilities in model.probabilities.items()
    }


def _sentence(probabilities: TokenProbabilities, s: int, span: slice) -> dict[str, Any]:
    """Figures of a sentence; ``text``, ``log_p``, ``oov`` and ``order`` have an entry per token."""
    log_p, characters = probabilities.log_p[span], int(probabilities.characters[s])
    return {
        "perplexity": perplexity_of(log_p.tolist(), len(log_p)),
        "bits_per_character": _bits_per_character(
            log_p + probabilities.extra_log_p[span], characters
        ),
        "characters": characters,
        "text": probabilities.words[span],
        "log_p": log_p.tolist(),
        "oov": probabilities.is_oov[span].tolist(),
        "order": None if probabilities.order is None else probabilities.order[span].tolist(),
    }
