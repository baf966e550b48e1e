"""Run the stress tests and print counts and faults. The exit code is 1 if there are faults.

    python -m tests.torture [PART …] [--full]

Parts: the kinds of models and ``checkpoint`` (``hostile``), ``killed``, ``together``, ``disk``,
``lines``, ``readers``. Without ``--full`` about 5 % of the cases are tried. The seed is fixed.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from rich.console import Console
from rich.table import Table

from tests.torture.parts import attempt, parts


def main() -> None:
    """Run all parts, or those whose names begin with an argument, on all cores."""
    asked, whole = tuple(a for a in sys.argv[1:] if not a.startswith("-")), "--full" in sys.argv
    names = [name for name in parts(whole) if not asked or name.startswith(asked)]
    table = Table("part", "tried", "faults", "seconds")
    worst = list[str]()
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        running = {pool.submit(attempt, name, whole): name for name in names}
        for done in as_completed(running):
            name, (tally, faults, seconds) = running[done], done.result()
            tried = ", ".join(f"{what} {n:,}" for what, n in tally.items())
            table.add_row(name, tried, f"{len(faults):,}", f"{seconds:.0f}")
            summary = f"{name}: {tried}; {len(faults)} faults; {seconds:.0f} s"
            print(summary, *faults, sep="\n  ", flush=True)
            worst += faults
    Console().print(table)
    sys.exit(bool(worst))


if __name__ == "__main__":
    main()
