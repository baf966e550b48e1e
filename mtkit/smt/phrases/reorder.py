"""Lexicalised reordering: the orientation of a phrase pair towards its neighbours.

An occurrence of a phrase pair (s̄, t̄) covers words i0 … i1 of the source and j0 … j1 of the target.
Towards the previous target word its orientation is

    monotone       if j0−1 is linked to i0−1 and not to i1+1
    swapped        if j0−1 is linked to i1+1 and not to i0−1
    discontinuous  otherwise

and towards the next one it follows from the links of j1+1 to i1+1 (monotone) and i0−1 (swapped).
The starts of the two sentences, at −1, count as linked to each other, and so do their ends. For
each direction

    P(o | s̄, t̄) = (c(o, s̄, t̄) + ½) / (c(s̄, t̄) + 3/2)

Tillmann 2004; Koehn et al. 2005; this is Moses's ``wbe-msd-bidirectional-fe``.
"""

from __future__ import annotations

import numpy as np

from mtkit.smt.flat import Float32, Int32
from mtkit.smt.kernels import lean

MONOTONE, SWAP, DISCONTINUOUS = range(3)


def log_probabilities(c: Int32) -> Float32:
    """Return ln P(o | s̄, t̄), float32 (P, 6): m, s, d of the previous, then of the next word.

    c: int32 (P, 2, 3), how often each pair has each orientation.
    """
    total = c[:, :, 0] + c[:, :, 1] + c[:, :, 2]  # faster than c.sum(2)
    out: Float32 = np.log((c + 0.5) / (total[:, :, None] + 1.5)).astype(np.float32).reshape(-1, 6)
    return out


# --- kernels


@lean
def orientation(monotone: bool, swap: bool) -> int:
    """Return o, given whether the word beside j0 … j1 has the link that each name requires."""
    if monotone == swap:
        return DISCONTINUOUS
    return MONOTONE if monotone else SWAP
