"""``mtkit train-nmt``: several seeds, training further, ensembles."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.support.command import mtkit


def test_seeds_give_several_models_which_translate_together(
    project: Path, tmp_path: Path, tiny: None
) -> None:
    """One after another, interrupted and gone on with; then an ensemble, and training further."""
    options = ["--preset", "quick", "--updates", "8", "--bpe-dropout", "0.1"]
    text = ["--train", project / "train.en", project / "train.de"]
    call = ["train-nmt", *text, *options, "--seeds", 2, "--out", "m"]
    done = mtkit(*call, cwd=tmp_path)
    said = done.stderr.decode()
    assert re.search(r"dev bleu of 2 seeds: mean [\d.]+, standard deviation [\d.]+ \(", said)
    first = (tmp_path / "m-1/weights.safetensors").read_bytes()
    second = (tmp_path / "m-2/weights.safetensors").read_bytes()
    assert first != second
    (tmp_path / "m-2").rename(tmp_path / "old")
    said = mtkit(*call, "--resume", cwd=tmp_path).stderr.decode()
    assert "seed 1: m-1, done already" in said
    assert (tmp_path / "m-2/weights.safetensors").read_bytes() == second
    mtkit(*call, cwd=tmp_path, check=2)  # m-1 exists
    refused = mtkit(*call, "--resume", "--minutes", 1, cwd=tmp_path, check=2)
    assert b"m-1 was trained with minutes 2.5, not 1" in refused.stderr
    refused = mtkit(*call, "--resume", "--clip", 2, cwd=tmp_path, check=2)
    assert b"m-1 was trained with clip 1.0, not 2.0" in refused.stderr

    both = mtkit(
        *("translate", "--model", "m-1", "--model", "m-2", "--json"), cwd=tmp_path, stdin=b"Hi.\n"
    )
    each = [
        mtkit("translate", "--model", m, "--json", cwd=tmp_path, stdin=b"Hi.\n").stdout
        for m in ("m-1", "m-2")
    ]
    assert json.loads(both.stdout)["score"] not in [json.loads(line)["score"] for line in each]
    refused = mtkit(
        "translate", "--model", "m-1", "--model", project / "models/smt", cwd=tmp_path, check=2
    )
    assert b"only a neural translator can join an ensemble" in refused.stderr

    (tmp_path / "m-2/log.jsonl").write_text('{"update": 4\n')
    text_of = ["--test", project / "test.en", project / "test.de"]
    refused = mtkit("compare", "m-1", "m-2", *text_of, cwd=tmp_path, check=2)
    assert b"m-2/log.jsonl: not a log of training; remove it, or train again" in refused.stderr

    further = ["train-nmt", *text, "--preset", "quick", "--updates", 4, "--out", "further"]
    mtkit(*further, "--from", "m-1", cwd=tmp_path)
    shapes = [(tmp_path / m / "subwords.json").read_bytes() for m in ("m-1", "further")]
    assert shapes[0] == shapes[1]
    for wrong, message in (
        (["--from", project / "models/smt"], "only a neural translator can be trained further"),
        (["--from", "m-1", "--lowercase"], "has other tokens"),
        (["--from", "m-1", "--cell", "gru"], "--from keeps a model's shape"),
        (["--from", "m-1", "--train", *text[:0:-1]], "but the text is de → en"),
        (["--device", "cuda"], "--device cuda: torch finds no GPU here"),
    ):
        refused = mtkit(*further[:-1], "other", *wrong, cwd=tmp_path, check=2)
        assert message in refused.stderr.decode()
