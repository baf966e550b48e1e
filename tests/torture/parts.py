"""All parts of the stress tests, by name."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.torture import full, hostile, killed, lines, models, readers

SEED = 1
FEW = (10, 50, 5)  # cuts, flipped bits, places in JSON of each file
WHERE = Path("/tmp/mtkit-torture")
Part = Callable[[], tuple[Counter[str], list[str]]]


def parts(whole: bool) -> dict[str, Part]:
    """Return all parts; whole: with all cases."""
    made = models.make(WHERE / "made")
    text = tuple((WHERE / "made" / name).read_bytes() for name in ("test.en", "test.de"))
    counts = (200, 1000, 100) if whole else FEW
    kills, pairs, n, million = (100, 20, 10_000, 1_000_000) if whole else (5, 2, 500, 50_000)
    every = {kind: partial(hostile.torture, kind, made[kind], counts, SEED, text) for kind in made}
    # Its parts are models that are tested separately.
    every["combined"] = partial(hostile.torture, "combined", made["combined"], FEW, SEED, text)
    every["checkpoint"] = partial(hostile.checkpoint, WHERE / "made", counts, SEED)
    for name in killed.COMMANDS:
        every[f"killed: {name}"] = partial(killed.torture, name, WHERE / "made", kills, SEED)
    for name in readers.FILES:
        seconds = 300 if whole else 15
        every[f"readers: {name}"] = partial(readers.torture, name, WHERE / "made", seconds, SEED)
    return every | {
        "together": partial(killed.together, WHERE / "made", pairs, SEED),
        "disk": partial(full.torture, WHERE / "made", [0, 40, 400, 4000] if whole else [0, 400]),
        "lines": partial(lines.torture, WHERE / "made", n, million, SEED),
    }


def attempt(name: str, whole: bool) -> tuple[Counter[str], list[str], float]:
    """Run a part; return its results and the seconds."""
    start = time.perf_counter()
    return *parts(whole)[name](), time.perf_counter() - start
