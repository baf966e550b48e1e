"""Pairs of which one side is far longer than the other, by what is usual in the corpus.

With s and t characters, r the median of t/s and the variance of t growing with the length (Gale &
Church 1993),

    z = (t − r s) / √((r s + t)/2 + 1)            in robust standard deviations from its median

An extreme pair is beyond ``FAR`` of these, and one side ``TIMES`` times as long as usual.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtkit.smt.flat import Bool, Float64

FAR = 5.0  # standard deviations
TIMES = 2.5
LEAST = 0.5  # standard deviation of z where a corpus is more regular than any real text
MAD = 1.4826  # a normal distribution's standard deviation by its median absolute deviation
EVEN = 5  # characters that count for nothing in a short line


def characters(lines: Sequence[str]) -> Float64:
    """Length of each line without blanks around it."""
    return np.fromiter((len(line.strip()) for line in lines), float, len(lines))


def extreme(s: Float64, t: Float64, usable: Bool) -> Bool:
    """Which pairs have extreme lengths; of those that are ``usable`` alone."""
    found = np.zeros(len(s), bool)
    if usable.sum() < 2:
        return found
    a, b = s[usable], t[usable]
    r = float(np.median(b / np.maximum(a, 1)))
    z = (b - r * a) / np.sqrt((r * a + b) / 2 + 1)
    z -= np.median(z)
    deviation = max(LEAST, MAD * float(np.median(np.abs(z))))
    ratio = np.log((b + EVEN) / (r * a + EVEN))
    ratio -= np.median(ratio)
    found[usable] = (np.abs(z) > FAR * deviation) & (np.abs(ratio) > np.log(TIMES))
    return found
