"""``mtkit translate --resume`` gives the bytes of an uninterrupted translation."""

from __future__ import annotations

import errno
import gzip
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mtkit.cli import translate
from mtkit.storage.growing import Growing
from mtkit.storage.writing import locked, replace_file
from mtkit.text.corpus import Corpus
from tests.support.command import WATCHDOG, mtkit

STEP, DONE = 10, 30  # lines per batch, and before the interruption
CALL = ("translate", "in.en", "-o", "out.de", "--model", "m")
# The command with small batches; it gets a signal after DONE lines and half a line.
SIGNALLED = f"""
import os, signal, sys
from mtkit.cli import translate
from mtkit.storage import growing
number, growing.SECONDS, translate.BATCH = int(sys.argv.pop(1)), float(sys.argv.pop(1)), {STEP}
def step(self, lines, more, usual=growing.Growing.step):
    usual(self, lines, more)
    if lines == {DONE}:
        self.file.write(b"half a l")
        self.file.flush()
        os.kill(os.getpid(), number)
growing.Growing.step = step
from mtkit.__main__ import main
main()
"""


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translate, "BATCH", STEP)


@pytest.fixture
def place(smt_directory: Path, few: Corpus, tmp_path: Path) -> Path:
    """A directory with a model m, a text in.en and a glossary."""
    shutil.copytree(smt_directory, tmp_path / "m")
    (tmp_path / "in.en").write_text("\n".join(few.train.source[:75]), encoding="utf-8")
    first = " ".join(few.train.source[0].split()[:3])  # matches only before the interruption
    (tmp_path / "g.tsv").write_text(f"I\tihc\n{first}\tx\n", encoding="utf-8")
    return tmp_path


def interrupted(*arguments: object, cwd: Path, error: BaseException | None = None) -> str:
    """Return stderr of a command that ends after ``DONE`` lines by ``error`` or Ctrl-C."""
    usual = Growing.step

    def step(self: Growing, lines: int, more: Mapping[str, Any]) -> None:
        if lines > DONE:
            self.file.write(b"half a l")
            self.file.flush()
            raise error or KeyboardInterrupt
        usual(self, lines, more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Growing, "step", step)
        return mtkit(*arguments, cwd=cwd, check=1 if error else 130).stderr.decode()


def whole(*arguments: object, cwd: Path) -> tuple[bytes, bytes]:
    """Return the output and stderr of an uninterrupted command."""
    done = mtkit(*arguments, "-o", "whole", cwd=cwd)
    return (cwd / "whole").read_bytes(), done.stderr


@pytest.mark.parametrize(
    ("kind", "options"), [("smt", ()), ("nmt", ("--json", "--n-best", 2))]
)  # fmt: skip
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_translation_resumes_with_the_same_bytes(
    kind: str, options: tuple[object, ...], number: signal.Signals, project: Path, place: Path
) -> None:
    call = (*CALL[:4], "--model", project / "models" / kind, *options)
    (place / "out.de").write_text("old")
    seconds = 0 if number == signal.SIGKILL else 1000  # Ctrl-C saves what is done
    command = [sys.executable, "-c", SIGNALLED, *map(str, (int(number), seconds, *call))]
    ended = subprocess.run(command, cwd=place, capture_output=True, timeout=WATCHDOG, check=False)
    if number == signal.SIGKILL:
        assert ended.returncode == -number
    else:
        assert ended.returncode == 130
        said = f"interrupted; the same command with --resume continues from line {DONE + 1}\n"
        assert ended.stderr.decode() == said
    assert (place / "out.de").read_text() == "old"
    done = mtkit(*call, "--resume", cwd=place)
    assert done.stderr.decode() == f"resumed at line {DONE + 1} of 75\n"
    content, _ = whole(*call[:2], *call[4:], cwd=place)
    assert (place / "out.de").read_bytes() == content
    assert not list(place.glob(".*"))


@pytest.mark.parametrize("out", ["out.de", "out.gz"])
def test_glossary_counts_and_gzip_resume(out: str, place: Path) -> None:
    call = ("translate", "--model", "m", "--n-best", 2, "--glossary", "g.tsv", "in.en")
    interrupted(*call, "-o", out, cwd=place)
    done = mtkit(*call, "-o", out, "--resume", cwd=place)
    content, said = whole(*call, cwd=place)
    assert done.stderr == f"resumed at line {DONE + 1} of 75\n".encode() + said
    data = (place / out).read_bytes()
    assert (gzip.decompress(data) if out.endswith(".gz") else data) == content


def test_a_command_killed_after_its_last_rename_resumes(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(written: Path, target: Path) -> None:
        replace_file(written, target)
        raise KeyboardInterrupt

    expected, _ = whole(*CALL[:2], *CALL[4:], cwd=place)
    with monkeypatch.context() as patch:
        patch.setattr("mtkit.storage.growing.replace_file", killed)
        mtkit(*CALL, cwd=place, check=130)
    mtkit(*CALL, "--resume", cwd=place)
    assert (place / "out.de").read_bytes() == expected
    assert not list(place.glob(".*"))


def test_stdin_can_be_resumed(place: Path) -> None:
    text = (place / "in.en").read_bytes()
    call = ("translate", "-o", "out.de", "--model", "m", "--resume")
    interrupted(*CALL, cwd=place)
    with (place / ".out.de.stages" / "written").open("ab") as file:
        file.write(b"of later steps\n" * 1000)  # not recorded as done
    assert b"resumed" in mtkit(*call, cwd=place, stdin=text).stderr
    assert (place / "out.de").read_bytes() == whole(*CALL[:2], *CALL[4:], cwd=place)[0]


def test_a_full_disk_loses_no_step(place: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    note, error = interrupted(*CALL, cwd=place, error=full).splitlines()
    assert note.endswith(f"continues from line {DONE + 1}")
    assert error == "mtkit: out.de: No space left on device"
    mtkit(*CALL, "--resume", cwd=place)
    assert (place / "out.de").read_bytes() == whole(*CALL[:2], *CALL[4:], cwd=place)[0]


def test_resume_refuses_another_text_model_or_option(place: Path) -> None:
    interrupted(*CALL, cwd=place)
    text, weights = place / "in.en", place / "m" / "weights.json"
    content = text.read_bytes()

    def refused(*more: object) -> str:
        [line] = mtkit(*CALL, *more, "--resume", cwd=place, check=2).stderr.decode().splitlines()
        assert line.startswith("mtkit: ")
        assert line.endswith("; use the same, or start again without --resume")
        return line.partition("out.de: the interrupted translation has ")[2].partition(";")[0]

    text.write_bytes(content.replace(b"a", b"o", 1))
    assert refused() == "another text"
    text.write_bytes(content + b"\nmore")
    assert refused("--n-best", 2) == "another text and another set of options"
    text.write_bytes(content)
    assert refused("--glossary", "g.tsv") == "another glossary or lists"
    assert refused("--stream") == "another set of options"
    usual = weights.stat()
    os.utime(weights, ns=(0, 0))
    assert refused() == "another model"
    os.utime(weights, ns=(usual.st_atime_ns, usual.st_mtime_ns))
    assert "resumed" in mtkit(*CALL, "--resume", cwd=place).stderr.decode()
    assert (place / "out.de").read_bytes() == whole(*CALL[:2], *CALL[4:], cwd=place)[0]


def test_unresumable_calls_are_refused_in_one_line(place: Path) -> None:
    def refused(*arguments: object) -> str:
        [line] = mtkit(*arguments, "--resume", cwd=place, check=2).stderr.decode().splitlines()
        return line

    nothing = "mtkit: out.de: no interrupted translation to resume; run the same command without "
    assert refused(*CALL) == f"{nothing}--resume"
    assert "--resume needs an output file" in refused(*CALL[:2], "--model", "m")
    (place / "a.po").write_text('msgid "a"\nmsgstr ""\n')
    assert "a.po: remove --resume, which works only for plain text" in refused(
        "translate", "a.po", "-o", "b.po"
    )
    assert "/dev/null: cannot be resumed" in refused(*CALL[:2], "-o", os.devnull, "--model", "m")
    assert "cannot be resumed" in refused("translate", "--stream", "-o", "x", "--model", "m")
    assert not list(place.glob(".*"))
    interrupted(*CALL, cwd=place)
    with locked(place / "out.de"):
        assert "is writing there" in refused(*CALL)
    (place / ".out.de.stages" / "written").write_bytes(b"")
    damaged = (
        "mtkit: out.de: what the interrupted translation wrote is damaged; start again without "
    )
    assert refused(*CALL) == f"{damaged}--resume"
    mtkit(*CALL, cwd=place)
    assert refused(*CALL).startswith(nothing)
    interrupted(*CALL, cwd=place)
    (place / ".out.de.stages" / "done.json").write_text('{"lines": -1}')
    assert "done.json: " in refused(*CALL)


def test_a_new_start_says_what_it_removed(place: Path) -> None:
    interrupted(*CALL, cwd=place)
    [line] = mtkit(*CALL, cwd=place).stderr.decode().splitlines()
    assert line == (
        "out.de: starts anew; --resume would have continued the interrupted translation"
    )
    assert (place / "out.de").read_bytes() == whole(*CALL[:2], *CALL[4:], cwd=place)[0]


def test_a_text_that_changes_is_an_error(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual, text = Growing.step, place / "in.en"

    def step(self: Growing, lines: int, more: Mapping[str, Any]) -> None:
        if lines == 1000:
            text.write_bytes(text.read_bytes().replace(b"a", b"o"))
        usual(self, lines, more)

    text.write_text("\n" * 20_000 + "a cat\n")  # more than is read at once
    monkeypatch.setattr(translate, "BATCH", 1000)
    monkeypatch.setattr(Growing, "step", step)
    [line] = mtkit(*CALL, cwd=place, check=2).stderr.decode().splitlines()
    assert line == "mtkit: in.en: changed while it was read; run the command again"
    assert not (place / "out.de").exists()
