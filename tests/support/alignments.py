"""Word alignments of small texts, and interrupted stages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mtkit.smt.alignment import diagonal
from mtkit.smt.alignment.align import Alignment, align
from mtkit.smt.alignment.direction import Model
from mtkit.smt.alignment.places import NO_POSTERIOR, Places, maximise
from mtkit.storage.stages import Job, Stages
from mtkit.text import shards
from mtkit.text.vocabulary import Sentences


def aligned(
    place: Path, source: Sentences, target: Sentences, aligner: str, **stages: Any
) -> Alignment:
    """Return the alignment of tokens; its files are beneath ``place``."""
    text = shards.write(place / "text", zip(source, target, strict=True))
    return align(text, Stages(place / "stages", **stages), aligner)


def em(
    places: Places, model: Model, iterations: int, t: np.ndarray | None = None
) -> tuple[np.ndarray, Any, list[float]]:
    """Return t and the other parameters after EM, and ln P(f|e) before each iteration."""
    t = places.uniform() if t is None else t
    is_diagonal = model is diagonal.MODEL
    other = diagonal.Prior.of(places.e_begin, places.f_begin) if is_diagonal else model.start(None)
    likelihoods = []
    for _ in range(iterations):
        t, sums = model.expect(places, t, other, NO_POSTERIOR)
        maximise(t, places.row, 0.0)
        other = model.update(sums[:-1], other)
        likelihoods.append(float(sums[-1]))
    return t, other, likelihoods


def posterior(places: Places, model: Model, t: np.ndarray, other: Any) -> np.ndarray:
    """Return P(a_j = i | f, e) of every place."""
    found = np.empty(len(places.entry), np.float32)
    model.expect(places, t, other, found)
    return found


class Interrupted(Exception):  # noqa: N818  no error
    """Raised to stop a run."""


class Interrupting:
    """A ``Run`` that stops before job number ``at``, counted over all stages."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self, jobs: Sequence[Job]) -> Iterator[None]:
        """See ``Run``."""
        for job in jobs:
            if self.left == 0:
                raise Interrupted
            self.left -= 1
            yield job()


def contents(directory: Path) -> dict[str, bytes]:
    """Return the contents of the files beneath a directory, by name."""
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}
