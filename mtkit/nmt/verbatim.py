"""Restore numbers, URLs and placeholders that a network lost, at the place given by attention.

A network spells such a word in subwords and may misspell it or omit it. A lost word replaces the
target word that is aligned to it alone, preferably one that is a number, URL or placeholder itself.
Without such a target word, it is inserted after the words aligned to earlier source words, but
before the final punctuation mark.
"""

from __future__ import annotations

from collections.abc import Sequence

from mtkit.text.tokenizer import JOINER, is_verbatim

Links = set[tuple[int, int]]  # (source word, target word), 0-based


def put_back(source: Sequence[str], target: Sequence[str], links: Links) -> tuple[list[str], Links]:
    """Return target words that include all verbatim words of the source, and their links.

    >>> put_back(["at", "12:30"], ["um", "12:3"], {(0, 0), (1, 1)})[0]
    ['um', '12:30']
    """
    words, links = list(target), set(links)
    settled, lost = set[int](), []
    for s in (s for s, word in enumerate(source) if is_verbatim(word)):
        matches = (t for t, w in enumerate(words) if w.strip(JOINER) == source[s].strip(JOINER))
        if (t := next((t for t in matches if t not in settled), None)) is None:
            lost.append(s)
        else:
            settled.add(t)
    for s in lost:
        t = _target_of(words, links, s, settled)
        if t is None:
            t = 1 + max((b for a, b in links if a < s), default=-1 if links else len(words) - 1)
            if t == len(words) > 1 and not any(c.isalnum() for c in words[-1]):
                t -= 1  # before the final punctuation mark
            words.insert(t, "")
            links = {(a, b + (b >= t)) for a, b in links}
            settled = {b + (b >= t) for b in settled}
        words[t] = source[s]
        links.add((s, t))
        settled.add(t)
    return words, links


def _target_of(words: Sequence[str], links: Links, s: int, settled: set[int]) -> int | None:
    """Return the target position that is linked to source word ``s`` alone, or None."""
    shared = {t for a, t in links if a != s} | settled
    linked = sorted(t for a, t in links if a == s and t not in shared)
    return next((t for t in linked if is_verbatim(words[t])), linked[0] if linked else None)
