"""Which systems the outputs of a combination come from, BLEU by origin, and BLEU of the oracle.

Every output has one of these origins:

    first in all lists       every system ranks it first
    first in p's list        only p ranks it first
    first in several lists   several systems rank it first, but not every one
    in p's list              only the list of p contains it, and not first
    in several lists         several lists contain it, none of them first
    crossed                  no list contains it: two candidates were crossed
    in pieces or copied      the sentence was too long to be translated at once, or it is blank or
                             one long word
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

from mtkit.combination.system import Combination, is_accepted
from mtkit.combination.tune import counts, oracle
from mtkit.evaluation.statistics import Lines, Statistics
from mtkit.system import Hypothesis
from mtkit.text.corpus import Bitext

FIRST_OF_ALL, FIRST_OF_SEVERAL = "first in all lists", "first in several lists"
SEVERAL = "in several lists"
CROSSED, APART = "crossed", "in pieces or copied"


@dataclass(frozen=True)
class Chosen:
    """The choices of a combination for the N sentences of a test set."""

    places: Sequence[Mapping[str, int] | None]  # system → its rank, from 0; None: apart
    alone: Mapping[str, Lines]  # the first translation of each system
    oracle: Lines  # the candidates of the highest sentence BLEU
    candidates: float  # mean number per sentence

    @classmethod
    def of(cls, system: Combination, best: Sequence[Hypothesis], test: Bitext) -> Chosen:
        """Collect the choices of ``system`` on ``test``. best: its outputs."""
        words = system.tokenize(test.source)
        short = [i for i, line in enumerate(words) if is_accepted(line)]
        accepted = set(short)
        places = [
            h.places if h.pieces == 1 and (h.places or i in accepted) else None
            for i, h in enumerate(best)
        ]
        outputs = [h.text for h in best]
        alone = {part.name: list(outputs) for part in system.used_parts if not part.reverse}
        if not short:
            return cls(places, alone, outputs, 0.0)
        pool = system.pool([words[i] for i in short])
        references = system.tokenize([test.target[i] for i in short])
        rows = oracle(pool.begin, counts(pool, references)).tolist()
        best_texts = list(outputs)
        for i, row in zip(short, rows, strict=True):
            best_texts[i] = pool.candidates[row].text
        for k, i in enumerate(short):
            for y in pool.candidates[pool.begin[k] : pool.begin[k + 1]]:
                for name in (name for name, place in y.places.items() if place == 0):
                    alone[name][i] = y.text
        return cls(places, alone, best_texts, len(pool.candidates) / len(short))


@dataclass(frozen=True)
class Origin:
    """The outputs of one origin: BLEU on these sentences of the combination and of each system."""

    label: str
    sentences: int
    bleu: float
    alone: dict[str, float]


@dataclass(frozen=True)
class Choices:
    """All origins that occur; candidates per sentence; BLEU and chrF of the oracle.

    sole_part: the system that got all the weight and whose translations are the combination's; an
    empty string if several systems have a weight.
    """

    origins: list[Origin]
    candidates: float
    oracle: dict[str, float]
    sole_part: str = ""


def choices(chosen: Chosen, rows: Statistics) -> Choices:
    """Score the outputs by origin. rows: statistics of the combination's outputs."""
    scorer, names = rows.scorer, list(chosen.alone)
    alone = {name: scorer.count(lines, ["bleu"]) for name, lines in chosen.alone.items()}
    labels = [origin(places, names) for places in chosen.places]
    order = [FIRST_OF_ALL, *map(_first, names), FIRST_OF_SEVERAL, *map(_listed, names)]
    origins = [
        Origin(
            label, len(sentences), rows.score("bleu", sentences),
            {name: statistics.score("bleu", sentences) for name, statistics in alone.items()},
        )
        for label in (*order, SEVERAL, CROSSED, APART)
        if (sentences := [i for i, output_label in enumerate(labels) if output_label == label])
    ]  # fmt: skip
    oracle_rows = scorer.count(chosen.oracle, ["bleu", "chrf"])
    oracle_scores = {metric: oracle_rows.score(metric) for metric in oracle_rows.rows}
    return Choices(origins, chosen.candidates, oracle_scores, names[0] if len(names) == 1 else "")


def origin(places: Mapping[str, int] | None, names: Sequence[str]) -> str:
    """Return the origin of an output; see the head of the module."""
    if places is None:
        return APART
    first = [name for name in names if places.get(name) == 0]
    if len(first) == len(names):
        return FIRST_OF_ALL
    if first:
        return _first(first[0]) if len(first) == 1 else FIRST_OF_SEVERAL
    if len(places) > 1:
        return SEVERAL
    return _listed(next(iter(places))) if places else CROSSED


def _first(name: str) -> str:
    return f"first in {name}'s list"


def _listed(name: str) -> str:
    return f"in {name}'s list"


def helpful_choices(
    name: str, chosen: Chosen, chrf: Sequence[float], rows: Statistics
) -> Iterator[list[tuple[int, str]]]:
    """Yield, for each ordered pair of systems, sentences where the choice of the first one helped.

    These are (row, reason), the largest gain first: outputs that the first system ranks first and
    the other does not, with a higher chrF than the other's own. chrf: of the combination ``name``.
    """
    alone = {
        n: rows.scorer.count(lines, ["chrf"]).by_sentence("chrf")
        for n, lines in chosen.alone.items()
    }
    for system, other in permutations(chosen.alone, 2):
        gains = {
            i: chrf[i] - alone[other][i]
            for i, places in enumerate(chosen.places)
            if places and places.get(system) == 0 and places.get(other) != 0
            if chrf[i] > alone[other][i]
        }
        yield [
            (i, f"{name} chose {system}'s translation: {gains[i]:.1f} chrF above {other}'s")
            for i in sorted(gains, key=lambda i: -gains[i])
        ]
