"""Check that the files of a directory, or mtkit's own code, are unchanged.

The digest of a file is its size and a hash of every block (BLAKE2b, 64 bits), so that parts of a
large file can be checked by themselves. This detects damage on a disk or in transit, but not files
that somebody replaced together with their hashes; for those there are the checks of ``structure``.
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
SAMPLE = 32  # blocks read of a larger model, in less than 0.1 s
DIGEST = 8  # bytes of a hash
LIBRARIES = ("numba", "numpy", "torch")  # that results depend on


class Digest(NamedTuple):
    """The size of a file in bytes, and the concatenated hexadecimal hashes of its blocks."""

    bytes: int
    blake2b: str


def digests_of(directory: Path, files: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """Return the digest of each of ``files``, by its path relative to ``directory``."""
    digests = dict[str, dict[str, Any]]()
    for file in files:
        size = file.stat().st_size
        hashes = _hashes([(file, k) for k in range(-(-size // BLOCK))])
        name = file.relative_to(directory).as_posix()
        digests[name] = Digest(size, "".join(hashes))._asdict()
    return digests


def mismatches(
    directory: Path, digests: Mapping[str, Any], source: Path, sample: int | None = SAMPLE
) -> dict[str, str]:
    """Return what is wrong with the files whose ``digests`` are given, by file name.

    source: the file that ``digests`` were read from; sample: number of blocks to check, chosen at
    random, if there are more; None: all. Raises InputError if ``digests`` are malformed.
    """
    problems, blocks = dict[str, str](), list[tuple[str, int, str]]()
    for name, value in digests.items():
        digest, path = as_fields(Digest, value, source), directory / name
        if Path(name).is_absolute() or ".." in Path(name).parts:
            problems[name] = "not a file of the model"
        elif not path.is_file():
            problems[name] = "missing"
        elif (size := path.stat().st_size) != digest.bytes:
            problems[name] = f"{size:,} bytes instead of {digest.bytes:,}"
        else:
            width = 2 * DIGEST
            starts = range(0, len(digest.blake2b), width)
            blocks += [(name, k // width, digest.blake2b[k : k + width]) for k in starts]
            if len(starts) != -(-size // BLOCK):
                problems[name] = "hashes of some blocks are missing"
    if sample is not None and len(blocks) > sample:
        blocks = random.sample(blocks, sample)
    hashes = _hashes([(directory / name, number) for name, number, _ in blocks])
    for (name, number, expected), actual in zip(blocks, hashes, strict=True):
        if actual != expected:
            begin = number * BLOCK
            problems.setdefault(name, f"changed, somewhere in bytes {begin:,} to {begin + BLOCK:,}")
    return problems


@cache
def digest_of_code() -> str:
    """Return the hash of mtkit's source and of the versions of ``LIBRARIES``.

    Results of a computation may be cached under it.
    """
    package = Path(__file__).parents[1]
    files = {p.relative_to(package).as_posix(): p for p in sorted(package.rglob("*.py"))}
    code = [(name, digest_of(path.read_bytes())) for name, path in files.items()]
    return digest_of(json.dumps([code, list(map(version, LIBRARIES))]).encode())


def digest_of(content: bytes) -> str:
    """Return the hash of ``content`` in hexadecimal."""
    return hashlib.blake2b(content, digest_size=DIGEST).hexdigest()


def _hashes(blocks: list[tuple[Path, int]]) -> list[str]:
    """Return the hash of each block, computed in threads if there is enough to read."""
    if sum(path.stat().st_size for path in {path for path, _ in blocks}) < 4 * BLOCK:
        return [_hash(block) for block in blocks]
    with ThreadPoolExecutor(cores()) as pool:
        return list(pool.map(_hash, blocks))


def _hash(block: tuple[Path, int]) -> str:
    path, number = block
    with path.open("rb") as file:
        file.seek(number * BLOCK)
        return digest_of(file.read(BLOCK))
