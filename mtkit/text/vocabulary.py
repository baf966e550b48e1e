"""Words as integers: the four special symbols, then the words by first appearance.

With this numbering, words that are near each other in a text mostly have their counts near each
other in memory, however large the text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

from mtkit.storage.reading import damaged, read_json
from mtkit.storage.structure import check_words

Sentences = Sequence[Sequence[str]]  # as word tokens
PAD, UNK, BOS, EOS = 0, 1, 2, 3
SPECIALS = ("<pad>", "<unk>", "<s>", "</s>")
FIRST_WORD = len(SPECIALS)  # the smallest id of a word, or of a subword
CODE_POINTS = 0x110000  # of Unicode: any of them may be a character that training did not see


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
    def build(cls, sentences: Iterable[Sequence[str]]) -> Vocabulary:
        """Return the vocabulary of all words in ``sentences``."""
        words = dict.fromkeys(chain.from_iterable(sentences))
        for special in SPECIALS:
            words.pop(special, None)
        return cls(list(words))

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, words: Iterable[str]) -> list[int]:
        """Return the ids of ``words``; ``UNK`` for a word that is not in the vocabulary."""
        get = self._ids.get
        return [get(word, UNK) for word in words]

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Return the words of ``ids``."""
        return [self.words[i] for i in ids]

    def save(self, path: Path) -> None:
        """Write the words, without the specials, as a JSON list."""
        words = self.words[len(SPECIALS) :]
        path.write_text(json.dumps(words, ensure_ascii=False, indent=0), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Read what ``save`` wrote. Raises InputError if it is not a list of distinct words."""
        words = read_json(path, list)
        check_words(path, words)
        if not set(SPECIALS).isdisjoint(words):
            raise damaged(path, "a word that is spelled like a special symbol")
        return cls(words)
