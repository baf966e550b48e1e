"""Where systems differ: which words they get right, and which n-grams one has and another lacks.

Words are counted as compare-mt counts them (Neubig et al. 2019): the k-th time that a word stands
in an output, it matches the k-th time that it stands in the reference. Over the words of a group,

    precision  P = matched / words of the output      recall  R = matched / words of the reference
    F1 = 2 P R / (P + R) = 2 matched / (words of both)

Groups are of the reference's words by how often they stand in the training text, by kind, by case
where there is any, and by how far they jump; and of the source's words by frequency: of these one
is right if all that it is aligned to in the reference is matched, and wrong if that is nothing.
Words are the tokens of mtkit's tokenizer, not BLEU's.

    kind      number: with a digit; punctuation: no letter; function: of the most frequent words,
              which make half of the training text (or of the references, if that is not there);
              name: with a capital, as in the source
    jump      source words between the end of what the aligned word before is aligned to and the
              beginning of this one's, forward or back; 0 where the two share a source word
    n-gram    of the largest (m_a + 1)/(m_a + m_b + 2), m_a and m_b its matches by two systems

Intervals are 95 %, over sentences, those of a difference of two systems over the same draws of
them. What has no words has no figure.
"""

from __future__ import annotations

from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, combinations, permutations
from operator import and_

import numpy as np
from numpy.typing import NDArray

from mtkit.evaluation.means import Floats, Interval, draws, interval
from mtkit.evaluation.perplexity import FREQUENCIES, ranges
from mtkit.text.tokenizer import WordTokenizer

CASES = ("lower", "upper", "title", "other")
KINDS = ("number", "punctuation", "function", "name", "other")
JUMPS = (0, 1, 3, 6)  # where each group begins
FEWEST = 10  # words of a group: of fewer an interval says nothing
HALF = 0.5  # of the running words: function words
LONGEST = 4  # words of an n-gram
TELLING = 10  # n-grams that are shown of each system

Words = Sequence[str]
Links = Sequence[tuple[int, int]]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Text:
    """A test set in tokens, and what is known of its words."""

    source: Sequence[Words]
    reference: Sequence[Words]
    links: Sequence[Links] | None = None  # (source, reference) tokens; None: nobody can align
    source_counts: Counter[str] | None = None  # in the training text; None: it is not there
    counts: Counter[str] | None = None  # likewise

    def lower(self) -> Text:
        """The same without case."""

        def folded(counts: Counter[str] | None) -> Counter[str] | None:
            return None if counts is None else Counter(map(str.lower, counts.elements()))

        counts = folded(self.source_counts), folded(self.counts)
        return Text(lower(self.source), lower(self.reference), self.links, *counts)


def lower(lines: Sequence[Words]) -> list[Words]:
    """Tokens without case."""
    return [[word.lower() for word in words] for words in lines]


@dataclass(frozen=True)
class Accuracy:
    """Of one system's words of one group; ``None`` where there are none, and where that cannot be
    told of the output.
    """

    precision: float | None
    recall: Interval | None
    f1: Interval | None


@dataclass(frozen=True)
class Difference:
    """Figure of ``a`` − figure of ``b``, of each group; ``None`` where one of them has none."""

    a: str
    b: str
    by_group: list[Interval | None]


@dataclass(frozen=True)
class Grouping:
    """Words by ``by``. words: how many, of the reference or of the source, are in each group.

    measure: F1, or recall where the output does not tell; differences: of every two systems by it.
    """

    by: str
    labels: list[str]
    words: list[int]
    systems: dict[str, list[Accuracy]]
    measure: str
    differences: list[Difference]


def groupings(text: Text, outputs: Mapping[str, Sequence[Words]]) -> list[Grouping]:
    """All that ``text`` knows enough for. outputs: name → tokens of each sentence."""
    matched = {name: list(map(matches, text.reference, output)) for name, output in outputs.items()}

    def by_word(by: str, labels: Sequence[str], label: Callable[[int, str], str]) -> Grouping:
        """label: of a word of a sentence, in output or reference."""
        groups, *of_outputs = (
            [[labels.index(label(s, word)) for word in words] for s, words in enumerate(side)]
            for side in (text.reference, *outputs.values())
        )
        return _grouping(by, labels, groups, matched, dict(zip(outputs, of_outputs, strict=True)))

    common = function_words(text.counts or Counter(w for words in text.reference for w in words))
    sources = [set(words) for words in text.source]
    frequencies, every = ranges(FREQUENCIES), list[Grouping]()
    if (known := text.counts) is not None:
        seen = {word: frequencies[bisect(FREQUENCIES, n) - 1] for word, n in known.items()}
        every.append(by_word("frequency", frequencies, lambda _, w: seen.get(w, frequencies[0])))
    every.append(by_word("kind", KINDS, lambda s, word: kind_of(word, common, sources[s])))
    if any(case_of(word) in ("upper", "title") for words in text.reference for word in words):
        every.append(by_word("case", CASES, lambda _, word: case_of(word)))
    if text.links is not None:
        every.append(_grouping("jump", ranges(JUMPS), _jumps(text.reference, text.links), matched))
    if text.links is not None and (counts := text.source_counts) is not None:
        groups = [[bisect(FREQUENCIES, counts[w]) - 1 for w in words] for words in text.source]
        right = {name: list(map(_right, text.links, of)) for name, of in matched.items()}
        every.append(_grouping("source frequency", frequencies, groups, right))
    return every


def function_words(counts: Counter[str]) -> set[str]:
    """The most frequent words, which together are half of the text."""
    ranked = counts.most_common()
    before = accumulate((count for _, count in ranked), initial=0)
    half = HALF * counts.total()
    return {word for (word, _), words in zip(ranked, before, strict=False) if words < half}


def kind_of(word: str, common: set[str], source: set[str]) -> str:
    """One of ``KINDS``.

    >>> [kind_of(w, {"the"}, {"Weber"}) for w in ("1st", "?!", "the", "Weber", "Haus")]
    ['number', 'punctuation', 'function', 'name', 'other']
    """
    plain = WordTokenizer().detokenize([word])  # without marks and escapes
    if any(c.isdigit() for c in plain):
        return "number"
    if not any(c.isalpha() for c in plain):
        return "punctuation"
    if word in common or word.lower() in common:
        return "function"
    return "name" if word in source and word != word.lower() else "other"


def case_of(word: str) -> str:
    """One of ``CASES``.

    >>> [case_of(w) for w in ("haus", "USA", "Haus", "3.5", "iPhone")]
    ['lower', 'upper', 'title', 'other', 'other']
    """
    if word.islower():
        return "lower"
    if word.isupper():
        return "upper"
    return "title" if word.istitle() else "other"


def matches(reference: Words, output: Words) -> list[int]:
    """The place in ``reference`` that each word of ``output`` matches, −1 for none."""
    places = defaultdict(list)
    for at, word in enumerate(reference):
        places[word].append(at)
    free = {word: iter(at) for word, at in places.items()}
    return [next(free.get(word, iter(())), -1) for word in output]


# --- groups

Groups = Sequence[Sequence[int]]  # the label of each word of each sentence, −1 for none


def _grouping(
    by: str,
    labels: Sequence[str],
    groups: Groups,
    right: Mapping[str, Groups],
    of_outputs: Mapping[str, Groups] | None = None,
) -> Grouping:
    """groups: of counted words; right: places of those each system got; of_outputs: of its own."""
    G = len(labels)
    words = _count(groups, G)
    systems, shares = {}, {}
    for name, places in right.items():
        got = [[of[at] for at in line if at >= 0] for of, line in zip(groups, places, strict=True)]
        matched = _count(got, G)
        recall = shares[name] = _shares(matched, words)
        if of_outputs is None:
            systems[name] = [Accuracy(None, r, None) for r in _intervals(recall)]
        else:
            own = _count(of_outputs[name], G)
            precision, f1 = _shares(matched, own), _shares(2 * matched, words + own)
            shares[name] = f1
            sides = zip(*map(_intervals, (precision, recall, f1)), strict=True)
            systems[name] = [Accuracy(p and p.value, r, f) for p, r, f in sides]
    every = combinations(shares, 2)
    differences = [Difference(a, b, _intervals(shares[a] - shares[b])) for a, b in every]
    measure = "recall" if of_outputs is None else "F1"
    return Grouping(by, list(labels), words.sum(0).tolist(), systems, measure, differences)


def _count(groups: Groups, G: int) -> Counts:
    """Words of each sentence and group, (N, G)."""
    return np.array([np.bincount([g for g in of if g >= 0], minlength=G) for of in groups])


def _jumps(reference: Sequence[Words], links: Sequence[Links]) -> Groups:
    """The group of each word of the reference that is aligned, as the one before it is."""
    jumps = []
    for words, of in zip(reference, links, strict=True):
        places = defaultdict(list)
        for i, j in of:
            places[j].append(i)
        before, groups = range(0), [-1] * len(words)
        for j, at in sorted(places.items()):
            shared = any(i in before for i in at)
            groups[j] = bisect(JUMPS, 0 if shared else abs(min(at) - before.stop)) - 1
            before = range(min(at), max(at) + 1)
        jumps.append(groups)
    return jumps


def _right(links: Links, matched: Sequence[int]) -> list[int]:
    """The source words of which all that they are aligned to is matched."""
    reached = set(matched)
    missed = {i for i, j in links if j not in reached}
    return sorted({i for i, _ in links} - missed)


def _shares(part: Counts, whole: Counts) -> Floats:
    """Σ part / Σ whole of each group, of all sentences and of drawn ones, (1 + RESAMPLES, G); NaN
    where there are no words.
    """
    sentences = draws(len(whole))
    with np.errstate(invalid="ignore"):
        drawn = (sentences @ part) / (sentences @ whole)
        return np.vstack([part.sum(0) / whole.sum(0), drawn])


def _intervals(figures: Floats) -> list[Interval | None]:
    """Of each group; figures: (1 + RESAMPLES, G), see ``_shares``."""

    def of(value: float, drawn: Floats) -> Interval | None:
        # A resample without such words tells nothing.
        return None if np.isnan(value) else interval(value, drawn[~np.isnan(drawn)])

    return [of(column[0], column[1:]) for column in figures.T]


# --- n-grams


@dataclass(frozen=True)
class Telling:
    """An n-gram of the references: how often it stands there, and is matched by two systems."""

    ngram: tuple[str, ...]
    reference: int
    ahead: int
    behind: int


@dataclass(frozen=True)
class Ngrams:
    """What ``ahead`` gets and ``behind`` misses, the most telling first."""

    ahead: str
    behind: str
    ngrams: list[Telling]


def ngrams(references: Sequence[Words], outputs: Mapping[str, Sequence[Words]]) -> list[Ngrams]:
    """Of two systems, both ways."""
    wanted = [_ngrams_of(words) for words in references]
    total = _sum(wanted)
    matched = {
        name: _sum(map(and_, map(_ngrams_of, output), wanted)) for name, output in outputs.items()
    }
    both_ways = []
    for (ahead, a), (behind, b) in permutations(matched.items(), 2):
        best = sorted(a, key=lambda g: (-(a[g] + 1) / (a[g] + b[g] + 2), g))[:TELLING]
        telling = [Telling(tuple(g), total[g], a[g], b[g]) for g in best if a[g] > b[g]]
        both_ways.append(Ngrams(ahead, behind, telling))
    return both_ways


def _sum(counts: Iterable[Counter[Words]]) -> Counter[Words]:
    return Counter(chain.from_iterable(map(Counter.elements, counts)))


def _ngrams_of(words: Words) -> Counter[Words]:
    """The n-grams of a sentence for n = 1 … ``LONGEST``."""
    sizes = range(1, LONGEST + 1)
    return Counter(tuple(words[i : i + n]) for n in sizes for i in range(len(words) - n + 1))
