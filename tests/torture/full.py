"""Run every command that writes on a disk with little room.

The disk is a small tmpfs if one can be mounted, otherwise a limit on the size of files.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.support.command import MTKIT
from tests.torture.models import TINY, TRAIN
from tests.torture.process import ended

COMMANDS = {
    "train-smt": ["train-smt", *TRAIN, "--tune", "none", "--out", "D/new"],
    "train-smt again": ["train-smt", *TRAIN, "--tune", "none", "--out", "D/old", "--force"],
    "train-nmt": ["train-nmt", *TRAIN, "--preset", "few", "--updates", "20", "--out", "D/new"],
    "combine": ["combine", "models/smt", "models/nmt", "--copy", "--out", "D/new"],
    "align": ["align", *TRAIN[:3], "--out", "D/new"],
    "import": ["import", "moses/moses.ini", "--out", "D/new"],
    "export": ["export", "models/smt", "--out", "D/new"],
    "gradients": ["gradients", *TRAIN[:6], *TINY, "--out", "D/new"],
    "corpus make": ["corpus", "make", "--pairs", "2000", "--out", "D/new"],
    "compare --html": ["compare", "models/smt", "--html", "D/page.html"],
    "explain --html": ["explain", "Hello.", "--model", "models/smt", "--html", "D/page.html"],
    "encode": ["encode", "--model", "models/nmt", "--nearest", "1", "--out", "D/vectors"],
}  # fmt: skip
TO_STDOUT = {
    "translate": ["translate", "--model", "models/smt"], "info": ["info", "models/smt"],
    "align": ["align", *TRAIN[:3]], "compare": ["compare", "models/smt"],
    "perplexity": ["perplexity", "models/smt"],
}  # fmt: skip
OLD = "This was here before.\n"
KEPT = {".stages"}  # suffixes of hidden files that --resume needs


def torture(made: Path, sizes: list[int]) -> tuple[Counter[str], list[str]]:
    """Run with ``sizes`` kilobytes free, and with a full stdout; return counts and faults."""
    tally, faults = Counter[str](), list[str]()
    text = "\n".join(["Where is the next train to Berlin?"] * 2000).encode()
    for size in sizes:
        for name, command in COMMANDS.items():
            with _disk(made, size) as (options, kind):
                done = ended([*MTKIT, *command, "-q"], made, text, **options)
                tally[kind] += 1
                lines = done.err.decode().strip().split("\n")
                page, old = made / "D" / "page.html", made / "D" / "old" / "manifest.json"
                left = [p.name for p in (made / "D").rglob(".*") if p.suffix not in KEPT]
                if done.code == 0:
                    tally["fitted"] += 1
                elif done.code != 1 or len(lines) != 1 or not lines[0].startswith("mtkit: "):
                    faults.append(f"{name}, {size} kB: exit {done.code}: {lines[-1][:150]}")
                elif page.read_text(encoding="utf-8") != OLD or not old.read_bytes():
                    faults.append(f"{name}, {size} kB: what was there is not whole")
                if left:
                    faults.append(f"{name}, {size} kB: {left} stayed")
    for name, command in TO_STDOUT.items():
        with open("/dev/full", "wb") as full:  # noqa: PTH123
            done = subprocess.run(
                [*MTKIT, *command, "-q"], cwd=made, input=text, stdout=full, check=False,
                stderr=subprocess.PIPE,
            )  # fmt: skip
        tally["to a full device"] += 1
        lines = done.stderr.decode().strip().split("\n")
        if done.returncode != 1 or len(lines) != 1:
            faults.append(f"{name} > /dev/full: exit {done.returncode}: {lines[-1][:150]}")
    return tally, faults


@contextmanager
def _disk(made: Path, size: int) -> Iterator[tuple[dict[str, object], str]]:
    """Provide ``made/D`` with old files on it and ``size`` kilobytes free."""
    place = made / "D"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    old = made / "models" / "alignment"
    room = size * 1024 + sum(p.stat().st_size + 4096 for p in old.rglob("*")) + 8192
    mount = ["mount", "-t", "tmpfs", "-o", f"size={room}", "tmpfs", str(place)]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    limits = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (size * 1024, size * 1024))
    try:
        (place / "page.html").write_text(OLD, encoding="utf-8")
        shutil.copytree(old, place / "old")
        yield ({}, "small disk") if mounted else ({"preexec_fn": limits}, "file size limit")
    finally:
        if mounted:
            subprocess.run(["umount", str(place)], check=True)
        shutil.rmtree(place, ignore_errors=True)
