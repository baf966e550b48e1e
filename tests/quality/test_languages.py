"""Evidence of the wrong side and of foreign text, on small examples computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mtkit.quality.languages import MAX_EVIDENCE, evidence, foreign
from mtkit.quality.words import Ids
from mtkit.smt.flat import Flat


def test_a_sentence_is_not_evidence_for_itself() -> None:
    own, other = np.array([9, 1, 0]), np.array([0, 0, 10])
    text = Flat.of([[1], [0], [2, 2]])
    trained = np.array([True, True, True])
    alone, usual, wrong = evidence(text, own, other, trained)
    assert alone == 0  # no other sentence has word 1
    assert usual == pytest.approx(math.log(0.5 / 10) - math.log(8.5 / 10), rel=1e-6)
    assert wrong == pytest.approx(2 * (math.log(9.5 / 10) - math.log(0.5 / 10)), rel=1e-6)
    once = np.array([1, 0, 0])
    assert evidence(Flat.of([[0]]), once, once, np.array([True])) == 0  # no pair but its own has it
    held_out, *_ = evidence(text, own, other, ~trained)
    assert held_out == pytest.approx(math.log(0.5 / 10) - math.log(1.5 / 10), rel=1e-6)
    [most] = evidence(
        Flat.of([[1]]), np.array([999, 0, 0]), np.array([0, 10**6, 0]), np.array([False])
    )
    assert most == MAX_EVIDENCE


def test_foreign_lines_are_told_from_lists_of_rare_words() -> None:
    stems = ["wander", "finger", "kinder", "winter", "hunger", "donner", "lander", "binder"]
    usual = [f"{a}{b}" for a in stems for b in ("", "ung", "ungen", "st", "te", "en")]
    rare = [f"{stem}ungste" for stem in stems]
    strange = ["cœlique", "qu'où", "dżdżysty", "łyżwiarz", "çaço", "jaqueça", "źdźbło", "wyżywić"]
    lines = [" ".join(usual)] * 50 + [" ".join(rare), " ".join(strange)]
    ids = Ids()
    text = ids.flat(lines)
    fold, words = ids.folded()
    text = Flat(fold[text.words], text.begin)
    counts = np.bincount(text.words, minlength=len(words))
    others = Flat.of([[]] * len(lines))
    found = foreign(text, others, counts, words, np.ones(len(lines), bool))
    assert np.flatnonzero(found).tolist() == [len(lines) - 1]
    assert not foreign(text, text, counts, words, np.ones(len(lines), bool)).any()
