"""Where systems differ: tables and charts by sentences, words and n-grams."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat

from mtkit.comparison.report import LENGTH_DIFFERENCES, Comparison, ScoredGroup
from mtkit.comparison.where import MIN_WORDS, Accuracy, Difference, Grouping, Ngrams
from mtkit.evaluation.means import Interval
from mtkit.page.chart import Chart, Line
from mtkit.page.tables import Cell, Grid, number, table
from mtkit.text.tokenizer import WordTokenizer

GROUPINGS = {
    "frequency": "F1 of words by frequency in the training text",
    "kind": "F1 of words by kind",
    "case": "F1 of words by case",
    "jump": "Recall of reference words by reordering distance: number of source words skipped "
    "between the previous word's source and this word's source",
    "source frequency": "Source words translated as in the reference (all reference words aligned "
    "to them are in the output), by frequency in the training text",
}
BANDS = "Bands: 95 % intervals."
DIFFERENCE = (
    "a − b: difference between the best system and another, over the same bootstrap samples."
)


def grids(comparison: Comparison) -> list[Grid]:
    """The tables, in order."""
    systems = comparison.systems
    best = max(systems, key=lambda system: system.bleu).name
    lengths = systems[0].by_length
    counts = ", ".join(f"{group.sentences:,}" for group in lengths)
    return [
        Grid(
            "BLEU by source length in words (separated by spaces), with 95 % intervals.",
            ("System", *(f"{group.low}–{group.high}" for group in lengths)),
            [[Cell(s.name), *map(_bleu, s.by_length)] for s in systems]
            + _differences(comparison.by_length, best, 1),
            [f"Sentences per column: {counts}.", *[DIFFERENCE] * bool(comparison.by_length)],
        ),
        Grid(
            "BLEU by length difference, output minus reference in words, with the number of "
            "sentences below. A column has different sentences for each system: compare only "
            "within a row.",
            ("System", *(_span(*limits) for limits in LENGTH_DIFFERENCES)),
            [
                [Cell(s.name), *(number(g.bleu, small=f"{g.sentences:,}") for g in s.by_difference)]
                for s in systems
            ],
        ),
        Grid(
            "Number of sentences by chrF, in steps of 10.",
            ("System", *(f"{10 * k}–" for k in range(10))),
            [[Cell(s.name), *(number(n, 0) for n in s.by_chrf)] for s in systems],
        ),
        *(_words_grid(grouping, best) for grouping in comparison.groupings),
        *map(_ngrams_grid, comparison.ngrams),
    ]


def charts(comparison: Comparison) -> list[Chart]:
    """Return charts of BLEU by source length and of F1 by word frequency."""
    lengths = [(group.low, group.high) for group in comparison.systems[0].by_length]
    bleu = [_line(s.name, list(map(_figure, s.by_length))) for s in comparison.systems]
    drawn = [
        Chart(
            "BLEU by length of the source", "words of the source", tuple(filter(None, bleu)),
            y="BLEU", note=BANDS, groups=tuple(f"{low}–{high}" for low, high in lengths),
            anchor="length",
        )
    ]  # fmt: skip
    for grouping in comparison.groupings:
        if grouping.by == "frequency":
            f1 = [_line(name, _f1(grouping, name)) for name in grouping.systems]
            title, x = "F1 of words by frequency", "occurrences in the training text"
            lines, groups = tuple(filter(None, f1)), tuple(grouping.labels)
            drawn.append(
                Chart(title, x, lines, y="F1, %", note=BANDS, groups=groups, anchor="frequency")
            )
    return [chart for chart in drawn if chart.lines]


# A value and the ends of its interval, None without one.
Figure = tuple[float, float | None, float | None]


def _figure(group: ScoredGroup) -> Figure | None:
    return None if group.bleu is None else (group.bleu, group.bleu_low, group.bleu_high)


def _f1(grouping: Grouping, name: str) -> list[Figure | None]:
    """F1 and interval of each group, in per cent; None for fewer than ``MIN_WORDS`` words."""
    return [
        (100 * accuracy.f1.value, 100 * accuracy.f1.low, 100 * accuracy.f1.high)
        if accuracy.f1 and words >= MIN_WORDS
        else None
        for accuracy, words in zip(grouping.systems[name], grouping.words, strict=True)
    ]


def _line(name: str, figures: Iterable[Figure | None]) -> Line | None:
    drawn = [(float(x), *figure) for x, figure in enumerate(figures) if figure]
    points = tuple((x, value) for x, value, _, _ in drawn)
    band = [(x, a, b) for x, _, a, b in drawn if a is not None and b is not None]
    return Line(name, points, tuple(band)) if points else None


def _bleu(group: ScoredGroup) -> Cell:
    low, high = group.bleu_low, group.bleu_high
    return number(group.bleu, small="" if low is None else f"{low:.1f}–{high:.1f}")


def _span(low: int | None, high: int | None) -> str:
    """Format a range of signed numbers, such as −4 to −2, or ≥ +6."""

    def signed(n: int) -> str:
        return f"{n:+d}".replace("-", "−") if n else "0"

    if low is None or high is None:
        return f"≤ {signed(high)}" if high is not None else f"≥ {signed(low or 0)}"
    return signed(low) if low == high else f"{signed(low)} to {signed(high)}"


def _differences(
    differences: Sequence[Difference], best: str, factor: int, words: Sequence[int] = ()
) -> list[list[Cell]]:
    """Return a row for each other system: score of the best − its score. words: in each group."""
    rows = []
    for pair in differences:
        if best in (pair.a, pair.b):
            sign = factor if pair.a == best else -factor
            other = pair.b if pair.a == best else pair.a
            shown = [n >= MIN_WORDS for n in words] or [True] * len(pair.by_group)
            rows.append(
                [Cell(f"{best} − {other}"), *map(_signed, pair.by_group, repeat(sign), shown)]
            )
    return rows


def _signed(gap: Interval | None, factor: int, with_interval: bool) -> Cell:
    if gap is None:
        return number(None)

    def signed(value: float) -> str:
        return f"{value:+.1f}".replace("-", "−") if value else "0.0"

    value, *ends = (round(factor * figure, 1) + 0.0 for figure in (gap.value, gap.low, gap.high))
    low, high = sorted(ends)
    small = f"{signed(low)} to {signed(high)}" if with_interval else ""
    return Cell(signed(value), small, factor * gap.value)


def _words_grid(grouping: Grouping, best: str) -> Grid:
    counts = ", ".join(f"{n:,}" for n in grouping.words)
    accuracies = grouping.systems.items()
    return Grid(
        f"{GROUPINGS[grouping.by]}, in per cent with 95 % intervals.",
        ("System", *grouping.labels),
        [[Cell(name), *map(_accuracy, by_group, grouping.words)] for name, by_group in accuracies]
        + _differences(grouping.differences, best, 100, grouping.words),
        [f"Words per column: {counts}.", *[DIFFERENCE] * bool(grouping.differences)],
    )


def _accuracy(a: Accuracy, words: int) -> Cell:
    """Return F1, or recall if there is no F1, with its interval."""
    share = a.f1 or a.recall
    if not share or not words:
        return number(None)
    interval = f"{100 * share.low:.0f}–{100 * share.high:.0f}" if words >= MIN_WORDS else ""
    return number(100 * share.value, 1, interval)


def _ngrams_grid(ngrams: Ngrams) -> Grid:
    return table(
        f"N-grams that {ngrams.ahead} translates better than {ngrams.behind}: matches of each "
        "system with the references, and occurrences in the references.",
        [(WordTokenizer().detokenize(t.ngram), t) for t in ngrams.ngrams],
        [
            (ngrams.ahead, lambda t: number(t.ahead, 0)),
            (ngrams.behind, lambda t: number(t.behind, 0)),
            ("Reference", lambda t: number(t.reference, 0)),
        ],
        first="n-gram",
    )
