"""Example sentences: those where two systems differ most, and a systematic sample of the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations, zip_longest

from mtkit.comparison.external import ExternalScores

SAMPLED = "systematic sample"


@dataclass(frozen=True)
class ExampleOutput:
    """One system's translation of an example, with its sentence chrF and its external scores."""

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
    helpful: Sequence[Sequence[tuple[int, str]]] = (),
    columns: Sequence[ExternalScores] = (),
) -> tuple[Example, ...]:
    """Choose at most ``count`` examples: an equal share for each list below and for a sample.

    The lists: sentences where one of two ``rivals`` is furthest ahead of the other in chrF and in
    each metric of ``columns``; each of ``helpful``, (row, reason). The sample is systematic.
    references: the lines of each. outputs, chrf: by system, one per sentence.
    """
    scores = defaultdict[str, dict[str, Sequence[float]]](dict)
    for column in columns:
        scores[column.metric][column.system] = column.values
    less = {column.metric for column in columns if column.less_is_better}
    sides = [*helpful, *_ahead(sources, rivals, "{:.1f} chrF", chrf)]
    for metric, by_system in scores.items():
        sides += _ahead(sources, rivals, f"{{:.3g}} {metric}", by_system, metric in less)
    chosen = _in_turn(sides, count)
    others = [i for i, x in enumerate(sources) if x.strip() and i not in chosen]
    n_sampled = min(count - len(chosen), len(others))
    for k in range(n_sampled):
        chosen[others[(2 * k + 1) * len(others) // (2 * n_sampled)]] = SAMPLED

    example = maker(sources, references, outputs, chrf, scores)
    return tuple(example(i, why) for i, why in chosen.items())


def maker(
    sources: Sequence[str],
    references: Sequence[Sequence[str]],
    outputs: Mapping[str, Sequence[str]],
    chrf: Mapping[str, Sequence[float]],
    scores: Mapping[str, Mapping[str, Sequence[float]]],
) -> Callable[[int, str], Example]:
    """Return a function (row, reason) → ``Example``. scores: by metric and system."""

    def output(name: str, i: int) -> ExampleOutput:
        external = {metric: values[name][i] for metric, values in scores.items() if name in values}
        return ExampleOutput(name, outputs[name][i], chrf[name][i], external)

    def example(i: int, why: str) -> Example:
        results = tuple(output(name, i) for name in outputs)
        return Example(i + 1, why, sources[i], tuple(lines[i] for lines in references), results)

    return example


def _in_turn(sides: Sequence[Sequence[tuple[int, str]]], count: int) -> dict[int, str]:
    """Take at most ``count`` rows from the sides in turn, leaving an equal share for a sample.

    Returns row → reason; if a row has several reasons, the first.
    """
    share = -(-count // (1 + len(sides)))
    rows = [row for turn in zip_longest(*(side[:share] for side in sides)) for row in turn if row]
    chosen = dict[int, str]()
    for i, why in rows[:count]:
        chosen.setdefault(i, why)
    return chosen


def _ahead(
    sources: Sequence[str],
    rivals: Sequence[str],
    pattern: str,
    scores: Mapping[str, Sequence[float]],
    less_is_better: bool = False,
) -> Iterator[list[tuple[int, str]]]:
    """Yield (row, reason) where a rival is ahead, largest gap first. pattern: format of the gap."""
    sign = -1 if less_is_better else 1
    for ahead, behind in permutations((name for name in rivals if name in scores), 2):
        gaps = [sign * (x - y) for x, y in zip(scores[ahead], scores[behind], strict=True)]
        rows = [i for i, gap in enumerate(gaps) if gap > 0 and sources[i].strip()]
        rows.sort(key=lambda i: -gaps[i])
        yield [(i, f"{ahead} is ahead of {behind} by {pattern.format(gaps[i])}") for i in rows]
