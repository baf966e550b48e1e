"""JSON lines: one object per line, ``{"en": …, "de": …}`` or ``{"source": …, "target": …}``.

Either may be nested, as in ``{"translation": {"en": …, "de": …}}``. Other keys are ignored.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from mtkit.errors import InputError
from mtkit.storage.reading import parse_json
from mtkit.text.formats.choice import Numbered, Pair
from mtkit.text.formats.codes import ROLES, languages_among, parse_code
from mtkit.text.lines import iterate_lines

HOW = 'expected one object a line, as {"en": "…", "de": "…"}'


def read(path: Path, wanted: Pair | None = None) -> Iterator[Numbered]:
    """Yield (line number, unit) for each line that is not blank.

    wanted: codes that count as languages even if ISO 639-1 does not list them. Raises InputError,
    naming the line, if it is not such an object, and where ``iterate_lines`` does.
    """
    for number, line in enumerate(iterate_lines(path), 1):
        if not line.strip():
            continue
        value: Any = parse_json(line, path, dict, partial(_refusal, number))
        value = inner if isinstance(inner := value.get("translation"), dict) else value
        keys = (
            list(ROLES)
            if all(role in value for role in ROLES)
            else languages_among(value, wanted or ())
        )
        if len(keys) < 2:
            raise InputError(f"{path}: line {number}: no texts of two languages; {HOW}")
        texts = [
            (key if key in ROLES else parse_code(key, path, number), value[key])
            for key in keys
            if isinstance(value[key], str)
        ]
        if len(unit := dict(texts)) < len(texts):
            raise InputError(f"{path}: line {number}: two texts of one language; {HOW}")
        yield number, unit


def _refusal(number: int, path: Path, reason: object) -> InputError:
    message = " ".join(str(reason).split())[:100]
    return InputError(f"{path}: line {number}: {message}; {HOW}")
