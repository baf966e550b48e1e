"""``mtkit encode``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typer import Option

import mtkit.cli.completion as completion
from mtkit.cli.options import Quiet, Threads, model_or_newest, set_up
from mtkit.console import busy, note, visible

if TYPE_CHECKING:
    from mtkit.manifest import TrainingPair
    from mtkit.nmt.system import NmtSystem


Pool = Annotated[
    Literal["mean", "max", "last"],
    Option(
        help="Vector of a line: mean or maximum of the encoder's states, or the last state of each "
        "direction."
    ),
]
Model = Annotated[
    Path | None,
    Option(
        metavar="DIR",
        help="Neural model. [the newest in models/]",
        autocompletion=completion.models,
    ),
]
Out = Annotated[
    Path | None, Option(metavar="FILE.npy", help="Write the vectors: float32, one row per line.")
]
Nearest = Annotated[
    int | None,
    Option(
        metavar="K",
        min=1,
        max=10**6,
        help="Print the K training sentences closest to each line, as TAB-separated columns: line "
        "number, training line number, cosine, text. [3; none if --out is given]",
    ),
]


def encode(
    pool: Pool = "mean", model: Model = None, out: Out = None, nearest: Nearest = None,
    threads: Threads = 0, quiet: Quiet = False,
) -> None:  # fmt: skip
    """Encode lines as vectors; find similar training sentences."""
    from mtkit.manifest import training_pairs
    from mtkit.text.lines import decode_lines
    from mtkit.translators import load_neural

    cores = set_up(quiet, threads)
    if out is None and nearest is None:
        nearest = 3
    directory = model_or_newest(model, kind="nmt")
    system = load_neural(directory, "has an encoder")
    pairs = training_pairs(directory) if nearest else []  # may fail: before the work
    system.limit_threads(cores)
    lines = decode_lines(sys.stdin.buffer.read(), "stdin")
    if out is not None:
        _write(system, lines, pool, out)
    if nearest:
        _print_nearest(system, lines, pairs, nearest, pool)


def _write(system: NmtSystem, lines: list[str], pool: str, out: Path) -> None:
    import numpy as np

    from mtkit.nmt.encode import encode_sentences
    from mtkit.storage.writing import named_file

    with busy(f"encoding {len(lines):,} lines"):
        vectors = encode_sentences(system, lines, pool)
    with named_file(out) as file:  # given a name, numpy would add .npy
        np.save(file, vectors)
    note(f"{out}: {vectors.shape[0]:,} vectors of {vectors.shape[1]}")


def _print_nearest(
    system: NmtSystem, lines: list[str], known: list[TrainingPair], k: int, pool: str
) -> None:
    """Print a row for each line and neighbour; a blank line has no neighbours."""
    from mtkit.nmt.encode import nearest

    queries = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    texts = [pair.source for pair in known]
    with busy(f"encoding {len(known):,} training sentences"):
        indices, cosine = nearest(system, [line for _, line in queries], texts, k, pool)
    for (number, _), rows, values in zip(queries, indices.tolist(), cosine.tolist(), strict=True):
        for row, value in zip(rows, values, strict=True):
            pair = known[row]
            print(number, pair.line, f"{value:.6f}", visible(pair.source), sep="\t")
