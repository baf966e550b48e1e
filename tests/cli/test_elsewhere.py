"""Commands without the system calls that macOS or Windows lack."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.command import MTKIT, WATCHDOG

ELSEWHERE = Path(__file__).parents[1] / "support" / "elsewhere"


def run(*arguments: str, cwd: Path, stdin: str = "", code: int = 0, **more: str) -> str:
    """Return what a command prints, or Python for ``-c``. more: environment variables."""
    paths = os.pathsep.join([str(ELSEWHERE), os.environ.get("PYTHONPATH", "")])
    call = [MTKIT[0], *arguments] if arguments[0] == "-c" else [*MTKIT, *arguments]
    done = subprocess.run(
        call, cwd=cwd, env={**os.environ, "PYTHONPATH": paths, **more}, input=stdin,
        capture_output=True, encoding="utf-8", timeout=WATCHDOG,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_system_calls_are_missing(tmp_path: Path) -> None:
    code = """
import os, signal, torch
for module, names in (
    (os, ["sched_getaffinity", "getuid", "O_DIRECTORY"]), (signal, ["SIGHUP", "SIGALRM"]),
    (torch.cpu, ["get_capabilities"]),
):
    print(*(name for name in names if hasattr(module, name)))
for name in ("fcntl", "resource"):
    try:
        __import__(name)
    except ModuleNotFoundError:
        print("no", name)
"""
    assert run("-c", code, cwd=tmp_path).split() == ["no", "fcntl", "no", "resource"]


# One process for all commands: Python and torch take seconds to start.
ONE_AFTER_THE_OTHER = """
import shlex, sys
from mtkit.__main__ import main
for line in sys.stdin.read().splitlines():
    sys.argv[1:] = shlex.split(line)
    try:
        main()
    except SystemExit as end:
        assert not end.code, line
    print(end="\\f", flush=True)
"""


def test_commands_still_run(project: Path, tmp_path: Path) -> None:
    text, test = (f"{project}/{split}.en {project}/{split}.de" for split in ("train", "test"))
    (tmp_path / "in").write_text("A.\n\nB.\n")
    commands = [
        f"train-smt --train {text} --tune none --out smt",
        f"train-nmt --train {text} --preset quick --updates 2 --out nmt",
        "translate -q --model smt in -o smt.out",
        "translate -q --model nmt in -o nmt.out",
        f"corpus stats {text}",
        "info nmt",
        f"compare smt nmt --test {test}",
    ]
    said = run("-c", ONE_AFTER_THE_OTHER, cwd=tmp_path, stdin="\n".join(commands)).split("\f")
    names = ["in", "nmt", "nmt.out", "smt", "smt.out"]
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    for name in ("smt.out", "nmt.out"):
        assert (tmp_path / name).read_text(encoding="utf-8").count("\n") == 3
    for printed, words in zip(said[4:7], ("pairs", "en → de", "Conclusion"), strict=True):
        assert words in printed


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_output_is_utf8(encoding: str, project: Path, tmp_path: Path) -> None:
    for command in (["info", f"{project}/models/smt"], ["corpus", "list"]):
        assert "en → de" in run(*command, cwd=tmp_path, PYTHONIOENCODING=encoding)
    said = run("info", "ä→", cwd=tmp_path, code=2, PYTHONIOENCODING=encoding)
    assert said.startswith("mtkit: ä→")
