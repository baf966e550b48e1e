"""Compressed files, opened by their suffix: ``.gz``, ``.xz``, ``.zst``.

Memory is bounded whatever the headers of a file claim: the window of gzip has 32 KB, zstandard
refuses windows above 128 MB, and xz touches only the part of its dictionary that the text fills.
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

BLOCK = 1 << 10  # compressed bytes at a time: zstandard makes at most 32 MB of them
PACKED = {".gz": "gzip", ".xz": "xz", ".zst": "zstandard"}


class IncompleteError(Exception):
    """The compressed bytes end too early or are invalid."""


BROKEN = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, IncompleteError)


def open_packed(path: Path) -> BinaryIO:
    """Open a plain or compressed file for reading.

    Raises OSError, and InputError if the package zstandard is missing. Reading may raise one of
    BROKEN.
    """
    if path.suffix == ".gz":
        return cast(BinaryIO, gzip.open(path, "rb"))
    if path.suffix == ".xz":
        return cast(BinaryIO, lzma.open(path, "rb"))
    if path.suffix == ".zst":
        return cast(BinaryIO, io.BufferedReader(_Zstandard(path), 1 << 17))
    return path.open("rb")


def packing(file: BinaryIO, path: Path) -> AbstractContextManager[Any]:
    """Return a writer that compresses into ``file`` as the suffix of ``path`` requires.

    Closing it leaves ``file`` open. Raises InputError if the package zstandard is missing.
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
    """The concatenated content of the frames of a ``.zst`` file.

    zstandard's own reader does not notice that a file is truncated.
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
        """Decompress the next block; return False at the end of the file."""
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
