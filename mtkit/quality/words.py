r"""Words as numbers, fast: runs of letters and digits, single other characters.

Not the tokens that translators see (``text.tokenizer`` takes 20 times as long), but near enough to
count and to align. Both sides share their numbers, so that a word which is copied keeps its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from mtkit.quality.scripts import UNSPACED
from mtkit.smt.flat import Flat, Int32
from mtkit.text.tokenizer import Kind
from mtkit.text.vocabulary import SPECIALS

_MARKS = r"\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0dff"
_WORD = rf"[\w{_MARKS}]+"
_OTHER = rf"[^\w\s{_MARKS}]|\n"
_WORDS = re.compile(rf"{_WORD}|{_OTHER}")
# A character of a script without spaces is a word by itself.
_CHARACTERS = re.compile(rf"[{UNSPACED}]|(?:(?![{UNSPACED}]){_WORD[:-1]})+|{_OTHER}")
_SPACED = re.compile(r"[^ \n]+|\n")
CHUNK = 20_000  # lines whose words are Python strings at the same time


class Ids(dict[str, int]):
    """The number of each word; a new word gets the next."""

    def __missing__(self, word: str) -> int:
        self[word] = number = len(self) + len(SPECIALS)
        return number

    def folded(self) -> tuple[Int32, list[str]]:
        """The number of each word without its case, int32 (V,), and these words by number."""
        numbers = {special: k for k, special in enumerate(SPECIALS)}
        ids = [*range(len(SPECIALS))]
        ids += [numbers.setdefault(word.casefold(), len(numbers)) for word in self]
        return np.array(ids, np.int32), list(numbers)

    def flat(self, lines: Sequence[str], tokenizer: Kind = "words") -> Flat:
        """The words of all lines as numbers."""
        words: list[Int32] = []
        for first in range(0, len(lines), CHUNK):
            text = "\n".join([*lines[first : first + CHUNK], ""])
            found = _pattern(text, tokenizer).findall(text)
            words.append(np.fromiter(map(self.__getitem__, found), np.int32, len(found)))
        numbers = np.concatenate([np.empty(0, np.int32), *words])
        ends = np.flatnonzero(numbers == self["\n"])
        begin = np.concatenate([np.zeros(1, np.int64), ends + 1 - np.arange(1, len(ends) + 1)])
        return Flat(np.delete(numbers, ends), begin)


def _pattern(text: str, tokenizer: Kind) -> re.Pattern[str]:
    if tokenizer == "none":
        return _SPACED
    return _CHARACTERS if not text.isascii() and _IS_UNSPACED.search(text) else _WORDS


_IS_UNSPACED = re.compile(f"[{UNSPACED}]")
