from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mtkit import load, models
from mtkit.errors import InputError
from mtkit.manifest import MANIFEST, Manifest, replacing
from mtkit.models import check_out, newest_model


def manifest(kind: str = "smt", **changes: object) -> Manifest:
    return Manifest(kind, ("en", "de"), {}, {"kind": "words"}, {}, **changes)


def test_a_manifest_survives_writing(tmp_path: Path) -> None:
    manifest(figures={"x": [1.5]}).write(tmp_path)
    assert Manifest.read(tmp_path) == manifest(figures={"x": [1.5]})


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such model"):
        load(tmp_path / "none")
    with pytest.raises(InputError, match="not a model directory"):
        load(tmp_path)
    (tmp_path / MANIFEST).write_text("[]", encoding="utf-8")
    with pytest.raises(InputError, match="not a manifest"):
        load(tmp_path)
    manifest("oracle").write(tmp_path)
    with pytest.raises(InputError, match="unknown kind 'oracle'"):
        load(tmp_path)
    manifest(format=99).write(tmp_path)
    with pytest.raises(InputError, match="format 99"):
        load(tmp_path)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_broken_replacement_leaves_the_old_and_nothing_else(
    error: type[BaseException], tmp_path: Path
) -> None:
    out = tmp_path / "m"
    with replacing(out) as directory:
        (directory / "a").write_text("old", encoding="utf-8")

    def fail() -> None:
        with replacing(out) as directory:
            (directory / "a").write_text("new", encoding="utf-8")
            raise error

    with pytest.raises(error):
        fail()
    assert (out / "a").read_text(encoding="utf-8") == "old"
    assert os.listdir(tmp_path) == ["m"]  # noqa: PTH208
    with replacing(out) as directory:
        (directory / "b").write_text("new", encoding="utf-8")
    assert os.listdir(out) == ["b"]  # noqa: PTH208
    assert os.listdir(tmp_path) == ["m"]  # noqa: PTH208


def test_a_named_out_is_replaced_by_force_alone_and_only_if_a_model(tmp_path: Path) -> None:
    assert check_out(None, "smt", force=False) == Path("models/smt")
    assert check_out(tmp_path / "new", "smt", force=False) == tmp_path / "new"
    (tmp_path / "thesis.tex").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="add --force"):
        check_out(tmp_path, "smt", force=False)
    with pytest.raises(InputError, match="no model directory"):
        check_out(tmp_path, "smt", force=True)
    manifest().write(tmp_path)
    assert check_out(tmp_path, "smt", force=True) == tmp_path


def test_the_default_place_is_guarded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    default = models.MODELS / "smt"
    default.mkdir(parents=True)
    assert check_out(None, "smt", force=False) == default
    (default / "thesis.tex").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="models/smt exists and is no model directory"):
        check_out(None, "smt", force=False)
    manifest().write(tmp_path)
    with pytest.raises(InputError, match="only models are replaced"):
        check_out(tmp_path, "smt", force=True)  # the directory one stands in
    with pytest.raises(InputError, match=r"thesis\.tex/m: nothing can be written into"):
        check_out(default / "thesis.tex/m", "smt", force=False)


def test_a_link_to_a_model_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    link.symlink_to(real)
    for word in ("old", "new"):
        with replacing(link) as directory:
            (directory / "a").write_text(word, encoding="utf-8")
    assert link.is_symlink()
    assert (real / "a").read_text(encoding="utf-8") == "new"


def test_interrupted_between_the_renames_the_old_model_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "m"
    with replacing(out) as directory:
        (directory / "a").write_text("old", encoding="utf-8")
    rename, calls = Path.replace, []

    def interrupted(path: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt), replacing(out):
        pass
    assert len(calls) == 3
    assert (out / "a").read_text(encoding="utf-8") == "old"
    assert os.listdir(tmp_path) == ["m"]  # noqa: PTH208


def test_the_newest_model_is_the_last_one_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="no model under models/"):
        newest_model()
    for k, name in enumerate(["b", "a", ".scratch"]):
        directory = models.MODELS / name
        directory.mkdir(parents=True)
        manifest().write(directory)
        os.utime(directory / MANIFEST, (k, k))
    assert newest_model() == models.MODELS / "a"
    assert json.loads((newest_model() / MANIFEST).read_text("utf-8"))["kind"] == "smt"
    assert newest_model(kind="smt") == models.MODELS / "a"
    manifest("nmt").write(models.MODELS / "b")
    os.utime(models.MODELS / "b" / MANIFEST, (9, 9))
    assert newest_model(kind="smt") == models.MODELS / "a"
    assert newest_model() == newest_model(kind="nmt") == models.MODELS / "b"
    (models.MODELS / "a" / MANIFEST).unlink()
    with pytest.raises(InputError, match="no statistical model under models/"):
        newest_model(kind="smt")
