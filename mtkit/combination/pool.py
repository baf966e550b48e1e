"""The candidates of a sentence in a combination, and their features.

The *parts* of a combination are its systems. Candidates are translations in the parts' n-best
lists, without duplicate texts: from each list the first ``FIRST``, and the ``AGREEING`` that agree
best with the other lists. More candidates make the oracle better but not the choice. The
``PARENTS`` of these that agree best with all lists are crossed (``crossing``), and the best
``CHILDREN`` crossings by the same measure are added. Each part gives features to every candidate,
whichever part proposed it (see ``System.score``):

    model      what its search maximises: the score of the best derivation, which a statistical
               system knows of its own candidates, or the mean of ln p; for a candidate that it
               cannot produce, the lowest ``model`` among the sentence's candidates
    unreached  1 for a candidate that it cannot produce, otherwise 0
    direct     ln P(y|x), from a network
    agreement  of the candidate with its list, see ``agreement``

The feature ``words``, the number of word tokens, belongs to no part. A network of the reverse
direction has no list and one feature, ``channel``: ln P(x|y). The n-gram model and the word models
of a statistical system did not improve the choice (figures in docs/combining.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtkit.combination.agreement import agreement
from mtkit.combination.crossing import crossings
from mtkit.combination.parts import Part
from mtkit.smt.flat import Float64, Int64
from mtkit.smt.system import SmtSystem
from mtkit.system import Hypothesis
from mtkit.text.tokenizer import WordTokenizer

SHARED = "all"  # name in place of a part for features that belong to none
FIRST, AGREEING = 2, 6
PARENTS, CHILDREN = 6, 6
Name = tuple[str, str]  # part, feature
Column = Float64  # (n,)


@dataclass(frozen=True, eq=False)
class Pool:
    """n candidates of S sentences; sentence s has ``begin[s] : begin[s + 1]``.

    candidates: with their ``places`` in the lists. columns: (part, feature) → values (n,).
    """

    begin: Int64  # (S + 1,)
    candidates: list[Hypothesis]
    columns: Mapping[Name, Column]

    def matrix(self, names: Iterable[Name]) -> Float64:
        """Return the features ``names``, float64 (n, F). Raises KeyError for a missing one."""
        return np.stack([self.columns[name] for name in names], axis=1)


def build_pool(parts: Sequence[Part], sentences: Sequence[str], tokenizer: WordTokenizer) -> Pool:
    """Return candidates and features for raw ``sentences``.

    Parts run one after the other, each on all cores; in parallel Python's lock would slow them.
    """
    lists = {p.name: p.system.translate(sentences, p.size) for p in parts if not p.reverse}
    proposed = [_join({p: n_best[s] for p, n_best in lists.items()}) for s in range(len(sentences))]
    candidates, agreements = _shortlist(proposed, list(lists), tokenizer)
    begin = np.cumsum([0, *map(len, candidates)])
    pairs = [(x, y.text) for x, row in zip(sentences, candidates, strict=True) for y in row]
    by_part = dict[str, dict[str, Column]]()
    for part in parts:
        searched = isinstance(part.system, SmtSystem)
        known = _scores(sentences, lists[part.name]) if searched else {}
        by_part[part.name] = _features_of(part, pairs, begin, known)
    columns = {(p, f): column for p, features in by_part.items() for f, column in features.items()}
    columns |= {(name, "agreement"): agreements[:, k] for k, name in enumerate(lists)}
    hypotheses = [y for row in candidates for y in row]
    columns[SHARED, "words"] = np.array([len(y.tokens) for y in hypotheses], float)
    return Pool(begin, hypotheses, columns)


def _shortlist(
    proposed: Sequence[Sequence[Hypothesis]], names: Sequence[str], tokenizer: WordTokenizer
) -> tuple[list[list[Hypothesis]], Float64]:
    """Select candidates from those ``proposed`` for each sentence and add crossings.

    Returns the candidates by sentence, and the agreement of all n with each list, (n, P).
    """
    shortlist, extended = list[Int64](), list[list[Hypothesis]]()
    for hypotheses, scores in zip(proposed, _agreements(proposed, names), strict=True):
        listed = np.array([[name in y.places for name in names] for y in hypotheses])
        mask = np.array([min(y.places.values()) < FIRST for y in hypotheses])
        for p in range(len(names)):
            with_others = np.where(listed[:, p], np.delete(scores, p, axis=1).sum(1), -np.inf)
            mask[_best(with_others, min(AGREEING, listed[:, p].sum()))] = True
        selected = np.flatnonzero(mask)
        parents = selected[_best(scores[selected].sum(1), PARENTS)].tolist()
        texts = {y.text for y in hypotheses}
        children = crossings([hypotheses[i] for i in parents], tokenizer)
        shortlist.append(selected)
        extended.append([*hypotheses, *(y for y in children if y.text not in texts)])
    candidates, agreements = list[list[Hypothesis]](), list[Float64]()
    for s, scores in enumerate(_agreements(extended, names)):
        n = len(proposed[s])
        rows = np.concatenate([shortlist[s], n + _best(scores[n:].sum(1), CHILDREN)])
        candidates.append([extended[s][i] for i in rows.tolist()])
        agreements.append(scores[rows])
    return candidates, np.concatenate(agreements)


def _agreements(candidates: Sequence[Sequence[Hypothesis]], names: Sequence[str]) -> list[Float64]:
    """Return the agreement with each list, one array (number of candidates, P) per sentence."""
    hypotheses = [y for group in candidates for y in group]
    listed = np.array([[name in y.places for name in names] for y in hypotheses])
    begin = np.cumsum([0, *map(len, candidates)])
    return np.split(agreement([y.text for y in hypotheses], begin, listed), begin[1:-1])


def _best(values: Float64, k: int) -> Int64:
    """Return the indices of the ``k`` largest values, largest first."""
    return np.argsort(-values, kind="stable")[:k]


def _join(lists: Mapping[str, Sequence[Hypothesis]]) -> list[Hypothesis]:
    """Merge the lists of one sentence; equal texts become one, with its places in all lists."""
    by_text: dict[str, Hypothesis] = {}
    for name, hypotheses in lists.items():
        for place, hypothesis in enumerate(hypotheses):
            merged = by_text.setdefault(hypothesis.text, replace(hypothesis, places={}))
            merged.places.setdefault(name, place)
    return list(by_text.values())


def _scores(
    sentences: Sequence[str], lists: Sequence[Sequence[Hypothesis]]
) -> dict[tuple[str, str], float]:
    """Return the scores of all hypotheses by sentence and text."""
    rows = zip(sentences, lists, strict=True)
    return {(x, y.text): y.score for x, hypotheses in rows for y in hypotheses}


def _features_of(
    part: Part, pairs: Sequence[tuple[str, str]], begin: Int64,
    known: dict[tuple[str, str], float],
) -> dict[str, Column]:  # fmt: skip
    """Return the part's features for (sentence, candidate) pairs: feature → values (n,).

    known: ``model`` of the part's own hypotheses, from its search; {} for a network, whose search
    may have found them in another segmentation.
    """
    if part.reverse:
        scores = part.system.score([(y, x) for x, y in pairs], brief=True)
        return {"channel": np.array([score.direct.value for score in scores if score.direct])}
    others = [pair for pair in pairs if pair not in known]
    scores = part.system.score(others, brief=True)
    columns = dict[str, Column]()
    if not known and all(score.direct for score in scores):
        columns["direct"] = np.array([score.direct.value for score in scores if score.direct])
    by_pair = known | {pair: score.model for pair, score in zip(others, scores, strict=True)}
    model = np.array([by_pair[pair] for pair in pairs], np.float64)  # NaN for None
    unreached = np.isnan(model)
    lowest = np.minimum.reduceat(np.where(unreached, np.inf, model), begin[:-1])
    lowest = np.repeat(np.where(np.isinf(lowest), 0.0, lowest), np.diff(begin))
    columns |= {"model": np.where(unreached, lowest, model), "unreached": unreached.astype(float)}
    return columns
