"""mtkit: a statistical and a neural translator from the same text, and their honest comparison.

>>> from mtkit import load                                   # doctest: +SKIP
>>> load("models/smt").translate(["Two men."])               # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from mtkit.system import System

__all__ = ["load"]
__version__ = "0.1.0"


def load(directory: str | Path) -> System:
    """Load a trained translator of either kind; see ``mtkit.models.load``."""
    from mtkit import models  # here, so that `mtkit --help` does not wait for numpy

    return models.load(directory)
