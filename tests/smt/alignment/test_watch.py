from __future__ import annotations

from pathlib import Path

import pytest

from mtkit.errors import InputError
from mtkit.laboratory.watch_page import findings
from mtkit.smt.alignment import align
from mtkit.smt.alignment.align import ITERATIONS
from mtkit.smt.alignment.watch import watch
from mtkit.text.corpus import Corpus
from mtkit.text.stems import stem
from mtkit.text.tokenizer import WordTokenizer
from tests.support.alignments import aligned

E = [["the", "house"], ["the", "book"], ["a", "book"]]
F = [["das", "Haus"], ["das", "Buch"], ["ein", "Buch"]]


def test_model_1_converges_from_uniform() -> None:
    """The classical example: "the" explains "das", so "house" explains "Haus"."""
    found = watch(E, F, "house", iterations=40, best=2)
    assert found.words == ["Haus", "das"]
    assert found.t[0] == [0.25, 0.25]  # four words of the target language
    # By hand: "the", "house" and the empty word each explain a third of both words.
    assert found.t[1] == pytest.approx([0.5, 0.5])
    haus, das = zip(*found.t, strict=True)
    assert haus[-1] > 0.99
    assert list(haus[1:]) == sorted(haus[1:])
    assert das[-1] < 0.01
    assert found.perplexity[0] == pytest.approx(4 ** (6 / 9))  # six words, three sentence ends
    assert found.perplexity == sorted(found.perplexity, reverse=True)


def test_perplexity_is_of_target_words_and_ends() -> None:
    """With other lengths: Π_j 1/(I+1) Σ_i 1/V over six f's is still 1/V per word."""
    longer = [[*e, "x"] for e in E]
    assert watch(longer, F, "x").perplexity[0] == pytest.approx(4 ** (6 / 9))


def test_perplexity_equals_training(
    few: Corpus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Given stems and no prior, all iterations have the perplexities that train-smt stores."""
    tokens = few.train.tokens(WordTokenizer())
    stems = [[[stem(word) for word in line] for line in side] for side in tokens]
    shown = watch(*stems, stems[0][0][0], iterations=ITERATIONS).perplexity

    def trained(place: Path) -> list[float]:
        return aligned(place, *stems, "ibm1").forward.perplexity["ibm1"]

    # The first precedes the prior.
    assert trained(tmp_path / "a")[0] == pytest.approx(shown[0], rel=1e-9)
    monkeypatch.setattr(align, "ALPHA", 0.0)
    assert trained(tmp_path / "b") == pytest.approx(shown[:ITERATIONS], rel=1e-9)


def test_page_content() -> None:
    found = watch(E, F, "book", iterations=3)
    [shown] = findings("book", found).grids
    assert shown.columns == ("EM", "Perplexity", "Buch", *found.words[1:])
    assert [cell.text for cell in shown.rows[0]][:3] == ["0", "2.52", "0.2500"]
    assert len(shown.rows) == 4
    assert "How does Model 1 learn what “&lt;b&gt;” means?" in findings("<b>", found).as_html()


def test_missing_word_is_an_error() -> None:
    with pytest.raises(InputError, match="cat: the source text has no such word"):
        watch(E, F, "cat")
