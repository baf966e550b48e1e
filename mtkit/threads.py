"""In how many threads this process computes.

What computes takes a number of threads where it is called. For the rest a command's ``--threads``
sets a ``limit``: for libraries, which take every core unless the environment says otherwise when
they are imported; for files, which are hashed wherever a model is read; for checks of a corpus.
"""

from __future__ import annotations

import os

from mtkit.platforms import usable_cores

# What OpenMP (torch), OpenBLAS and MKL (numpy, torch) and rayon (tokenizers) ask for once.
VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
_limit = 0  # of this process; 0: none


def limit(threads: int) -> None:
    """Let nothing in this process take more than ``threads``; 0: every core, as by default.

    To be called before numpy, torch and tokenizers are imported.
    """
    global _limit
    _limit = threads
    if threads:
        os.environ |= dict.fromkeys(VARIABLES, str(threads))
    if threads == 1:
        os.environ["TOKENIZERS_PARALLELISM"] = "false"  # else a pool of one beside the caller


def cores(threads: int = 0) -> int:
    """``threads``, or for 0 the limit, or without one the cores that this process may use."""
    return threads or _limit or usable_cores()
