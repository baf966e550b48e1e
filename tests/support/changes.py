"""What is done to the content of a file that is to be refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Change = Callable[[Any], Any]


def put(at: Any, value: Any) -> Change:
    """Another value in one place of a list, an object or an array."""

    def change(values: Any) -> Any:
        values[at] = value
        return values

    return change
