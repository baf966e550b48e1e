"""``mtkit align``: links of files and of stdin, by new and saved models."""

from __future__ import annotations

import json
from pathlib import Path

from mtkit.smt.alignment.align import ALIGNERS
from mtkit.smt.alignment.symmetrize import HEURISTICS
from tests.support.command import mtkit


def test_align_prints_links_and_scores_gold(project: Path) -> None:
    done = mtkit("align", "--train", "train.en", "train.de", cwd=project)
    lines = done.stdout.decode().splitlines()
    assert len(lines) == 400
    links = [link for line in lines for link in line.split()]
    assert len(links) > 2000
    assert all("-" in link for link in links)
    options = ("align", "--train", "train.en", "train.de", "--gold", "gold")
    (project / "gold").write_bytes(done.stdout)
    assert b"AER 0.0000" in mtkit(*options, cwd=project).stderr
    (project / "gold").write_bytes(done.stdout.partition(b" ")[2])  # without the first link
    one_of = 1 - 2 * (len(links) - 1) / (2 * len(links) - 1)
    assert f"AER {one_of:.4f}".encode() in mtkit(*options, "--quiet", cwd=project).stderr
    shown = mtkit("align", "--help", cwd=project).stdout.decode()
    assert all(
        name in " ".join(shown.replace("│", " ").split()) for name in (*HEURISTICS, *ALIGNERS)
    )


def test_align_saves_its_model_and_reads_pairs_from_stdin(project: Path) -> None:
    trained = mtkit("align", "--train", "train.en", "train.de", "--out", "kept", cwd=project)
    pairs = [
        f"{s} ||| {t}"
        for s, t in zip(
            (project / "train.en").read_text("utf-8").splitlines(),
            (project / "train.de").read_text("utf-8").splitlines(),
            strict=True,
        )
    ]
    text = "\n".join(pairs).encode()
    assert mtkit("align", "--stdin", cwd=project, stdin=text).stdout == trained.stdout
    for model in ("kept", "models/smt"):
        known = mtkit("align", "--model", model, "--stdin", cwd=project, stdin=text).stdout
        ours, theirs = (
            {(n, link) for n, line in enumerate(x.decode().splitlines()) for link in line.split()}
            for x in (known, trained.stdout)
        )
        assert len(known.splitlines()) == 400
        assert 2 * len(ours & theirs) > 0.8 * (len(ours) + len(theirs))
    done = mtkit("align", "--stdin", cwd=project, stdin=b"a ||| b\na | b\n", check=2)
    assert done.stderr.decode().startswith(
        "mtkit: stdin: line 2: expected one ' ||| ' between source"
    )
    done = mtkit("translate", "--model", "kept", cwd=project, check=2)
    assert "kept aligns words (`mtkit align --model`)" in done.stderr.decode()
    (project / "empty").mkdir()
    (project / "empty/manifest.json").write_bytes((project / "kept/manifest.json").read_bytes())
    done = mtkit(
        "align", "--model", "empty", "--train", "train.en", "train.de", cwd=project, check=2
    )
    assert "empty cannot align words" in done.stderr.decode()


def test_align_reads_files_named_without_a_language(project: Path, tmp_path: Path) -> None:
    for name, language in (("a.txt", "en"), ("b.txt", "de")):
        (tmp_path / name).write_bytes((project / f"test.{language}").read_bytes())
    options = ("align", "--aligner", "ibm1", "--train")
    done = mtkit(*options, "a.txt", "b.txt", "--out", "kept", cwd=tmp_path)
    named = mtkit(*options, project / "test.en", project / "test.de", cwd=tmp_path)
    assert done.stdout == named.stdout
    manifest = json.loads((tmp_path / "kept/manifest.json").read_text("utf-8"))
    assert manifest["languages"] == ["und", "und"]
    pair = ("--pair", "en-de", "--force")
    mtkit(*options, "a.txt", "b.txt", "--out", "kept", *pair, cwd=tmp_path)
    manifest = json.loads((tmp_path / "kept/manifest.json").read_text("utf-8"))
    assert manifest["languages"] == ["en", "de"]


def test_links_have_probabilities_and_pairs_scores(project: Path) -> None:
    call = ["align", "--train", "train.en", "train.de"]
    plain = mtkit(*call, "--aligner", "hmm", "--out", "rated", cwd=project)
    assert json.loads((project / "rated/manifest.json").read_text())["config"]["aligner"] == "hmm"
    scored = mtkit(*call, "--score", cwd=project).stdout.splitlines()
    assert [line.split(b" ||| ")[0] for line in scored] == plain.stdout.splitlines()
    for way in (
        ["--train", "train.en", "train.de"],
        ["--model", "rated", "--train", "train.en", "train.de"],
    ):
        done = mtkit("align", *way, "--probabilities", "--score", cwd=project)
        rows = [line.split(" ||| ") for line in done.stdout.decode().splitlines()]
        links = [[link.split(":") for link in row[0].split()] for row in rows]
        if "--model" not in way:
            again = "".join(" ".join(a for a, _ in line) + "\n" for line in links)
            assert again.encode() == plain.stdout
        probabilities = [float(p) for line in links for _, p in line]
        assert all(0 <= p <= 1 for p in probabilities)
        assert sum(probabilities) > 0.6 * len(probabilities)
        assert all(-30 < float(score) < 0 for _, score in rows)
    exchanged = [*(project / "train.de").read_text("utf-8").splitlines()]
    exchanged[0], exchanged[1] = exchanged[1], exchanged[0]
    (project / "exchanged.de").write_text("\n".join([*exchanged[:2], ""]) + "\n", encoding="utf-8")
    first = (project / "train.en").read_text("utf-8").splitlines()[:3]
    (project / "first.en").write_text("\n".join(first) + "\n", encoding="utf-8")
    call = ["align", "--model", "rated", "--train", "first.en", "exchanged.de", "--score"]
    scores = [
        float(line.split("||| ")[1])
        for line in mtkit(*call, cwd=project).stdout.decode().splitlines()
    ]
    assert scores[0] < float(rows[0][1]) - 1
    assert scores[1] < float(rows[1][1]) - 1
    assert scores[2] == float("-inf")
