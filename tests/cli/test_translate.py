"""``mtkit translate``: lines, JSON, n-best lists, streams, glossaries."""

from __future__ import annotations

import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from mtkit.answers import rows
from mtkit.console import console
from mtkit.system import Hypothesis
from tests.support.command import Dialogue, Terminal, mtkit
from tests.support.lines import random_lines


def test_bad_bytes_on_stdin_are_named(project: Path) -> None:
    done = mtkit("translate", "-q", cwd=project, stdin=b"ok\nb\xff\n", check=2)
    assert done.stderr.decode().startswith("mtkit: stdin: line 2, byte 2: not UTF-8")


@pytest.mark.parametrize("kind", ["smt", "nmt"])
def test_n_lines_in_n_lines_out(kind: str, project: Path) -> None:
    model = f"models/{kind}"
    done = mtkit("translate", "--model", model, cwd=project, stdin=b"Two men.\n\n")
    lines = done.stdout.decode().split("\n")
    assert len(lines) == 3
    assert lines[0] or kind == "nmt"  # the tiny neural model may give no words
    assert lines[1:] == ["", ""]
    text = "One\u2028line.\r\n\n \nHello <b>{name}</b> \x1b[1m\nno newline at the end"
    done = mtkit("translate", "--model", model, cwd=project, stdin=text.encode())
    assert done.stdout.count(b"\n") == 5
    assert mtkit("translate", "--model", model, cwd=project).stdout == b""


@pytest.mark.parametrize("kind", ["smt", "nmt"])
def test_json_is_one_object_a_line(kind: str, project: Path) -> None:
    options = ("translate", "--model", f"models/{kind}", "--json", "--n-best", 3)
    done = mtkit(*options, cwd=project, stdin=b"The train is here.\n\nHello.\n")
    objects = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert [o["source"] for o in objects] == ["The train is here.", "", "Hello."]
    for o in objects:
        assert set(o) == {"source", "translation", "score", "hypotheses", "unknown", "pieces"}
        assert o["translation"] == o["hypotheses"][0]["text"]
        for h in o["hypotheses"]:
            keys = {"text", "score", "features", "alignment", "segments", "tokens", "places"}
            assert set(h) == keys
    shown = objects[0]["hypotheses"][0]
    assert bool(shown["segments"]) == (kind == "smt")
    assert shown["tokens"][-1]["text"] == "</s>"
    fields = {"text", "logprob", "order"} if kind == "smt" else {"text", "logprob"}
    assert all(set(token) == fields for token in shown["tokens"])
    assert all(token["logprob"] < 0 for token in shown["tokens"])
    if kind == "smt":
        assert all(1 <= token["order"] <= 5 for token in shown["tokens"])
        total = sum(token["logprob"] for token in shown["tokens"])
        assert total == pytest.approx(shown["features"]["lm"], abs=1e-4)


def test_n_best_lines_are_numbered(project: Path) -> None:
    done = mtkit("translate", "-q", "--n-best", 2, cwd=project, stdin=b"Hello.\nThe train.\n")
    rows = [line.split(" ||| ") for line in done.stdout.decode().splitlines()]
    assert {row[0] for row in rows} == {"0", "1"}
    assert all(len(row) == 3 and float(row[2]) < 0 for row in rows)


@pytest.mark.parametrize("form", [(), ("--json",), ("--n-best", "2")])
def test_a_stream_is_answered_line_by_line(form: tuple[str, ...], project: Path) -> None:
    options = ["translate", "-q", "--model", "models/smt", *form]
    lines = ["\ufeffThe train is here.\r", "", "\ufeffHello.", "two"]
    out, text = io.BytesIO(), "".join(f"{line}\n" for line in lines).encode()
    dialogue = Dialogue(text + b"the last\xff", out.getvalue)
    done = mtkit(*options, "--stream", cwd=project, stdin=dialogue, stdout=out, check=2)
    assert done.stderr.decode().startswith("mtkit: stdin: line 5, byte 9: not UTF-8")
    whole = mtkit(*options, cwd=project, stdin="\n".join(lines).encode()).stdout
    rows = whole.splitlines(keepends=True)
    each = 2 if form == ("--n-best", "2") else 1
    assert len(rows) == each * 4 - (each - 1)  # an empty line has one translation
    ends = np.cumsum([0, each, 1, each, each])
    assert dialogue.answers == [b"".join(rows[:end]) for end in ends]
    assert done.stdout == whole


def test_a_stream_without_a_last_line_break_ends(project: Path) -> None:
    options = ("translate", "-q", "--model", "models/smt", "--stream")
    assert mtkit(*options, cwd=project, stdin=b"two\nHello.").stdout.count(b"\n") == 2
    assert mtkit(*options, cwd=project).stdout == b""


@pytest.mark.parametrize("quiet", [True, False])
def test_a_terminal_shows_progress(
    quiet: bool, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(console, "width", 100)
    monkeypatch.setattr(console, "is_interactive", True)  # as a console starts on a terminal
    options = ["translate", "--model", "models/smt", *(["-q"] if quiet else [])]
    done = mtkit(*options, cwd=project, stdin=b"two\n" * 1500, stderr=Terminal())
    assert done.stdout.count(b"\n") == 1500
    assert (b"1,500/1,500" in done.stderr) is not quiet
    assert (b"sentences/s" in done.stderr) is not quiet


def test_a_long_line_in_pieces_gives_a_note(project: Path) -> None:
    text = f"Hello.\n{'The train is here. ' * 100}\n".encode()
    done = mtkit("translate", "--model", "models/smt", cwd=project, stdin=text)
    assert done.stderr.decode() == "line 2: 501 words, translated in 3 pieces\n"
    assert done.stdout.count(b"\n") == 2


def test_2500_odd_lines_are_translated(project: Path) -> None:
    lines = random_lines(2_500, seed=2, huge=4)
    text = "".join(f"{line}\n" for line in lines).encode()
    done = mtkit("translate", "-q", "--model", "models/smt", cwd=project, stdin=text)
    answers = done.stdout.decode().split("\n")
    assert len(answers) == 2_501
    assert [not line.strip() for line in lines] == [not answer for answer in answers[:-1]]


def test_rows_contain_no_line_break() -> None:
    broken = Hypothesis("a\nb", ["a％000ab"], -1.0)
    for n_best, as_json in ((1, False), (2, False), (2, True)):
        [row] = rows(0, "x", [broken], n_best, as_json)
        assert "\n" not in row


def test_the_newest_model_is_used_and_named(project: Path, tmp_path: Path) -> None:
    for name in ("smt", "nmt"):
        shutil.copytree(project / "models" / name, tmp_path / "models" / name)
    for newest, other in (("smt", "nmt"), ("nmt", "smt")):
        os.utime(tmp_path / f"models/{other}/manifest.json", (1, 1))
        os.utime(tmp_path / f"models/{newest}/manifest.json", (2, 2))
        said = mtkit("translate", cwd=tmp_path, stdin=b"a\n").stderr.decode()
        assert said == f"model: models/{newest} (en → de)\n"
    assert mtkit("translate", "-q", cwd=tmp_path, stdin=b"a\n").stderr == b""


GLOSSARY = b"# mtkit\nThe\tDas Neuwort\nthe\tdas Neuwort\n"


CONCEPT = (
    '<conceptEntry><langSec xml:lang="de-AT"><termSec><term>{}</term></termSec></langSec>'
    '<langSec xml:lang="en"><termSec><term>{}</term></termSec></langSec></conceptEntry>'
)
TERMS = {
    "g.csv": b'de,en\n"Xyz","hotel"\nHaus,mice\n',
    "g.tbx": f"<tbx>{CONCEPT}{CONCEPT}</tbx>".format("Xyz", "hotel", "Haus", "mice").encode(),
}


def test_glossary_terms_are_translated_and_counted(project: Path) -> None:
    (project / "g.tsv").write_bytes(GLOSSARY)
    options = ("translate", "--model", "models/smt", "--glossary", "g.tsv")
    text = b"The hotel and the train.\n\nHello.\nWhere is the hotel?\n"
    for more in ((), ("--json",), ("--n-best", 3)):
        done = mtkit(*options, *more, cwd=project, stdin=text)
        said = "glossary: 3 matches in 2 sentences, 3 translated as asked (100 %)\n"
        assert done.stderr.decode() == said
    assert mtkit(*options, cwd=project, stdin=text).stdout.count(b"as Neuwort") == 3
    done = mtkit(*options, cwd=project)
    assert done.stderr == b"glossary: no match; 2 of 2 entries matched nothing\n"
    assert mtkit(*options, "-q", cwd=project, stdin=text).stderr == b""
    done = mtkit("translate", "--model", "models/nmt", "--glossary", "g.tsv", cwd=project, check=2)
    [line] = done.stderr.decode().splitlines()
    assert line.startswith("mtkit: models/nmt is a neural model, which cannot follow a glossary")
    for name, data in TERMS.items():
        (project / name).write_bytes(data)
        options = ("translate", "--model", "models/smt", "--glossary", name)
        done = mtkit(*options, "--inflected", cwd=project, stdin=b"The hotels of the train.\n")
        assert b"Xyz" in done.stdout
        said = (
            "glossary: 1 match in 1 sentence, 1 translated as asked (100 %); "
            '1 of 2 entries matched nothing: "mice"\n'
        )
        assert done.stderr.decode() == said
        done = mtkit(*options, cwd=project, stdin=b"The hotels of the train.\n")
        assert b"Xyz" not in done.stdout
        assert done.stderr == b"glossary: no match; 2 of 2 entries matched nothing\n"
    (project / "bad.tsv").write_bytes(b"# source, target\na\tA\na b\n")
    options = ("translate", "--model", "models/smt", "--glossary", "bad.tsv")
    assert b"mtkit: bad.tsv: line 3: " in mtkit(*options, cwd=project, check=2).stderr
