"""What mtkit tells a person while it works: everything on stderr, nothing with ``--quiet``."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from rich.progress import Progress
    from rich.status import Status

console = Console(stderr=True, highlight=False)
# What would act on a terminal or reorder the text around it, instead of being seen.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def visible(text: str) -> str:
    r"""``text`` with control characters and marks of direction spelled out.

    >>> visible("a\x1b[1mb\u202e")
    'a<U+001B>[1mb<U+202E>'
    """
    return _UNSEEN.sub(lambda match: f"<U+{ord(match[0]):04X}>", text)


def note(text: str) -> None:
    """One line for the user."""
    console.print(visible(text), markup=False, soft_wrap=True)


@contextmanager
def silent() -> Iterator[None]:
    """Say nothing while it lasts."""
    quiet, console.quiet = console.quiet, True
    try:
        yield
    finally:
        console.quiet = quiet


@contextmanager
def step(name: str) -> Iterator[None]:
    """Name a step while it runs, and how long it took once it is done."""
    start = time.perf_counter()
    with busy(name):
        yield
    finished(name, start)


def finished(name: str, start: float) -> None:
    """Name a step that is done, and how long it took since ``start``."""
    seconds = time.perf_counter() - start
    console.print(f"  {visible(name):<58} {seconds:6.1f} s", markup=False, soft_wrap=True)


_status: Status | None = None  # what is going on, if it is shown


@contextmanager
def busy(name: str) -> Iterator[None]:
    """Name what is going on while it does; only on a terminal."""
    global _status
    if not console.is_terminal or _status:
        yield
        return
    with console.status(Text(f"{visible(name)} …")) as _status:
        try:
            yield
        finally:
            _status = None


def detail(text: str) -> None:
    """Say more of what is going on."""
    if _status:
        _status.update(Text(f"{visible(text)} …"))


def progress(shown: bool = True) -> Progress:
    """A bar with a free text field ``status``; shown, if at all, only on a terminal."""
    from rich.progress import BarColumn, Progress, TimeElapsedColumn

    return Progress(
        "{task.description}", BarColumn(), "{task.completed:,.0f}/{task.total:,.0f}",
        TimeElapsedColumn(), "{task.fields[status]}",
        console=console, transient=True, disable=not (shown and console.is_terminal),
    )  # fmt: skip
