"""Why systems err: tables of errors, coverage, unknown words, weights and glossaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from mtkit.comparison.choices import Choices, Origin
from mtkit.comparison.faults import WIDER, Coverage, Errors, Unknown
from mtkit.comparison.report import Comparison, SystemResult
from mtkit.page.tables import Cell, Columns, Grid, number, table

ERRORS: Columns[tuple[Errors, float | None]] = [
    ("Reached", lambda e: number(e[0].reached, 0)),
    ("Reference", lambda e: number(e[0].same, 0)),
    ("Model's", lambda e: number(e[0].model, 0)),
    ("Search's", lambda e: number(e[0].search, 0)),
    ("Wider", lambda e: number(e[0].wider, 0)),
    ("BLEU", lambda e: number(e[1])),
]
COVERAGE: Columns[Coverage] = [
    ("Repeated", lambda c: _percent(c.repeated)),
    ("Uncovered", lambda c: _percent(c.uncovered)),
    ("Omitted", lambda c: _percent(c.omitted)),
]
UNKNOWN: Columns[Unknown] = [
    ("Unknown", lambda u: number(u.words, 0)),
    ("Copied", lambda u: number(u.copied, 0)),
    ("Rightly", lambda u: number(u.right, 0)),
    ("To be copied", lambda u: number(u.expected, 0)),
]
GLOSSARY: Columns[Mapping[str, int]] = [
    ("Matches", lambda g: number(g["matches"], 0)),
    ("As asked", lambda g: number(g["complied"], 0)),
    ("%", lambda g: number(100 * g["complied"] / g["matches"] if g["matches"] else None)),
]


def grids(comparison: Comparison) -> list[Grid]:
    """The tables, in order."""
    systems = comparison.systems
    weights = dict.fromkeys(name for s in systems for name in s.channel)
    return [
        *(_choices(s.name, s.choices) for s in systems if s.choices),
        table(
            "Errors of the model and of the search. Reached: the sentences whose reference the "
            "model can make at all. Of these: the output is the reference; the model gives the "
            "output the higher score, its own error; or the reference has it, and the search "
            f"missed it. Wider: of all sentences, those for which a search {WIDER} times as wide "
            "finds a translation of a higher score; and the BLEU of that search.",
            [(s.name, (s.errors, s.wider)) for s in systems if s.errors],
            ERRORS,
        ),
        table(
            "Repetitions and omissions. Repeated: bigrams said again, beyond the reference, in a "
            "hundred words of the output. Uncovered: source words that nothing in the output was "
            "made from, by the system's own phrases or attention, in per cent. Omitted: source "
            "words that are aligned to the reference, but to nothing in the output.",
            [(s.name, s.coverage) for s in systems],
            COVERAGE,
        ),
        table(
            "Unknown source words, which the training text lacks: total, copied to the output, "
            "correctly copied (the reference has them too), and all that should be copied.",
            [(s.name, s.unknown_words) for s in systems if s.unknown_words],
            UNKNOWN,
        ),
        Grid(
            "The noisy channel: BLEU of P(x|y) alone, times P(y) by Bayes' rule, and of the "
            "log-linear model with more features, before and after tuning.",
            ("System", *weights),
            [
                [Cell(s.name), *(number(s.channel.get(name)) for name in weights)]
                for s in systems
                if s.channel
            ],
        ),
        table(
            "The glossary: its matches in the source, and those that were translated as it asks. "
            "Statistical systems and combinations translated by it, all others without.",
            [(s.name, s.glossary) for s in systems if s.glossary is not None],
            GLOSSARY,
            _unmatched(systems),
        ),
    ]


def _unmatched(systems: Sequence[SystemResult]) -> list[str]:
    """Which entries of the glossary the test set lacks, in the tokens of the first system."""
    for s in systems:
        if s.glossary and s.unmatched:
            count = f"{s.glossary['unmatched']:,} of {s.glossary['entries']:,} entries"
            more = ", …" if s.glossary["unmatched"] > len(s.unmatched) else ""
            phrases = ", ".join(f'"{phrase}"' for phrase in s.unmatched)
            return [f"{count} match nothing in the test set: {phrases}{more}"]
    return []


def _choices(name: str, choices: Choices) -> Grid:
    systems = list(choices.origins[0].alone)
    oracle = choices.oracle
    return table(
        f"What {name} chose, and BLEU of those sentences by it and by each of its systems alone.",
        [(of.label, of) for of in choices.origins],
        [
            ("Sentences", lambda of: number(of.sentences, 0)),
            (name, lambda of: number(of.bleu)),
            *((system, partial(_alone, system)) for system in systems),
        ],
        [
            f"Of {choices.candidates:.0f} candidates a sentence a perfect choice would reach "
            f"{oracle['bleu']:.1f} BLEU and {oracle['chrf']:.1f} chrF."
        ],
        first="Output",
    )


def _alone(system: str, origin: Origin) -> Cell:
    return number(origin.alone[system])


def _percent(share: float | None) -> Cell:
    return number(None if share is None else 100 * share, 2)
