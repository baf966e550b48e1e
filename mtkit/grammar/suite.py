"""Contrastive items: a right and a wrong translation that differ in one word, which a word far off
decides; and how often a system that scores both prefers the right one, by distance.

Each item has a mirror item. Both have the same words, but for the governor, and for the word that
depends on it: where one item's right translation is ``weil der Junge … schläft``, its wrong one
``weil der Junge … schlafen``, the mirror's are ``weil die Frauen … schlafen`` and ``… schläft``. So
what stands around the contrast, as far as the governor, is right as often as wrong, and who sees no
further is right in half of the cases. An item says little that its mirror item does not, so the two
are one trial of the share's interval (Wilson 1927).
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

TRIES = 20  # draws of an item, and of its mirror item
Z = 1.959963984540054  # the standard normal's 97.5 % quantile


@dataclass(frozen=True)
class Contrast:
    """One item. distance: the words of ``right`` between the contrast and its governor."""

    source: str
    right: str
    wrong: str
    phenomenon: str
    distance: int


COLUMNS = [column.name for column in fields(Contrast)]


def suite(grammar: Grammar, seed: int, items: int, distances: Sequence[int]) -> list[Contrast]:
    """About ``items`` items, an even number, each directly before or behind its mirror item; spread
    evenly over the phenomena with a contrast and the distances these can have; no source comes
    twice. Fewer come back where the grammar makes no more.
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
            if twins := _twins(grammar, rng, name, rules[name], distance, by_source):
                by_source |= {item.source: item for item in twins}
            else:
                cells.remove((name, distance))
    return list(by_source.values())


def _twins(
    grammar: Grammar, rng: np.random.Generator, phenomenon: str, rules: Sequence[Phrase],
    distance: int, known: Container[str],
) -> tuple[Contrast, Contrast] | None:  # fmt: skip
    """An item and its mirror item with new sources, or None where none turned up."""
    for _ in range(TRIES):
        one = grammar.draw(rng, phenomenon, pick(rng, rules), distance)
        other = _mirror(grammar, rng, one) if one else None
        if one and other:
            twins = _item(grammar, one, other), _item(grammar, other, one)
            if not any(item.source in known for item in twins):
                return twins
    return None


def _mirror(grammar: Grammar, rng: np.random.Generator, one: Sentence) -> Sentence | None:
    """The same sentence with another governor, which asks for another form of the contrast."""
    target = one.rule.sides[TARGET]
    contrast, governor = ([t.bracket for t in target].index(bracket) for bracket in "<[")
    for _ in range(TRIES):
        choice = grammar.choose(rng, target[governor].slots[0], set(one.tree.words()))
        parts = {**one.tree.parts, target[governor].slots[0]: [choice]}
        other = grammar.spelled(one.phenomenon, Tree(one.rule, one.tree.features, parts))
        differing = {i for i in range(len(target)) if one.token(i) != other.token(i)}
        marked = zip(one.places, other.places, strict=True)
        if differing == {governor, contrast} and all(
            one.words[place] != other.words[mirrored] for place, mirrored in marked
        ):
            return other
    return None


def _item(grammar: Grammar, one: Sentence, other: Sentence) -> Contrast:
    """What is right by ``one``, and wrong because ``other`` has it so."""
    contrast = [token.bracket for token in one.rule.sides[TARGET]].index("<")
    right, wrong = grammar.pair(one), list(one.words)
    wrong[one.ends[contrast] - 1] = other.words[other.ends[contrast] - 1]
    return Contrast(right.source, right.target, text(wrong), right.phenomenon, right.distance)


def write_suite(items: Iterable[Contrast], path: Path) -> None:
    """A header, then a line an item, with TABs between the fields of ``Contrast``."""
    rows = [COLUMNS, *(map(str, astuple(item)) for item in items)]
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")


def read_suite(path: Path) -> list[Contrast]:
    """What ``write_suite`` wrote, or a table like it; InputError names a line that is none."""
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
    """The trial that each item belongs to, counted from 0, (N,): that of the item before it where
    this is its mirror item, otherwise the next.
    """
    numbers, together = [0], False
    for before, here in pairwise(map(_change, items)):
        together = not together and here == before[::-1]
        numbers.append(numbers[-1] + (not together))
    return np.array(numbers[: len(items)])


def _change(item: Contrast) -> tuple[tuple[str, ...], ...]:
    """The words of ``right`` that differ, and what ``wrong`` has for them."""
    sides = zip_longest(item.right.split(), item.wrong.split(), fillvalue="")
    return tuple(zip(*(pair for pair in sides if pair[0] != pair[1]), strict=True))


@dataclass(frozen=True)
class Accuracy:
    """Of ``items`` items in ``trials`` trials, of ``nearest`` to ``farthest`` words, the share that
    was answered right, and Wilson's 95 % interval of it, ``low`` to ``high``.
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
        """points: the ``preferences`` of the items. trials: the trial of each."""
        n, share = len(np.unique(trials)), float(points.mean())
        span = int(distances.min()), int(distances.max())
        return cls(*span, len(points), n, share, *wilson(share, n))


def preferences(right: NDArray[np.float64], wrong: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 where the right translation has the higher score, ½ for a tie, else 0."""
    return np.where(right == wrong, 0.5, right > wrong)


def accuracy_by_distance(
    right: NDArray[np.float64],
    wrong: NDArray[np.float64],
    distances: Sequence[int] | NDArray[np.int64],
    starts: Sequence[int] = (0, 2, 4, 7, 10, 14, 18, 25, 40),
    trials: NDArray[np.int64] | None = None,
) -> list[Accuracy]:
    """How often the right one has the higher score, for each group of distances; a tie counts ½.

    right, wrong: scores of the two translations of each item. distances: of each item, in words.
    starts: the first distance of each group, rising; groups without items are left out. trials: the
    trial of each item, by default one each. Raises ValueError for arrays of different lengths, for
    scores that are not a number, and for an item before the first group.
    """
    far = np.asarray(distances)
    if not right.shape == wrong.shape == far.shape or right.ndim != 1:
        raise ValueError(f"{right.shape}, {wrong.shape}, {far.shape}: expected one entry an item")
    if np.isnan(right).any() or np.isnan(wrong).any():
        raise ValueError("a score that is not a number cannot be compared")
    points = preferences(right, wrong)
    group = np.searchsorted(starts, far, side="right") - 1
    if (group < 0).any():
        raise ValueError(f"the distance {far.min()} lies before the first group, from {starts[0]}")
    trials = np.arange(len(far)) if trials is None else trials
    rows = [group == g for g in np.unique(group)]
    return [Accuracy.of(points[of], far[of], trials[of]) for of in rows]


def wilson(share: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a probability of which ``share`` was seen in ``n`` trials: the p with
    (share − p)² = z² p (1 − p) / n are its ends.
    """
    spread = Z * math.sqrt(share * (1 - share) / n + (Z / (2 * n)) ** 2)
    middle = share + Z * Z / (2 * n)
    scale = 1 + Z * Z / n
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)
