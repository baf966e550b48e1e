"""Why systems err: tables of errors, coverage, unknown words, weights and glossaries."""

from __future__ import annotations

from collections.abc import Sequence

from mtkit.comparison.faults import WIDER
from mtkit.comparison.report import Comparison, SystemResult
from mtkit.page.tables import Cell, Grid, number


def grids(comparison: Comparison) -> list[Grid]:
    """The tables, in order."""
    systems = comparison.systems
    return [
        *([_errors_grid(systems)] if any(s.errors for s in systems) else []),
        _coverage_grid(systems),
        *([_unknown_grid(systems)] if any(s.unknown_words for s in systems) else []),
        *([_channel_grid(systems)] if any(s.channel for s in systems) else []),
        *([_glossary_grid(systems)] if any(s.glossary for s in systems) else []),
    ]


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


def _coverage_grid(systems: Sequence[SystemResult]) -> Grid:
    rows = []
    for s in systems:
        shares = s.coverage.repeated, s.coverage.uncovered, s.coverage.omitted
        rows.append([Cell(s.name), *(number(None if x is None else 100 * x, 2) for x in shares)])
    return Grid(
        "Repetitions and omissions. Repeated: bigrams said again, beyond the reference, in a "
        "hundred words of the output. Uncovered: source words that nothing in the output was made "
        "from, by the system's own phrases or attention, in per cent. Omitted: source words that "
        "are aligned to the reference, but to nothing in the output.",
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
        "those of them that are right, since the reference has them too, and all that the "
        "reference has as they are.",
        ("System", "Unknown", "Copied", "Rightly", "To be copied"),
        rows,
        [],
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
