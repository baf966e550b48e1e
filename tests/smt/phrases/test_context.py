from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mtkit.smt.flat import read_only
from mtkit.smt.phrases import context_train
from mtkit.smt.phrases.context import UNIT
from tests.support.kernels import features, log_probabilities
from tests.support.lexicons import Bitext, learn, random_bitext


def translations(bitext: Bitext) -> list[tuple[int, int, int, int]]:
    """Return (s, t, sentence, a_t) of every target word, by definition."""
    found = []
    for k, (x, y, links) in enumerate(zip(*bitext, strict=True)):
        first = {j: min(i for i, m in links if m == j) for j in range(len(y)) if any(
            m == j for _, m in links)}  # fmt: skip
        for j, t in enumerate(y):
            before = [first[m] for m in range(j + 1) if m in first]
            behind = [first[m] for m in range(j, len(y)) if m in first]
            i = (before[-1:] or behind[:1] or [0])[0]
            found.append((x[i], t, k, i))
    return found


def sentences(bitext: Bitext) -> list[NDArray[np.int32]]:
    return read_only(np.array(sentence, np.int32) for sentence in bitext[0])


def dense(values: np.ndarray, places: int, hashes: list[int]) -> float:
    return sum(float(values[h % places]) for h in hashes)


@pytest.mark.parametrize("rivals", [2, 40])
def test_rivals_are_the_most_frequent_translations(
    rivals: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context_train, "RIVALS", rivals)
    bitext = random_bitext(1)
    lexicon = learn(tmp_path, bitext)
    counts = Counter((s, t) for s, t, _, _ in translations(bitext))
    for s in range(12):
        wanted = sorted((-n, t) for (given, t), n in counts.items() if given == s)[:rivals]
        found = lexicon.word[lexicon.row[s] : lexicon.row[s + 1]].tolist()
        assert found == [t for _, t in wanted]


@pytest.mark.parametrize("rivals", [3, 40])
def test_weights_equal_adagrad_in_plain_python(
    rivals: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context_train, "RIVALS", rivals)
    bitext = random_bitext(2)
    lexicon = learn(tmp_path, bitext)
    F = [features(sentence) for sentence in sentences(bitext)]
    seen = translations(bitext)
    moved = 0
    for t in range(12):
        w = np.zeros(lexicon.begin[t + 1] - lexicon.begin[t])
        squares = np.full(len(w), 1e-6)
        for _ in range(context_train.EPOCHS):
            for s, made, k, i in seen:
                choice = lexicon.word[lexicon.row[s] : lexicon.row[s + 1]]
                if t not in choice or made not in choice or len(choice) < 2:
                    continue
                near, far = F[k]
                seen_here = [*near[i].tolist(), *far]
                error = 1 / (1 + math.exp(-dense(w, len(w), seen_here))) - (made == t)
                if abs(error) > 0.01:
                    for f in seen_here:
                        g = error + context_train.DECAY * w[f % len(w)]
                        squares[f % len(w)] += g * g
                        w[f % len(w)] -= context_train.STEP * g / math.sqrt(squares[f % len(w)])
        kept = lexicon.weight[lexicon.begin[t] : lexicon.begin[t + 1]]
        np.testing.assert_allclose(kept / UNIT, w, atol=0.6 / UNIT)
        moved += np.abs(kept).sum()
    assert moved > 100


def test_probabilities_are_a_softmax_over_the_rivals(tmp_path: Path) -> None:
    lexicon = learn(tmp_path, random_bitext(3))
    [sentence] = read_only([np.array([5, 7, 5, 1, 9], np.int32)])  # 1 is unknown: it has no rivals
    begin, log_p = log_probabilities(sentence, lexicon)
    near, far = features(sentence)
    for i, s in enumerate(sentence):
        z = []
        for t in lexicon.word[lexicon.row[s] : lexicon.row[s + 1]]:
            w = lexicon.weight[lexicon.begin[t] : lexicon.begin[t + 1]] / UNIT
            z.append(dense(w, len(w), [*near[i].tolist(), *far]))
        p = np.exp(z) / np.exp(z).sum()
        np.testing.assert_allclose(np.exp(log_p[begin[i] : begin[i + 1]]), p, rtol=1e-4)
    assert begin[4] == begin[3]


def test_features_depend_on_word_distance_and_neighbour() -> None:
    first, second = read_only([np.array([4, 5, 6], np.int32), np.array([4, 5], np.int32)])
    (near, far), (other, others) = features(first), features(second)
    # The word itself, at distance 0, has the same feature at any position.
    assert near[0, 3] == other[0, 3] != near[1, 3]
    assert near[0, 2] == other[0, 2] != near[0, 1]  # before the sentence, by distance
    assert near[2, 4] != near[1, 4]
    assert near[0, 8] == other[0, 8] != near[1, 8]
    assert far[0] == others[0] != far[1]
    assert len({*near.ravel().tolist(), *other.ravel().tolist(), *far, *others}) > 20


def test_distant_words_matter(tmp_path: Path) -> None:
    """7 translates to 8 in sentences that begin with 4, to 9 in those that begin with 5."""
    between = [6, 10, 6, 10, 6, 10]
    source = [[first, *between, 7] for first in (4, 5)] * 30
    target = [[11] * 7 + [made] for made in (8, 9)] * 30
    links = [[(i, i) for i in range(8)]] * 60
    lexicon = learn(tmp_path, (source, target, links))
    for first, made in ((4, 8), (5, 9)):
        [sentence] = read_only([np.array([first, *between, 7], np.int32)])
        begin, log_p = log_probabilities(sentence, lexicon)
        rivals = lexicon.word[lexicon.row[7] : lexicon.row[8]].tolist()
        assert math.exp(log_p[begin[7] + rivals.index(made)]) > 0.9
