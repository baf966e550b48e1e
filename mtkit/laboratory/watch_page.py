"""How IBM Model 1 learns a word, by iteration of EM: a table and two charts."""

from __future__ import annotations

from mtkit.page.chart import Chart, Line
from mtkit.page.findings import Findings
from mtkit.page.tables import Cell, Grid, number
from mtkit.smt.alignment.watch import Watched

T = ("t(f|e) = {c(f|e)}/{Σ_{f'} c(f'|e)}", "c(f|e) = Σ {t(f_j|e_i)}/{Σ_{i'} t(f_j|e_{i'})}")
PERPLEXITY = "exp(−{1}/{N} ln Π_j {1}/{I+1} Σ_i t(f_j|e_i))"


def findings(word: str, watched: Watched) -> Findings:
    """Return a table with one row per iteration, and charts of t(f|word) and perplexity."""
    curves = [
        Line(f, tuple((float(n), t[k]) for n, t in enumerate(watched.t)))
        for k, f in enumerate(watched.words)
    ]
    model_1 = Line("IBM Model 1", tuple(enumerate(watched.perplexity)))
    charts = [
        Chart(f"Translation probabilities of “{word}”", "iterations of EM", tuple(curves),
              equations=T, y="t(f|e)"),
        Chart("Perplexity of the target text", "iterations of EM", (model_1,), log=True,
              equations=(PERPLEXITY,), y="perplexity", note="N: words f, and one end a sentence."),
    ]  # fmt: skip
    caption = (
        f"IBM Model 1: t(f|{word}) by iteration of EM from the uniform start, for the most "
        "probable f at the end, and the perplexity of the target text, P(f|e)."
    )
    rows = [
        [Cell(str(n)), number(perplexity, 2), *(number(p, 4) for p in t)]
        for n, (t, perplexity) in enumerate(zip(watched.t, watched.perplexity, strict=True))
    ]
    grid = Grid(caption, ("EM", "Perplexity", *watched.words), rows)
    question = f"How does Model 1 learn what “{word}” means?"
    last = len(watched.t) - 1
    final = ", ".join(f"{f} {p:.3g}" for f, p in zip(watched.words, watched.t[-1], strict=True))
    summary = [f"After {last} iterations: {final}."]
    return Findings(f"mtkit watch {word}", question, "", charts, [grid], summary=summary)
