"""Why a system errs: its search or its model, words left out or said twice, words it never saw.

Errors (Germann et al. 2001): score(reference) > score(output) is an error of the search, which
missed what the model prefers; otherwise the model itself prefers another translation. A search
``WIDER`` times as wide tells the same without a reference.

    repeated    bigrams of the output beyond their number in the reference, each once free, by the
                words of the output
    uncovered   source words of which nothing in the output was made: no phrase of the derivation
                links them, no subword of the output looked at them most
    omitted     source words that are aligned to the reference but to nothing in the output, by one
                model of words for all systems
    unknown     source words that the training text lacks: copied if they stand in the output too,
                rightly so if in the reference as well
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from mtkit.comparison.record import Record
from mtkit.comparison.where import Links, Text, Words

WIDER = 5
EQUAL = 1e-5  # scores that differ by less are the same


@dataclass(frozen=True)
class Errors:
    """In how many test sentences …"""

    reached: int  # the system can make the reference
    same: int  # it does
    search: int  # the model prefers the reference, but the search did not find it
    model: int  # it prefers another translation
    wider: int  # a search ``WIDER`` times as wide finds what the model prefers


def errors(record: Record, references: Sequence[Words]) -> Errors:
    """references: in the system's tokens; ``model`` of their scores is that of the best derivation.

    A reference without such a score is one that the system cannot make; sentences that it made in
    pieces, and those that are blank, are no part of this.
    """
    reached = [
        (h.tokens == list(reference), score.model - h.score)
        for h, reference, score in zip(record.best, references, record.scores, strict=True)
        if score.model is not None and h.pieces == 1 and (h.tokens or reference)
    ]
    others = [gain for same, gain in reached if not same]
    search = sum(gain > EQUAL for gain in others)
    wider = sum(w - h.score > EQUAL for w, h in zip(record.wider, record.best, strict=True))
    same = len(reached) - len(others)
    return Errors(len(reached), same, search, len(others) - search, wider)


@dataclass(frozen=True)
class Coverage:
    """Shares, 0 to 1; ``None`` where nobody can align the words."""

    repeated: float  # of the words of the output
    uncovered: float | None  # of the source's
    omitted: float | None  # of the source's


def coverage(
    text: Text,
    output: Sequence[Words],
    made_from: Sequence[Links] | None = None,
    aligned: Sequence[Links] | None = None,
) -> Coverage:
    """made_from: links of source and output words by the system; aligned: by the model of words."""
    of_source, of_output = (max(1, sum(map(len, side))) for side in (text.source, output))
    again = sum(map(_repeated, output, text.reference))
    uncovered = omitted = None
    if made_from is not None and any(made_from):
        linked = [{i for i, _ in links} for links in made_from]
        uncovered = 1 - sum(map(len, linked)) / of_source
    if aligned is not None and text.links is not None:
        sides = zip(text.links, aligned, strict=True)
        missing = [{i for i, _ in wanted} - {i for i, _ in links} for wanted, links in sides]
        omitted = sum(map(len, missing)) / of_source
    return Coverage(again / of_output, uncovered, omitted)


def _repeated(output: Words, reference: Words) -> int:
    free = Counter(pairwise(reference))
    return sum(max(0, n - max(1, free[pair])) for pair, n in Counter(pairwise(output)).items())


@dataclass(frozen=True)
class Unknown:
    """Unknown source words: all, copied to the output, in the reference (expected), in both."""

    words: int
    copied: int
    expected: int
    right: int


def unknown(text: Text, output: Sequence[Words]) -> Unknown | None:
    """``None`` where the training text is not there."""
    if text.source_counts is None:
        return None
    sides = zip(text.source, map(set, output), map(set, text.reference), strict=True)
    stands_in = [
        (word in output_words, word in reference_words)
        for words, output_words, reference_words in sides
        for word in words
        if not text.source_counts[word]
    ]
    copied, expected = (sum(stands[side] for stands in stands_in) for side in (0, 1))
    return Unknown(len(stands_in), copied, expected, right=sum(map(all, stands_in)))
