"""Word alignment of a corpus: both directions by one model, then symmetrisation.

Each model starts from a simpler one (Och & Ney 2003):

    ibm1        Model 1                                     from uniform t
    diagonal    Model 2 with a prior on the diagonal        from uniform t
    hmm         jumps from position to position             from ibm1
    fertility   the HMM with fertilities, by sampling       from diagonal

and gives P(a_j = i | f, e) of every place; f_j is linked to the i with the highest one. All models
replace words by their *stems*, the first letters without accents and case: a small corpus has too
few occurrences of most inflected forms, and the beginning of a word says more about its meaning
than the end (Fraser & Marcu 2005).

``Alignment.save_models`` makes a ``WordModel`` of whole words from each direction. Letters as in
``places``.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mtkit.smt.alignment import diagonal, fertility, hmm, ibm1
from mtkit.smt.alignment.direction import Direction, Learnt, Model, beginnings, drop, em, posteriors
from mtkit.smt.alignment.places import best_links
from mtkit.smt.alignment.symmetrize import Links, LinkSet, joined, symmetrize, with_probabilities
from mtkit.smt.alignment.word_model import build
from mtkit.smt.flat import Flat, Float64, Int32
from mtkit.storage.arrays import load, save
from mtkit.storage.stages import Outputs, Stages
from mtkit.text.shards import SIDES, Shards
from mtkit.text.stems import stem
from mtkit.text.vocabulary import SPECIALS, Vocabulary

ITERATIONS = 5  # of EM, for each model
ALPHA = 0.01  # Dirichlet prior of t in EM


class Aligner(NamedTuple):
    """An aligner: the models trained one after the other, each from the t of the one before."""

    models: dict[str, Model]  # trained by EM
    sampled: bool = False  # whether the HMM with fertilities follows

    @property
    def modules(self) -> set[str]:
        """Names of the modules that hold its kernels."""
        return {*self.models, *["fertility"] * self.sampled}


ALIGNERS = {
    "ibm1": Aligner({"ibm1": ibm1.MODEL}),
    "diagonal": Aligner({"diagonal": diagonal.MODEL}),
    "hmm": Aligner({"ibm1": ibm1.MODEL, "hmm": hmm.MODEL}),
    "fertility": Aligner({"diagonal": diagonal.MODEL}, sampled=True),
}


@dataclass(frozen=True)
class Trained:
    """One direction after training."""

    sides: tuple[str, str]  # e and f
    posteriors: Outputs  # P(a_j = i | f, e) of every place, float32 ``posterior``, of each shard
    jumps: Float64  # s of ``hmm``, its initial value if the model has no jumps
    perplexity: dict[str, list[float]]  # by model and iteration


@dataclass(frozen=True)
class Alignment:
    """A text with its links and both trained directions."""

    text: Shards
    directory: Path  # of the stages
    links: Outputs  # ``Links`` with probabilities, of each shard
    forward: Trained  # P(y|x)
    backward: Trained  # P(x|y)

    def save_models(self, workers: Stages, out: Path) -> None:
        """Write both directions as ``WordModels`` into ``out``, to align other text.

        Deletes the posteriors, from which they are made. workers: whose directory is not used.
        """
        for side in SIDES:
            shutil.copy(self.text.directory / f"{side}.json", out / f"{side}.json")
        for name, model in (("forward", self.forward), ("backward", self.backward)):
            stages = replace(workers, directory=self.directory / name)
            build(self.text, model.sides, model.posteriors, model.jumps, stages, out / name)
            stages.forget(model.posteriors.directory.name)

    def read_links(self) -> Links:
        """Return the links of the whole text."""
        return joined([Links.load(out) for out in self.links])


def align(
    text: Shards, stages: Stages, aligner: str = "fertility",
    heuristic: str = "grow-diag-final-and",
) -> Alignment:  # fmt: skip
    """Align the sentence pairs of ``text`` by one of ``ALIGNERS`` and one of ``HEURISTICS``."""
    [stems] = stages.run("stems", _stems, [(text,)])

    def train(name: str, sides: tuple[str, str], stages: Stages) -> Trained:
        return _train(text, sides, stems, aligner, stages.within(name))

    directions = partial(train, "forward", SIDES), partial(train, "backward", SIDES[::-1])
    forward, backward = stages.in_parallel(len(text), *directions)
    calls = [(text, heuristic, forward, backward, k) for k in range(len(text))]
    links = stages.run("links", _link, calls)
    return Alignment(text, stages.directory, links, forward, backward)


def _train(
    text: Shards, sides: tuple[str, str], stems: Path, aligner: str, stages: Stages
) -> Trained:
    """Train P(f|e) by one of ``ALIGNERS``; stems: directory with the class of each word."""
    classes = stems / f"{sides[0]}.npy", stems / f"{sides[1]}.npy"
    d = Direction.of(text, *sides, classes, stages)
    perplexities, learnt, name = dict[str, list[float]](), Learnt(None, None, []), ""
    models, sampled = ALIGNERS[aligner]
    f_words = text.tokens[SIDES.index(sides[1])]
    for name, model in models.items():
        learnt = em(d, stages, name, model, ITERATIONS, ALPHA, learnt.t)
        perplexities[name] = [perplexity(v, f_words, text.pairs) for v in learnt.likelihood]
    if sampled:
        posterior, jumps = fertility.sample(d, stages, models[name], learnt)
        jumps = hmm.fold_jumps(jumps)
    else:
        posterior = posteriors(d, stages, name, models[name], learnt)
        jumps = learnt.other if name == "hmm" else hmm.first_jumps()
    stages.forget("places", "keys", "slots")
    if learnt.t:
        drop(learnt.t, "t")
    return Trained(sides, posterior, jumps, perplexities)


# --- tasks


def _stems(into: Path, text: Shards) -> None:
    """Write the class of each word of both sides: the id of its stem."""
    save(into, **{side: stem_ids(text.vocabulary(side))[0] for side in SIDES})


def _link(
    into: Path, text: Shards, heuristic: str, forward: Trained, backward: Trained, k: int
) -> None:
    """Write the links of a shard, ``with_probabilities``."""
    x, y = (Flat.side(text, side, k) for side in SIDES)
    p_y, p_x = (load(model.posteriors[k] / "posterior.npy") for model in (forward, backward))
    to_x = best_links(p_y, beginnings(x, y), x.begin, y.begin)
    to_y = best_links(p_x, beginnings(y, x), y.begin, x.begin)
    with_probabilities(symmetrize(to_x, to_y, x, y, heuristic), p_y, p_x, x, y).save(into)


def stem_ids(words: Vocabulary) -> tuple[Int32, int]:
    """Return the id of each word's stem, int32 (V,), and the number of ids; specials keep ids."""
    ids, stems = dict[int | str, int](), map(stem, words.words[len(SPECIALS) :])
    specials = range(len(SPECIALS))  # not their spellings, which are stems of words such as <PAD>
    stem_of_word = [ids.setdefault(s, len(ids)) for s in (*specials, *stems)]
    return np.array(stem_of_word, np.int32), len(ids)


def perplexity(likelihood: float, words: int, sentences: int) -> float:
    """Return exp(−ln P(f|e) / N); N = words of f + one end per sentence."""
    return math.exp(-likelihood / (words + sentences))


def aer(links: Sequence[LinkSet], gold: Sequence[LinkSet]) -> tuple[float, float, float]:
    """Return alignment error rate (Och & Ney 2003), precision and recall, each from 0 to 1.

    All gold links count as sure. If there are no links at all, AER is 0.
    """
    n, n_gold = sum(map(len, links)), sum(map(len, gold))
    n_common = sum(len(a & g) for a, g in zip(links, gold, strict=True))
    error = 1 - 2 * n_common / (n + n_gold) if n + n_gold else 0.0
    return error, n_common / max(1, n), n_common / max(1, n_gold)
