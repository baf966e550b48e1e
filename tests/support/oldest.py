"""The oldest versions that pyproject.toml allows: ``python -m tests.support.oldest run test``.

Prints what the named parts ask for, as ``pip install -r`` reads it, with ``==`` for ``>=``. Needs
nothing but Python.
"""

from __future__ import annotations

import sys

from tests.support.pins import PARTS

if __name__ == "__main__":
    print("\n".join(line.replace(">=", "==") for part in sys.argv[1:] for line in PARTS[part]))
