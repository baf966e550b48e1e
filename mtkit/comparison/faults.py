"""Errors of a system: search and model errors, repetitions, omissions, unknown words.

Errors (Germann et al. 2001): score(reference) > score(output) is a search error: the search missed
a translation that the model prefers. Otherwise it is a model error. A search ``WIDER`` times as
wide shows search errors without a reference.

    repeated    occurrences of bigrams in the output beyond their number in the reference (one is
                always allowed), divided by the words of the output
    uncovered   source words that no output word comes from: no phrase of the derivation links
                them, no output subword has its largest attention weight on them
    omitted     source words aligned to the reference but to no word of the output, by one word
                aligner for all systems
    unknown     source words that are not in the training text: copied if also in the output, right
                if in the reference as well
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from mtkit.comparison.record import Record
from mtkit.comparison.where import Links, Text, Words

WIDER = 5
EQUAL = 1e-5  # scores that differ by less count as equal


@dataclass(frozen=True)
class Errors:
    """Numbers of test sentences."""

    reached: int  # the system can produce the reference
    same: int  # of these: the output is the reference
    search: int  # of these: the model prefers the reference, but the search did not find it
    model: int  # of these: the model does not prefer the reference to its output
    wider: int  # of all: a search ``WIDER`` times as wide finds a higher model score


def errors(record: Record, references: Sequence[Words]) -> Errors:
    """Count search and model errors by the model scores of outputs and references.

    references: in the system's tokens. The system cannot produce a reference without a ``model``
    score. Blank sentences and those translated in pieces count only in ``wider``.
    """
    reached = [
        (h.tokens == list(reference), score.model - h.score)
        for h, reference, score in zip(record.best, references, record.scores, strict=True)
        if score.model is not None and h.pieces == 1 and (h.tokens or reference)
    ]
    gains = [gain for same, gain in reached if not same]
    search = sum(gain > EQUAL for gain in gains)
    wider = sum(w - h.score > EQUAL for w, h in zip(record.wider, record.best, strict=True))
    same = len(reached) - len(gains)
    return Errors(len(reached), same, search, len(gains) - search, wider)


@dataclass(frozen=True)
class Coverage:
    """Shares, 0 to 1; ``None`` without word alignment."""

    repeated: float  # of the output words
    uncovered: float | None  # of the source words
    omitted: float | None  # of the source words


def coverage(
    text: Text,
    output: Sequence[Words],
    system_links: Sequence[Links] | None = None,
    aligned: Sequence[Links] | None = None,
) -> Coverage:
    """Return the shares of repeated, uncovered and omitted words; see the head of the module.

    system_links: (source, output) links of the system. aligned: those of the word aligner.
    """
    source_words, output_words = (max(1, sum(map(len, side))) for side in (text.source, output))
    repeated = sum(map(_repeated, output, text.reference))
    uncovered = omitted = None
    if system_links is not None and any(system_links):
        linked = [{i for i, _ in links} for links in system_links]
        uncovered = 1 - sum(map(len, linked)) / source_words
    if aligned is not None and text.links is not None:
        sides = zip(text.links, aligned, strict=True)
        missing = [{i for i, _ in expected} - {i for i, _ in links} for expected, links in sides]
        omitted = sum(map(len, missing)) / source_words
    return Coverage(repeated / output_words, uncovered, omitted)


def _repeated(output: Words, reference: Words) -> int:
    allowed = Counter(pairwise(reference))
    return sum(max(0, n - max(1, allowed[pair])) for pair, n in Counter(pairwise(output)).items())


@dataclass(frozen=True)
class Unknown:
    """Numbers of unknown source words: all; in the output; in the reference (expected); in both."""

    words: int
    copied: int
    expected: int
    right: int


def unknown(text: Text, output: Sequence[Words]) -> Unknown | None:
    """Count the unknown source words; ``None`` without the training text."""
    if text.source_counts is None:
        return None
    sides = zip(text.source, map(set, output), map(set, text.reference), strict=True)
    occurs_in = [
        (word in output_words, word in reference_words)
        for words, output_words, reference_words in sides
        for word in words
        if not text.source_counts[word]
    ]
    copied, expected = (sum(occurs[side] for occurs in occurs_in) for side in (0, 1))
    return Unknown(len(occurs_in), copied, expected, right=sum(map(all, occurs_in)))
