"""``mtkit combine``, and other commands on a combination."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.command import mtkit


@pytest.fixture(scope="module")
def combined(project: Path, combination_directory: Path) -> Path:
    """The project with a combination as its newest model."""
    where = project.parent / "with-combination"
    shutil.copytree(project, where, symlinks=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mtkit.combination.tune.MAX_EPOCHS", 5)  # its weights are replaced below
        mtkit("combine", "-q", "--dev", "test.en", "test.de", cwd=where)
    shutil.copyfile(combination_directory / "weights.json", where / "models/combined/weights.json")
    return where


def test_combine_takes_the_newest_of_each_kind_and_reports_dev_scores(
    project: Path, tmp_path: Path
) -> None:
    where = Path(shutil.copytree(project, tmp_path / "project", symlinks=True))
    done = mtkit("combine", "--dev", "test.en", "test.de", cwd=where)
    said = done.stderr.decode()
    assert "systems: models/smt, models/nmt (en → de)" in said
    for row in ("smt ", "nmt ", "combination, cross-validated", "best candidates (oracle)"):
        assert f"    {row}" in said
    assert said.rstrip().endswith("model: models/combined")
    parts = json.loads((where / "models/combined/parts.json").read_text("utf-8"))
    assert [part["paths"] for part in parts] == [["../smt"], ["../nmt"]]
    figures = json.loads((where / "models/combined/manifest.json").read_text("utf-8"))["figures"]
    assert set(figures["dev"]) == {"alone", "cross-validated", "gain", "tuned", "oracle"}
    weights = (where / "models/combined/weights.json").read_bytes()
    mtkit("combine", "-q", "--dev", "test.en", "test.de", cwd=where)  # the same systems
    assert (where / "models/combined/weights.json").read_bytes() == weights


def test_uncombinable_systems_are_an_error(project: Path, tmp_path: Path) -> None:
    done = mtkit("combine", cwd=tmp_path, check=2)
    assert done.stderr.decode() == (
        "mtkit: no statistical model under models/; train one with `mtkit train-smt`, or name the "
        "systems to combine\n"
    )
    done = mtkit("combine", "models/smt", cwd=project, check=2)
    assert "smt is the only system" in done.stderr.decode()
    done = mtkit("combine", "models/smt", "x=none.txt", cwd=project, check=2)
    assert "none.txt: neither a model directory nor a file" in done.stderr.decode()
    done = mtkit("combine", "--out", "models/smt", cwd=project, check=2)
    assert "models/smt exists; name another --out" in done.stderr.decode()


def test_translate_uses_the_newest_combination(combined: Path) -> None:
    done = mtkit("translate", cwd=combined, stdin=b"Two men.\n\nThe train is here.\n")
    assert "model: models/combined (en → de)" in done.stderr.decode()
    lines = done.stdout.decode().split("\n")
    assert len(lines) == 4
    assert lines[0]
    assert lines[1] == ""
    done = mtkit("translate", "-q", "--json", "--n-best", 3, cwd=combined, stdin=b"Two men.\n")
    shown = json.loads(done.stdout)
    assert len(shown["hypotheses"]) == 3
    assert "smt.model" in shown["hypotheses"][0]["features"]
    assert all(set(h["places"]) <= {"smt", "nmt"} for h in shown["hypotheses"])
    stream = mtkit("translate", "-q", "--stream", cwd=combined, stdin=b"Two men.\n")
    assert stream.stdout.decode() == lines[0] + "\n"


def test_a_missing_part_is_one_error(combined: Path, tmp_path: Path) -> None:
    where = Path(shutil.copytree(combined, tmp_path / "project", symlinks=True))
    (where / "models/nmt").unlink()
    for command in (["translate"], ["compare", "models/combined"], ["explain", "Two men."]):
        done = mtkit(*command, "--model" if command[0] != "compare" else "-q",
                     *(["models/combined"] if command[0] != "compare" else []),
                     cwd=where, stdin=b"Two men.\n", check=2)  # fmt: skip
        error = done.stderr.decode().splitlines()[-1]
        assert error.startswith("mtkit: models/combined: its system nmt is missing (")


def test_compare_reports_which_system_was_chosen(combined: Path) -> None:
    test = ("--test", "test.en", "test.de")
    done = mtkit("compare", "-q", *test, "--full", "--examples", 12, cwd=combined)
    page = done.stdout.decode()
    assert "combined" in page
    assert "Choices of combined: BLEU on these sentences" in page
    assert "candidates per sentence would reach" in page
    done = mtkit("compare", "-q", *test, "--json", cwd=combined)
    by_name = {s["name"]: s for s in json.loads(done.stdout)["systems"]}
    choices = by_name["combined"]["choices"]
    assert sum(of["sentences"] for of in choices["origins"]) == 30
    assert by_name["smt"]["choices"] is None
    assert choices["oracle"]["bleu"] >= by_name["combined"]["metrics"]["bleu"]["score"]
    firsts = [of for of in choices["origins"] if of["label"] == "first in smt's list"]
    assert firsts
    assert all(of["bleu"] == pytest.approx(of["alone"]["smt"]) for of in firsts)
    done = mtkit("compare", "models/combined", *test, "--curve", "20,30", cwd=combined, check=2)
    assert "--curve retrains single models, and none is named" in done.stderr.decode()
    systems = ("models/combined", "models/smt")  # the training text of smt has changed since
    done = mtkit("compare", *systems, *test, "--curve", "20,30", cwd=combined, check=2)
    assert "learning curve: without combined, which is a combination" in done.stderr.decode()
    assert "differs from the text that models/smt was trained on" in done.stderr.decode()


def test_explain_shows_the_candidates(combined: Path) -> None:
    options = ("explain", "The train is here.", "-q", "--model", "models/combined")
    page = mtkit(*options, cwd=combined).stdout.decode()
    assert "combined: " in page
    for row in ("smt.unreached", "nmt.direct", "all.words", "Of smt", "Of nmt", "Chosen"):
        assert row in page
    shown = json.loads(mtkit(*options, "--json", cwd=combined).stdout)["systems"][0]
    best = shown["candidates"][0]
    assert best["text"] == shown["translation"]
    assert best["score"] == pytest.approx(sum(term["product"] for term in best["terms"]))
    mtkit(*options, "--html", "page.html", cwd=combined)
    assert best["text"] in (combined / "page.html").read_text("utf-8")


def test_perplexity_refuses_a_combination(combined: Path) -> None:
    text = ("--test", "test.en", "test.de")
    done = mtkit("perplexity", "-q", "models/combined", *text, cwd=combined, check=2)
    assert done.stderr.decode() == (
        "mtkit: models/combined: a combination has no probabilities; name its systems\n"
    )
    done = mtkit("perplexity", "-q", *text, cwd=combined)  # skips the combination
    assert "models/smt" in done.stdout.decode()
    assert "models/combined" not in done.stdout.decode()


def test_lists_are_for_combinations(combined: Path) -> None:
    (combined / "x.nbest").write_text("0 ||| x ||| 1\n", encoding="utf-8")
    options = ("translate", "-q", "--lists", "x=x.nbest", "--model")
    done = mtkit(*options, "models/smt", cwd=combined, stdin=b"Two.\n", check=2)
    assert "--lists is for a combination" in done.stderr.decode()
    done = mtkit(*options, "models/combined", cwd=combined, stdin=b"Two.\n", check=2)
    assert "--lists x: the combination has no such external system" in done.stderr.decode()
    done = mtkit(*options[:3], "x", "--model", "models/combined", cwd=combined, check=2)
    assert "--lists x: expected NAME=FILE" in done.stderr.decode()
