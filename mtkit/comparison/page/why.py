"""Why systems err: tables of choices, errors, coverage, unknown words, weights and glossaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from mtkit.comparison.choices import Choices, Origin
from mtkit.comparison.faults import WIDER, Coverage, Errors, Unknown
from mtkit.comparison.report import Comparison, SystemResult
from mtkit.page.tables import Cell, Columns, Grid, number, table

ERRORS: Columns[tuple[Errors, float | None]] = [
    ("Reachable", lambda e: number(e[0].reached, 0)),
    ("Equal", lambda e: number(e[0].same, 0)),
    ("Model errors", lambda e: number(e[0].model, 0)),
    ("Search errors", lambda e: number(e[0].search, 0)),
    ("Improved", lambda e: number(e[0].wider, 0)),
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
    ("Correct", lambda u: number(u.right, 0)),
    ("Expected", lambda u: number(u.expected, 0)),
]
GLOSSARY: Columns[Mapping[str, int]] = [
    ("Matches", lambda g: number(g["matches"], 0)),
    ("Followed", lambda g: number(g["complied"], 0)),
    ("%", lambda g: number(100 * g["complied"] / g["matches"] if g["matches"] else None)),
]


def grids(comparison: Comparison) -> list[Grid]:
    """The tables, in order."""
    systems = comparison.systems
    weights = dict.fromkeys(name for s in systems for name in s.channel)
    return [
        *(_choices(s.name, s.choices) for s in systems if s.choices),
        table(
            "Model errors and search errors. Reachable: sentences whose reference the model can "
            "produce. Of these, Equal: the output is the reference; model errors: the output has "
            "the higher model score; search errors: the reference has it, but the search missed "
            f"it. Improved: sentences for which a beam {WIDER} times as wide finds a higher score; "
            "and BLEU with that beam.",
            [(s.name, (s.errors, s.wider)) for s in systems if s.errors],
            ERRORS,
        ),
        table(
            "Repetitions and omissions, in per cent. Repeated: bigrams repeated more often than in "
            "the reference, per output word. Uncovered: source words that no output word comes "
            "from, by the system's own phrases or attention. Omitted: source words aligned to the "
            "reference, but not to the output.",
            [(s.name, s.coverage) for s in systems],
            COVERAGE,
        ),
        table(
            "Unknown source words (not in the training text): total, copied to the output, copied "
            "correctly (also in the reference), and expected to be copied.",
            [(s.name, s.unknown_words) for s in systems if s.unknown_words],
            UNKNOWN,
        ),
        Grid(
            "Noisy channel: BLEU of P(x|y) alone, of P(x|y) P(y) (Bayes' rule), and of the "
            "log-linear model with all features, before and after tuning.",
            ("System", *weights),
            [
                [Cell(s.name), *(number(s.channel.get(name)) for name in weights)]
                for s in systems
                if s.channel
            ],
        ),
        glossary(systems),
    ]


def glossary(systems: Sequence[SystemResult]) -> Grid:
    """Return how often systems follow the glossary; without rows if there is none."""
    return table(
        "Glossary: matches in the source, and those translated as in the glossary. Statistical "
        "and combined systems translate with the glossary, all others without.",
        [(s.name, s.glossary) for s in systems if s.glossary is not None],
        GLOSSARY,
        _unmatched(systems),
    )


def _unmatched(systems: Sequence[SystemResult]) -> list[str]:
    """Note the glossary entries that the test set lacks, by the first system that has any."""
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
        f"Choices of {name}: BLEU on these sentences, of {name} and of each of its systems alone.",
        [(origin.label, origin) for origin in choices.origins],
        [
            ("Sentences", lambda origin: number(origin.sentences, 0)),
            (name, lambda origin: number(origin.bleu)),
            *((system, partial(_alone, system)) for system in systems),
        ],
        [
            f"Oracle: the best of {choices.candidates:.0f} candidates per sentence would reach "
            f"{oracle['bleu']:.1f} BLEU and {oracle['chrf']:.1f} chrF."
        ],
        first="Output",
    )


def _alone(system: str, origin: Origin) -> Cell:
    return number(origin.alone[system])


def _percent(share: float | None) -> Cell:
    return number(None if share is None else 100 * share, 2)
