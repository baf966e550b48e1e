"""What mtkit tells a person while it works: everything on stderr, nothing with ``--quiet``."""

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
# What would act on a terminal or reorder the text around it, instead of being seen.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
NAME = 58  # columns of a step's name on a terminal of 80
SPINNER = 3  # columns of what turns before the name of what is going on


def visible(text: str) -> str:
    r"""``text`` with control characters and marks of direction spelled out.

    >>> visible("a\x1b[1mb\u202e")
    'a<U+001B>[1mb<U+202E>'
    """
    return _UNSEEN.sub(lambda match: f"<U+{ord(match[0]):04X}>", text)


def broken(text: str, width: int, end: str = "", indent: int = 2) -> str:
    r"""``text`` in lines of at most ``width`` columns, ``end`` at the end of each but the last.

    Lines break between words: none is divided, a longer one stands out. Further lines are
    ``indent`` columns deeper than the first, but for a word that needs the room.

    >>> broken("  a path/to/file is here", 12)
    '  a\n  path/to/file\n    is here'
    """
    words = re.findall(r"( *)(\S+)", text)
    start = len(words[0][0]) if words else 0
    lines, room = [""], width - cell_len(end)
    for blanks, word in words:
        size = cell_len(word)
        if not lines[-1] or cell_len(lines[-1]) + len(blanks) + size <= room:
            lines[-1] += blanks + word
        else:
            lines[-1] += end
            margin = start + indent if start + indent + size <= room else start
            lines.append(" " * margin + word)
    return "\n".join(lines)


def paragraph(target: Console, text: str, style: str = "", indent: int = 0) -> None:
    """Print text to ``target``, on a terminal in lines that break between words; see ``broken``."""
    shown = visible(text)
    if target.is_terminal:
        shown = broken(shown, target.width, indent=indent)
    target.print(Text(shown, style), soft_wrap=True)


def note(text: str, end: str = "") -> None:
    """A line for the user; on a terminal broken between words, see ``broken``."""
    shown = visible(text)
    if console.is_terminal:
        shown = broken(shown, console.width, end)
    console.print(shown, markup=False, soft_wrap=True)


def complain(text: str) -> None:
    """The last words of a command that failed, whatever ``--quiet`` says."""
    shown = f"mtkit: {visible(text)}"
    if sys.stderr.isatty():
        shown = broken(shown, console.width)
    print(shown, file=sys.stderr, flush=True)


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
    seconds = f"{time.perf_counter() - start:6.1f} s"
    width = min(NAME, console.width - 12) if console.is_terminal else NAME
    *lines, last = broken(f"  {visible(name)}", width + 2).split("\n")
    padded = last + " " * (width + 2 - cell_len(last))
    console.print(*lines, f"{padded} {seconds}", sep="\n", markup=False, soft_wrap=True)


class _Status:
    """A line that is going on: what, some detail of it, and for how long."""

    def __init__(self, name: str) -> None:
        self.name, self.detail, self.start = name, "", time.perf_counter()

    def __rich__(self) -> Text:
        more = f": {visible(self.detail)}" if self.detail else " …"
        more += f"  {clock(time.perf_counter() - self.start)}"
        name = Text(visible(self.name))  # is cut, where there is no room: what is left tells more
        name.truncate(max(10, console.width - cell_len(more) - SPINNER), overflow="ellipsis")
        return Text(f"{name.plain}{more}", no_wrap=True, overflow="ellipsis")


def clock(seconds: float) -> str:
    """A time as a clock shows it.

    >>> clock(75), clock(3661)
    ('1:15', '1:01:01')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


_status: _Status | None = None  # what is going on, if it is shown


@contextmanager
def busy(name: str) -> Iterator[None]:
    """Name what is going on while it does, within a step as its detail; only on a terminal."""
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
    """Say more of what is going on."""
    if _status:
        _status.detail = text


def counted(items: Iterable[Item], total: int, unit: str = "sentences") -> Iterator[Item]:
    """The items, of which there are ``total``; what is going on says how many are done, and how
    long the others will take.
    """
    start = time.perf_counter()
    for done, item in enumerate(items, 1):
        if _status:
            left = (time.perf_counter() - start) / done * (total - done)
            detail(f"{done:,} of {total:,} {unit}, {clock(left)} left")
        yield item
    detail("")


def progress(shown: bool = True) -> Progress:
    """A bar with a free text field ``status``; shown, if at all, only on a terminal."""
    from rich.progress import BarColumn, Progress, ProgressColumn, Task

    class Times(ProgressColumn):
        """The time since the beginning and, as far as the speed is known, the time left."""

        def render(self, task: Task) -> Text:
            left = task.time_remaining
            return Text(clock(task.elapsed or 0) + (f", {clock(left)} left" if left else ""))

    return Progress(
        "{task.description}", BarColumn(max(4, min(30, console.width - 62))),
        "{task.completed:,.0f}/{task.total:,.0f}", Times(), "{task.fields[status]}",
        console=console, transient=True, disable=not (shown and console.is_terminal),
    )  # fmt: skip
