"""``mtkit perplexity``: pairs, text, tokens."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

from tests.support.command import mtkit


def test_perplexity_of_pairs_and_of_target_text(project: Path) -> None:
    done = mtkit("perplexity", "--test", "test.en", "test.de", "--json", cwd=project)
    found = json.loads(done.stdout)
    assert set(found["models/smt"]) == {"P(y)", "P(x|y)", "P(y|x)"}
    assert set(found["models/nmt"]) == {"P(y|x)"}
    alone = mtkit("perplexity", "models/smt", "--text", "test.de", "--json", cwd=project)
    assert json.loads(alone.stdout)["models/smt"]["P(y)"] == found["models/smt"]["P(y)"]
    assert b"P(x|y)" in mtkit("perplexity", "--test", "test.en", "test.de", cwd=project).stdout
    for of in found.values():
        for question, judged in of.items():
            texts = [s["text"] for s in judged["sentences"]]
            assert len(texts) == 30
            log_p = [value for s in judged["sentences"] for value in s["log_p"]]
            assert len(log_p) == judged["tokens"] == sum(map(len, texts))
            assert math.exp(-sum(log_p) / len(log_p)) == pytest.approx(judged["value"])
            assert sum(sum(s["oov"]) for s in judged["sentences"]) == judged["oov"]
            orders = [s["order"] for s in judged["sentences"]]
            has_order = question == "P(y)"
            assert all((order is not None) == has_order for order in orders)
            split = {"oov", "position", *(["order"] if has_order else [])}
            assert set(judged["splits"]) == split
            assert "differs from the text that models/" in judged["no_frequency"]
            assert 0 < judged["bits_per_character"] < 20


def test_tokens_of_hostile_text_are_escaped(project: Path, tmp_path: Path) -> None:
    for name, line in (
        ("h.en", "A \x1b[31mred\x07 one."),
        ("h.de", "Ein \x1b]0;x\x07 [b]rot[/b]es."),
    ):
        (tmp_path / name).write_text(line + "\n", encoding="utf-8")
    (tmp_path / "models").symlink_to(project / "models")
    named = ("models/smt", "models/nmt")
    done = mtkit("perplexity", *named, "--tokens", "--test", "h.en", "h.de", cwd=tmp_path)
    text = done.stdout.decode()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f]", text)
    assert text.count("<U+001B>") == 2  # once per side: both models have one target
    assert list(dict.fromkeys(re.findall(r"^P\(.*?\) +\S+", text, re.MULTILINE))) == [
        "P(y)    models/smt", "P(y|x)  models/smt", "P(y|x)  models/nmt", "P(x|y)  models/smt",
    ]  # fmt: skip


def test_perplexity_by_frequency_in_the_training_text(project: Path) -> None:
    options = ("train-smt", "--train", "train.en", "train.de", "--tune", "none", "--out", "counted")
    mtkit(*options, "-q", cwd=project)
    call = ("perplexity", "counted", "--test", "test.en", "test.de")
    [of] = json.loads(mtkit(*call, "--json", cwd=project).stdout).values()
    for judged in of.values():
        assert judged["no_frequency"] == ""
        first = judged["splits"]["frequency"][0]
        assert (first["label"], first["tokens"]) == ("0", judged["oov"])
    assert "by frequency of the word" in mtkit(*call, cwd=project).stdout.decode()
    train = project / "train.de"
    (project / "moved").write_bytes(train.read_bytes())
    train.unlink()
    said = mtkit(*call, cwd=project).stdout.decode()
    (project / "moved").rename(train)
    assert "by frequency of the word" not in said
    assert re.search(r"counted: no split by frequency: \S+train\.de: no such file\.\n", said)


def test_perplexity_as_a_page(project: Path) -> None:
    test = ("--test", "test.en", "test.de")
    done = mtkit("perplexity", *test, "--json", "--html", "p.html", cwd=project)
    assert done.stderr.decode().splitlines()[-1] == f"report: {project}/p.html"
    page = (project / "p.html").read_text("utf-8")
    found = json.loads(done.stdout)
    p = found["models/smt"]["P(y)"]
    figures = f"models/smt {p['value']:,.1f} ({p['bits_per_character']:.2f} bits per character)"
    assert f"without the source: perplexity of {figures}." in page
    rows = len(found["models/smt"]) + len(found["models/nmt"])
    assert page.count('<div class="surprise">') == rows * 30
    bits = [-log_p / math.log(2) for log_p in p["sentences"][0]["log_p"]]
    first = page.split('<div class="surprise">')[1].split("</div>")[0]
    shown = re.findall(r"<small>([\d,.]+)\*? n(\d)</small>", first)
    assert [float(b.replace(",", "")) for b, _ in shown] == pytest.approx(bits, abs=0.051)
    assert [int(n) for _, n in shown] == p["sentences"][0]["order"]
