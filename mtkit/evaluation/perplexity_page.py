"""Output of ``mtkit perplexity``: tables, charts on a page, and the surprisal of each token."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product, zip_longest

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from mtkit.console import paragraph, visible
from mtkit.evaluation.perplexity import (
    END,
    MEANINGS,
    Group,
    Perplexity,
    TextPerplexity,
    TokenProbabilities,
    perplexity_of,
    why_only_bits_compare,
)
from mtkit.page.chart import Chart, Drawing, Line, colours_of, draw_all
from mtkit.page.tables import Cell, Columns, Grid, html, number, print_grid, table
from mtkit.platforms import short_path

CAPTIONS = {
    "oov": "known and unknown words",
    "frequency": "frequency of the word in the training text",
    "position": "position of the word in its sentence",
    "order": "length of the n-gram that the language model used, in words",
}
STYLES = ((1.0, "green"), (3.0, "cyan"), (6.0, "yellow"), (10.0, "magenta"), (math.inf, "bold red"))
GAP = 2  # spaces between two tokens
LEGEND = (
    "* word unknown to the model; n-gram: length of the n-gram that the language model used. "
    "P(y) is without the source, P(y|x) given the source, P(x|y) of the source's words: compare "
    "rows only within one of these."
)


def print_texts(models: Sequence[TextPerplexity], console: Console, tokens: bool) -> None:
    """Print each text by all its models: as tables or, if ``tokens``, token by token."""
    show = print_tokens if tokens else print_tables
    for files in dict.fromkeys(model.files for model in models):
        paragraph(console, ", ".join(map(short_path, files)), "bold")
        show([model for model in models if model.files == files], console)


# --- tables

TITLE = (
    "Perplexity, and bits per character, with OOVs spelled out. Lower is better. Compare only "
    "rows with the same probability."
)
END_FREE = "without </s>"


def columns(decimals: int) -> Columns[Perplexity]:
    """Columns of a table of perplexities; a perplexity with a given length is marked."""
    return [
        ("Perplexity", lambda p: number(p.value, decimals, END_FREE * p.given_length)),
        ("Without OOVs", lambda p: number(p.without_oov, decimals)),
        ("Tokens", lambda p: number(p.tokens, 0)),
        ("OOVs", lambda p: number(p.oov, 0)),
        ("Bits/char.", lambda p: number(p.bits_per_character, decimals)),
    ]


def print_tables(models: Sequence[TextPerplexity], console: Console) -> None:
    """Print one text's perplexities by all models, then those of its groups by question."""
    for grid in grids(models):
        print_grid(console, grid)
        console.print()
    for why in missing(models):
        paragraph(console, why, "dim")


def grids(models: Sequence[TextPerplexity]) -> list[Grid]:
    """The tables of one text, in order."""
    rows, notes = list[tuple[str, Perplexity]](), list[str]()
    for question in MEANINGS:
        probabilities = {
            m.name: m.probabilities[question] for m in models if question in m.probabilities
        }
        answers = {name: j.perplexity for name, j in probabilities.items()}
        rows += answers.items()
        notes += [f"{name}, {question}: {p.note}." for name, p in answers.items() if p.note]
        texts = {tuple(j.words) for j in probabilities.values()}
        notes += filter(None, [why_only_bits_compare(answers, same_tokens=len(texts) < 2)])
    all_columns: Columns[Perplexity] = [("Of", lambda p: Cell(p.question)), *columns(4)]
    return [table(TITLE, rows, all_columns, notes, first="Model"), *split_grids(models)]


def missing(models: Sequence[TextPerplexity]) -> list[str]:
    """Return notes on why a model has no split by frequency."""
    return [f"{m.name}: no split by frequency: {m.missing}." for m in models if m.missing]


def split_grids(models: Sequence[TextPerplexity]) -> Iterator[Grid]:
    """Yield a table for each question and property: perplexity, and number of tokens below it."""
    for question, (name, caption) in product(MEANINGS, CAPTIONS.items()):
        splits = [(m.name, m.splits[question]) for m in models if question in m.splits]
        by_model = {model: split[name] for model, split in splits if name in split}
        # The labels of a shorter list of groups are the first ones of the longest list.
        columns = zip_longest(*by_model.values(), fillvalue=Group("", 0, 0.0))
        filled = [groups for groups in columns if any(group.tokens for group in groups)]
        labels = [max(group.label for group in groups) for groups in filled]
        rows = [
            [Cell(model), *(number(g.perplexity, 1, f"{g.tokens:,}") for g in groups)]
            for model, groups in zip(by_model, zip(*filled, strict=True), strict=True)
        ]
        if rows:
            yield Grid(f"{question} by {caption}: perplexity, tokens", ("Model", *labels), rows)


# --- token by token


def print_tokens(models: Sequence[TextPerplexity], console: Console) -> None:
    """Print each sentence with the surprisal of its tokens by every model and question."""
    legend, low = Text("Below each token its surprisal, −log2 p, in bits: "), 0.0
    for high, style in STYLES:
        legend.append(f"{low:g}–{high:g}" if high < math.inf else f"over {low:g}", style)
        legend.append(", " if high < math.inf else ". ")
        low = high
    console.print(legend.append(LEGEND))
    texts = [
        (q, m.name, m.probabilities[q]) for q in MEANINGS for m in models if q in m.probabilities
    ]
    for line, spans in enumerate(
        zip(*(probabilities.spans for *_, probabilities in texts), strict=True), 1
    ):
        console.print(Text(f"\nLine {line}", "bold"))
        blocks: dict[tuple[bool, tuple[str, ...]], list[list[Text]]] = {}
        for (question, name, probabilities), span in zip(texts, spans, strict=True):
            key = question == "P(x|y)", tuple(probabilities.words[span])
            label = Text(f"{question:<6}  {visible(name)}")
            blocks.setdefault(key, []).extend(_rows(label, probabilities, span))
        for (of_source, words), rows in blocks.items():
            _print_block("source" if of_source else "target", words, rows, console)


def _rows(label: Text, probabilities: TokenProbabilities, span: slice) -> Iterator[list[Text]]:
    """Yield a row: label, sentence perplexity, a cell per token; then perhaps n-gram lengths."""
    bits = probabilities.bits[span].tolist()
    cells = [
        Text(number(value).text + "*" * oov, next(style for high, style in STYLES if value <= high))
        for value, oov in zip(bits, probabilities.is_oov[span].tolist(), strict=True)
    ]
    perplexity = number(perplexity_of(probabilities.log_p[span].tolist(), len(bits))).text
    yield [label, Text(perplexity, "bold"), *cells]
    if probabilities.order is not None:
        orders = [Text(str(order), "dim") for order in probabilities.order[span].tolist()]
        yield [Text("        n-gram", "dim"), Text(), *orders]


def _print_block(side: str, words: Sequence[str], rows: list[list[Text]], console: Console) -> None:
    """Print one column per token, wrapped to the width of the console."""
    first = Text(side, "dim"), Text("perplexity", "bold")
    head = [*first, *(Text(visible(word)) for word in words)]
    lines = [head, *rows]
    widths = [max(cell_len(cell.plain) for cell in col) + GAP for col in zip(*lines, strict=True)]
    begin = 1
    while begin < len(head):
        end, used = begin + 1, widths[0] + widths[begin]
        while end < len(head) and used + widths[end] - GAP <= console.width:
            used += widths[end]
            end += 1
        for line in lines:
            shown = Text()
            for k in (0, *range(begin, end)):
                shown.append_text(line[k]).append(" " * (widths[k] - cell_len(line[k].plain)))
            shown.rstrip()
            console.print(shown, soft_wrap=True)
        begin = end


# --- HTML

LINES = 30  # lines of a text shown token by token, at most
CHARTED = {"frequency": "occurrences in the training text", "position": "position in the sentence"}
HEAT = 4.0  # per cent of colour per bit
HOTTEST = 60.0  # per cent of colour on which text is still legible


@dataclass(frozen=True)
class Token:
    """A token as shown. heat: per cent of colour. order: length of its n-gram, "" without one."""

    word: str
    bits: str
    heat: float
    order: str


@dataclass(frozen=True)
class Row:
    """A sentence by one model and question."""

    model: str
    question: str
    perplexity: str
    tokens: list[Token]


@dataclass(frozen=True)
class TextView:
    """What the page shows of one text. lines: number of lines in the text."""

    name: str
    findings: list[str]
    drawings: list[Drawing]
    grids: list[Grid]
    missing: list[str]
    lines: int
    sentences: list[list[Row]]


def as_html(models: Sequence[TextPerplexity]) -> str:
    """Return one self-contained HTML page."""
    texts = dict.fromkeys(model.files for model in models if model.probabilities)
    names = [model.name for model in models]
    views = [_view([m for m in models if m.files == files], names) for files in texts]
    title = f"mtkit perplexity: {', '.join(names)}"
    level = 2 if len(views) == 1 else 3  # of the headings within a text
    return html(
        "perplexity.html.j2", title=title, texts=views, colours=colours_of(names), level=level
    )


def _view(models: Sequence[TextPerplexity], names: Sequence[str]) -> TextView:
    entries = [
        (q, m.name, m.probabilities[q]) for q in MEANINGS for m in models if q in m.probabilities
    ]
    spans = list(
        islice(zip(*(probabilities.spans for *_, probabilities in entries), strict=True), LINES)
    )
    sentences = [
        [_row(*entry, span) for entry, span in zip(entries, row, strict=True)] for row in spans
    ]  # fmt: skip
    return TextView(
        ", ".join(map(short_path, models[0].files)),
        _findings(models),
        draw_all(_charts(models), names),
        grids(models),
        missing(models),
        len(entries[0][2].begin) - 1,
        sentences,
    )


def _row(question: str, name: str, probabilities: TokenProbabilities, span: slice) -> Row:
    bits = probabilities.bits[span].tolist()
    orders = [""] * len(bits) if probabilities.order is None else probabilities.order[span].tolist()
    marked = zip(
        probabilities.words[span], bits, probabilities.is_oov[span].tolist(), orders, strict=True
    )
    tokens = [
        Token(word, number(b).text + "*" * oov, round(min(HEAT * b, HOTTEST), 1), str(order))
        for word, b, oov, order in marked
    ]
    perplexity = number(perplexity_of(probabilities.log_p[span].tolist(), len(bits))).text
    return Row(name, question, perplexity, tokens)


def _findings(models: Sequence[TextPerplexity]) -> list[str]:
    """Return a sentence for each question, with the best model by bits per character first."""
    sentences = []
    for question, meaning in MEANINGS.items():
        answers = [
            (m.name, m.probabilities[question].perplexity)
            for m in models
            if question in m.probabilities
        ]
        answers.sort(key=lambda answer: answer[1].bits_per_character or math.inf)
        figures = [
            f"{name} {number(p.value).text} ({number(p.bits_per_character, 2).text} bits per "
            "character)"
            for name, p in answers
        ]
        if figures:
            sentences.append(f"{question}, {meaning}: perplexity of {', '.join(figures)}.")
    return sentences


def _charts(models: Sequence[TextPerplexity]) -> list[Chart]:
    """Return charts of the perplexity of words by frequency and position, for each question."""
    charts = []
    for question, (name, x) in product(MEANINGS, CHARTED.items()):
        splits = {m.name: m.splits.get(question, {}).get(name, []) for m in models}
        used = {g.label for groups in splits.values() for g in groups if g.tokens} - {END}
        labels = [g.label for g in max(splits.values(), key=len) if g.label in used]
        lines = tuple(
            Line(model, points)
            for model, groups in splits.items()
            if (points := _points(groups, labels))
        )
        if lines:
            title = f"Perplexity by {CAPTIONS[name]}, {question}"
            chart = Chart(
                title, x, lines, log=True, equations=("exp(−{1}/{N} Σ ln p)",), y="perplexity",
                note="N: tokens of the group.", groups=tuple(labels),
            )  # fmt: skip
            charts.append(chart)
    return charts


def _points(groups: Sequence[Group], labels: Sequence[str]) -> tuple[tuple[float, float], ...]:
    figures = ((g.label, g.perplexity) for g in groups if g.label in labels)
    return tuple((float(labels.index(label)), p) for label, p in figures if p and p < math.inf)
