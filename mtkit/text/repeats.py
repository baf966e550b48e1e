"""Repeated lines: identical, or identical except for case, digits, punctuation and spaces."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]
_DELETED = (string.punctuation + string.whitespace.replace("\n", "")).encode()
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_ZEROS = re.compile(rb"00+")
# Non-ASCII punctuation: Latin-1, General Punctuation, Arabic, CJK, full-width forms.
_PUNCTUATION = re.compile(
    rb"\xc2[\xa0-\xbf]|\xe2[\x80-\x81][\x80-\xbf]|\xd8[\x8c\x9b\x9f]|\xe3\x80[\x80-\xa0]"
    rb"|\xef\xbc[\x81-\x8f\x9a-\xa0]|\xef\xbd[\x9b-\xad]"
)


def exact_keys(lines: Sequence[str]) -> Int64:
    """Return a hash of each line, int64 (len(lines),); comparable within this process only."""
    return np.fromiter(map(hash, lines), np.int64, len(lines))


def near_keys(lines: Sequence[str]) -> Int64:
    """Return hashes as ``exact_keys`` does, but without case, punctuation and spaces.

    Every number becomes one digit. A line of which nothing is left is hashed unchanged.
    """
    data = "\n".join(lines).lower().encode("utf-8", "surrogatepass")
    if not data.isascii():
        data = _PUNCTUATION.sub(b"", data)
    data = _ZEROS.sub(b"0", data.translate(_DIGITS, _DELETED))
    parts = data.split(b"\n") if lines else []
    empty_hash = hash(b"")
    keys = np.fromiter(map(hash, parts), np.int64, len(parts))
    for row in np.flatnonzero(keys == empty_hash).tolist():
        keys[row] = hash(lines[row])
    return keys


def combined_keys(*keys: Int64) -> Int64:
    """Combine the hashes of several sides into one per row."""
    mixed = np.zeros(len(keys[0]), np.uint64)
    for key in keys:
        mixed = (mixed ^ key.astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return mixed.astype(np.int64)


def repeated(keys: Int64) -> Bool:
    """Return which rows have the key of an earlier row."""
    _, first = np.unique(keys, return_index=True)
    later = np.ones(len(keys), bool)
    later[first] = False
    return later
