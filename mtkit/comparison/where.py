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

Intervals are 95 %, over sentences.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtkit.evaluation.intervals import Interval, draws, interval
from mtkit.evaluation.perplexity import FREQUENCIES, ranges
from mtkit.text.tokenizer import WordTokenizer

CASES = ("lower", "upper", "title", "other")
KINDS = ("number", "punctuation", "function", "name", "other")
JUMPS = (0, 1, 3, 6)  # where each group begins
HALF = 0.5  # of the running words: function words
LONGEST = 4  # words of an n-gram
TELLING = 10  # n-grams that are shown of each system

Words = Sequence[str]
Links = Sequence[tuple[int, int]]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Text:
    """A test set in tokens, and what is known of its words.

    links: (source, reference) token numbers of each sentence; ``None`` where nobody can align.
    source_counts, counts: how often words stand in the training text; ``None`` if it is not there.
    """

    source: Sequence[Words]
    reference: Sequence[Words]
    links: Sequence[Links] | None = None
    source_counts: Counter[str] | None = None
    counts: Counter[str] | None = None


@dataclass(frozen=True)
class Accuracy:
    """Of one system's words of one group; ``None`` where that cannot be told of the output."""

    precision: float | None
    recall: Interval
    f1: Interval | None


@dataclass(frozen=True)
class Grouping:
    """Words by ``by``. words: how many, of the reference or of the source, are in each group."""

    by: str
    labels: list[str]
    words: list[int]
    systems: dict[str, list[Accuracy]]


def groupings(text: Text, outputs: dict[str, Sequence[Words]]) -> list[Grouping]:
    """All that ``text`` knows enough for. outputs: name → tokens of each sentence."""
    found = []
    if text.counts is not None:
        counts = text.counts
        found.append(
            _by_word(text, outputs, "frequency", ranges(FREQUENCIES), lambda _, w: _bin(counts[w]))
        )
    common = function_words(text.counts or Counter(w for words in text.reference for w in words))
    sources = [set(words) for words in text.source]

    def kind(s: int, word: str) -> int:
        return KINDS.index(kind_of(word, common, sources[s]))

    found.append(_by_word(text, outputs, "kind", list(KINDS), kind))
    if any(case_of(word) in ("upper", "title") for words in text.reference for word in words):
        found.append(
            _by_word(text, outputs, "case", list(CASES), lambda _, w: CASES.index(case_of(w)))
        )
    if text.links is not None:
        found.append(_by_place(text, outputs, "jump", ranges(JUMPS), _jumps(text)))
        if text.source_counts is not None:
            found.append(_by_source(text, outputs, text.source_counts))
    return found


def function_words(counts: Counter[str]) -> set[str]:
    """The most frequent words, which together are half of the text."""
    wanted, found = HALF * counts.total(), set()
    for word, count in counts.most_common():
        if wanted <= 0:
            break
        found.add(word)
        wanted -= count
    return found


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


def _by_word(
    text: Text,
    outputs: dict[str, Sequence[Words]],
    by: str,
    labels: list[str],
    group: Callable[[int, str], int],
) -> Grouping:
    """group: the number of the label that a word of a sentence has, in output or reference."""
    N, G = len(text.reference), len(labels)
    words = np.zeros((N, G), np.int64)
    for s, reference in enumerate(text.reference):
        for word in reference:
            words[s, group(s, word)] += 1
    systems = {}
    for name, output in outputs.items():
        matched, made = np.zeros((N, G), np.int64), np.zeros((N, G), np.int64)
        for s, reference in enumerate(text.reference):
            for word, at in zip(output[s], matches(reference, output[s]), strict=True):
                g = group(s, word)
                made[s, g] += 1
                matched[s, g] += at >= 0
        systems[name] = _accuracies(matched, words, made)
    return Grouping(by, labels, words.sum(0).tolist(), systems)


def _by_place(
    text: Text,
    outputs: dict[str, Sequence[Words]],
    by: str,
    labels: list[str],
    groups: Sequence[Sequence[int]],
) -> Grouping:
    """groups: the label of each word of the reference, −1 for none."""
    N, G = len(text.reference), len(labels)

    def count(chosen: Iterator[tuple[int, int]]) -> Counts:
        found = np.zeros((N, G), np.int64)
        for s, at in chosen:
            if (g := groups[s][at]) >= 0:
                found[s, g] += 1
        return found

    words = count((s, at) for s in range(N) for at in range(len(groups[s])))
    systems = {}
    for name, output in outputs.items():
        found = [matches(r, o) for r, o in zip(text.reference, output, strict=True)]
        right = count((s, at) for s in range(N) for at in found[s] if at >= 0)
        systems[name] = _accuracies(right, words)
    return Grouping(by, labels, words.sum(0).tolist(), systems)


def _jumps(text: Text) -> list[list[int]]:
    """The group of each word of the reference that is aligned, as the one before it is."""
    assert text.links is not None
    found = []
    for reference, links in zip(text.reference, text.links, strict=True):
        places = defaultdict(list)
        for i, j in links:
            places[j].append(i)
        before, groups = range(0), []
        for j in range(len(reference)):
            if at := places.get(j):
                shared = any(i in before for i in at)
                jump = 0 if shared else abs(min(at) - before.stop)
                groups.append(int(np.digitize(jump, JUMPS)) - 1)
                before = range(min(at), max(at) + 1)
            else:
                groups.append(-1)
        found.append(groups)
    return found


def _by_source(text: Text, outputs: dict[str, Sequence[Words]], counts: Counter[str]) -> Grouping:
    """Words of the source by their frequency, each right if all it is aligned to is matched."""
    assert text.links is not None
    labels = ranges(FREQUENCIES)
    N, G = len(text.source), len(labels)
    groups = [[_bin(counts[word]) for word in words] for words in text.source]
    words = np.array([np.bincount(g, minlength=G) for g in groups])
    systems = {}
    for name, output in outputs.items():
        right = np.zeros((N, G), np.int64)
        for s, links in enumerate(text.links):
            matched = set(matches(text.reference[s], output[s]))
            missed = {i for i, j in links if j not in matched}
            for i in {i for i, _ in links} - missed:
                right[s, groups[s][i]] += 1
        systems[name] = _accuracies(right, words)
    return Grouping("source frequency", labels, words.sum(0).tolist(), systems)


def _bin(count: int) -> int:
    return int(np.searchsorted(FREQUENCIES, count, "right")) - 1


def _accuracies(matched: Counts, words: Counts, made: Counts | None = None) -> list[Accuracy]:
    """From counts of each sentence and group, all (N, G)."""
    _, sentences = draws(1, len(words))

    def shares(part: Counts, whole: Counts) -> list[Interval]:
        total, right = sentences @ whole, sentences @ part
        found = list[Interval]()
        for g in range(whole.shape[1]):
            some = total[:, g] > 0  # a resample without such words tells nothing
            if not some.any():
                found.append(Interval(0.0, 0.0, 0.0))
                continue
            value = part[:, g].sum() / whole[:, g].sum()
            found.append(interval(value, right[some, g] / total[some, g]))
        return found

    recall = shares(matched, words)
    if made is None:
        return [Accuracy(None, r, None) for r in recall]
    precision, f1 = shares(matched, made), shares(2 * matched, words + made)
    return [Accuracy(p.value, r, f) for p, r, f in zip(precision, recall, f1, strict=True)]


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
    found: list[Telling]


def ngrams(references: Sequence[Words], outputs: dict[str, Sequence[Words]]) -> list[Ngrams]:
    """Of two systems, both ways."""
    wanted = [_ngrams_of(words) for words in references]
    total = _sum(wanted)
    matched = {
        name: _sum(_ngrams_of(o) & r for o, r in zip(output, wanted, strict=True))
        for name, output in outputs.items()
    }
    one, two = outputs
    found = []
    for ahead, behind in ((one, two), (two, one)):
        a, b = matched[ahead], matched[behind]
        best = sorted(a, key=lambda g: (-(a[g] + 1) / (a[g] + b[g] + 2), g))[:TELLING]
        telling = [Telling(tuple(g), total[g], a[g], b[g]) for g in best if a[g] > b[g]]
        found.append(Ngrams(ahead, behind, telling))
    return found


def _sum(counts: Iterable[Counter[Words]]) -> Counter[Words]:
    found = Counter[Words]()
    for of in counts:
        found.update(of)
    return found


def _ngrams_of(words: Words) -> Counter[Words]:
    """The n-grams of a sentence for n = 1 … ``LONGEST``."""
    spans = [
        tuple(words[i : i + n]) for n in range(1, LONGEST + 1) for i in range(len(words) - n + 1)
    ]
    return Counter[Words](spans)
