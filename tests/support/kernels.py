"""A way in from Python to functions that only kernels call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

from mtkit.smt.language_model import ngrams
from mtkit.smt.phrases import context, extract


def outer(inner: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel that calls ``inner`` with what it is given."""

    @njit
    def call(*arguments):  # type: ignore[no-untyped-def]
        return inner(*arguments)

    return call  # type: ignore[no-any-return]


lm_step, lm_ask = outer(ngrams.lm_step), outer(ngrams.lm_ask)
hash_phrase = outer(extract.hash_phrase)
log_probabilities = outer(context.log_probabilities)
