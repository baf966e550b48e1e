"""Split a corpus without leakage: near duplicates go to the same split.

Lines are the same if they differ at most in case, digits, punctuation, blanks: see
``repeats.near_keys``. Pairs with the same source or the same target are connected, directly or
through other pairs. Each connected component of this graph goes to one split as a whole. If
documents are given, each document does instead; then training pairs with a source or target of the
dev or test set, and dev pairs with one of the test set, are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mtkit.errors import InputError
from mtkit.smt.flat import Bool, Int64
from mtkit.smt.kernels import kernel
from mtkit.text.catalog import SPLITS
from mtkit.text.corpus import Bitext
from mtkit.text.repeats import near_keys

TRAIN, DEV, TEST = range(3)


class Split(NamedTuple):
    """The rows of each split, from 0, ascending, and how many pairs are in no split.

    blank: a side has no text. repeated: another split has the pair's source or target.
    """

    rows: Mapping[str, Int64]
    blank: int
    repeated: int


def split_text(
    text: Bitext, dev: int, test: int, seed: int, documents: Sequence[str] | None = None
) -> Split:
    """Split a text at random.

    dev, test: numbers of pairs; a split gets somewhat fewer if only larger groups are left.
    documents: the id of each pair's document. Raises InputError if a split would be empty.
    """
    name = text.paths[0]
    pairs = text.pairs()
    has_text = np.fromiter((bool(s.strip() and t.strip()) for s, t in pairs), bool, len(pairs))
    rows = np.flatnonzero(has_text)
    if dev + test >= len(rows):
        raise InputError(
            f"{name}: {len(rows):,} pairs with text; --dev {dev} and --test {test} leave none to "
            "train on"
        )
    source, target = (_numbered(near_keys(side))[rows] for side in (text.source, text.target))
    if documents is None:
        group = _numbered(_components(source, target))
    else:
        group = _numbered_texts([documents[row] for row in rows.tolist()])
    split_of = _draw(group, dev, test, seed)
    unique = np.ones(len(rows), bool)
    if documents is not None:
        unique = _without_repeats(split_of, source, target)
    parts = {split: rows[unique & (split_of == k)] for k, split in enumerate(SPLITS)}
    for split, wanted in zip(SPLITS, (1, dev, test), strict=True):
        if wanted and not len(parts[split]):
            advice = "lower --dev and --test" if split == "train" else f"raise --{split}"
            raise InputError(
                f"{name}: {split} stays empty: groups of pairs that must stay together are too "
                f"large, or their pairs repeat others; {advice}"
            )
    return Split(parts, int((~has_text).sum()), int((~unique).sum()))


def blank_line_documents(text: Bitext) -> list[str]:
    """Return document ids for pairs; a pair without text on both sides begins a new document."""
    document, ids = 0, []
    for source, target in text.pairs():
        document += not source.strip() and not target.strip()
        ids.append(str(document))
    return ids


def write_split(
    text: Bitext, split: Split, pair: tuple[str, str], directory: Path,
    numbers: Sequence[int] | None = None,
) -> None:  # fmt: skip
    """Write ``SPLIT.LL`` and ``SPLIT.lines``, line numbers from 1, into ``directory``.

    numbers: the line numbers of the pairs in their original file; None if pairs are lines.
    """
    if numbers is None:
        numbers = range(1, len(text) + 1)
    for name, rows in split.rows.items():
        if len(rows):
            old = "".join(f"{numbers[row]}\n" for row in rows.tolist())
            (directory / f"{name}.lines").write_text(old, encoding="utf-8")
            for side, language in zip((text.source, text.target), pair, strict=True):
                content = "".join(f"{side[row]}\n" for row in rows.tolist())
                (directory / f"{name}.{language}").write_bytes(content.encode())


def _draw(group: Int64, dev: int, test: int, seed: int) -> Int64:
    """Return the split of each row; groups, in random order, go to test, dev, or else to train."""
    sizes = np.bincount(group)
    capacity = {TEST: test, DEV: dev}
    split_of_group = np.full(len(sizes), TRAIN, np.int64)
    for number in np.random.default_rng(seed).permutation(len(sizes)).tolist():
        for split, room in capacity.items():
            if sizes[number] <= room:
                split_of_group[number] = split
                capacity[split] -= int(sizes[number])
                break
        if not any(capacity.values()):
            break
    drawn: Int64 = split_of_group[group]
    return drawn


def _without_repeats(split_of: Int64, source: Int64, target: Int64) -> Bool:
    """Return which rows share no side with an earlier split, in the order test, dev, train."""
    unique = np.ones(len(split_of), bool)
    for split, before in ((DEV, split_of == TEST), (TRAIN, split_of != TRAIN)):
        for keys in (source, target):
            unique[(split_of == split) & np.isin(keys, keys[before])] = False
    return unique


def _numbered(keys: Int64) -> Int64:
    """Renumber keys from 0, by first appearance."""
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    numbers: Int64 = rank[inverse]
    return numbers


def _numbered_texts(texts: Sequence[str]) -> Int64:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(text, len(numbers)) for text in texts], np.int64)


# --- kernels


@kernel
def _components(a: Int64, b: Int64) -> Int64:
    """Return a label for each row, the same for rows connected by shared a[i] or b[i]."""
    n = a.max() + 1
    parent = np.arange(n + b.max() + 1)
    for i in range(len(a)):
        x, y = a[i], n + b[i]
        while parent[x] != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        while parent[y] != y:
            parent[y] = parent[parent[y]]
            y = parent[y]
        parent[y] = x
    roots = np.empty(len(a), np.int64)
    for i in range(len(a)):
        x = a[i]
        while parent[x] != x:
            x = parent[x]
        roots[i] = x
    return roots
