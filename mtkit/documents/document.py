"""A document: its segments to be translated, and the function that writes the translated file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mtkit.console import note
from mtkit.documents.segments import Filled, Segment
from mtkit.errors import InputError
from mtkit.manifest import UND
from mtkit.text.languages import base

Languages = tuple[str, str]
HAS_TARGET = "with a target"
EMPTY = "empty"


@dataclass
class Document:
    """Segments to translate, counts of kept segments by reason, and the writer of the new file.

    write: takes one ``Filled`` per segment and returns the bytes of the file.
    """

    segments: list[Segment] = field(default_factory=list)
    kept: Counter[str] = field(default_factory=Counter)
    write: Callable[[Sequence[Filled]], bytes] = lambda _: b""


def check_language(where: str, side: str, named: str, model: str) -> None:
    """Raise InputError if the document's language ``named`` differs from the model's.

    Codes of different length (``de``, ``deu``) cannot be compared; they cause a note on stderr.
    An empty or undetermined code is accepted. where: file and line. side: "source" or "target".
    """
    a, b = base(named.partition("@")[0]), base(model)
    if not a or UND in (a, b) or a == b:
        return
    if len(a) != len(b):
        note(f"{where}: the {side} language {named} is treated as the model's {model}")
    else:
        raise InputError(
            f"{where}: the {side} language is {named}, but that of the model is {model}; "
            "name a model for the languages of the file with --model DIR"
        )


def line_label(path: Path, line: int) -> str:
    """Return the place of a line as messages name it: ``PATH: line N``."""
    return f"{path}: line {line}"
