"""The comparison for papers: its figures as CSV files, its scores as a LaTeX table.

CSV files hold the unrounded figures of ``--json``, one record per row; null is an empty cell. The
LaTeX table uses booktabs. A letter in a score's superscript names a system that is significantly
worse by both tests, after Holm's correction. Systems that differ only in the seed have a further
row: mean ± sample standard deviation over the seeds.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from string import ascii_lowercase
from typing import Any

from mtkit.comparison.page.who import decimals, span
from mtkit.comparison.report import Comparison, SystemResult, TestSet
from mtkit.comparison.seeds import Spread
from mtkit.errors import InputError
from mtkit.evaluation.metrics import Metric, label
from mtkit.evaluation.significance import ALPHA, UNTESTED
from mtkit.storage.writing import named_file

Row = dict[str, Any]
APART = {"metrics", "perplexity"}  # parts of a system's record with files of their own
MARK = "% by mtkit compare; needs \\usepackage{booktabs}"  # first line of a table

# --- CSV


def write_csv(data: Row, directory: Path) -> list[str]:
    """Write a file for each kind of record into ``directory``; return the names of the files.

    data: see ``report.as_json``. The directory is created if it is missing. A file of an earlier
    comparison is removed if this one has no such records. Raises InputError if a file cannot be
    written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--csv {directory}: {error.strerror}") from None
    records = tables(data)
    for name, rows in records.items():
        if not rows:
            (directory / f"{name}.csv").unlink(missing_ok=True)
            continue
        text = io.StringIO(newline="")
        columns = dict.fromkeys(column for row in rows for column in row)
        writer = csv.DictWriter(text, list(columns))
        writer.writeheader()
        writer.writerows(rows)
        with named_file(directory / f"{name}.csv") as file:
            file.write(text.getvalue().encode("utf-8"))
    return [f"{name}.csv" for name, rows in records.items() if rows]


def tables(data: Row) -> dict[str, list[Row]]:
    """Return the records by name of the CSV file, without ``.csv``."""
    systems, groupings = data["systems"], data["groupings"]
    by_length = {"by": "length", "measure": "BLEU", "differences": data["by_length"]}
    by_length["labels"] = [f"{entry['low']}–{entry['high']}" for entry in systems[0]["by_length"]]
    return {
        "systems": [_flat({k: v for k, v in entry.items() if k not in APART}) for entry in systems],
        "scores": list(_entries(systems, "metrics", "metric")),
        "pairs": data["pairs"],
        "seeds": [
            {"system": s["name"], "metric": metric, "seeds": len(s["systems"])} | scores
            for s in data["spreads"]
            for metric, scores in s["metrics"].items()
        ],
        "perplexity": list(_entries(systems, "perplexity", "question")),
        "lengths": [{"system": s["name"], **entry} for s in systems for entry in s["by_length"]],
        "words": [row for entry in groupings for row in _accuracies(entry)],
        "differences": [row for entry in [by_length, *groupings] for row in _differences(entry)],
        "examples": [
            {"line": e["line"], "why": e["why"], "source": e["source"], **_flat(output)}
            for e in data["examples"]
            for output in e["outputs"]
        ],
    }


def _flat(record: Mapping[str, Any], prefix: str = "") -> Row:
    """Flatten nested records: {"a": {"b": 1}} becomes {"a.b": 1}; lists are left out."""
    row: Row = {}
    for key, value in record.items():
        if isinstance(value, Mapping):
            row |= _flat(value, f"{prefix}{key}.")
        elif not isinstance(value, list | tuple):
            row[f"{prefix}{key}"] = value
    return row


def _entries(systems: Iterable[Row], records: str, key: str) -> Iterator[Row]:
    """Yield a row for each entry of a mapping in each system's record."""
    for system in systems:
        for name, record in system[records].items():
            yield {"system": system["name"], key: name, **record}


def _accuracies(grouping: Row) -> Iterator[Row]:
    ends = ("value", "low", "high")
    for system, accuracies in grouping["systems"].items():
        for group, words, a in zip(grouping["labels"], grouping["words"], accuracies, strict=True):
            row = {"by": grouping["by"], "group": group, "words": words, "system": system}
            shares = {
                f"{share}.{end}": (a[share] or {}).get(end)
                for share in ("recall", "f1")
                for end in ends
            }
            yield row | {"precision": a["precision"]} | shares


def _differences(grouping: Row) -> Iterator[Row]:
    for difference in grouping["differences"]:
        for group, gap in zip(grouping["labels"], difference["by_group"], strict=True):
            row = {"by": grouping["by"], "group": group, "measure": grouping["measure"]}
            yield row | {"a": difference["a"], "b": difference["b"]} | (gap or {})


# --- LaTeX

SPECIAL = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "|": r"\textbar\allowbreak{}", "<": r"\textless{}", ">": r"\textgreater{}", "−": "$-$",
    '"': "''", "–": "--", "→": r"$\to$", "±": r"$\pm$", **{c: f"\\{c}" for c in "{}$&#%_"},
}  # fmt: skip


def check_latex(path: Path) -> None:
    """Raise InputError if ``path`` is a file that does not begin with ``MARK``, such as a paper."""
    if path.is_file():
        with path.open("rb") as file:
            if file.read(len(MARK)) != MARK.encode():
                raise InputError(
                    f"--latex {path}: exists and was not written by mtkit; name another file"
                )


def as_latex(comparison: Comparison) -> str:
    """Return a table environment, which needs only \\usepackage{booktabs} in the preamble."""
    systems = comparison.systems
    metrics = comparison.metrics
    heads = [_head(metric, less) for metric, less in metrics.items()]
    lines = [_line(s, k, comparison) for k, s in enumerate(systems)]
    lines += [_seeds_line(spread, metrics) for spread in comparison.spreads]
    return "\n".join(
        [
            MARK,
            r"\begin{table}",
            r"\centering",
            rf"\begin{{tabular}}{{l{'r' * len(metrics)}}}",
            r"\toprule",
            f"System & {' & '.join(heads)} \\\\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            rf"\caption{{{_caption(comparison)}}}",
            rf"\label{{{table_label(comparison.test)}}}",
            r"\end{table}",
            "",
        ]
    )


def escaped(text: str) -> str:
    """Escape text for LaTeX and remove control characters.

    >>> escaped("a_b & 95 %")
    'a\\\\_b \\\\& 95 \\\\%'
    """
    return "".join(SPECIAL.get(c, c) for c in text if c.isprintable())


def letter(k: int) -> str:
    """Return the letter of system k, from 0: a … z, aa, ab …"""
    more, last = divmod(k, len(ascii_lowercase))
    return (letter(more - 1) if more else "") + ascii_lowercase[last]


def table_label(test: TestSet) -> str:
    """Return a label of languages and test set, so that tables of several test sets differ."""
    words = re.findall(r"[A-Za-z0-9.]+", " ".join((*test.languages, test.name)))
    return f"tab:{'-'.join(words)}"


def _head(metric: str, less_is_better: bool) -> str:
    return escaped(label(metric)) + (r" $\downarrow$" if less_is_better else r" $\uparrow$")


def _line(system: SystemResult, k: int, comparison: Comparison) -> str:
    cells = [f"{escaped(system.name)}$^{{{letter(k)}}}$"]
    for metric in comparison.metrics:
        figure = system.metrics.get(metric)
        cells.append(_score(figure, metric, system, comparison) if figure else "--")
    return " & ".join(cells) + r" \\"


def _seeds_line(spread: Spread, metrics: Iterable[str]) -> str:
    cells = [f"{escaped(spread.name)}, mean of {len(spread.systems)} seeds"]
    for metric in metrics:
        if scores := spread.metrics.get(metric):
            n = decimals(metric, scores.mean)
            cells.append(rf"${scores.mean:.{n}f} \pm {scores.deviation:.{n}f}$")
        else:
            cells.append("--")
    return " & ".join(cells) + r" \\"


def _score(figure: Metric, metric: str, system: SystemResult, comparison: Comparison) -> str:
    """Format a score: bold if best, with letters of significantly worse systems and interval."""
    n, systems = (
        decimals(metric, figure.score),
        [s for s in comparison.systems if metric in s.metrics],
    )
    value = escaped(f"{figure.score:.{n}f}".replace("-", "−"))
    if len(systems) > 1 and not any(_better(s.metrics[metric], figure) for s in systems):
        value = rf"\textbf{{{value}}}"
    significant = {
        frozenset((pair.a, pair.b))
        for pair in comparison.pairs
        if pair.metric == metric and pair.rejections == 2
    }
    worse = [
        letter(k)
        for k, other in enumerate(comparison.systems)
        if {system.name, other.name} in significant and _better(figure, other.metrics[metric])
    ]
    marks = f"$^{{{','.join(worse)}}}$" if worse else ""
    interval = span(figure, n)
    return value + marks + (rf" {{\scriptsize[{escaped(interval)}]}}" if interval else "")


def _better(a: Metric, b: Metric) -> bool:
    return a.score < b.score if a.less_is_better else a.score > b.score


def _caption(comparison: Comparison) -> str:
    test, systems, metrics = comparison.test, comparison.systems, comparison.metrics
    signatures = dict.fromkeys(
        f"{label(m)}: {s.metrics[m].signature}" for m in metrics for s in systems if m in s.metrics
    )
    untested = ", ".join(label(metric) for metric in metrics if metric in UNTESTED)
    about = [" → ".join(filter(None, test.languages)), f"{test.sentences:,} sentences"]
    sentences = [
        f"Scores on {test.name} ({', '.join(filter(None, about))}), with 95 % intervals "
        f"({test.resamples:,} bootstrap samples)."
    ]
    if comparison.pairs:
        holm = ", Holm-corrected" * (len(systems) > 2)
        sentences.append(
            "Bold: best of its column. A letter behind a score: significantly better than the "
            f"system of that letter (p < {ALPHA:g} by paired bootstrap over these samples and by "
            f"approximate randomisation, {test.trials:,} trials, two-sided{holm}; {untested} is "
            "not tested)."
        )
    if comparison.spreads:
        sentences.append(
            "±: sample standard deviation over the seeds, which intervals and tests do not include."
        )
    sentences += [f"{s.equation}, as tuning gave it all the weight." for s in systems if s.equation]
    return escaped(" ".join([*sentences, "; ".join(signatures)])) + "."
