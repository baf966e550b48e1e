"""A document: what in it is to be translated, and how its bytes become those with translations."""

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
    """Its segments, why how many others stay as they are, and the bytes by the translations."""

    segments: list[Segment] = field(default_factory=list)
    kept: Counter[str] = field(default_factory=Counter)
    write: Callable[[Sequence[Filled]], bytes] = lambda _: b""


def check_language(where: str, side: str, named: str, model: str) -> None:
    """Raise InputError where a document is of another language than the model's, as far as codes
    of the same length can tell.

    where: file and line. side: "source" or "target".
    """
    a, b = base(named.partition("@")[0]), base(model)
    if not a or UND in (a, b) or a == b:
        return
    if len(a) != len(b):
        note(f"{where}: the {side} language {named} is treated as the model's {model}")
    else:
        raise InputError(
            f"{where}: the {side} language is {named}, the model's {model}; name a model of these "
            "languages with --model DIR"
        )


def at(path: Path, line: int) -> str:
    """How messages name a place."""
    return f"{path}: line {line}"
