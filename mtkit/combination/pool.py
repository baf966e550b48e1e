"""What a combination chooses among: the candidates of a sentence, and their features.

Candidates are the translations in the parts' lists, equal texts being one. Every part that can
says what it thinks of every candidate, whoever proposed it (see ``System.score``):

    lm         ln P(y)                  channel    ln P(x|y)               direct   ln P(y|x)
    model      what its search maximises: as in its list, else of the best derivation; of a
               candidate that it cannot make the lowest of the sentence, and
    unreached  is 1
    agreement  of the candidate with its list, see ``agreement``

and ``words``, the number of word tokens, belongs to no part. A network that translates the other
way round has no list, and its P(x|y) is its ``channel``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from mtkit.combination.agreement import agreement
from mtkit.combination.parts import Part
from mtkit.smt.flat import Float64, Int64
from mtkit.system import Hypothesis

OWN = "all"  # what the features of no part are filed under
MODELS = ("lm", "channel", "direct")  # of a ``Score``
Name = tuple[str, str]  # part, feature
Column = Float64  # (n,)


@dataclass(frozen=True, eq=False)
class Pool:
    """n candidates of S sentences, those of sentence s ``begin[s] : begin[s + 1]``.

    candidates: with their ``places`` in the lists. columns: the features.
    """

    begin: Int64  # (S + 1,)
    candidates: list[Hypothesis]
    columns: Mapping[Name, Column]

    def matrix(self, names: Iterable[Name]) -> Float64:
        """Some features, float64 (n, F)."""
        return np.stack([self.columns[name] for name in names], axis=1)


def build_pool(parts: Sequence[Part], sentences: Sequence[str]) -> Pool:
    """The candidates for raw ``sentences``; all parts work at once."""
    forward = [part for part in parts if not part.reverse]
    with ThreadPoolExecutor(len(parts)) as threads:
        proposed = threads.map(lambda p: p.system.translate(sentences, p.size), forward)
        lists = {part.name: of for part, of in zip(forward, proposed, strict=True)}
        united = [
            _unite({name: of[s] for name, of in lists.items()}) for s in range(len(sentences))
        ]
        begin = np.cumsum([0, *map(len, united)])
        rows = [(s, y) for s, of in enumerate(united) for y in of]
        pairs = [(sentences[s], y.text) for s, y in rows]

        def judge(part: Part) -> dict[str, Column]:
            if part.reverse:
                return _reverse(part, pairs)
            at = [(s, y.places.get(part.name)) for s, y in rows]
            own = [None if k is None else lists[part.name][s][k].score for s, k in at]
            return _forward(part, pairs, own, begin)

        judged = list(threads.map(judge, parts))
    columns = {(p.name, f): c for p, of in zip(parts, judged, strict=True) for f, c in of.items()}
    texts = [y.text for _, y in rows]
    listed = np.array([[p.name in y.places for p in forward] for _, y in rows], np.bool_)
    agreed = agreement(texts, begin, listed)
    columns |= {(p.name, "agreement"): agreed[:, k] for k, p in enumerate(forward)}
    columns[OWN, "words"] = np.array([len(y.tokens) for _, y in rows], float)
    return Pool(begin, [y for _, y in rows], columns)


def _unite(lists: Mapping[str, Sequence[Hypothesis]]) -> list[Hypothesis]:
    """The different translations of one sentence, part by part, with all their places."""
    by_text: dict[str, Hypothesis] = {}
    for name, hypotheses in lists.items():
        for place, hypothesis in enumerate(hypotheses):
            first = by_text.setdefault(hypothesis.text, replace(hypothesis, places={}))
            first.places.setdefault(name, place)
    return list(by_text.values())


def _forward(
    part: Part, pairs: Sequence[tuple[str, str]], own: Sequence[float | None], begin: Int64
) -> dict[str, Column]:
    """own: the score of each candidate in the part's list, if it is there."""
    scores = part.system.score(pairs, derive=False)
    columns = {
        name: np.array([p.value for p in values])
        for name in MODELS
        if None not in (values := [getattr(score, name) for score in scores])
    }
    models = [
        score.model if mine is None else mine for mine, score in zip(own, scores, strict=True)
    ]
    missing = [i for i, model in enumerate(models) if model is None]
    derived = part.system.score([pairs[i] for i in missing])
    for i, score in zip(missing, derived, strict=True):
        models[i] = score.model
    model = np.array(models, np.float64)  # NaN for None
    unreached = np.isnan(model)
    lowest = np.minimum.reduceat(np.where(unreached, np.inf, model), begin[:-1])
    lowest = np.repeat(np.where(np.isinf(lowest), 0.0, lowest), np.diff(begin))
    columns |= {"model": np.where(unreached, lowest, model), "unreached": unreached.astype(float)}
    return columns


def _reverse(part: Part, pairs: Sequence[tuple[str, str]]) -> dict[str, Column]:
    scores = part.system.score([(y, x) for x, y in pairs], derive=False)
    return {"channel": np.array([score.direct.value for score in scores if score.direct])}
