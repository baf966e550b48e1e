"""Which of two translations a system prefers: the right one, or one that is wrong in a single word.

What a system prefers is what it scores higher, each by what it is made of:

    n-gram, recurrent language model    P(y)              the source unseen
    noisy channel                       P(x|y) P(y)
    neural                              P(y|x)

Accuracy by the words between the wrong word and the one that decides shows how far each can see.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from rich.console import Console

from mtkit.errors import InputError
from mtkit.evaluation.intervals import Floats
from mtkit.grammar.suite import Accuracy, Contrast, accuracy_by_distance
from mtkit.page.chart import Chart, Line, draw
from mtkit.page.tables import Cell, Grid, html, number, print_grid, say
from mtkit.system import Score, System

Voice = Callable[[Score], float | None]


def _lm(score: Score) -> float | None:
    return score.lm.value if score.lm else None


def _channel(score: Score) -> float | None:
    return score.lm.value + score.channel.value if score.lm and score.channel else None


def _direct(score: Score) -> float | None:
    return score.direct.value if score.direct else None


VOICES: dict[str, dict[str, Voice]] = {
    "smt": {"P(y)": _lm, "P(x|y) P(y)": _channel},
    "nmt": {"P(y|x)": _direct},
    "lm": {"P(y)": _lm},
}


@dataclass(frozen=True)
class Judgement:
    """How often a system, by one of its models, prefers the right translation."""

    system: str
    model: str
    whole: Accuracy
    by_distance: list[Accuracy]
    by_phenomenon: dict[str, Accuracy]

    @property
    def name(self) -> str:
        """System and model."""
        return f"{self.system}, {self.model}"


def judgements(name: str, system: System, items: Sequence[Contrast]) -> list[Judgement]:
    """What ``system`` makes of a suite, by each of its models that can tell.

    Raises InputError where it has none.
    """
    right, wrong = (
        system.score([(item.source, getattr(item, side)) for item in items])
        for side in ("right", "wrong")
    )
    found = []
    for model, voice in VOICES[system.kind].items():
        values = [[voice(score) for score in scores] for scores in (right, wrong)]
        if None not in (*values[0], *values[1]):
            found.append(_judgement(name, model, items, *np.array(values, np.float64)))
    if not found:
        raise InputError(f"{name} gives translations no probability; it cannot choose")
    return found


def _judgement(
    name: str, model: str, items: Sequence[Contrast], right: Floats, wrong: Floats
) -> Judgement:
    distances = np.array([item.distance for item in items])
    phenomena = np.array([item.phenomenon for item in items])

    def whole(of: Any) -> Accuracy:
        [accuracy] = accuracy_by_distance(right[of], wrong[of], distances[of], starts=(0,))
        return accuracy

    return Judgement(
        name,
        model,
        whole(slice(None)),
        accuracy_by_distance(right, wrong, distances),
        {p: whole(phenomena == p) for p in sorted(set(phenomena.tolist()))},
    )


# --- tables and chart


def grids(found: Sequence[Judgement]) -> list[Grid]:
    """By distance, and by phenomenon."""
    groups = [f"{a.nearest}–{a.farthest}" for a in found[0].by_distance]
    phenomena = list(found[0].by_phenomenon)
    counts = ", ".join(f"{a.items:,}" for a in found[0].by_distance)
    return [
        Grid(
            "Per cent of the items in which the right translation is preferred, by the words "
            "between the contrast and what decides it, with 95 % intervals. Who guesses has 50.",
            ("System", *groups, "All"),
            [[Cell(j.name), *map(_share, j.by_distance), _share(j.whole)] for j in found],
            [f"Items: {counts}."],
        ),
        Grid(
            "The same by phenomenon.",
            ("System", *phenomena),
            [[Cell(j.name), *map(_share, j.by_phenomenon.values())] for j in found],
            [],
        ),
    ]


def _share(a: Accuracy) -> Cell:
    return number(100 * a.share, 1, f"{100 * a.low:.0f}–{100 * a.high:.0f}")


def chart(found: Sequence[Judgement]) -> Chart:
    """Accuracy by distance, each group at its middle."""
    return Chart(
        "Right translations preferred, per cent, by distance in words",
        "words between",
        tuple(
            Line(
                j.name,
                tuple((_middle(a), 100 * a.share) for a in j.by_distance),
                tuple((_middle(a), 100 * a.low, 100 * a.high) for a in j.by_distance),
            )
            for j in found
        ),
        equation="score(x, right) > score(x, wrong); bands: Wilson’s 95 % intervals",
    )


def _middle(a: Accuracy) -> float:
    return (a.nearest + a.farthest) / 2


def print_judgements(heading: str, found: Sequence[Judgement], console: Console) -> None:
    """The tables on a terminal."""
    say(console, heading, "bold")
    for grid in grids(found):
        console.print()
        print_grid(console, grid)


def as_html(heading: str, found: Sequence[Judgement]) -> str:
    """One page that needs nothing from elsewhere."""
    return html(
        "findings.html.j2",
        title=f"mtkit contrast: {heading}",
        question="Which models see what decides?",
        heading=heading,
        verdicts=[],
        drawings=[draw(chart(found))],
        grids=grids(found),
    )


def as_object(found: Sequence[Judgement]) -> dict[str, Any]:
    """What ``--json`` prints."""
    return {"systems": [asdict(judgement) for judgement in found]}
