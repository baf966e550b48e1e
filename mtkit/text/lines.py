"""Lines of UTF-8 text, split on ``\\n`` only; errors name the line and byte of invalid UTF-8."""

from __future__ import annotations

import codecs
import hashlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import accumulate, islice, pairwise
from pathlib import Path
from typing import Any, BinaryIO

from mtkit.errors import InputError
from mtkit.storage.reading import LONGEST_LINE, check_line, unpacked

BLOCK = 1 << 14  # lines that are decoded together


def decode_lines(data: bytes, name: str, before: int = 0) -> list[str]:
    r"""Decode UTF-8 ``data`` into lines, split on ``\n`` only; a BOM and ``\r\n`` are tolerated.

    before: number of lines before ``data``. Raises InputError, naming ``name``, line and byte, for
    invalid UTF-8, and for a line that ``check_line`` refuses.
    """
    for k, part in enumerate(data.split(b"\n") if len(data) > LONGEST_LINE else (), before + 1):
        check_line(name, k, part)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        pos = error.start
        line = before + data.count(b"\n", 0, pos) + 1
        column = pos - (data.rfind(b"\n", 0, pos) + 1) + 1
        encoding = (
            "UTF-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "CP1252"
        )
        raise InputError(
            f"{name}: line {line}, byte {column}: not UTF-8 (0x{data[pos]:02x}); convert it first, "
            f"for instance with iconv -f {encoding} -t UTF-8"
        ) from None
    if not before:
        text = text.removeprefix("\ufeff")
    lines = text.removesuffix("\n").split("\n") if text else []
    return [line.removesuffix("\r") for line in lines]


def stream_lines(stream: BinaryIO, name: str) -> Iterator[str]:
    """Yield the lines of ``stream``, each as soon as it arrives; see ``decode_lines``."""
    for before, data in enumerate(iter(partial(stream.readline, LONGEST_LINE + 1), b"")):
        yield from decode_lines(data, name, before)
        if not data.endswith(b"\n"):
            return  # on a terminal, another read would need a second end-of-file


def iterate_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a plain or packed file.

    Raises InputError as ``unpacked`` and ``decode_lines`` do.
    """
    for before, data in enumerate(unpacked(path)):
        yield from decode_lines(data, str(path), before)


class Lines:
    """Lines that each iteration reads again by ``read``, so that none is held in memory.

    The constructor reads them once to check and count them. Raises InputError where ``read`` does,
    and if an iteration reads other lines than the constructor.
    """

    def __init__(self, name: str, read: Callable[[], Iterable[str]]) -> None:
        self.name, self.read, self.total = name, read, 0
        digest = hashlib.blake2b(digest_size=16)
        for self.total, line in enumerate(read(), 1):
            digest.update(f"{line}\n".encode())
        self.digest = digest.hexdigest()

    def __iter__(self) -> Iterator[str]:
        digest = hashlib.blake2b(digest_size=16)
        for line in islice(self.read(), self.total):  # ignore lines appended since
            digest.update(f"{line}\n".encode())
            yield line
        if digest.hexdigest() != self.digest:
            raise InputError(f"{self.name}: changed while it was read; run the command again")


def read_lines(path: Path) -> list[str]:
    """Return all lines of a plain or packed file; see ``iterate_lines``."""
    return decode_lines(b"".join(unpacked(path)), str(path))


class Texts(Sequence[str]):
    """Lines in one UTF-8 buffer: mostly one byte per character, and eight per line.

    A ``str`` object per line would take fifty bytes more.
    """

    def __init__(self, lines: Iterable[str] = ()) -> None:
        self.data, self.begin, remaining = bytearray(), array("q", [0]), iter(lines)
        while block := [line.encode("utf-8", "surrogatepass") for line in islice(remaining, BLOCK)]:
            self.data += b"".join(block)
            ends = accumulate(map(len, block), initial=self.begin.pop())
            self.begin += array("q", ends)

    @classmethod
    def read(cls, path: Path) -> Texts:
        """Read a plain or packed file. Raises InputError as ``read_lines`` does."""
        return cls(_decoded(path))

    def __len__(self) -> int:
        return len(self.begin) - 1

    def __getitem__(self, k: Any) -> Any:
        """Return line ``k``, or a list of lines for a slice."""
        if isinstance(k, slice):
            return [self[i] for i in range(*k.indices(len(self)))]
        k = range(len(self))[k]
        return self.data[self.begin[k] : self.begin[k + 1]].decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        spans = pairwise(self.begin)
        return (self.data[a:b].decode("utf-8", "surrogatepass") for a, b in spans)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Texts):
            return self.data == other.data and self.begin == other.begin
        return list(self) == other


def _decoded(path: Path) -> Iterator[str]:
    """Yield the lines of a plain or packed file; only a block of them is in memory."""
    byte_lines, before = unpacked(path), 0
    while block := list(islice(byte_lines, BLOCK)):
        yield from decode_lines(b"".join(block), str(path), before)
        before += len(block)
