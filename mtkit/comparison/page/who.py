"""Who is better: tables of scores, perplexities and work."""

from __future__ import annotations

from collections.abc import Sequence

from mtkit.comparison.report import Comparison, SystemResult
from mtkit.evaluation.metrics import MEANINGS, Metric, Question
from mtkit.page.tables import Cell, Grid, number

LABELS = {"bleu": "BLEU", "chrf": "chrF", "ter": "TER"}
KINDS = {"smt": "statistical", "nmt": "neural", "file": "from a file"}


def grids(comparison: Comparison) -> list[Grid]:
    """The tables, in order."""
    systems = comparison.systems
    perplexities = [_perplexity_grid(question, systems) for question in MEANINGS]
    return [
        _scores_grid(systems, comparison),
        _bleu_grid(systems),
        *([_unseen_grid(comparison)] if comparison.seen else []),
        *([_spread_grid(comparison)] if comparison.spreads else []),
        *(grid for grid in perplexities if grid.rows),
        _work_grid(systems),
    ]


def span(metric: Metric) -> str:
    """The interval of a metric, where it has one."""
    return "" if metric.low is None else f"{metric.low:.1f}–{metric.high:.1f}"


def _scores_grid(systems: Sequence[SystemResult], comparison: Comparison) -> Grid:
    tokens = "stand between spaces: the text is taken as already tokenised"
    if comparison.tokenize != "none":
        found = f"sacreBLEU's tokenizer {comparison.tokenize} finds"
        tokens = f"{found} in the plain text, case included"
    several = comparison.references
    against = f", against {several} references a sentence" if several > 1 else ""
    rows = []
    for s in systems:
        scores = [number(s.metrics[k].score, small=span(s.metrics[k])) for k in LABELS]
        rows.append([Cell(s.name, small=KINDS.get(s.kind, s.kind)), *scores])
    signatures = [f"{LABELS[k]} {s.metrics[k].signature}" for k in LABELS for s in systems]
    return Grid(
        "Scores with 95 % bootstrap intervals. BLEU and chrF: higher is better; TER: lower.",
        ("System", *LABELS.values()),
        rows,
        [f"BLEU counts the tokens that {tokens}{against}.", *dict.fromkeys(signatures)],
    )


def _bleu_grid(systems: Sequence[SystemResult]) -> Grid:
    rows = []
    for s in systems:
        parts = s.metrics["bleu"].parts
        precisions = [number(parts[f"precision_{n}"]) for n in range(1, 5)]
        lengths = [number(parts[part], 3) for part in ("brevity_penalty", "length_ratio")]
        rows.append([Cell(s.name), *precisions, *lengths])
    return Grid(
        "What BLEU is made of: n-gram precisions in per cent, brevity penalty, "
        "and length ratio (output : reference).",
        ("System", "1-gram", "2-gram", "3-gram", "4-gram", "Brevity", "Length"),
        rows,
        [f"{s.name}: {s.metrics['bleu'].note}." for s in systems if s.metrics["bleu"].note],
    )


def _unseen_grid(comparison: Comparison) -> Grid:
    n = comparison.sentences - comparison.seen
    rows = [
        [Cell(s.name), number(s.metrics["bleu"].score), number(s.unseen)]
        for s in comparison.systems
    ]
    return Grid(
        f"BLEU of all test sentences, and of the {n:,} that are in no system's training text.",
        ("System", "All", "Unseen"),
        rows,
        [],
    )


def _spread_grid(comparison: Comparison) -> Grid:
    rows = []
    for spread in comparison.spreads:
        span = number(min(spread.bleu), 2), number(max(spread.bleu), 2)
        figures = number(spread.mean, 2), number(spread.deviation, 2), *span
        rows.append([Cell(", ".join(spread.systems)), *figures])
    return Grid(
        "BLEU of systems that differ in their seed alone: what a difference is worth that one "
        "training more could bring.",
        ("Systems", "Mean", "Deviation", "Lowest", "Highest"),
        rows,
        [],
    )


def _perplexity_grid(question: Question, systems: Sequence[SystemResult]) -> Grid:
    rows, notes, counts = [], [], set()
    for s in systems:
        if (p := s.perplexity.get(question)) is None:
            continue
        values = [number(p.value, 2), number(p.without_oov, 2)]
        rows.append([Cell(s.name), *values, number(p.tokens, 0), number(p.oov, 0)])
        notes += [f"{s.name}: {p.note}."] if p.note else []
        counts.add(p.tokens)
    if len(counts) > 1:
        notes.append("The systems count different tokens, so these figures do not compare.")
    return Grid(
        f"Perplexity by {question}: {MEANINGS[question]}. "
        "Lower is better; it does not compare with another question's.",
        ("System", "Perplexity", "Without OOVs", "Tokens", "OOVs"),
        rows,
        notes,
    )


def _work_grid(systems: Sequence[SystemResult]) -> Grid:
    rows = []
    for s in systems:
        speed = [number(s.seconds), number(s.threads, 0), number(s.sentences_per_second)]
        size = number(s.bytes and s.bytes / 1e6)
        rows.append([Cell(s.name), *speed, size, number(s.unknown, 0)])
    return Grid(
        "Time to translate the test set when that was done, size of the model, and the unknown "
        "source words that it copied.",
        ("System", "Seconds", "Threads", "Sentences/s", "MB", "Words copied"),
        rows,
        [],
    )
