"""Test sentences to look at: those where two systems differ most, and some others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations, zip_longest

SAMPLED = "systematic sample"


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
    references: Sequence[Sequence[str]],
    outputs: Mapping[str, Sequence[str]],
    chrf: Mapping[str, Sequence[float]],
    rivals: Sequence[str],
    count: int,
    saves: Sequence[Sequence[tuple[int, str]]] = (),
) -> tuple[Example, ...]:
    """As many where one of two ``rivals`` is furthest ahead in chrF as where the other is, as the
    first of each of ``saves``, rows and why, and as a systematic sample.

    references: the lines of each. outputs, chrf: of each system and sentence.
    """
    third = -(-count // (3 + len(saves)))
    sides = [list(side[:third]) for side in saves]
    for ahead, behind in permutations(rivals, 2):
        gaps = [x - y for x, y in zip(chrf[ahead], chrf[behind], strict=True)]
        rows = [i for i, gap in enumerate(gaps) if gap > 0 and sources[i].strip()]
        rows = sorted(rows, key=lambda i: -gaps[i])[:third]
        sides.append([(i, f"{ahead} is ahead of {behind} by {gaps[i]:.1f} chrF") for i in rows])
    in_turn = [row for pair in zip_longest(*sides) for row in pair if row]
    chosen = dict(in_turn[:count])
    others = [i for i, x in enumerate(sources) if x.strip() and i not in chosen]
    wanted = min(count - len(chosen), len(others))
    for k in range(wanted):
        chosen[others[(2 * k + 1) * len(others) // (2 * wanted)]] = SAMPLED

    def example(i: int, why: str) -> Example:
        said = tuple(ExampleOutput(name, outputs[name][i], chrf[name][i]) for name in outputs)
        return Example(i + 1, why, sources[i], tuple(lines[i] for lines in references), said)

    return tuple(example(i, why) for i, why in chosen.items())
