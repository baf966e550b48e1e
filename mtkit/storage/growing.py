"""A file that a long command writes step by step, and that the same command later goes on with.

    .OUT.stages/fingerprint    what decides its bytes: see ``stages.unfinished``
    .OUT.stages/written        what is to become OUT, not packed yet
    .OUT.stages/done.json      how much of that counts; what lies behind is half a step

Every few seconds both are flushed to the disk, the second after the first.
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
from mtkit.storage.packing import PACKED, packing
from mtkit.storage.reading import as_fields, read_json, unfit
from mtkit.storage.stages import unfinished
from mtkit.storage.writing import locked, naming, placing, put, whole_file, write_whole

SECONDS = 5.0  # after which a step is flushed to the disk
KEPT = "done.json"


class Done(NamedTuple):
    """Lines whose results are the first ``bytes`` of a file; more: what else goes on from there."""

    lines: int = 0
    bytes: int = 0
    more: Mapping[str, Any] = {}


NOTHING = Done()


@dataclass
class Growing:
    """file: where steps are written. kept: where it is kept what is done; None where nothing can
    go on, as on a terminal.
    """

    file: BinaryIO
    kept: Path | None = None
    done: Done = NOTHING
    saved: float = field(default_factory=time.monotonic)

    def step(self, lines: int, more: Mapping[str, Any]) -> None:
        """The results of so many lines, all in all, have been written."""
        self.file.flush()
        if self.kept:
            self.done = Done(lines, self.file.tell(), more)
            if time.monotonic() - self.saved > SECONDS:
                self.save()

    def save(self) -> None:
        """Have what is done on the disk, and nothing else: there may be room for no more."""
        assert self.kept
        os.ftruncate(self.file.fileno(), self.done.bytes)
        os.fsync(self.file.fileno())
        write_whole(json.dumps(self.done._asdict(), default=list), self.kept)  # sets, too
        self.saved = time.monotonic()


@contextmanager
def growing(out: Path, marks: Mapping[str, str], resume: bool, what: str) -> Iterator[Growing]:
    """A file, packed if its name ends so, that becomes ``out`` when the block ends well.

    marks, resume, what: see ``stages.unfinished``. Raises InputError where that does, where another
    process is writing there, and where ``out`` cannot lie there.
    """
    real = out.resolve()  # a link keeps leading to its file
    with placing(out), locked(real), unfinished(real, marks, resume, what, _rest) as place:
        written, done = place / "written", _done(place)
        written.touch()
        if written.stat().st_size < done.bytes:
            raise InputError(f"{written}: damaged; start again without --resume")
        with naming(out), written.open("r+b") as growing_file:
            growing_file.seek(done.bytes)
            grown = Growing(growing_file, place / KEPT, done)
            try:
                yield grown
            except BaseException:
                with contextlib.suppress(OSError):  # what was kept before holds
                    grown.save()
                raise
            grown.save()
        if out.suffix in PACKED:
            with written.open("rb") as text, whole_file(out) as file, packing(file, out) as packed:
                shutil.copyfileobj(text, packed)
        else:
            put(written, real)


def _rest(place: Path) -> str:
    return f"line {_done(place).lines + 1:,}"


def _done(place: Path) -> Done:
    """What is done; nothing where nothing was kept."""
    file = place / KEPT
    done = as_fields(Done, read_json(file, dict, unfit), file, unfit) if file.exists() else NOTHING
    if min(done.lines, done.bytes) < 0:
        raise unfit(file, "a number below 0")
    return done
