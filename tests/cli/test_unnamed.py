"""File names without languages: commands ask for --pair if they need them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mtkit import compare
from mtkit.errors import InputError
from mtkit.manifest import UND, Manifest
from mtkit.text.corpus import Corpus, open_corpus
from tests.support.command import mtkit

ENDS = {"txt": ("a.txt", "b.txt"), "none": ("Source", "Target"), "same": ("a.foo", "b.foo")}
NEEDED = "expected a file name that ends in a language, such as {}; name the languages with --pair"


@pytest.fixture
def place(few: Corpus, tmp_path: Path) -> Path:
    for names in (*ENDS.values(), ("news.en.txt", "news.de.txt")):
        for name, lines in zip(names, (few.train.source, few.train.target), strict=True):
            (tmp_path / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize(
    "command",
    [
        ["train-smt", "--train"], ["train-nmt", "--train"], ["gradients", "--train"],
        ["corpus", "split", "--out", "x"], ["corpus", "check", "--clean", "x"],
    ],
)  # fmt: skip
def test_commands_that_need_languages_ask_for_pair(
    command: list[str], ends: str, place: Path
) -> None:
    names = ENDS[ends]
    [line] = mtkit(*command, *names, cwd=place, check=2).stderr.decode().splitlines()
    example = f"{Path(names[0]).stem}.en"
    assert line == f"mtkit: {names[0]}: {NEEDED.format(example)}, as in --pair en-de"


@pytest.mark.parametrize("ends", ENDS)
def test_other_commands_need_no_languages(ends: str, place: Path) -> None:
    names = ENDS[ends]
    call = ["align", "--train", *names, "--aligner", "ibm1", "--out", "kept"]
    mtkit(*call, cwd=place)
    assert Manifest.read(place / "kept").languages == (UND, UND)
    mtkit("watch", "the", "--train", *names, cwd=place)
    mtkit("corpus", "stats", *names, cwd=place)
    mtkit("corpus", "check", *names, "--keep", "rows", cwd=place)
    assert (place / "rows").is_file()
    report = compare([f"x={place / names[1]}"], (place / names[0], place / names[1]))
    assert report.test.languages == ("", "")


def test_a_language_before_the_last_suffix_is_named(place: Path) -> None:
    with pytest.raises(InputError, match=r"news\.en\.txt: .* such as news\.en; .* --pair"):
        open_corpus(train=(place / "news.en.txt", place / "news.de.txt"))


def test_both_files_may_have_one_language(place: Path) -> None:
    """As for simplification or correction of texts."""
    for names in (("a.txt", "x.en"), ("b.txt", "y.en")):
        shutil.copy(place / names[0], place / names[1])
    assert open_corpus(train=(place / "x.en", place / "y.en")).pair == ("en", "en")


def test_an_error_for_a_directory_says_what_to_name(tmp_path: Path) -> None:
    for call in (["train-smt"], ["corpus", "check"]):
        for pair in ([], ["--pair", "en-de"]):
            refused = mtkit(*call, "--corpus", tmp_path, *pair, cwd=tmp_path, check=2)
            assert (
                b"no train.en and train.de; set the languages with --pair, or name the files "
                b"with --train"
            ) in refused.stderr


def test_compare_needs_pair_for_a_file_of_three_languages(
    smt_directory: Path, tmp_path: Path
) -> None:
    test = tmp_path / "t.tsv"
    test.write_text("en\tde\tfr\nA dog.\tEin Hund.\tUn chien.\n", encoding="utf-8")
    (tmp_path / "x").write_text("Un chien.\n", encoding="utf-8")
    call = ["compare", "x=x", "--test", test, "--json"]
    refused = mtkit(*call, cwd=tmp_path, check=2)
    assert b"holds more than two languages" in refused.stderr
    assert b"name two of them with --pair, as in --pair en-de" in refused.stderr
    assert b'"fr"' in mtkit(*call, "--pair", "en-fr", cwd=tmp_path).stdout
    model = ["compare", smt_directory, "--test", test, "--pair", "en-fr"]
    refused = mtkit(*model, cwd=tmp_path, check=2)
    assert "--pair en-fr: the systems translate en → de; remove --pair" in refused.stderr.decode()


def test_a_test_set_in_other_languages_is_refused(smt_directory: Path, tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text("nl\tfr\nEen hond.\tUn chien.\n", encoding="utf-8")
    for command in ("compare", "perplexity"):
        call = [command, smt_directory, "--test", "t.tsv"]
        refused = mtkit(*call, cwd=tmp_path, check=2).stderr.decode()
        assert "no text in en and de; found nl (1 units), fr (1 units)" in refused
        assert "choose two of these with --pair, or name another file" in refused
