"""Two network namespaces act as two machines with different addresses and the same disk."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ADDRESSES = ("10.77.0.1", "10.77.0.2")
PORT = 29511


def can_be_made() -> bool:
    """Return whether this user may create namespaces."""
    try:
        with hosts():
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


@contextmanager
def hosts() -> Iterator[tuple[str, str]]:
    """Create two connected namespaces; yield their names."""
    names = tuple(f"mtkit-{os.getpid()}-{k}" for k in range(2))
    ends = tuple(f"mt{os.getpid()}-{k}" for k in range(2))
    try:
        for name in names:
            _ip("netns", "add", name)
        _ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        for name, end, address in zip(names, ends, ADDRESSES, strict=True):
            _ip("link", "set", end, "netns", name, "name", "cable")
            _ip("-n", name, "address", "add", f"{address}/24", "dev", "cable")
            for device in ("lo", "cable"):
                _ip("-n", name, "link", "set", device, "up")
        yield names[0], names[1]
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def start(
    host: str, command: Sequence[str], log: Path, **variables: str
) -> subprocess.Popen[bytes]:
    """Start a command in a namespace; its output goes to the file ``log``."""
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "cable", **variables}
    with log.open("wb") as file:
        call = ["ip", "netns", "exec", host, *command]
        return subprocess.Popen(call, stdout=file, stderr=file, env=environment, cwd=log.parent)
