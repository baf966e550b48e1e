from __future__ import annotations

import errno
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from mtkit import load, models
from mtkit.errors import InputError, LossError
from mtkit.manifest import MANIFEST, Manifest, check_intact
from mtkit.models import check_out, load_word_models, newest_model, output_directories
from mtkit.storage import writing
from mtkit.storage.writing import replacing
from mtkit.text.corpus import Bitext, Corpus
from mtkit.text.tokenizer import WordTokenizer
from tests.support.command import mtkit


def manifest(kind: str = "smt", **changes: object) -> Manifest:
    return Manifest(kind, ("en", "de"), {}, {"kind": "words"}, {}, **changes)


def test_a_manifest_survives_writing(tmp_path: Path) -> None:
    manifest(figures={"x": [1.5]}).write(tmp_path)
    read = Manifest.read(tmp_path)
    assert replace(read, seal="") == manifest(figures={"x": [1.5]})
    assert read.mismatches(tmp_path) == {}


def test_invalid_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such model"):
        load(tmp_path / "none")
    with pytest.raises(InputError, match="not a model directory"):
        load(tmp_path)
    (tmp_path / MANIFEST).write_text("[]", encoding="utf-8")
    with pytest.raises(InputError, match=r"manifest.json: damaged: a list instead of a dict"):
        load(tmp_path)
    manifest("oracle").write(tmp_path)
    with pytest.raises(InputError, match="unknown kind 'oracle'"):
        load(tmp_path)
    for older in (0, "x", None):
        manifest(format=older).write(tmp_path)
        with pytest.raises(
            InputError, match=f"json: manifest format {older}; this mtkit reads 1; train"
        ):
            load(tmp_path)


@pytest.mark.parametrize("number", [2, 9, 10**15])
def test_a_model_of_a_newer_mtkit_asks_for_an_update(number: int, tmp_path: Path) -> None:
    """Regardless of the rest of the manifest and of other files."""
    newer = {"format": number, "kind": ["a", "b"], "names": {"source": "en"}}
    (tmp_path / MANIFEST).write_text(json.dumps(newer), encoding="utf-8")
    message = (
        rf"manifest\.json: written by a newer mtkit \(manifest format {number}; this version reads "
        r"up to 1\); update mtkit$"
    )
    for reader in (load, Manifest.read, load_word_models, check_intact):
        with pytest.raises(InputError, match=message):
            reader(tmp_path)
    for command in (["info"], ["translate", "--model"], ["align", "--model"]):
        refused = mtkit(*command, tmp_path, cwd=tmp_path, check=2)
        assert re.search(message.encode(), refused.stderr.strip())


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failed_replacement_leaves_only_the_old_model(
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


def test_force_replaces_only_a_model_directory(tmp_path: Path) -> None:
    assert check_out(None, "smt-en-de", force=False) == Path("models/smt-en-de")
    assert check_out(tmp_path / "new", "smt", force=False) == tmp_path / "new"
    (tmp_path / "thesis.tex").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="add --force"):
        check_out(tmp_path, "smt", force=False)
    with pytest.raises(InputError, match="not a model directory"):
        check_out(tmp_path, "smt", force=True)
    manifest().write(tmp_path)
    assert check_out(tmp_path, "smt", force=True) == tmp_path


def test_unusable_outputs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    default = models.MODELS / "smt"
    default.mkdir(parents=True)
    assert check_out(None, "smt", force=False) == default
    (default / "thesis.tex").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="models/smt exists and is not a model directory"):
        check_out(None, "smt", force=False)
    manifest().write(tmp_path)
    with pytest.raises(InputError, match="is the current directory; name another --out"):
        check_out(tmp_path, "smt", force=True)
    with pytest.raises(InputError, match=r"thesis\.tex/m: cannot write to"):
        check_out(default / "thesis.tex/m", "smt", force=False)


def test_model_names_have_kind_pair_and_seed(
    few: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert output_directories(None, "smt", few, force=False) == [Path("models/smt-en-de")]
    british = replace(few, pair=("en-GB", "de"))
    assert output_directories(None, "nmt", british, force=False, seeds=2) == [
        Path("models/nmt-en-GB-de-1"),
        Path("models/nmt-en-GB-de-2"),
    ]
    assert output_directories("mine", "nmt", few, force=False, seeds=2) == [
        Path("mine-1"),
        Path("mine-2"),
    ]
    (tmp_path / "mine-2").mkdir()
    with pytest.raises(InputError, match=r"^mine-2 exists; name another --out"):
        output_directories("mine", "nmt", few, force=False, seeds=2)


def test_only_a_model_of_the_same_corpus_is_replaced_without_force(
    few: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words, place = WordTokenizer(), Path("models/smt-en-de")
    place.mkdir(parents=True)
    old = Manifest.of("smt", few, words, {})
    old.write(place)
    train = few.train
    grown = Bitext([*train.source, "One more."], [*train.target, "Noch einer."], train.paths)
    copied = replace(train, paths=(Path("copy.en"), Path("copy.de")))
    for same in (train, grown, copied):
        assert output_directories(None, "smt", replace(few, train=same), force=False) == [place]
    other = replace(few, train=replace(grown, paths=copied.paths))
    message = r"^models/smt-en-de holds a model trained on few \(400 pairs\); add --force to "
    with pytest.raises(LossError, match=message):
        output_directories(None, "smt", other, force=False)
    assert output_directories(None, "smt", other, force=True) == [place]
    for strange, said in (
        (replace(old, kind="nmt"), r"holds a model trained on few \(400 pairs\); "),
        (replace(old, languages=("de", "en")), r"holds a model trained on few \(400 pairs\); "),
        (replace(old, corpus={}, config={"imported": "/m/moses.ini"}), "from /m/moses.ini; "),
        (replace(old, format=99), "holds a model that this mtkit cannot read; "),
    ):
        strange.write(place)
        with pytest.raises(LossError, match=said):
            output_directories(None, "smt", few, force=False)
    for k in (1, 3):
        numbered = Path(f"models/nmt-en-de-{k}")
        numbered.mkdir()
        replace(old, kind="nmt").write(numbered)
    with pytest.raises(
        LossError, match=r"-1 holds a model trained on few .*, models/nmt-en-de-3 holds"
    ):
        output_directories(None, "nmt", other, force=False, seeds=3)


def test_a_link_to_a_model_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    link.symlink_to(real)
    for word in ("old", "new"):
        with replacing(link) as directory:
            (directory / "a").write_text(word, encoding="utf-8")
    assert link.is_symlink()
    assert (real / "a").read_text(encoding="utf-8") == "new"


def test_an_interrupt_between_renames_restores_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "m"
    with replacing(out) as directory:
        (directory / "a").write_text("old", encoding="utf-8")
    rename, calls = Path.replace, []

    def unable(one: Path, other: Path) -> None:
        raise OSError(errno.ENOSYS, "no exchange here")

    def interrupted(path: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(writing, "rename_exchange", unable)
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
