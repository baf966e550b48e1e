"""The number of threads that this process uses.

Functions that compute take a number of threads as an argument. A command's ``--threads`` also sets
a ``limit`` for the rest: for libraries, which use every core unless environment variables say
otherwise at import; for hashing files when a model is read; for checks of a corpus.
"""

from __future__ import annotations

import os

from mtkit.platforms import usable_cores

# OpenMP (torch), OpenBLAS and MKL (numpy, torch) and rayon (tokenizers) read these once.
VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
_limit = 0  # threads of this process; 0: no limit


def limit(threads: int) -> None:
    """Limit this process to ``threads`` threads; 0: every core, the default.

    Call this before numpy, torch and tokenizers are imported.
    """
    global _limit
    _limit = threads
    if threads:
        os.environ |= dict.fromkeys(VARIABLES, str(threads))
    if threads == 1:
        os.environ["TOKENIZERS_PARALLELISM"] = "false"  # else it starts one more thread


def cores(threads: int = 0) -> int:
    """Return ``threads``; for 0 the limit; without a limit, the cores this process may use."""
    return threads or _limit or usable_cores()
