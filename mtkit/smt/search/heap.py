"""A priority queue for kernels: a binary heap of indices, the one of the greatest value first."""

from __future__ import annotations

from mtkit.smt.flat import Float64, Int32
from mtkit.smt.kernels import lean


@lean
def push(queue: Int32, size: int, value: Float64, new: int) -> int:
    """Add index ``new`` to ``queue[:size]``; return the new size."""
    slot = size
    while slot > 0:
        parent = (slot - 1) // 2
        if value[queue[parent]] >= value[new]:
            break
        queue[slot] = queue[parent]
        slot = parent
    queue[slot] = new
    return size + 1


@lean
def pop(queue: Int32, size: int, value: Float64) -> int:
    """Remove the front, ``queue[0]``; return the new size."""
    replace(queue, size - 1, value, queue[size - 1])
    return size - 1


@lean
def replace(queue: Int32, size: int, value: Float64, new: int) -> None:
    """Replace the front of ``queue[:size]`` by index ``new``."""
    slot = 0
    while 2 * slot + 1 < size:
        child = 2 * slot + 1
        if child + 1 < size and value[queue[child + 1]] > value[queue[child]]:
            child += 1
        if value[new] >= value[queue[child]]:
            break
        queue[slot] = queue[child]
        slot = child
    queue[slot] = new
