"""Read one file of a corpus without rejecting errors, so that all of them can be counted."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtkit.smt.flat import Bool, Int64
from mtkit.storage.reading import unpacked

_BAD = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True)
class Side:
    """The lines of one language. Lines are split on ``\\n`` only, as in ``text.corpus``."""

    path: Path
    data: bytes  # the file, unpacked; ends in \n unless it is empty
    begin: Int64  # (n + 1,) line k, from 0, is data[begin[k] : begin[k + 1]] with its \n
    lines: list[str]  # decoded, without the BOM and final \r; U+FFFD for invalid UTF-8
    bad: tuple[tuple[int, int, int], ...]  # invalid: (line from 1, byte from 1, value)
    numbers: Int64 | None = None  # (n,) line numbers in a bilingual file

    def __len__(self) -> int:
        return len(self.lines)

    @classmethod
    def read(cls, path: Path) -> Side:
        """Read a plain or packed file. Raises InputError only if it cannot be read at all."""
        return cls.of(path, b"".join(unpacked(path)))

    @classmethod
    def of(cls, path: Path, data: bytes, numbers: Int64 | None = None) -> Side:
        """Split ``data`` into lines. path: their name in messages. numbers: see the class."""
        if data and not data.endswith(b"\n"):
            data += b"\n"
        ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
        begin = np.concatenate([np.zeros(1, np.int64), ends + 1])
        try:
            text = data.decode("utf-8")
            bad: tuple[tuple[int, int, int], ...] = ()
        except UnicodeDecodeError:
            text, bad = data.decode("utf-8", "replace"), _bad_bytes(data)
        lines = text.removeprefix("\ufeff").split("\n")[:-1]
        if b"\r\n" in data:
            lines = [line.removesuffix("\r") for line in lines]
        return cls(path, data, begin, lines, bad, numbers)

    def number(self, rows: Int64) -> Int64:
        """Return the line numbers of rows counted from 0."""
        return rows + 1 if self.numbers is None else self.numbers[rows]

    def lines_at(self, offsets: Iterable[int]) -> Int64:
        """Return the lines, from 0, ascending, that contain the byte ``offsets`` of ``data``."""
        positions = np.fromiter(offsets, np.int64)
        return np.unique(np.searchsorted(self.begin, positions, side="right") - 1)

    def lines_matching(self, pattern: re.Pattern[bytes], required: tuple[bytes, ...] = ()) -> Int64:
        """Return the lines, from 0, where ``pattern`` matches. required: one is in every match."""
        if required and not any(part in self.data for part in required):
            return np.empty(0, np.int64)
        return self.lines_at(match.start() for match in pattern.finditer(self.data))

    def blank(self) -> Bool:
        """Return which lines have no text, bool (n,)."""
        return np.fromiter((not line or line.isspace() for line in self.lines), bool, len(self))


def _bad_bytes(data: bytes) -> tuple[tuple[int, int, int], ...]:
    bad = []
    for number, line in enumerate(data.removeprefix(codecs.BOM_UTF8).split(b"\n"), 1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            text = line.decode("utf-8", "surrogateescape")
            for match in _BAD.finditer(text):
                byte = len(text[: match.start()].encode("utf-8", "surrogateescape")) + 1
                bad.append((number, byte, ord(match[0]) - 0xDC00))
    return tuple(bad)
