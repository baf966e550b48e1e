"""Kill commands that write, at random moments and before every change of a file name.

The next command must then find the complete old or new output and no other files. Changes of names
are Python's audit events of renaming, linking and removing, and renameat2.
"""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from tests.support.command import MTKIT
from tests.torture.models import TINY, TRAIN
from tests.torture.process import ended, run

HOOK = """
import os, signal, sys
left = [{n}]
def hook(event, args):
    if event in {{"os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink"}} or (
        event == "ctypes.dlopen" and args[0] is None
    ):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
from mtkit.__main__ import main
main()
"""
NEXT = ["info", "M", "--check"]
# The command, its output, and the next command, which must succeed.
COMMANDS: dict[str, tuple[list[str], str, list[str]]] = {
    "train-smt": (["train-smt", *TRAIN, "--tune", "none", "--out", "M", "--force"], "M", NEXT),
    "train-nmt": (
        ["train-nmt", *TRAIN, "--preset", "few", "--updates", "20", "--out", "M", "--force"],
        "M", NEXT,
    ),
    "import": (["import", "moses/moses.ini", "--out", "M", "--force"], "M", NEXT),
    "gradients": (["gradients", *TRAIN[:6], *TINY, "--out", "M", "--force"], "M", NEXT),
    "compare --html": (
        ["compare", "models/smt", "--html", "page.html", "--fresh"], "page.html",
        ["compare", "models/smt", "--html", "page.html"],
    ),
    "compare --curve": (
        ["compare", "models/smt", "--curve", "50,100", "--seeds", "1", "--html", "page.html"],
        "page.html", ["compare", "models/smt", "--html", "page.html"],
    ),
}  # fmt: skip


def torture(name: str, made: Path, kills: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Kill a command again and again; return counts and faults."""
    arguments, written, following = COMMANDS[name]
    where = made.with_name(f"killed {name}")
    shutil.rmtree(where, ignore_errors=True)
    shutil.copytree(made, where)
    start = time.perf_counter()
    run([*MTKIT, *arguments], where)
    seconds = time.perf_counter() - start
    tally, faults, rng = Counter[str](), list[str](), random.Random(seed)

    def check(how: str) -> None:
        after = ended([*MTKIT, *following, "-q"], where)
        left = sorted(p.name for p in where.rglob(".*") if not p.name.endswith(".stages"))
        tally["kills"] += 1
        if after.code or after.fault:
            faults.append(f"{name}, killed {how}: then {after.err.decode()[-200:]}")
        if left:
            faults.append(f"{name}, killed {how}: {', '.join(left)} stayed")
        if not (where / written).exists():
            faults.append(f"{name}, killed {how}: {written} is gone")

    for _ in range(kills):
        after = rng.uniform(0, seconds)
        with subprocess.Popen(
            [*MTKIT, *arguments], cwd=where, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            time.sleep(after)
            process.kill()
        check(f"after {after:.2f} s")
    n = 0
    while True:
        n += 1
        code = ended([sys.executable, "-c", HOOK.format(n=n), *arguments], where).code
        if code != -signal.SIGKILL:
            break
        check(f"before change {n} of a name")
    tally["changes of names"] = n - 1
    return tally, faults


def together(made: Path, times: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Start two trainings with one output, the second up to 5 s after the first."""
    arguments, written, following = COMMANDS["train-smt"]
    where, tally, faults = made.with_name("together"), Counter[str](), list[str]()
    shutil.rmtree(where, ignore_errors=True)
    shutil.copytree(made, where)
    rng = random.Random(seed)
    for _ in range(times):
        delay = rng.uniform(0, 5)
        call = [*MTKIT, *arguments, "-q"]
        both = []
        for k in range(2):
            time.sleep(delay * k)
            both.append(subprocess.Popen(call, cwd=where, stderr=subprocess.PIPE, text=True))
        said = [process.communicate()[1] for process in both]
        codes = [process.returncode for process in both]
        tally["pairs"] += 1
        tally["one refused"] += sorted(codes) == [0, 2]
        tally["one after the other"] += codes == [0, 0]
        lines = "".join(said).strip().split("\n")
        if sorted(codes) not in ([0, 0], [0, 2]) or len(lines) > 1:
            faults.append(f"two trainings {delay:.1f} s apart: exit codes {codes}, {said}")
        if sorted(codes) == [0, 2] and "is writing there" not in lines[0]:
            faults.append(f"two trainings {delay:.1f} s apart: {lines[0]}")
        if ended([*MTKIT, *following], where).code or not (where / written).is_dir():
            faults.append(f"two trainings {delay:.1f} s apart: the model is not whole")
        if left := [p.name for p in where.glob(".*")]:
            faults.append(f"two trainings {delay:.1f} s apart: {left} stayed")
    return tally, faults
