"""Model 1 on its way from the uniform start: a table and two charts."""

from __future__ import annotations

from mtkit.page.chart import Chart, Line
from mtkit.page.findings import Findings
from mtkit.page.tables import Cell, Grid, number
from mtkit.smt.alignment.watch import Watched


def findings(word: str, watched: Watched) -> Findings:
    """A row an iteration; t(f|word) and the perplexity as curves."""
    learnt = [
        Line(f, tuple((float(n), t[k]) for n, t in enumerate(watched.t)))
        for k, f in enumerate(watched.words)
    ]
    charts = [
        Chart(
            f"t(f|{word})",
            "iteration",
            tuple(learnt),
            equation="t(f|e) = c(f|e) / Σ_f' c(f'|e),  c(f|e) = Σ t(f_j|e_i) / Σ_i' t(f_j|e_i')",
        ),
        Chart(
            "Perplexity of the target words",
            "iteration",
            (Line("IBM Model 1", tuple(enumerate(watched.perplexity))),),
            log=True,
            equation="exp(−1/J ln Π_j 1/(I+1) Σ_i t(f_j|e_i))",
        ),
    ]
    grid = Grid(
        f"IBM Model 1: t(f|{word}) by iterations of EM from the uniform start, for what it ends "
        "with, and the perplexity of the target words by P(f|e).",
        ("EM", "Perplexity", *watched.words),
        [
            [Cell(str(n)), number(perplexity, 2), *(number(p, 4) for p in t)]
            for n, (t, perplexity) in enumerate(zip(watched.t, watched.perplexity, strict=True))
        ],
        [],
    )
    question = f"How does Model 1 learn what “{word}” means?"
    return Findings(f"mtkit watch {word}", question, "", charts, [grid])
