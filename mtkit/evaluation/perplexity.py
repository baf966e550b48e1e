"""Where a perplexity comes from: the surprise of every token, and of groups of tokens.

    surprise        −log2 p of a token, in bits; tokens are words and one </s> a sentence
    perplexity      2 to the power of the mean surprise, of all tokens or of some
    bits per        −(1/C) Σ log2 p, where a word that the model does not know has
    character       p = P(<unk>) · P(spelling), and a </s> that is taken for granted
                    P(J|I) = Poisson(J; r I), r the text's words by those of the other side
    C               the characters of the text: the Unicode code points of each line as its tokens
                    spell it (``WordTokenizer.detokenize``: blanks, but no joiner marks; of
                    lower-cased tokens those in lower case), and one a line for its end

Perplexities compare where the tokens are the same, and the models pay for the same; bits per
character also where they do not: where one vocabulary leaves out more than another, and where one
model takes the length of a sentence for granted. Different questions compare in neither.

A split puts every token into one group, so that the groups' tokens and Σ ln p add up to those of
the text:

    oov         known and unknown words
    frequency   how often the word stands in the training text
    position    of the word in its sentence, from 1
    order       words of the n-gram that judged it, itself included

Limits: the word models take the length of a sentence as given, so that their </s> costs nothing in
a perplexity.
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
FREQUENCIES = (0, 1, 2, 10, 100, 1000)  # where each group begins
POSITIONS = (1, 2, 3, 6, 11, 21)


# --- perplexity


@dataclass(frozen=True)
class Perplexity:
    """exp(−(1/N) Σ ln p), N = ``tokens``: word tokens and one ``</s>`` a sentence.

    value: ``None`` where no sentence has one, infinite where one is impossible. without_oov: over
    the ``tokens`` − ``oov`` tokens that the model knows, ``None`` where it cannot tell. Figures for
    different questions are never ranked against each other. note: which sentences are in the way.
    given_length: </s> costs nothing. bits_per_character: ``None`` where the text is not known.
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
    """The perplexity of the sentences whose log-probabilities are ``values``."""
    scored = [v for v in values if v is not None and not math.isnan(v.value)]
    possible = [v for v in scored if v.value > -math.inf]
    tokens, oov = sum(v.tokens for v in scored), sum(v.oov for v in scored)
    known = [v.known for v in scored if v.known is not None]
    notes = []
    if missing := len(values) - len(scored):
        notes.append(f"{missing} of {len(values)} sentences have no value and are left out")
    if impossible := len(scored) - len(possible):
        note = f"{impossible} of {len(values)} sentences have probability 0"
        others = perplexity_of([v.value for v in possible], sum(v.tokens for v in possible))
        notes.append(note if others is None else f"{note}; over the others it is {others:.2f}")
    value = perplexity_of([v.value for v in scored], tokens)
    without_oov = perplexity_of(known, tokens - oov) if len(known) == len(scored) else None
    given = any(v.given_length for v in scored)
    return Perplexity(value, without_oov, tokens, oov, question, "; ".join(notes), given)


def by_question(scores: Sequence[Score]) -> dict[Question, list[LogProbability | None]]:
    """What a system answers to each question that it has a model of, sentence by sentence."""
    answers: dict[Question, list[LogProbability | None]] = {
        "P(y)": [score.lm for score in scores],
        "P(x|y)": [score.channel for score in scores],
        "P(y|x)": [score.direct for score in scores],
    }
    return {question: p for question, p in answers.items() if any(of is not None for of in p)}


def perplexities(scores: Sequence[Score]) -> dict[Question, Perplexity]:
    """The perplexity of a test set for each question that the system has a model of."""
    return {q: perplexity(v, q) for q, v in by_question(scores).items()}


def perplexity_of(logs: Sequence[float], tokens: int) -> float | None:
    """exp(−(1/N) Σ ln p) of N = ``tokens``; infinite beyond the largest float, ``None`` of none."""
    if not tokens:
        return None
    nats = -math.fsum(logs) / tokens
    return math.exp(nats) if nats < 709.0 else math.inf


def only_bits(of: Mapping[str, Perplexity], same_tokens: bool) -> str:
    """Why no more than the bits per character of these models' answers to one question compare.

    of: by name. same_tokens: whether all count the same.
    """
    given = [name for name, p in of.items() if p.given_length]
    reasons = [
        *["the tokens differ"] * (not same_tokens),
        *[f"{', '.join(given)} is given the number of words"] * (0 < len(given) < len(of)),
        *["their unknown words differ"] * (len({p.oov for p in of.values()}) > 1),
    ]
    if not reasons:
        return ""
    compare = "compare bits per character, not perplexities"
    return f"{next(iter(of.values())).question}: {compare}: {'; '.join(reasons)}."


# --- token by token


@dataclass(frozen=True)
class Group:
    """Some tokens of a text: how many, and their Σ ln p."""

    label: str
    tokens: int
    log_p: float

    @property
    def perplexity(self) -> float | None:
        """exp(−Σ ln p / tokens)."""
        return perplexity_of([self.log_p], self.tokens)


Splits = dict[str, list[Group]]  # property → its groups, in order


@dataclass(frozen=True, eq=False)
class Judged:
    """What a model thinks of S sentences of T tokens in all, each sentence's ``</s>`` its last."""

    perplexity: Perplexity
    words: list[str]  # (T,)
    log_p: NDArray[np.float64]  # ln p, (T,)
    is_oov: NDArray[np.bool_]  # (T,)
    order: NDArray[np.int8] | None  # (T,), of an n-gram model
    begin: NDArray[np.int64]  # (S + 1,), sentence s is begin[s] : begin[s + 1]
    unpaid: NDArray[np.float64]  # ln P(spelling) of OOVs, ln P(J|I) of a </s>, or 0, (T,)
    characters: NDArray[np.int64]  # (S,), what each line adds to C

    @property
    def bits(self) -> NDArray[np.float64]:
        """The surprise of each token, (T,)."""
        return 0.0 - self.log_p / math.log(2)  # of p = 1 they are 0, not −0

    @property
    def spans(self) -> Iterator[slice]:
        """The tokens of each sentence."""
        return (slice(a, b) for a, b in pairwise(self.begin.tolist()))


def judge(
    system: System,
    tokenizer: WordTokenizer,
    pairs: Sequence[tuple[str, str]],
    scores: Sequence[Score] = (),
) -> dict[Question, Judged]:
    """What ``system``, of this ``tokenizer``, thinks of the text, by question it has a model of.

    scores: its own of the pairs, where they are known already.
    """
    by_model = {}
    sides = [system.tokenize([pair[k] for pair in pairs]) for k in (0, 1)]
    for question, values in by_question(scores or system.score(pairs)).items():
        source = question == "P(x|y)"
        tokens, other = sides if source else sides[::-1]
        by_token = [value.by_token for value in values if value and value.by_token]
        orders = [of.order for of in by_token if of.order is not None]
        lengths = [len(words) + 1 for words in tokens]
        assert [len(of.log_p) for of in by_token] == lengths, "a token without a value"
        words = [word for words in tokens for word in (*words, END)]
        log_p, is_oov = (np.concatenate(of) for of in list(zip(*by_token, strict=True))[:2])
        begin, unpaid = np.cumsum([0, *lengths]), np.zeros(len(words))
        unpaid[is_oov] = system.spell(list(compress(words, is_oov)), source)
        if (p := perplexity(values, question)).given_length:
            unpaid[begin[1:] - 1] = _of_lengths(tokens, other)
        characters = np.array([len(tokenizer.detokenize(line)) + 1 for line in tokens])
        bits = _bits_per_character(log_p + unpaid, int(characters.sum()))
        p = replace(p, bits_per_character=bits)
        order = np.concatenate(orders) if orders else None
        by_model[question] = Judged(p, words, log_p, is_oov, order, begin, unpaid, characters)
    return by_model


def _of_lengths(tokens: Sequence[Words], other: Sequence[Words]) -> list[float]:
    """ln P(J|I) of each sentence of J ``tokens`` beside I of the ``other`` side, an empty one as 1.

    >>> [round(math.exp(of), 3) for of in _of_lengths([["a"], ["b", "c", "d"]], [["x"], ["y"]])]
    [0.271, 0.18]
    """
    I, J = ([max(1, len(words)) for words in other], list(map(len, tokens)))
    r = max(1, sum(J)) / sum(I)
    return [j * math.log(r * i) - r * i - math.lgamma(j + 1) for i, j in zip(I, J, strict=True)]


def _bits_per_character(log_p: NDArray[np.float64], characters: int) -> float:
    return float(-log_p.sum()) / math.log(2) / characters


# --- splits


def splits(judged: Judged, counts: Mapping[str, int] | None = None) -> Splits:
    """The text in groups, some empty, by each property; counts: of words in the training text."""
    is_end = np.zeros(len(judged.words), dtype=np.bool_)
    is_end[judged.begin[1:] - 1] = True
    position = np.arange(len(is_end)) - judged.begin[:-1].repeat(np.diff(judged.begin)) + 1

    def grouped(index: NDArray[Any], labels: Sequence[str]) -> list[Group]:
        """index: (T,), the number of each token's label."""
        tokens = np.bincount(index, minlength=len(labels)).tolist()
        log_p = np.bincount(index, judged.log_p, len(labels)).tolist()
        return list(map(Group, labels, tokens, log_p))

    def binned(values: NDArray[Any], begins: Sequence[int]) -> list[Group]:
        """Words by ranges of their value, and each ``</s>``, which is no word, by itself."""
        index = np.where(is_end, len(begins), np.digitize(values, begins) - 1)
        return grouped(index, [*ranges(begins), END])

    groups = {"oov": grouped(judged.is_oov, ["known", "unknown"])}
    if counts is not None:
        frequency = np.array([counts.get(word, 0) for word in judged.words])
        groups["frequency"] = binned(frequency, FREQUENCIES)
    groups["position"] = binned(position, POSITIONS)
    if judged.order is not None:
        labels = [str(1 + k) for k in range(int(judged.order.max()))]
        groups["order"] = grouped(judged.order - 1, labels)
    return groups


def frequencies(tokenizer: WordTokenizer, lines: Sequence[str]) -> Counter[str]:
    """How often each word stands in ``lines``."""
    return Counter(word for line in lines for word in tokenizer.tokenize(line))


def ranges(begins: Sequence[int]) -> list[str]:
    """Labels of groups that begin at these numbers.

    >>> ranges((0, 1, 2, 10))
    ['0', '1', '2–9', '10–']
    """
    inner = [f"{a}" if a + 1 == b else f"{a:,}–{b - 1:,}" for a, b in pairwise(begins)]
    return [*inner, f"{begins[-1]:,}–"]


# --- models of a text


@dataclass(frozen=True)
class Measured:
    """A model by the name it is shown under."""

    name: str
    judged: Mapping[Question, Judged]
    splits: Mapping[Question, Splits]  # of its tokens, by question
    missing: str = ""  # why there is none by frequency, if there is none
    files: tuple[Path, ...] = ()  # where the text comes from


def as_json(model: Measured) -> dict[Question, dict[str, Any]]:
    """Of each question the figures of text, groups and sentences, of which some may be infinite."""
    return {
        question: {
            **asdict(judged.perplexity),
            "characters": int(judged.characters.sum()),
            "splits": {
                name: [{**asdict(group), "perplexity": group.perplexity} for group in groups]
                for name, groups in model.splits[question].items()
            },
            "no_frequency": model.missing,
            "sentences": [_sentence(judged, s, span) for s, span in enumerate(judged.spans)],
        }
        for question, judged in model.judged.items()
    }


def _sentence(judged: Judged, s: int, span: slice) -> dict[str, Any]:
    """A sentence: its figures, and an entry a token in ``text``, ``log_p``, ``oov``, ``order``."""
    log_p, characters = judged.log_p[span], int(judged.characters[s])
    return {
        "perplexity": perplexity_of(log_p.tolist(), len(log_p)),
        "bits_per_character": _bits_per_character(log_p + judged.unpaid[span], characters),
        "characters": characters,
        "text": judged.words[span],
        "log_p": log_p.tolist(),
        "oov": judged.is_oov[span].tolist(),
        "order": None if judged.order is None else judged.order[span].tolist(),
    }
