"""The oldest versions that pyproject.toml allows: ``python -m tests.support.oldest run test``.

Prints the requirements of the named parts for ``pip install -r``, with ``==`` for ``>=``. Imports
only the standard library.
"""

from __future__ import annotations

import sys

from tests.support.pins import PARTS

if __name__ == "__main__":
    print("\n".join(line.replace(">=", "==") for part in sys.argv[1:] for line in PARTS[part]))
