"""Language codes as files write them (RFC 5646), and how well one stands for another."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Literal

from mtkit.errors import InputError
from mtkit.text.languages import is_listed

Format = Literal["plain", "tsv", "jsonl", "tmx", "xliff", "po"]
SOURCE, TARGET = ROLES = ("source", "target")  # the keys of texts whose language nothing names
_CODE = re.compile(r"[A-Za-z]{1,8}([-_][A-Za-z0-9]{1,8})*")
_LONGEST = 35  # characters, as RFC 5646 advises


def parse_code(code: str, path: Path, line: int = 0) -> str:
    """A code in its usual case: ``EN_us`` → ``en-US``. Raises InputError for what is none."""
    if canonical := _canonical(code):
        return canonical
    where = f"{path}: line {line}" if line else path
    raise InputError(f"{where}: {code[:40]!r} is not a language code; expected one such as en-GB")


@cache
def _canonical(code: str) -> str:
    """See ``parse_code``; "" for what is none."""
    if len(code) > _LONGEST or not _CODE.fullmatch(code):
        return ""
    first, *others = re.split("[-_]", code)
    return "-".join([first.lower(), *(p.upper() if len(p) == 2 else p.title() for p in others)])


def languages_among(names: Iterable[str], wanted: Iterable[str]) -> list[str]:
    """Which ``names`` of columns or keys are languages: listed in ISO 639-1, or ``wanted``.

    ``id`` is Indonesian only where it is wanted or fewer than two others are there.
    """
    known = [name for name in names if name in wanted or is_listed(name)]
    others = [name for name in known if name != "id"]
    return known if "id" in wanted or len(others) < 2 else others


@cache
def distance(wanted: str, language: str) -> int | None:
    """In how many parts two codes differ; None where one cannot stand for the other.

    It can where one says less than the other, not where they contradict each other:

    >>> distance("en", "en"), distance("en", "en-GB"), distance("en-GB", "en-US")
    (0, 1, None)
    """
    (base, script, region, more), (b, s, r, m) = _parts(wanted), _parts(language)
    if base != b or (script and s and script != s) or (region and r and region != r):
        return None
    return (script != s) + (region != r) + len(more ^ m)


def _parts(code: str) -> tuple[str, str, str, frozenset[str]]:
    """Language, script, region and the set of what else a code says."""
    first, *others = re.split("[-_]", code.lower())
    scripts = [part for part in others if len(part) == 4 and part.isalpha()]
    regions = [p for p in others if len(p) == 2 or (len(p) == 3 and p.isdecimal())]
    more = frozenset(others) - {*scripts[:1], *regions[:1]}
    return first, "".join(scripts[:1]), "".join(regions[:1]), more
