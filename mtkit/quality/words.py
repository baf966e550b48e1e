r"""Fast word ids: words are runs of letters and digits, and single other characters.

These are not the tokens that the translators see (``text.tokenizer`` takes 20 times as long), but
close enough to count and to align. Both sides share their ids, so a copied word has the same id.
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
# A run without spaces is a code if it has one of these characters, or a dot or colon in the middle.
_SIGN = r"[\d/\\@_{}<>%$#=&+]|--|[.:](?=[^\W_])"
_IN_RUN = rf"[^\s{UNSPACED}]"
_CODES = re.compile(rf"(?<!{_IN_RUN}){_IN_RUN}*?(?:{_SIGN}){_IN_RUN}*")
_has_sign = re.compile(_SIGN).search  # a fast test
has_letter = re.compile(r"[^\W\d_]").search
CHUNK = 20_000  # lines whose words are held as Python strings at a time


class Ids(dict[str, int]):
    """Word → id, after those of the specials; a new word gets the next id."""

    def __missing__(self, word: str) -> int:
        self[word] = number = len(self) + len(SPECIALS)
        return number

    def folded(self) -> tuple[Int32, list[str]]:
        """Return the case-folded id of each id, int32 (V,), and the case-folded words by id."""
        numbers = {special: k for k, special in enumerate(SPECIALS)}
        ids = [*range(len(SPECIALS))]
        ids += [numbers.setdefault(word.casefold(), len(numbers)) for word in self]
        return np.array(ids, np.int32), list(numbers)

    def flat(self, lines: Sequence[str], tokenizer: Kind = "words") -> Flat:
        """Return the words of all lines as ids."""
        words: list[Int32] = []
        for first in range(0, len(lines), CHUNK):
            text = "\n".join([*lines[first : first + CHUNK], ""])
            tokens = _pattern(text, tokenizer).findall(text)
            words.append(np.fromiter(map(self.__getitem__, tokens), np.int32, len(tokens)))
        numbers = np.concatenate([np.empty(0, np.int32), *words])
        ends = np.flatnonzero(numbers == self["\n"])
        begin = np.concatenate([np.zeros(1, np.int64), ends + 1 - np.arange(1, len(ends) + 1)])
        return Flat(np.delete(numbers, ends), begin)


def without_codes(line: str) -> str:
    """Return a line without the text that shows no language.

    That is: URLs, addresses, paths, file names, numbers, placeholders, tags. Some words are lost,
    such as abbreviations with dots.

    >>> without_codes("Siehe https://example.org/how-to, docs/a.md oder <b>%s</b> (z.B. v2).")
    'Siehe   oder  '
    """
    return _CODES.sub("", line) if _has_sign(line) else line


def _pattern(text: str, tokenizer: Kind) -> re.Pattern[str]:
    if tokenizer == "none":
        return _SPACED
    return _CHARACTERS if not text.isascii() and _IS_UNSPACED.search(text) else _WORDS


_IS_UNSPACED = re.compile(f"[{UNSPACED}]")
