from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from mtkit.errors import InputError
from mtkit.storage import writing
from mtkit.storage.writing import link, recover, replacing, whole_file, write_whole
from mtkit.text.catalog import corpora_directory

NOBODY = 2**22 + 1  # above any process ID


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def put(out: Path, text: str) -> None:
    with replacing(out) as directory:
        (directory / "a").write_text(text, encoding="utf-8")


def unable(one: Path, other: Path) -> None:
    raise OSError(38, "no exchange here")


@pytest.fixture(params=["exchange", "renames"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "renames":
        monkeypatch.setattr(writing, "rename_exchange", unable)


@pytest.mark.usefixtures("either_way")
def test_a_directory_is_replaced_and_nothing_left(tmp_path: Path) -> None:
    for text in ("old", "new"):
        put(tmp_path / "m", text)
        assert (tmp_path / "m" / "a").read_text(encoding="utf-8") == text
        assert names(tmp_path) == ["m"]


def test_new_empty_parents_are_removed_on_error(tmp_path: Path) -> None:
    out = tmp_path / "models" / "a" / "m"
    with contextlib.suppress(ZeroDivisionError), replacing(out):
        raise ZeroDivisionError
    assert names(tmp_path) == []
    with contextlib.suppress(ZeroDivisionError), replacing(out):
        put(tmp_path / "models" / "n", "another's")
        raise ZeroDivisionError
    assert names(tmp_path / "models") == ["n"]


def killed_while_writing(out: Path, moment: str) -> None:
    """Run a process that kills itself at ``moment``, a line of Python within ``replacing``."""
    code = f"""
import os, signal
from pathlib import Path
from mtkit.storage import writing
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
with writing.replacing(Path({str(out)!r})) as directory:
    (directory / "a").write_text("new")
    {moment}
"""
    ended = subprocess.run([sys.executable, "-c", code], check=False)
    assert ended.returncode == -signal.SIGKILL


MOMENTS = {  # and the content afterwards
    "die()": "old",
    "writing._exchange = die": "old",
    "writing.rename_exchange = die": "old",
    "writing.shutil.rmtree = die": "new",
    "writing._sweep = die": "new",
}
WITHOUT_EXCHANGE = """def no(*_): raise OSError(38, "")
    writing.rename_exchange = no
    replace, n = Path.replace, []
    def counted(a, b):
        n.append(a)
        return die() if len(n) == {0} else replace(a, b)
    Path.replace = counted"""
MOMENTS |= {WITHOUT_EXCHANGE.format(k): "old" for k in (1, 2)}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_leaves_the_complete_old_or_new_directory(moment: str, tmp_path: Path) -> None:
    out = tmp_path / "m"
    put(out, "old")
    killed_while_writing(out, moment)
    recover(tmp_path)
    assert (out / "a").read_text(encoding="utf-8") == MOMENTS[moment]
    assert names(tmp_path) == ["m"]


def test_output_of_a_running_process_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "m"
    put(out, "old")
    code = f"""
from pathlib import Path
from mtkit.storage.writing import replacing
with replacing(Path({str(out)!r})) as directory:
    (directory / "a").write_text("new")
    print("writing", flush=True)
    input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "writing\n"
        recover(tmp_path)
        assert names(tmp_path) == [".m.lock", ".m.new", "m"]
        with pytest.raises(InputError, match=rf"process {other.pid} \(mtkit .*\) is writing there"):
            put(out, "mine")
        other.stdin.write("\n")
        other.stdin.flush()
        assert other.wait() == 0
    assert (out / "a").read_text(encoding="utf-8") == "new"
    assert names(tmp_path) == ["m"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminated_training_leaves_only_stages(number: int, tmp_path: Path) -> None:
    text = [str(corpora_directory() / f"everyday/dev.{language}") for language in ("en", "de")]
    command = [sys.executable, "-m", "mtkit", "train-nmt", "--train", *text, "--updates", "100000"]
    usual = partial(signal.signal, number, signal.SIG_DFL)  # nohup and & change it
    with subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, preexec_fn=usual
    ) as training:
        assert training.stderr is not None
        for line in training.stderr:
            if line.startswith("plan"):
                break
        training.send_signal(number)
        training.stderr.read()
    assert training.returncode == 130
    assert {path.name for path in tmp_path.rglob("*.stages")} <= {".nmt-en-de.stages"}
    assert [*map(names, tmp_path.iterdir())] in ([], [[".nmt-en-de.stages"]])


def test_a_file_is_written_completely_or_not(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_whole("old", path)
    path.chmod(0o640)

    def fail(error: OSError) -> None:
        with whole_file(path) as file:
            file.write(b"ne")
            raise error

    for error, said in (
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("223553 requested and 77792 written"), "not all .* the disk full[?]"),  # NumPy's
    ):
        with pytest.raises(OSError, match=f"28.*{said}: '{path}'"):
            fail(error)
    assert path.read_bytes() == b"old"
    write_whole("new", path)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert names(tmp_path) == ["page.html"]


def test_two_threads_may_write_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with whole_file(path) as one:
        one.write(b"one")
        with ThreadPoolExecutor() as pool:
            pool.submit(write_whole, "two", path).result()
        assert path.read_bytes() == b"two"
    assert path.read_bytes() == b"one"
    assert names(tmp_path) == ["a"]


def test_symlinks_are_followed_and_devices_written_to(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write_whole("text", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"text"
    write_whole("text", Path(os.devnull))
    assert not Path(os.devnull).is_file()


def test_part_files_of_dead_processes_are_removed(tmp_path: Path) -> None:
    host = writing.HOST
    dead, living = (tmp_path / f".a.{host}-{n}-1.part" for n in (NOBODY, os.getppid()))
    other, odd = tmp_path / f".b.{host}-{NOBODY}-1.part", tmp_path / ".a.notes.part"
    elsewhere, old = (tmp_path / f".a.elsewhere-{n}-1.part" for n in (NOBODY, 1))
    for path in (dead, living, other, odd, elsewhere, old):
        path.touch()
    os.utime(old, (0, 0))
    write_whole("", tmp_path / "a")
    assert not dead.exists()
    assert other.exists()
    recover(tmp_path)
    assert not other.exists()
    assert set(names(tmp_path)) == {"a", *(path.name for path in (living, odd, elsewhere))}


def test_two_writers_never_run_at_once(tmp_path: Path) -> None:
    code = f"""
import time
from pathlib import Path
from mtkit.errors import InputError
from mtkit.storage.writing import replacing
try:
    with replacing(Path({str(tmp_path / "m")!r})) as directory:
        time.sleep(0.5)
        (directory / "a").write_text("done")
except InputError:
    raise SystemExit(2)
"""
    for _ in range(3):
        both = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
        codes = sorted(process.wait() for process in both)
        assert codes in ([0, 2], [0, 0])  # one after the other, on a slow machine
        assert (tmp_path / "m" / "a").read_text(encoding="utf-8") == "done"
        assert names(tmp_path) == ["m"]


def test_a_link_in_place_of_a_lock_is_not_followed(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("precious", encoding="utf-8")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / ".m.lock").symlink_to(mine)
    recover(tmp_path / "models")  # as every command does that looks for models
    with pytest.raises(
        InputError, match=r"\.m\.lock: a symbolic link, which mtkit does not follow"
    ):
        put(tmp_path / "models" / "m", "new")
    assert mine.read_text(encoding="utf-8") == "precious"


def test_link_makes_a_hard_link_or_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("text")
    link(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a").samefile(tmp_path / "b")
    monkeypatch.setattr(os, "link", lambda *_: Path("nowhere").stat())  # an OSError
    link(tmp_path / "a", tmp_path / "c")
    assert (tmp_path / "c").read_text() == "text"
