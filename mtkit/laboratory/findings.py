"""From measurements of single models to figures with intervals.

    decay rate           ρ of norm ∝ ρ^k, by least squares on ln ‖∂L_t/∂s_{t−k}‖ over k = 1 … K;
                         gradients vanish below 1 and explode above 1
    effective context    the smallest k whose perplexity given only the last k words is within 1 %
                         of that given all words
    reach of the order   the smallest k whose perplexity with the words before the last k shuffled
                         is within 1 % of that with no word shuffled (Khandelwal et al. 2018)

Intervals are 95 %, over windows and seeds. Windows that overlap are resampled in blocks, ``BLOCK``
times as long as the overlap reaches; shorter blocks give too narrow intervals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtkit.evaluation.means import Band, Floats, Interval, band, ends, interval, resampled_means
from mtkit.nmt.recurrent.probe import CUT, HISTORY, SHUFFLED, K, Probe, Setup, Trained

WITHIN = 1.01  # of the perplexity with all of the context
EXPLODED = 100.0  # a gradient with a larger norm has exploded; the usual clipping is at 1
BLOCK = 4  # see ``block_of``
TINY = 1e-300  # replaces a norm of 0 in logarithms


@dataclass(frozen=True)
class Context:
    """A model's perplexity by history."""

    perplexity: float  # given the full history
    cut: Band  # perplexity given only the last k words, x = k, with its 95 % interval
    effective: Interval  # the effective context, in words
    shuffled: Band | None = None  # perplexity with the words before the last k shuffled
    order: Interval | None = None  # the reach of the order, in words


@dataclass(frozen=True)
class Recurrent:
    """Figures of one set-up over all seeds."""

    setup: Setup
    decay_rate: Interval
    states: Band  # gradient norms by distance k: median, central 80 %
    inputs: Band  # likewise
    spectral_norm: float  # mean of ‖U‖₂ over seeds
    gates: dict[str, float]  # gate → mean
    span: list[float] | None  # quartiles over units of the memory span 1/(1 − f̄), in tokens
    norms: dict[str, float]  # quantiles of the gradient norm before clipping
    clipped: float  # share of clipped updates
    trace: list[float]  # gradient norms before clipping by update, first seed
    exploded: list[int | None]  # per seed: first update, from 1, above ``EXPLODED`` or NaN, or None
    context: Context


def block_of(apart: float) -> int:
    """Return the number of neighbouring windows per block if they start ``apart`` words apart.

    >>> [block_of(apart) for apart in (1, 6.5, 13, 64, 65)]
    [256, 36, 16, 4, 1]
    """
    return max(1, BLOCK * (math.ceil((HISTORY + 1) / apart) - 1))


def context_of(cut: Floats, apart: float, shuffled: Floats | None = None) -> Context:
    """Return the figures for −ln P of S seeds and N windows.

    cut: (S, N, len(CUT)), the last column given the full history. shuffled: (S, N, len(SHUFFLED)).
    apart: see ``study.Windows``.
    """
    full, block = cut[..., -1:], block_of(apart)
    perplexity = float(np.exp(full.mean()))
    context = Context(perplexity, _perplexities(CUT, cut, block), _first_k(CUT, cut - full, block))
    if shuffled is None:
        return context
    curve = _perplexities(SHUFFLED, shuffled, block)
    return replace(context, shuffled=curve, order=_first_k(SHUFFLED, shuffled - full, block))


def _perplexities(ks: Sequence[int], values: Floats, block: int) -> Band:
    """Return perplexity by k with its 95 % interval, from −ln P (S, N, len(ks))."""
    low, high = ends(np.exp(resampled_means(values, block)))
    middle = np.exp(values.mean((0, 1)))
    return Band(list(map(float, ks)), middle.tolist(), low.tolist(), high.tolist())


def _first_k(ks: Sequence[int], excess: Floats, block: int) -> Interval:
    """Return the smallest k whose mean excess is at most ln ``WITHIN``; ``HISTORY`` if none is.

    excess: nats above −ln P given the full history, (S, N, len(ks)).
    """
    candidates = np.array([*ks, HISTORY], np.float64)

    def first(mean: Floats) -> Floats:
        within = np.pad(mean <= np.log(WITHIN), ((0, 0), (0, 1)), constant_values=True)
        return np.asarray(candidates[within.argmax(1)])

    return interval(first(excess.mean((0, 1))[None])[0], first(resampled_means(excess, block)))


def decay_rate(norms: Floats, block: int = 1) -> Interval:
    """Return ρ of norms (S, N, K + 1): exp of the slope of ln norm over k = 1 … K."""
    k = np.arange(1, norms.shape[-1])
    weights = (k - k.mean()) / ((k - k.mean()) ** 2).sum()
    slopes = np.log(np.maximum(norms[..., 1:], TINY)) @ weights  # (S, N)
    return interval(float(np.exp(slopes.mean())), np.exp(resampled_means(slopes, block)))


def recurrent(trained: Sequence[Trained], probes: Sequence[Probe], apart: float) -> Recurrent:
    """Return the figures of one set-up from all its seeds. apart: see ``study.Windows``."""
    setup = trained[0].setup
    states, inputs = np.stack([p.states for p in probes]), np.stack([p.inputs for p in probes])
    cut, shuffled = np.stack([p.cut for p in probes]), np.stack([p.shuffled for p in probes])
    norms = np.concatenate([t.trace[:, 1] for t in trained])
    finite = norms[np.isfinite(norms)] if np.isfinite(norms).any() else np.array([np.nan])
    distance = list(map(float, range(K + 1)))
    spans = [p.span for p in probes if p.span is not None]
    return Recurrent(
        setup=setup,
        decay_rate=decay_rate(states, block_of(apart * cut.shape[1] / states.shape[1])),
        states=band(distance, states),
        inputs=band(distance, inputs),
        spectral_norm=float(np.mean([p.spectral_norm for p in probes])),
        gates={g: float(np.mean([p.gates[g] for p in probes])) for g in probes[0].gates},
        span=np.quantile(spans, [0.25, 0.5, 0.75]).tolist() if spans else None,
        norms={f"{q:.0%}": float(np.quantile(finite, q)) for q in (0.5, 0.9, 0.99, 1.0)},
        clipped=float((~(norms <= setup.clip)).mean()) if setup.clip else 0.0,  # counts NaN
        trace=trained[0].trace[:, 1].tolist(),
        exploded=[_first_explosion(t.trace[:, 1]) for t in trained],
        context=context_of(cut, apart, shuffled),
    )


def _first_explosion(norms: Floats | Sequence[float]) -> int | None:
    return next((update for update, norm in enumerate(norms, 1) if not norm <= EXPLODED), None)
