"""Whether the files of a directory are still those that were written, and whether the code is.

Of each file its size and a hash of every block are kept (BLAKE2b, 64 bits), so that a part of a
large file can be checked by itself. This finds what went wrong on a disk or on the way; it proves
nothing against somebody who writes files and hashes anew, which is what ``structure`` is for.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from mtkit.storage.reading import as_fields
from mtkit.threads import cores

BLOCK = 1 << 20  # bytes
SAMPLE = 32  # blocks that are read where not all are: what takes less than 0.1 s
DIGEST = 8  # bytes of a hash
LIBRARIES = ("numba", "numpy", "torch")  # that compute


class Digest(NamedTuple):
    """Of a file: its bytes, and the hashes of its blocks in hexadecimal, one behind the other."""

    bytes: int
    blake2b: str


def digests_of(directory: Path, files: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """The digest of each of ``files``, by its way from ``directory``."""
    digests = dict[str, dict[str, Any]]()
    for file in files:
        size = file.stat().st_size
        hashes = _hashes([(file, k) for k in range(-(-size // BLOCK))])
        name = file.relative_to(directory).as_posix()
        digests[name] = Digest(size, "".join(hashes))._asdict()
    return digests


def changed(
    directory: Path, kept: Mapping[str, Any], source: Path, sample: int | None = SAMPLE
) -> dict[str, str]:
    """What is wrong with which of the files whose digests are ``kept`` in the file ``source``.

    sample: blocks that are read, chosen anew each time, where there are more; None: all are.
    Raises InputError where ``kept`` are no digests.
    """
    wrong, blocks = dict[str, str](), list[tuple[str, int, str]]()
    for name, value in kept.items():
        digest, path = as_fields(Digest, value, source), directory / name
        if Path(name).is_absolute() or ".." in Path(name).parts:
            wrong[name] = "not a file of the model"
        elif not path.is_file():
            wrong[name] = "missing"
        elif (size := path.stat().st_size) != digest.bytes:
            wrong[name] = f"{size:,} bytes instead of {digest.bytes:,}"
        else:
            width = 2 * DIGEST
            ends = range(0, len(digest.blake2b), width)
            blocks += [(name, at // width, digest.blake2b[at : at + width]) for at in ends]
            if len(ends) != -(-size // BLOCK):
                wrong[name] = "hashes of some blocks are missing"
    if sample is not None and len(blocks) > sample:
        blocks = random.sample(blocks, sample)
    hashes = _hashes([(directory / name, number) for name, number, _ in blocks])
    for (name, number, expected), found in zip(blocks, hashes, strict=True):
        if found != expected:
            begin = number * BLOCK
            wrong.setdefault(name, f"changed, somewhere in bytes {begin:,} to {begin + BLOCK:,}")
    return wrong


@cache
def digest_of_code() -> str:
    """Of mtkit's own source and of the ``LIBRARIES``: what it computed may be kept under this."""
    package = Path(__file__).parents[1]
    files = {p.relative_to(package).as_posix(): p for p in sorted(package.rglob("*.py"))}
    code = [(name, digest_of(path.read_bytes())) for name, path in files.items()]
    return digest_of(json.dumps([code, list(map(version, LIBRARIES))]).encode())


def digest_of(content: bytes) -> str:
    """In hexadecimal."""
    return hashlib.blake2b(content, digest_size=DIGEST).hexdigest()


def _hashes(blocks: list[tuple[Path, int]]) -> list[str]:
    """The hash of each block, by threads where they are worth their start."""
    if sum(path.stat().st_size for path in {path for path, _ in blocks}) < 4 * BLOCK:
        return [_hash(block) for block in blocks]
    with ThreadPoolExecutor(cores()) as pool:
        return list(pool.map(_hash, blocks))


def _hash(place: tuple[Path, int]) -> str:
    path, block = place
    with path.open("rb") as file:
        file.seek(block * BLOCK)
        return digest_of(file.read(BLOCK))
