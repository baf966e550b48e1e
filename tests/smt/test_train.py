"""Which alignments phrases come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from mtkit.errors import InputError
from mtkit.smt import train
from mtkit.smt.alignment.align import Alignment, align
from mtkit.smt.alignment.symmetrize import Links, joined
from mtkit.smt.flat import Flat
from mtkit.smt.phrases.table import PhraseTable, build_table
from mtkit.smt.search.features import DEFAULT_WEIGHTS
from mtkit.smt.train import LITTLE, TrainConfig, estimate
from mtkit.text.corpus import Corpus
from mtkit.text.tokenizer import WordTokenizer
from mtkit.text.vocabulary import Vocabulary


def test_little_text_is_aligned_by_two_models_unless_some_are_named() -> None:
    assert TrainConfig().aligners(LITTLE - 1) == ["fertility", "hmm"]
    assert TrainConfig().aligners(LITTLE) == ["fertility"]
    assert TrainConfig("hmm").aligners(5) == ["hmm"]
    assert TrainConfig("ibm1+diagonal").aligners(LITTLE) == ["ibm1", "diagonal"]
    for unknown in ("ibm9", "hmm+", "auto+hmm"):
        with pytest.raises(InputError, match="not one of ibm1"):
            TrainConfig(unknown)


def pairs_of(table: PhraseTable, words: Sequence[Vocabulary]) -> set[tuple[str, ...]]:
    """The phrase pairs, spelled."""
    found = set()
    for r, (first, last) in enumerate(pairwise(table.row.tolist())):
        s = table.source[slice(*table.s_begin[r : r + 2])]
        for p in range(first, last):
            t = table.target[slice(*table.t_begin[p : p + 2])]
            sides = zip(words, (s, t), strict=True)
            found.add(tuple(" ".join(of.decode(ids.tolist())) for of, ids in sides))
    return found


def test_the_phrases_of_two_alignments_are_those_of_each(few: Corpus) -> None:
    """The first of them decides all else."""
    source, target = (side[:60] for side in few.train.tokens(WordTokenizer()))
    one, two = (align(source, target, aligner) for aligner in ("ibm1", "diagonal"))
    tables = [build_table(a.source, a.target, a.links) for a in (one, two)]
    of_one, of_two = (pairs_of(table, one.words) for table in tables)
    models, figures = estimate(source, target, TrainConfig("ibm1+diagonal", order=2), 1)
    found, either = pairs_of(models.table, one.words), of_one | of_two
    assert {pair for pair in found if " " in pair[0]} == {pair for pair in either if " " in pair[0]}
    assert found <= either  # a word that one leaves without a phrase may have one by the other
    assert found - of_one
    assert found - of_two
    assert figures["links"] == len(one.links.source)
    assert list(figures["alignment_perplexity"]["P(y|x)"]) == ["ibm1"]


def test_sentences_repeat_with_the_links_of_each_alignment() -> None:
    text = Flat.of([[1, 2], [], [3]])
    assert text.repeated(2).words.tolist() == [1, 2, 3, 1, 2, 3]
    assert text.repeated(2).begin.tolist() == [0, 2, 2, 3, 5, 5, 6]
    a, b = (Links(*map(np.array, of)) for of in (([0, 1], [1, 0], [0, 2]), ([0], [0], [0, 1])))
    assert joined([a, b]).by_sentence() == [[(0, 1), (1, 0)], [(0, 0)]]


def test_models_of_a_part_are_aligned_as_suits_the_whole(
    few: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """400 pairs, tuned in folds of 320: the weights must serve models of the same make."""
    asked = list[str]()

    def seen(*arguments: Any) -> Alignment:
        asked.append(arguments[2])
        return align(*arguments)

    monkeypatch.setattr(train, "align", seen)
    for little, aligners in ((350, ["fertility"]), (450, ["hmm", "fertility"])):
        monkeypatch.setattr(train, "LITTLE", little)
        monkeypatch.setattr(train, "tuned", lambda *_: (DEFAULT_WEIGHTS, {}))
        train.build(replace(few, dev=None), WordTokenizer(), TrainConfig(), "default", 1)
        assert asked == aligners * 6
        asked.clear()
