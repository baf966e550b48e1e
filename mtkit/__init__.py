"""mtkit: a statistical and a neural translator from the same text, and their honest comparison.

>>> from mtkit import load                                   # doctest: +SKIP
>>> load("models/smt").translate(["Two men."])               # doctest: +SKIP
"""

from mtkit.models import load

__all__ = ["load"]
__version__ = "0.1.0"
