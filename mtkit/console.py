"""Messages and progress for the user: all on stderr, and only errors with ``--quiet``."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from rich.progress import Progress

Item = TypeVar("Item")
console = Console(stderr=True, highlight=False)
# Characters that would control a terminal or reorder the text around them.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
NAME_WIDTH = 58  # columns of a step's name, for a terminal of 80
SPINNER_WIDTH = 3  # columns of the spinner before the status line


def visible(text: str) -> str:
    r"""Return ``text`` with control characters and directional marks spelled out.

    >>> visible("a\x1b[1mb\u202e")
    'a<U+001B>[1mb<U+202E>'
    """
    return _UNSEEN.sub(lambda match: f"<U+{ord(match[0]):04X}>", text)


def wrapped(text: str, width: int, end: str = "", indent: int = 2) -> str:
    r"""Wrap ``text`` to ``width`` columns, with ``end`` at the end of each line but the last.

    Lines break only between words; a word that is too long exceeds the width. Further lines are
    indented ``indent`` columns more than the first, unless a word needs that room.

    >>> wrapped("  a path/to/file is here", 12)
    '  a\n  path/to/file\n    is here'
    """
    words = re.findall(r"( *)(\S+)", text)
    start = len(words[0][0]) if words else 0
    lines, space = [""], width - cell_len(end)
    for blanks, word in words:
        size = cell_len(word)
        if not lines[-1] or cell_len(lines[-1]) + len(blanks) + size <= space:
            lines[-1] += blanks + word
        else:
            lines[-1] += end
            margin = start + indent if start + indent + size <= space else start
            lines.append(" " * margin + word)
    return "\n".join(lines)


def paragraph(target: Console, text: str, style: str = "", indent: int = 0) -> None:
    """Print text to ``target``, on a terminal wrapped between words; see ``wrapped``."""
    shown = visible(text)
    if target.is_terminal:
        shown = wrapped(shown, target.width, indent=indent)
    target.print(Text(shown, style), soft_wrap=True)


def note(text: str, end: str = "") -> None:
    """Print a line for the user, on a terminal wrapped between words; see ``wrapped``."""
    shown = visible(text)
    if console.is_terminal:
        shown = wrapped(shown, console.width, end)
    console.print(shown, markup=False, soft_wrap=True)


def print_error(text: str) -> None:
    """Print the error message of a failed command, even with ``--quiet``."""
    shown = f"mtkit: {visible(text)}"
    if sys.stderr.isatty():
        shown = wrapped(shown, console.width)
    print(shown, file=sys.stderr, flush=True)


@contextmanager
def silent() -> Iterator[None]:
    """Print nothing within the block, except by ``print_error``."""
    quiet, console.quiet = console.quiet, True
    try:
        yield
    finally:
        console.quiet = quiet


@contextmanager
def step(name: str) -> Iterator[None]:
    """Show the name of a step while it runs; print it with the time it took when it is done."""
    start = time.perf_counter()
    with busy(name):
        yield
    finished(name, start)


def finished(name: str, start: float) -> None:
    """Print the name of a finished step and the time since ``start``, as ``perf_counter`` gives."""
    seconds = f"{time.perf_counter() - start:6.1f} s"
    width = min(NAME_WIDTH, console.width - 12) if console.is_terminal else NAME_WIDTH
    *lines, last = wrapped(f"  {visible(name)}", width + 2).split("\n")
    padded = last + " " * (width + 2 - cell_len(last))
    console.print(*lines, f"{padded} {seconds}", sep="\n", markup=False, soft_wrap=True)


class _Status:
    """The status line: what is going on, a detail, and the time it has taken."""

    def __init__(self, name: str) -> None:
        self.name, self.detail, self.start = name, "", time.perf_counter()

    def __rich__(self) -> Text:
        suffix = f": {visible(self.detail)}" if self.detail else " …"
        suffix += f"  {clock(time.perf_counter() - self.start)}"
        name = Text(visible(self.name))  # truncated if room is short: ``suffix`` matters more
        name.truncate(
            max(10, console.width - cell_len(suffix) - SPINNER_WIDTH), overflow="ellipsis"
        )
        return Text(f"{name.plain}{suffix}", no_wrap=True, overflow="ellipsis")


def clock(seconds: float) -> str:
    """Return a time as M:SS or H:MM:SS.

    >>> clock(75), clock(3661)
    ('1:15', '1:01:01')
    """
    minutes, s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{s:02}" if hours else f"{minutes}:{s:02}"


_status: _Status | None = None  # the status line, if it is shown


@contextmanager
def busy(name: str) -> Iterator[None]:
    """Show a status line during the block, on a terminal only; within a step, as its detail."""
    global _status
    if not console.is_terminal or _status:
        detail(name)
        yield
        detail("")
        return
    _status = _Status(name)
    try:
        with console.status(_status):
            yield
    finally:
        _status = None


def detail(text: str) -> None:
    """Set the detail of the status line, if it is shown."""
    if _status:
        _status.detail = text


def counted(items: Iterable[Item], total: int, unit: str = "sentences") -> Iterator[Item]:
    """Yield the items; the status line shows how many of ``total`` are done and the time left."""
    start = time.perf_counter()
    for done, item in enumerate(items, 1):
        if _status:
            left = (time.perf_counter() - start) / done * (total - done)
            detail(f"{done:,} of {total:,} {unit}, {clock(left)} left")
        yield item
    detail("")


def progress(shown: bool = True) -> Progress:
    """Return a progress bar with a text field ``status``; it is shown only on a terminal."""
    from rich.progress import BarColumn, Progress, ProgressColumn, Task

    class Times(ProgressColumn):
        """The time since the start and, once the speed is known, the time left."""

        def render(self, task: Task) -> Text:
            left = task.time_remaining
            return Text(clock(task.elapsed or 0) + (f", {clock(left)} left" if left else ""))

    return Progress(
        "{task.description}", BarColumn(max(4, min(30, console.width - 62))),
        "{task.completed:,.0f}/{task.total:,.0f}", Times(), "{task.fields[status]}",
        console=console, transient=True, disable=not (shown and console.is_terminal),
    )  # fmt: skip
