"""TMX (1.1 to 1.4): translation memories, in any number of languages.

<tu> <tuv xml:lang="en"> <seg>Two men.</seg> </tuv> <tuv xml:lang="de"> … </tuv> </tu>
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mtkit.errors import InputError
from mtkit.text.formats.choice import Numbered, Pair, Unit
from mtkit.text.formats.codes import distance, parse_code
from mtkit.text.formats.markup import LANGUAGE, Shape, elements

SHAPE = Shape(
    "TMX",
    frozenset({"tmx"}),
    {"seg": frozenset({"tuv"})},
    frozenset({"bpt", "ept", "it", "ph", "ut"}),
)
ALL = "*all*"  # srclang of a file or unit in which any language may be the source


def read(path: Path, _: Pair | None = None) -> Iterator[Numbered]:
    """Yield (line number, unit) for each ``<tu>``, with its source language first.

    Of several variants in a language the first is taken. Raises InputError where ``elements`` does,
    and for a variant without a language.
    """
    default_source = source = language = ""
    unit: Unit = {}
    begin = 0
    for name, value, line in elements(path, SHAPE):
        if value is None:
            if name == "tu":
                yield begin, _source_first(unit, source)
        elif isinstance(value, str):
            unit.setdefault(language, value)
        elif name == "tuv":
            code = value.get(LANGUAGE) or value.get("lang")
            if not code:
                raise InputError(f"{path}: line {line}: <tuv> without its language, xml:lang")
            language = parse_code(code, path, line)
        elif name == "tu":
            unit, source, begin = {}, value.get("srclang", default_source), line
        elif name == "header":
            default_source = value.get("srclang", "")


def _source_first(unit: Unit, source: str) -> Unit:
    if not source or source == ALL or next(iter(unit), source) == source:
        return unit
    first = next((name for name in unit if distance(source, name) is not None), None)
    return unit if first is None else {first: unit[first], **unit}
