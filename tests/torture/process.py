"""Commands as processes of their own, and what became of them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple


class Ended(NamedTuple):
    """code: the exit code, minus the signal's number; what it printed."""

    code: int
    out: bytes
    err: bytes

    @property
    def fault(self) -> str:
        """What no command may do: die of a signal, show a traceback, hang; or "" """
        if self.code < 0:
            return f"signal {-self.code}"
        if b"Traceback" in self.err:
            return "traceback"
        return ""


def ended(
    call: list[str], cwd: Path, stdin: bytes = b"", limit: float = 600, **options: object
) -> Ended:
    """Run a command to its end."""
    done = subprocess.run(
        call, cwd=cwd, input=stdin, capture_output=True, timeout=limit, check=False, **options
    )  # type: ignore[call-overload]
    return Ended(done.returncode, done.stdout, done.stderr)


def run(call: list[str], cwd: Path) -> Ended:
    """The same of one that has to end well."""
    done = ended(call, cwd)
    if done.code:
        raise SystemExit(f"{' '.join(call)}\n{done.err.decode()}")
    return done
