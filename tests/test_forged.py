"""Malicious model directories with matching digests."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mtkit import load
from mtkit.errors import InputError
from mtkit.laboratory.files import load_laboratory
from mtkit.manifest import MANIFEST, RECORDS, Manifest
from mtkit.models import load_any
from mtkit.nmt.model import ModelConfig, Seq2Seq
from mtkit.nmt.recurrent.language_model import LanguageModel, LmConfig
from tests.support.changes import Change, put
from tests.support.command import mtkit


def forged(model: Path, where: Path, file: str, change: Change) -> Path:
    """Return a copy in which a file is changed, with digests and seal that match."""
    copy = Path(shutil.copytree(model, where / "forged"))
    path = copy / file
    if path.suffix == ".npy":
        array = np.load(path)
        np.save(path, change(array.copy()))
    elif path.suffix == ".json":
        value = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(change(value)), encoding="utf-8")
    else:
        save_file(change(load_file(path)), path)
    if file != MANIFEST:
        Manifest.read(copy).write(copy)
    return copy


def check_refused(model: Path) -> None:
    """Check that loading fails with one line, which begins with the path."""
    with pytest.raises(InputError) as caught:
        load(model)
    assert str(caught.value).startswith(str(model))
    assert "\n" not in str(caught.value)


def configured(name: str, value: Any) -> Change:
    return lambda manifest: manifest | {"config": manifest["config"] | {name: value}}


def stretched(begin: Any) -> Any:
    """Give the first phrase pair the words of the next 49, which keep none."""
    begin[1:50] = begin[50]
    return begin


ARRAYS: list[tuple[str, Change]] = [
    ("phrases/t_begin.npy", stretched),  # this once overwrote the heap
    ("phrases/t_begin.npy", put(-1, 2**40)),
    ("phrases/t_begin.npy", put(3, -1)),
    ("phrases/s_begin.npy", np.zeros_like),
    ("phrases/s_begin.npy", lambda a: a[:-1]),
    ("phrases/target.npy", put(0, 2**30)),
    ("phrases/target.npy", put(5, -1)),
    ("phrases/source.npy", put(0, 2**30)),
    ("phrases/source.npy", lambda a: np.roll(a, 1)),  # only hashes show it
    ("phrases/row.npy", lambda a: a[: len(a) // 2]),
    ("phrases/row.npy", put(2, 2**62)),
    ("phrases/key.npy", lambda a: a[::-1].copy()),
    ("phrases/key.npy", put(0, 1)),
    ("phrases/features.npy", lambda a: a[:3]),
    ("phrases/features.npy", put((0, 0), np.nan)),
    ("phrases/features.npy", put((0, 3), np.inf)),
    ("phrases/features.npy", lambda a: np.ascontiguousarray(a[:, :3])),
    ("phrases/reordering.npy", put((1, 5), -np.inf)),
    ("phrases/links.npy", put(0, 2**63)),
    ("phrases/links.npy", lambda a: a.astype(np.int64)),
    ("context/word.npy", put(0, 2**30)),
    ("context/row.npy", put(1, 2**40)),
    ("context/begin.npy", put(-1, 2**40)),
    ("context/begin.npy", lambda a: np.minimum(a, 3) * (a[-1] // 3)),
    ("lm/suffix.npy", put(-1, 2**30)),
    ("lm/suffix.npy", lambda a: np.where(np.arange(len(a)) == len(a) - 1, len(a) - 1, a)),  # a loop
    ("lm/suffix.npy", put(-1, 0)),
    ("lm/first_child.npy", put(0, 0)),
    ("lm/first_child.npy", put(-1, 2**30)),
    ("lm/first_child.npy", put(2, 2**30)),
    ("lm/word.npy", put(-1, 2**30)),
    ("lm/word.npy", lambda a: a[::-1].copy()),
    ("lm/log_prob.npy", put(4, np.nan)),
    ("lm/log_prob.npy", put(4, 1.0)),
    ("lm/backoff.npy", put(4, np.inf)),
    ("forward/t.npy", put(0, np.nan)),
    ("forward/t.npy", put(0, 2.0)),
    ("forward/column.npy", put(0, 2**30)),
    ("backward/row.npy", lambda a: a[:-1]),
]
TEXTS: list[tuple[str, Change]] = [
    ("forward/hmm.json", put("f_size", 10**400)),
    ("forward/hmm.json", put("jumps", [0.1])),
    ("forward/hmm.json", put("jumps", ["x"] * 101)),
    ("lm/lm.json", put("order", 99)),
    ("lm/lm.json", put("order", 1)),
    ("lm/lm.json", put("evil", 1)),
    ("lm/lm.json", put("words", [])),
    ("source.json", lambda words: words[:-1]),
    ("target.json", put(0, "\ud800")),
    ("target.json", put(0, ["x"])),
    ("weights.json", put("lm", 10**400)),
    (MANIFEST, configured("limits", {"stack": 0})),
    (MANIFEST, configured("limits", {"table": 10**8})),
    (MANIFEST, configured("verbatim", "no")),
    (MANIFEST, lambda m: m | {"languages": ["en"]}),
    (MANIFEST, lambda m: m | {"tokenizer": {"kind": "evil"}}),
    (MANIFEST, lambda m: m | {"corpus": {"train": [1, 2]}}),
    (MANIFEST, lambda m: m | {"digests": {"../../etc/passwd": {"bytes": 1, "blake2b": ""}}}),
]  # fmt: skip


@pytest.mark.parametrize(("file", "change"), [*ARRAYS, *TEXTS])
def test_a_forged_statistical_model_is_refused(
    file: str, change: Change, smt_directory: Path, tmp_path: Path
) -> None:
    check_refused(forged(smt_directory, tmp_path, file, change))


@pytest.mark.parametrize("target", ["", "/dev/zero"])
def test_a_model_is_made_of_files(target: str, smt_directory: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(smt_directory, tmp_path / "copy"))
    data = json.loads((copy / MANIFEST).read_text(encoding="utf-8"))
    del data["digests"], data["seal"]  # as a model of an older version
    (copy / MANIFEST).write_text(json.dumps(data), encoding="utf-8")
    (copy / "source.json").unlink()
    if target:
        (copy / "source.json").symlink_to(target)
    else:
        os.mkfifo(copy / "source.json")
    check_refused(copy)


def test_records_are_not_written_elsewhere(smt_directory: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(smt_directory, tmp_path / "copy"))
    (tmp_path / "home").mkdir()
    (copy / RECORDS).symlink_to(tmp_path / "home")
    check_refused(copy)


NETWORKS: list[tuple[str, Change]] = [
    ("weights.safetensors", lambda w: {k: v * np.float32(1e30) for k, v in w.items()}),
    ("weights.safetensors", lambda w: w | {"bias": np.full_like(w["bias"], np.nan)}),
    ("weights.safetensors", lambda w: w | {"bias": w["bias"][1:]}),
    ("weights.safetensors", lambda w: w | {"bias": w["bias"].astype(np.float64)}),
    ("weights.safetensors", lambda w: w | {"evil": w["bias"]}),
    ("weights.safetensors", lambda w: {k: v for k, v in w.items() if k != "bias"}),
    ("model.json", put("hidden", 10**9)),
    ("model.json", put("hidden", 2**20)),
    ("model.json", put("decoder_layers", 10**6)),
    ("model.json", put("decoder_layers", 0)),
    ("model.json", put("cell", "evil")),
    ("model.json", put("dropout", 2.0)),
    ("model.json", put("vocabulary", 7)),
    ("subwords.json", put("model", None)),
    ("subwords.json", lambda s: s | {"model": s["model"] | {"vocab": {}}}),
    ("subwords.json", lambda s: s | {"model": s["model"] | {"merges": [["a", "\x00"]]}}),
    ("subwords.json", lambda s: s | {"model": s["model"] | {"merges": [1]}}),
    (MANIFEST, configured("beam", 0)),
    (MANIFEST, configured("beam", -1)),
    (MANIFEST, configured("beam", 10**9)),
    (MANIFEST, configured("normalisation", float("nan"))),
]


@pytest.mark.parametrize(("file", "change"), NETWORKS)
def test_a_forged_network_is_refused(
    file: str, change: Change, nmt_directory: Path, tmp_path: Path
) -> None:
    check_refused(forged(nmt_directory, tmp_path, file, change))


COMBINED: list[tuple[str, Change]] = [
    ("parts.json", lambda parts: [1]),
    ("parts.json", put((0), {"name": 1, "paths": [], "digests": []})),
    ("parts.json", lambda parts: [parts[0] | {"digests": []}, *parts[1:]]),
    ("parts.json", lambda parts: [parts[0] | {"paths": [None]}, *parts[1:]]),
    ("parts.json", lambda parts: [parts[0] | {"paths": ["\0"]}, *parts[1:]]),
    ("parts.json", lambda parts: [parts[0] | {"paths": ["/etc"]}, *parts[1:]]),
    ("parts.json", lambda parts: [parts[0] | {"paths": ["/"]}, *parts[1:]]),  # not all is read
    ("weights.json", lambda weights: {"evil": {}}),
    ("weights.json", lambda weights: dict.fromkeys(weights, 1)),
    ("weights.json", lambda weights: {name: {"model": 10**400} for name in weights}),
]


@pytest.mark.parametrize(("file", "change"), COMBINED)
def test_a_forged_combination_is_refused(
    file: str, change: Change, combination_directory: Path, tmp_path: Path
) -> None:
    check_refused(forged(combination_directory, tmp_path, file, change))


def test_a_bad_user_file_is_no_damaged_model(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text("{", encoding="utf-8")
    done = mtkit("train-smt", "--weights", "mine.json", cwd=tmp_path, check=2)
    assert done.stderr.startswith(b"mtkit: mine.json: not JSON")
    assert b"download" not in done.stderr


def test_a_normalizer_in_subwords_is_ignored(nmt_directory: Path, tmp_path: Path) -> None:
    evil = {"type": "Replace", "pattern": {"Regex": "(a+)+$"}, "content": "evil"}
    copy = forged(nmt_directory, tmp_path, "subwords.json", put("normalizer", evil))
    line = ["A man sits here."]
    assert load(copy).translate(line)[0][0].text == load(nmt_directory).translate(line)[0][0].text


def test_a_flipped_bit_is_refused_and_named(nmt_directory: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(nmt_directory, tmp_path / "copy"))
    path = copy / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        InputError, match=r"weights\.safetensors: damaged: changed, somewhere in bytes"
    ):
        load(copy)
    done = mtkit("info", copy, "--check", cwd=tmp_path, check=2)
    assert done.stdout.decode() == f"{path}: changed, somewhere in bytes 0 to 1,048,576\n"


def test_intact_models_pass_the_check(smt_directory: Path, tmp_path: Path) -> None:
    done = mtkit("info", smt_directory, "--check", cwd=tmp_path)
    assert done.stdout.decode().endswith("files unchanged; the model loads\n")


def test_changed_weights_give_a_note(smt_directory: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(smt_directory, tmp_path / "copy"))
    weights = copy / "weights.json"
    weights.write_text(weights.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    done = mtkit("translate", "--model", copy, cwd=tmp_path, stdin=b"a\n")
    assert "weights.json has changed since it was written" in done.stderr.decode()
    mtkit("info", copy, "--check", cwd=tmp_path, check=2)


def test_without_digests_the_structure_is_checked(smt_directory: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(smt_directory, tmp_path / "copy"))
    data = json.loads((copy / MANIFEST).read_text(encoding="utf-8"))
    del data["digests"], data["seal"]
    (copy / MANIFEST).write_text(json.dumps(data), encoding="utf-8")
    load(copy)
    done = mtkit("info", copy, "--check", cwd=tmp_path)
    assert b"only its structure was checked" in done.stderr
    values = np.load(copy / "lm/suffix.npy")
    values[-1] = len(values) - 1
    np.save(copy / "lm/suffix.npy", values)
    with pytest.raises(InputError, match=r"suffix\.npy: damaged"):
        load(copy)


def test_broken_models_are_skipped(smt_directory: Path, tmp_path: Path) -> None:
    shutil.copytree(smt_directory, tmp_path / "models" / "whole")
    for name, text in (("broken", "{"), ("empty", "")):
        (tmp_path / "models" / name).mkdir()
        (tmp_path / "models" / name / MANIFEST).write_text(text, encoding="utf-8")
    done = mtkit("translate", cwd=tmp_path, stdin=b"a\n")
    assert "model: models/whole" in done.stderr.decode()
    assert done.stderr.count(b"skipped: models/") >= 2
    assert b"whole" in mtkit("info", cwd=tmp_path).stdout


def test_a_forged_laboratory_is_refused(tmp_path: Path) -> None:
    manifest = Manifest("laboratory", ("en", "de"), {}, {"kind": "words"}, {})
    for models in ([["../x"]], [[]], [], [[1]], [["/etc"]]):
        config = {"hidden": 8, "updates": 2, "models": models}
        replace(manifest, config=config).write(tmp_path)
        with pytest.raises(InputError, match="damaged"):
            load_laboratory(tmp_path)
        with pytest.raises(InputError, match="damaged"):
            load_any(tmp_path)


def test_shapes_that_no_network_can_have_are_refused() -> None:
    with pytest.raises(ValueError, match="hidden is 9, not even"):
        Seq2Seq(ModelConfig(vocabulary=20, hidden=9))
    for forged in (LmConfig(20, layers=2, norm=True), LmConfig(20, layers=2, residual="time")):
        with pytest.raises(ValueError, match="need one layer"):
            LanguageModel(forged)


def test_model_files_have_the_mode_of_any_new_file(nmt_directory: Path, tmp_path: Path) -> None:
    modes = {path.stat().st_mode for path in nmt_directory.iterdir() if path.is_file()}
    (tmp_path / "new").touch()
    assert modes == {(tmp_path / "new").stat().st_mode}
