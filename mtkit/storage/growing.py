"""A file that a long command writes step by step, and that the same command can resume.

    .OUT.stages/fingerprint    the inputs that determine its bytes: see ``stages.unfinished``
    .OUT.stages/written        the future OUT, not compressed yet
    .OUT.stages/done.json      how much of that is valid; the rest is an incomplete step

Every few seconds both are flushed to the disk, first ``written``, then ``done.json``.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from mtkit.errors import InputError
from mtkit.platforms import short_path
from mtkit.storage.packing import PACKED, packing
from mtkit.storage.reading import as_fields, read_json, unfit
from mtkit.storage.stages import unfinished
from mtkit.storage.writing import (
    add_path_to_errors,
    locked,
    placing,
    replace_file,
    whole_file,
    write_whole,
)

SECONDS = 5.0  # between two flushes to the disk
DONE_FILE = "done.json"


class Done(NamedTuple):
    """Lines whose results are the first ``bytes`` of a file; more: further state to resume from."""

    lines: int = 0
    bytes: int = 0
    more: Mapping[str, Any] = {}


NOTHING_DONE = Done()


@dataclass
class Growing:
    """A file that grows by steps.

    file: where steps are written; done_file: the path of ``done.json``, None if the output cannot
    be resumed, as on a terminal.
    """

    file: BinaryIO
    done_file: Path | None = None
    done: Done = NOTHING_DONE
    saved: float = field(default_factory=time.monotonic)

    def step(self, lines: int, more: Mapping[str, Any]) -> None:
        """Record that the results of ``lines`` lines in total have been written.

        more: see ``Done``.
        """
        self.file.flush()
        if self.done_file:
            self.done = Done(lines, self.file.tell(), more)
            if time.monotonic() - self.saved > SECONDS:
                self.save()

    def save(self) -> None:
        """Flush all that is done to the disk, and cut off the rest, which may free needed space."""
        assert self.done_file
        os.ftruncate(self.file.fileno(), self.done.bytes)
        os.fsync(self.file.fileno())
        write_whole(json.dumps(self.done._asdict(), default=list), self.done_file)  # list: for sets
        self.saved = time.monotonic()


@contextmanager
def growing(out: Path, marks: Mapping[str, str], resume: bool, what: str) -> Iterator[Growing]:
    """Yield a file that becomes ``out``, compressed by its suffix, when the block succeeds.

    marks, resume, what: see ``stages.unfinished``. Raises InputError as that does, and if another
    process writes ``out`` or it cannot be created.
    """
    target = out.resolve()  # a symbolic link stays, its target is replaced
    with placing(out), locked(target), unfinished(target, marks, resume, what, _next_line) as place:
        written, done = place / "written", _read_done(place)
        if not written.exists() and target.is_file() and 0 < done.bytes == target.stat().st_size:
            shutil.copyfile(target, written)  # the command was killed after the renaming below
        written.touch()
        if written.stat().st_size < done.bytes:
            raise InputError(
                f"{short_path(out)}: what the interrupted {what} wrote is damaged; "
                "start again without --resume"
            )
        with add_path_to_errors(out), written.open("r+b") as growing_file:
            growing_file.seek(done.bytes)
            output = Growing(growing_file, place / DONE_FILE, done)
            try:
                yield output
            except BaseException:
                with contextlib.suppress(OSError):  # the last save stays valid
                    output.save()
                raise
            output.save()
        if out.suffix in PACKED:
            with written.open("rb") as text, whole_file(out) as file, packing(file, out) as packed:
                shutil.copyfileobj(text, packed)
        else:
            replace_file(written, target)


def _next_line(place: Path) -> str:
    return f"line {_read_done(place).lines + 1:,}"


def _read_done(place: Path) -> Done:
    """Return what is done, by ``done.json`` if it exists. Raises InputError if it is invalid."""
    file = place / DONE_FILE
    if not file.exists():
        return NOTHING_DONE
    done = as_fields(Done, read_json(file, dict, unfit), file, unfit)
    if min(done.lines, done.bytes) < 0:
        raise unfit(file, "a number below 0")
    return done
