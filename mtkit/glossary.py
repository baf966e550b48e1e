"""A glossary: phrases and how the user wants them translated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

Words = tuple[str, ...]


@dataclass(frozen=True)
class Glossary:
    """Source phrase → its translations, as word tokens."""

    entries: dict[Words, list[Words]] = field(default_factory=dict)

    def matches(self, words: Sequence[str]) -> list[tuple[int, int, list[Words]]]:
        """(start, end, translations) of each place in a sentence that the glossary knows.

        From left to right, the longest at each place; none overlap.
        """
        found: list[tuple[int, int, list[Words]]] = []
        longest, start = max(map(len, self.entries), default=0), 0
        while start < len(words) and longest:
            for end in range(min(start + longest, len(words)), start, -1):
                if translations := self.entries.get(tuple(words[start:end])):
                    found.append((start, end, translations))
                    start = end - 1
                    break
            start += 1
        return found
