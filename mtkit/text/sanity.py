"""Reject files that are not two plain texts: markup, tables, the same text twice.

The checks are cheap compared with reading: the first lines show the format, and a sample of at
most 1,000 lines shows whether a side may be copied.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import islice
from operator import eq
from pathlib import Path

from mtkit.console import note
from mtkit.errors import InputError
from mtkit.text.formats.names import format_of
from mtkit.text.languages import without_packed_suffix

FORMAT_LINES = 20  # lines that show a format
NEARLY_ALL = 0.9
MIN_LINES = 20  # lines: from so many on, equal lines on both sides are no coincidence
MAX_DEV_OVERLAP = 0.1  # share of the dev set: greetings and captions repeat, but not more than this
MAX_NAME_WORDS = 3  # words: a longer line is a sentence
BLOCK = 1 << 14  # lines that are checked together
XML, JSON = "XML", "JSON"
TSV, CSV = "a table with TABs (TSV)", "a table with commas (CSV)"
_ROOTS = (("tmx", "<tmx"), ("xliff", "<xliff"))
# Control characters except TAB, other line separators, a BOM inside, U+FFFD, ``|||``.
_DAMAGED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffd]|\\|\\|\\|")
_XML = re.compile(
    r"<(\?xml|!doctype|(tmx|xliff|tei|srcset|refset|tstset|mteval)\b|html\b(?!.*</html>))", re.I
)
_TAGGED = re.compile(r"<[^<>]+>(.*<[^<>]+>)?")  # <seg>…</seg>, <p>
_CSV = re.compile(r'"([^"]|"")*"(,"([^"]|"")*")+')  # "…","…"


def check_format(path: Path, lines: Sequence[str]) -> None:
    """Raise InputError for a file of XML, JSON lines, TSV or CSV; not all lines may be blank.

    If ``formats`` can read the file, the message says with which options.
    """
    numbered = ((n, line.strip()) for n, line in enumerate(lines, 1))
    first = list(islice(((n, line) for n, line in numbered if line), FORMAT_LINES))
    start = [line for _, line in first]
    if kind := _format(Path(without_packed_suffix(path)).suffix.lower(), start):
        file_format = format_of(path) or _bilingual_format(kind, start)
        advice = f"; or name only this file, as in --train {path.name}" if file_format else ""
        advice += f" --format {file_format}" if file_format and not format_of(path) else ""
        raise InputError(
            f"{path}: line {first[0][0]}: this is {kind}; expected two files of plain text with "
            f"one sentence per line{advice}"
        )


def check_dev(dev: Sequence[str], train: Sequence[str]) -> None:
    """Warn if more than 10 % of the source lines of the dev set are in the training text."""
    repeated = {*dev}.intersection(train)
    if (n_repeated := sum(line in repeated for line in dev)) > MAX_DEV_OVERLAP * len(dev):
        note(
            f"warning: {n_repeated:,} of {len(dev):,} dev lines are in the training text; "
            "tuning on them overfits"
        )


def remark(paths: tuple[Path, Path], source: Sequence[str], target: Sequence[str]) -> None:
    """Print one line about lines that are probably damaged; nothing if there are none."""
    blank = []
    if "" in source or "" in target:
        blank = [n for n, pair in enumerate(zip(source, target, strict=True), 1) if "" in pair]
    damaged = sorted({*_damaged(source), *_damaged(target)})
    remarks = [
        f"{defect} in {len(lines):,} of {len(source):,} pairs (first: line {lines[0]:,})"
        for lines, defect in (
            (damaged, "control characters, U+FFFD or |||"),
            (blank, "no text on a side"),
        )
        if lines
    ]
    if remarks:
        files = " ".join(map(str, dict.fromkeys(paths)))
        note(f"note: {files}: {'; '.join(remarks)}; see `mtkit corpus check {files}`")


def _damaged(lines: Sequence[str]) -> list[int]:
    """Return the numbers of lines in which ``_DAMAGED`` matches; a fast test skips clean blocks."""
    numbers, remaining = list[int](), iter(enumerate(lines, 1))
    while block := list(islice(remaining, BLOCK)):
        text = " ".join(line for _, line in block).replace("\xa0", " ").replace("\t", " ")
        if not text.isprintable() or "\ufffd" in text or "|||" in text:
            numbers += [n for n, line in block if _DAMAGED.search(line)]
    return numbers


def _format(suffix: str, lines: Sequence[str]) -> str | None:
    """Return the format that the first non-blank lines show; None for plain text."""
    tabs = [line.count("\t") for line in lines]
    mode = max(tabs, key=tabs.count)
    if _XML.match(lines[0]) or _nearly_all([bool(_TAGGED.fullmatch(line)) for line in lines]):
        return XML
    if lines[0] in ("{", "[") or all(map(_is_object, lines)):
        return JSON
    if suffix == ".tsv" or _nearly_all([n == mode > 0 for n in tabs]):
        return TSV
    if suffix == ".csv" or _nearly_all([_CSV.fullmatch(line) is not None for line in lines]):
        return CSV
    return None


def _bilingual_format(kind: str, lines: Sequence[str]) -> str:
    """Return the format of ``formats`` that may read this kind of file; "" for none."""
    if kind == XML:
        return next((name for name, root in _ROOTS if any(root in line for line in lines)), "")
    return "jsonl" if kind == JSON and lines[0][:1] == "{" != lines[0] else "tsv" * (kind == TSV)


def _is_object(line: str) -> bool:
    try:
        return line.startswith("{") and bool(json.loads(line))
    except ValueError:
        return False


def _nearly_all(flags: Sequence[bool]) -> bool:
    """Return whether at least ``NEARLY_ALL`` are true; False for one line alone."""
    return len(flags) > 1 and sum(flags) >= NEARLY_ALL * len(flags)


def check_sides(paths: tuple[Path, Path], source: Sequence[str], target: Sequence[str]) -> None:
    """Raise InputError if the sides are the same, and warn if half of their lines or more are.

    A few names and numbers may be the same in both languages; a sentence or ``MIN_LINES`` lines may
    not.
    """
    step = len(source) // 1000 + 1  # compare all lines only if half of a sample is the same
    if 2 * sum(map(eq, source[::step], target[::step])) < len(source[::step]):
        return
    numbered = enumerate(zip(source, target, strict=True), 1)
    pairs = [(n, s, t) for n, (s, t) in numbered if s.strip() or t.strip()]
    same = [n for n, s, t in pairs if s == t]
    single = paths[0] == paths[1]
    names = f"the sides of {paths[0]}" if single else f"{paths[0]} and {paths[1]}"
    is_text = len(pairs) >= MIN_LINES or any(len(s.split()) > MAX_NAME_WORDS for s in source)
    linked = not single and paths[0].resolve() == paths[1].resolve()
    if len(same) == len(pairs) and (is_text or linked):
        advice = "choose two languages with --pair" if single else "name a file of each language"
        raise InputError(f"{names} are the same, line by line; {advice}")
    if len(pairs) >= MIN_LINES and 2 * len(same) >= len(pairs):
        note(
            f"warning: {names} are the same in {len(same):,} of {len(pairs):,} "
            f"lines ({100 * len(same) / len(pairs):.0f} %), first in line {same[0]}"
        )
