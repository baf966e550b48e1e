"""The beginning of a word, which says more of its meaning than the end (Fraser & Marcu 2005)."""

from __future__ import annotations

import unicodedata

STEM = 5  # letters


def stem(word: str) -> str:
    """The first letters, without accents and case: of ἀνθρώπους ανθρω."""
    bare = unicodedata.normalize("NFD", word.casefold())
    return "".join(c for c in bare if not unicodedata.combining(c))[:STEM]
