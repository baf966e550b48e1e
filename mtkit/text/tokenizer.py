r"""Lossless word tokens: the spans of an NLTK tokenizer plus joiner marks.

By default there is a space between two tokens. Where the text has none, one of the two carries a
joiner mark ``￭``. Punctuation carries it, so that a word is the same token everywhere:

>>> WordTokenizer().tokenize('She said: "It\'s here."')
['She', 'said', '￭:', '"￭', 'It', "￭'s", 'here', '￭.', '￭"']
>>> WordTokenizer().detokenize(_)
'She said: "It\'s here."'

Any other white space (runs, tabs, at the ends of the line) is a token of its own. Characters that
would be mistaken for marks or spaces are escaped as ``％`` and four hexadecimal digits. So
``detokenize(tokenize(line)) == line`` for every line.

Limits: words are runs of letters, marks and digits. Text written without spaces (Chinese, Thai)
becomes one token per run; segment such text first and use the tokenizer ``none``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from nltk.tokenize.regexp import RegexpTokenizer

JOINER = "￭"  # U+FFED
ESCAPE = "％"  # U+FF05
Kind = Literal["words", "none"]

# Text that no translator may change: one token each, and copied by the statistical translator.
_VERBATIM = r"""
    https?://[^\s<>"]*[^\s<>".,;:!?)\]]        # a URL, without the punctuation behind it
  | (?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+   # an e-mail address; looked for once in a run
  | </?[A-Za-z][^<>\s]*>                       # <b>, </b>, <br/>
  | \{\w*\} | %\(\w+\)[sd] | %[sd]\b           # {name}, %(name)s, %s
  | \d+(?:[.,:/]\d+)*%?                        # 3.50, 12:30, 1,000, 50%
"""
_WORD = r"(?:[^\W_]|[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0dff])"
_PATTERN = rf"""{_VERBATIM}
  | {_WORD}+?(?=n't\b) | n't\b                 # do | n't
  | '(?:s|re|ve|ll|d|m)\b                      # 's, 're, …
  | {_WORD}+(?:[-‐_]+{_WORD}+)*                # words, hyphenated ones whole
  | \.{{2,}} | -{{2,}}                         # ..., --
  | \S                                         # any other character by itself
"""
_IS_VERBATIM = re.compile(_VERBATIM, re.VERBOSE | re.IGNORECASE)
_TO_ESCAPE = re.compile(rf"[\s{JOINER}{ESCAPE}]")
_ESCAPED = re.compile(rf"{ESCAPE}([0-9a-f]{{4}})")


@cache
def _spans() -> RegexpTokenizer:
    from nltk.tokenize.regexp import RegexpTokenizer  # takes 0.1 s; not needed for ``none``

    return RegexpTokenizer(_PATTERN, flags=re.VERBOSE | re.IGNORECASE | re.UNICODE)


def _escape(text: str) -> str:
    return _TO_ESCAPE.sub(lambda match: f"{ESCAPE}{ord(match[0]):04x}", text)


def _unescape(match: re.Match[str]) -> str:
    """Return the character; U+FFFD for a surrogate, which only a model can spell."""
    character = chr(int(match[1], 16))
    return "\ufffd" if "\ud800" <= character <= "\udfff" else character


def _pieces(line: str) -> list[tuple[str, bool]]:
    """Cut the line into (escaped text, whether a single space precedes it)."""
    pieces: list[tuple[str, bool]] = []
    end = 0
    for start, stop in [*_spans().span_tokenize(line), (len(line), len(line))]:
        gap = line[end:start]
        plain = gap == " " and end > 0 and start < len(line)
        if gap and not plain:
            pieces.append((_escape(gap), False))
        if stop > start:
            pieces.append((_escape(line[start:stop]), plain))
        end = stop
    return pieces


def is_verbatim(token: str) -> bool:
    """Return whether a token is a number, a URL, an e-mail address, a tag or a placeholder.

    >>> [is_verbatim(token) for token in ("￭3.50", "%s", "{name}", "A4", "seven")]
    [True, True, True, False, False]
    """
    return _IS_VERBATIM.fullmatch(token.strip(JOINER)) is not None


def is_code(token: str) -> bool:
    """Return whether a token is verbatim and not a number.

    A translation has such a token only if its source has it. A number may be a word in the source.
    """
    return is_verbatim(token) and not token.strip(JOINER)[0].isdigit()


def _is_word(piece: str) -> bool:
    return piece[0].isalnum() or (piece[0] in "<{%" and len(piece) > 1)


@dataclass(frozen=True)
class WordTokenizer:
    """Raw line ↔ word tokens, the same for both translators."""

    kind: Kind = "words"  # lossless, see above; ``none``: tokenised already, split at spaces
    lowercase: bool = False  # lowercase each line before tokenising it; not reversible

    def tokenize(self, line: str) -> list[str]:
        """Return the word tokens of one line; an empty list for an empty line."""
        if self.lowercase:
            line = line.lower()
        if self.kind == "none":
            return list(filter(None, line.split(" ")))
        pieces = _pieces(line)
        tokens = [piece for piece, _ in pieces]
        for i, ((before, _), (piece, spaced)) in enumerate(pairwise(pieces), 1):
            if not spaced and _is_word(piece) and not _is_word(before):
                tokens[i - 1] += JOINER
            elif not spaced:
                tokens[i] = JOINER + piece
        return tokens

    def tokenize_all(self, lines: Sequence[str]) -> list[list[str]]:
        """Return the word tokens of each line; equal lines share one list."""
        tokens = {line: self.tokenize(line) for line in dict.fromkeys(lines)}
        return [tokens[line] for line in lines]

    def detokenize(self, tokens: Sequence[str]) -> str:
        """Return the line that ``tokens`` spell; any sequence of tokens is accepted."""
        if self.kind == "none":
            return " ".join(tokens)
        parts: list[str] = []
        glued = True
        for token in tokens:
            if not glued and not token.startswith(JOINER):
                parts.append(" ")
            glued = token.endswith(JOINER)
            bare = token.replace(JOINER, "")  # a network may generate one anywhere
            parts.append(_ESCAPED.sub(_unescape, bare))
        return "".join(parts)
