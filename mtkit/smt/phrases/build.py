"""Build the phrase table of an aligned text on disk, in stages.

    phrases-words         ``survey``, one task per piece (a shard and its alignments)
    phrases-links-cut, -links, -lexicon    ``lexical``: by ranges of source words
    phrases-covered, -occurrences          ``extract``: per piece, sorted into parts by source
    phrases-cut, -pairs, -sums             ``pairs``: by ranges of source, then of target phrases
    phrases-scored                         ``score``: by ranges of source phrases

Each module describes its own stages. The range boundaries are saved with the stages: a build that
is resumed with another amount of memory uses the same ranges.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtkit.smt.flat import Int64
from mtkit.smt.phrases import extract, lexical, pairs, score
from mtkit.smt.phrases.extract import Piece
from mtkit.storage.arrays import load, mapped, save, write_array
from mtkit.storage.stages import Outputs, Stages
from mtkit.text.shards import Shards


def build(
    text: Shards, links: Sequence[Outputs], stages: Stages, out: Path, discount: str = "none"
) -> None:
    """Extract, count and score all phrase pairs of ``text`` and write a ``PhraseTable``.

    links: for each alignment of the text, the directories of the saved ``Links`` of its shards.
    Pairs are extracted from every alignment and their counts added up, as if the text were repeated
    once per alignment.
    discount: one of ``score.DISCOUNTS``. The arrays in ``out`` are copied from the last stage,
    whose files stay.
    """
    pieces = [Piece(text, k, tuple(outputs[k] for outputs in links)) for k in range(len(text))]
    bits = extract.part_bits(text.tokens[0] * len(links))
    surveys = stages.run("phrases-words", survey, [(piece, bits) for piece in pieces])
    lexicon = _lexicon(surveys, text.sizes, stages)
    counted = _pairs(pieces, surveys, bits, stages)
    part_ends = np.linspace(0, 1 << bits, len(counted) + 1).astype(int).tolist()
    sum_calls = [(counted, first, last, bits, discount) for first, last in pairwise(part_ends)]
    sums = stages.run("phrases-sums", pairs.sum_targets, sum_calls)
    score_calls = [(text, counted, sums, lexicon, k, bits, discount) for k in range(len(counted))]
    scored = stages.run("phrases-scored", score.score_pairs, score_calls)
    stages.forget("phrases-lexicon", "phrases-pairs", "phrases-sums")
    out.mkdir(parents=True, exist_ok=True)
    _write(scored, out)


def survey(into: Path, piece: Piece, bits: int) -> None:
    """Save what extraction must know of a piece before it starts.

    ``covered``: ids of the source words that are phrases by themselves; ``size``: int64 (2^bits,),
    consistent spans per part; ``both`` and ``c``: the distinct links and their counts, as
    ``lexical.distinct_links`` returns them.
    """
    corpora, _ = piece.read()
    covered = np.zeros(piece.text.sizes[0], np.bool_)
    size = extract.count(corpora, covered, bits)
    both, c = lexical.distinct_links(corpora)
    save(into, covered=np.flatnonzero(covered), size=size, both=both, c=c)


def _lexicon(surveys: Outputs, sizes: tuple[int, int], stages: Stages) -> Path:
    """Return the directory of the ``lexical.Weights``."""
    cut_calls = [(surveys, sizes[0], stages.task_memory)]
    [cut] = stages.run("phrases-links-cut", lexical.cut_words, cut_calls)
    link_calls = [(surveys, a, b, sizes[1]) for a, b in pairwise(load(cut / "ends.npy").tolist())]
    links = stages.run("phrases-links", lexical.add_links, link_calls)
    [lexicon] = stages.run("phrases-lexicon", lexical.join_links, [(links,)])
    return Path(lexicon)


def _pairs(pieces: Sequence[Piece], surveys: Outputs, bits: int, stages: Stages) -> Outputs:
    """Return the directories of the distinct pairs, one per range of source phrases."""
    join_calls = [(surveys, pieces[0].text.sizes[0])]
    [covered] = stages.run("phrases-covered", extract.join_words, join_calls)
    calls = [(piece, surveyed, covered) for piece, surveyed in zip(pieces, surveys, strict=True)]
    occurrences = stages.run("phrases-occurrences", extract.find_occurrences, calls)
    stages.forget("phrases-words", "phrases-links")
    [cut] = stages.run("phrases-cut", pairs.cut_parts, [(occurrences, stages.task_memory)])
    count_calls = [(occurrences, a, b, bits) for a, b in pairwise(load(cut / "ends.npy").tolist())]
    counted = stages.run("phrases-pairs", pairs.count_pairs, count_calls)
    stages.forget("phrases-occurrences")
    return counted


def _write(scored: Sequence[Path], out: Path) -> None:
    """Write the arrays of a ``PhraseTable``, one range at a time."""

    def parts(name: str) -> Iterator[NDArray[Any]]:
        return (mapped(directory / f"{name}.npy") for directory in scored)

    for name in ("source", "target", "key", "features", "reordering", "links"):
        dtype, row = score.ARRAYS[name]
        write_array(out / f"{name}.npy", parts(name), dtype, *row)
    for name, lengths in (("s_begin", "s_length"), ("t_begin", "t_length"), ("row", "pairs")):
        write_array(out / f"{name}.npy", _offsets(parts(lengths)), np.int64)


def _offsets(lengths: Iterable[NDArray[Any]]) -> Iterator[Int64]:
    """Yield the offsets of consecutive items of these lengths: 0, then the end of each item."""
    offset = 0
    yield np.zeros(1, np.int64)
    for part in lengths:
        ends = offset + np.cumsum(part, dtype=np.int64)
        yield ends
        offset = int(ends[-1]) if len(ends) else offset
