from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mtkit.smt.alignment.symmetrize import Links
from mtkit.smt.flat import Flat, load_arrays, read_only, save_arrays
from mtkit.smt.phrases import context
from mtkit.smt.phrases.context import Lexicon, features, train
from tests.support.kernels import log_probabilities

Bitext = tuple[list[list[int]], list[list[int]], list[list[tuple[int, int]]]]


def flat_links(links: list[list[tuple[int, int]]]) -> Links:
    pairs = np.array([pair for s in links for pair in sorted(s)], np.int32).reshape(-1, 2)
    begin = np.cumsum([0, *map(len, links)])
    return Links(pairs[:, 0].copy(), pairs[:, 1].copy(), begin)


def random_bitext(seed: int, words: int = 12) -> Bitext:
    rng = np.random.default_rng(seed)
    source = [rng.integers(4, words, rng.integers(1, 8)).tolist() for _ in range(60)]
    target = [rng.integers(4, words, rng.integers(1, 8)).tolist() for _ in range(60)]
    links = [
        sorted({(int(rng.integers(len(x))), int(rng.integers(len(y)))) for _ in range(4)})
        for x, y in zip(source, target, strict=True)
    ]
    return source, target, links


def learn(bitext: Bitext, words: int = 12, threads: int = 1) -> Lexicon:
    source, target, links = bitext
    return train(Flat.of(source), Flat.of(target), flat_links(links), (words, words), threads)


def translations(bitext: Bitext) -> list[tuple[int, int, int, int]]:
    """(s, t, sentence, a_t) of every target word, by definition."""
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


def dense(values: np.ndarray, places: int, hashes: list[int]) -> float:
    return sum(float(values[h % places]) for h in hashes)


@pytest.mark.parametrize("rivals", [2, 40])
def test_rivals_are_the_most_frequent_translations(
    rivals: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "RIVALS", rivals)
    bitext = random_bitext(1)
    lexicon = learn(bitext)
    counts = Counter((s, t) for s, t, _, _ in translations(bitext))
    for s in range(12):
        wanted = sorted((-n, t) for (given, t), n in counts.items() if given == s)[:rivals]
        found = lexicon.word[lexicon.row[s] : lexicon.row[s + 1]].tolist()
        assert found == [t for _, t in wanted]


@pytest.mark.parametrize("rivals", [3, 40])
def test_weights_are_those_of_adagrad_step_by_step(
    rivals: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "RIVALS", rivals)
    bitext = random_bitext(2)
    source = Flat.of(bitext[0])
    lexicon = learn(bitext)
    local, bag = features(source.words, source.begin)
    seen = translations(bitext)
    moved = 0
    for t in range(12):
        w = np.zeros(lexicon.begin[t + 1] - lexicon.begin[t])
        squares = np.full(len(w), 1e-6)
        for _ in range(context.EPOCHS):
            for s, made, k, i in seen:
                choice = lexicon.word[lexicon.row[s] : lexicon.row[s + 1]]
                if t not in choice or made not in choice or len(choice) < 2:
                    continue
                begin = source.begin[k]
                F = [*local[begin + i].tolist(), *bag[begin : source.begin[k + 1]].tolist()]
                error = 1 / (1 + math.exp(-dense(w, len(w), F))) - (made == t)
                if abs(error) > context.SURE:
                    for f in F:
                        g = error + context.DECAY * w[f % len(w)]
                        squares[f % len(w)] += g * g
                        w[f % len(w)] -= context.STEP * g / math.sqrt(squares[f % len(w)])
        kept = lexicon.weight[lexicon.begin[t] : lexicon.begin[t + 1]]
        np.testing.assert_allclose(kept / context.UNIT, w, atol=0.6 / context.UNIT)
        moved += np.abs(kept).sum()
    assert moved > 100


def test_probabilities_are_a_softmax_over_the_rivals() -> None:
    lexicon = learn(random_bitext(3))
    [sentence] = read_only([np.array([5, 7, 5, 1, 9], np.int32)])  # 1 is unknown: it has no rivals
    begin, log_p = log_probabilities(sentence, lexicon)
    local, bag = features(sentence, np.array([0, 5]))
    for i, s in enumerate(sentence):
        z = []
        for t in lexicon.word[lexicon.row[s] : lexicon.row[s + 1]]:
            w = lexicon.weight[lexicon.begin[t] : lexicon.begin[t + 1]] / context.UNIT
            z.append(dense(w, len(w), [*local[i].tolist(), *bag.tolist()]))
        p = np.exp(z) / np.exp(z).sum()
        np.testing.assert_allclose(np.exp(log_p[begin[i] : begin[i + 1]]), p, rtol=1e-4)
    assert begin[4] == begin[3]


def test_features_tell_word_distance_and_neighbour_apart() -> None:
    [sentence] = read_only([np.array([4, 5, 6, 4, 5], np.int32)])
    local, bag = features(sentence, np.array([0, 3, 5]))
    assert local.shape == (5, context.LOCAL)
    # The sentence's own word at distance 0, the same wherever it stands; nothing beyond its ends.
    assert local[0, 3] == local[3, 3] != local[1, 3]
    assert local[0, 2] == local[3, 2] != local[0, 1]  # beyond the beginning, by distance
    assert local[2, 4] != local[1, 4]  # the next sentence is not seen
    assert local[0, 8] == local[3, 8] != local[1, 8]
    assert bag[0] == bag[3] != bag[1]
    assert len({*local.ravel().tolist(), *bag.tolist()}) > 20


def test_a_word_far_away_decides() -> None:
    """7 is made 8 where the sentence begins with 4, 9 where with 5; the rest is the same."""
    between = [6, 10, 6, 10, 6, 10]
    source = [[first, *between, 7] for first in (4, 5)] * 30
    target = [[11] * 7 + [made] for made in (8, 9)] * 30
    links = [[(i, i) for i in range(8)]] * 60
    lexicon = learn((source, target, links))
    for first, made in ((4, 8), (5, 9)):
        [sentence] = read_only([np.array([first, *between, 7], np.int32)])
        begin, log_p = log_probabilities(sentence, lexicon)
        rivals = lexicon.word[lexicon.row[7] : lexicon.row[8]].tolist()
        assert math.exp(log_p[begin[7] + rivals.index(made)]) > 0.9


def test_threads_change_nothing_and_saving_neither(tmp_path: Path) -> None:
    bitext = random_bitext(5)
    a, b = learn(bitext), learn(bitext, threads=3)
    save_arrays(tmp_path, **a._asdict())
    for other in (b, load_arrays(tmp_path, Lexicon)):
        for x, y in zip(a, other, strict=True):
            np.testing.assert_array_equal(x, y)
            assert not y.flags.writeable
