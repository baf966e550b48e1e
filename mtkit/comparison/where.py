"""Where systems differ: the words they get right, and the n-grams that one matches more often.

Words are matched as in compare-mt (Neubig et al. 2019): the k-th occurrence of a word in an output
matches its k-th occurrence in the reference. Over the words of a group,

    precision  P = matched / words of the output      recall  R = matched / words of the reference
    F1 = 2 P R / (P + R) = 2 matched / (words of both)

Reference words are grouped by frequency in the training text, by kind, by case (if there are
capitals) and by reordering distance (jump). Source words are grouped by frequency; a source word is
right if it is aligned and all reference words aligned to it are matched. Words are the tokens of
mtkit's tokenizer, not BLEU's.

    kind      number: has a digit; punctuation: has no letter; function: one of the most frequent
              words, which make up half of the training text (or of the references, if there is no
              training text); name: has a capital and is also in the source; other: all others
    jump      number of source words skipped, forward or back, between the source span of the
              previous aligned word and that of this word; 0 if this word's links meet that span
    n-gram    those of the largest (m_a + 1)/(m_a + m_b + 2), m_a and m_b the matches of two systems

Intervals are 95 %, over resamples of the sentences; a difference of two systems uses the same
resamples for both. A group without words has no figure.
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
JUMPS = (0, 1, 3, 6)  # the first value of each group
MIN_WORDS = 10  # words that a group needs for a meaningful interval
FUNCTION_WORD_SHARE = 0.5  # share of function words in the running words
MAX_ORDER = 4  # highest n-gram order
MAX_NGRAMS = 10  # n-grams shown per system, at most

Words = Sequence[str]
Links = Sequence[tuple[int, int]]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Text:
    """A test set as tokens, with word alignment and word frequencies where these are known."""

    source: Sequence[Words]
    reference: Sequence[Words]
    links: Sequence[Links] | None = None  # (source, reference) positions; None: no aligner
    source_counts: Counter[str] | None = None  # in the training text; None: it is missing
    counts: Counter[str] | None = None  # of target words, likewise

    def lower(self) -> Text:
        """Return the text in lower case."""

        def folded(counts: Counter[str] | None) -> Counter[str] | None:
            return None if counts is None else Counter(map(str.lower, counts.elements()))

        counts = folded(self.source_counts), folded(self.counts)
        return Text(lower(self.source), lower(self.reference), self.links, *counts)


def lower(lines: Sequence[Words]) -> list[Words]:
    """Return the tokens in lower case."""
    return [[word.lower() for word in words] for words in lines]


@dataclass(frozen=True)
class Accuracy:
    """One system's scores for the words of one group, 0 to 1; ``None`` without words.

    precision, f1: also ``None`` if output words have no group.
    """

    precision: float | None
    recall: Interval | None
    f1: Interval | None


@dataclass(frozen=True)
class Difference:
    """Score of ``a`` − score of ``b`` in each group; ``None`` if one of them has no score."""

    a: str
    b: str
    by_group: list[Interval | None]


@dataclass(frozen=True)
class Grouping:
    """Words grouped by ``by``. words: number of reference words, or source words, in each group.

    measure: F1, or recall if output words have no group. differences: of every two systems, by it.
    """

    by: str
    labels: list[str]
    words: list[int]
    systems: dict[str, list[Accuracy]]
    measure: str
    differences: list[Difference]


def groupings(text: Text, outputs: Mapping[str, Sequence[Words]]) -> list[Grouping]:
    """Return all groupings that the data in ``text`` allow. outputs: name → tokens by sentence."""
    matched = {name: list(map(matches, text.reference, output)) for name, output in outputs.items()}

    def by_word(by: str, labels: Sequence[str], label: Callable[[int, str], str]) -> Grouping:
        """Group the words of outputs and reference. label: of (sentence number, word)."""
        groups, *of_outputs = (
            [[labels.index(label(s, word)) for word in words] for s, words in enumerate(side)]
            for side in (text.reference, *outputs.values())
        )
        return _grouping(by, labels, groups, matched, dict(zip(outputs, of_outputs, strict=True)))

    common = function_words(text.counts or Counter(w for words in text.reference for w in words))
    sources = [set(words) for words in text.source]
    frequencies, result = ranges(FREQUENCIES), list[Grouping]()
    if (target_counts := text.counts) is not None:
        bins = {word: frequencies[bisect(FREQUENCIES, n) - 1] for word, n in target_counts.items()}
        result.append(by_word("frequency", frequencies, lambda _, w: bins.get(w, frequencies[0])))
    result.append(by_word("kind", KINDS, lambda s, word: kind_of(word, common, sources[s])))
    if any(case_of(word) in ("upper", "title") for words in text.reference for word in words):
        result.append(by_word("case", CASES, lambda _, word: case_of(word)))
    if text.links is not None:
        result.append(_grouping("jump", ranges(JUMPS), _jumps(text.reference, text.links), matched))
    if text.links is not None and (counts := text.source_counts) is not None:
        groups = [[bisect(FREQUENCIES, counts[w]) - 1 for w in words] for words in text.source]
        right = {name: list(map(_right, text.links, places)) for name, places in matched.items()}
        result.append(_grouping("source frequency", frequencies, groups, right))
    return result


def function_words(counts: Counter[str]) -> set[str]:
    """Return the most frequent words, which together make up half of the running words."""
    ranked = counts.most_common()
    before = accumulate((count for _, count in ranked), initial=0)
    half = FUNCTION_WORD_SHARE * counts.total()
    return {word for (word, _), words in zip(ranked, before, strict=False) if words < half}


def kind_of(word: str, common: set[str], source: set[str]) -> str:
    """Return which of ``KINDS`` a word is. common: function words. source: the source's words.

    >>> [kind_of(w, {"the"}, {"Weber"}) for w in ("1st", "?!", "the", "Weber", "Haus")]
    ['number', 'punctuation', 'function', 'name', 'other']
    """
    plain = WordTokenizer().detokenize([word])  # without joiner marks and escapes
    if any(c.isdigit() for c in plain):
        return "number"
    if not any(c.isalpha() for c in plain):
        return "punctuation"
    if word in common or word.lower() in common:
        return "function"
    return "name" if word in source and word != word.lower() else "other"


def case_of(word: str) -> str:
    """Return which of ``CASES`` a word has.

    >>> [case_of(w) for w in ("haus", "USA", "Haus", "3.5", "iPhone")]
    ['lower', 'upper', 'title', 'other', 'other']
    """
    if word.islower():
        return "lower"
    if word.isupper():
        return "upper"
    return "title" if word.istitle() else "other"


def matches(reference: Words, output: Words) -> list[int]:
    """Return the position in ``reference`` that each word of ``output`` matches, −1 for none."""
    places = defaultdict(list)
    for at, word in enumerate(reference):
        places[word].append(at)
    unused = {word: iter(at) for word, at in places.items()}
    return [next(unused.get(word, iter(())), -1) for word in output]


# --- groups

Groups = Sequence[Sequence[int]]  # the label's index for each word of each sentence, −1: none


def _grouping(
    by: str,
    labels: Sequence[str],
    groups: Groups,
    right: Mapping[str, Groups],
    of_outputs: Mapping[str, Groups] | None = None,
) -> Grouping:
    """Count the words of each group and score the systems.

    groups: of reference or source words. right: positions of those each system gets right, −1:
    none. of_outputs: groups of the systems' output words.
    """
    G = len(labels)
    words = _count(groups, G)
    systems, shares = {}, {}
    for name, places in right.items():
        hits = [[row[i] for i in line if i >= 0] for row, line in zip(groups, places, strict=True)]
        matched = _count(hits, G)
        recall = shares[name] = _shares(matched, words)
        if of_outputs is None:
            systems[name] = [Accuracy(None, r, None) for r in _intervals(recall)]
        else:
            produced = _count(of_outputs[name], G)
            precision, f1 = _shares(matched, produced), _shares(2 * matched, words + produced)
            shares[name] = f1
            sides = zip(*map(_intervals, (precision, recall, f1)), strict=True)
            systems[name] = [Accuracy(p and p.value, r, f) for p, r, f in sides]
    pairs = combinations(shares, 2)
    differences = [Difference(a, b, _intervals(shares[a] - shares[b])) for a, b in pairs]
    measure = "recall" if of_outputs is None else "F1"
    return Grouping(by, list(labels), words.sum(0).tolist(), systems, measure, differences)


def _count(groups: Groups, G: int) -> Counts:
    """Number of words of each sentence and group, int64 (N, G)."""
    return np.array([np.bincount([g for g in line if g >= 0], minlength=G) for line in groups])


def _jumps(reference: Sequence[Words], links: Sequence[Links]) -> Groups:
    """Return the group of each reference word by its jump (see the head), −1 if it is unaligned."""
    jumps = []
    for words, line_links in zip(reference, links, strict=True):
        positions = defaultdict(list)
        for i, j in line_links:
            positions[j].append(i)
        before, groups = range(0), [-1] * len(words)
        for j, aligned in sorted(positions.items()):
            overlaps = any(i in before for i in aligned)
            groups[j] = bisect(JUMPS, 0 if overlaps else abs(min(aligned) - before.stop)) - 1
            before = range(min(aligned), max(aligned) + 1)
        jumps.append(groups)
    return jumps


def _right(links: Links, matched: Sequence[int]) -> list[int]:
    """Return the aligned source words whose reference words are all matched."""
    reached = set(matched)
    missed = {i for i, j in links if j not in reached}
    return sorted({i for i, _ in links} - missed)


def _shares(part: Counts, whole: Counts) -> Floats:
    """Σ part / Σ whole of each group: of all sentences, then of resamples, (1 + RESAMPLES, G).

    NaN if there are no words.
    """
    resamples = draws(len(whole))
    with np.errstate(invalid="ignore"):
        drawn = (resamples @ part) / (resamples @ whole)
        return np.vstack([part.sum(0) / whole.sum(0), drawn])


def _intervals(figures: Floats) -> list[Interval | None]:
    """Return the interval of each group. figures: (1 + RESAMPLES, G), see ``_shares``."""

    def interval_of(value: float, drawn: Floats) -> Interval | None:
        # A resample without words of the group has no figure.
        return None if np.isnan(value) else interval(value, drawn[~np.isnan(drawn)])

    return [interval_of(column[0], column[1:]) for column in figures.T]


# --- n-grams


@dataclass(frozen=True)
class NgramMatches:
    """An n-gram: its occurrences in the references and its matches by two systems."""

    ngram: tuple[str, ...]
    reference: int
    ahead: int
    behind: int


@dataclass(frozen=True)
class Ngrams:
    """N-grams that ``ahead`` matches more often than ``behind``, the most distinctive first."""

    ahead: str
    behind: str
    ngrams: list[NgramMatches]


def ngrams(references: Sequence[Words], outputs: Mapping[str, Sequence[Words]]) -> list[Ngrams]:
    """Return the distinctive n-grams of each system against each other one."""
    expected = [_ngrams_of(words) for words in references]
    total = _sum(expected)
    matched = {
        name: _sum(map(and_, map(_ngrams_of, output), expected)) for name, output in outputs.items()
    }
    both_ways = []
    for (ahead, a), (behind, b) in permutations(matched.items(), 2):
        best = sorted(a, key=lambda g: (-(a[g] + 1) / (a[g] + b[g] + 2), g))[:MAX_NGRAMS]
        telling = [NgramMatches(tuple(g), total[g], a[g], b[g]) for g in best if a[g] > b[g]]
        both_ways.append(Ngrams(ahead, behind, telling))
    return both_ways


def _sum(counts: Iterable[Counter[Words]]) -> Counter[Words]:
    return Counter(chain.from_iterable(map(Counter.elements, counts)))


def _ngrams_of(words: Words) -> Counter[Words]:
    """The n-grams of a sentence for n = 1 … ``MAX_ORDER``."""
    sizes = range(1, MAX_ORDER + 1)
    return Counter(tuple(words[i : i + n]) for n in sizes for i in range(len(words) - n + 1))
