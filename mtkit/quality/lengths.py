"""Find pairs of which one side is far longer than the other, compared with the whole corpus.

With s and t characters, r the median of t/s, and a variance of t that grows with the length (Gale &
Church 1993),

    z = (t − r s) / √((r s + t)/2 + 1)            in robust standard deviations from its median

In an extreme pair |z| is above ``FAR``, and one side is over ``TIMES`` times as long as usual.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtkit.smt.flat import Bool, Float64

FAR = 5.0  # standard deviations
TIMES = 2.5
MIN_DEVIATION = 0.5  # of z, for text that is more regular than natural text
MAD = 1.4826  # standard deviation / median absolute deviation of a normal distribution
SMOOTHING = 5  # characters added to both lengths, so that short lines have no extreme ratio


def characters(lines: Sequence[str]) -> Float64:
    """Return the length of each line in characters, without blanks around it, float64 (S,)."""
    return np.fromiter((len(line.strip()) for line in lines), float, len(lines))


def extreme(s: Float64, t: Float64, usable: Bool) -> Bool:
    """Return which pairs have extreme lengths, bool (S,); only ``usable`` pairs are considered."""
    is_extreme = np.zeros(len(s), bool)
    if usable.sum() < 2:
        return is_extreme
    a, b = s[usable], t[usable]
    r = float(np.median(b / np.maximum(a, 1)))
    z = (b - r * a) / np.sqrt((r * a + b) / 2 + 1)
    z -= np.median(z)
    deviation = max(MIN_DEVIATION, MAD * float(np.median(np.abs(z))))
    ratio = np.log((b + SMOOTHING) / (r * a + SMOOTHING))
    ratio -= np.median(ratio)
    is_extreme[usable] = (np.abs(z) > FAR * deviation) & (np.abs(ratio) > np.log(TIMES))
    return is_extreme
