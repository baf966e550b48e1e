"""The report of a comparison: Rich tables for a terminal, one HTML file for a browser."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mtkit.comparison.conclusion import conclude
from mtkit.comparison.examples import Example
from mtkit.comparison.page import curve as curve_page
from mtkit.comparison.page import where, who, why
from mtkit.comparison.page.who import span
from mtkit.comparison.report import Comparison
from mtkit.console import visible
from mtkit.evaluation.metrics import LABELS, label
from mtkit.evaluation.significance import AGREEING, Pair
from mtkit.evaluation.statistics import RESAMPLES, TRIALS
from mtkit.explanation.page import view
from mtkit.page.chart import Chart, Line, colours_of, draw_all
from mtkit.page.tables import Grid, html, print_grid, say

PRINTED = 4  # examples in a terminal
AGREE = (
    "People agree with N %: of other pairs of systems with such a difference, people preferred the "
    "same system as the metric in N % (Kocmi et al. 2024; chance: 50 %). At least: N is not "
    f"known for differences above {AGREEING['bleu'][2]} BLEU or {AGREEING['chrf'][2]} chrF."
)
MAX_FOR_ALL_PAIRS = 3  # with more systems, only pairs with the best one are shown
TESTED = "Significance: p-values by paired bootstrap, approximate randomisation"
HOLM = "; also with Holm's correction for several pairs"


def heading(comparison: Comparison) -> str:
    """The test set in one line."""
    test = comparison.test
    count = f"{test.sentences:,} sentence" + "s" * (test.sentences != 1)
    parts = [test.name, " → ".join(filter(None, test.languages)), count]
    if test.references > 1:
        parts.append(f"{test.references} references (words are grouped by the first)")
    return ", ".join(filter(None, parts))


def tested(comparison: Comparison) -> str:
    """Return the heading of the verdicts."""
    return TESTED + HOLM * (len(comparison.systems) > 2)


def verdict(
    pair: Pair, less_is_better: bool = False, trials: tuple[int, int] = (RESAMPLES, TRIALS)
) -> str:
    """Return the significance tests of a pair as a sentence. trials: see ``Pair.p_values``."""
    metric = label(pair.metric)
    if pair.delta == 0:
        return f"{pair.a} and {pair.b} score the same {metric}."
    better, worse = (pair.a, pair.b) if (pair.delta > 0) != less_is_better else (pair.b, pair.a)
    p, holm = pair.p_values(trials), pair.p_values(trials, holm=True)
    details = f"{pair.significance}; p {_both(*p)}"
    if holm != p:
        details += f"; Holm {_both(*holm).removeprefix('= ')}"
    if pair.agreement is not None and pair.rejections:
        least = "at least " * pair.agreement_is_bound
        details += f"; people agree with {least}{100 * pair.agreement:.0f} % of such differences"
    gap = abs(pair.delta)
    size = f"{gap:.2f}" if pair.metric in LABELS else f"{gap:.3g}"
    direction = "lower" if less_is_better else "higher"
    return f"{better} scores {size} {metric} {direction} than {worse} ({details})."


def _both(first: str, second: str) -> str:
    """Join two p-values with signs; an equal sign is not repeated.

    >>> _both("= 0.02", "= 0.03"), _both("≤ 0.001", "= 0.03")
    ('= 0.02, 0.03', '≤ 0.001, = 0.03')
    """
    return f"{first}, {second.removeprefix(first[:2])}"


def verdicts(comparison: Comparison) -> list[str]:
    """Return a verdict for every pair; of many systems, only for pairs with the best one."""
    pairs, less = comparison.pairs, comparison.metrics
    trials = comparison.test.resamples, comparison.test.trials
    if len(comparison.systems) <= MAX_FOR_ALL_PAIRS:
        return [verdict(pair, less[pair.metric], trials) for pair in pairs]
    best = max(comparison.systems, key=lambda s: s.bleu).name
    more = f"Only pairs with {best} are shown; --json has all {len(pairs)}."
    chosen = [pair for pair in pairs if best in (pair.a, pair.b)]
    return [*(verdict(pair, less[pair.metric], trials) for pair in chosen), more]


def with_legend(comparison: Comparison) -> list[str]:
    """Return the verdicts, and a legend if they report the agreement of people."""
    has_agreement = any(pair.agreement is not None and pair.rejections for pair in comparison.pairs)
    return [*verdicts(comparison), *[AGREE] * has_agreement]


# Key of the training log: title of the chart, name of the y axis, whether it is logarithmic.
CURVES = {
    "dev_perplexity": ("Training: perplexity on the dev set", "perplexity", True),
    "bleu": ("Training: BLEU on the dev set, of greedy translations", "BLEU", False),
    "gradient_norm": ("Training: median norm of the gradient, before clipping", "norm", True),
}


def charts(comparison: Comparison) -> list[Chart]:
    """Return charts of the training logs, with a line for each system that has a log."""
    drawn = []
    for key, (title, y, log) in CURVES.items():
        lines = [
            Line(s.name, points)
            for s in comparison.systems
            if (points := tuple((e["update"], e[key]) for e in s.training if e.get(key, 0) > 0))
        ]
        if lines:
            drawn.append(Chart(title, "updates", tuple(lines), log, y=y))
    return drawn


def sections(comparison: Comparison) -> dict[str, list[Grid]]:
    """Return the tables by section: Who, Where, Why. Tables without rows are left out."""
    curve = [curve_page.grid(comparison.curve)] if comparison.curve else []
    tables = {"Who": who.grids(comparison) + curve, "Where": where.grids(comparison)}
    tables["Why"] = why.grids(comparison)
    return {name: [grid for grid in grids if grid.rows] for name, grids in tables.items()}


# --- terminal


def print_report(comparison: Comparison, console: Console, full: bool = False) -> None:
    """Print scores, their significance and the conclusion; if ``full``, all tables and examples.

    Text from the corpus is printed without markup and with visible control characters.
    """
    say(console, heading(comparison), "bold")
    for warning in comparison.warnings:
        say(console, f"Warning: {warning}", "yellow")
    if not full:
        print_grid(console, who.scores(comparison, signatures=False), above=True)
    overtakings = curve_page.verdicts(comparison.curve) if comparison.curve else []
    _print(console, tested(comparison), with_legend(comparison) if full else verdicts(comparison))
    _print(console, "Learning curve", overtakings)
    if full:
        _print_tables(comparison, console)
    elif (grid := why.glossary(comparison.systems)).rows:
        print_grid(console, grid, above=True)
    _print(console, "Conclusion", conclude(comparison))
    if not full:
        say(console, "More: --full (signatures, all tables, examples), --html FILE (a page)", "dim")


def _print(console: Console, title: str, sentences: Sequence[str]) -> None:
    if sentences:
        say(console, title, "bold", above=True)
    for sentence in sentences:
        console.print(Padding(Text(visible(sentence)), (0, 0, 0, 2)))


def _print_tables(comparison: Comparison, console: Console) -> None:
    for section, tables in sections(comparison).items():
        say(console, f"{section}?", "bold underline", above=True)
        for grid in tables:
            print_grid(console, grid, above=True)
    for example in comparison.examples[:PRINTED]:
        say(console, f"Line {example.line}: {example.why}", "bold", above=True)
        console.print(_example(example))
    if (n_more := len(comparison.examples) - PRINTED) > 0:
        hint = f"--html FILE: {n_more} more examples, and explanations of each translation"
        say(console, hint, "dim", above=True)


def _example(example: Example) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(max_width=24, overflow="fold")
    table.add_column(justify="right", style="dim")
    table.add_column(overflow="fold")
    rows = [("source", "", example.source), ("reference", "chrF", example.references[0])]
    rows += [("reference", "", reference) for reference in example.references[1:]]
    for o in example.outputs:
        scores = (f"{metric} {score:.3g}" for metric, score in o.scores.items())
        rows.append((o.system, ", ".join([f"{o.chrf:.1f}", *scores]), o.text))
    for row in rows:
        table.add_row(*(Text(visible(text)) for text in row))
    return table


# --- HTML


SECTIONS = {"Who": "Scores", "Where": "Where they differ", "Why": "Why they differ"}  # on the page
OPEN = {"Who": 1, "Where": 0, "Why": 1}  # number of tables that are not folded


def as_html(comparison: Comparison) -> str:
    """Return one self-contained HTML page; the same comparison gives the same bytes."""
    bleu = [(s.name, s.metrics["bleu"]) for s in comparison.systems]
    names = [name for name, _ in bleu]
    curve, explanations = comparison.curve, comparison.explanations
    return html(
        "report.html.j2",
        title=f"mtkit compare: {heading(comparison)}",
        comparison=comparison,
        heading=heading(comparison),
        sections=[
            (SECTIONS[name], name, OPEN[name], data) for name, data in sections(comparison).items()
        ],
        explained={line: list(map(view, data)) for line, data in explanations.items()},
        drawings=draw_all(charts(comparison), names),
        where=draw_all(where.charts(comparison), names),
        conclusion=conclude(comparison),
        tested=tested(comparison),
        verdicts=with_legend(comparison),
        curve=draw_all([curve_page.chart(curve)], names) if curve else [],
        curve_verdicts=curve_page.verdicts(curve) if curve else [],
        bars=[(name, m.score, m.low, m.high, span(m)) for name, m in bleu],
        top=20 * max(1, math.ceil(max(m.high or m.score for _, m in bleu) / 20)),
        colours=colours_of(names),
    )
