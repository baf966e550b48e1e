"""Where a perplexity comes from: the surprise of every token, and of groups of tokens.

    surprise        −log2 p of a token, in bits; tokens are words and one </s> a sentence
    perplexity      2 to the power of the mean surprise, of all tokens or of some
    bits per        −(1/C) Σ log2 p, where a word that the model does not know has
    character       p = P(<unk>) · P(spelling)
    C               the characters of the text: the Unicode code points of each line as its tokens
                    spell it (``WordTokenizer.detokenize``: blanks, but no joiner marks; of
                    lower-cased tokens those in lower case), and one a line for its end

Perplexities compare where the tokens are the same; bits per character also where they are not, and
where one vocabulary leaves out more than another. Different questions compare in neither.

A split puts every token into one group, so that the groups' tokens and Σ ln p add up to those of
the text:

    oov         known and unknown words
    frequency   how often the word stands in the training text
    position    of the word in its sentence, from 1
    order       words of the n-gram that judged it, itself included

Limits: the word models take the length of a sentence as given, so that their </s> costs nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtkit.evaluation.metrics import Perplexity, Question, by_question, perplexities, perplexity_of
from mtkit.system import LogProbability, System
from mtkit.text.tokenizer import WordTokenizer
from mtkit.text.vocabulary import EOS, SPECIALS

END = SPECIALS[EOS]
FREQUENCIES = (0, 1, 2, 10, 100, 1000)  # where each group begins
POSITIONS = (1, 2, 3, 6, 11, 21)


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
    """What a model thinks of S sentences of T tokens in all, each sentence's ``</s>`` its last.

    words: (T,); log_p: ln p, (T,); is_oov: (T,); order: (T,), of an n-gram model; begin: (S + 1,),
    sentence s is ``begin[s] : begin[s + 1]``; spelling: ln P(spelling), (T,), 0 of known words;
    characters: (S,), what each line adds to C.
    """

    perplexity: Perplexity
    words: list[str]
    log_p: NDArray[np.float64]
    is_oov: NDArray[np.bool_]
    order: NDArray[np.int8] | None
    begin: NDArray[np.int64]
    spelling: NDArray[np.float64]
    characters: NDArray[np.int64]

    @property
    def bits(self) -> NDArray[np.float64]:
        """The surprise of each token, (T,)."""
        return 0.0 - self.log_p / math.log(2)  # of p = 1 they are 0, not −0

    @property
    def bits_per_character(self) -> float:
        """Of the whole text."""
        return _bits_per_character(self.log_p + self.spelling, int(self.characters.sum()))

    @property
    def spans(self) -> Iterator[slice]:
        """The tokens of each sentence."""
        return (slice(a, b) for a, b in pairwise(self.begin.tolist()))


def judge(
    system: System, tokenizer: WordTokenizer, pairs: Sequence[tuple[str, str]]
) -> dict[Question, Judged]:
    """What ``system`` thinks of the text, for each question that it has a model of.

    tokenizer: the system's own.
    """
    scores = system.score(pairs)
    found = {}
    for question, overall in perplexities(scores).items():
        source = question == "P(x|y)"
        tokens = system.tokenize([pair[not source] for pair in pairs])
        judged = _flat(overall, tokens, by_question(scores)[question], tokenizer)
        unknown = [word for word, oov in zip(judged.words, judged.is_oov, strict=True) if oov]
        judged.spelling[judged.is_oov] = system.spell(unknown, source)
        found[question] = judged
    return found


def _flat(
    overall: Perplexity,
    tokens: Sequence[list[str]],
    values: Sequence[LogProbability | None],
    tokenizer: WordTokenizer,
) -> Judged:
    scores = [value.by_token for value in values if value and value.by_token]
    orders = [score.order for score in scores if score.order is not None]
    lengths = [len(words) + 1 for words in tokens]
    assert [len(score.log_p) for score in scores] == lengths, "a token without a value"
    return Judged(
        overall,
        words=[word for words in tokens for word in (*words, END)],
        log_p=np.concatenate([score.log_p for score in scores]),
        is_oov=np.concatenate([score.is_oov for score in scores]),
        order=np.concatenate(orders) if orders else None,
        begin=np.cumsum([0, *lengths]),
        spelling=np.zeros(sum(lengths)),
        characters=np.array([len(tokenizer.detokenize(words)) + 1 for words in tokens]),
    )


def _bits_per_character(log_p: NDArray[np.float64], characters: int) -> float:
    return float(-log_p.sum()) / math.log(2) / characters


# --- splits


def splits(judged: Judged, counts: Mapping[str, int] | None = None) -> Splits:
    """The text in groups by each property that is known, those without tokens among them.

    counts: how often each word stands in the training text.
    """
    is_end = np.zeros(len(judged.words), dtype=np.bool_)
    is_end[judged.begin[1:] - 1] = True
    position = np.arange(len(is_end)) - judged.begin[:-1].repeat(np.diff(judged.begin)) + 1
    found = {"oov": _groups(judged, judged.is_oov, ["known", "unknown"])}
    if counts is not None:
        frequency = np.array([counts.get(word, 0) for word in judged.words])
        found["frequency"] = _binned(judged, frequency, FREQUENCIES, is_end)
    found["position"] = _binned(judged, position, POSITIONS, is_end)
    if judged.order is not None:
        labels = [str(1 + k) for k in range(int(judged.order.max()))]
        found["order"] = _groups(judged, judged.order - 1, labels)
    return found


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


def _binned(
    judged: Judged, values: NDArray[Any], begins: Sequence[int], is_end: NDArray[np.bool_]
) -> list[Group]:
    """Words by ranges of their value, and each ``</s>``, which is no word, by itself."""
    labels = [*ranges(begins), END]
    index = np.where(is_end, len(begins), np.digitize(values, begins) - 1)
    return _groups(judged, index, labels)


def _groups(judged: Judged, index: NDArray[Any], labels: Sequence[str]) -> list[Group]:
    """index: (T,), the number of each token's label."""
    tokens = np.bincount(index, minlength=len(labels)).tolist()
    log_p = np.bincount(index, judged.log_p, len(labels)).tolist()
    return [Group(*of) for of in zip(labels, tokens, log_p, strict=True)]


# --- JSON


def as_json(judged: Judged, groups: Splits, missing: str) -> dict[str, Any]:
    """Figures of the text, of each group and of each sentence; ``None`` for what is infinite.

    missing: why there is no split by frequency, if there is none.
    """
    overall = {key: _finite(value) for key, value in asdict(judged.perplexity).items()}
    return {
        **overall,
        "bits_per_character": _finite(judged.bits_per_character),
        "characters": int(judged.characters.sum()),
        "splits": {
            name: [
                {**asdict(g), "log_p": _finite(g.log_p), "perplexity": _finite(g.perplexity)}
                for g in of
            ]
            for name, of in groups.items()
        },
        "no_frequency": missing,
        "sentences": [_sentence(judged, s, span) for s, span in enumerate(judged.spans)],
    }


def _sentence(judged: Judged, s: int, span: slice) -> dict[str, Any]:
    """A sentence: its figures, and an entry a token in ``text``, ``log_p``, ``oov``, ``order``."""
    log_p, characters = judged.log_p[span], int(judged.characters[s])
    bits = _bits_per_character(log_p + judged.spelling[span], characters)
    return {
        "perplexity": _finite(perplexity_of(log_p.tolist(), len(log_p))),
        "bits_per_character": _finite(bits),
        "characters": characters,
        "text": judged.words[span],
        "log_p": [_finite(value) for value in log_p.tolist()],
        "oov": judged.is_oov[span].tolist(),
        "order": None if judged.order is None else judged.order[span].tolist(),
    }


def _finite(value: Any) -> Any:
    """JSON has no infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
