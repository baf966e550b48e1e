"""Sentences too long to translate at once: cut into pieces, translated and joined again.

The memory of a search grows with the length of the sentence, and a sentence far longer than those
of the training text is translated badly. A piece ends after the last sentence end within the
limit, else after the last comma, else at the limit. Every model treats a piece as a sentence. The
translation of the whole joins those of the pieces, and its score is the sum of theirs:

    score(y) = Σ_p score(y_p)        features likewise; tokens, links and segments are concatenated

``token_logprobs`` leaves out the ``</s>`` of all pieces but the last, so it has one entry per token
and one for the end. With more than one piece its sum is neither ln P(y) nor the feature ``lm``.

Limits: no word moves from one piece to another, and a glossary's phrase that a cut divides does not
match.
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
    """Return the k best translations of tokenised sentences that ``cut`` divided into ``spans``.

    ``translate`` gets all pieces of all sentences in one call. A sentence without pieces has the
    translation ``EMPTY``.
    """
    pieces = [s[a:b] for s, cuts in zip(sentences, spans, strict=True) for a, b in cuts]
    translations = iter(translate(pieces))
    return [
        join(list(islice(translations, len(cuts))), cuts, k, detokenize) if cuts else [EMPTY]
        for cuts in spans
    ]


def cut(words: Sequence[str], sizes: Sequence[int], longest: int) -> list[Span]:
    """Return spans of total size ≤ ``longest``; word i has ``sizes[i]``, a larger word is alone.

    >>> cut("one , two . three four".split(), [1] * 6, 5)
    [(0, 4), (4, 6)]
    """
    spans: list[Span] = []
    start = end = 0
    while start < len(words):
        space, end = longest - sizes[start], start + 1
        while end < len(words) and sizes[end] <= space:
            space -= sizes[end]
            end += 1
        if end < len(words):
            breaks = product((SENTENCE_ENDS, COMMAS), range(end, start, -1))
            end = next((i for marks, i in breaks if _ends_with(marks, words, i)), end)
        spans.append((start, end))
        start = end
    return spans


def _ends_with(marks: frozenset[str], words: Sequence[str], i: int) -> bool:
    """Return whether a mark, perhaps with a closing quote or bracket, ends just before word ``i``.

    A mark joined to the next word does not count: the text has no space there, as in "a.b".
    """
    last, following = words[i - 1], words[i]
    if last.endswith(JOINER) or following.startswith(JOINER):
        return False
    if i > 1 and last.startswith(JOINER) and last.strip(JOINER) in CLOSERS:
        last = words[i - 2]
    return last.strip(JOINER) in marks


def join(
    pieces: Sequence[Sequence[Hypothesis]], spans: Sequence[Span], k: int, detokenize: Detokenize
) -> list[Hypothesis]:
    """Return the k best of the whole from the k best of each piece; all lists are best first.

    The first of each piece make the first of the whole, even if others have higher scores.
    """
    if len(pieces) == 1:
        return list(pieces[0])
    ranked = [sorted(piece, key=lambda h: -h.score) for piece in pieces]
    sums = best_sums([[h.score for h in row] for row in ranked], k)
    lists = ([row[i] for row, i in zip(ranked, indices, strict=True)] for _, indices in sums)
    by_text: dict[str, Hypothesis] = {}  # different pieces may join to the same text
    for parts in chain([[piece[0] for piece in pieces]], lists):
        joined = _concatenate(parts, spans, sum(h.score for h in parts), detokenize)
        by_text.setdefault(joined.text, joined)
    return list(by_text.values())[:k]


def best_sums(rows: Sequence[Sequence[float]], k: int) -> list[tuple[float, list[int]]]:
    """Return the k best sums of one number per row, with their indices; rows are best first.

    For sum i and index j of the next row, (i + 1)(j + 1) − 1 other sums are at least as good. So
    only j < k // (i + 1) can be among the k best.

    >>> best_sums([[0.0, -1.0], [0.0, -3.0]], 3)
    [(0.0, [0, 0]), (-1.0, [1, 0]), (-3.0, [0, 1])]
    """
    best: list[tuple[float, list[int]]] = [(0.0, [])]
    for row in rows:
        extended = (
            (total + row[j], [*indices, j])
            for i, (total, indices) in enumerate(best)
            for j in range(min(len(row), k // (i + 1)))
        )
        best = nlargest(k, extended, key=itemgetter(0))
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
