"""IBM Model 1 (Brown et al. 1993): which word translates which, whatever the order.

Letters as in ``places``.

    P(f|e) = Π_j 1/(I+1) Σ_{i=0..I} t(f_j|e_i)

EM expects   c(f|e) += t(f_j|e_i) / Σ_i' t(f_j|e_i')   over all places where f_j = f, e_i = e.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from mtkit.smt.alignment.places import NOTHING, Places, expect, maximise
from mtkit.smt.flat import Float32, Float64
from mtkit.smt.kernels import kernel


def ibm1(places: Places, alpha: float = 0.0, threads: int = 1) -> Iterator[tuple[Float64, float]]:
    """EM from the uniform start, an iteration at a time: its t, and ln P(f|e) under the one before.

    t: float64, in the order of ``Places.column``; alpha: the Dirichlet prior of ``places``.
    """
    t = places.uniform()
    while True:
        likelihood, t = expect(partial(_expect, places, t, NOTHING), places, len(t), threads)
        maximise(t, places.row, alpha)
        yield t, likelihood


def posterior(places: Places, t: Float64) -> Float32:
    """P(a_j = i | f, e) of every place, float32, in the order of ``Places.entry``."""
    out = np.empty(len(places.entry), np.float32)
    expect(partial(_expect, places, t, out), places, len(t), threads=1)
    return out


# --- kernels


@kernel
def _expect(
    places: Places, t: Float64, posterior: Float32, first: int, last: int, counts: Float64
) -> float:
    """Add the expected counts of sentences first … last − 1; their ln P(f|e)."""
    likelihood = 0.0
    for s in range(first, last):
        n = places.e_begin[s + 1] - places.e_begin[s] + 1
        for begin in range(places.begin[s], places.begin[s + 1], n):
            total = 0.0
            for k in range(begin, begin + n):
                total += t[places.entry[k]]
            for k in range(begin, begin + n):
                p = t[places.entry[k]] / total
                counts[places.entry[k]] += p
                if len(posterior) > 0:
                    posterior[k] = p
            likelihood += np.log(total / n)
    return likelihood
