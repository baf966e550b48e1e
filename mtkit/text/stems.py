"""Word stems: the first letters, which carry more meaning than the last (Fraser & Marcu 2005)."""

from __future__ import annotations

import unicodedata

STEM = 5  # letters


def stem(word: str) -> str:
    """Return the first ``STEM`` letters, without accents and case: ἀνθρώπους → ανθρω."""
    bare = unicodedata.normalize("NFD", word.casefold())
    return "".join(c for c in bare if not unicodedata.combining(c))[:STEM]
