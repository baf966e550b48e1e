"""Word alignment of a corpus: both directions by one model, then symmetrised.

Each model starts from a simpler one (Och & Ney 2003):

    ibm1        Model 1                                     from uniform t
    diagonal    Model 2 with a prior on the diagonal        from uniform t
    hmm         jumps from position to position             from ibm1
    fertility   the HMM and fertilities, sampled            from diagonal

and ends in P(a_j = i | f, e) of every place; f_j is linked to the i where that is largest. All see
words by their *stems*, the first letters without accents and case: a small corpus knows few
inflected forms well, and the beginning of a word says more of its meaning than the end (Fraser &
Marcu 2005).

What a direction has learnt becomes a ``WordModel`` of whole words for whoever asks for it.

Letters as in ``places``; e is what is given, f what is explained.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import NamedTuple

import numpy as np

from mtkit.smt.alignment import diagonal, fertility, hmm, ibm1
from mtkit.smt.alignment.places import Places, best_links, link_counts, maximise
from mtkit.smt.alignment.symmetrize import Links, LinkSet, rated, symmetrize
from mtkit.smt.alignment.word_model import WordModel, WordModels
from mtkit.smt.flat import Flat, Float32, Float64, Int32
from mtkit.text.stems import stem
from mtkit.text.vocabulary import SPECIALS, Sentences, Vocabulary

ITERATIONS = 5  # of EM, each model
ALPHA = 0.01  # Dirichlet prior of t in EM


class Learnt(NamedTuple):
    """What an aligner finds out of one direction."""

    posterior: Float32  # P(a_j = i | f, e) of every place
    jumps: Float64  # s of ``hmm``, its start where the model has no jumps
    likelihood: dict[str, list[float]]  # ln P(f|e) by model and iteration


@dataclass(frozen=True)
class Direction:
    """One direction after training."""

    e: Flat  # ids of words
    f: Flat
    sizes: tuple[int, int]  # numbers of ids
    learnt: Learnt
    best: Int32  # a_j − 1 of every f_j

    def model(self) -> WordModel:
        """P(f|e) of whole words."""
        places = Places.of(self.e, self.f, *self.sizes)
        t = link_counts(self.learnt.posterior, places.entry, len(places.column))
        maximise(t, places.row, 0.0)
        return WordModel.of(t, places, self.learnt.jumps, self.sizes[1])


@dataclass(frozen=True)
class Alignment:
    """A corpus as ids of ``words``, its links, and what was learnt in finding them."""

    source: Flat
    target: Flat
    words: tuple[Vocabulary, Vocabulary]
    links: Links
    forward: Direction  # P(y|x)
    backward: Direction  # P(x|y)
    threads: int = 2

    @cached_property
    def models(self) -> WordModels:
        """Both directions, to align other text by; links alone can do without."""
        directions = self.forward, self.backward
        with ThreadPoolExecutor(min(2, self.threads)) as pool:
            return WordModels(*self.words, *pool.map(Direction.model, directions))


def align(
    source: Sentences, target: Sentences, aligner: str = "fertility",
    heuristic: str = "grow-diag-final-and", threads: int = 2,
) -> Alignment:  # fmt: skip
    """Align tokenised sentences that correspond, by one of ``ALIGNERS`` and ``HEURISTICS``.

    The two directions share nothing and run side by side, each with half of the threads; of one
    thread one after the other.
    """
    words = Vocabulary.build(source), Vocabulary.build(target)
    x, y = Flat.of(source, words[0].encode), Flat.of(target, words[1].encode)
    with ThreadPoolExecutor(min(2, threads)) as pool:
        forward, backward = pool.map(
            train_direction, (x, y), words, (y, x), words[::-1], [aligner] * 2, [threads // 2] * 2
        )
    links = symmetrize(forward.best, backward.best, x, y, heuristic)
    links = rated(links, forward.learnt.posterior, backward.learnt.posterior, x, y)
    return Alignment(x, y, words, links, forward, backward, threads)


def train_direction(
    e: Flat, e_words: Vocabulary, f: Flat, f_words: Vocabulary, aligner: str, threads: int = 1
) -> Direction:
    """Train P(f|e) by one of ``ALIGNERS``; at least one thread is taken."""
    (e_stem, e_size), (f_stem, f_size) = stem_ids(e_words), stem_ids(f_words)
    stems = Flat(e_stem[e.words], e.begin), Flat(f_stem[f.words], f.begin)
    places = Places.of(*stems, e_size, f_size)
    learnt = ALIGNERS[aligner].learn(places, max(1, threads))
    best = best_links(learnt.posterior, places.begin, places.e_begin, places.f_begin)
    return Direction(e, f, (len(e_words), len(f_words)), learnt, best)


def _ibm1(places: Places, threads: int) -> tuple[Float64, list[float]]:
    steps = list(islice(ibm1.ibm1(places, ALPHA, threads), ITERATIONS))
    return steps[-1][0], [likelihood for _, likelihood in steps]


def _by_ibm1(places: Places, threads: int) -> Learnt:
    t, likelihood = _ibm1(places, threads)
    return Learnt(ibm1.posterior(places, t), hmm.first_jumps(), {"ibm1": likelihood})


def _by_hmm(places: Places, threads: int) -> Learnt:
    t, first = _ibm1(places, threads)
    t, jumps, second = hmm.hmm(places, t, ITERATIONS, ALPHA, threads)
    return Learnt(hmm.posterior(places, t, jumps), jumps, {"ibm1": first, "hmm": second})


def _by_diagonal(places: Places, threads: int) -> Learnt:
    t, tension, likelihood = diagonal.diagonal(places, ITERATIONS, ALPHA, threads)
    posterior = diagonal.posterior(places, t, tension)
    return Learnt(posterior, hmm.first_jumps(), {"diagonal": likelihood})


def _by_fertility(places: Places, threads: int) -> Learnt:
    start = _by_diagonal(places, threads)
    posterior, jumps = fertility.sample(places, start.posterior, threads)
    return Learnt(posterior, hmm.fold_jumps(jumps), start.likelihood)


class Aligner(NamedTuple):
    """learn: of the places of one direction, with so many threads; modules: of its kernels."""

    learn: Callable[[Places, int], Learnt]
    modules: set[str]


ALIGNERS = {
    "ibm1": Aligner(_by_ibm1, {"ibm1"}),
    "diagonal": Aligner(_by_diagonal, {"diagonal"}),
    "hmm": Aligner(_by_hmm, {"ibm1", "hmm"}),
    "fertility": Aligner(_by_fertility, {"diagonal", "fertility"}),
}


def stem_ids(words: Vocabulary) -> tuple[Int32, int]:
    """The id of each word's stem, int32 (V,), and the number of ids; specials keep theirs."""
    ids, stems = dict[str, int](), map(stem, words.words[len(SPECIALS) :])
    numbers = [ids.setdefault(s, len(ids)) for s in (*SPECIALS, *stems)]
    return np.array(numbers, np.int32), len(ids)


def perplexity(likelihood: float, f: Flat) -> float:
    """exp(−ln P(f|e) / N), N the words of f and one end a sentence."""
    return math.exp(-likelihood / (len(f.words) + len(f)))


def aer(links: Sequence[LinkSet], gold: Sequence[LinkSet]) -> tuple[float, float, float]:
    """Alignment error rate, precision, recall where all gold links are sure (Och & Ney 2003).

    Without any link on either side there is no error: AER 0.
    """
    n, n_gold = sum(map(len, links)), sum(map(len, gold))
    both = sum(len(a & g) for a, g in zip(links, gold, strict=True))
    error = 1 - 2 * both / (n + n_gold) if n + n_gold else 0.0
    return error, both / max(1, n), both / max(1, n_gold)
