"""Lines too long to translate at once: cut into pieces, and their translations joined again.

A search takes memory that grows with the length of its sentence, and what is far longer than any
sentence of the training text is translated badly. A piece ends behind the last sentence end in
reach, else behind the last comma, else where the reach ends. Each is a sentence of its own to every
model, so that a translation of the whole is one of each piece and its score the sum of theirs:

    score(y) = Σ_p score(y_p)        features likewise; tokens, links and segments follow each other

The ``</s>`` inside is not in ``token_logprobs``, which thus still has one entry for each token and
one for the end; where there is more than one piece its sum is not ln P(y) nor the feature ``lm``.

Limits: no word moves from one piece into another, and a glossary's phrase that the cut divides is
not found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from heapq import nlargest
from itertools import chain, islice, product
from operator import itemgetter

from mtkit.system import EMPTY, Hypothesis
from mtkit.text.tokenizer import JOINER

SENTENCE_ENDS, COMMAS = frozenset(".!?;:"), frozenset(",")
CLOSERS = frozenset("\"'”’»)]")
Span = tuple[int, int]
Translate = Callable[[list[Sequence[str]]], Sequence[Sequence[Hypothesis]]]
Detokenize = Callable[[Sequence[str]], str]


def by_pieces(
    sentences: Sequence[Sequence[str]], spans: Sequence[Sequence[Span]], translate: Translate,
    k: int, detokenize: Detokenize,
) -> list[list[Hypothesis]]:  # fmt: skip
    """The k best translations of sentences of words that ``cut`` divided into ``spans``.

    ``translate`` gets all pieces of all sentences in one call. Nothing comes of no piece.
    """
    pieces = [s[a:b] for s, cuts in zip(sentences, spans, strict=True) for a, b in cuts]
    translations = iter(translate(pieces))
    return [
        join(list(islice(translations, len(cuts))), cuts, k, detokenize) if cuts else [EMPTY]
        for cuts in spans
    ]


def cut(words: Sequence[str], sizes: Sequence[int], longest: int) -> list[Span]:
    """Spans of at most ``longest`` in all, word i counting ``sizes[i]``; a larger one is alone.

    >>> cut("one , two . three four".split(), [1] * 6, 5)
    [(0, 4), (4, 6)]
    """
    spans: list[Span] = []
    start = end = 0
    while start < len(words):
        room, end = longest - sizes[start], start + 1
        while end < len(words) and sizes[end] <= room:
            room -= sizes[end]
            end += 1
        if end < len(words):
            breaks = product((SENTENCE_ENDS, COMMAS), range(end, start, -1))
            end = next((at for marks, at in breaks if _ends_with(marks, words, at)), end)
        spans.append((start, end))
        start = end
    return spans


def _ends_with(marks: frozenset[str], words: Sequence[str], at: int) -> bool:
    """Whether one of ``marks``, or a quotation mark behind it, stands before the space at ``at``.

    What is glued to the next word ends nothing: the text has no space there, as in "a.b".
    """
    last, following = words[at - 1], words[at]
    if last.endswith(JOINER) or following.startswith(JOINER):
        return False
    if at > 1 and last.startswith(JOINER) and last.strip(JOINER) in CLOSERS:
        last = words[at - 2]
    return last.strip(JOINER) in marks


def join(
    pieces: Sequence[Sequence[Hypothesis]], spans: Sequence[Span], k: int, detokenize: Detokenize
) -> list[Hypothesis]:
    """The k best of the whole from the k best of each piece, all of them best first."""
    if len(pieces) == 1:
        return list(pieces[0])
    by_text: dict[str, Hypothesis] = {}  # other pieces may make the same text
    for score, places in best_sums([[h.score for h in piece] for piece in pieces], k):
        parts = [piece[i] for piece, i in zip(pieces, places, strict=True)]
        whole = _concatenate(parts, spans, score, detokenize)
        by_text.setdefault(whole.text, whole)
    return list(by_text.values())


def best_sums(rows: Sequence[Sequence[float]], k: int) -> list[tuple[float, list[int]]]:
    """The k best sums of one number of each row, with their places; rows are sorted, best first.

    Sum i and place j of the next row make a sum that (i + 1)(j + 1) − 1 others are no worse than.

    >>> best_sums([[0.0, -1.0], [0.0, -3.0]], 3)
    [(0.0, [0, 0]), (-1.0, [1, 0]), (-3.0, [0, 1])]
    """
    best: list[tuple[float, list[int]]] = [(0.0, [])]
    for row in rows:
        grown = (
            (total + row[j], [*places, j])
            for i, (total, places) in enumerate(best)
            for j in range(min(len(row), k // (i + 1)))
        )
        best = nlargest(k, grown, key=itemgetter(0))
    return best


def _concatenate(
    parts: Sequence[Hypothesis], spans: Sequence[Span], score: float, detokenize: Detokenize
) -> Hypothesis:
    tokens, features = list[str](), Counter[str]()
    links, segments = list[tuple[int, int]](), list[tuple[int, int, int, int]]()
    for h, (s, _) in zip(parts, spans, strict=True):
        t = len(tokens)
        links += [(i + s, j + t) for i, j in h.alignment]
        segments += [(s0 + s, s1 + s, t0 + t, t1 + t) for s0, s1, t0, t1 in h.segments]
        tokens += h.tokens
        features.update(h.features)
    *inner, last = parts
    return Hypothesis(
        detokenize(tokens), tokens, score, dict(features), links, segments,
        [*chain(*(h.token_logprobs[:-1] for h in inner)), *last.token_logprobs],
        [*chain(*(h.orders[:-1] for h in inner)), *last.orders],
        [*chain(*(h.unknown for h in parts))],
        len(parts),
    )  # fmt: skip
