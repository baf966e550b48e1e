"""Translate the segments of a document line by line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mtkit.documents.codes import (
    Code,
    Item,
    codes_of,
    is_message,
    lines_of,
    with_labels,
    with_roles,
)
from mtkit.documents.lines import Line, plain_line
from mtkit.documents.returning import Escape, put_back
from mtkit.system import Hypothesis
from mtkit.text.tokenizer import WordTokenizer, is_verbatim

Translate = Callable[[Sequence[str]], Sequence[Hypothesis]]
NO_WORDS = "no words"
ICU_MESSAGE = "an ICU message with plural or select"
NO_TRANSLATION = "the model gave no translation"
INVALID_OUTPUT = "the model lost words or invented a code"
NO_KNOWN_WORD = "the model knows none of its words"


@dataclass(frozen=True)
class Segment:
    """A text to translate, with the codes that the file format marks.

    escape: encodes a text for the file.
    """

    items: Sequence[Item]
    escape: Escape
    line: int  # line number in the file


class Filled(NamedTuple):
    """A translation as the file writes it.

    why: "" for a translation; otherwise the reason why ``raw`` is the untranslated source or, if
    the segment stays empty, None. A copy needs translation or review, unless it has ``NO_WORDS``.
    """

    raw: str | None
    why: str = ""


def translate_segments(
    segments: Sequence[Segment], translate: Translate, tokenizer: WordTokenizer
) -> list[Filled]:
    """Return the translation of each segment; equal lines are translated once."""
    prepared = [_Prepared(segment, tokenizer) for segment in segments]
    texts = dict.fromkeys(
        line.text for segment in prepared for line in segment.lines if line.is_language
    )
    hypotheses = dict(zip(texts, translate(list(texts)), strict=True)) if texts else {}
    return [segment.filled(hypotheses, tokenizer) for segment in prepared]


class _Prepared:
    """A segment split into lines."""

    def __init__(self, segment: Segment, tokenizer: WordTokenizer) -> None:
        self.escape = segment.escape
        items = with_labels(codes_of(segment.items, segment.escape))
        self.items, self.partners = with_roles(items)
        text = "".join(item if isinstance(item, str) else item.text for item in items)
        raw_text = "".join(item for item in segment.items if isinstance(item, str))
        self.is_message = is_message(raw_text) or is_message(text)
        self.lines = list[Line]()
        if not self.is_message:
            self.lines = [plain_line(self.items, r, tokenizer) for r in lines_of(self.items)]

    def source(self, places: range | None = None) -> str:
        """Return the items at ``places``, by default all, as the file writes them."""
        items = self.items if places is None else self.items[places.start : places.stop]
        return "".join(item.raw if isinstance(item, Code) else self.escape(item) for item in items)

    def filled(self, hypotheses: dict[str, Hypothesis], tokenizer: WordTokenizer) -> Filled:
        if self.is_message:
            return Filled(self.source(), ICU_MESSAGE)
        if not any(c.isalnum() for item in self.items if isinstance(item, str) for c in item):
            return Filled(self.source(), NO_WORDS)
        parts, is_copy = list[str](), list[bool]()
        for line in self.lines:
            if not line.is_language:
                parts.append(self.source(line.places))
                continue
            best = hypotheses[line.text]
            if not best.text.strip():
                return Filled(None, NO_TRANSLATION)
            is_copy.append(_is_copy(best))
            translation = put_back(line, best, self.partners, tokenizer, self.escape)
            if translation is None:
                return Filled(self.source(), INVALID_OUTPUT)
            first, last = line.items_here[0], line.items_here[-1]
            start = " " * (isinstance(first, str) and first.startswith(" "))
            end = " " * (isinstance(last, str) and last.endswith(" "))
            parts += [start, translation, end]
        if is_copy and all(is_copy):
            return Filled(self.source(), NO_KNOWN_WORD)
        return Filled("".join(parts))


def _is_copy(hypothesis: Hypothesis) -> bool:
    """Whether all words of a translation are copies of unknown source words."""
    words = [w for w in hypothesis.tokens if any(map(str.isalpha, w)) and not is_verbatim(w)]
    return bool(words) and all(word in hypothesis.unknown for word in words)
