"""``mtkit compare``: JSON, reports, records, errors."""

from __future__ import annotations

import csv
import json
import os
import pydoc
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import Terminal, mtkit


def test_compare_prints_json_and_writes_html(project: Path) -> None:
    done = mtkit(
        "compare", "--json", "--html", "r.html", "--test", "test.en", "test.de", cwd=project
    )
    found = json.loads(done.stdout)
    assert {"test", "systems", "pairs"} <= set(found)
    assert {s["name"]: s["kind"] for s in found["systems"]} == {"smt": "smt", "nmt": "nmt"}
    for system in found["systems"]:
        assert set(system["metrics"]) == {"bleu", "chrf", "ter"}
        metric = system["metrics"]["bleu"]
        assert set(metric) == {"score", "low", "high", "signature", "less_is_better"}
        assert system["sentences_per_second"] > 0
    keys = {"a", "b", "metric", "delta", "p_bootstrap", "p_randomization"}
    keys |= {"holm_bootstrap", "holm_randomization", "p_sacrebleu", "agreement"}
    assert [set(pair) for pair in found["pairs"]] == [keys] * 2  # BLEU and chrF
    assert "P(y|x)" in found["systems"][0]["perplexity"]
    smt, nmt = sorted(found["systems"], key=lambda system: system["name"] == "nmt")
    assert list(smt["channel"]) == ["P(x|y)", "P(x|y) P(y)", "Default weights"]
    assert smt["channel"]["Default weights"] == smt["metrics"]["bleu"]["score"]
    assert nmt["channel"] == {}
    for system in (smt, nmt):
        faults = system["errors"]
        assert faults["reached"] == faults["same"] + faults["search"] + faults["model"]
    assert nmt["errors"]["reached"] == 30 >= smt["errors"]["reached"]
    assert "<html" in (project / "r.html").read_text(encoding="utf-8")


def test_compare_reads_translations_and_warns_of_training_lines(project: Path) -> None:
    for name in ("train.en", "train.de"):
        lines = (project / name).read_bytes().splitlines(keepends=True)
        (project / f"seen-{name}").write_bytes(b"".join(lines[:60]))
    test = ("--test", "seen-train.en", "seen-train.de")
    options = ("compare", "models/smt", "other=seen-train.de", *test)
    done = mtkit(*options, "--json", cwd=project)
    found = json.loads(done.stdout)
    assert [s["name"] for s in found["systems"]] == ["smt", "other"]
    assert found["systems"][1]["metrics"]["bleu"]["score"] == pytest.approx(100)
    assert "60 of the 60 test sentences are in its training text" in found["warnings"][0]


def test_a_second_report_has_the_same_bytes(project: Path) -> None:
    test = ("--test", "test.en", "test.de")
    for name in ("one.html", "two.html"):
        done = mtkit("compare", *test, "--html", name, cwd=project)
    assert done.stderr.decode().count("reusing recorded translations (") == 2
    assert b"translating" not in done.stderr
    one, two = ((project / name).read_bytes() for name in ("one.html", "two.html"))
    assert one == two
    assert b"Explanation of <bdi>nmt</bdi>" in one
    fresh = mtkit("compare", "models/smt", *test, "--fresh", "--json", cwd=project)
    assert b"smt: translating 30 sentences" in fresh.stderr
    again = mtkit("compare", "models/smt", *test, "--json", "-q", cwd=project)
    assert again.stdout == fresh.stdout
    assert again.stderr == b""


def test_scores_with_two_references_equal_those_of_sacrebleu(project: Path) -> None:
    target = (project / "test.de").read_text("utf-8").splitlines()
    (project / "second.de").write_text("\n".join(target[1:] + target[:1]) + "\n", encoding="utf-8")
    (project / "out.de").write_text("\n".join(target[::-1]) + "\n", encoding="utf-8")
    test = ("--test", "test.en", "test.de")
    options = ("compare", "o=out.de", *test, "--reference", "second.de", "--json", "-q")
    found = json.loads(mtkit(*options, cwd=project).stdout)
    assert found["test"]["references"] == 2
    metrics = found["systems"][0]["metrics"]
    command = [sys.executable, "-m", "sacrebleu", "test.de", "second.de", "-i", "out.de", "-b"]
    for name, metric in metrics.items():
        more = ["-w", "10", "-m", name]
        said = subprocess.run([*command, *more], cwd=project, capture_output=True, check=True)
        assert metric["score"] == pytest.approx(float(said.stdout), abs=1e-9)
        assert "nrefs:2" in metric["signature"]
    (project / "short.de").write_text("a\n", encoding="utf-8")
    options = ("compare", "o=out.de", *test, "--reference", "short.de")
    assert b"short.de: 1 lines for 30" in mtkit(*options, cwd=project, check=2).stderr


def test_compare_reads_files_named_without_a_language(project: Path, tmp_path: Path) -> None:
    for name, language in (("a.txt", "en"), ("b.txt", "de"), ("c.txt", "de")):
        lines = (project / f"test.{language}").read_bytes()
        (tmp_path / name).write_bytes(lines)
    options = ("compare", "c=c.txt", "--test", "a.txt", "b.txt")
    found = json.loads(mtkit(*options, "--json", cwd=tmp_path).stdout)
    assert found["test"]["languages"] == ["", ""]
    assert mtkit(*options, cwd=tmp_path).stdout.startswith(b"a.txt, 30 sentences\n")


def test_scores_without_case_equal_those_of_sacrebleu(project: Path) -> None:
    target = (project / "test.de").read_text("utf-8")
    (project / "upper.de").write_text(target.upper().replace("IST", "WAR"), encoding="utf-8")
    options = ("compare", "o=upper.de", "--test", "test.en", "test.de", "--json", "-q")
    cased = json.loads(mtkit(*options, cwd=project).stdout)["systems"][0]["metrics"]
    folded = json.loads(mtkit(*options, "--ignore-case", cwd=project).stdout)
    assert folded["test"]["ignore_case"] is True
    command = [sys.executable, "-m", "sacrebleu", "test.de", "-i", "upper.de", "-b", "-w", "10"]
    for name, lowercase in (("bleu", ["-lc"]), ("chrf", ["--chrf-lowercase"]), ("ter", [])):
        metric = folded["systems"][0]["metrics"][name]
        line = [*command, "-m", name, *lowercase]
        printed = subprocess.run(line, cwd=project, capture_output=True, check=True).stdout
        assert metric["score"] == pytest.approx(float(printed), abs=1e-9)
        assert "case:lc" in metric["signature"]
    assert cased["bleu"]["score"] < folded["systems"][0]["metrics"]["bleu"]["score"] < 100


def test_the_tokenizer_can_be_named(project: Path) -> None:
    options = ("compare", "o=test.de", "--test", "test.en", "test.de", "--json", "-q")
    for name, signed in (("none", "tok:none"), ("words", "tok:13a")):
        found = json.loads(mtkit(*options, "--tokenizer", name, cwd=project).stdout)
        assert signed in found["systems"][0]["metrics"]["bleu"]["signature"]
    copy = shutil.copytree(project / "models/smt", project / "tokenised")
    manifest = json.loads((copy / "manifest.json").read_text("utf-8"))
    manifest["tokenizer"]["kind"] = "none"
    (copy / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    mixed = ("compare", "models/smt", "tokenised", "--test", "test.en", "test.de", "-q")
    refused = mtkit(*mixed, cwd=project, check=2)
    assert b"describe the test set with --tokenizer none or --tokenizer words" in refused.stderr
    assert mtkit(*mixed, "--tokenizer", "words", cwd=project).stdout


def test_plus_joins_models_into_an_ensemble(project: Path) -> None:
    test = ("--test", "test.en", "test.de", "--examples", "2")
    options = ("compare", "models/nmt", "models/nmt+models/nmt", "two=models/nmt+models/nmt", *test)
    found = json.loads(mtkit(*options, "--json", "--html", "e.html", cwd=project).stdout)
    assert [(s["name"], s["networks"]) for s in found["systems"]] == [
        ("nmt", 1),
        ("nmt+nmt", 2),
        ("two", 2),
    ]
    one, *ensembles = found["systems"]
    assert {s["bytes"] for s in ensembles} == {2 * one["bytes"]}
    assert {s["metrics"]["bleu"]["score"] for s in ensembles} == {one["metrics"]["bleu"]["score"]}
    assert b"Explanation of <bdi>two</bdi>" in (project / "e.html").read_bytes()
    (project / "a+b.de").write_bytes((project / "test.de").read_bytes())
    found = json.loads(mtkit("compare", "a+b.de", *test, "--json", cwd=project).stdout)
    assert [s["name"] for s in found["systems"]] == ["a+b.de"]  # a file whose name has a +


def test_the_full_report_is_paged_only_on_a_terminal(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # pydoc keeps the pager it chose first, perhaps in another test.
    monkeypatch.setattr(pydoc, "pager", lambda text: pydoc.getpager()(text))
    monkeypatch.setenv("PAGER", f"cat > {project}/paged")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("MANPAGER", raising=False)
    command = ("compare", "o=test.de", "--test", "test.en", "test.de")
    full = mtkit(*command, "--full", cwd=project)
    assert b"n-gram precisions" in full.stdout
    short = Terminal()
    mtkit(*command, cwd=project, stdin=Terminal(), stdout=short)
    assert b"Conclusion" in short.getvalue()
    assert b"n-gram precisions" not in short.getvalue()
    assert not (project / "paged").exists()
    shown = Terminal()
    mtkit(*command, "--full", cwd=project, stdin=Terminal(), stdout=shown)
    assert shown.getvalue() == b""
    paged = (project / "paged").read_text("utf-8")
    assert "n-gram precisions" in paged
    assert "\x1b[1m" in paged


def test_external_scores_are_read_and_csv_and_latex_are_written(project: Path) -> None:
    command = ("compare", "o=test.de", "p=test.en", "--test", "test.en", "test.de")
    (project / "o.comet").write_text("0.75\n" * 30, encoding="utf-8")
    scored = ("--scores", "o:COMET=o.comet")
    done = mtkit(*command, *scored, "--csv", "c", "--latex", "t.tex", "--json", cwd=project)
    o, p = json.loads(done.stdout)["systems"]
    assert (o["metrics"]["COMET"]["score"], "COMET" in p["metrics"]) == (0.75, False)
    with (project / "c" / "scores.csv").open(encoding="utf-8", newline="") as file:
        rows = {(row["system"], row["metric"]): row["score"] for row in csv.DictReader(file)}
    assert rows["o", "COMET"] == "0.75"
    assert float(rows["p", "chrf"]) == p["metrics"]["chrf"]["score"]
    assert r"\toprule" in (project / "t.tex").read_text("utf-8")
    assert b"figures: c (systems.csv, scores.csv, pairs.csv" in done.stderr
    for options, message in (
        (("--scores", "x:COMET=o.comet"), "no system 'x'; the systems are o, p"),
        (("--csv", "test.de"), "--csv test.de: not a directory"),
        (("--latex", "no/t.tex"), "no/t.tex: no such directory: no"),
        (
            ("--latex", "test.de"),
            "--latex test.de: exists and was not written by mtkit; name another",
        ),
        (("smt",), "smt: neither a model directory nor a file of translations; did you mean mod"),
    ):
        [line] = mtkit(*command, *options, cwd=project, check=2).stderr.decode().splitlines()
        assert message in line


def test_a_model_without_a_test_set_uses_that_of_the_others(project: Path) -> None:
    where = project / "alone"
    (where / "models").mkdir(parents=True)
    for name in ("smt", "nmt"):
        copy = shutil.copytree(project / "models" / name, where / "models" / name)
        manifest = json.loads((copy / "manifest.json").read_text("utf-8"))
        named = [str(project / f"test.{language}") for language in ("en", "de")]
        manifest["corpus"]["test"] = named if name == "smt" else None
        (copy / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    done = mtkit("compare", "--json", cwd=where)
    assert b"models/nmt records no test set; using that of the other models" in done.stderr
    assert json.loads(done.stdout)["test"]["sentences"] == 30
    done = mtkit("compare", "models/nmt", cwd=where, check=2)
    assert b"models/nmt was trained without a test set; name one with --test" in done.stderr


def test_models_with_different_test_sets_are_named(project: Path) -> None:
    """Such as a combination made before its systems were trained again."""
    where = project / "apart"
    (where / "models").mkdir(parents=True)
    for copy, model, test in (("a", "smt", "one"), ("b", "nmt", "one"), ("c", "nmt", "two")):
        shutil.copytree(project / "models" / model, where / "models" / copy)
        manifest = json.loads((where / "models" / copy / "manifest.json").read_text("utf-8"))
        manifest["corpus"]["test"] = [f"/x/{test}.en", f"/x/{test}.de"]
        (where / "models" / copy / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    done = mtkit("compare", cwd=where, check=2)
    assert done.stderr.decode() == (
        "mtkit: the models record different test sets (a, b: /x/one.en, /x/one.de; c: /x/two.en, "
        "/x/two.de); choose one with --test SRC TGT\n"
    )


def test_quick_skips_what_runs_the_models_again(project: Path) -> None:
    for language in ("en", "de"):
        lines = (project / f"test.{language}").read_bytes().splitlines(keepends=True)
        (project / f"short.{language}").write_bytes(b"".join(lines[:21]))
    call = ("compare", "--test", "short.en", "short.de")
    quick = mtkit(*call, "--quick", cwd=project)
    unknown = "perplexity and search errors not measured (--quick)"
    assert unknown in " ".join(quick.stdout.decode().split())
    assert b"nmt: translating 21 sentences" in quick.stderr
    assert b"wider beam" not in quick.stderr
    found = json.loads(mtkit(*call, "--quick", "--json", cwd=project).stdout)
    assert found["quick"] is True
    assert [(s["errors"], s["perplexity"], s["channel"]) for s in found["systems"]] == [
        (None, {}, {})
    ] * 2
    whole = mtkit(*call, cwd=project)
    assert unknown not in " ".join(whole.stdout.decode().split())
    assert b"nmt: perplexity and search errors; --quick skips them" in whole.stderr
    assert b"nmt: search errors, by a wider beam" in whole.stderr
    assert b"translating" not in whole.stderr


def test_a_curve_needs_the_training_text(project: Path) -> None:
    test = ("--test", "test.en", "test.de")
    done = mtkit("compare", "models/smt", *test, "--curve", "100,200", cwd=project, check=2)
    [line] = done.stderr.decode().splitlines()
    assert line.endswith("differs from the text that models/smt was trained on")


GLOSSARY = b"# mtkit\nThe\tDas Neuwort\nthe\tdas Neuwort\nxyzzy's foo\tbar\n"


def test_compare_counts_glossary_compliance(project: Path) -> None:
    (project / "g.tsv").write_bytes(GLOSSARY)
    source = (project / "test.en").read_text("utf-8")
    asked = len(re.findall(r"\b[Tt]he\b", source))
    lines = ["das Neuwort" * ("the " in line) for line in source.splitlines()]
    (project / "by-hand.de").write_text("\n".join(lines) + "\n", encoding="utf-8")
    complied = sum("the " in line for line in source.splitlines())
    test = ("--test", "test.en", "test.de", "--glossary", "g.tsv")
    systems = ("models/smt", "models/nmt", "hand=by-hand.de")
    found = json.loads(mtkit("compare", *systems, *test, "--json", cwd=project).stdout)
    assert 1 < complied < asked
    entries = {"entries": 3, "unmatched": 1}
    assert {s["name"]: s["glossary"] for s in found["systems"]} == {
        "smt": {"matches": asked, "complied": asked} | entries,
        "nmt": {"matches": asked, "complied": 0} | entries,
        "hand": {"matches": asked, "complied": complied} | entries,
    }
    assert [s["unmatched"] for s in found["systems"]] == [["xyzzy's foo"]] * 3
    done = mtkit("compare", "hand=by-hand.de", *test, "--html", "g.html", cwd=project)
    row = f"hand +{asked} +{complied} +{100 * complied / asked:.1f}"
    assert re.search(
        rf"Glossary: .*\n(.*\n)* +{row}".replace(" +hand", " *hand"), done.stdout.decode()
    )
    assert '1 of 3 entries match nothing in the test set: "xyzzy\'s foo"\n' in done.stdout.decode()
    assert "Glossary: " in (project / "g.html").read_text(encoding="utf-8")
    (project / "g.tsv").write_bytes(b"hotels\tXyz\n")
    for inflected, matches in ((), 0), (("--inflected",), len(re.findall("[Hh]otel", source))):
        done = mtkit("compare", "models/smt", *test, "--json", *inflected, cwd=project)
        counts = json.loads(done.stdout)["systems"][0]["glossary"]
        assert (counts["matches"], counts["complied"]) == (matches, matches)
    assert matches
    done = mtkit("compare", "hand=by-hand.de", *test[:3], "--json", cwd=project)
    assert json.loads(done.stdout)["systems"][0]["glossary"] is None


def test_uncomparable_input_is_an_error(project: Path) -> None:
    done = mtkit("perplexity", "models/nmt", "--text", "test.de", cwd=project, check=2)
    assert b"models/nmt has no language model P(y)" in done.stderr
    shutil.copytree(project / "models/nmt", project / "lone/models/nmt")
    call = ("perplexity", "--text", str(project / "test.de"), "--html", "page.html")
    done = mtkit(*call, cwd=project / "lone", check=2)
    assert b"models/nmt: no language model P(y)" in done.stderr
    done = mtkit("compare", "--test", "test.de", "test.en", cwd=project, check=2)
    assert b"source and target are exchanged" in done.stderr
    (project / "other").mkdir()
    manifest = json.loads((project / "models/smt/manifest.json").read_text("utf-8"))
    other = json.dumps({**manifest, "languages": ["de", "en"]})
    (project / "other/manifest.json").write_text(other, encoding="utf-8")
    done = mtkit("compare", "models/smt", "other", cwd=project, check=2)
    assert "different languages (smt: en → de, other: de → en); name" in done.stderr.decode()


def test_by_default_models_of_the_newest_pair_are_compared(project: Path) -> None:
    """A model of the other direction is skipped with a message."""
    place, manifest = project / "models/back", project / "models/smt/manifest.json"
    place.mkdir()
    other = json.loads(manifest.read_text("utf-8")) | {"languages": ["de", "en"]}
    (place / "manifest.json").write_text(json.dumps(other), encoding="utf-8")
    os.utime(place / "manifest.json", (1, 1))
    try:
        done = mtkit("compare", "--quick", "--test", "test.en", "test.de", cwd=project)
    finally:
        shutil.rmtree(place)
    assert b"models of en \xe2\x86\x92 de; skipped those of other languages: back\n" in done.stderr
    assert "back" not in done.stdout.decode()
