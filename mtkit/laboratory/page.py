"""What the laboratory found as tables, charts and sentences, each with its equation."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from mtkit.evaluation.intervals import Band, Interval
from mtkit.laboratory.findings import EXPLODED, HISTORY, Recurrent
from mtkit.laboratory.study import Study
from mtkit.page.chart import Chart, Line, draw
from mtkit.page.tables import Cell, Grid, html, number, print_grid, say

DISTANCES = (1, 10, 50)
STEPS = (0, 5, 10, 15, 20, 30)
HISTORIES = (0, 1, 3, 7, 20)
DRAWN = (2, 5)  # orders of the n-gram models in the charts
CLAIM = (5, 10)  # "about seven tokens" (Gers et al. 2000: five to ten steps, of plain RNNs)


def heading(study: Study) -> str:
    """What was measured on, in one line."""
    return (
        f"{study.corpus}: {study.words:,} words of training text, {study.vocabulary:,} different, "
        f"{study.rare:.1%} rare; {study.updates} updates, {study.seeds} seeds, {study.hidden} units"
    )


# --- tables


def grids(study: Study) -> list[Grid]:
    """The tables, in order."""
    found = [_gradients(study.models), _trainings(study.models), _contexts(study)]
    found += [_depth(study)] if study.depth else []
    return found + ([_steps(study)] if study.steps else [])


def _with_interval(found: Interval, decimals: int) -> Cell:
    low, high = (f"{x:.{decimals}f}" for x in (found.low, found.high))
    return number(found.value, decimals, f"{low}–{high}")


def _gradients(models: Sequence[Recurrent]) -> Grid:
    rows = []
    for m in models:
        norms = [m.states.middle[k] / m.states.middle[0] for k in DISTANCES]
        span = number(None)
        if m.span:
            low, middle, high = m.span
            span = number(middle, 1, f"{low:.1f}–{high:.1f}")
        rows.append(
            [
                Cell(m.setup.name),
                _with_interval(m.decay_rate, 3),
                *map(_small, norms),
                number(m.spectral_norm, 2),
                span,
            ]
        )
    return Grid(
        "Gradients by distance: the decay rate ρ a token, with its 95 % interval; the norm of "
        "∂L_t/∂s_{t−k} for k tokens back, as a part of that for k = 0 (median); the spectral norm "
        "of the recurrent matrix; and the memory that the mean gates imply, in tokens.",
        ("Model", "ρ", *(f"k = {k}" for k in DISTANCES), "‖U‖₂", "1/(1 − f̄)"),
        rows,
        [
            "Of an rnn, ‖U‖₂ < 1 is enough for gradients to vanish, and ‖U‖₂ > 1 is needed for "
            "them to explode (Pascanu et al. 2013); tanh and the gates take their part.",
            "Memory: median over units, and quartiles. Mean gates: "
            + "; ".join(
                f"{m.setup.name} {', '.join(f'{g} {x:.2f}' for g, x in m.gates.items())}"
                for m in models
                if m.gates
            )
            + ".",
        ],
    )


def _trainings(models: Sequence[Recurrent]) -> Grid:
    rows = []
    for m in models:
        exploded = [str(at) for at in m.exploded if at is not None]
        rows.append(
            [
                Cell(m.setup.name, f"‖U‖₂ = {m.setup.scale:g} at first"),
                number(m.context.perplexity, 1),
                *(number(m.norms[q], 2) for q in ("50%", "99%", "100%")),
                number(100 * m.clipped if m.setup.clip else None, 0),
                Cell(", ".join(exploded) or "never"),
            ]
        )
    return Grid(
        "Training: perplexity in the end; the norm of the whole gradient before clipping, its "
        "median, 99 % quantile and maximum; updates that were clipped; and when it exploded.",
        ("Model", "Perplexity", "Median", "99 %", "Largest", "Clipped %", "Exploded at"),
        rows,
        [f"Exploded: the update, of each seed, at which the norm was first above {EXPLODED:g}."],
    )


def _contexts(study: Study) -> Grid:
    named = [(f"{n}-gram", c) for n, c in study.ngrams.items()]
    named += [(m.setup.name, m.context) for m in study.models]
    rows = []
    for name, context in named:
        at = dict(zip(context.cut.x, context.cut.middle, strict=True))
        rows.append(
            [
                Cell(name),
                *(number(at[k], 1) for k in HISTORIES),
                number(context.perplexity, 1),
                _with_interval(context.effective, 0),
                _with_interval(context.order, 0) if context.order else number(None),
            ]
        )
    return Grid(
        "Effective context: perplexity given the last k words alone; the least k for which it is "
        "within 1 % of that given all, with its 95 % interval; and the least k for which it is so "
        "although the words before the last k are shuffled, so that only their order is lost.",
        ("Model", *(f"k = {k}" for k in HISTORIES), "All", "Context", "Order"),
        rows,
        [f"All: {HISTORY} words, over the ends of sentences."],
    )


def _depth(study: Study) -> Grid:
    rows = [[Cell(name), *map(_small, band.middle[::-1])]
            for name, band in study.depth.items()]  # fmt: skip
    layers = len(next(iter(study.depth.values())).x)
    return Grid(
        "Gradients by depth: the norm of ∂L/∂u^l from the last layer down to the first, of stacked "
        "LSTMs after a short training, without and with residual connections (median).",
        ("Model", *(f"l = {layer}" for layer in range(layers, 0, -1))),
        rows,
        [],
    )


def _steps(study: Study) -> Grid:
    rows = []
    for name, band in study.steps.items():
        at = dict(zip(band.x, band.middle, strict=True))
        norms = [at.get(k) for k in STEPS]
        rows.append([Cell(name), *(_small(norm) for norm in norms)])
    return Grid(
        "Gradients of a translator: the norm of ∂L_t/∂e_i by the steps between source word i and "
        "target word t along the recurrences, (I − i) + t, which attention cuts short (median).",
        ("Model", *(f"{k} steps" for k in STEPS)),
        rows,
        [],
    )


def _small(norm: float | None) -> Cell:
    return number(None) if norm is None else Cell(f"{norm:.2g}", number=norm)


# --- sentences


def verdicts(study: Study) -> list[str]:
    """What the figures say of what textbooks say."""
    by_name = {m.setup.name: m for m in study.models}
    found = []
    if "rnn" in by_name and "lstm" in by_name:
        found.append(_vanishing(by_name["rnn"].decay_rate, by_name["lstm"].decay_rate))
    found += [_exploding(m) for m in study.models if not m.setup.clip]
    found += [_seven(m) for m in study.models if m.setup.clip]
    return found


def _vanishing(rnn: Interval, lstm: Interval) -> str:
    figures = (
        f"the gradient keeps {rnn.value:.3f} a token in the rnn ({rnn.low:.3f}–{rnn.high:.3f}), "
        f"{lstm.value:.3f} in the lstm ({lstm.low:.3f}–{lstm.high:.3f})"
    )
    if rnn.high < lstm.low:
        return f"Gradients vanish faster in an rnn than in an lstm: {figures}."
    if lstm.high < rnn.low:
        return f"Gradients vanish faster in the lstm, against the textbooks: {figures}."
    return f"Whether gradients vanish faster in the rnn is open: {figures}."


def _exploding(m: Recurrent) -> str:
    at = [update for update in m.exploded if update is not None]
    begun = f"Without clipping and with ‖U‖₂ = {m.setup.scale:g} at first"
    if not at:
        return f"{begun} no gradient exploded: the largest norm was {m.norms['100%']:.3g}."
    return (
        f"{begun} the gradient exploded in {len(at)} of {len(m.exploded)} trainings, first at "
        f"update {min(at)}; its largest norm was {m.norms['100%']:.3g}."
    )


def _seven(m: Recurrent) -> str:
    if _lost(m):
        return (
            f"“About seven tokens” cannot be asked of the {m.setup.name}: with all of its context "
            f"it is worse (perplexity {m.context.perplexity:.3g}) than with none "
            f"({m.context.cut.middle[0]:.3g}). Charts of perplexity leave it out."
        )
    found, (low, high) = m.context.effective, CLAIM
    tokens = f"{found.value:.0f} tokens ({found.low:.0f}–{found.high:.0f})"
    if low <= found.low and found.high <= high:
        said = "supported"
    elif found.high < low or found.low > high:
        said = "not supported"
    else:
        said = "neither supported nor refuted"
    return f"“About seven tokens”, {low} to {high}, of the {m.setup.name}: {said}, {tokens} matter."


def _lost(m: Recurrent) -> bool:
    """Whether context does nothing but harm, as where training went astray."""
    return m.context.perplexity > m.context.cut.middle[0]


# --- charts


def charts(study: Study) -> list[Chart]:
    """The plots, each with its equation; all grow by factors."""
    clipped = [m for m in study.models if m.setup.clip and not _lost(m)]
    wide, narrow = "bands: 80 % of sentences and seeds", "bands: 95 % intervals"
    drawn = [
        (
            "Gradient of the loss by the state k tokens back",
            "k",
            [_line(m.setup.name, m.states) for m in study.models],
            f"‖∂L_t / ∂s_{{t−k}}‖ ∝ ρ^k; {wide}",
        ),
        (
            "Gradient of the loss by the word k tokens back",
            "k",
            [_line(m.setup.name, m.inputs) for m in study.models],
            f"‖∂L_t / ∂e_{{t−k}}‖; {wide}",
        ),
        (
            "Norm of the gradient before clipping",
            "update",
            [Line(m.setup.name, _finite(m.trace)) for m in study.models],
            "clipping: g ← g · τ / max(τ, ‖g‖), τ = 1",
        ),
        (
            "Perplexity given the last k words",
            "k",
            [_line(f"{n}-gram", study.ngrams[n].cut) for n in DRAWN]
            + [_line(m.setup.name, m.context.cut) for m in clipped],
            f"exp(−1/N Σ ln P(y_t | y_{{t−k}} … y_{{t−1}})); {narrow}",
        ),
        (
            "Perplexity with the words before the last k shuffled",
            "k",
            [_line(m.setup.name, m.context.shuffled) for m in clipped if m.context.shuffled],
            f"exp(−1/N Σ ln P(y_t | π(y_1 … y_{{t−k−1}}) y_{{t−k}} … y_{{t−1}})); {narrow}",
        ),
        (
            "Gradient of the loss by the output of layer l",
            "l",
            [_line(name, band) for name, band in study.depth.items()],
            f"residual: u^l = LSTM_l(u^{{l−1}}) + u^{{l−1}}; {wide}",
        ),
        (
            "Gradient of the loss at a target word by a source word",
            "steps",
            [_line(name, band) for name, band in study.steps.items()],
            "‖∂L_t / ∂e_i‖ by (I − i) + t; bands: 80 % of pairs of words",
        ),
    ]
    return [
        Chart(title, x, tuple(lines), log=True, equation=equation)
        for title, x, lines, equation in drawn
        if lines
    ]


def _line(name: str, band: Band) -> Line:
    return Line(
        name,
        tuple(zip(band.x, band.middle, strict=True)),
        tuple(zip(band.x, band.low, band.high, strict=True)),
    )


def _finite(norms: Sequence[float]) -> tuple[tuple[float, float], ...]:
    return tuple((float(i), norm) for i, norm in enumerate(norms, 1) if 0 < norm < float("inf"))


# --- pages


def print_study(study: Study, console: Console) -> None:
    """The tables and what they say."""
    say(console, heading(study), "bold")
    for grid in grids(study):
        console.print()
        print_grid(console, grid)
    console.print()
    for sentence in verdicts(study):
        say(console, sentence)


def as_html(study: Study) -> str:
    """One page that needs nothing from elsewhere."""
    return html(
        "findings.html.j2",
        question="How far back do models look?",
        title=f"mtkit gradients: {study.corpus}",
        heading=heading(study),
        verdicts=verdicts(study),
        drawings=[draw(chart) for chart in charts(study)],
        grids=grids(study),
    )
