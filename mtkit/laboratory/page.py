"""A study as tables, charts with equations, and verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from math import inf

from mtkit.evaluation.means import Band, Interval
from mtkit.laboratory.findings import EXPLODED, Context, Recurrent
from mtkit.laboratory.study import DEPTH, Study
from mtkit.nmt.recurrent.probe import HISTORY
from mtkit.page.chart import Chart, Line
from mtkit.page.findings import Findings
from mtkit.page.tables import Cell, Columns, Grid, number, table

DISTANCES = (1, 10, 50)
STEPS = (0, 5, 10, 15, 20, 30)
HISTORIES = (0, 1, 3, 7, 20)
CHARTED_ORDERS = (2, 5)  # orders of the n-gram models in the charts
MIN_CHARTED = 20  # words of context in the charts of perplexity, if no model uses more than half
CLAIM = (5, 10)  # "about seven tokens"; Gers et al. 2000: 5 to 10 steps, for plain RNNs


def findings(study: Study) -> Findings:
    """Return the tables, charts and verdicts of a study."""
    title, question = f"mtkit gradients: {study.corpus}", "How far back do models look?"
    summary = (
        f"{study.corpus}: {study.words:,} words of training text, {study.vocabulary:,} different, "
        f"{100 * study.rare:.1f} % rare; {study.updates} updates, {study.seeds} seeds, "
        f"{study.hidden} units"
    )
    drawn, tables = charts(study), grids(study)
    return Findings(title, question, summary, drawn, tables, verdicts(study), unfolded=1)


# --- cells


def _interval_cell(figure: Interval | None, decimals: int) -> Cell:
    if figure is None:
        return number(None)
    return number(figure.value, decimals, f"{figure.low:.{decimals}f}–{figure.high:.{decimals}f}")


def _norm_cell(norm: float | None) -> Cell:
    return number(None) if norm is None else Cell(_rounded(norm), number=norm)


def _rounded(norm: float) -> str:
    """Return two significant digits, or between 10 and a million an integer."""
    return f"{norm:,.0f}" if 10 <= norm < 1e6 else f"{norm:.2g}"


def _y_at(curve: Band, x: float) -> float | None:
    return dict(zip(curve.x, curve.middle, strict=True)).get(x)


def _relative_norm(m: Recurrent, k: int) -> Cell:
    return _norm_cell(m.states.middle[k] / m.states.middle[0])


def _memory_span(m: Recurrent) -> Interval | None:
    return Interval(m.span[1], m.span[0], m.span[2]) if m.span else None


def _explosion_updates(m: Recurrent) -> list[int]:
    return [update for update in m.exploded if update is not None]


# --- tables

GRADIENTS: Columns[Recurrent] = [
    ("ρ", lambda m: _interval_cell(m.decay_rate, 3)),
    *((f"k = {k}", partial(_relative_norm, k=k)) for k in DISTANCES),
    ("‖U‖₂", lambda m: number(m.spectral_norm, 2)),
    ("1/(1 − f̄)", lambda m: _interval_cell(_memory_span(m), 1)),
]
TRAININGS: Columns[Recurrent] = [
    ("Perplexity", lambda m: number(m.context.perplexity, 1)),
    ("Median", lambda m: number(m.norms["50%"], 2)),
    ("99 %", lambda m: number(m.norms["99%"], 2)),
    ("Largest", lambda m: number(m.norms["100%"], 2)),
    ("Clipped %", lambda m: number(100 * m.clipped if m.setup.clip else None, 0)),
    ("Exploded at", lambda m: Cell(", ".join(map(str, _explosion_updates(m))) or "never")),
]
CONTEXTS: Columns[Context] = [
    *((f"k = {k}", lambda context, k=k: number(_y_at(context.cut, k), 1)) for k in HISTORIES),
    ("All", lambda context: number(context.perplexity, 1)),
    ("Context", lambda context: _interval_cell(context.effective, 0)),
    ("Order", lambda context: _interval_cell(context.order, 0)),
]


def grids(study: Study) -> list[Grid]:
    """Return the tables, in order."""
    models = [(m.setup.name, m) for m in study.models]
    ngrams = [(f"{n}-gram", context) for n, context in study.ngrams.items()]
    return [
        _gradient_table(models),
        table(
            "Training: final perplexity; norm of the whole gradient before clipping (median, 99 % "
            "quantile, maximum); updates that were clipped; and when the gradient exploded.",
            [(Cell(name, f"‖U‖₂ = {m.setup.scale:g} initially"), m) for name, m in models],
            TRAININGS,
            [f"Exploded at: first update with a norm above {EXPLODED:g}, for each seed."],
            "Model",
        ),
        table(
            "Effective context: perplexity given only the last k words. Context: the smallest k "
            "whose perplexity is within 1 % of that given all words, with its 95 % interval. "
            "Order: the same where the words before the last k are not removed but shuffled.",
            ngrams + [(name, m.context) for name, m in models],
            CONTEXTS,
            [f"All: {HISTORY} words, across sentence boundaries."],
            "Model",
        ),
        *_norms(
            "Gradients by depth: the norm of ∂L/∂u^l from the last layer down to the first, of "
            "stacked LSTMs after a short training, without and with residual connections (median).",
            study.depth,
            [(f"l = {layer}", layer) for layer in range(DEPTH, 0, -1)],
        ),
        *_norms(
            "Gradients of a translator: norm of ∂L_t/∂e_i by the number of recurrent steps between "
            "source word i and target word t, (I − i) + t (median). Attention shortens this path.",
            study.steps,
            [(f"{k} steps", k) for k in STEPS],
        ),
    ]


def _gradient_table(models: Sequence[tuple[str, Recurrent]]) -> Grid:
    gates = "; ".join(
        f"{name} {', '.join(f'{gate} {x:.2f}' for gate, x in m.gates.items())}"
        for name, m in models
        if m.gates
    )
    return table(
        "Gradients by distance: decay rate ρ per token, with its 95 % interval; norm of "
        "∂L_t/∂s_{t−k} relative to k = 0 (median); spectral norm of the recurrent matrix; and the "
        "memory in tokens implied by the mean gates, 1/(1 − f̄).",
        models,
        GRADIENTS,
        [
            "Of an rnn, ‖U‖₂ < 1 is enough for gradients to vanish, and ‖U‖₂ > 1 is needed for "
            "them to explode (Pascanu et al. 2013); tanh and gates reduce them further.",
            f"Memory: median over units, and quartiles. Mean gates: {gates}.",
        ],
        "Model",
    )


def _norms(caption: str, curves: dict[str, Band], places: Iterable[tuple[str, int]]) -> list[Grid]:
    """Return a table of the norms at ``places``, (heading, x) each; none without curves."""
    columns = [(heading, lambda curve, x=x: _norm_cell(_y_at(curve, x))) for heading, x in places]
    return [table(caption, curves.items(), columns, first="Model")] if curves else []


# --- sentences


def verdicts(study: Study) -> list[str]:
    """Return sentences that compare the figures with textbook claims."""
    by_name = {m.setup.name: m for m in study.models}
    sentences = []
    if "rnn" in by_name and "lstm" in by_name:
        sentences.append(_on_vanishing(by_name["rnn"].decay_rate, by_name["lstm"].decay_rate))
    sentences += [_on_exploding(m) for m in study.models if not m.setup.clip]
    return sentences + [_on_context(m) for m in study.models if m.setup.clip]


def _on_vanishing(rnn: Interval, lstm: Interval) -> str:
    figures = (
        f"per token the gradient keeps {rnn.value:.3f} in the rnn ({rnn.low:.3f}–{rnn.high:.3f}), "
        f"{lstm.value:.3f} in the lstm ({lstm.low:.3f}–{lstm.high:.3f})"
    )
    if rnn.high < lstm.low:
        return f"Gradients vanish faster in an rnn than in an lstm: {figures}."
    if lstm.high < rnn.low:
        return f"Gradients vanish faster in the lstm, unlike in textbooks: {figures}."
    return f"Whether gradients vanish faster in the rnn is undecided: {figures}."


def _on_exploding(m: Recurrent) -> str:
    updates = _explosion_updates(m)
    intro = f"Without clipping and with ‖U‖₂ = {m.setup.scale:g} initially,"
    if not updates:
        return f"{intro} no gradient exploded: the largest norm was {_rounded(m.norms['100%'])}."
    return (
        f"{intro} the gradient exploded in {len(updates)} of {len(m.exploded)} trainings, first at "
        f"update {min(updates)}; its largest norm was {_rounded(m.norms['100%'])}."
    )


def _on_context(m: Recurrent) -> str:
    if _failed(m):
        return (
            f"{m.setup.name}: no effective context, as perplexity with all of its context "
            f"({m.context.perplexity:,.1f}) is higher than with none "
            f"({m.context.cut.middle[0]:,.1f}); left out of the charts of perplexity."
        )
    k, (low, high) = m.context.effective, CLAIM
    if low <= k.low and k.high <= high:
        claim = "supported"
    elif k.high < low or k.low > high:
        claim = "not supported"
    else:
        claim = "undecided"
    return (
        f"{m.setup.name}: effective context {k.value:.0f} tokens (95 % interval "
        f"{k.low:.0f}–{k.high:.0f}); the claim of {low}–{high} tokens is {claim}."
    )


def _failed(m: Recurrent) -> bool:
    """Whether perplexity with full context is higher than with none: training has failed."""
    return m.context.perplexity > m.context.cut.middle[0]


# --- charts

WIDE, NARROW = "Bands: 80 % of sentences and seeds.", "Bands: 95 % intervals."


def _lines(curves: Iterable[tuple[str, Band | None]]) -> list[Line]:
    return [
        Line(
            name,
            tuple(zip(curve.x, curve.middle, strict=True)),
            tuple(zip(curve.x, curve.low, curve.high, strict=True)),
        )
        for name, curve in curves
        if curve
    ]


def _context_lines(study: Study, curves: Iterable[tuple[str, Band | None]]) -> list[Line]:
    """Return perplexity by context, up to twice the largest effective one or ``MIN_CHARTED``."""
    used = [m.context.effective.high for m in _drawn_models(study)]
    longest = max([MIN_CHARTED, *(2 * k for k in used)])
    return _lines((name, curve and curve.until(longest)) for name, curve in curves)


def _norm_line(m: Recurrent) -> Line:
    finite = ((float(n), norm) for n, norm in enumerate(m.trace, 1) if 0 < norm < inf)
    return Line(m.setup.name, tuple(finite))


def _drawn_models(study: Study) -> list[Recurrent]:
    """Return the models whose perplexities are drawn."""
    return [m for m in study.models if m.setup.clip and not _failed(m)]


# Title, x axis, y axis, equation, note and lines; all y axes are logarithmic.
CHARTS: list[tuple[str, str, str, str, str, Callable[[Study], list[Line]]]] = [
    ("Gradient of the loss by the state k tokens back", "k, tokens back", "gradient norm",
     "‖{∂L_t}/{∂s_{t−k}}‖ ∝ ρ^k", WIDE,
     lambda study: _lines((m.setup.name, m.states) for m in study.models)),
    ("Gradient of the loss by the word k tokens back", "k, tokens back", "gradient norm",
     "‖{∂L_t}/{∂e_{t−k}}‖", WIDE,
     lambda study: _lines((m.setup.name, m.inputs) for m in study.models)),
    ("Norm of the gradient before clipping", "updates", "gradient norm",
     "g ← g {τ}/{max(τ, ‖g‖)}", "Clipping, with τ = 1.",
     lambda study: [_norm_line(m) for m in study.models]),
    ("Perplexity given the last k words", "k, words", "perplexity",
     "exp(−{1}/{N} Σ ln P(y_t | y_{t−k} … y_{t−1}))", NARROW,
     lambda study: _context_lines(study, [
         *((m.setup.name, m.context.cut) for m in _drawn_models(study)),
         *((f"{n}-gram", study.ngrams[n].cut) for n in CHARTED_ORDERS)])),
    ("Perplexity with the words before the last k shuffled", "k, words", "perplexity",
     "exp(−{1}/{N} Σ ln P(y_t | π(y_1 … y_{t−k−1}) y_{t−k} … y_{t−1}))", NARROW,
     lambda study: _context_lines(study, (
         (m.setup.name, m.context.shuffled) for m in _drawn_models(study)))),
    ("Gradient of the loss by the output of layer l", "l, layer", "gradient norm",
     "u^l = LSTM_l(u^{l−1}) + u^{l−1}", f"With residual connections. {WIDE}",
     lambda study: _lines(study.depth.items())),
    ("Gradient of the loss at a target word by a source word",
     "(I − i) + t, steps along the recurrences", "gradient norm",
     "‖{∂L_t}/{∂e_i}‖", "Bands: 80 % of pairs of words.",
     lambda study: _lines(study.steps.items())),
]  # fmt: skip


def charts(study: Study) -> list[Chart]:
    """Return the charts of ``CHARTS`` that have lines."""
    return [
        Chart(title, x, drawn, log=True, equations=(equation,), y=y, note=note)
        for title, x, y, equation, note, lines in CHARTS
        if (drawn := tuple(lines(study)))
    ]
