"""Word stems: the first letters, which carry more meaning than the last (Fraser & Marcu 2005)."""

from __future__ import annotations

import unicodedata

STEM = 5  # letters


def stem(word: str) -> str:
    """Return the first ``STEM`` letters, without accents and case: ἀνθρώπους → ανθρω."""
    folded = word.casefold()
    if folded.isascii():
        return folded[:STEM]
    letters = unicodedata.normalize("NFD", folded)
    return "".join(c for c in letters if not unicodedata.combining(c))[:STEM]
