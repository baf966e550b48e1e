"""Words as integers: the four special symbols, then the words by falling frequency."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

PAD, UNK, BOS, EOS = 0, 1, 2, 3
SPECIALS = ("<pad>", "<unk>", "<s>", "</s>")


class Vocabulary:
    """A frozen two-way map between words and ids.

    A word of the text that is spelled like a special symbol is not that symbol: it is unknown.

    >>> vocabulary = Vocabulary(["the", "cat"])
    >>> vocabulary.encode(["the", "dog", "</s>"])
    [4, 1, 1]
    >>> vocabulary.decode([5, 1])
    ['cat', '<unk>']
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = [*SPECIALS, *words]
        self._ids = {word: i for i, word in enumerate(words, start=len(SPECIALS))}

    @classmethod
    def build(cls, sentences: Iterable[Sequence[str]], min_count: int = 1) -> Vocabulary:
        """The words seen at least ``min_count`` times, by falling count, ties by spelling."""
        counts = Counter(word for sentence in sentences for word in sentence)
        for special in SPECIALS:
            counts.pop(special, None)
        kept = [(word, n) for word, n in counts.items() if n >= min_count]
        return cls([word for word, _ in sorted(kept, key=lambda item: (-item[1], item[0]))])

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self._ids

    def encode(self, words: Iterable[str]) -> list[int]:
        """The ids of ``words``; ``UNK`` where a word is not in the vocabulary."""
        return [self._ids.get(word, UNK) for word in words]

    def decode(self, ids: Iterable[int]) -> list[str]:
        """The words of ``ids``."""
        return [self.words[i] for i in ids]

    def save(self, path: Path) -> None:
        """Write the words, without the specials, as a JSON list."""
        words = self.words[len(SPECIALS) :]
        path.write_text(json.dumps(words, ensure_ascii=False, indent=0), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Read what ``save`` wrote."""
        return cls(json.loads(path.read_text(encoding="utf-8")))
