"""Stress tests with thousands of hostile inputs; `make torture`.

Kernels are compiled with bounds checks: access outside an array raises IndexError.
"""

import os

from numba import config

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: children are forked
config.BOUNDSCHECK = 1
config.CACHE_DIR = "/tmp/mtkit-torture/kernels"
