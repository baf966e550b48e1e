"""The statistical half: alignment, phrases, n-gram language model, decoder. Kernels in numba."""
