"""What ``mtkit perplexity`` shows: tables of perplexities, and each token with its surprise."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product, zip_longest

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from mtkit.console import paragraph, visible
from mtkit.evaluation.perplexity import (
    MEANINGS,
    Group,
    Judged,
    Measured,
    Perplexity,
    only_bits,
    perplexity_of,
)
from mtkit.page.tables import Cell, Columns, Grid, number, print_grid, table

CAPTIONS = {
    "oov": "known and unknown words",
    "frequency": "frequency of the word in the training text",
    "position": "position of the word in its sentence",
    "order": "length of the n-gram that the language model used, in words",
}
STYLES = ((1.0, "green"), (3.0, "cyan"), (6.0, "yellow"), (10.0, "magenta"), (math.inf, "bold red"))
GAP = 2  # blanks between two tokens
LEGEND = (
    "* word unknown to the model; n-gram: length of the n-gram that the language model used. "
    "P(y) is without the source, P(y|x) given the source, P(x|y) of the source's words: compare "
    "rows only within one of these."
)


def print_texts(models: Sequence[Measured], console: Console, tokens: bool) -> None:
    """Each text with all models of it: tables, or token by token."""
    show = print_tokens if tokens else print_tables
    for files in dict.fromkeys(model.files for model in models):
        paragraph(console, ", ".join(map(str, files)), "bold")
        show([model for model in models if model.files == files], console)


# --- tables

TITLE = (
    "Perplexity, and bits per character, with OOVs spelled out. Lower is better. Compare only "
    "rows with the same probability."
)
END_FREE = "</s> free"


def columns(decimals: int) -> Columns[Perplexity]:
    """What is shown of a perplexity, which says where it does not pay for the length."""
    return [
        ("Perplexity", lambda p: number(p.value, decimals, END_FREE * p.given_length)),
        ("Without OOVs", lambda p: number(p.without_oov, decimals)),
        ("Tokens", lambda p: number(p.tokens, 0)),
        ("OOVs", lambda p: number(p.oov, 0)),
        ("Bits/char.", lambda p: number(p.bits_per_character, decimals)),
    ]


def print_tables(models: Sequence[Measured], console: Console) -> None:
    """Perplexities of one text by all models, then those of its groups, question by question."""
    rows, notes = list[tuple[str, Perplexity]](), list[str]()
    for question in MEANINGS:
        judged = {m.name: m.judged[question] for m in models if question in m.judged}
        answers = {name: j.perplexity for name, j in judged.items()}
        rows += answers.items()
        notes += [f"{name}, {question}: {p.note}." for name, p in answers.items() if p.note]
        texts = {tuple(j.words) for j in judged.values()}
        notes += filter(None, [only_bits(answers, same_tokens=len(texts) < 2)])
    every: Columns[Perplexity] = [("Of", lambda p: Cell(p.question)), *columns(4)]
    for grid in (table(TITLE, rows, every, notes, first="Model"), *split_grids(models)):
        print_grid(console, grid)
        console.print()
    for model in models:
        if model.missing:
            why = f"{model.name}: no split by frequency: {model.missing}."
            paragraph(console, why, "dim")


def split_grids(models: Sequence[Measured]) -> Iterator[Grid]:
    """A table for each question and property: perplexity, and below it the tokens."""
    for question, (name, what) in product(MEANINGS, CAPTIONS.items()):
        splits = [(m.name, m.splits[question]) for m in models if question in m.splits]
        known = {model: split[name] for model, split in splits if name in split}
        # The shorter lists of groups are the beginning of the longest.
        columns = zip_longest(*known.values(), fillvalue=Group("", 0, 0.0))
        filled = [groups for groups in columns if any(group.tokens for group in groups)]
        labels = [max(group.label for group in groups) for groups in filled]
        rows = [
            [Cell(model), *(number(g.perplexity, 1, f"{g.tokens:,}") for g in groups)]
            for model, groups in zip(known, zip(*filled, strict=True), strict=True)
        ]
        if rows:
            yield Grid(f"{question} by {what}: perplexity, tokens", ("Model", *labels), rows)


# --- token by token


def print_tokens(models: Sequence[Measured], console: Console) -> None:
    """Each sentence with the surprise of its tokens by every model and question."""
    legend, low = Text("Below each token its surprisal, −log2 p, in bits: "), 0.0
    for high, style in STYLES:
        legend.append(f"{low:g}–{high:g}" if high < math.inf else f"over {low:g}", style)
        legend.append(", " if high < math.inf else ". ")
        low = high
    console.print(legend.append(LEGEND))
    texts = [(q, m.name, m.judged[q]) for q in MEANINGS for m in models if q in m.judged]
    for line, spans in enumerate(zip(*(judged.spans for *_, judged in texts), strict=True), 1):
        console.print(Text(f"\nLine {line}", "bold"))
        blocks: dict[tuple[bool, tuple[str, ...]], list[list[Text]]] = {}
        for (question, name, judged), span in zip(texts, spans, strict=True):
            key = question == "P(x|y)", tuple(judged.words[span])
            label = Text(f"{question:<6}  {visible(name)}")
            blocks.setdefault(key, []).extend(_rows(label, judged, span))
        for (of_source, words), rows in blocks.items():
            _print_block("source" if of_source else "target", words, rows, console)


def _rows(label: Text, judged: Judged, span: slice) -> Iterator[list[Text]]:
    """A label, the sentence's perplexity, a cell for each token; of an n-gram a row of orders."""
    bits = judged.bits[span].tolist()
    cells = [
        Text(number(value).text + "*" * oov, next(style for high, style in STYLES if value <= high))
        for value, oov in zip(bits, judged.is_oov[span].tolist(), strict=True)
    ]
    whole = number(perplexity_of(judged.log_p[span].tolist(), len(bits))).text
    yield [label, Text(whole, "bold"), *cells]
    if judged.order is not None:
        orders = [Text(str(order), "dim") for order in judged.order[span].tolist()]
        yield [Text("        n-gram", "dim"), Text(), *orders]


def _print_block(side: str, words: Sequence[str], rows: list[list[Text]], console: Console) -> None:
    """Columns, a token each, in as many lines as the width asks for."""
    first = Text(side, "dim"), Text("perplexity", "bold")
    head = [*first, *(Text(visible(word)) for word in words)]
    lines = [head, *rows]
    widths = [max(cell_len(cell.plain) for cell in of) + GAP for of in zip(*lines, strict=True)]
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
