from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import BPE

from mtkit.text.subwords import END_OF_WORD, Subwords
from mtkit.text.vocabulary import BOS, EOS, PAD, SPECIALS, UNK

ALPHABET = "abcdeé￭.％0"
TEXT = [
    ["abba", "cab", "￭."],
    ["bead", "decade", "％0020", "é"],
    ["abba", "bead", "facade"],
    [*ALPHABET],
    [letter * 2 for letter in ALPHABET],  # every letter inside a word and at its end
] * 5
SIZE = 60
WORDS = st.lists(st.text(ALPHABET, min_size=1, max_size=9), max_size=6)


@pytest.fixture(scope="module")
def subwords() -> Subwords:
    return Subwords.train(TEXT, SIZE)


@given(WORDS)
@settings(max_examples=300)
def test_words_of_known_letters_are_kept(subwords: Subwords, words: list[str]) -> None:
    [encoded] = subwords.encode([words])
    assert UNK not in encoded.ids
    assert subwords.decode(encoded.ids) == words


@given(WORDS)
@settings(max_examples=300)
def test_pieces_map_to_words(subwords: Subwords, words: list[str]) -> None:
    [encoded] = subwords.encode([words])
    assert len(encoded.ids) == len(encoded.words)
    for k, word in enumerate(words):
        pieces = [
            subwords.pieces[i] for i, of in zip(encoded.ids, encoded.words, strict=True) if of == k
        ]
        assert "".join(pieces) == word + END_OF_WORD
        assert not any(piece.endswith(END_OF_WORD) for piece in pieces[:-1])
    assert encoded.words == sorted(encoded.words)


def test_sentences_are_encoded_one_by_one(subwords: Subwords) -> None:
    text = [["abba"], [], ["cab", "abba"]]
    assert subwords.encode(text) == [subwords.encode([words])[0] for words in text]
    assert subwords.encode([]) == []
    assert subwords.encode([[]])[0].ids == []
    assert subwords.decode([]) == []


def test_the_specials_have_the_first_ids_and_the_size_is_kept(subwords: Subwords) -> None:
    assert subwords.pieces[: len(SPECIALS)] == list(SPECIALS)
    assert len(subwords) == len(set(subwords.pieces)) <= SIZE
    assert len(Subwords.train(TEXT, SIZE - 15)) < len(subwords)


def test_frequent_words_become_whole_and_rare_ones_do_not() -> None:
    text = [["banana"]] * 50 + [["bandana"]]
    size = len(SPECIALS) + len("bnda") + len(["a</w>"]) + 5  # 5 merges spell banana
    frequent, rare = Subwords.train(text, size).encode([["banana"], ["bandana"]])
    assert len(frequent.ids) == 1
    assert len(rare.ids) > 1


def test_training_twice_gives_the_same_ids() -> None:
    """With other ids, the same seed would initialise other embeddings."""
    once, again = Subwords.train(TEXT, SIZE), Subwords.train(TEXT, SIZE)
    assert once.pieces == again.pieces
    assert once.encode(TEXT) == again.encode(TEXT)


@pytest.mark.parametrize("special", SPECIALS)
@pytest.mark.parametrize("shape", ["{}", "a{}", "{}a", "a{}a", "{0}{0}"])
def test_text_that_spells_a_special_is_not_that_special(special: str, shape: str) -> None:
    word = shape.format(special)
    trained = Subwords.train([*TEXT, [word]], SIZE)
    [encoded] = trained.encode([["cab", word, "bead"]])
    assert not {PAD, BOS, EOS} & set(encoded.ids)
    assert set(encoded.words) == {0, 1, 2}
    decoded = trained.decode(encoded.ids)
    assert (decoded[0], decoded[-1]) == ("cab", "bead")


def test_decoding_replaces_unk_by_the_given_words(subwords: Subwords) -> None:
    [encoded] = subwords.encode([["abba", "☃", "cab", "☎"]])
    assert encoded.ids.count(UNK) == 2
    assert subwords.decode(encoded.ids, ["☃", "☎"]) == ["abba", "☃", "cab", "☎"]
    assert subwords.decode(encoded.ids, ["☃"]) == ["abba", "☃", "cab", SPECIALS[UNK]]
    assert subwords.decode(encoded.ids) == ["abba", "<unk>", "cab", "<unk>"]


def test_an_unknown_letter_within_a_word_is_unk_of_that_word(subwords: Subwords) -> None:
    [encoded] = subwords.encode([["cab", "ab☃ba", "cab"]])
    unknown = [k for i, k in zip(encoded.ids, encoded.words, strict=True) if i == UNK]
    assert unknown == [1]


def test_decoding_skips_padding_and_ends_of_sentences(subwords: Subwords) -> None:
    [encoded] = subwords.encode([["abba", "cab"]])
    assert subwords.decode([BOS, *encoded.ids, EOS, PAD, PAD]) == ["abba", "cab"]


def test_decoding_keeps_a_word_that_was_cut_off(subwords: Subwords) -> None:
    [encoded] = subwords.encode([["abba", "ecdab"]])
    last = subwords.pieces[encoded.ids[-1]].removesuffix(END_OF_WORD)
    assert last != "ecdab"
    assert subwords.decode(encoded.ids[:-1]) == ["abba", "ecdab".removesuffix(last)]


@given(st.lists(st.integers(0, SIZE - 1), max_size=12))
@settings(max_examples=300)
def test_decoded_words_map_to_their_pieces(subwords: Subwords, ids: list[int]) -> None:
    ids = [i for i in ids if i < len(subwords)]
    parts, decoded = subwords.words(ids), subwords.decode(ids, [*"☃☎"])
    assert len(parts) == len(decoded)
    assert [k for part in parts for k in part] == [
        k for k, i in enumerate(ids) if i not in (PAD, BOS, EOS)
    ]
    left = iter("☃☎")
    for part, word in zip(parts, decoded, strict=True):
        if UNK in (own := [ids[k] for k in part]):
            assert own == [UNK]
            assert word == next(left, SPECIALS[UNK])
        else:
            text = "".join(subwords.pieces[i] for i in own)
            assert text.removesuffix(END_OF_WORD) == word != ""
            assert END_OF_WORD not in text.removesuffix(END_OF_WORD)


def test_empty_pieces_belong_to_no_word() -> None:
    spelled = Subwords(Tokenizer(BPE({s: i for i, s in enumerate((*SPECIALS, "</w>", "a"))}, [])))
    end, a = 4, 5
    assert spelled.decode([end, a, end, end, UNK, a]) == ["a", "<unk>", "a"]
    assert spelled.words([end, a, end, end, UNK, a]) == [[1, 2], [4], [5]]


@pytest.mark.parametrize("word", ["</w>", "a</w>", "</w>a", "a</w>a", "</w></w>"])
def test_text_that_spells_the_end_of_a_word_does_not_end_it(word: str) -> None:
    letters = [*ALPHABET, *"</w>", *(letter * 2 for letter in "</w>")]
    spelled = Subwords.train([letters] * 5, 40)  # no merge spans more than two letters
    [encoded] = spelled.encode([[word, "cab"]])
    assert spelled.decode(encoded.ids) == [word, "cab"]


def test_saved_subwords_encode_and_decode_alike(subwords: Subwords, tmp_path: Path) -> None:
    subwords.save(tmp_path / "s.json")
    loaded = Subwords.load(tmp_path / "s.json")
    text = [["abba", "</s>", "☃", "ééé"], ["％0020", "￭."]]
    assert loaded.pieces == subwords.pieces
    assert loaded.encode(text) == subwords.encode(text)
    assert all(
        loaded.decode(e.ids, ["x"]) == subwords.decode(e.ids, ["x"]) for e in loaded.encode(text)
    )


def test_a_no_break_space_may_be_in_a_word() -> None:
    subwords = Subwords.train([["10\u00a0km", "ab"]] * 3, 40)
    [encoded] = subwords.encode([["10\u00a0km", "ab"]])
    assert subwords.decode(encoded.ids) == ["10\u00a0km", "ab"]
