"""IBM Model 1 (Brown et al. 1993): word translation that ignores word order.

Letters as in ``places``.

    P(f|e) = Π_j 1/(I+1) Σ_{i=0..I} t(f_j|e_i)

E-step:      c(f|e) += t(f_j|e_i) / Σ_i' t(f_j|e_i')   over all places where f_j = f, e_i = e.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from mtkit.smt.alignment.direction import Model
from mtkit.smt.alignment.places import NO_POSTERIOR, Places, maximise, sum_over_threads
from mtkit.smt.flat import Float32, Float64
from mtkit.smt.kernels import kernel


def ibm1(places: Places, alpha: float = 0.0, threads: int = 1) -> Iterator[tuple[Float64, float]]:
    """Run EM from uniform t; after each iteration yield t, and ln P(f|e) under the t before.

    For a small text whose places are in memory; ``align`` has its text in shards. t: float64, in
    the order of ``Places.column``; alpha: the Dirichlet prior of ``places``. Never ends.
    """
    t = places.uniform()
    while True:
        likelihood, t = sum_over_threads(
            partial(_expect, places, t, NO_POSTERIOR), places, len(t), threads
        )
        maximise(t, places.row, alpha)
        yield t, likelihood


def expect(places: Places, t: Float64, _other: None, posterior: Float32) -> tuple[Float64, Float64]:
    """Return c, float64 (len(t),), and ln P(f|e), (1,). See ``direction.Model``."""
    counts = np.zeros(len(t))
    likelihood = _expect(places, t, posterior, 0, len(places.begin) - 1, counts)
    return counts, np.array([likelihood])


MODEL = Model(lambda _: None, expect, lambda _sums, _other: None)


# --- kernels


@kernel
def _expect(
    places: Places, t: Float64, posterior: Float32, first: int, last: int, counts: Float64
) -> float:
    """Add the expected counts of sentences first … last − 1; return their ln P(f|e)."""
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
