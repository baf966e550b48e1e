"""Integer texts as shards on disk, and their phrase tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from mtkit.smt.alignment.symmetrize import Links
from mtkit.smt.flat import Flat, read_only
from mtkit.smt.phrases import extract as extraction
from mtkit.smt.phrases.build import build
from mtkit.smt.phrases.table import PhraseTable
from mtkit.storage.arrays import load, save
from mtkit.storage.stages import Outputs, Stages
from mtkit.text.shards import SIDES, Shards
from tests.support.phrase_pairs import Pairs, flat


def extract(pairs: Pairs, limit: int = extraction.MAX_PHRASE) -> extraction.Rows:
    """Return all occurrences of phrase pairs."""
    source, target, links = flat(pairs)
    corpora = [extraction.Aligned.of(source, target, links)]
    covered = np.zeros(int(source.words.max()) + 1, np.bool_)
    size = extraction.count(corpora, covered, 1, limit)
    return extraction.extract(corpora, (0, 0), covered, size, limit)[0]


def shards_of(directory: Path, source: Flat, target: Flat, shards: int = 1) -> Shards:
    """Write text in shards with equal numbers of sentences."""
    for name, side in zip(SIDES, (source, target), strict=True):
        save(directory / name, words=side.words, begin=side.begin)
    begin = np.linspace(0, len(source), shards + 1).astype(int).tolist()
    sizes = int(source.words.max()) + 1, int(target.words.max()) + 1
    return Shards(directory, tuple(begin), sizes, (len(source.words), len(target.words)))


def save_links(directory: Path, text: Shards, links: Links) -> Outputs:
    """Write the links of each shard to a directory of its own."""
    outputs = Outputs(directory, len(text))
    for k, out in enumerate(outputs):
        out.mkdir(parents=True)
        begin = links.begin[text.begin[k] : text.begin[k + 1] + 1]
        source, target = (side[begin[0] : begin[-1]] for side in (links.source, links.target))
        Links(source, target, begin - begin[0]).save(out)
    return outputs


def arrays_of(out: Path) -> PhraseTable:
    """Return the arrays of a directory, in memory."""
    arrays = (load(out / f"{name}.npy") for name in PhraseTable._fields)
    return PhraseTable(*read_only(arrays))


def build_table(
    source: Flat, target: Flat, links: Links | Sequence[Links], discount: str = "none",
    shards: int = 1, **stages: Any,
) -> PhraseTable:  # fmt: skip
    """Return the table of aligned text, checked like a model's."""
    with TemporaryDirectory() as name:
        place = Path(name)
        text = shards_of(place / "text", source, target, shards)
        every = [links] if isinstance(links, Links) else links
        saved = [save_links(place / f"links-{k}", text, of) for k, of in enumerate(every)]
        build(text, saved, Stages(place / "stages", **stages), place / "table", discount)
        PhraseTable.load(place / "table", *text.sizes)
        return arrays_of(place / "table")
