"""``mtkit train-smt``: tuning and weights."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import time
from pathlib import Path

import pytest

from mtkit.smt.search.features import NOISY_CHANNEL
from tests.support.alignments import contents
from tests.support.command import mtkit, start

TEXT = ("--train", "train.en", "train.de", "--test", "test.en", "test.de")


def test_tuning_prints_its_rounds_and_the_report_its_gain(project: Path) -> None:
    said = mtkit(
        "train-smt", *TEXT, "--dev", "test.en", "test.de", "--prune", "0 0 1", "--out", "tuned",
        cwd=project,
    ).stderr.decode()  # fmt: skip
    header, *rounds = re.findall(r"^ +(?:round  |\d).*", said, re.MULTILINE)
    assert header.split() == ["round", "BLEU", "WER", "length", "step", "hypotheses", "new", "s"]
    assert {len(line) for line in rounds} == {len(header)}
    assert len(header) < 60
    manifest = json.loads((project / "tuned/manifest.json").read_text("utf-8"))
    assert [float(line.split()[1]) for line in rounds] == [
        pytest.approx(found["bleu"], abs=0.005) for found in manifest["figures"]["tuning"]
    ]
    gain = manifest["figures"]["dev_bleu"] - manifest["figures"]["tuning"][0]["bleu"]
    assert f", BLEU {manifest['figures']['dev_bleu']:.2f}, {gain:+.2f} since round 1\n" in said
    assert (manifest["config"]["tune"], manifest["config"]["prune"]) == ("mira", [0, 0, 1])
    [system] = json.loads(mtkit("compare", "tuned", "--json", cwd=project).stdout)["systems"]
    names = ["P(x|y)", "P(x|y) P(y)", "Default weights", "Tuned weights"]
    assert list(system["channel"]) == names
    assert system["channel"]["Tuned weights"] == system["metrics"]["bleu"]["score"]
    assert len(set(system["channel"].values())) == 4


def test_given_weights_are_tuned_only_on_request(project: Path) -> None:

    options = ("train-smt", *TEXT, "--dev", "test.en", "test.de", "--weights", "noisy-channel")
    for tune in ((), ("--tune", "mira")):
        done = mtkit(*options, *tune, "-q", "--force", "--out", "channel", cwd=project)
        assert done.stderr == b""
        kept = json.loads((project / "channel/weights.json").read_text("utf-8"))
        assert (kept == NOISY_CHANNEL) is not bool(tune)


@pytest.mark.parametrize("size", ["4", "0G", "499M", "4T", "much", "-1G"])
def test_invalid_memory_sizes_are_refused(size: str, project: Path) -> None:
    call = ("train-smt", *TEXT, "--memory", size, "--tune", "none", "--out", "none")
    said = mtkit(*call, cwd=project, check=2).stderr.decode()
    assert said == f"mtkit: --memory {size}: expected at least 500M, as in 800M or 4G\n"
    assert not (project / "none").exists()


def test_nothing_to_resume_is_one_line(project: Path) -> None:
    call = ("train-smt", *TEXT, "--tune", "none", "--resume", "--out", "never")
    said = mtkit(*call, cwd=project, check=2).stderr.decode()
    assert said.splitlines()[-1] == (
        "mtkit: never: no interrupted training to resume; run the same command without --resume"
    )


@pytest.mark.slow
@pytest.mark.compiled
def test_a_killed_training_resumes(project: Path) -> None:
    """``kill -9`` at the start of several stages; finished tasks are not repeated."""
    call = ("train-smt", *TEXT, "--tune", "none", "-q", "--out", "killed")
    mtkit(*call[:-1], "whole", cwd=project)
    whole, place = contents(project / "whole"), project / ".killed.stages"
    stages = 0
    while True:
        process = start(*call, "--force", cwd=project)
        while process.poll() is None and len(finished(place)) <= stages:
            time.sleep(0.001)
        process.kill()
        process.communicate()
        if process.returncode != -signal.SIGKILL:
            break
        before = finished(place)
        done = start(*call, "--force", "--resume", cwd=project)
        while done.poll() is None:
            assert all(finished(place).get(path, at) == at for path, at in before.items())
            time.sleep(0.01)
        assert done.communicate()[1] == b""
        made = contents(project / "killed")
        assert {k: v for k, v in made.items() if k != "manifest.json"} == {
            k: v for k, v in whole.items() if k != "manifest.json"
        }, stages
        stages += 9
    assert stages > 50


def finished(place: Path) -> dict[str, int]:
    """Return the directories of finished tasks, with inodes to detect repeated ones."""
    with contextlib.suppress(FileNotFoundError):  # the directory changes meanwhile
        return {
            str(path): path.stat().st_ino
            for path in place.rglob("*")
            if path.is_dir() and path.name.isdecimal()
        }
    return {}
