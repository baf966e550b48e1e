"""Changes of file contents that must be refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Change = Callable[[Any], Any]


def put(at: Any, value: Any) -> Change:
    """Return a change of one place in a list, an object or an array."""

    def change(values: Any) -> Any:
        values[at] = value
        return values

    return change
