from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from sacrebleu.dataset import DATASETS

from mtkit.errors import InputError
from mtkit.text.catalog import (
    CATALOG,
    PROVENANCE,
    Provenance,
    cache_directory,
    corpora_directory,
    fetched,
    read_catalog,
    read_entries,
)
from mtkit.text.corpus import find_corpus, open_corpus
from mtkit.text.fetch import sources_of

GOOD = """
[mine]
title = "Mine"
languages = ["en", "de"]
pairs = 3
download = 100
unpacked = 200
licence = "CC0"
citation = "me"
homepage = "https://example.org"
address = "https://example.org/"
train = ["train.en", "train.de"]
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MTKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MTKIT_CATALOG", raising=False)
    return tmp_path / "cache"


def written(where: Path, text: str) -> Path:
    path = where / "catalog.toml"
    path.write_text(text, encoding="utf-8")
    return path


# --- the built-in catalog


def test_the_catalog_has_the_common_corpora() -> None:
    entries = read_catalog()
    families = {name.rsplit("-", 2)[0] for name in entries}
    assert {"multi30k-en-de", "multi30k-en-fr", "multi30k-en-cs"} <= set(entries)
    assert {"tatoeba", "comtrans", "wmt14", "europarl", "news-commentary", "kde4"} <= families
    assert {"opensubtitles", "ted2020", "jrc-acquis", "bible-uedin"} <= families
    for name, entry in entries.items():
        assert name.endswith(f"-{entry.languages[0]}-{entry.languages[1]}"), name
        assert entry.splits(), name
        assert entry.homepage.startswith("https://"), name
        assert len(entry.licence) <= 15, "it has one line of a table of 80 columns"


def test_every_address_is_https() -> None:
    for name, entry in read_catalog().items():
        for source in sources_of(entry).values():
            assert source.address.startswith("https://"), name
            assert source.md5 or not entry.sacrebleu
        assert not entry.sacrebleu or entry.sacrebleu in DATASETS


def test_verified_entries_have_checksums() -> None:
    for name, table in tomllib.loads((corpora_directory() / CATALOG).read_text("utf-8")).items():
        assert not table["verified"] or set(table["sha256"]) == set(read_catalog()[name].files())


def test_multi30k_has_its_official_address() -> None:
    base = "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw"
    splits = ("train", "val", "test_2016_flickr")
    files = [f"{split}.{language}.gz" for split in splits for language in ("en", "de")]
    sources = sources_of(read_catalog()["multi30k-en-de"])
    assert {name: source.address for name, source in sources.items()} == {
        name: f"{base}/{name}" for name in files
    }


def test_opus_file_names_sort_the_languages() -> None:
    entry = read_catalog()["europarl-en-de"]
    [source] = sources_of(entry).values()
    assert source.address == "https://object.pouta.csc.fi/OPUS-Europarl/v8/moses/de-en.txt.zip"
    assert entry.all == ["de-en.txt.zip!Europarl.de-en.en", "de-en.txt.zip!Europarl.de-en.de"]


# --- user catalogs


def test_user_catalogs_have_priority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = GOOD + GOOD.replace("[mine]", "[multi30k-en-de]")
    monkeypatch.setenv("MTKIT_CATALOG", str(written(tmp_path, text)))
    entries = read_catalog()
    assert list(entries)[:2] == ["mine", "multi30k-en-de"]
    assert entries["multi30k-en-de"].title == "Mine"
    assert "europarl-en-de" in entries


WRONG = {
    "not-toml": ("= [", "= = [", "not TOML: Invalid value (at line 4"),
    "name": ("[mine]", '["../mine"]', "[../mine]: a name may contain only lower-case"),
    "no-table": ("[mine]", "x = 3\n[mine]", "[x]: a int instead of an object"),
    "unknown": ("pairs", "lines", "[mine]: 'lines' is not a known field"),
    "lacking": ('licence = "CC0"', "", "[mine]: 'licence' is missing"),
    "type": ("pairs = 3", 'pairs = "3"', "[mine]: pairs is 3"),
    "none": ("pairs = 3", "pairs = 0", "[mine]: pairs, download and unpacked must be above 0"),
    "language": ('"de"]\np', '"d"]\np', "[mine]: languages: expected two codes"),
    "same": ('"de"]\np', '"en"]\np', "[mine]: languages: expected two codes"),
    "no-text": ("train =", "all =", "[mine]: all needs held_out = {dev = N, test = N, seed = N}"),
    "one": (', "train.de"', "", "[mine]: train: expected 2 names of texts"),
    "number": (', "train.de"', ", 3", "[mine]: train: expected 2 names of texts"),
    "both": ("train =", 'sacrebleu = "wmt14"\ntrain =', "[mine]: expected either texts"),
    "neither": ('train = ["train.en", "train.de"]', "", "[mine]: expected either texts"),
    "address": ("example.org/", "example.org", "[mine]: address must be that of the directory"),
    "path": ("train.de", "../train.de", "[mine]: ../train.de: a file name must not contain '/'"),
    "other-file": ("train =", 'sha256 = {x = "0"}\ntrain =', "[mine]: sha256 or bytes names x"),
    "no-sum": ("train =", "sha256 = {x = 0}\ntrain =", "[mine]: sha256: expected str values"),
    "layout": ("train =", 'layout = "x"\ntrain =', "[mine]: layout is x"),
    "seed": (
        "train =",
        "held_out = {dev = 1, test = 1, seed = -1}\nall =",
        "[mine]: held_out has a number below 0",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_catalog_errors_name_the_entry(case: str, tmp_path: Path) -> None:
    old, new, message = WRONG[case]
    assert GOOD.count(old) >= 1
    path = written(tmp_path, GOOD.replace(old, new))
    with pytest.raises(InputError) as raised:
        read_entries(path)
    assert str(raised.value).startswith(f"{path}: {message}")
    assert "\n" not in str(raised.value)


def test_a_missing_catalog_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTKIT_CATALOG", "none.toml")
    with pytest.raises(InputError, match=r"^none\.toml: no such file; correct .* MTKIT_CATALOG"):
        read_catalog()


# --- the cache


def test_the_environment_sets_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("MTKIT_CACHE", "/mine")
    assert cache_directory() == Path("/mine")
    monkeypatch.delenv("MTKIT_CACHE")
    assert cache_directory() == Path("/x/mtkit")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_directory() == Path("/home/me/.cache/mtkit")


def here(cache: Path, name: str, **texts: str) -> Path:
    """Write a fetched corpus, French to English, with these texts."""
    directory = cache / "corpora" / name
    directory.mkdir(parents=True)
    origin = Provenance(name, "T", ["fr", "en"], "CC0", "me", "h", {}, {"train": 2}, "official")
    (directory / PROVENANCE).write_text(json.dumps(origin.as_dict()), encoding="utf-8")
    for file, text in texts.items():
        (directory / file.replace("_", ".")).write_text(text, encoding="utf-8")
    return directory


def test_a_fetched_corpus_is_opened_by_name_in_its_languages(cache: Path) -> None:
    directory = here(cache, "mine", train_fr="un\ndeux\n", train_en="one\ntwo\n")
    assert fetched() == {"mine": directory}
    assert find_corpus("mine") == directory
    corpus = open_corpus("mine")
    assert (corpus.name, corpus.pair) == ("mine", ("fr", "en"))
    assert corpus.train.pairs() == [("un", "one"), ("deux", "two")]
    assert open_corpus(str(directory)).pair == ("fr", "en")
    assert open_corpus("mine", "en-fr").train.pairs() == [("one", "un"), ("two", "deux")]


def test_training_on_a_test_set_fails(cache: Path) -> None:
    directory = here(cache, "wmt", test_fr="un\n", test_en="one\n")
    with pytest.raises(InputError) as raised:
        open_corpus("wmt")
    assert str(raised.value).endswith(
        "a test set without training text; "
        f"name it as --test {directory / 'test.fr'} {directory / 'test.en'}"
    )


def test_errors_distinguish_unknown_and_unfetched_corpora(cache: Path) -> None:
    here(cache, "mine")
    names = "everyday, textbook, mine"
    known = f"; corpora on this machine: {names}; `mtkit corpus"
    for name, step in (("nix", "list` shows"), ("wmt14-en-de", "get wmt14-en-de` fetches it")):
        with pytest.raises(InputError) as raised:
            find_corpus(name)
        assert str(raised.value).startswith(f"no directory or corpus '{name}'{known} {step}")


def test_a_damaged_provenance_is_refused(cache: Path) -> None:
    directory = here(cache, "mine", train_fr="un\n", train_en="one\n")
    for text in ("{", "[]", "{}", '{"name": 3}'):
        (directory / PROVENANCE).write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=r"corpus\.json: "):
            open_corpus("mine")
