"""Bilingual files on the command line: one file name instead of two."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mtkit.cli import complete
from mtkit.manifest import Manifest, model_files, training_text
from mtkit.text.corpus import Bitext, open_corpus
from tests.support.bilingual import WRITERS, write
from tests.support.command import mtkit

QUICK = ("--order", 3, "--tune", "none", "--aligner", "ibm1", "--quiet")
FORMATS = {**dict.fromkeys(WRITERS), "t.tmx.xz": None, "pairs": "tsv"}  # name → --format


@pytest.mark.parametrize(
    ("call", "complete_call"),
    [
        ("x --train a.tmx", "x --train a.tmx a.tmx"),
        ("x --train a.tmx --dev b.po -q", "x --train a.tmx a.tmx --dev b.po b.po -q"),
        ("x --train a.en a.de --test c.tsv", "x --train a.en a.de --test c.tsv c.tsv"),
        ("x --train=a.tmx --format tmx", "x --train=a.tmx a.tmx --format tmx"),
        ("x --train=a.en a.de", "x --train=a.en a.de"),
        ("x --train", "x --train"),
        ("x --train --dev a b", "x --train --dev a b"),
        ("x --test a -- b", "x --test a a -- b"),
        ("x --html a -- --test b", "x --html a -- --test b"),
        ("x --test a.tmx models/m b=c.de", "x --test a.tmx a.tmx models/m b=c.de"),
        ("x --test a.en models/m", "x --test a.en models/m"),
        ("", ""),
    ],
)
def test_a_single_file_name_is_doubled(call: str, complete_call: str) -> None:
    assert complete(call.split()) == complete_call.split()


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train, dev and test sets, each in two plain files and in every format."""
    place, corpus = tmp_path_factory.mktemp("formats"), open_corpus()
    texts = {"train": corpus.train.pairs()[:150]}
    for split, text in (("dev", corpus.dev), ("test", corpus.test)):
        assert text is not None
        texts[split] = text.pairs()[:10]
    for split, pairs in texts.items():
        for k, language in enumerate(("en", "de")):
            lines = "".join(f"{pair[k]}\n" for pair in pairs)
            (place / f"{split}.{language}").write_text(lines, encoding="utf-8")
        for name, known in FORMATS.items():
            format_name = f"t.{known}" if known else name.removesuffix(".xz")
            write(place / f"{split}-{name}", pairs, format_name)
    return place


def train(where: Path, out: str, *suffixes: str, options: tuple[object, ...] = ()) -> Path:
    """Train a model on files ``train…``, ``dev…``, ``test…`` with these suffixes."""
    words = [
        w for s in ("train", "dev", "test") for w in (f"--{s}", *(f"{s}{e}" for e in suffixes))
    ]
    mtkit("train-smt", *words, *options, *QUICK, "--out", out, cwd=where)
    return where / out


def content(model: Path) -> dict[str, bytes]:
    """Return the files of a model except the manifest."""
    files = {str(path.relative_to(model)): path.read_bytes() for path in model_files(model)}
    return {name: data for name, data in files.items() if name != "manifest.json"}


@pytest.fixture(scope="module")
def plain(where: Path) -> Path:
    return train(where, "plain", ".en", ".de")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_trains_the_same_model(name: str, where: Path, plain: Path) -> None:
    known = FORMATS[name]
    model = train(where, f"of-{name}", f"-{name}", options=("--format", known) if known else ())
    assert content(model) == content(plain)
    manifest, as_plain = Manifest.read(model), Manifest.read(plain)
    assert manifest.languages == as_plain.languages == ("en", "de")
    assert manifest.corpus["digest"] == as_plain.corpus["digest"]
    assert manifest.corpus["train"] == [str((where / f"train-{name}").resolve())] * 2
    text = training_text(model)  # reads the files that the manifest names
    assert text.pairs() == Bitext.read(where / "train.en", where / "train.de").pairs()
    said = mtkit("compare", model, "--json", "--examples", 0, cwd=where).stdout
    [system] = json.loads(said)["systems"]
    [expected] = json.loads(mtkit("compare", plain, "--json", "--examples", 0, cwd=where).stdout)[
        "systems"
    ]
    assert system["metrics"] == expected["metrics"]
    assert system["perplexity"] == expected["perplexity"]


def test_all_commands_read_bilingual_files(where: Path, plain: Path) -> None:
    pairs = "train-t.tmx", "train.en", "train.de"
    one, two = (
        mtkit("align", "--train", *files, "--aligner", "ibm1", cwd=where).stdout
        for files in (pairs[:1], pairs[1:])
    )
    assert one == two
    one, two = (
        mtkit("perplexity", plain, "--json", "--test", *files, cwd=where).stdout
        for files in (("test-t.po",), ("test.en", "test.de"))
    )
    assert one == two
    calls = (("--test", "test-pairs", "--format", "tsv"), ("--test", "test.en", "test.de"))
    for kind in ([plain], ["x=test.de"]):
        one, two = (
            json.loads(mtkit("compare", *kind, "--json", *files, cwd=where).stdout)["systems"][0]
            for files in calls
        )
        assert one["metrics"] == two["metrics"]
    one, two = (
        mtkit("watch", "the", "--json", "--train", *files, cwd=where).stdout
        for files in (pairs[:1], pairs[1:])
    )
    assert one == two


def test_the_repeat_command_names_a_bilingual_file_once(where: Path, tiny: None) -> None:
    call = ("--train", "train-t.tmx", "--dev", "dev.en", "dev.de", "--updates", 2)
    done = mtkit("train-nmt", *call, "--preset", "quick", "--out", "nmt", cwd=where)
    assert "--train train-t.tmx --dev dev.en dev.de --preset" in done.stderr.decode()


def test_a_model_may_follow_one_test_file(where: Path, plain: Path) -> None:
    call = ("compare", "--json", "--test", "test-t.tmx", plain)
    assert mtkit(*call, cwd=where).stdout == mtkit(*call[:2], plain, *call[2:4], cwd=where).stdout
    for other in ("test.de", "test-t.po"):
        done = mtkit("compare", plain, "--test", "test-t.tmx", other, cwd=where, check=2)
        assert b"mtkit: test-t.tmx: line 1: this is XML; expected two files" in done.stderr


def test_two_bilingual_files_fail(where: Path) -> None:
    for command in ("train-smt", "align"):
        done = mtkit(command, "--train", "train-t.tmx", "train-t.po", cwd=where, check=2)
        expected = b"mtkit: train-t.tmx holds both languages; name it alone: --train train-t.tmx\n"
        assert done.stderr == expected


def test_combine_tunes_on_a_bilingual_file(where: Path, plain: Path) -> None:
    """The manifest says how to read it again."""
    lists = mtkit(
        "translate",
        "--model",
        plain,
        "--n-best",
        3,
        cwd=where,
        stdin=(where / "dev.en").read_bytes(),
    )
    (where / "dev.nbest").write_bytes(lists.stdout)
    call = ("combine", plain, "other=dev.nbest", "--dev", "dev-pairs", "--format", "tsv", "--out")
    mtkit(*call, "both", cwd=where)
    text = Manifest.read(where / "both").text("dev")
    assert text is not None
    assert text.pairs() == Bitext.read(where / "dev.en", where / "dev.de").pairs()


HINTS = {
    "a.en": ("a\tb\nc\td\n", "a table with TABs (TSV)", "--train a.en --format tsv"),
    "b.en": ('{"en": "a"}\n{"en": "b"}\n', "JSON", "--train b.en --format jsonl"),
    "c.en": ("<?xml?>\n<tmx>\n", "XML", "--train c.en --format tmx"),
    "d.en": ('<?xml?>\n<xliff version="1.2">\n', "XML", "--train d.en --format xliff"),
    "e.tsv": ("a\n", "a table with TABs (TSV)", "--train e.tsv"),
    "f.en": ("<html>\n", "XML", ""),
    "g.en": ('"a","b"\n"c","d"\n', "a table with commas (CSV)", ""),
}


@pytest.mark.parametrize("name", HINTS)
def test_errors_say_how_to_name_a_bilingual_file(name: str, tmp_path: Path) -> None:
    text, kind, how = HINTS[name]
    (tmp_path / name).write_text(text)
    (tmp_path / "x.de").write_text("a\n")
    call = ("align", "--pair", "en-de", "--train", name, "x.de")
    message = f"mtkit: {name}: line 1: this is {kind}; expected two files of plain text with one "
    message += "sentence per line" + (f"; or name only this file, as in {how}" if how else "")
    assert mtkit(*call, cwd=tmp_path, check=2).stderr.decode() == f"{message}\n"
