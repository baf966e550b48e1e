"""The comparison as a page: Rich tables for the terminal, one HTML file for a browser.

Both draw the same grids, so that they cannot come to differ.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mtkit import evaluate
from mtkit.chart import Chart, Line, draw
from mtkit.comparison.curve import Curve, Overtaking
from mtkit.comparison.report import WIDER, Comparison, Example, SystemResult
from mtkit.evaluate import Metric, Pair, Question
from mtkit.page import Cell, Grid, html, number, print_grid, say, visible

# --- what the renderings for people share

LABELS = {"bleu": "BLEU", "chrf": "chrF", "ter": "TER"}
KINDS = {"smt": "statistical", "nmt": "neural", "file": "from a file"}
MEANINGS: dict[Question, str] = {
    "P(y)": "how well the language model expects the reference, the source unseen",
    "P(x|y)": "how well the channel model explains the source by the reference",
    "P(y|x)": "how well the model predicts the reference from the source",
}


def heading(comparison: Comparison) -> str:
    """The test set in one line."""
    count = f"{comparison.sentences:,} sentence" + "s" * (comparison.sentences != 1)
    languages = " → ".join(filter(None, comparison.languages))
    return ", ".join(filter(None, [comparison.name, languages, count]))


def verdict(pair: Pair) -> str:
    """What the tests of a pair say, in words."""
    metric = LABELS[pair.metric]
    if pair.delta == 0:
        return f"{pair.a} and {pair.b} score the same {metric}."
    a_better = (pair.delta > 0) != (pair.metric == "ter")
    better, worse = (pair.a, pair.b) if a_better else (pair.b, pair.a)
    ahead = f"{better} is better than {worse} by {abs(pair.delta):.2f} {metric}"
    p = (
        f"paired bootstrap p = {pair.p_bootstrap:.2g}, "
        f"approximate randomisation p = {pair.p_randomization:.2g}"
    )
    if pair.significant:
        return f"{ahead}, and that is real at p < {evaluate.ALPHA} ({p})."
    if pair.disputed:
        return f"{ahead}; whether that is real the two tests dispute ({p})."
    return f"{ahead}, but that may be chance ({p})."


# What is logged at a validation: a chart's title, and whether its y axis grows by factors.
CURVES = {
    "dev_perplexity": ("Training: perplexity on the dev set", True),
    "bleu": ("Training: BLEU on the dev set, of greedy translations", False),
    "gradient_norm": ("Training: median norm of the gradient, before clipping", True),
}


def charts(comparison: Comparison) -> list[Chart]:
    """How the training of each system went, if that was logged."""
    found = []
    for key, (title, log) in CURVES.items():
        lines = [
            Line(s.name, points)
            for s in comparison.systems
            if (points := tuple((e["update"], e[key]) for e in s.training if e.get(key, 0) > 0))
        ]
        if lines:
            found.append(Chart(title, "update", tuple(lines), log))
    return found


def curve_chart(curve: Curve) -> Chart:
    """BLEU by training pairs, with its 95 % interval."""
    lines = []
    for of in curve.systems:
        points = tuple((n, b.value) for n, b in zip(curve.sizes, of.bleu, strict=True))
        band = tuple((n, b.low, b.high) for n, b in zip(curve.sizes, of.bleu, strict=True))
        lines.append(Line(of.system, points, band))
    return Chart("BLEU by training text", "sentence pairs", tuple(lines), log_x=True)


def curve_verdicts(curve: Curve) -> list[str]:
    """Which system overtakes which, and how sure that is."""
    return [_overtaking(found, curve.sizes) for found in curve.overtaking]


def _overtaking(found: Overtaking, sizes: Sequence[int]) -> str:
    def said(size: float) -> str:
        if size == 0:
            return f"fewer than {sizes[0]:,}"
        return f"more than {sizes[-1]:,}" if size == math.inf else f"{size:,.0f}"

    at = found.size
    if at.high == 0:
        return f"{found.ahead} is ahead of {found.behind} at every size, nearly whatever is drawn."
    within = f"95 % interval: {said(at.low)} to {said(at.high)}"
    if at.value == 0:
        return f"{found.ahead} is ahead of {found.behind} at every size ({within} pairs)."
    return f"{found.ahead} overtakes {found.behind} at {said(at.value)} pairs ({within})."


def _curve_grid(curve: Curve) -> Grid:
    rows = []
    for of in curve.systems:
        bleu = [number(b.value, small=f"{b.low:.1f}–{b.high:.1f}") for b in of.bleu]
        rows.append([Cell(of.system), *bleu])
    seconds = "; ".join(
        f"{of.system} {', '.join(f'{s:,.0f}' for s in of.seconds)}" for of in curve.systems
    )
    return Grid(
        "Learning curves: BLEU after training on so many sentence pairs, the mean of "
        f"{curve.seeds} samples, with 95 % intervals over samples and test sentences.",
        ("System", *(f"{size:,}" for size in curve.sizes)),
        rows,
        [f"Seconds of training: {seconds}."],
    )


def grids(comparison: Comparison) -> list[Grid]:
    """The tables of the report, in order."""
    systems = comparison.systems
    perplexities = [_perplexity_grid(question, systems) for question in MEANINGS]
    return [
        _scores_grid(systems, comparison.tokenize),
        _bleu_grid(systems),
        _length_grid(comparison),
        *([_curve_grid(comparison.curve)] if comparison.curve else []),
        *([_channel_grid(systems)] if any(s.channel for s in systems) else []),
        *([_errors_grid(systems)] if any(s.errors for s in systems) else []),
        *(grid for grid in perplexities if grid.rows),
        *([_glossary_grid(systems)] if any(s.glossary for s in systems) else []),
        _work_grid(systems),
    ]


def _interval(metric: Metric) -> str:
    return "" if metric.low is None else f"{metric.low:.1f}–{metric.high:.1f}"


def _scores_grid(systems: Sequence[SystemResult], tokenize: str) -> Grid:
    tokens = "stand between spaces: the text is taken as already tokenised"
    if tokenize != "none":
        tokens = f"sacreBLEU's tokenizer {tokenize} finds in the plain text, case included"
    rows = []
    for s in systems:
        scores = [number(s.metrics[k].score, small=_interval(s.metrics[k])) for k in LABELS]
        rows.append([Cell(s.name, small=KINDS.get(s.kind, s.kind)), *scores])
    signatures = [f"{LABELS[k]} {s.metrics[k].signature}" for k in LABELS for s in systems]
    return Grid(
        "Scores with 95 % bootstrap intervals. BLEU and chrF: higher is better; TER: lower.",
        ("System", *LABELS.values()),
        rows,
        [f"BLEU counts the tokens that {tokens}.", *dict.fromkeys(signatures)],
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


def _length_grid(comparison: Comparison) -> Grid:
    groups = comparison.lengths
    rows = [[Cell(s.name), *(number(bleu) for bleu in s.by_length)] for s in comparison.systems]
    counts = ", ".join(f"{len(group.rows):,} of {group.low}–{group.high}" for group in groups)
    return Grid(
        "BLEU by the length of the source, in words with blanks between them.",
        ("System", *(f"{group.low}–{group.high}" for group in groups)),
        rows,
        [f"Sentences: {counts} words."],
    )


def _channel_grid(systems: Sequence[SystemResult]) -> Grid:
    names = list(dict.fromkeys(name for s in systems for name in s.channel))
    rows = [
        [Cell(s.name), *(number(s.channel.get(name)) for name in names)]
        for s in systems
        if s.channel
    ]
    return Grid(
        "The noisy channel: BLEU of P(x|y) alone, times P(y) by Bayes' rule, and of the log-linear "
        "model with more features, before and after tuning.",
        ("System", *names),
        rows,
        [],
    )


def _errors_grid(systems: Sequence[SystemResult]) -> Grid:
    rows = []
    for s in systems:
        if e := s.errors:
            counts = e.reached, e.same, e.model, e.search, e.wider
            rows.append([Cell(s.name), *(number(count, 0) for count in counts)])
    return Grid(
        "Errors of the model and of the search. Reached: the sentences whose reference the model "
        "can make at all. Of these: the output is the reference; the model gives the output the "
        "higher score, its own error; or the reference has it, and the search missed it. Wider: "
        f"of all sentences, those for which a search {WIDER} times as wide finds a translation "
        "of a higher score.",
        ("System", "Reached", "Reference", "Model's", "Search's", "Wider"),
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


def _glossary_grid(systems: Sequence[SystemResult]) -> Grid:
    rows = []
    for s in systems:
        if g := s.glossary:
            share = number(100 * g.complied / g.matches if g.matches else None)
            rows.append([Cell(s.name), number(g.matches, 0), number(g.complied, 0), share])
    return Grid(
        "The glossary: its matches in the source, and those that were translated as it asks. "
        "Statistical systems translated by it, all others without.",
        ("System", "Matches", "As asked", "%"),
        rows,
        [],
    )


def _work_grid(systems: Sequence[SystemResult]) -> Grid:
    rows = []
    for s in systems:
        speed = [number(s.seconds), number(s.sentences_per_second)]
        rows.append([Cell(s.name), *speed, number(s.unknown, 0)])
    return Grid(
        "Time to translate the test set, and the unknown source words that were copied.",
        ("System", "Seconds", "Sentences/s", "Words copied"),
        rows,
        [],
    )


# --- terminal


def print_report(comparison: Comparison, console: Console) -> None:
    """The report as tables; whatever the corpus holds, it reaches the terminal as plain text."""

    say(console, heading(comparison), "bold")
    for warning in comparison.warnings:
        say(console, f"Warning: {warning}", "yellow")
    for grid in grids(comparison):
        console.print()
        print_grid(console, grid)
    if comparison.pairs:
        console.print()
        say(console, "Is the difference real?", "bold")
    for pair in comparison.pairs:
        console.print(Padding(Text(visible(verdict(pair))), (0, 0, 0, 2)))
    if comparison.curve:
        console.print()
        say(console, "How much text?", "bold")
        for line in curve_verdicts(comparison.curve):
            console.print(Padding(Text(visible(line)), (0, 0, 0, 2)))
    for example in comparison.examples:
        console.print()
        say(console, f"Line {example.line}: {example.why}", "bold")
        console.print(_example(example))


def _example(example: Example) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(max_width=24, overflow="fold")
    table.add_column(justify="right", style="dim")
    table.add_column(overflow="fold")
    rows = [("source", "", example.source), ("reference", "chrF", example.reference)]
    rows += [(o.system, f"{o.chrf:.1f}", o.text) for o in example.outputs]
    for row in rows:
        table.add_row(*(Text(visible(text)) for text in row))
    return table


# --- HTML


def as_html(comparison: Comparison) -> str:
    """One page that needs nothing from elsewhere; the same comparison gives the same bytes."""
    bleu = [(s.name, s.metrics["bleu"]) for s in comparison.systems]
    curve = comparison.curve
    return html(
        "report.html.j2",
        title=f"mtkit compare: {heading(comparison)}",
        comparison=comparison,
        heading=heading(comparison),
        grids=grids(comparison),
        drawings=[draw(chart) for chart in charts(comparison)],
        verdicts=[verdict(pair) for pair in comparison.pairs],
        curve=[draw(curve_chart(curve))] if curve else [],
        curve_verdicts=curve_verdicts(curve) if curve else [],
        bars=[(name, m.score, m.low, m.high, _interval(m)) for name, m in bleu],
        top=20 * max(1, math.ceil(max(m.high or m.score for _, m in bleu) / 20)),
    )
