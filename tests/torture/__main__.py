"""Print one table: what was tried how often, and what went wrong. Exit code 1 where anything did.

    python -m tests.torture [PART …] [--full]

Parts: hostile. Without ``--full`` a twentieth of everything is tried. All is repeatable: the seed
is the same each time.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is there
os.environ["NUMBA_BOUNDSCHECK"] = "1"
os.environ.setdefault("NUMBA_CACHE_DIR", "/tmp/mtkit-torture-kernels")

import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.torture import hostile, models

SEED = 1


def main() -> None:
    """Try everything."""
    full = "--full" in sys.argv
    parts = [part for part in sys.argv[1:] if not part.startswith("-")]
    kinds = [kind for kind in models.KINDS if not parts or kind in parts]
    where = Path("/tmp/mtkit-torture")
    made = models.make(where)
    text = (where / "test.en").read_bytes(), (where / "test.de").read_bytes()
    counts = (200, 1000, 100) if full else (10, 50, 10)
    table = Table("model", "tried", "refused", "answered", "other answers", "faults", "seconds")
    worst = list[str]()
    for kind in kinds:
        start = time.perf_counter()
        tally, faults = hostile.torture(kind, made[kind], counts, SEED, text)
        names = ("tried", "refused", "answered", "other answers", "faults")
        seconds = time.perf_counter() - start
        table.add_row(kind, *(f"{tally[name]:,}" for name in names), f"{seconds:.0f}")
        print(kind, dict(tally), f"{seconds:.0f} s", flush=True)
        worst += faults
    Console().print(table)
    for fault in worst:
        print(fault)
    sys.exit(bool(worst))


if __name__ == "__main__":
    main()
