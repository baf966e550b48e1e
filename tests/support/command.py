"""Run the command ``mtkit`` in this process, or start it as a process of its own.

A process takes seconds for imports, so use it only for signals, pipes whose reader closes, and
other environments.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO
from unittest import mock

from mtkit import threads
from mtkit.__main__ import main
from mtkit.console import console

WATCHDOG = 300  # seconds until a process counts as hanging; kernels may have to be compiled
MTKIT = [sys.executable, "-m", "mtkit"]


@dataclass(frozen=True)
class Done:
    """Exit code and output of a command."""

    returncode: int
    stdout: bytes
    stderr: bytes


def mtkit(
    *arguments: object,
    cwd: Path,
    stdin: bytes | BinaryIO = b"",
    stdout: io.BytesIO | None = None,
    stderr: io.BytesIO | None = None,
    check: int | None = 0,
    cores: int = 1,  # one thread, one result
) -> Done:
    """Run ``mtkit ARGUMENTS`` in this process and assert that its exit code is ``check``.

    The streams may be other than byte buffers, for example a terminal. cores: of this machine.
    """
    out, err = stdout or io.BytesIO(), stderr or io.BytesIO()
    streams = {
        "stdin": _text(io.BytesIO(stdin) if isinstance(stdin, bytes) else stdin),
        "stdout": _text(out),
        "stderr": _text(err),
    }
    code, rarely = 0, gc.get_threshold()
    with (
        contextlib.chdir(cwd),
        mock.patch.multiple(sys, argv=["mtkit", *map(str, arguments)], **streams),
        mock.patch.object(sys, "excepthook", sys.excepthook),
        mock.patch.object(sys, "unraisablehook", sys.unraisablehook),
        mock.patch.object(console, "quiet", False),
        mock.patch.dict(os.environ),  # --threads sets variables for what this process imports
        mock.patch.object(threads, "_limit", 0),
        mock.patch.object(threads, "usable_cores", return_value=cores),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        finally:
            gc.set_threshold(*rarely)
            for stream in streams.values():
                stream.detach()
    done = Done(code, out.getvalue(), err.getvalue())
    assert check is None or code == check, done.stderr.decode()
    return done


def _text(stream: BinaryIO) -> io.TextIOWrapper:
    return io.TextIOWrapper(stream, encoding="utf-8", write_through=True)


def start(*arguments: object, cwd: Path, **options: Any) -> subprocess.Popen[bytes]:
    """Start the command as a process; its streams are pipes unless ``options`` name others.

    It receives Ctrl-C even if the tests, as a background job, do not.
    """
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    hears = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    command = [*MTKIT, *map(str, arguments)]
    return subprocess.Popen(command, cwd=cwd, preexec_fn=hears, **{**pipes, **options})


class Terminal(io.BytesIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


class Dialogue(io.BytesIO):
    """A stdin that records what ``heard`` returns whenever a line is read."""

    def __init__(self, lines: bytes, heard: Callable[[], bytes]) -> None:
        super().__init__(lines)
        self.heard = heard
        self.answers: list[bytes] = []

    def readline(self, size: int | None = -1) -> bytes:
        self.answers.append(self.heard())
        return super().readline(size)
