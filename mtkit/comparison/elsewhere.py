"""Scores from elsewhere: a number a line, of what COMET, MetricX or people said of a system.

``NAME:METRIC=FILE`` names them, ``NAME:-METRIC=FILE`` where less is better. A system's score is
their mean; intervals and tests draw and exchange sentences as for all other metrics.
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

NAMED = re.compile(r"(?P<system>.+):(?P<less>-?)(?P<metric>[^:=-][^:=]*)=(?P<file>.+)")


@dataclass(frozen=True)
class Column:
    """What ``metric`` says of each sentence by ``system``, (N,)."""

    system: str
    metric: str
    less_is_better: bool
    values: Sequence[float]


def read_columns(named: Sequence[str], systems: Collection[str], sentences: int) -> list[Column]:
    """The scores that are ``named``, of ``systems`` alone.

    Raises InputError for what names no system or metric, or one twice or with both signs, and for
    a file that does not hold a number for each of so many ``sentences``.
    """
    columns = dict[tuple[str, str], Column]()
    for text in named:
        if not (of := NAMED.fullmatch(text)):
            raise InputError(f"--scores {text}: expected NAME:METRIC=FILE, as in nmt:COMET=nmt.txt")
        system, metric, less = of["system"], of["metric"], bool(of["less"])
        if system not in systems:
            known = ", ".join(systems)
            raise InputError(f"--scores {text}: no system {system!r}; the systems are {known}")
        if metric.lower() in LABELS:
            raise InputError(f"--scores {text}: mtkit computes {metric} itself; use another name")
        if (system, metric) in columns:
            raise InputError(f"--scores {text}: {metric} of {system} is given twice")
        values = _numbers(Path(of["file"]), sentences)
        columns[system, metric] = Column(system, metric, less, values)
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
