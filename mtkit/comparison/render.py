"""The comparison as a page: Rich tables for the terminal, one HTML file for a browser.

Both draw the same grids, so that they cannot come to differ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mtkit import evaluate
from mtkit.chart import Chart, Line, draw
from mtkit.comparison.curve import Curve, Overtaking
from mtkit.comparison.examples import Example
from mtkit.comparison.faults import WIDER
from mtkit.comparison.report import DIFFERENCES, Comparison, SystemResult
from mtkit.comparison.where import Accuracy, Grouping, Ngrams
from mtkit.evaluate import Metric, Pair, Question
from mtkit.explain import Explanation
from mtkit.explain_view import shown
from mtkit.page import Cell, Grid, html, number, print_grid, say, visible
from mtkit.tokenizer import WordTokenizer

# --- what the renderings for people share

PRINTED = 4  # examples in a terminal
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
    return [grid for of in sections(comparison).values() for grid in of]


def sections(comparison: Comparison) -> dict[str, list[Grid]]:
    """The tables by the question that they answer."""
    systems = comparison.systems
    perplexities = [_perplexity_grid(question, systems) for question in MEANINGS]
    return {
        "Who": [
            _scores_grid(systems, comparison),
            _bleu_grid(systems),
            *([_unseen_grid(comparison)] if comparison.seen else []),
            *([_spread_grid(comparison)] if comparison.spreads else []),
            *([_curve_grid(comparison.curve)] if comparison.curve else []),
            *(grid for grid in perplexities if grid.rows),
            _work_grid(systems),
        ],
        "Where": [
            _length_grid(comparison),
            _difference_grid(systems),
            _chrf_grid(systems),
            *(_words_grid(grouping) for grouping in comparison.groupings),
            *(_ngrams_grid(ngrams) for ngrams in comparison.ngrams),
        ],
        "Why": [
            *([_errors_grid(systems)] if any(s.errors for s in systems) else []),
            _coverage_grid(systems),
            *([_unknown_grid(systems)] if any(s.unknown_words for s in systems) else []),
            *([_channel_grid(systems)] if any(s.channel for s in systems) else []),
            *([_glossary_grid(systems)] if any(s.glossary for s in systems) else []),
        ],
    }


def _interval(metric: Metric) -> str:
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
        scores = [number(s.metrics[k].score, small=_interval(s.metrics[k])) for k in LABELS]
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
        f"BLEU of all test sentences, and of the {n:,} that no system was trained on.",
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


def _difference_grid(systems: Sequence[SystemResult]) -> Grid:
    edges = [None, *DIFFERENCES], [*DIFFERENCES, None]
    labels = [_span(above, to) for above, to in zip(*edges, strict=True)]
    rows = [
        [Cell(s.name), *(number(bleu, small=f"{n:,}") for n, bleu in s.by_difference)]
        for s in systems
    ]
    return Grid(
        "BLEU by how many words longer the output is than the reference, and below it the number "
        "of such sentences.",
        ("System", *labels),
        rows,
        [],
    )


def _span(above: int | None, to: int | None) -> str:
    """The numbers above one and up to the other, with a sign."""

    def signed(n: int) -> str:
        return f"{n:+d}".replace("-", "−") if n else "0"

    if above is None or to is None:
        return f"≤ {signed(to)}" if to is not None else f"> {signed(above or 0)}"
    return signed(to) if to - above == 1 else f"{signed(above + 1)} to {signed(to)}"


def _chrf_grid(systems: Sequence[SystemResult]) -> Grid:
    labels = [f"{10 * k}–" for k in range(10)]
    return Grid(
        "Sentences by their chrF, in tenths of the scale: how many are bad, and how many perfect.",
        ("System", *labels),
        [[Cell(s.name), *(number(n, 0) for n in s.by_chrf)] for s in systems],
        [],
    )


GROUPINGS = {
    "frequency": "F1 of the words, by how often they stand in the training text",
    "kind": "F1 of the words, by kind",
    "case": "F1 of the words, by case",
    "jump": "Recall of the reference's words, by the source words that they jump over",
    "source frequency": "Source words whose reference is matched, by their frequency in training",
}


def _words_grid(grouping: Grouping) -> Grid:
    rows = []
    for name, groups in grouping.systems.items():
        rows.append([Cell(name), *map(_accuracy, groups, grouping.words)])
    counts = ", ".join(
        f"{n:,} of {label}" for label, n in zip(grouping.labels, grouping.words, strict=True)
    )
    return Grid(
        f"{GROUPINGS[grouping.by]}, in per cent with 95 % intervals.",
        ("System", *grouping.labels),
        rows,
        [f"Words: {counts}."],
    )


def _accuracy(a: Accuracy, words: int) -> Cell:
    """F1, or recall where there is no other."""
    if not words:
        return number(None)
    of = a.f1 or a.recall
    return number(100 * of.value, 1, f"{100 * of.low:.0f}–{100 * of.high:.0f}")


def _ngrams_grid(ngrams: Ngrams) -> Grid:
    rows = []
    for found in ngrams.found:
        counts = found.ahead, found.behind, found.reference
        rows.append(
            [Cell(WordTokenizer().detokenize(found.ngram)), *(number(n, 0) for n in counts)]
        )
    return Grid(
        f"What {ngrams.ahead} gets and {ngrams.behind} misses: n-grams, how often each system "
        "matches them, and how often they stand in the references.",
        ("n-gram", ngrams.ahead, ngrams.behind, "Reference"),
        rows,
        [],
    )


def _coverage_grid(systems: Sequence[SystemResult]) -> Grid:
    rows = []
    for s in systems:
        shares = s.coverage.repeated, s.coverage.uncovered, s.coverage.omitted
        rows.append([Cell(s.name), *(number(None if x is None else 100 * x, 2) for x in shares)])
    return Grid(
        "Repetitions and omissions, in per cent of the words. Repeated: of the output, beyond the "
        "reference. Uncovered: source words that nothing in the output was made from, by the "
        "system's own phrases or attention. Omitted: source words that are aligned to the "
        "reference, but to nothing in the output.",
        ("System", "Repeated", "Uncovered", "Omitted"),
        rows,
        [],
    )


def _unknown_grid(systems: Sequence[SystemResult]) -> Grid:
    rows = []
    for s in systems:
        if u := s.unknown_words:
            figures = u.words, u.copied, u.right, u.expected
            rows.append([Cell(s.name), *(number(n, 0) for n in figures)])
    return Grid(
        "Source words that the training text lacks: those that stand in the output as they are, "
        "those of them that the reference has too, and all that the reference has.",
        ("System", "Unknown", "Copied", "Rightly", "To be copied"),
        rows,
        [],
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
            figures = [number(count, 0) for count in counts]
            rows.append([Cell(s.name), *figures, number(s.wider)])
    return Grid(
        "Errors of the model and of the search. Reached: the sentences whose reference the model "
        "can make at all. Of these: the output is the reference; the model gives the output the "
        "higher score, its own error; or the reference has it, and the search missed it. Wider: "
        f"of all sentences, those for which a search {WIDER} times as wide finds a translation "
        "of a higher score; and the BLEU of that search.",
        ("System", "Reached", "Reference", "Model's", "Search's", "Wider", "BLEU"),
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


# --- terminal


def print_report(comparison: Comparison, console: Console) -> None:
    """The report as tables; whatever the corpus holds, it reaches the terminal as plain text."""

    say(console, heading(comparison), "bold")
    for warning in comparison.warnings:
        say(console, f"Warning: {warning}", "yellow")
    _print_list(console, "Is the difference real?", [verdict(pair) for pair in comparison.pairs])
    if comparison.curve:
        _print_list(console, "How much text?", curve_verdicts(comparison.curve))
    for section, tables in sections(comparison).items():
        console.print()
        say(console, f"{section}?", "bold underline")
        for grid in tables:
            console.print()
            print_grid(console, grid)
    for example in comparison.examples[:PRINTED]:
        console.print()
        say(console, f"Line {example.line}: {example.why}", "bold")
        console.print(_example(example))
    if (more := len(comparison.examples) - PRINTED) > 0:
        console.print()
        say(console, f"{more} more examples, and why each system says so, with --html", "dim")


def _print_list(console: Console, title: str, lines: Sequence[str]) -> None:
    if lines:
        console.print()
        say(console, title, "bold")
    for line in lines:
        console.print(Padding(Text(visible(line)), (0, 0, 0, 2)))


def _example(example: Example) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(max_width=24, overflow="fold")
    table.add_column(justify="right", style="dim")
    table.add_column(overflow="fold")
    rows = [("source", "", example.source), ("reference", "chrF", example.references[0])]
    rows += [("reference", "", also) for also in example.references[1:]]
    rows += [(o.system, f"{o.chrf:.1f}", o.text) for o in example.outputs]
    for row in rows:
        table.add_row(*(Text(visible(text)) for text in row))
    return table


# --- HTML


def as_html(
    comparison: Comparison, explained: Mapping[int, Sequence[Explanation]] | None = None
) -> str:
    """One page that needs nothing from elsewhere; the same comparison gives the same bytes.

    explained: by the line of an example, why systems translate it as they do.
    """
    explained = explained or {}
    bleu = [(s.name, s.metrics["bleu"]) for s in comparison.systems]
    curve = comparison.curve
    return html(
        "report.html.j2",
        title=f"mtkit compare: {heading(comparison)}",
        comparison=comparison,
        heading=heading(comparison),
        sections=sections(comparison),
        explained={line: [shown(found) for found in of] for line, of in explained.items()},
        drawings=[draw(chart) for chart in charts(comparison)],
        verdicts=[verdict(pair) for pair in comparison.pairs],
        curve=[draw(curve_chart(curve))] if curve else [],
        curve_verdicts=curve_verdicts(curve) if curve else [],
        bars=[(name, m.score, m.low, m.high, _interval(m)) for name, m in bleu],
        top=20 * max(1, math.ceil(max(m.high or m.score for _, m in bleu) / 20)),
    )
