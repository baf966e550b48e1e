"""Language codes in files (RFC 5646), and how closely two codes match."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Literal

from mtkit.errors import InputError
from mtkit.text.languages import is_listed

Format = Literal["plain", "tsv", "jsonl", "tmx", "xliff", "po"]
SOURCE, TARGET = ROLES = ("source", "target")  # keys of texts whose language is not named
_CODE = re.compile(r"[A-Za-z]{1,8}([-_][A-Za-z0-9]{1,8})*")
_LONGEST = 35  # characters, as RFC 5646 advises


def parse_code(code: str, path: Path, line: int = 0) -> str:
    """Return a code in its usual case: ``EN_us`` → ``en-US``. Raises InputError if invalid."""
    if canonical := _canonical(code):
        return canonical
    where = f"{path}: line {line}" if line else path
    raise InputError(f"{where}: {code[:40]!r} is not a language code; expected one such as en-GB")


@cache
def _canonical(code: str) -> str:
    """Return a code in its usual case; "" if it is invalid."""
    if len(code) > _LONGEST or not _CODE.fullmatch(code):
        return ""
    first, *others = re.split("[-_]", code)
    return "-".join([first.lower(), *(p.upper() if len(p) == 2 else p.title() for p in others)])


def languages_among(names: Iterable[str], wanted: Iterable[str]) -> list[str]:
    """Return the ``names`` that are languages: listed in ISO 639-1, or ``wanted``.

    names: of columns or keys. ``id`` counts as Indonesian only if it is wanted, or if fewer than
    two others are languages.
    """
    languages = [name for name in names if name in wanted or is_listed(name)]
    others = [name for name in languages if name != "id"]
    return languages if "id" in wanted or len(others) < 2 else others


@cache
def distance(wanted: str, language: str) -> int | None:
    """Return the number of subtags in which two codes differ; None if they do not match.

    Codes match if one is less specific than the other, not if they contradict each other:

    >>> distance("en", "en"), distance("en", "en-GB"), distance("en-GB", "en-US")
    (0, 1, None)
    """
    (base, script, region, more), (b, s, r, m) = _subtags(wanted), _subtags(language)
    if base != b or (script and s and script != s) or (region and r and region != r):
        return None
    return (script != s) + (region != r) + len(more ^ m)


def _subtags(code: str) -> tuple[str, str, str, frozenset[str]]:
    """Return language, script, region and the set of other subtags of a code."""
    first, *others = re.split("[-_]", code.lower())
    scripts = [part for part in others if len(part) == 4 and part.isalpha()]
    regions = [p for p in others if len(p) == 2 or (len(p) == 3 and p.isdecimal())]
    more = frozenset(others) - {*scripts[:1], *regions[:1]}
    return first, "".join(scripts[:1]), "".join(regions[:1]), more
