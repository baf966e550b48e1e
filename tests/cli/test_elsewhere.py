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


def test_commands_still_run(project: Path, tmp_path: Path) -> None:
    text = [f"{project}/train.en", f"{project}/train.de"]
    test = [f"{project}/test.en", f"{project}/test.de"]
    run("train-smt", "--train", *text, "--tune", "none", "--out", "smt", cwd=tmp_path)
    options = ("--preset", "quick", "--updates", "2", "--out", "nmt")
    run("train-nmt", "--train", *text, *options, cwd=tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["nmt", "smt"]
    for model in ("smt", "nmt"):
        out = run("translate", "-q", "--model", model, cwd=tmp_path, stdin="A.\n\nB.\n")
        assert out.count("\n") == 3
        assert "en → de" in run("info", model, cwd=tmp_path)
    assert "Conclusion" in run("compare", "smt", "nmt", "--test", *test, cwd=tmp_path)
    assert "pairs" in run("corpus", "stats", *text, cwd=tmp_path)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_output_is_utf8(encoding: str, project: Path, tmp_path: Path) -> None:
    for command in (["info", f"{project}/models/smt"], ["corpus", "list"]):
        assert "en → de" in run(*command, cwd=tmp_path, PYTHONIOENCODING=encoding)
    said = run("info", "ä→", cwd=tmp_path, code=2, PYTHONIOENCODING=encoding)
    assert said.startswith("mtkit: ä→")
