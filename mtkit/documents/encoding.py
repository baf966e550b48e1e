"""Decode and encode the bytes of a document without loss; replace parts of a text."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import AnyStr, Generic, NamedTuple, Self

from mtkit.errors import InputError
from mtkit.storage.reading import unpacked

MAX_BYTES = 1 << 28  # bytes that a document may have
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Encodings that documents use; Python's other codecs are not text encodings (hex, rot13, idna).
_KNOWN = re.compile(
    r"utf-8|utf-16-[bl]e|ascii|iso8859-\d+|cp\d+|koi8-[rut]|mac-\w+|euc_\w+|shift_jis\w*|gb\w+|big5\w*"
)
_DECLARED = re.compile(rb"""<\?xml[^>]*?\sencoding\s*=\s*["']([\w.:-]+)["']""")


@dataclass(frozen=True)
class Encoding:
    """A codec and a byte order mark (BOM) that reproduce the bytes a text was read from."""

    codec: str
    bom: bytes = b""

    @classmethod
    def of_xml(cls, data: bytes, path: Path) -> Self:
        """Return the encoding that the BOM, the first bytes or the declaration show, else UTF-8.

        Raises InputError for UTF-32 and for unknown encodings.
        """
        if b"\0\0" in data[:4]:
            raise InputError(f"{path}: UTF-32 is not supported; convert the file to UTF-8")
        for bom, codec in _BOMS:
            if data.startswith(bom):
                return cls(codec, bom)
        for start, codec in ((b"<\0", "utf-16-le"), (b"\0<", "utf-16-be")):
            if data.startswith(start):
                return cls(codec)
        declared = _DECLARED.match(data[:200])
        return cls(_codec(declared[1].decode() if declared else "utf-8", path))

    @classmethod
    def named(cls, name: str, data: bytes, path: Path) -> Self:
        """Return the encoding ``name``, or UTF-8 with a BOM if ``data`` begins with that BOM.

        Raises InputError for unknown encodings.
        """
        bom = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
        return cls("utf-8" if bom else _codec(name, path), bom)

    def decode(self, data: bytes, path: Path) -> str:
        """Return the text after the BOM.

        Raises InputError if ``data`` is in another encoding, or does not survive the round trip.
        """
        body = data.removeprefix(self.bom)
        try:
            text = body.decode(self.codec)
        except UnicodeDecodeError as error:
            line = body.count(b"\n", 0, error.start) + 1
            raise InputError(
                f"{path}: line {line}: not {self.codec} ({error.reason}); correct the encoding "
                "that the file declares, or convert it to UTF-8"
            ) from None
        if self.encode(text, path) != data:
            raise InputError(
                f"{path}: decoding as {self.codec} loses bytes; convert the file to UTF-8"
            )
        return text

    def encode(self, text: str, path: Path, errors: str = "strict") -> bytes:
        """Return the bytes of ``text`` with the BOM; InputError if the encoding lacks a character.

        errors: as in ``str.encode``.
        """
        try:
            return self.bom + text.encode(self.codec, errors)
        except UnicodeEncodeError as error:
            raise InputError(
                f"{path}: {self.codec} has no {text[error.start]!r}, which the translation needs; "
                "convert the file to UTF-8"
            ) from None


def _codec(name: str, path: Path) -> str:
    try:
        codec = codecs.lookup(name).name
    except LookupError:
        codec = ""
    if not _KNOWN.fullmatch(codec):
        raise InputError(f"{path}: unknown encoding {name!r}; convert the file to UTF-8")
    return codec


def read_document(path: Path) -> bytes:
    """Return the bytes of a plain or packed file (``.gz``, ``.xz``, ``.zst``).

    Raises InputError as ``unpacked`` does, and for more than ``MAX_BYTES`` bytes.
    """
    lines, size = [], 0
    for line in unpacked(path):
        lines.append(line)
        if (size := size + len(line)) > MAX_BYTES:
            limit = f"{MAX_BYTES >> 20} MB"
            raise InputError(f"{path}: larger than {limit}; split it into several files")
    return b"".join(lines)


class Edit(NamedTuple, Generic[AnyStr]):
    """Replace ``start : stop`` by ``text``; an insertion if ``start`` equals ``stop``."""

    start: int
    stop: int
    text: AnyStr


def splice(data: AnyStr, edits: Iterable[Edit[AnyStr]]) -> AnyStr:
    """Return ``data`` with all ``edits`` applied; they must not overlap.

    >>> splice(b"abc", [Edit(3, 3, b"!"), Edit(1, 2, b"xy")])
    b'axyc!'
    """
    parts: list[AnyStr] = []
    end = 0
    for start, stop, text in sorted(edits, key=lambda edit: edit[:2]):
        assert start >= end, "edits overlap"
        parts += [data[end:start], text]
        end = stop
    parts.append(data[end:])
    return data[:0].join(parts)
