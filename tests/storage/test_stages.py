"""Stages: each task runs once and completely or not at all, in any thread or process."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from mtkit.console import console
from mtkit.errors import InputError
from mtkit.storage.arrays import joined, load, save
from mtkit.storage.stages import Stages, Threads, fingerprint, unfinished


def _square(into: Path, n: int) -> None:
    (into / "began").touch()
    if n < 0:
        raise ValueError(n)
    save(into, n=np.array([n * n]))


def _slow(into: Path) -> None:
    time.sleep(0.03)


def _never(into: Path) -> None:
    raise AssertionError(into)


@pytest.mark.parametrize("threads", [1, 3])
def test_each_task_fills_a_directory(tmp_path: Path, threads: int) -> None:
    outputs = Stages(tmp_path, threads).run("squares", _square, [(n,) for n in range(5)])
    assert joined(out / "n.npy" for out in outputs).tolist() == [0, 1, 4, 9, 16]


@pytest.mark.parametrize("threads", [1, 3])
def test_finished_tasks_do_not_rerun(tmp_path: Path, threads: int) -> None:
    stages = Stages(tmp_path, threads)
    with pytest.raises(ValueError, match="-1"):
        stages.run("squares", _square, [(2,), (-1,)])
    assert (tmp_path / "squares" / "0").is_dir()
    assert not (tmp_path / "squares" / "1").exists(), "half of a task"
    stages.run("squares", _square, [(7,), (3,)])
    assert load(tmp_path / "squares" / "0" / "n.npy").tolist() == [4], "done again"
    assert load(tmp_path / "squares" / "1" / "n.npy").tolist() == [9]


def test_a_stage_without_files_counts_as_done(tmp_path: Path) -> None:
    stages = Stages(tmp_path)
    stages.run("squares", _square, [(2,)])
    stages.forget("squares")
    assert not (tmp_path / "squares").exists()
    assert len(stages.run("squares", _never, [()])) == 1


def test_another_process_may_be_first(tmp_path: Path) -> None:
    def slow(into: Path) -> None:
        save(into, n=np.array([1]))
        save_elsewhere = into.parent / "0"
        save_elsewhere.mkdir()
        save(save_elsewhere, n=np.array([1]))

    [out] = Stages(tmp_path).run("once", slow, [()])
    assert [path.name for path in (tmp_path / "once").iterdir()] == ["0"]
    assert load(out / "n.npy").tolist() == [1]


@pytest.mark.parametrize(
    ("workers", "tasks", "works_at_once", "tasks_at_once"),
    [(1, 1, 1, 1), (4, 63, 3, 4), (4, 64, 1, 4)],
)
def test_parallel_works_share_the_workers_and_return_in_order(
    tmp_path: Path, workers: int, tasks: int, works_at_once: int, tasks_at_once: int
) -> None:
    works, at_work, most = list[str](), list[Path](), [0, 0]

    def task(into: Path) -> None:
        at_work.append(into)
        time.sleep(0.02)
        most[1] = max(most[1], len(at_work))
        at_work.remove(into)

    def work(name: str, own: Stages) -> str:
        works.append(name)
        time.sleep(0.02)
        most[0] = max(most[0], len(works))
        outputs = own.within(name).run("tasks", task, [()] * 5)
        works.remove(name)
        return outputs.directory.parent.name

    called = [partial(work, name) for name in "abc"]
    assert Stages(tmp_path, workers).in_parallel(tasks, *called) == ["a", "b", "c"]
    assert most == [works_at_once, tasks_at_once]


def test_an_error_in_one_work_stops_the_other(tmp_path: Path) -> None:
    stages = Stages(tmp_path, 4)
    works: list[Callable[[Stages], object]] = [
        lambda own: own.run("slow", _slow, [()] * 200),
        lambda own: own.run("fails", _square, [(-1,), (-1,)]),
    ]
    with pytest.raises(ValueError, match="-1"):
        stages.in_parallel(1, *works)
    left = sorted(path.name for path in (tmp_path / "slow").iterdir())
    time.sleep(0.2)
    assert sorted(path.name for path in (tmp_path / "slow").iterdir()) == left
    assert len(left) < 100
    with pytest.raises(ValueError, match="-1"):  # no new stage begins
        stages.run("never", _never, [()])
    with pytest.raises(ValueError, match="-1"):
        stages.once("never", _never)


def test_after_an_error_no_job_starts_that_waited_for_a_thread() -> None:
    threads, started = Threads(2), list[int]()

    def fails() -> None:
        started.append(1)
        time.sleep(0.05)
        raise ValueError("one job")

    with threads._free, pytest.raises(ValueError, match="one job"):  # another call runs, too
        list(threads([fails] * 5))
    time.sleep(0.05)
    assert started == [1]


def test_parallel_tasks_share_the_threads() -> None:
    stages = Stages(Path(), workers=6)
    assert [stages.threads(tasks) for tasks in (1, 2, 4, 9)] == [6, 3, 1, 1]
    assert [replace(stages, works=2).threads(tasks) for tasks in (1, 2, 4)] == [3, 1, 1]
    assert replace(stages, execute=Threads(6)).threads(1) == 1


def test_parts_fit_the_memory() -> None:
    stages = Stages(Path(), workers=2, memory=1000)
    assert stages.parts(0) == 1
    assert stages.parts(200) == 1
    assert stages.parts(201) == 2
    assert stages.parts(201, least=5) == 5


def test_once_fills_once_and_may_run_stages(tmp_path: Path) -> None:
    stages, began = Stages(tmp_path), []

    def fill(into: Path) -> None:
        began.append(into)
        [out] = stages.run("squares", _square, [(len(began),)])
        save(into, n=load(out / "n.npy"))

    for _ in range(2):
        assert load(stages.once("both", fill) / "n.npy").tolist() == [1]
    assert len(began) == 1


def test_a_fingerprint_depends_on_all_inputs() -> None:
    one = fingerprint({"order": 5}, ["text"])
    assert one == fingerprint({"order": 5}, ["text"])
    assert one not in {fingerprint({"order": 4}, ["text"]), fingerprint({"order": 5}, ["other"])}


def test_unfinished_work_is_kept_for_resume(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    console.quiet = False
    out, place = tmp_path / "model", tmp_path / ".model.stages"
    with (
        pytest.raises(InputError, match="no interrupted training to resume"),
        unfinished(out, {"text": "a"}, True),
    ):
        pass

    def work(resume: bool, error: BaseException) -> None:
        with unfinished(out, {"text": "a"}, resume) as found:
            (found / "stage").mkdir(exist_ok=resume)
            raise error

    with pytest.raises(KeyboardInterrupt):
        work(False, KeyboardInterrupt())
    assert (place / "stage").exists()
    assert "the same command with --resume continues" in capsys.readouterr().err
    with (
        pytest.raises(InputError, match="has another text; use the same"),
        unfinished(out, {"text": "b"}, True),
    ):
        pass
    with pytest.raises(OSError, match="full"):
        work(True, OSError("full"))
    assert (place / "stage").exists()
    with unfinished(out, {"text": "a"}, False):
        assert not (place / "stage").exists()
    assert "; --resume would have continued the interrupted training" in capsys.readouterr().err
    assert not place.exists(), "done"
    with pytest.raises(InputError, match="wrong"):
        work(False, InputError("wrong"))
    assert not place.exists(), "nothing to go on with"


def test_half_removed_stages_cannot_be_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process may be killed while it removes them; the rest is not complete."""
    out = tmp_path / "model"

    def killed(_: Path) -> None:
        raise KeyboardInterrupt

    def work(resume: bool) -> None:
        with unfinished(out, {"text": "a"}, resume) as place:
            (place / "stage").mkdir()

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            work(resume=False)
    assert (tmp_path / ".model.stages/stage").exists()
    with pytest.raises(InputError, match="no interrupted training to resume"):
        work(resume=True)
    work(resume=False)
    assert not [*tmp_path.iterdir()]


def test_a_failed_task_leaves_no_files(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="-1"):
        Stages(tmp_path).run("squares", _square, [(1,), (-1,)])
    assert [path.name for path in (tmp_path / "squares").iterdir()] == ["0"]


@pytest.mark.parametrize(
    ("link", "resume"), [(".m.stages", False), (".m.stages", True), (".m.stages/written", True)]
)
def test_a_link_in_place_of_stages_is_not_followed(link: str, resume: bool, tmp_path: Path) -> None:
    place, mine = tmp_path / ".m.stages", tmp_path / "mine"
    mine.mkdir()
    (mine / "file").touch()
    if tmp_path / link != place:
        place.mkdir()
    (tmp_path / link).symlink_to(mine)
    (place / "fingerprint").write_text('{"text": "a"}', encoding="utf-8")
    with (
        pytest.raises(InputError, match=rf"{link}: a symbolic link, which mtkit does not follow"),
        unfinished(tmp_path / "m", {"text": "a"}, resume),
    ):
        pass
    assert (mine / "file").exists()
