from __future__ import annotations

import pytest

from mtkit.errors import InputError
from mtkit.laboratory.watch_page import findings
from mtkit.smt.alignment.watch import watch

E = [["the", "house"], ["the", "book"], ["a", "book"]]
F = [["das", "Haus"], ["das", "Buch"], ["ein", "Buch"]]


def test_model_1_converges_from_uniform() -> None:
    """The classical example: that "das" goes with "the" leaves "Haus" for "house"."""
    found = watch(E, F, "house", iterations=40, best=2)
    assert found.words == ["Haus", "das"]
    assert found.t[0] == [0.25, 0.25]  # four words of the target language
    # By hand: beside "the" and the empty word, each of the two has a third of each place.
    assert found.t[1] == pytest.approx([0.5, 0.5])
    haus, das = zip(*found.t, strict=True)
    assert haus[-1] > 0.99
    assert list(haus[1:]) == sorted(haus[1:])
    assert das[-1] < 0.01
    assert found.perplexity[0] == pytest.approx(4)
    assert found.perplexity == sorted(found.perplexity, reverse=True)


def test_perplexity_is_a_target_words() -> None:
    """Sides of different lengths: Π_j 1/(I+1) Σ_i 1/V over six f's is 1/V a word."""
    longer = [[*e, "x"] for e in E]
    assert watch(longer, F, "x").perplexity[0] == pytest.approx(4)


def test_what_is_shown() -> None:
    found = watch(E, F, "book", iterations=3)
    [shown] = findings("book", found).grids
    assert shown.columns == ("EM", "Perplexity", "Buch", *found.words[1:])
    assert [cell.text for cell in shown.rows[0]][:3] == ["0", "4.00", "0.2500"]
    assert len(shown.rows) == 4
    assert "How does Model 1 learn what “&lt;b&gt;” means?" in findings("<b>", found).as_html()


def test_a_word_that_is_not_there() -> None:
    with pytest.raises(InputError, match="cat: the source text has no such word"):
        watch(E, F, "cat")
