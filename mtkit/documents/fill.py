"""Translate a document file: choose the reader by the name, fill the segments, report counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mtkit.console import note
from mtkit.documents.document import Document, Languages
from mtkit.documents.encoding import read_document
from mtkit.documents.po import read_po
from mtkit.documents.segments import Filled, Translate, translate_segments
from mtkit.documents.xliff import read_xliff
from mtkit.text.formats.names import format_of
from mtkit.text.tokenizer import WordTokenizer

KINDS = {"xliff": "XLIFF", "po": "PO"}
READERS = {"XLIFF": read_xliff, "PO": read_po}


def kind_of(path: Path) -> str:
    """Return the format that a file name shows, packed or not: "XLIFF", "PO", or "" for text."""
    return KINDS.get(format_of(path), "")


def open_document(path: Path, languages: Languages, every: bool) -> Document:
    """Read a document with the reader that its suffix selects.

    languages: the model's, (source, target). every: also fill segments that have a translation.
    Raises InputError if the file cannot be read, is not what its suffix says, or declares other
    languages.
    """
    return READERS[kind_of(path)](read_document(path), path, languages, every)


def fill(document: Document, translate: Translate, tokenizer: WordTokenizer, name: str) -> bytes:
    """Return the translated document; print counts of translated and kept segments to stderr."""
    translations = translate_segments(document.segments, translate, tokenizer)
    note(f"{name}: {_summary(translations, document.kept)}")
    return document.write(translations)


def _summary(translations: Sequence[Filled], kept: Counter[str]) -> str:
    """Return how many segments were translated, copied, left empty and kept, with reasons.

    >>> _summary([Filled("a"), Filled("b"), Filled("c", "a message")], Counter(approved=4))
    '2 segments translated; 1 copied untranslated (a message: 1); 4 kept (approved: 4)'
    """
    translated = sum(t.raw is not None and not t.why for t in translations)
    parts = [f"{translated:,} segment{'s' * (translated != 1)} translated"]
    for outcome, reasons in (
        (
            "copied untranslated",
            Counter(t.why for t in translations if t.why and t.raw is not None),
        ),
        ("left empty", Counter(t.why for t in translations if t.raw is None)),
        ("kept", +kept),
    ):
        if reasons:
            by_reason = ", ".join(f"{reason}: {n:,}" for reason, n in reasons.most_common())
            parts.append(f"{reasons.total():,} {outcome} ({by_reason})")
    if not translations:
        parts[0] = "nothing to fill"
    return "; ".join(parts)
