"""Packed files, opened by their suffix: ``.gz``, ``.xz``, ``.zst``.

Memory is bounded whatever a file says of itself: gzip's window is 32 KB, zstandard refuses windows
above 128 MB, and xz touches of its dictionary only what the text fills.
"""

from __future__ import annotations

import gzip
import io
import lzma
import zlib
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, cast

from mtkit.errors import InputError

BLOCK = 1 << 10  # packed bytes at a time: zstandard makes at most 32 MB of them
PACKED = {".gz": "gzip", ".xz": "xz", ".zst": "zstandard"}


class IncompleteError(Exception):
    """The packed bytes end too early, or they are none."""


BROKEN = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, IncompleteError)


def open_packed(path: Path) -> BinaryIO:
    """A plain or packed file. Raises OSError, and InputError where zstandard is missing.

    What is read from it may raise one of BROKEN.
    """
    if path.suffix == ".gz":
        return cast(BinaryIO, gzip.open(path, "rb"))
    if path.suffix == ".xz":
        return cast(BinaryIO, lzma.open(path, "rb"))
    if path.suffix == ".zst":
        return cast(BinaryIO, io.BufferedReader(_Zstandard(path), 1 << 17))
    return path.open("rb")


def packing(file: BinaryIO, path: Path) -> AbstractContextManager[Any]:
    """What packs into ``file`` what is written to it, as the suffix of ``path`` asks; closing it
    leaves ``file`` open. Raises InputError where zstandard is missing.
    """
    if path.suffix == ".gz":
        return gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0)
    if path.suffix == ".xz":
        return lzma.LZMAFile(file, "wb")
    if path.suffix == ".zst":
        packer: AbstractContextManager[Any]
        packer = _zstandard(path).ZstdCompressor().stream_writer(file, closefd=False)
        return packer
    return nullcontext(file)


def _zstandard(path: Path) -> Any:
    try:
        import zstandard
    except ImportError:
        raise InputError(
            f"{path}: .zst files need the package zstandard: pip install 'mtkit[formats]'"
        ) from None
    return zstandard


class _Zstandard(io.RawIOBase):
    """What the frames of a ``.zst`` file hold, one behind the other.

    zstandard's own reader takes a file that is cut off for one that ends.
    """

    def __init__(self, path: Path) -> None:
        self.module = _zstandard(path)
        self.file = path.open("rb")
        self.frame: Any = None  # None between two frames
        self.packed = self.ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self.ready and self._advance():
            pass
        n = min(len(buffer), len(self.ready))
        buffer[:n], self.ready = self.ready[:n], self.ready[n:]
        return n

    def _advance(self) -> bool:
        """Unpack a little more; False at the end of the file."""
        self.packed = self.packed or self.file.read(BLOCK)
        if not self.packed:
            if self.frame is not None:
                raise IncompleteError("it is cut off")
            return False
        self.frame = self.frame or self.module.ZstdDecompressor().decompressobj()
        try:
            self.ready = self.frame.decompress(self.packed)
        except self.module.ZstdError as error:
            raise IncompleteError(error) from None
        self.packed = self.frame.unused_data if self.frame.eof else b""
        if self.frame.eof:
            self.frame = None
        return True

    def close(self) -> None:
        if not self.closed:
            self.file.close()
        super().close()
