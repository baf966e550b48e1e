"""Python access to functions that only kernels call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mtkit.smt.language_model import ngrams
from mtkit.smt.phrases import context, extract


def outer(inner: Callable[..., Any]) -> Callable[..., Any]:
    """Return a kernel that calls ``inner`` with its own arguments."""

    @njit
    def call(*arguments):  # type: ignore[no-untyped-def]
        return inner(*arguments)

    return call  # type: ignore[no-any-return]


lm_step, lm_step_cached = outer(ngrams.lm_step), outer(ngrams.lm_step_cached)
hash_phrase = outer(extract.hash_phrase)
log_probabilities = outer(context.log_probabilities)
write_local_hashes = outer(context.write_local_hashes)
hash_in_sentence = outer(context.hash_in_sentence)


def features(words: NDArray[np.int32]) -> tuple[NDArray[np.uint32], list[int]]:
    """Return the features of N words: local hashes, (N, LOCAL_FEATURES), and word hashes."""
    near = np.empty((len(words), context.LOCAL_FEATURES), np.uint32)
    for i in range(len(words)):
        write_local_hashes(words, 0, len(words), i, near[i])
    return near, [int(hash_in_sentence(word)) for word in words]
