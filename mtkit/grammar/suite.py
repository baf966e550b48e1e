"""Contrastive items, and how often a system scores the correct translation higher, by distance.

An item has a correct and a wrong translation that differ in one word, the *contrast*. A distant
word, its *governor*, decides which of the two is correct.

Each item has a mirror item. Both have the same words except for the governor and the contrast: if
one item's correct translation is ``weil der Junge … schläft`` and its wrong one ``weil der Junge …
schlafen``, the mirror's are ``weil die Frauen … schlafen`` and ``… schläft``. So the words around
the contrast, up to the governor, are correct as often as wrong, and a system that sees no further
reaches 50 %. An item adds little information to its mirror item, so the two count as one trial in
the interval of the accuracy (Wilson 1927).
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import pairwise, zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mtkit.errors import InputError
from mtkit.grammar.expand import Grammar, Sentence, pick, text
from mtkit.grammar.rules import TARGET, Phrase, Tree
from mtkit.text.lines import read_lines

TRIES = 20  # draws of an item, and of its mirror item for each
Z = 1.959963984540054  # the standard normal's 97.5 % quantile


@dataclass(frozen=True)
class Contrast:
    """One item. distance: number of words of ``right`` between the contrast and its governor."""

    source: str
    right: str
    wrong: str
    phenomenon: str
    distance: int


COLUMNS = [column.name for column in fields(Contrast)]


def suite(grammar: Grammar, seed: int, items: int, distances: Sequence[int]) -> list[Contrast]:
    """Draw about ``items`` items, an even number, each directly before or after its mirror item.

    They are spread evenly over the phenomena with a contrast and the distances that these allow. No
    source occurs twice. Fewer items are returned if the grammar has no more.
    """
    rng = np.random.default_rng(seed)
    rules = {
        name: contrasting
        for name, sentences in grammar.sentences.items()
        if (contrasting := [s for s in sentences if any(t.bracket == "<" for t in s.sides[TARGET])])
    }
    cells = [(name, distance) for distance in distances for name in rules]
    by_source: dict[str, Contrast] = {}
    while cells and len(by_source) < items:
        for name, distance in tuple(cells):
            if len(by_source) >= items:
                break
            if mirrored := _mirrored_items(grammar, rng, name, rules[name], distance, by_source):
                by_source |= {item.source: item for item in mirrored}
            else:
                cells.remove((name, distance))
    return list(by_source.values())


def _mirrored_items(
    grammar: Grammar, rng: np.random.Generator, phenomenon: str, rules: Sequence[Phrase],
    distance: int, sources: Container[str],
) -> tuple[Contrast, Contrast] | None:  # fmt: skip
    """Draw an item and its mirror item with new sources; None if no draw succeeds."""
    for _ in range(TRIES):
        drawn = grammar.draw(rng, phenomenon, pick(rng, rules), distance)
        mirror = _mirror(grammar, rng, drawn) if drawn else None
        if drawn and mirror:
            items = _item(grammar, drawn, mirror), _item(grammar, mirror, drawn)
            if not any(item.source in sources for item in items):
                return items
    return None


def _mirror(grammar: Grammar, rng: np.random.Generator, drawn: Sentence) -> Sentence | None:
    """Draw a governor that requires another form of the contrast; None if no draw succeeds."""
    target = drawn.rule.sides[TARGET]
    contrast, governor = ([t.bracket for t in target].index(bracket) for bracket in "<[")
    for _ in range(TRIES):
        governor_tree = grammar.choose(rng, target[governor].slots[0], set(drawn.tree.words()))
        parts = {**drawn.tree.parts, target[governor].slots[0]: [governor_tree]}
        mirror = grammar.spelled(drawn.phenomenon, Tree(drawn.rule, drawn.tree.features, parts))
        differing = {i for i in range(len(target)) if drawn.token(i) != mirror.token(i)}
        places = zip(drawn.places, mirror.places, strict=True)
        if differing == {governor, contrast} and all(
            drawn.words[place] != mirror.words[mirrored] for place, mirrored in places
        ):
            return mirror
    return None


def _item(grammar: Grammar, one: Sentence, other: Sentence) -> Contrast:
    """Return the item whose correct translation is ``one``, with the contrast of ``other``."""
    contrast = [token.bracket for token in one.rule.sides[TARGET]].index("<")
    right, wrong = grammar.pair(one), list(one.words)
    wrong[one.ends[contrast] - 1] = other.words[other.ends[contrast] - 1]
    return Contrast(right.source, right.target, text(wrong), right.phenomenon, right.distance)


def write_suite(items: Iterable[Contrast], path: Path) -> None:
    """Write a header, then one line per item, with TABs between the fields of ``Contrast``."""
    rows = [COLUMNS, *(map(str, astuple(item)) for item in items)]
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")


def read_suite(path: Path) -> list[Contrast]:
    """Read a table as ``write_suite`` writes it. Raises InputError naming a malformed line."""
    header, *lines = read_lines(path) or [""]
    if header.split("\t") != COLUMNS:
        raise InputError(f"{path}: line 1: expected the columns {' TAB '.join(COLUMNS)}")
    if not lines:
        raise InputError(f"{path}: no items after the header")
    items = []
    for number, cells in enumerate((line.split("\t") for line in lines), 2):
        where = f"{path}: line {number}"
        if len(cells) != len(COLUMNS):
            raise InputError(f"{where}: expected {len(COLUMNS)} columns, found {len(cells)}")
        source, right, wrong, phenomenon, distance = cells
        if not (distance.isascii() and distance.isdigit()):
            raise InputError(
                f"{where}: expected the distance as a whole number, found {distance!r}"
            )
        if right == wrong:
            raise InputError(f"{where}: the correct and the wrong translation are the same")
        items.append(Contrast(source, right, wrong, phenomenon, int(distance)))
    return items


def trials(items: Sequence[Contrast]) -> NDArray[np.int64]:
    """Return the trial of each item, from 0, int64 (N,).

    An item belongs to the trial of the item before it if that is its mirror item.
    """
    numbers, same_trial = [0], False
    for previous, current in pairwise(map(_differences, items)):
        same_trial = not same_trial and current == previous[::-1]
        numbers.append(numbers[-1] + (not same_trial))
    return np.array(numbers[: len(items)])


def _differences(item: Contrast) -> tuple[tuple[str, ...], ...]:
    """Return the words of ``right`` that differ, and the words of ``wrong`` in their place."""
    sides = zip_longest(item.right.split(), item.wrong.split(), fillvalue="")
    return tuple(zip(*(pair for pair in sides if pair[0] != pair[1]), strict=True))


@dataclass(frozen=True)
class Accuracy:
    """The share of correct answers, with its 95 % Wilson interval ``low`` to ``high``.

    nearest, farthest: the distances, in words, of the items. trials: see ``trials()``.
    """

    nearest: int
    farthest: int
    items: int
    trials: int
    share: float
    low: float
    high: float

    @classmethod
    def of(
        cls, points: NDArray[np.float64], distances: NDArray[np.int64], trials: NDArray[np.int64]
    ) -> Accuracy:
        """Compute it. points: ``preferences`` of the items. distances, trials: of each item."""
        n, share = len(np.unique(trials)), float(points.mean())
        span = int(distances.min()), int(distances.max())
        return cls(*span, len(points), n, share, *wilson(share, n))


def preferences(right: NDArray[np.float64], wrong: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 where the correct translation has the higher score, ½ for a tie, else 0."""
    return np.where(right == wrong, 0.5, right > wrong)


def accuracy_by_distance(
    right: NDArray[np.float64],
    wrong: NDArray[np.float64],
    distances: Sequence[int] | NDArray[np.int64],
    starts: Sequence[int] = (0, 2, 4, 7, 10, 14, 18, 25, 40),
    trials: NDArray[np.int64] | None = None,
) -> list[Accuracy]:
    """Return how often the correct translation scores higher, by group of distances; a tie is ½.

    right, wrong: scores of the two translations of each item, float64 (N,). distances: of each
    item, in words. starts: the first distance of each group, ascending; groups without items are
    left out. trials: the trial of each item, by default one each. Raises ValueError for arrays of
    different lengths, for scores that are not a number, and for an item before the first group.
    """
    gaps = np.asarray(distances)
    if not right.shape == wrong.shape == gaps.shape or right.ndim != 1:
        raise ValueError(f"{right.shape}, {wrong.shape}, {gaps.shape}: expected one entry an item")
    if np.isnan(right).any() or np.isnan(wrong).any():
        raise ValueError("a score that is not a number cannot be compared")
    points = preferences(right, wrong)
    group = np.searchsorted(starts, gaps, side="right") - 1
    if (group < 0).any():
        raise ValueError(f"the distance {gaps.min()} lies before the first group, from {starts[0]}")
    trials = np.arange(len(gaps)) if trials is None else trials
    masks = [group == g for g in np.unique(group)]
    return [Accuracy.of(points[mask], gaps[mask], trials[mask]) for mask in masks]


def wilson(share: float, n: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval of a probability, from the share of successes in n trials.

    Its ends are the p with (share − p)² = z² p (1 − p) / n.
    """
    spread = Z * math.sqrt(share * (1 - share) / n + (Z / (2 * n)) ** 2)
    middle = share + Z * Z / (2 * n)
    scale = 1 + Z * Z / n
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)
