from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mtkit.text.vocabulary import BOS, EOS, PAD, SPECIALS, UNK, Vocabulary

WORD = st.sampled_from(["a", "b", "B", "ä", "￭.", "％0020", "\u2028", '"', "\\", *SPECIALS])
SENTENCES = st.lists(st.lists(WORD, max_size=8), max_size=8)


def test_the_specials_have_the_first_ids() -> None:
    assert (SPECIALS[PAD], SPECIALS[UNK], SPECIALS[BOS], SPECIALS[EOS]) == SPECIALS
    assert Vocabulary([]).words == list(SPECIALS)
    assert len(Vocabulary(["a"])) == 5


@given(SENTENCES)
def test_words_are_in_order_of_occurrence(sentences: list[list[str]]) -> None:
    words = []
    for word in (w for s in sentences for w in s):
        if word not in SPECIALS and word not in words:
            words.append(word)
    assert Vocabulary.build(sentences).words == [*SPECIALS, *words]


@given(SENTENCES)
def test_known_words_round_trip_others_become_unk(sentences: list[list[str]]) -> None:
    vocabulary = Vocabulary.build(sentences)
    known = vocabulary.words[len(SPECIALS) :]
    for sentence in [*sentences, ["never seen"]]:
        ids = vocabulary.encode(sentence)
        assert not {PAD, BOS, EOS} & set(ids)
        shown = [w if w in known else SPECIALS[UNK] for w in sentence]
        assert vocabulary.decode(ids) == shown


def test_a_word_spelled_like_a_special_is_unknown() -> None:
    vocabulary = Vocabulary.build([[*SPECIALS, "a"]])
    assert vocabulary.words == [*SPECIALS, "a"]
    assert vocabulary.encode(SPECIALS) == [UNK] * len(SPECIALS)


def test_case_and_normal_forms_are_kept_apart() -> None:
    vocabulary = Vocabulary.build([["é", "e\u0301", "É"]])
    assert len(set(vocabulary.encode(["é", "e\u0301", "É"]))) == 3


def test_a_saved_vocabulary_reads_alike(tmp_path: Path) -> None:
    words = ["b", "a", '"', "\\", "\u2028", "😀", "שלום", "\x00", "new\nline"]
    Vocabulary(words).save(tmp_path / "v.json")
    loaded = Vocabulary.load(tmp_path / "v.json")
    assert loaded.words == [*SPECIALS, *words]
    assert loaded.encode(words) == list(range(len(SPECIALS), len(SPECIALS) + len(words)))
    Vocabulary([]).save(tmp_path / "v.json")
    assert len(Vocabulary.load(tmp_path / "v.json")) == len(SPECIALS)
