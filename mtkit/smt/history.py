"""What an n-gram model makes of less history than there is: ln p(w_t | the last k words alone)."""

from __future__ import annotations

import numpy as np
from numba import njit

from mtkit.smt.flat import Float64, Int32, Int64
from mtkit.smt.lm import ROOT, Lm, NgramModel, lm_step


def cut_logprobs(model: NgramModel, words: Int32, at: Int64, k: int) -> Float64:
    """ln p of ``words[t]`` given ``words[t − k : t]``, for each t of ``at``; (len(at),).

    words: the model's ids (T,); every t is at least k.
    """
    return _cut(model.arrays, words, at, k)


@njit(cache=True, nogil=True)
def _cut(lm: Lm, words: Int32, at: Int64, k: int) -> Float64:
    log_p = np.empty(len(at))
    for n, t in enumerate(at):
        state = ROOT
        for j in range(t - k, t):
            _, state = lm_step(lm, state, words[j])
        log_p[n], _ = lm_step(lm, state, words[t])
    return log_p
