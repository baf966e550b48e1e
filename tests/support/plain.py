"""Kernels run as plain Python (``NUMBA_DISABLE_JIT=1``), which ``make coverage`` needs.

Compiled kernels access fields of structured rows as attributes. numpy's rows do not allow this, so
the record types of the kernels' modules get a row class that does.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import Any

import numpy as np

import mtkit.smt.moses.ini
import mtkit.smt.train  # noqa: F401
from mtkit.smt.language_model.ngrams import NgramModel

PLAIN = bool(os.environ.get("NUMBA_DISABLE_JIT"))


class Row(np.void):
    """A row with its fields as attributes, even one named ``size``."""

    def __getattribute__(self, name: str) -> Any:
        dtype = super().__getattribute__("dtype")
        return self[name] if name in dtype.names else super().__getattribute__(name)

    def __setattr__(self, name: str, value: object) -> None:
        self[name] = value


def give_rows_attributes() -> None:
    """Set the row class in all record types of the modules of ``mtkit.smt``."""
    for module in [of for name, of in sys.modules.items() if name.startswith("mtkit.smt")]:
        for name, value in vars(module).copy().items():
            if isinstance(value, np.dtype) and value.names:
                setattr(module, name, np.dtype((Row, value)))


def in_double(model: NgramModel) -> NgramModel:
    """Return the model in double precision, as kernels add; numpy adds float32 in float32."""
    p, backoff = (a.astype(np.float64) for a in (model.arrays.log_prob, model.arrays.backoff))
    return replace(model, arrays=model.arrays._replace(log_prob=p, backoff=backoff))
