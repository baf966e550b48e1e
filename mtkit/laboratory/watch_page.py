"""Model 1 on its way from the uniform start: a table and a chart."""

from __future__ import annotations

from mtkit.page.chart import Chart, Line, draw
from mtkit.page.tables import Cell, Grid, html, number
from mtkit.smt.alignment.watch import Watched


def grid(word: str, found: Watched) -> Grid:
    """A row an iteration."""
    rows = [
        [Cell(str(n)), number(perplexity, 2), *(number(p, 4) for p in t)]
        for n, (t, perplexity) in enumerate(zip(found.t, found.perplexity, strict=True))
    ]
    return Grid(
        f"IBM Model 1: t(f|{word}) by iterations of EM from the uniform start, for what it ends "
        "with, and the perplexity of the target words by P(f|e).",
        ("EM", "Perplexity", *found.words),
        rows,
        [],
    )


def as_html(word: str, found: Watched) -> str:
    """One page that needs nothing from elsewhere."""
    lines = (
        Line(f, tuple((float(n), t[k]) for n, t in enumerate(found.t)))
        for k, f in enumerate(found.words)
    )
    learnt = Chart(
        f"t(f|{word})",
        "iteration",
        tuple(lines),
        equation="t(f|e) = c(f|e) / Σ_f' c(f'|e),  c(f|e) = Σ t(f_j|e_i) / Σ_i' t(f_j|e_i')",
    )
    perplexity = Chart(
        "Perplexity of the target words",
        "iteration",
        (Line("IBM Model 1", tuple(enumerate(found.perplexity))),),
        log=True,
        equation="exp(−1/J ln Π_j 1/(I+1) Σ_i t(f_j|e_i))",
    )
    return html(
        "findings.html.j2",
        title=f"mtkit watch {word}",
        question=f"How does Model 1 learn what “{word}” means?",
        heading="",
        verdicts=[],
        drawings=[draw(learnt), draw(perplexity)],
        grids=[grid(word, found)],
    )
