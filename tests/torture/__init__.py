"""What mtkit has to survive, tried by the thousand; `make torture`.

Kernels are compiled with bounds checks here: one that looks outside an array raises IndexError.
"""

import os

from numba import config

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is there: children are forked
config.BOUNDSCHECK = 1
config.CACHE_DIR = "/tmp/mtkit-torture/kernels"
