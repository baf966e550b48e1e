"""Documents filled by each kind of system pass the checks of translate-toolkit."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pytest
from translate.filters.checks import GnomeChecker, StandardChecker
from translate.storage import factory
from translate.storage.xliff2 import Xliff2File

from mtkit.documents.fill import fill, open_document
from mtkit.manifest import Manifest
from mtkit.models import load
from mtkit.system import Hypothesis
from tests.support.documents import (
    AROUND,
    AROUND_2,
    AROUND_12,
    EMPTY_2,
    EMPTY_12,
    PLACEHOLDERS,
    escaped,
    po,
    sources,
    xliff_2,
    xliff_12,
)

TEXTS = sources(PLACEHOLDERS, AROUND, " ")[::4]
FILES = {
    "a.po": po(TEXTS),
    "a.xlf": xliff_12([*map(escaped, TEXTS), *sources(EMPTY_12, AROUND_12)[::3]]),
    "b.xlf": xliff_2([*map(escaped, TEXTS), *sources(EMPTY_2, AROUND_2)[::3]]),
}
KEPT = {"printf", "xmltags", "escapes", "variables", "newlines", "tabs", "urls", "emails"}


def units(path: Path):  # type: ignore[no-untyped-def]
    """Return the units that translate-toolkit reads in a document."""
    if path.name.startswith("b"):
        return Xliff2File.parsefile(str(path)).units
    return [unit for unit in factory.getobject(str(path)).units if unit.istranslatable()]


FEW = {"c.xlf": xliff_12(sources(EMPTY_12, AROUND_12)[::20])}
CASES = [
    pytest.param(name, kind, marks=[pytest.mark.compiled] if kind != "nmt" else [])
    for name, kind in [*product(FILES, ["smt", "nmt"]), ("c.xlf", "combination")]
]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_toolkit_finds_all_targets_and_no_fault(
    name: str, kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    directory = request.getfixturevalue(f"{kind}_directory")
    system, manifest = load(directory), Manifest.read(directory)
    path = tmp_path / name
    path.write_bytes((FILES | FEW)[name])

    def translate(lines: Sequence[str]) -> list[Hypothesis]:
        return [hypotheses[0] for hypotheses in system.translate(lines)]

    document = open_document(path, manifest.languages, False)
    path.write_bytes(fill(document, translate, manifest.word_tokenizer, name))
    checkers, faults, filled = [StandardChecker(), GnomeChecker()], [], 0
    for unit in units(path):
        filled += bool(unit.target)
        faults += [
            (str(unit.source), str(unit.target), found)
            for checker in checkers if unit.target
            if (found := KEPT & checker.run_filters(unit).keys())
        ]  # fmt: skip
    assert not faults
    forms = 1.25 if name == "a.po" else 1  # per entry on average; an entry is one unit here
    assert filled * forms > 0.95 * len(document.segments)  # a tiny network may give no output
    again = open_document(path, manifest.languages, False)
    assert len(again.segments) <= 0.05 * len(document.segments)
