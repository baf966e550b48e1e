"""External scores: one number per line, by a metric such as COMET or MetricX, or by people.

``NAME:METRIC=FILE`` names them, ``NAME:-METRIC=FILE`` if less is better. A system's score is their
mean; intervals and tests resample and exchange sentences as for all other metrics.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtkit.errors import InputError
from mtkit.evaluation.metrics import LABELS
from mtkit.evaluation.statistics import check_parallel
from mtkit.text.lines import read_lines

SCORE_OPTION = re.compile(r"(?P<system>.+):(?P<less>-?)(?P<metric>[^:=-][^:=]*)=(?P<file>.+)")


@dataclass(frozen=True)
class ExternalScores:
    """The external scores of the N outputs of ``system`` by ``metric``."""

    system: str
    metric: str
    less_is_better: bool
    values: Sequence[float]


def read_columns(
    named: Sequence[str], systems: Collection[str], sentences: int
) -> list[ExternalScores]:
    """Read the external scores that are ``named``.

    Raises InputError if a name is not NAME:METRIC=FILE, or has an unknown system or a metric that
    mtkit computes; if a metric is given twice for a system or with both signs; and if a file does
    not hold a finite number for each of so many ``sentences``.
    """
    columns = dict[tuple[str, str], ExternalScores]()
    for text in named:
        if not (match := SCORE_OPTION.fullmatch(text)):
            raise InputError(f"--scores {text}: expected NAME:METRIC=FILE, as in nmt:COMET=nmt.txt")
        system, metric, less = match["system"], match["metric"], bool(match["less"])
        if system not in systems:
            names = ", ".join(systems)
            raise InputError(f"--scores {text}: no system {system!r}; the systems are {names}")
        if metric.lower() in LABELS:
            raise InputError(f"--scores {text}: mtkit computes {metric} itself; use another name")
        if (system, metric) in columns:
            raise InputError(f"--scores {text}: {metric} of {system} is given twice")
        values = _numbers(Path(match["file"]), sentences)
        columns[system, metric] = ExternalScores(system, metric, less, values)
    for metric in {column.metric for column in columns.values()}:
        if len({c.less_is_better for c in columns.values() if c.metric == metric}) > 1:
            raise InputError(f"--scores: {metric} is given with a minus and without; use one form")
    return list(columns.values())


def _numbers(path: Path, sentences: int) -> list[float]:
    lines = read_lines(path)
    check_parallel(lines, range(sentences), str(path))
    values = []
    for number, line in enumerate(lines, 1):
        try:
            values.append(float(line))
        except ValueError:
            values.append(math.nan)
        if not math.isfinite(values[-1]):
            raise InputError(f"{path}: line {number}: expected a number, found {line.strip()!r}")
    return values
