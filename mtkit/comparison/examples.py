"""Test sentences to look at: those where two systems differ most, and some others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations, zip_longest

from mtkit.comparison.elsewhere import Column

SAMPLED = "systematic sample"


@dataclass(frozen=True)
class ExampleOutput:
    """One system's translation of an example, with its sentence chrF and scores from elsewhere."""

    system: str
    text: str
    chrf: float
    scores: dict[str, float] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Example:
    """A test sentence (``line`` counts from 1) and why it was chosen."""

    line: int
    why: str
    source: str
    references: tuple[str, ...]
    outputs: tuple[ExampleOutput, ...]


def choose(
    sources: Sequence[str],
    references: Sequence[Sequence[str]],
    outputs: Mapping[str, Sequence[str]],
    chrf: Mapping[str, Sequence[float]],
    rivals: Sequence[str],
    count: int,
    saves: Sequence[Sequence[tuple[int, str]]] = (),
    columns: Sequence[Column] = (),
) -> tuple[Example, ...]:
    """As many where one of two ``rivals`` is furthest ahead in chrF as where the other is, as by
    each metric of ``columns``, as the first of each of ``saves``, rows and why, and as a systematic
    sample.

    references: the lines of each. outputs, chrf: of each system and sentence.
    """
    scores = defaultdict[str, dict[str, Sequence[float]]](dict)
    for of in columns:
        scores[of.metric][of.system] = of.values
    less = {of.metric for of in columns if of.less_is_better}
    sides = [*saves, *_ahead(sources, rivals, "{:.1f} chrF", chrf)]
    for metric, by_system in scores.items():
        sides += _ahead(sources, rivals, f"{{:.3g}} {metric}", by_system, metric in less)
    chosen = _in_turn(sides, count)
    others = [i for i, x in enumerate(sources) if x.strip() and i not in chosen]
    wanted = min(count - len(chosen), len(others))
    for k in range(wanted):
        chosen[others[(2 * k + 1) * len(others) // (2 * wanted)]] = SAMPLED

    example = maker(sources, references, outputs, chrf, scores)
    return tuple(example(i, why) for i, why in chosen.items())


def maker(
    sources: Sequence[str],
    references: Sequence[Sequence[str]],
    outputs: Mapping[str, Sequence[str]],
    chrf: Mapping[str, Sequence[float]],
    scores: Mapping[str, Mapping[str, Sequence[float]]],
) -> Callable[[int, str], Example]:
    """Makes an example of a row and why it was chosen. scores: by metric and system."""

    def output(name: str, i: int) -> ExampleOutput:
        known = {metric: of[name][i] for metric, of in scores.items() if name in of}
        return ExampleOutput(name, outputs[name][i], chrf[name][i], known)

    def example(i: int, why: str) -> Example:
        said = tuple(output(name, i) for name in outputs)
        return Example(i + 1, why, sources[i], tuple(lines[i] for lines in references), said)

    return example


def _in_turn(sides: Sequence[Sequence[tuple[int, str]]], count: int) -> dict[int, str]:
    """At most ``count`` rows of all sides, which leave as many to a sample as each has; of several
    reasons for a row the first.
    """
    share = -(-count // (1 + len(sides)))
    rows = [row for every in zip_longest(*(side[:share] for side in sides)) for row in every if row]
    chosen = dict[int, str]()
    for i, why in rows[:count]:
        chosen.setdefault(i, why)
    return chosen


def _ahead(
    sources: Sequence[str],
    rivals: Sequence[str],
    shown: str,
    scores: Mapping[str, Sequence[float]],
    less_is_better: bool = False,
) -> Iterator[list[tuple[int, str]]]:
    """Where one of two rivals is ahead, furthest first; rows and why. shown: how the figure is."""
    sign = -1 if less_is_better else 1
    for ahead, behind in permutations((name for name in rivals if name in scores), 2):
        gaps = [sign * (x - y) for x, y in zip(scores[ahead], scores[behind], strict=True)]
        rows = [i for i, gap in enumerate(gaps) if gap > 0 and sources[i].strip()]
        rows.sort(key=lambda i: -gaps[i])
        yield [(i, f"{ahead} is ahead of {behind} by {shown.format(gaps[i])}") for i in rows]
