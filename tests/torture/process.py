"""Commands run as processes, and their results."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple


class Ended(NamedTuple):
    """code: the exit code, or minus the signal's number; out, err: the output."""

    code: int
    out: bytes
    err: bytes

    @property
    def fault(self) -> str:
        """Return "signal N" or "traceback" if one occurred, otherwise an empty string."""
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
    """Run a command that must succeed."""
    done = ended(call, cwd)
    if done.code:
        raise SystemExit(f"{' '.join(call)}\n{done.err.decode()}")
    return done
