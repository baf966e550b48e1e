"""Full disks, closed streams, bad options and files, locks, signals."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from mtkit import cli
from mtkit.storage import reading
from mtkit.storage.stages import FINGERPRINT, stages_directory
from mtkit.storage.writing import locked
from tests.support.command import MTKIT, mtkit

FULL = Path("/dev/full")


def ran(
    *arguments: object, cwd: Path, close: int | None = None, **streams: object
) -> tuple[int, str]:
    """Return exit code and stderr of a command. close: a stream that is closed at its start."""
    call = [*MTKIT, *map(str, arguments)]
    if close is not None:
        call = ["sh", "-c", f'exec "$@" {close}>&-', "sh", *call]
    done = subprocess.run(  # type: ignore[call-overload]
        call, cwd=cwd, stderr=subprocess.PIPE, check=False, text=True,
        **({"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL} | streams),
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.parametrize("command", [["translate", "-q", "--model"], ["info"]])
def test_a_full_disk_is_one_line(command: list[str], smt_directory: Path, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("a\n")
    with FULL.open("w") as full, (tmp_path / "in").open() as lines:
        code, said = ran(*command, smt_directory, cwd=tmp_path, stdout=full, stdin=lines)
    assert (code, said) == (1, "mtkit: No space left on device\n")


@pytest.mark.parametrize(("close", "name"), [(0, "input"), (1, "output")])
def test_a_closed_stream_is_one_line(close: int, name: str, tmp_path: Path) -> None:
    code, said = ran("translate", cwd=tmp_path, close=close)
    expected = f"mtkit: standard {name} is closed; redirect it, for instance to /dev/null\n"
    assert (code, said) == (2, expected)


def test_a_command_runs_without_stderr(tmp_path: Path) -> None:
    assert ran("info", cwd=tmp_path, close=2) == (2, "")


def test_a_file_size_limit_keeps_the_old_page(smt_directory: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(smt_directory, tmp_path / "smt")
    for name in ("a.en", "a.de"):
        (tmp_path / name).write_text("The cat sleeps.\nThe dog is here.\n")
    (tmp_path / "page.html").write_text("old")
    call = [*MTKIT, "explain", "Hello.", "--model", str(copy), "--html", "page.html", "-q"]
    limited = ["sh", "-c", 'ulimit -f 4 && exec "$@"', "sh", *call]
    done = subprocess.run(limited, cwd=tmp_path, capture_output=True, check=False, text=True)
    assert (done.returncode, done.stderr) == (1, "mtkit: page.html: File too large\n")
    assert (tmp_path / "page.html").read_text() == "old"
    assert [p.name for p in tmp_path.glob(".*")] == []


@pytest.mark.parametrize(
    "options",
    [
        ("--minutes", "inf"), ("--minutes", "nan"), ("--minutes", "1e400"), ("--seed", "-1"),
        ("--seed", 10**23), ("--threads", 100_000), ("--updates", 10**23), ("--clip", "nan"),
        ("--epochs", "9" * 400), ("--seeds", 10**6),
    ],
)  # fmt: skip
def test_numbers_out_of_range_are_refused(options: tuple[str, object], tmp_path: Path) -> None:
    done = mtkit("train-nmt", *options, cwd=tmp_path, check=2)
    assert options[0].strip("-") in done.stderr.decode()
    assert "no such option" not in done.stderr.decode().lower()
    assert list(tmp_path.iterdir()) == []


def test_a_gzip_bomb_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "SMALL", 1 << 16)
    for name in ("a.en.gz", "a.de.gz"):
        (tmp_path / name).write_bytes(gzip.compress(b"a\n" * reading.SMALL))
    done = mtkit("train-smt", "--train", "a.en.gz", "a.de.gz", cwd=tmp_path, check=2)
    assert b"a.en.gz: unpacks to more than 100 times its size" in done.stderr


def test_an_overlong_line_is_refused(smt_directory: Path, tmp_path: Path) -> None:
    line = b"a\n" + b"x" * (reading.LONGEST_LINE + 1)
    for stream in ([], ["--stream"]):
        call = ["translate", "--model", smt_directory, *stream]
        done = mtkit(*call, cwd=tmp_path, stdin=line, check=2)
        assert b"stdin: line 2: longer than 16,777,216 bytes" in done.stderr
    (tmp_path / "a.en").write_bytes(line)
    (tmp_path / "a.de").write_bytes(b"a\nb\n")
    done = mtkit("align", "--train", "a.en", "a.de", cwd=tmp_path, check=2)
    assert b"a.en: line 2: longer than 16,777,216 bytes" in done.stderr


def test_a_locked_output_is_refused_before_the_work(
    smt_directory: Path, nmt_directory: Path, tmp_path: Path
) -> None:
    for name in ("a.en", "a.de"):
        (tmp_path / name).write_text("A cat.\nA dog.\n")
    text = ["a.en", "a.de"]
    stages_directory(tmp_path / "m").mkdir()  # of the other process
    (stages_directory(tmp_path / "m") / FINGERPRINT).write_text("{}")
    with locked(tmp_path / "m"):
        for command in (
            ["combine", smt_directory, nmt_directory, "--dev", *text, "--out", "m"],
            ["align", "--train", *text, "--out", "m"],
            ["train-smt", "--train", *text, "--out", "m"],
            ["train-nmt", "--train", *text, "--dev", *text, "--out", "m"],
            ["gradients", "--out", "m"],
        ):
            said = mtkit(*command, cwd=tmp_path, check=2).stderr.decode().strip().split("\n")
            assert "is writing there; wait for it, or name another --out" in said[-1]
            too_early = ("candidates", "word alignment", "the interrupted")
            assert not [line for line in said if any(text in line for text in too_early)]


def test_ctrl_c_before_the_command_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "complete", interrupted)
    assert mtkit("info", cwd=tmp_path, check=130).stderr == b""


def test_one_pair_is_too_few_for_a_dev_set(tmp_path: Path) -> None:
    for name, line in (("a.en", "one\n"), ("a.de", "eins\n")):
        (tmp_path / name).write_text(line)
    done = mtkit("train-nmt", "--train", "a.en", "a.de", cwd=tmp_path, check=2)
    assert "too few pairs (1) to hold out a dev set" in done.stderr.decode()


def test_kernels_are_cached_in_a_private_directory(tmp_path: Path) -> None:
    code = "import numpy as np; from mtkit.smt.phrases.reorder import log_probabilities as f; " \
           "from mtkit.smt.flat import Flat; from mtkit.smt.phrases.table import gather; " \
           "gather(np.zeros(1, np.int32), np.zeros(1, np.int32), np.ones(1, np.int8))"  # fmt: skip
    # As in a read-only container: numba has no cache directory of its own.
    nowhere = {"NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator", "TMPDIR": str(tmp_path)}
    call = [MTKIT[0], "-c", code]
    subprocess.run(call, env=os.environ | nowhere, check=True)
    [own] = tmp_path.glob("mtkit*")
    assert own.stat().st_mode & 0o777 == 0o700
    assert list(own.rglob("*.nbi"))
    shutil.rmtree(own)
    own.write_text("mine")  # another user's: nothing is cached
    subprocess.run(call, env=os.environ | nowhere, check=True)
    assert own.read_text() == "mine"
