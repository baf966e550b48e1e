"""The CSV files and the LaTeX table of a comparison."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mtkit.cli.output import finite
from mtkit.comparison.choices import Chosen
from mtkit.comparison.external import ExternalScores
from mtkit.comparison.page.paper import as_latex, check_latex, escaped, letter, tables, write_csv
from mtkit.comparison.report import Comparison, as_json
from mtkit.errors import InputError
from tests.support.comparisons import REFERENCES, SOURCES, built, damaged, of, systems

NAME = r"50 % & more_{x}^~\<|>$#"


@pytest.fixture(scope="module")
def report() -> Comparison:
    smt, nmt, other = systems()
    every = [smt, nmt, other, of(NAME, "file", damaged(0.9, 7))]
    column = ExternalScores(NAME, "Human", False, [k / 7 for k in range(len(SOURCES))])
    return built(SOURCES, REFERENCES, every, trials=999, columns=[column], resamples=500)


@pytest.fixture(scope="module")
def data(report: Comparison) -> dict[str, Any]:
    return json.loads(json.dumps(finite(as_json(report))))


def read(path: Path) -> list[dict[str, Any]]:
    """Return rows with cells as JSON values."""
    words = {"": None, "True": True, "False": False}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [{k: words[v] if v in words else _number(v) for k, v in row.items()} for row in rows]


def _number(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def test_csv_files_have_the_values_of_json(data: dict[str, Any], tmp_path: Path) -> None:
    write_csv(data, tmp_path / "a" / "b")
    files = {path.stem: read(path) for path in (tmp_path / "a" / "b").iterdir()}
    assert set(files) == {
        "systems", "scores", "pairs", "perplexity", "lengths", "words", "differences", "examples",
    }  # fmt: skip
    assert files["pairs"] == data["pairs"]
    by_name = {system["name"]: system for system in data["systems"]}
    for row in files["scores"]:
        name, metric = row.pop("system"), row.pop("metric")
        assert row == by_name[name]["metrics"][metric]
    for row in files["perplexity"]:
        row["note"] = row["note"] or ""
        assert by_name[row.pop("system")]["perplexity"][row["question"]] == row
    for row, system in zip(files["systems"], data["systems"], strict=True):
        assert row["coverage.repeated"] == system["coverage"]["repeated"]
        assert row["seconds"] == system["seconds"]
    groupings = {of["by"]: of for of in data["groupings"]}
    for row in files["words"]:
        grouping = groupings[row["by"]]
        accuracy = grouping["systems"][row["system"]][grouping["labels"].index(str(row["group"]))]
        assert row["precision"] == accuracy["precision"]
        for share in ("recall", "f1"):
            figures = accuracy[share] or dict.fromkeys(("value", "low", "high"))
            assert {end: row[f"{share}.{end}"] for end in figures} == figures
    of_length = [row for row in files["differences"] if row["by"] == "length"]
    gaps = [gap for of in data["by_length"] for gap in of["by_group"]]
    assert [row["value"] for row in of_length] == [gap["value"] for gap in gaps]
    texts = [output["text"] for example in data["examples"] for output in example["outputs"]]
    assert [str(row["text"]) for row in files["examples"]] == texts


def test_every_table_is_a_file(data: dict[str, Any], tmp_path: Path) -> None:
    write_csv(data, tmp_path)
    for name, rows in ((name, rows) for name, rows in tables(data).items() if rows):
        with (tmp_path / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            assert len([*csv.DictReader(file)]) == len(rows)
    with (tmp_path / "scores.csv").open(encoding="utf-8", newline="") as file:
        score = next(csv.DictReader(file))["score"]
    assert float(score) == data["systems"][0]["metrics"]["bleu"]["score"]


def test_a_file_as_directory_is_an_error(data: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"--csv .*file: File exists"):
        write_csv(data, tmp_path / "file")


def test_the_table_has_scores_marks_and_signatures(report: Comparison) -> None:
    text = as_latex(report)
    rows = [line.split(" & ") for line in text.splitlines() if line.endswith(r"\\")]
    head, smt, nmt, *_ = rows
    assert head == [
        "System", r"BLEU $\uparrow$", r"chrF $\uparrow$", r"TER $\downarrow$",
        r"Human $\uparrow$ \\",
    ]  # fmt: skip
    bleu = report.systems[1].metrics["bleu"]
    pairs = {frozenset((p.a, p.b)): p for p in report.pairs if p.metric == "bleu"}
    worse = [
        letter(k)
        for k, other in enumerate(report.systems)
        if other.name != "nmt" and pairs[frozenset(("nmt", other.name))].rejections == 2
    ]
    assert len(worse) >= 2  # nmt is the best
    interval = f"{{\\scriptsize[{bleu.low:.1f}--{bleu.high:.1f}]}}"
    assert nmt[1] == f"\\textbf{{{bleu.score:.1f}}}$^{{{','.join(worse)}}}$ {interval}"
    assert nmt[0] == "nmt$^{b}$"
    assert r"\textbf" not in smt[1]
    assert smt[4] == r"-- \\"
    for system in report.systems:
        for metric in system.metrics.values():
            assert escaped(metric.signature) in text


def test_seeds_have_a_row_of_mean_and_deviation(tmp_path: Path) -> None:
    smt, nmt, other = systems()
    seeds = [replace(t, name=f"nmt-{k}", kind="nmt", family="f") for k, t in ((1, nmt), (2, other))]
    column = ExternalScores("smt", "Human", False, [k / 7 for k in range(len(SOURCES))])
    report = built(SOURCES, REFERENCES, [smt, *seeds], resamples=5, trials=5, columns=[column])
    *_, row = [line for line in as_latex(report).splitlines() if line.endswith(r"\\")]
    [spread] = report.spreads
    cells = [
        rf"${scores.mean:.1f} \pm {scores.deviation:.1f}$" for scores in spread.metrics.values()
    ]
    assert row == " & ".join(["nmt, mean of 2 seeds", *cells, "--"]) + r" \\"
    assert r"$\pm$: sample standard deviation over the seeds" in as_latex(report)
    assert "seeds.csv" in write_csv(as_json(report), tmp_path)
    first, *_ = read(tmp_path / "seeds.csv")
    bleu = [s.bleu for s in report.systems[1:]]
    assert first == {
        "system": "nmt", "metric": "bleu", "seeds": 2, "mean": pytest.approx(sum(bleu) / 2),
        "deviation": spread.deviation, "lowest": min(bleu), "highest": max(bleu),
    }  # fmt: skip
    assert "seeds" not in as_latex(built(SOURCES, REFERENCES, [smt], resamples=5, trials=5))


def test_caption_and_label_name_languages_and_test_set() -> None:
    options: dict[str, Any] = {"resamples": 5, "trials": 7}
    named = {"languages": ("en", "pt-BR"), "paths": ("my test_1.en", "x.pt")}
    text = as_latex(built(SOURCES, REFERENCES, systems()[:2], **options, **named))
    assert r"on my test\_1.en (en $\to$ pt-BR, 30 sentences), with 95 \% intervals (5 bo" in text
    assert "approximate randomisation, 7 trials" in text
    assert r"\label{tab:en-pt-BR-my-test-1.en}" in text
    bare = as_latex(built(SOURCES, REFERENCES, systems()[:2], **options))
    assert r"\label{tab:test.en}" in bare
    assert "on test.en (30 sentences)" in bare


def test_a_combination_of_one_system_is_named_in_the_caption(tmp_path: Path) -> None:
    smt, nmt, _ = systems()
    chosen = Chosen([{"nmt": 0}] * len(SOURCES), {"nmt": nmt.outputs}, nmt.outputs, 5.0)
    combined = replace(nmt, name="combined", kind="combination", chosen=chosen)
    report = built(SOURCES, REFERENCES, [smt, nmt, combined], resamples=5, trials=5)
    assert "combined = nmt's translations, as tuning gave it all the weight." in as_latex(report)
    assert "all the weight" not in as_latex(replace(report, systems=report.systems[:2]))
    write_csv(as_json(report), tmp_path)
    assert [row["choices.sole_part"] for row in read(tmp_path / "systems.csv")] == [
        None, None, "nmt",
    ]  # fmt: skip


def test_systems_beyond_z_have_letters_too() -> None:
    assert [letter(k) for k in (0, 25, 26, 27, 52, 701, 702)] == [
        "a", "z", "aa", "ab", "ba", "zz", "aaa",
    ]  # fmt: skip


def test_files_of_earlier_comparisons_are_removed(data: dict[str, Any], tmp_path: Path) -> None:
    write_csv(data, tmp_path)
    (tmp_path / "mine.csv").touch()
    other = data | {"systems": [of | {"perplexity": {}} for of in data["systems"]]}
    assert "perplexity.csv" not in write_csv(other, tmp_path)
    assert not (tmp_path / "perplexity.csv").exists()
    assert (tmp_path / "mine.csv").exists()


def test_other_tex_files_are_not_replaced(report: Comparison, tmp_path: Path) -> None:
    file = tmp_path / "scores.tex"
    check_latex(file)
    file.write_text(as_latex(report), encoding="utf-8")
    check_latex(file)
    file.write_text("\\documentclass{article}", encoding="utf-8")
    with pytest.raises(InputError, match="exists and was not written by mtkit; name another file"):
        check_latex(file)


@pytest.mark.slow
def test_the_table_compiles(report: Comparison, tmp_path: Path) -> None:
    """With special characters in a system's name; the PDF has the scores."""
    if not (latex := shutil.which("pdflatex")):
        pytest.skip("pdflatex is not installed")
    table = as_latex(report)
    begin = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n"
    (tmp_path / "a.tex").write_text(f"{begin}{table}\\end{{document}}\n", encoding="utf-8")
    done = subprocess.run(
        [latex, "-halt-on-error", "-interaction=nonstopmode", "a.tex"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "a.pdf").stat().st_size > 1000
    assert "Undefined" not in done.stdout
    if shutil.which("pdftotext"):
        said = subprocess.run(
            ["pdftotext", "-layout", "a.pdf", "-"], cwd=tmp_path, capture_output=True, text=True
        ).stdout
        for system in report.systems:
            assert f"{system.bleu:.1f}" in said
