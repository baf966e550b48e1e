from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtkit.errors import InputError
from mtkit.text.corpus import (
    Bitext,
    corpora_directory,
    find_corpus,
    line_hashes,
    open_corpus,
    parse_pair,
    read_corpus_directory,
    split_files,
)
from mtkit.text.lines import Texts, decode_lines, read_lines

BOM = b"\xef\xbb\xbf"


def write(path: Path, data: str | bytes) -> Path:
    data = data.encode() if isinstance(data, str) else data
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


# --- lines


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", codec="utf-8"))))
def test_lines_round_trip(lines: list[str]) -> None:
    for end in ("\n", "\r\n"):
        for mark in (b"", BOM):
            data = mark + "".join(line + end for line in lines).encode()
            first = lines[:1] if mark else [line.removeprefix("\ufeff") for line in lines[:1]]
            assert decode_lines(data, "x") == first + lines[1:]


def test_only_a_newline_ends_a_line() -> None:
    text = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\rh"
    assert decode_lines(text.encode(), "x") == [text]
    assert decode_lines(f"{text}\n{text}".encode(), "x") == [text, text]


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"\n\n", ["", ""]),
        (b"a", ["a"]),
        (b"a\n", ["a"]),
        (b"a\n\nb", ["a", "", "b"]),
        (b" a \n", [" a "]),
        (b"a\r\n\r\nb\r", ["a", "", "b"]),
        (b"a\r\r\n", ["a\r"]),
        (BOM + b"a\n", ["a"]),
        (BOM, []),
        (b"a" + BOM + b"\n", ["a\ufeff"]),
    ],
)
def test_line_ends_and_bom(data: bytes, lines: list[str]) -> None:
    assert decode_lines(data, "x") == lines


@pytest.mark.parametrize("name", ["t.en", "t.en.gz"])
def test_plain_and_gzipped_files_read_alike(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, BOM + "ä\u2028b\r\n\r\nc".encode())
    assert read_lines(path) == ["ä\u2028b", "", "c"]


# --- unreadable files


@pytest.mark.parametrize("name", ["t.en", "t.en.gz"])
@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"\xff", "line 1, byte 1: not UTF-8 (0xff)"),
        ("gut\nschön ".encode() + b"\xff\n", "line 2, byte 8: not UTF-8 (0xff)"),
        (b"a\n\nab\xe4b\n", "line 3, byte 3: not UTF-8 (0xe4)"),
        (b"a\xe2\x80", "line 1, byte 2: not UTF-8 (0xe2)"),  # cut off within a character
        (b"\xef\xbb\xbfab\xff", "line 1, byte 6: not UTF-8 (0xff)"),  # the BOM counts
        (b"\xef\xbb\xbfa\nb\xff", "line 2, byte 2: not UTF-8 (0xff)"),
        (b"a\nb\xed\xa0\x80", "line 2, byte 2: not UTF-8 (0xed)"),  # half a surrogate pair
    ],
)
def test_invalid_utf8_is_located(name: str, data: bytes, place: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, data)
    with pytest.raises(InputError) as raised:
        read_lines(path)
    assert str(raised.value).startswith(f"{path}: {place}; ")
    assert "iconv -f CP1252 -t UTF-8" in str(raised.value)


def test_a_bom_does_not_shift_error_places() -> None:
    with pytest.raises(InputError, match=r"^x: line 2, byte 2: not UTF-8 \(0xff\)"):
        decode_lines(BOM + b"\nb\xff\n", "x")


def test_truncated_gzip_files_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "t.en.gz", "a line\n" * 9)
    whole = path.read_bytes()
    for n in range(1, len(whole)):
        path.write_bytes(whole[:n])
        with pytest.raises(InputError, match=r"t\.en\.gz: not a complete gzip file"):
            read_lines(path)


def test_invalid_gzip_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.en.gz"
    damaged = bytearray(gzip.compress(b"a line of text\n" * 9))
    damaged[-5] ^= 1  # in the checksum
    for data in (b"plain text\n", bytes(damaged)):
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"t\.en\.gz: not a complete gzip file"):
            read_lines(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.en: no such file"):
        read_lines(tmp_path / "none.en")
    with pytest.raises(InputError, match=f"^{tmp_path}: "):
        read_lines(tmp_path)


# --- two sides


@pytest.mark.parametrize(
    ("en", "de", "longer"), [("a\nb\nc\n", "x\ny\n", "t.en"), ("a\nb\n", "x\ny\n\n", "t.de")]
)
def test_the_first_line_without_a_partner_is_named(
    en: str, de: str, longer: str, tmp_path: Path
) -> None:
    source, target = write(tmp_path / "t.en", en), write(tmp_path / "t.de", de)
    n, m = en.count("\n"), de.count("\n")
    with pytest.raises(InputError) as raised:
        Bitext.read(source, target)
    assert f"{source} has {n} lines but {target} has {m}" in str(raised.value)
    assert f"line 3 of {tmp_path / longer} has no partner" in str(raised.value)


@pytest.mark.parametrize("blank", ["", "\n", " \n\t\n", "\ufeff\n"])
def test_a_side_without_text_is_refused(blank: str, tmp_path: Path) -> None:
    full, empty = write(tmp_path / "t.en", "a\n"), write(tmp_path / "t.de", blank)
    for sides in ((full, empty), (empty, full)):
        with pytest.raises(InputError, match=r"t\.de: the file is empty"):
            Bitext.read(*sides)


def test_pairs_keep_their_order_and_blank_lines(tmp_path: Path) -> None:
    en = write(tmp_path / "t.en.gz", "a\n\n c \n")
    de = write(tmp_path / "t.de", "x\ny\n\t\n")
    text = Bitext.read(en, de)
    assert len(text) == 3
    assert text.paths == (en, de)
    assert text.pairs() == [("a", "x"), ("", "y"), (" c ", "\t")]
    assert text.without_empty().pairs() == [("a", "x")]
    with pytest.raises(InputError, match="no line has text on both sides"):
        Bitext(["a", ""], ["", "x"], (en, de)).without_empty()


# --- directories of corpora


def test_a_directory_is_a_corpus_plain_and_gzipped(tmp_path: Path) -> None:
    for name in ("train.fr", "train.cs.gz", "dev.fr.gz", "dev.cs"):
        write(tmp_path / name, f"{name}\n")
    corpus = read_corpus_directory(tmp_path, ("fr", "cs"))
    assert (corpus.name, corpus.pair) == (tmp_path.name, ("fr", "cs"))
    assert corpus.train.pairs() == [("train.fr", "train.cs.gz")]
    assert corpus.dev is not None
    assert corpus.dev.pairs() == [("dev.fr.gz", "dev.cs")]
    assert corpus.test is None
    assert read_corpus_directory(tmp_path, ("cs", "fr")).train.pairs() == [
        ("train.cs.gz", "train.fr")
    ]


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_half_a_split_is_refused(split: str, tmp_path: Path) -> None:
    for name in ("train", "dev", "test"):
        for language in ("fr", "cs"):
            write(tmp_path / f"{name}.{language}", "a\n")
    (tmp_path / f"{split}.cs").unlink()
    with pytest.raises(InputError, match=rf"^found .*{split}\.fr but no {split}\.cs; name"):
        read_corpus_directory(tmp_path, ("fr", "cs"))


def test_a_directory_without_training_text_asks_for_the_pair(tmp_path: Path) -> None:
    write(tmp_path / "train.fr", "a\n")
    write(tmp_path / "train.cs", "b\n")
    with pytest.raises(InputError, match=r"no train\.en and train\.de; .*--pair"):
        open_corpus(str(tmp_path))


def test_the_embedded_corpus_is_found_by_name_and_by_default() -> None:
    assert find_corpus("everyday") == corpora_directory() / "everyday"
    named, default = open_corpus("everyday"), open_corpus()
    assert named.train.pairs() == default.train.pairs()
    assert default.pair == ("en", "de")
    turned = open_corpus(pair="de-en")
    assert turned.train.source == default.train.target


def test_an_unknown_corpus_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"no directory or corpus 'nix'; .*: .*everyday"):
        find_corpus("nix")


def test_a_directory_hides_an_embedded_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("everyday").mkdir()
    write(Path("everyday/train.en"), "mine\n")
    write(Path("everyday/train.de"), "meins\n")
    assert open_corpus("everyday").train.pairs() == [("mine", "meins")]


# --- options


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return write(tmp_path / "my.fr", "a\n"), write(tmp_path / "my.cs.gz", "b\n")


def test_the_pair_overrides_the_file_names(files: tuple[Path, Path]) -> None:
    corpus = open_corpus(train=files, test=files)
    assert corpus.pair == ("fr", "cs")
    assert corpus.train.pairs() == [("a", "b")]
    assert corpus.dev is None
    assert corpus.test is not None
    assert open_corpus(pair="x-y", train=files).pair == ("x", "y")


def test_files_without_language_need_the_pair(tmp_path: Path) -> None:
    plain = write(tmp_path / "a.txt", "a\n"), write(tmp_path / "b.de", "b\n")
    with pytest.raises(InputError, match=r"a\.txt: expected a file .* a\.en; .* --pair en-de$"):
        open_corpus(train=plain)
    with pytest.raises(InputError, match=r"a\.txt: expected a file"):
        open_corpus(train=plain[::-1])
    assert open_corpus(pair="en-de", train=plain, dev=plain).pair == ("en", "de")


def test_names_that_contradict_the_languages_are_refused(tmp_path: Path) -> None:
    def files(*codes: str) -> tuple[Path, Path]:
        source, target = (write(tmp_path / f"x.{code}", f"{code}\n") for code in codes)
        return source, target

    en_de, fr_de, british = files("en", "de"), files("fr", "de"), files("en-GB", "de")
    message = r"^--{} .*x\.fr: the name ends in fr, but the languages are en → de; "
    with pytest.raises(InputError, match=message.format("train")):
        open_corpus(pair="en-de", train=fr_de)
    for option in ("dev", "test"):
        with pytest.raises(InputError, match=message.format(option)):
            open_corpus(train=en_de, **{option: fr_de})
        with pytest.raises(InputError, match=message.format(option)):
            open_corpus(**{option: fr_de}, name="everyday")
    for pair, train in (("de-en", en_de), ("de-en", british), ("de-en-GB", en_de)):
        with pytest.raises(InputError, match=r"--train .* are exchanged; the languages are de → "):
            open_corpus(pair=pair, train=train)
    # Regions, three-letter codes and unknown codes do not contradict.
    for pair in ("en-de", "en-GB-de-AT", "en_GB-de", "eng-deu", "x-y"):
        for train in (en_de, british, files("eng", "deu"), files("txt", "tok")):
            assert open_corpus(pair=pair, train=train, test=train).train.paths == train


def test_named_files_replace_the_splits_of_a_corpus(tmp_path: Path) -> None:
    files = write(tmp_path / "my.en", "a\n"), write(tmp_path / "my.de.gz", "b\n")
    whole = open_corpus("everyday")
    corpus = open_corpus("everyday", test=files)
    assert corpus.test is not None
    assert corpus.test.pairs() == [("a", "b")]
    assert corpus.dev == whole.dev
    assert len(corpus.train) == len(whole.train)


def test_corpus_excludes_train(files: tuple[Path, Path]) -> None:
    with pytest.raises(InputError, match="--corpus and --train exclude each other"):
        open_corpus("everyday", train=files)


def test_held_out_text_alone_is_refused(files: tuple[Path, Path]) -> None:
    for only in ({"dev": files}, {"test": files}, {"dev": files, "test": files}):
        with pytest.raises(InputError, match="--dev and --test also need --train or --corpus"):
            open_corpus(**only)


def test_a_pair_may_name_scripts_and_regions() -> None:
    assert parse_pair("pt-BR-zh-Hans-CN") == ("pt-BR", "zh-Hans-CN")
    assert parse_pair("es-419-en") == ("es-419", "en")
    assert parse_pair("EN-DE") == ("EN", "DE")


@pytest.mark.parametrize("pair", ["", "en", "en-", "-de", "en-de-fr", "-", "../en-de"])
@pytest.mark.parametrize("by_files", [False, True])
def test_a_pair_is_two_codes(pair: str, by_files: bool, files: tuple[Path, Path]) -> None:
    with pytest.raises(InputError, match=rf"^--pair {pair}: expected two language codes"):
        open_corpus(pair=pair, train=files if by_files else None)


# --- hashes


def test_hashes_identify_seen_lines() -> None:
    lines = ["b", "a", "", "ä", "a"]
    hashes = line_hashes(lines)
    assert hashes.dtype == np.uint64
    assert (np.diff(hashes.astype(object)) >= 0).all()
    assert np.isin(line_hashes(["a", "c", "ä", "A"]), hashes).sum() == 2
    assert (line_hashes(lines[::-1]) == hashes).all()
    assert line_hashes([]).size == 0


def test_a_variant_replaces_a_missing_language(tmp_path: Path) -> None:
    for name in (
        "train.en-US",
        "train.en",
        "train.de-AT.gz",
        "dev.en-GB",
        "dev.de-DE",
        "train.log",
    ):
        write(tmp_path / name, b"a\n")
    files = split_files(tmp_path, "train", ("en", "de"))
    assert files == (tmp_path / "train.en", tmp_path / "train.de-AT.gz")
    files = split_files(tmp_path, "dev", ("en", "de"))
    assert files == (tmp_path / "dev.en-GB", tmp_path / "dev.de-DE")
    assert split_files(tmp_path, "dev", ("fr", "cs")) is None


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=20)


@given(st.lists(TEXT, max_size=12), st.integers(1, 5))
def test_texts_act_as_lists(lines: list[str], block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mtkit.text.lines.BLOCK", block)
        texts = Texts(iter(lines))
    assert list(texts) == lines
    assert texts == lines == texts[:]
    assert texts == Texts(lines)
    assert texts != [*lines, "x"]
    assert [texts[k] for k in range(-len(lines), len(lines))] == lines * 2
    assert texts[1::2] == lines[1::2]
    with pytest.raises(IndexError):
        texts[len(lines)]


@given(st.lists(TEXT, min_size=1, max_size=12), st.integers(1, 5), st.booleans())
def test_the_block_size_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], block: int, ended: bool
) -> None:
    path = tmp_path_factory.mktemp("texts") / "x.txt"
    path.write_bytes(b"\xef\xbb\xbf" + "\n".join(lines).encode() + b"\n" * ended)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mtkit.text.lines.BLOCK", block)
        assert list(Texts.read(path)) == read_lines(path)


def test_invalid_utf8_is_located_in_any_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtkit.text.lines.BLOCK", 2)
    (tmp_path / "x").write_bytes(b"a\n" * 5 + b"b\xff\n")
    with pytest.raises(InputError, match="line 6, byte 2: not UTF-8"):
        Texts.read(tmp_path / "x")
