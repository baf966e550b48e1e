"""The statistics of a corpus as tables, a chart and JSON."""

from __future__ import annotations

from typing import Any

from mtkit.page.chart import Chart, Line
from mtkit.page.findings import Findings
from mtkit.page.tables import Cell, number, table
from mtkit.quality.stats import MIN_OCCURRENCES, Stats
from mtkit.text.corpus import Corpus


def findings(stats: Stats, corpus: Corpus) -> Findings:
    """Return tables of sizes, lengths, unknown and ambiguous words, and a chart of type growth."""
    texts = [(f"{text.split}.{text.language}", text) for text in stats.texts]
    sizes = (
        ("Sentences", lambda t: number(t.sentences, 0)),
        ("Tokens", lambda t: number(t.tokens, 0)),
        ("Types", lambda t: number(t.types, 0)),
        ("Singletons", lambda t: number(t.once, 0)),
        ("Characters", lambda t: number(t.characters, 0)),
    )
    lengths = (
        ("Mean", lambda t: number(t.tokens / max(1, t.sentences))),
        ("25 %", lambda t: number(t.quartiles[0], 0)),
        ("Median", lambda t: number(t.quartiles[1], 0)),
        ("75 %", lambda t: number(t.quartiles[2], 0)),
        ("Longest", lambda t: number(t.longest, 0)),
        ("In line", lambda t: number(t.longest_line, 0)),
    )
    grids = [
        table("Size", texts, sizes, first="Text"),
        table("Sentence length in tokens", texts, lengths, first="Text"),
    ]
    if stats.unknown:
        columns = (
            ("Tokens", lambda u: number(u.tokens, 0)),
            ("Unknown", lambda u: number(u.unknown, 0)),
            ("%", lambda u: number(100 * u.unknown / max(1, u.tokens), 2)),
            ("Types", lambda u: number(u.types, 0)),
            ("Unknown types", lambda u: number(u.unknown_types, 0)),
        )
        rows = [(f"{u.split}.{u.side}", u) for u in stats.unknown]
        grids.append(table("Tokens not in the training text", rows, columns, (), "Text"))
    if stats.ambiguous:
        columns_of_words = (
            ("Count", lambda a: number(a.occurrences, 0)),
            ("Bits", lambda a: number(a.entropy, 2)),
            ("Translations", lambda a: Cell(", ".join(f"{w} {p:.2f}" for w, p in a.translations))),
        )
        note = f"Entropy of t(y|x) by IBM Model 1, learnt from {stats.sampled:,} pairs; words seen "
        note += f"at least {MIN_OCCURRENCES} times."
        words = [(a.word, a) for a in stats.ambiguous]
        grids.append(table("Most ambiguous words", words, columns_of_words, (note,), "Word"))
    return Findings(
        "Figures of a corpus", "How large is this text, and how varied?",
        f"{corpus.name}, {corpus.pair[0]} → {corpus.pair[1]}", _charts(stats), grids,
        [
            f"{g.language}: types grow as {g.K:.3g} · N^{g.beta:.2f} (Heaps' law)."
            for g in stats.growth
            if g.beta == g.beta
        ],
    )  # fmt: skip


def as_json(stats: Stats) -> dict[str, Any]:
    """Return the statistics with their names, for JSON."""
    return {
        "texts": [text._asdict() for text in stats.texts],
        "unknown": [row._asdict() for row in stats.unknown],
        "growth": [growth._asdict() for growth in stats.growth],
        "ambiguous": [
            {**a._asdict(), "translations": [{"word": w, "p": p} for w, p in a.translations]}
            for a in stats.ambiguous
        ],
        "sampled": stats.sampled,
    }


def _charts(stats: Stats) -> list[Chart]:
    lines = tuple(
        Line(g.language, tuple((float(n), float(v)) for n, v in g.points))
        for g in stats.growth
        if len(g.points) > 1
    )
    chart = Chart(
        "Growth of the vocabulary (Heaps' law)", "N, tokens of training text", lines, log=True,
        equations=("V = K N^β",), log_x=True, y="V, types",
    )  # fmt: skip
    return [chart] * bool(lines)
