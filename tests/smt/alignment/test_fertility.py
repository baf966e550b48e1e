from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mtkit.smt.alignment import fertility as fe
from mtkit.smt.alignment import ibm1
from mtkit.smt.alignment.direction import Direction, em
from mtkit.smt.alignment.places import Places
from mtkit.smt.flat import Flat
from mtkit.storage.arrays import load, save
from mtkit.storage.stages import Stages
from tests.support.kernels import outer
from tests.support.phrase_tables import shards_of

E = [[1, 2], [2, 2, 3], [1], [3, 1, 2, 4], [2, 4]]
F = [[1, 2, 1], [3, 3], [2, 1], [1, 2, 3], [3]]
SIZE = 5


class Twin:
    """A simple sampler that recounts all links for every draw."""

    def __init__(self, a: list[list[int]], seed: int) -> None:
        self.a, self.state = a, seed

    def uniform(self) -> float:
        """Return the next SplitMix64 number."""
        mask = 2**64 - 1
        self.state = z = (self.state + 0x9E3779B97F4A7C15) & mask
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return ((z ^ (z >> 31)) >> 11) / 2**53

    def links(self, skip: tuple[int, int]) -> list[tuple[int, int]]:
        """Return (e, f) of all links but ``skip``."""
        return [
            ([0, *E[s]][i], F[s][j])
            for s, links in enumerate(self.a)
            for j, i in enumerate(links)
            if (s, j) != skip
        ]

    def jumps(self) -> dict[int, float]:
        longest = max(map(len, E)) + 1
        counts = dict.fromkeys(range(-longest, longest + 1), fe.JUMP_PRIOR)
        for e, links in zip(E, self.a, strict=True):
            path = [0, *(i for i in links if i), len(e) + 1]
            for m, i in pairwise(path):
                counts[i - m] += 1
        return {d: n / sum(counts.values()) for d, n in counts.items()}

    def fertilities(self) -> dict[int, list[float]]:
        F_e = {e: [fe.FERTILITY_PRIOR] * (fe.MAX_FERTILITY + 1) for e in range(SIZE)}
        for e, links in zip(E, self.a, strict=True):
            for i, word in enumerate(e, 1):
                F_e[word][links.count(i)] += 1
        return F_e

    def sweep(self) -> list[np.ndarray]:
        """Draw every link; return the distributions used, [j, i] of each sentence."""
        meets = {e: {f for es, fs in zip(E, F, strict=True) for f in fs if e in [0, *es]}
                 for e in range(SIZE)}  # fmt: skip
        jump, F_e = self.jumps(), self.fertilities()
        drawn = []
        for s, (e, f) in enumerate(zip(E, F, strict=True)):
            words = [0, *e]
            drawn.append(np.zeros((len(f), len(words))))
            for j in range(len(f)):
                links = self.links((s, j))
                before = [i for i in self.a[s][:j] if i]
                behind = [i for i in self.a[s][j + 1 :] if i]
                m, m2 = (before or [0])[-1], (behind or [len(e) + 1])[0]
                p = []
                for i, word in enumerate(words):
                    n = links.count((word, f[j])) + fe.ALPHA
                    N = sum(w == word for w, _ in links) + fe.ALPHA * len(meets[word])
                    phi = sum(k == i for x, k in enumerate(self.a[s]) if x != j)
                    if i == 0:
                        p.append(fe.EMPTY_WORD * n / N * jump[m2 - m])
                    else:
                        gain = F_e[word][phi + 1] / F_e[word][phi]
                        p.append((1 - fe.EMPTY_WORD) * n / N * jump[i - m] * jump[m2 - i] * gain)
                drawn[s][j] = np.array(p) / sum(p)
                edges = np.cumsum(drawn[s][j])
                self.a[s][j] = min(int(np.searchsorted(edges, self.uniform(), "right")), len(e))
        return drawn


@pytest.mark.parametrize("seed", range(4))
def test_draws_use_the_distribution_of_the_equation(seed: int) -> None:
    # Sentence 1 repeats a word; the sampler updates the other occurrence later.
    repeats = {1}
    e, f = Flat.of(E), Flat.of(F)
    places = Places.of(e, f, SIZE, SIZE)
    rng = np.random.default_rng(seed)
    links = [rng.integers(0, len(es) + 1, len(fs)).tolist() for es, fs in zip(E, F, strict=True)]
    a = np.array([i for s in links for i in s], np.int32)
    L = max(map(len, E)) + 1
    n, jumps, F_e = (counts.squeeze() for counts in fe._count(places, a[None], L))
    N, jumps = np.add.reduceat(n, places.row[:-1]), jumps + fe.JUMP_PRIOR
    prior = fe.ALPHA * np.diff(places.row).astype(np.float32)
    posterior = np.zeros(len(places.entry), np.float32)
    share = (jumps / jumps.sum()).astype(np.float32)
    gains = fe._gains(F_e + np.float32(fe.FERTILITY_PRIOR), 0)
    fe._sweep(places, a, n, N, prior, share, gains, np.array([seed], np.uint64), posterior)

    drawn = Twin(links, seed).sweep()
    for s, wanted in enumerate(drawn):
        if s in repeats:
            continue
        found = posterior[places.begin[s] : places.begin[s + 1]].reshape(wanted.shape)
        np.testing.assert_allclose(found, wanted, rtol=2e-5)
    assert a.tolist() == [i for s in links for i in s]  # Twin changed ``links``
    n_after = fe._count(places, a[None], L).n[:, 0]
    np.testing.assert_array_equal(n, n_after)
    np.testing.assert_array_equal(N, np.add.reduceat(n_after, places.row[:-1]))


@pytest.mark.parametrize("cut", [1, 3])
def test_the_posterior_of_every_word_sums_to_one(cut: int, tmp_path: Path) -> None:
    stages = Stages(tmp_path / "stages", workers=3)
    text = shards_of(tmp_path / "text", Flat.of(E), Flat.of(F), cut)
    save(tmp_path, classes=np.arange(SIZE, dtype=np.int32))
    d = Direction.of(text, "source", "target", (tmp_path / "classes.npy",) * 2, stages)
    learnt = em(d, stages, "ibm1", ibm1.MODEL, 1, 0.0)
    found, jumps = fe.sample(d, stages, ibm1.MODEL, learnt)
    posterior = np.concatenate([load(out / "posterior.npy") for out in found])
    begin = Places.of(Flat.of(E), Flat.of(F), SIZE, SIZE).begin
    for s, (es, fs) in enumerate(zip(E, F, strict=True)):
        rows = posterior[begin[s] : begin[s + 1]].reshape(len(fs), len(es) + 1)
        np.testing.assert_allclose(rows.sum(1), 1, rtol=1e-5)
    words = sum(map(len, F)) + len(F)
    counted = jumps.sum() - fe.JUMP_PRIOR * len(jumps) * fe.SAMPLERS * fe.KEPT_SWEEPS
    assert 0 < counted <= words * fe.SAMPLERS * fe.KEPT_SWEEPS


def test_draws_follow_their_weights() -> None:
    random = np.array([3], np.uint64)
    p, pick = np.array([0.2, 0.0, 0.5, 0.3], np.float32), outer(fe._pick)
    drawn = np.bincount([pick(p, 1.0, random) for _ in range(20_000)], minlength=4) / 20_000
    np.testing.assert_allclose(drawn, p, atol=0.015)
