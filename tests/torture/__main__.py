"""Print what was tried how often, and what went wrong. Exit code 1 where anything did.

    python -m tests.torture [PART …] [--full]

Parts: the kinds of models (``hostile``), ``killed``, ``together``, ``disk``, ``lines``,
``readers``. Without ``--full`` about a twentieth of everything is tried. The seed is fixed.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.torture import full, hostile, killed, lines, models, readers

SEED = 1
WHERE = Path("/tmp/mtkit-torture")
Part = Callable[[], tuple[Counter[str], list[str]]]


def parts(whole: bool) -> dict[str, Part]:
    """Everything that can be tried."""
    made = models.make(WHERE / "made")
    text = tuple((WHERE / "made" / name).read_bytes() for name in ("test.en", "test.de"))
    counts = (200, 1000, 100) if whole else (10, 50, 5)
    kills, pairs, n, million = (100, 20, 10_000, 1_000_000) if whole else (5, 2, 500, 50_000)
    every = {kind: partial(hostile.torture, kind, made[kind], counts, SEED, text) for kind in made}
    for name in killed.COMMANDS:
        every[f"killed: {name}"] = partial(killed.torture, name, WHERE / "made", kills, SEED)
    return every | {
        "together": partial(killed.together, WHERE / "made", pairs, SEED),
        "disk": partial(full.torture, WHERE / "made", [0, 40, 400, 4000] if whole else [0, 400]),
        "lines": partial(lines.torture, WHERE / "made", n, million, SEED),
        "readers": partial(readers.torture, WHERE / "made", 300 if whole else 15, SEED),
    }


def main() -> None:
    """Try everything, or the parts whose names begin with one that is asked for."""
    asked = tuple(part for part in sys.argv[1:] if not part.startswith("-"))
    table = Table("part", "tried", "faults", "seconds")
    worst = list[str]()
    for name, part in parts("--full" in sys.argv).items():
        if asked and not name.startswith(asked):
            continue
        start = time.perf_counter()
        tally, faults = part()
        seconds = time.perf_counter() - start
        tried = ", ".join(f"{what} {n:,}" for what, n in tally.items())
        table.add_row(name, tried, f"{len(faults):,}", f"{seconds:.0f}")
        print(
            f"{name}: {tried}; {len(faults)} faults; {seconds:.0f} s",
            *faults,
            sep="\n  ",
            flush=True,
        )
        worst += faults
    Console().print(table)
    sys.exit(bool(worst))


if __name__ == "__main__":
    main()
