"""XLIFF 1.2 and 2.x: texts to translate, some with their translation.

1.2: <trans-unit> <source>Two men.</source> <target>Zwei Männer.</target> </trans-unit>
2.x: <unit> <segment> <source> … </source> <target> … </target> </segment> … </unit>
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from mtkit.text.formats.choice import Numbered, Pair, Unit
from mtkit.text.formats.codes import ROLES, SOURCE, TARGET, parse_code
from mtkit.text.formats.markup import Shape, elements

UNITS = frozenset({"trans-unit", "segment"})  # of 1.2, of 2.x
SHAPE = Shape(
    "XLIFF",
    frozenset({"xliff"}),
    dict.fromkeys(ROLES, UNITS),
    frozenset({"bpt", "ept", "it", "ph"}),
)
OPEN = {"new", "needs-translation", "initial"}  # states of a target that is not translated yet
MACHINE = {"x-mtkit", "mtkit:machine"}  # states of a target that mtkit filled in
# The attributes that name both languages: on <file> in 1.2, on <xliff> in 2.x.
ATTRIBUTES = {"file": ("source-language", "target-language"), "xliff": ("srcLang", "trgLang")}


def read(path: Path, _: Pair | None = None) -> Iterator[Numbered]:
    """Yield (line number, unit) for each unit of 1.2 or segment of 2.x, with or without target.

    A target that is marked as not translated, or as filled in by mtkit, counts as missing. Raises
    InputError where ``elements`` does.
    """
    root_languages = languages = {SOURCE: SOURCE, TARGET: TARGET}
    unit: Unit = {}
    states, begin = set[str](), 0
    for name, value, line in elements(path, SHAPE):
        if value is None:
            if name in UNITS:
                if states & (OPEN | MACHINE):
                    unit.pop(languages[TARGET], None)
                yield begin, unit
        elif isinstance(value, str):
            unit.setdefault(languages[name], value)
        elif name in UNITS:
            unit, states, begin = {}, _states(value), line
        elif name == TARGET:
            states |= _states(value)
        elif name == "xliff":
            root_languages = languages | _languages(value, name, path, line)
        elif name == "file":
            languages = root_languages | _languages(value, name, path, line)


def _states(attributes: Mapping[str, str]) -> set[str]:
    """Return the values of the attributes that say how far a translation is."""
    return {attributes.get(name, "") for name in ("state", "state-qualifier", "subState")}


def _languages(attributes: Mapping[str, str], name: str, path: Path, line: int) -> dict[str, str]:
    """Return role → language for the languages that an element names."""
    codes = [(role, attributes.get(a)) for role, a in zip(ROLES, ATTRIBUTES[name], strict=True)]
    languages = {role: parse_code(code, path, line) for role, code in codes if code}
    if languages.get(SOURCE) == languages.get(TARGET):
        languages.pop(TARGET, None)  # an untranslated file may name its source language twice
    return languages
