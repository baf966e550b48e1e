"""Check single characters, with regular expressions over the bytes of a whole file."""

from __future__ import annotations

import html.entities
import re
from collections.abc import Iterable, Iterator

import numpy as np

from mtkit.quality.finding import Finding, numbers, quoted
from mtkit.quality.side import Side
from mtkit.smt.flat import Int64

BOM = b"\xef\xbb\xbf"
# UTF-8 continuation bytes that were read as Windows-1252 or Latin-1 and written as UTF-8 again.
_CONTINUED = sorted(
    {bytes([b]).decode(code, "replace").encode() for b in range(0x80, 0xC0)
     for code in ("cp1252", "latin-1")} - {"\ufffd".encode()}
)  # fmt: skip


def _one_of(characters: Iterable[bytes]) -> bytes:
    return b"(?:" + b"|".join(map(re.escape, characters)) + b")"


def _pattern() -> re.Pattern[bytes]:
    """Return the pattern of mojibake: UTF-8 bytes that were read as one character each.

    Ã counts only beside a small letter, and Â not after a capital, because of SÃO or AMANHÃ….
    """
    any_continued = _one_of(_CONTINUED)
    lead = _one_of([c.encode() for c in "ÎÏÐÑØÙÚÛ×"])
    return re.compile(
        rb"[a-z]\xc3\x83" + any_continued  # schÃ¶n
        + rb"|\xc3\x83" + any_continued + rb"[a-z]"  # Ã¼ber
        + rb"|(?<![A-Z])\xc3\x82\xc2[\xa0-\xbf]"  # 25Â°
        + rb"|\xc3\xa2(?:\xe2\x82\xac|\xc2\x80)" + any_continued  # â€™
        + rb"|(?:" + lead + any_continued + rb"){2,}"  # Ð¿Ñ€
    )  # fmt: skip


_ASCII_CONTROLS = bytes({*range(1, 32), 127} - set(b"\t\n\r"))
_CONTROL = re.compile(rb"[" + re.escape(_ASCII_CONTROLS) + rb"]|\r(?!\n)")  # not \r of \r\n
_C1 = re.compile(rb"\xc2[\x80-\x84\x86-\x9f]")
_TAG = re.compile(
    rb"</?[A-Za-z][\w:.-]*(?:\s+[\w:.-]+\s*=\s*(?:\"[^\"<>\n]*\"|'[^'<>\n]*'))*\s*/?>"
)
_ENTITY = re.compile(rb"&(#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_ENTITY_NAMES = {name[:-1].encode() for name in html.entities.html5 if name.endswith(";")}

PATTERNS = {  # kind → pattern, and byte strings one of which is in every match
    "nul": (re.compile(rb"\x00"), (b"\x00",)),
    "line-separator": (
        re.compile(rb"\xe2\x80[\xa8\xa9]|\xc2\x85"), (b"\xe2\x80\xa8", b"\xe2\x80\xa9", b"\xc2\x85")
    ),
    "replacement": (re.compile("\ufffd".encode()), ("\ufffd".encode(),)),
    "mojibake": (
        _pattern(), tuple(c.encode() for c in ("Ã", "Â", "â€", "â\x80", *"ÎÏÐÑØÙÚÛ×"))
    ),
    "bars": (re.compile(rb"\|\|\|"), (b"|||",)),
    "joiner": (re.compile("￭".encode()), ("￭".encode(),)),
}  # fmt: skip


def check_characters(split: str, side: Side) -> Iterator[Finding]:
    """Yield the findings about one file, without its other side."""
    if side.bad:
        yield _encoding(split, side)
    for kind, (pattern, required) in PATTERNS.items():
        yield from _finding(kind, split, side, side.lines_matching(pattern, required))
    yield from _finding("control", split, side, _controls(side))
    entities = (m.start() for m in _ENTITY.finditer(side.data) if _is_entity(m[1]))
    yield from _finding(
        "entity", split, side, side.lines_at(entities) if b"&" in side.data else _NO_ROWS
    )
    yield from _boms(split, side)
    yield from _finding("line-ends", split, side, _rarer_line_ends(side))


def tags(side: Side) -> dict[int, tuple[bytes, ...]]:
    """Return line, from 0 → its sorted tags, for the lines with tags."""
    lines: dict[int, list[bytes]] = {}
    if b"<" in side.data:
        matches = list(_TAG.finditer(side.data))
        rows = np.searchsorted(side.begin, [m.start() for m in matches], side="right") - 1
        for row, match in zip(rows.tolist(), matches, strict=True):
            lines.setdefault(row, []).append(match[0])
    return {row: tuple(sorted(line_tags)) for row, line_tags in lines.items()}


_NO_ROWS = np.empty(0, np.int64)


def _controls(side: Side) -> Int64:
    """Return the lines, from 0, with control characters; a fast test comes first."""
    data = side.data
    has_ascii_controls = len(data.translate(None, _ASCII_CONTROLS)) < len(data)
    if not has_ascii_controls and data.count(b"\r") == data.count(b"\r\n"):
        return side.lines_matching(_C1, (b"\xc2",))
    return np.union1d(side.lines_matching(_CONTROL), side.lines_matching(_C1))


def _is_entity(name: bytes) -> bool:
    return name.startswith(b"#") or name in _ENTITY_NAMES


def _finding(kind: str, split: str, side: Side, rows: Int64) -> Iterator[Finding]:
    if len(rows):
        examples = quoted(rows, side.lines)
        yield Finding(kind, split, side.path.name, numbers(rows), len(side), examples)


def _encoding(split: str, side: Side) -> Finding:
    lines = np.unique([line for line, _, _ in side.bad]).astype(np.int64)
    line, byte, value = side.bad[0]
    detail = f"{len(side.bad):,} bytes; the first 0x{value:02x} in line {line}, byte {byte}"
    examples = quoted(lines - 1, side.lines)
    return Finding("encoding", split, side.path.name, lines, len(side), examples, detail, side.bad)


def _boms(split: str, side: Side) -> Iterator[Finding]:
    """Yield the findings of byte order marks, at the beginning of the file and elsewhere."""
    if BOM not in side.data:
        return
    starts = [m.start() for m in re.finditer(BOM, side.data)]
    if starts[0] == 0:
        yield Finding("bom", split, side.path.name, np.ones(1, np.int64), len(side))
    yield from _finding(
        "bom-inside", split, side, side.lines_at(start for start in starts if start)
    )


def _rarer_line_ends(side: Side) -> Int64:
    r"""Return the lines, from 0, with the rarer one of the line ends ``\r\n`` and ``\n``."""
    if b"\r\n" not in side.data:
        return _NO_ROWS
    before_ends = np.maximum(side.begin[1:] - 2, 0)
    is_crlf = np.frombuffer(side.data, np.uint8)[before_ends] == ord("\r")
    rare: Int64 = np.flatnonzero(is_crlf if 2 * is_crlf.sum() <= len(is_crlf) else ~is_crlf)
    return rare
