"""Kernels run as plain Python (``NUMBA_DISABLE_JIT=1``), which ``make coverage`` needs.

Compiled, a row of a structured array has its fields as attributes; numpy's own rows have not, so
the record types of the kernels' modules get rows that do.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np


class Row(np.void):
    """A row whose fields are its attributes, even one named ``size``."""

    def __getattribute__(self, name: str) -> Any:
        dtype = super().__getattribute__("dtype")
        return self[name] if name in dtype.names else super().__getattribute__(name)

    def __setattr__(self, name: str, value: object) -> None:
        self[name] = value


def give_rows_attributes(*modules: ModuleType) -> None:
    """In every record type that ``modules`` name."""
    for module in modules:
        for name, value in vars(module).copy().items():
            if isinstance(value, np.dtype) and value.names:
                setattr(module, name, np.dtype((Row, value)))
