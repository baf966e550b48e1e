"""TBX (ISO 30042): termbases in any number of languages, version 2 (martif) and 3 (tbx).

2: <termEntry> <langSet xml:lang="en"> <tig> <term>fire engine</term> </tig> </langSet> …
3: <conceptEntry> <langSec xml:lang="en"> <termSec> <term>fire engine</term> </termSec> …

An <ntig> of version 2 has its term in a <termGrp>.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mtkit.errors import InputError
from mtkit.text.formats.choice import one_line
from mtkit.text.formats.codes import parse_code
from mtkit.text.formats.markup import LANGUAGE, REPAIR, Shape, elements

CONCEPTS = frozenset({"termEntry", "conceptEntry"})
LANGUAGES = frozenset({"langSet", "langSec"})
HOLDERS = frozenset({"tig", "termGrp", "termSec"})  # parents of a <term>
# A status is in a <termNote>, or in an element of its own in the DCT style of version 3.
STATUS = frozenset({"termNote", "administrativeStatus", "normativeAuthorization"})
AVOIDED = ("deprecatedTerm", "supersededTerm")  # prefixes of a status that says to avoid a term
SHAPE = Shape(
    "TBX",
    frozenset({"martif", "tbx"}),
    {"term": HOLDERS} | dict.fromkeys(STATUS, HOLDERS | {"termNoteGrp"}),
    frozenset(),
    "export the termbase as TBX, or name a file of TAB-separated lines",
)


class Wording(NamedTuple):
    """A term in one language. avoided: the termbase says not to use it."""

    text: str
    line: int
    avoided: bool = False


Concept = dict[str, list[Wording]]  # by language


def read(path: Path) -> Iterator[Concept]:
    """Yield each concept, its languages and their terms in the order of the file.

    Raises InputError where ``elements`` does, and for terms without a language.
    """
    concept: Concept = {}
    wordings = list[Wording]()
    for name, value, line in elements(path, SHAPE):
        if value is None:
            if name in CONCEPTS:
                yield {language: terms for language, terms in concept.items() if terms}
        elif isinstance(value, str):
            if name == "term":
                wordings.append(Wording(one_line(value).strip(), line))
            elif wordings and value.strip().startswith(AVOIDED):
                wordings[-1] = wordings[-1]._replace(avoided=True)
        elif name in CONCEPTS:
            concept, wordings = {}, []
        elif name in LANGUAGES:
            code = value.get(LANGUAGE) or value.get("lang")
            if not code:
                raise InputError(
                    f"{path}: line {line}: <{name}> without its language, xml:lang; {REPAIR}"
                )
            wordings = concept.setdefault(parse_code(code, path, line), [])
