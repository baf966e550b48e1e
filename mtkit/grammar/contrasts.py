"""Measure how often a system prefers a correct translation to one that is wrong in a single word.

A system prefers the translation with the higher score. The score depends on the model:

    n-gram, recurrent language model    P(y)              without the source
    noisy channel                       P(x|y) P(y)
    neural                              P(y|x)

Accuracy by the number of words between the wrong word and the word that it depends on shows how
much context each model uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mtkit.errors import InputError
from mtkit.grammar.suite import Accuracy, Contrast, accuracy_by_distance, preferences, trials
from mtkit.page.chart import Chart, Line
from mtkit.page.findings import Findings
from mtkit.page.tables import Cell, Grid, number
from mtkit.system import Score, System

# Kind of system → its models → the fields of ``Score`` whose sum is the model's ln p.
MODELS: dict[str, dict[str, tuple[str, ...]]] = {
    "smt": {"P(y)": ("lm",), "P(x|y) P(y)": ("lm", "channel")},
    "nmt": {"P(y|x)": ("direct",)},
    "lm": {"P(y)": ("lm",)},
}

CHANCE = 50  # per cent: one of two translations is correct


@dataclass(frozen=True)
class Judgement:
    """How often a system, scoring by one of its models, prefers the correct translation."""

    system: str
    model: str
    whole: Accuracy
    by_distance: list[Accuracy]
    by_phenomenon: dict[str, Accuracy]

    @property
    def name(self) -> str:
        """The system and the model, as tables show them."""
        return f"{self.system}, {self.model}"


def judgements(name: str, system: System, items: Sequence[Contrast]) -> list[Judgement]:
    """Return one judgement of a suite for each model of ``system`` that scores all items.

    Raises InputError if no model does.
    """
    scores = [
        system.score([(item.source, getattr(item, side)) for item in items])
        for side in ("right", "wrong")
    ]
    distances = np.array([item.distance for item in items])
    phenomena = np.array([item.phenomenon for item in items])
    trial_ids = trials(items)
    judged = []
    for model, parts in MODELS[system.kind].items():
        values = [[_log_p(score, parts) for score in side] for side in scores]
        if None in (*values[0], *values[1]):
            continue
        right, wrong = np.array(values, np.float64)
        points = preferences(right, wrong)
        groups = {p: phenomena == p for p in np.unique(phenomena).tolist()}
        shares = {p: Accuracy.of(points[g], distances[g], trial_ids[g]) for p, g in groups.items()}
        whole = Accuracy.of(points, distances, trial_ids)
        by_distance = accuracy_by_distance(right, wrong, distances, trials=trial_ids)
        judged.append(Judgement(name, model, whole, by_distance, shares))
    if not judged:
        raise InputError(f"{name} gives no probabilities of translations; leave it out")
    return judged


def _log_p(score: Score, parts: Sequence[str]) -> float | None:
    logs = [getattr(score, part) for part in parts]
    return None if None in logs else sum(log.value for log in logs)


# --- tables and chart


def findings(heading: str, judged: Sequence[Judgement]) -> Findings:
    """Return the tables, the chart and the summary; heading: names the items."""
    title, question = (
        f"mtkit contrast: {heading}",
        "Which models capture long-distance dependencies?",
    )
    summary = list(map(_sentence, judged))
    return Findings(title, question, heading, [chart(judged)], grids(judged), summary=summary)


def _sentence(j: Judgement) -> str:
    """Return a sentence with a judgement's accuracy, compared with the chance level."""
    low, high = 100 * j.whole.low, 100 * j.whole.high
    than = "not distinguishable from"
    if low > CHANCE or high < CHANCE:
        than = "above" if low > CHANCE else "below"
    share = f"{100 * j.whole.share:.1f} % (95 % interval {low:.0f}–{high:.0f})"
    return (
        f"{j.name}: {share} correct translations preferred, {than} the chance level of {CHANCE} %."
    )


def grids(judged: Sequence[Judgement]) -> list[Grid]:
    """Return two tables of accuracy: by distance, and by phenomenon."""
    groups = judged[0].by_distance
    caption = (
        "Accuracy in per cent: items whose correct translation is preferred, by words between the "
        "contrast and the word it depends on, with 95 % intervals. Chance level: 50 %."
    )
    distances = [f"{group.nearest}–{group.farthest}" for group in groups]
    by_distance = [[Cell(j.name), *map(_share, [*j.by_distance, j.whole])] for j in judged]
    by_phenomenon = [[Cell(j.name), *map(_share, j.by_phenomenon.values())] for j in judged]
    items = f"Items: {', '.join(f'{group.items:,}' for group in groups)}."
    if any(group.trials < group.items for group in groups):
        items += " Intervals count an item and its mirror item as one trial."
    return [
        Grid(caption, ("System", *distances, "All"), by_distance, [items]),
        Grid("The same by phenomenon.", ("System", *judged[0].by_phenomenon), by_phenomenon),
    ]


def _share(a: Accuracy) -> Cell:
    return number(100 * a.share, 1, f"{100 * a.low:.0f}–{100 * a.high:.0f}")


def chart(judged: Sequence[Judgement]) -> Chart:
    """Return the chart of accuracy by distance; a group's x is the middle of its distances."""
    lines = []
    for j in judged:
        by_x = [((a.nearest + a.farthest) / 2, a) for a in j.by_distance]
        points = tuple((x, 100 * a.share) for x, a in by_x)
        lines.append(Line(j.name, points, tuple((x, 100 * a.low, 100 * a.high) for x, a in by_x)))
    return Chart(
        "Right translations preferred, by distance",
        "distance in words", tuple(lines), equations=("score(x, right) > score(x, wrong)",),
        y="accuracy, %", note="Bands: 95 % intervals (Wilson).", level=(CHANCE, "chance level"),
    )  # fmt: skip


def as_object(judged: Sequence[Judgement]) -> dict[str, Any]:
    """Return the judgements as ``--json`` prints them."""
    return {"systems": [asdict(judgement) for judgement in judged]}
