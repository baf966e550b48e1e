"""Vocabulary, subwords, reading corpora."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from mtkit.corpus import Bitext, decode_lines, language_of, open_corpus, read_lines
from mtkit.errors import InputError
from mtkit.subwords import Subwords
from mtkit.vocabulary import EOS, SPECIALS, UNK, Vocabulary

SENTENCES = [["the", "cat", "sat"], ["the", "dog"], ["</s>", "the"]]


def test_vocabulary_counts_words_and_keeps_specials_apart(tmp_path: Path) -> None:
    vocabulary = Vocabulary.build(SENTENCES)
    assert vocabulary.words == [*SPECIALS, "the", "cat", "dog", "sat"]
    assert vocabulary.encode(["the", "</s>", "<unk>", "horse"]) == [4, UNK, UNK, UNK]
    assert Vocabulary.build(SENTENCES, min_count=2).words == [*SPECIALS, "the"]
    vocabulary.save(tmp_path / "v.json")
    assert Vocabulary.load(tmp_path / "v.json").words == vocabulary.words


@pytest.fixture(scope="module")
def subwords() -> Subwords:
    return Subwords.train([["lower", "lowest", "newer"], ["newest", "wider"]] * 9, 40)


def test_subwords_spell_words_and_know_whose_they_are(subwords: Subwords) -> None:
    words = ["lowest", "newer", "lower", "noer"]
    [encoded] = subwords.encode([words])
    assert subwords.decode(encoded.ids) == words
    assert sorted(set(encoded.words)) == [0, 1, 2, 3]
    assert encoded.words == sorted(encoded.words)
    assert len(encoded.ids) > 4
    assert len(subwords) <= 40


def test_text_that_spells_a_special_is_not_one(subwords: Subwords) -> None:
    [encoded] = subwords.encode([["</s>", "<pad>", "lower"]])
    assert EOS not in encoded.ids
    assert 0 not in encoded.ids


def test_an_unknown_character_is_replaced_by_what_it_came_from(subwords: Subwords) -> None:
    [encoded] = subwords.encode([["☃", "lower"]])
    assert encoded.ids[0] == UNK
    assert subwords.decode(encoded.ids, ["☃"]) == ["☃", "lower"]
    assert subwords.decode(encoded.ids) == ["<unk>", "lower"]


def test_saved_subwords_encode_alike(subwords: Subwords, tmp_path: Path) -> None:
    subwords.save(tmp_path / "s.json")
    loaded = Subwords.load(tmp_path / "s.json")
    assert loaded.encode([["wider", "new"]]) == subwords.encode([["wider", "new"]])


# --- corpora


def test_lines_end_at_newlines_alone() -> None:
    data = "\ufeffa\u2028b\r\nc\u0085d\n\ne".encode()
    assert decode_lines(data, "x") == ["a\u2028b", "c\u0085d", "", "e"]
    assert decode_lines(b"", "x") == []
    assert decode_lines(b"\n", "x") == [""]


def test_gzip_is_read_and_a_torn_file_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.en.gz"
    path.write_bytes(gzip.compress("ä\nb\n".encode()))
    assert read_lines(path) == ["ä", "b"]
    assert language_of(path) == "en"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"t\.en\.gz: not a complete gzip file"):
        read_lines(path)


def test_invalid_utf8_names_file_line_and_byte(tmp_path: Path) -> None:
    path = tmp_path / "t.en"
    path.write_bytes("gut\nschön ".encode() + b"\xff\n")
    with pytest.raises(InputError, match=r"t\.en: line 2, byte 8: not UTF-8 \(0xff\)"):
        read_lines(path)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_sides_must_correspond(tmp_path: Path) -> None:
    en, de = write(tmp_path / "t.en", "a\nb\nc\n"), write(tmp_path / "t.de", "x\ny\n")
    with pytest.raises(InputError, match=r"3 lines but .*2; line 3 of .*t\.en has no partner"):
        Bitext.read(en, de)
    with pytest.raises(InputError, match=r"none\.de: no such file"):
        Bitext.read(en, tmp_path / "none.de")
    with pytest.raises(InputError, match=r"t\.de: the file is empty"):
        Bitext.read(en, write(de, "\n \n\n"))


def test_blank_pairs_are_left_out_of_training(tmp_path: Path) -> None:
    text = Bitext.read(write(tmp_path / "a", "a\n\nc\n"), write(tmp_path / "b", "x\ny\n \n"))
    assert text.without_empty().pairs() == [("a", "x")]


def test_a_directory_is_a_corpus(tmp_path: Path) -> None:
    for name in ("train.fr", "train.cs", "test.fr", "test.cs"):
        write(tmp_path / name, f"{name}\n")
    corpus = open_corpus(str(tmp_path), "fr-cs")
    assert corpus.train.pairs() == [("train.fr", "train.cs")]
    assert corpus.dev is None
    assert corpus.test is not None
    (tmp_path / "test.cs").unlink()
    with pytest.raises(InputError, match=r"test\.cs: no such file, its other half exists"):
        open_corpus(str(tmp_path), "fr-cs")
    with pytest.raises(InputError, match=r"no train\.en and train\.de"):
        open_corpus(str(tmp_path))


def test_contradictory_options_are_refused(tmp_path: Path) -> None:
    files = (tmp_path / "a.en", tmp_path / "a.de")
    with pytest.raises(InputError, match="training text twice"):
        open_corpus("everyday", train=files)
    with pytest.raises(InputError, match="two language codes"):
        open_corpus(pair="en")
    with pytest.raises(InputError, match="neither a directory nor one of the embedded"):
        open_corpus("nix")
    for only in ({"dev": files}, {"test": files}):
        with pytest.raises(InputError, match="need --train or --corpus"):
            open_corpus(**only)
