"""Test sentences to look at: those where two systems differ most, and some others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtkit.evaluation import metrics
from mtkit.evaluation.metrics import References


@dataclass(frozen=True)
class ExampleOutput:
    """One system's translation of an example, with its sentence chrF."""

    system: str
    text: str
    chrf: float


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
    references: Sequence[str],
    also: References,
    outputs: Mapping[str, Sequence[str]],
    rivals: Sequence[int],
    count: int,
) -> tuple[Example, ...]:
    """A third where one of two ``rivals`` is furthest ahead in chrF, a third where the other is,
    and a third evenly spaced.
    """
    names = list(outputs)
    chrf = [metrics.sentence_chrf(lines, references, also) for lines in outputs.values()]
    chosen = _differing(sources, names, chrf, rivals, count)
    rest = [i for i, x in enumerate(sources) if x.strip() and i not in chosen]
    wanted = min(count - len(chosen), len(rest))
    for k in range(wanted):
        chosen[rest[(2 * k + 1) * len(rest) // (2 * wanted)]] = "one of some evenly spaced"
    return tuple(
        Example(
            line=i + 1,
            why=why,
            source=sources[i],
            references=(references[i], *(lines[i] for lines in also)),
            outputs=tuple(
                ExampleOutput(name, outputs[name][i], scores[i])
                for name, scores in zip(names, chrf, strict=True)
            ),
        )
        for i, why in chosen.items()
    )


def _differing(
    sources: Sequence[str],
    names: Sequence[str],
    chrf: Sequence[Sequence[float]],
    rivals: Sequence[int],
    count: int,
) -> dict[int, str]:
    """The rows of the largest differences, those of both sides in turn, with why."""
    chosen: dict[int, str] = {}
    if not rivals:
        return chosen
    a, b = rivals
    sides = []
    for ahead, behind in ((a, b), (b, a)):
        gaps = [x - y for x, y in zip(chrf[ahead], chrf[behind], strict=True)]
        rows = [i for i, gap in enumerate(gaps) if gap > 0 and sources[i].strip()]
        rows.sort(key=lambda i: -gaps[i])
        said = f"{names[ahead]} is ahead of {names[behind]} by {{:.1f}} chrF"
        sides.append([(i, said.format(gaps[i])) for i in rows[: -(-count // 3)]])
    for k in range(-(-count // 3)):
        for side in sides:
            if k < len(side) and len(chosen) < count:
                chosen[side[k][0]] = side[k][1]
    return chosen
