"""``mtkit corpus list`` and ``get``, and ``--corpus`` with a fetched corpus."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from mtkit.text.corpus import Bitext, open_corpus
from tests.support.command import mtkit
from tests.support.paths import MULTI30K, needs_shared
from tests.support.server import Site, cut, site

__all__ = ["site"]

CATALOG = """
[mine-fr-en]
title = "Mine, French–English"
languages = ["fr", "en"]
pairs = 6
download = 300
unpacked = 400
licence = "CC0 1.0"
citation = "me (2026), Mine"
homepage = "https://example.org"
note = "made for a test"
address = "ADDRESS/"
train = ["a.fr.gz", "a.en"]
test = ["b.fr", "b.en"]
"""


@pytest.fixture
def where(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a catalog of one corpus, which the server has."""
    text = CATALOG.replace("ADDRESS", site.address)
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("MTKIT_CATALOG", str(tmp_path / "mine.toml"))
    monkeypatch.setenv("MTKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "80")
    lines = [f"{number} hommes ." for number in ("un", "deux", "trois", "quatre", "cinq")]
    site.files = {
        "/a.fr.gz": gzip.compress("\n".join(lines).encode()),
        "/a.en": b"one men .\ntwo men .\nthree men .\nfour men .\nfive men .\n",
        "/b.fr": b"deux\n", "/b.en": b"two\n",
    }  # fmt: skip
    return tmp_path


def test_a_corpus_is_fetched_listed_and_used_by_its_name(where: Path, site: Site) -> None:
    place = where / "cache" / "corpora" / "mine-fr-en"
    used = f"corpus: {place} (train 5, test 1 pairs); use it with --corpus mine-fr-en"
    done = mtkit("corpus", "get", "mine-fr-en", cwd=where)
    assert done.stdout == b""
    assert done.stderr.decode() == (
        "Mine, French–English (fr → en), about 6 pairs\n"
        "  licence   CC0 1.0\n"
        "  citation  me (2026), Mine\n"
        "  source    https://example.org\n"
        "  splits    official: train, test\n"
        "  disk      0.0 MB download, 0.0 MB unpacked, 0.0 MB while fetching\n"
        "  note      made for a test\n"
        "  warning: this address was never tested; sizes are estimates\n"
        f"{used}\n"
    )
    asked = len(site.seen)
    again = mtkit("corpus", "get", "mine-fr-en", cwd=where).stderr.decode()
    assert again == f"{used} (already fetched; --force fetches it again)\n"
    assert len(site.seen) == asked
    mtkit("corpus", "get", "mine-fr-en", "--force", "--quiet", cwd=where)
    assert len(site.seen) == 2 * asked
    [row] = json.loads(mtkit("corpus", "list", "mine", "--json", cwd=where).stdout)
    assert (row["name"], row["here"], row["pairs"]) == ("mine-fr-en", str(place), 6)
    quick = ("--aligner", "ibm1", "--order", "2", "--tune", "none")
    said = mtkit("train-smt", "--corpus", "mine-fr-en", *quick, cwd=where).stderr
    assert b"model: models/smt-fr-en\n" in said


@pytest.mark.parametrize("columns", [80, 120])
def test_list_has_one_line_per_corpus(
    columns: int, where: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    mtkit("corpus", "get", "mine-fr-en", "--quiet", cwd=where)
    lines = mtkit("corpus", "list", cwd=where).stdout.decode().splitlines()
    assert max(map(len, lines)) <= columns
    rows = {line.lstrip("* ").split()[0]: line for line in lines if " → " in line}
    assert len(rows) == len(json.loads(mtkit("corpus", "list", "--json", cwd=where).stdout))
    row = "* mine-fr-en fr → en ~6 ~0.0 CC0 1.0"
    assert " ".join(rows["mine-fr-en"].split()) == row
    assert rows["multi30k-en-de"].split()[-3:] == ["CC", "BY-NC-SA", "4.0"]
    assert rows["europarl-en-cs"].split()[1:4] == ["en", "→", "cs"]


def test_a_pattern_matches_names_and_titles(where: Path) -> None:
    def names(pattern: str) -> list[str]:
        done = mtkit("corpus", "list", pattern, "--json", cwd=where)
        return [row["name"] for row in json.loads(done.stdout)]

    assert names("MULTI30K-EN-CS") == ["multi30k-en-cs"]
    assert names("multi*czech") == ["multi30k-en-cs"]
    assert names("mine") == ["mine-fr-en"]
    done = mtkit("corpus", "list", "nix", cwd=where, check=2)
    assert done.stderr == b"mtkit: no corpus matches 'nix'; `mtkit corpus list` lists all\n"


def test_a_failed_get_is_one_line(where: Path, site: Site) -> None:
    done = mtkit("corpus", "get", "nix", cwd=where, check=2)
    assert done.stderr == (
        b"mtkit: no corpus 'nix' in the catalog; `mtkit corpus list` lists all\n"
    )
    del site.files["/b.en"]
    done = mtkit("corpus", "get", "mine-fr-en", "-q", cwd=where, check=1)
    assert done.stderr.decode() == (
        f"mtkit: {site.address}/b.en: the server answers 404; use another source with --from\n"
    )
    site.files["/a.en"] = b"one\n"
    place = where / "cache" / "corpora"
    assert not place.exists()
    done = mtkit("train-smt", "--corpus", "mine-fr-en", cwd=where, check=2)
    assert b"`mtkit corpus get mine-fr-en` fetches it" in done.stderr
    assert not place.exists()


@needs_shared
def test_get_multi30k_resumes(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTKIT_CACHE", str(tmp_path / "cache"))
    names = {"train": "train", "val": "val", "test_2016_flickr": "test2016"}
    base = "/multi30k/dataset/master/data/task1/raw"
    for public, ours in names.items():
        for language in ("en", "de"):
            packed = gzip.compress((MULTI30K / f"{ours}.{language}").read_bytes(), 1, mtime=0)
            site.files[f"{base}/{public}.{language}.gz"] = packed
    site.answers[f"{base}/train.de.gz"] = [cut(100_000), lambda h: h.send_file(site.files[h.path])]
    folder = tmp_path / "empty"
    folder.mkdir()
    mtkit("corpus", "get", "multi30k-en-de", "--from", f"{site.address}{base}", cwd=folder)
    assert (f"{base}/train.de.gz", "bytes=100000-") in site.seen
    assert not list(folder.iterdir())
    corpus = open_corpus("multi30k-en-de")
    assert corpus.pair == ("en", "de")
    splits = {"train": corpus.train, "val": corpus.dev, "test2016": corpus.test}
    for name, split in splits.items():
        assert split is not None
        whole = Bitext.read(MULTI30K / f"{name}.en", MULTI30K / f"{name}.de")
        assert split.digest() == whole.digest()
        assert len(split) > 900
