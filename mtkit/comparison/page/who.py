"""Which system is better: tables of scores, perplexities, time and size."""

from __future__ import annotations

from collections.abc import Sequence

from mtkit.comparison.report import Comparison, SystemResult
from mtkit.comparison.seeds import Spread
from mtkit.evaluation.metrics import LABELS, Metric, label
from mtkit.evaluation.perplexity import MEANINGS, Question, why_only_bits_compare
from mtkit.evaluation.perplexity_page import columns
from mtkit.models import KINDS
from mtkit.page.tables import Cell, Columns, Grid, number, table

KINDS_OF_SYSTEM = KINDS | {"file": "from a file"}

BLEU_PARTS: Columns[dict[str, float]] = [
    ("1-gram", lambda parts: number(parts["precision_1"])),
    ("2-gram", lambda parts: number(parts["precision_2"])),
    ("3-gram", lambda parts: number(parts["precision_3"])),
    ("4-gram", lambda parts: number(parts["precision_4"])),
    ("Brevity", lambda parts: number(parts["brevity_penalty"], 3)),
    ("Length", lambda parts: number(parts["length_ratio"], 3)),
]
SPREAD: Columns[Spread] = [
    ("Mean", lambda s: number(s.mean, 2)),
    ("Deviation", lambda s: number(s.deviation, 2)),
    ("Lowest", lambda s: number(min(s.bleu), 2)),
    ("Highest", lambda s: number(max(s.bleu), 2)),
]
WORK: Columns[SystemResult] = [
    ("Seconds", lambda s: number(s.seconds)),
    ("Threads", lambda s: number(s.threads, 0)),
    ("Sentences/s", lambda s: number(s.sentences_per_second)),
    ("MB", lambda s: number(s.bytes and s.bytes / 1e6)),
    ("Words copied", lambda s: number(s.unknown, 0)),
]


def grids(comparison: Comparison) -> list[Grid]:
    """The tables, in order."""
    systems = comparison.systems
    unseen = comparison.test.sentences - comparison.seen
    return [
        scores(comparison),
        table(
            "Components of BLEU: n-gram precisions in per cent, brevity penalty, and length ratio "
            "(output : reference).",
            [(s.name, s.bleu_parts) for s in systems],
            BLEU_PARTS,
        ),
        table(
            f"BLEU on all test sentences, and on the {unseen:,} that are in no training text.",
            [(s.name, s) for s in systems if comparison.seen],
            [("All", lambda s: number(s.bleu)), ("Unseen", lambda s: number(s.unseen))],
        ),
        table(
            "BLEU of systems that differ only in their seed: differences of this size may be seed "
            "noise.",
            [(", ".join(spread.systems), spread) for spread in comparison.spreads],
            SPREAD,
            first="Systems",
        ),
        *(_perplexity_grid(question, systems) for question in MEANINGS),
        table(
            "Time to translate the test set (when it was translated), model size, and unknown "
            "source words copied.",
            [(s.name, s) for s in systems],
            WORK,
        ),
    ]


def span(metric: Metric, n: int = 1) -> str:
    """Format the interval of a metric with n decimals; an empty string if it has none."""
    if metric.low is None or metric.high is None:
        return ""
    joint = " to " if metric.low < 0 else "–"
    return f"{metric.low:.{n}f}{joint}{metric.high:.{n}f}".replace("-", "−")


def _figure(name: str, metric: Metric | None) -> Cell:
    if metric is None:
        return number(None)
    n = decimals(name, metric.score)
    return number(metric.score, n, span(metric, n))


def decimals(name: str, score: float) -> int:
    """Return the number of decimals shown; small external scores have more."""
    size = abs(score)
    return 1 if name in LABELS or size >= 10 else 2 if size >= 2 else 4


def scores(comparison: Comparison, signatures: bool = True) -> Grid:
    """Return the table of every system's metrics. signatures: whether notes show them."""
    systems, test = comparison.systems, comparison.test
    tokens = f"sacreBLEU tokenizer {test.tokenize}"
    if test.tokenize == "none":
        tokens = "tokens separated by spaces"
    case = "case ignored, as in all tables" if test.ignore_case else "case-sensitive"
    n_references = test.references
    against = f", against {n_references} references per sentence" if n_references > 1 else ""
    rows = []
    metrics = comparison.metrics
    for s in systems:
        figures = [_figure(metric, s.metrics.get(metric)) for metric in metrics]
        kind = KINDS_OF_SYSTEM.get(s.kind, s.kind)
        ensemble = f", {s.networks} networks" if s.networks > 1 else ""
        rows.append([Cell(s.name, small=kind + ensemble), *figures])
    labelled = [
        (label(metric), s.metrics[metric])
        for metric in metrics
        for s in systems
        if metric in s.metrics
    ]
    less = [label(name) for name, less_is_better in metrics.items() if less_is_better]
    signature_notes = [f"{name} {metric.signature}" for name, metric in labelled]
    return Grid(
        f"Scores with 95 % bootstrap intervals. Higher is better; lower for {' and '.join(less)}.",
        ("System", *map(label, metrics)),
        rows,
        [f"BLEU: {tokens}, {case}{against}."]
        + [f"{s.name}: {s.bleu_note}." for s in systems if s.bleu_note]
        + [f"{s.equation}: tuning gave it all the weight." for s in systems if s.equation]
        + list(dict.fromkeys(signature_notes)) * signatures,
    )


def _perplexity_grid(question: Question, systems: Sequence[SystemResult]) -> Grid:
    values = {s.name: s.perplexity[question] for s in systems if question in s.perplexity}
    notes = [f"{name}: {p.note}." for name, p in values.items() if p.note]
    notes += filter(
        None, [why_only_bits_compare(values, len({p.tokens for p in values.values()}) < 2)]
    )
    return table(
        f"Perplexity by {question}: {MEANINGS[question]}. "
        "Lower is better; not comparable across these tables.",
        values.items(),
        columns(2),
        notes,
    )
