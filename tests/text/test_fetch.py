"""Corpora are fetched from a server or a local path into the cache, completely or not at all."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import shutil
import tarfile
import zipfile
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest
from sacrebleu.dataset import DATASETS

from mtkit.errors import InputError, WorkError
from mtkit.storage.download import Patience, Source
from mtkit.text.catalog import Entry, Provenance, corpus_directory, read_catalog
from mtkit.text.fetch import _file_name, fetch
from mtkit.text.lines import read_lines
from tests.support.server import Site, cut, site, stall, status

__all__ = ["site"]

QUICK = Patience(timeout=0.3, tries=2, pause=0)
NAMES = [a + b for a in "abcdefgh" for b in "abcdefgh"]  # near duplicates differ only in numbers
SOURCE = [f"sentence {name}" for name in NAMES[:60]] + ["twice", "Twice", "", "once"]
TARGET = [f"Satz {name}" for name in NAMES[:60]] + [
    "zweimal",
    "doppelt",
    "leer",
    f"Satz {NAMES[3]}",
]
TEXTS = {"T.de-en.en": SOURCE, "T.de-en.de": TARGET, "LICENSE": ["free"]}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MTKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def as_text(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def zipped(texts: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in texts.items():
            file.writestr(name, data)
    return buffer.getvalue()


def tarred(texts: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as file:
        for name, data in texts.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            file.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


MOSES = zipped({name: as_text(lines) for name, lines in TEXTS.items()})


def entry(site: Site | None = None, **changes: object) -> Entry:
    """Return an entry like OPUS's: a zip with two sides, without splits."""
    if site:
        site.files.setdefault("/v1/de-en.txt.zip", MOSES)
    made = Entry(
        "T", ["en", "de"], 64, len(MOSES), 2000, "CC0", "me", "https://example.org", "t-en-de",
        address=f"{site.address if site else 'http://127.0.0.1:9'}/v1/",
        all=["de-en.txt.zip!T.de-en.en", "de-en.txt.zip!T.de-en.de"],
        held_out={"dev": 3, "test": 4, "seed": 1},
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def tree(where: Path) -> dict[str, bytes]:
    files = {p.relative_to(where).as_posix(): p for p in where.rglob("*") if p.is_file()}
    return {name: path.read_bytes() for name, path in files.items()}


# --- successful transfers


def test_a_text_without_splits_is_split(site: Site, cache: Path) -> None:
    out = fetch(entry(site), patience=QUICK)
    assert out == corpus_directory("t-en-de") == cache / "corpora" / "t-en-de"
    names = {f"{split}.{lang}" for split in ("train", "dev", "test") for lang in ("en", "de")}
    assert set(tree(cache)) == {f"corpora/t-en-de/{name}" for name in (*names, "corpus.json")}
    splits = {}
    for split, size in (("train", 57), ("dev", 3), ("test", 4)):
        source, target = (read_lines(out / f"{split}.{lang}") for lang in ("en", "de"))
        splits[split] = list(zip(source, target, strict=True))
        assert len(splits[split]) == size
    together = splits["train"] + splits["dev"] + splits["test"]
    assert sorted(together) == sorted(zip(SOURCE, TARGET, strict=True))
    assert splits["train"][-4:] == list(zip(SOURCE, TARGET, strict=True))[-4:]
    origin = Provenance.read(out)
    assert origin is not None
    address = f"{site.address}/v1/de-en.txt.zip"
    assert origin.files == {address: hashlib.sha256(MOSES).hexdigest()}
    assert origin.pairs == {"train": 57, "dev": 3, "test": 4}
    assert origin.languages == ["en", "de"]


def test_fetching_twice_gives_the_same_bytes(site: Site, cache: Path) -> None:
    fetch(entry(site), patience=QUICK)
    before = tree(cache)
    fetch(entry(site), patience=QUICK)
    assert tree(cache) == before


def test_official_splits_stay_as_they_are(site: Site, cache: Path) -> None:
    texts = {
        "train.en": "a\nb\u2028c\n",
        "train.de": "x\r\ny\r\n",
        "t.en": "\ufeffd\n",
        "t.de": "z",
    }
    site.files = {f"/{name}": text.encode() for name, text in texts.items()}
    official = entry(
        site, address=f"{site.address}/", all=[], held_out={}, train=["train.en", "train.de"],
        test=["t.en", "t.de"],
    )  # fmt: skip
    out = fetch(official, patience=QUICK)
    written = tree(out)
    origin = json.loads(written.pop("corpus.json"))
    assert written == {
        "train.en": "a\nb\u2028c\n".encode(), "train.de": b"x\ny\n",
        "test.en": b"d\n", "test.de": b"z\n",
    }  # fmt: skip
    assert origin["pairs"] == {"train": 2, "test": 1}


@pytest.mark.parametrize("form", ["file", "directory", "url", "base"])
def test_a_file_is_fetched_from_any_place(
    form: str, site: Site, cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "de-en.txt.zip").write_bytes(MOSES)
    site.files |= {"/mirror/de-en.txt.zip": MOSES, "/it.zip": MOSES}
    place = {
        "file": str(tmp_path / "de-en.txt.zip"),
        "directory": str(tmp_path),
        "url": f"{site.address}/it.zip",
        "base": f"{site.address}/mirror/",
    }[form]
    out = fetch(entry(), place, QUICK)
    assert len(read_lines(out / "train.en")) == 57
    assert (tmp_path / "de-en.txt.zip").read_bytes() == MOSES
    assert not list((cache / "downloads").glob("*"))


def test_download_names_are_portable() -> None:
    names = {_file_name(Source(f"https://a/{of}")) for of in ("x.gz?a=1:2", "x.gz?a")}
    assert sorted(name.partition("-")[2] for name in names) == ["x.gz_a", "x.gz_a_1_2"]


def test_an_invalid_place_is_refused(cache: Path, tmp_path: Path) -> None:
    for place, said in (
        ("none.zip", "no file none.zip"),
        ("ftp://x/y", "expected http:// or http"),
    ):
        with pytest.raises(InputError, match=f"^--from {place}: {said}"):
            fetch(entry(), place, QUICK)
    assert not cache.exists()


def test_comtrans_has_3_lines_per_pair(site: Site, cache: Path) -> None:
    lines = [x for k in NAMES[:30] for x in (f" Schön {k} ", f"beautiful {k}", "0-0 1-1")]
    text = "\n".join(lines).encode("latin-1")
    site.files["/v1/c.zip"] = zipped({"c/a.txt": text})
    comtrans = entry(
        site, layout="comtrans", encoding="latin-1", all=["c.zip!c/a.txt"], languages=["de", "en"]
    )
    out = fetch(comtrans, patience=QUICK)
    assert read_lines(out / "dev.de")[0].startswith("Schön ")
    assert [len(read_lines(out / f"{name}.en")) for name in ("train", "dev", "test")] == [24, 3, 3]
    site.files["/v1/c.zip"] = zipped({"c/a.txt": "\n".join(lines).encode()})
    with pytest.raises(InputError, match=r"line 1: found UTF-8, but the catalog says latin-1"):
        fetch(comtrans, patience=QUICK)
    site.files["/v1/c.zip"] = zipped({"c/a.txt": text + b"\nend"})
    with pytest.raises(InputError, match="the number of lines is not a multiple of three"):
        fetch(comtrans, patience=QUICK)


# --- sacreBLEU's test sets


SGM = (
    '<srcset><doc docid="d" origlang="en">\n<seg id="1"> A  b &amp; c </seg>\n<seg id="2">d</seg>\n'
)
XML = """<?xml version="1.0" encoding="utf-8"?>
<dataset id="x"><doc id="d" origlang="en"><src lang="en"><p><seg id="1">A b</seg></p></src>
<ref lang="de" translator="refB"><p><seg id="1">falsch</seg></p></ref>
<ref lang="de" translator="refA"><p><seg id="1">Das b</seg></p></ref></doc></dataset>
"""


@pytest.mark.parametrize(
    ("name", "members", "lines"),
    [
        (
            "wmt14",
            {
                "test/newstest2014-deen-src.en.sgm": SGM,
                "test/newstest2014-deen-ref.de.sgm": SGM.replace("d<", "D<"),
            },
            (["A b &amp; c", "d"], ["A b &amp; c", "D"]),
        ),
        (
            "wmt23",
            {"wmt23-news-systems-v.0.1/xml/wmttest2023.en-de.all.xml": XML},
            (["A b"], ["Das b"]),
        ),
    ],
)
def test_test_sets_are_read_as_sacrebleu_reads_them(
    name: str, members: dict[str, str], lines: tuple[list[str], list[str]], cache: Path,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    packed = tarred({member: text.encode() for member, text in members.items()})
    file = tmp_path / "test.tgz"
    file.write_bytes(packed)
    wmt = read_catalog()[f"{name}-en-de"]
    with pytest.raises(InputError, match=r"its md5 is .* instead of "):
        fetch(wmt, str(file), QUICK)
    assert not cache.exists()
    ours = copy.copy(DATASETS[name])
    ours.md5 = [hashlib.md5(packed).hexdigest()]
    monkeypatch.setitem(DATASETS, name, ours)
    out = fetch(wmt, str(file), QUICK)
    assert (read_lines(out / "test.en"), read_lines(out / "test.de")) == lines
    assert set(tree(out)) == {"test.en", "test.de", "corpus.json"}


def test_a_test_set_unknown_to_sacrebleu_fails() -> None:
    for change in ({"sacrebleu": "wmt99"}, {"sacrebleu": "wmt14", "languages": ["de", "fr"]}):
        with pytest.raises(InputError, match=r"t-en-de: sacreBLEU has no test set wmt"):
            fetch(entry(**change, all=[], held_out={}))
    with pytest.raises(InputError, match="no test"):
        fetch(entry(sacrebleu="wmt08", all=[], held_out={}, languages=["xx", "de"]))


# --- failures leave the cache unchanged


def damage(site: Site, kind: str) -> Entry:
    """Make the server fail in this way; return the entry to fetch."""
    path, good = "/v1/de-en.txt.zip", entry(site)
    files = {
        "cut-zip": MOSES[:-30],
        "html": b"<html>log in first</html>",
        "zip-slip": zipped({"../../x": b"x"}),
        "no-member": zipped({"other": b"x\n"}),
        "bomb": zipped({"T.de-en.en": bytes(1 << 25), "T.de-en.de": b"x\n"}),
        "unequal": zipped({"T.de-en.en": b"a\nb\n", "T.de-en.de": b"x\n"}),
        "empty": zipped({"T.de-en.en": b"", "T.de-en.de": b""}),
        "not-utf8": zipped({"T.de-en.en": b"a\xff\n", "T.de-en.de": b"x\n"}),
    }
    answers = {
        "404": status(404), "500": status(500), "stalled": stall(100), "broken": cut(200),
        "endless": status(302, Location=path), "other-scheme": status(302, Location="file:///x"),
    }  # fmt: skip
    if kind in files:
        site.files[path] = files[kind]
    if kind in answers:
        site.answers[path] = [answers[kind]]
    changes = {
        "checksum": {"sha256": {"de-en.txt.zip": "0" * 64}},
        "size": {"bytes": {"de-en.txt.zip": 7}},
        "no-archive": {"all": ["de-en.txt.zip!T.de-en.en", "x.gz!T.de-en.de"]},
    }
    site.files["/v1/x.gz"] = b"x"
    return replace(good, **changes.get(kind, {}))  # type: ignore[arg-type]


FAILS = {
    "404": "the server answers 404; use another source",
    "500": "the server answers 500, 2 times in a row; use another source with --from",
    "stalled": "no answer within 0.3 s, 2 times in a row; the same command resumes it from 100 byt",
    "broken": "2 times in a row; the same command resumes it from 200 bytes",
    "endless": "more than 5 redirects",
    "other-scheme": "redirects from http to file:///x, which is insecure; nothing was fetched",
    "checksum": f"its sha256 is {hashlib.sha256(MOSES).hexdigest()} instead of 0000",
    "size": f"{len(MOSES):,} bytes instead of 7; the file changed on the server or was damaged",
    "cut-zip": "not a complete archive (File is not a zip file)",
    "html": "not a complete archive (File is not a zip file)",
    "zip-slip": "the path '../../x' leads outside the archive; refused",
    "no-member": "T.de-en.en is missing; the archive contains other",
    "bomb": "unpacks to more than 100 times its size; refused",
    "unequal": "line 2 of one has no partner; the two do not correspond line by line",
    "empty": "t-en-de: the text of train is empty",
    "not-utf8": "line 1, byte 2: not UTF-8 (0xff)",
    "no-archive": "t-en-de: x.gz is not an archive that mtkit can unpack",
}


@pytest.mark.parametrize("kind", FAILS)
def test_errors_are_one_line_and_keep_the_cache(kind: str, site: Site, cache: Path) -> None:
    fetch(entry(site), patience=QUICK)
    good = tree(cache)
    with pytest.raises((InputError, WorkError)) as raised:
        fetch(damage(site, kind), patience=QUICK)
    assert FAILS[kind] in str(raised.value)
    assert str(raised.value).startswith((site.address, "t-en-de", "T.de-en", "de-en.txt.zip/T."))
    assert "\n" not in str(raised.value)
    assert {n: d for n, d in tree(cache).items() if not n.startswith("downloads/")} == good
    kept = [path.suffix for path in (cache / "downloads").glob("*")]
    assert sorted(kept) == ([".part", ".validator"] if kind in ("stalled", "broken") else [])


def test_ctrl_c_leaves_a_part_that_is_resumed(site: Site, cache: Path) -> None:
    fetch(entry(site), patience=QUICK)
    good = tree(cache)

    def interrupt(here: int, total: int | None) -> None:
        raise KeyboardInterrupt

    site.answers["/v1/de-en.txt.zip"] = [cut(150)]
    with pytest.raises(KeyboardInterrupt):
        fetch(entry(site), patience=QUICK, progress=interrupt)
    site.answers.clear()
    assert {n: d for n, d in tree(cache).items() if not n.startswith("downloads/")} == good
    [part] = (cache / "downloads").glob("*.part")
    assert part.read_bytes() == MOSES[:150]
    fetch(entry(site), patience=QUICK)
    assert site.seen[-1][1] == "bytes=150-"
    assert tree(cache) == good


def test_complete_files_are_not_refetched(site: Site, cache: Path) -> None:
    texts = {"/v1/a.en": b"a\n", "/v1/a.de": b"x\n"}
    site.files |= texts
    site.answers["/v1/a.de"] = [status(404)]
    pair = entry(site, all=[], held_out={}, train=["a.en", "a.de"])
    with pytest.raises(WorkError, match="404"):
        fetch(pair, patience=QUICK)
    site.answers.clear()
    fetch(pair, patience=QUICK)
    assert [path for path, _ in site.seen] == ["/v1/a.en", "/v1/a.de", "/v1/a.de"]
    assert not list((cache / "downloads").glob("*"))


def test_disk_space_is_checked_before_fetching(
    site: Site, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 0, 4 * 10**6))
    large = entry(site, download=3 * 10**6, unpacked=10**6)
    with pytest.raises(WorkError, match="4 MB free, but t-en-de needs 5 MB; set MTKIT_CACHE"):
        fetch(large, patience=QUICK)
    assert not site.seen
    assert not cache.exists()
