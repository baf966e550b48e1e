"""``mtkit train-smt``: tuning and weights."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mtkit.smt.search.features import NOISY_CHANNEL
from tests.support.command import mtkit

TEXT = ("--train", "train.en", "train.de", "--test", "test.en", "test.de")


def test_tuning_tells_its_rounds_and_the_report_what_it_gained(project: Path) -> None:
    said = mtkit(
        "train-smt", *TEXT, "--dev", "test.en", "test.de", "--prune", "0 0 1", "--out", "tuned",
        cwd=project,
    ).stderr.decode()  # fmt: skip
    header, *rounds = re.findall(r"^    +(?:round|\d).*", said, re.MULTILINE)
    assert header.split() == [
        "round", "BLEU", "WER", "length", "step", "hypotheses", "new", "seconds",
    ]  # fmt: skip
    assert {len(line) for line in rounds} == {len(header)}
    manifest = json.loads((project / "tuned/manifest.json").read_text("utf-8"))
    assert [float(line.split()[1]) for line in rounds] == [
        pytest.approx(found["bleu"], abs=0.005) for found in manifest["figures"]["tuning"]
    ]
    gain = manifest["figures"]["dev_bleu"] - manifest["figures"]["tuning"][0]["bleu"]
    assert f"are kept: BLEU {manifest['figures']['dev_bleu']:.2f}, {gain:+.2f} to round 1\n" in said
    assert (manifest["config"]["tune"], manifest["config"]["prune"]) == ("mira", [0, 0, 1])
    [system] = json.loads(mtkit("compare", "tuned", "--json", cwd=project).stdout)["systems"]
    names = ["P(x|y)", "P(x|y) P(y)", "Default weights", "Tuned weights"]
    assert list(system["channel"]) == names
    assert system["channel"]["Tuned weights"] == system["metrics"]["bleu"]["score"]
    assert len(set(system["channel"].values())) == 4


def test_weights_that_are_given_stay_unless_tuning_is_asked_for(project: Path) -> None:

    options = ("train-smt", *TEXT, "--dev", "test.en", "test.de", "--weights", "noisy-channel")
    for tune in ((), ("--tune", "mira")):
        done = mtkit(*options, *tune, "-q", "--force", "--out", "channel", cwd=project)
        assert done.stderr == b""
        kept = json.loads((project / "channel/weights.json").read_text("utf-8"))
        assert (kept == NOISY_CHANNEL) is not bool(tune)
