"""The laboratory: how far back recurrent and n-gram models of one's own text reach, measured.

    decay rate           ρ of norm ∝ ρ^k, by least squares on ln ‖∂L_t/∂s_{t−k}‖ over k = 1 … K;
                         1 = nothing is lost; below 1 gradients vanish, above they explode
    effective context    the least k for which the perplexity given the last k words alone is within
                         1 % of that given all
    reach of the order   the least k for which it is within 1 % of that although the words before
                         the last k are shuffled (Khandelwal et al. 2018)

All models are of the same closed vocabulary, rare words being one word, and of the same text, one
sentence after another with an end mark behind each; recurrent ones are trained on the same number
of chunks of it. Intervals are 95 %, over sentences and seeds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from typing import Any

import numpy as np

from mtkit.errors import InputError
from mtkit.intervals import Band, Floats, Interval, band, interval, resampled_means
from mtkit.nmt.probe import Probe, Setup, Texts, Trained, depth_norms, probe_all, train_all
from mtkit.smt.history import cut_logprobs
from mtkit.smt.lm import train as train_ngrams

HISTORY = 64  # words before the one asked for: "all" of its context
K = 50  # the farthest that gradients are followed
CUT = (*range(11), 12, 14, 16, 20, 25, 30, 40, 50, HISTORY)
SHUFFLED = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50)
WITHIN = 1.01  # of the perplexity with all of the context
WINDOWS = 1000  # places that are asked for, at most
ORDERS = range(1, 8)
RARE, END, FIRST = 1, 2, 3  # ids of a rare word and of a sentence's end, and of the first word
DEPTH = 8
EXPLODED = 100.0  # a gradient of this norm has exploded: the others are clipped at 1
LEAST = 1e-300  # what a norm of 0 counts as
CLAIM = (5, 10)  # tokens: "about seven" (Gers et al. 2000: five to ten steps, of plain RNNs)

# Names a step and how much there is to do; gives what is called as it goes on.
Step = Callable[[str, int], AbstractContextManager[Callable[[], None]]]

CELLS = [Setup(cell, cell) for cell in ("rnn", "gru", "lstm")]
WILD = Setup("rnn, not clipped", "rnn", clip=0.0, scale=2.0, share=0.25)
VARIANTS = [
    Setup("rnn, residual in time", "rnn", residual="time"),
    Setup("rnn, layer norm", "rnn", norm=True),
    Setup("lstm, layer norm", "lstm", norm=True),
]
STACKS = [
    Setup("lstm", "lstm", layers=DEPTH, share=0.1),
    Setup("lstm, residual", "lstm", residual="layers", layers=DEPTH, share=0.1),
]


@dataclass(frozen=True)
class Context:
    """Perplexity by the words of history, and how many of them matter.

    perplexity: given all. cut: given the last k words alone, x = k; shuffled: given all, those
    before the last k in disorder (recurrent models).
    """

    perplexity: float
    cut: Band
    effective: Interval
    shuffled: Band | None = None
    order: Interval | None = None


@dataclass(frozen=True)
class Recurrent:
    """What was found of one set-up, all seeds together.

    states, inputs: gradient norms by distance k. spectral_norm: mean of ‖U‖₂ over seeds. gates:
    their means; span: quartiles over units of the memory they imply, in tokens. norms: quantiles of
    the gradient's norm before clipping; clipped: the share of updates that were. trace: norms by
    update, of the first seed. exploded: of each seed, the update at which the norm was first above
    ``EXPLODED`` or no number; ``None`` where it never was.
    """

    setup: Setup
    decay_rate: Interval
    states: Band
    inputs: Band
    spectral_norm: float
    gates: dict[str, float]
    span: list[float] | None
    norms: dict[str, float]
    clipped: float
    trace: list[float]
    exploded: list[int | None]
    context: Context


@dataclass(frozen=True)
class Study:
    """Everything that was measured. ngrams: by order. depth: gradient norms by layer, by name."""

    corpus: str
    words: int
    vocabulary: int
    rare: float
    updates: int
    seeds: int
    hidden: int
    models: list[Recurrent]
    ngrams: dict[int, Context]
    depth: dict[str, Band] = field(default_factory=dict)


@dataclass(frozen=True)
class Text:
    """A closed vocabulary's ids of the training and of the measured text, sentences on end."""

    train: np.ndarray
    dev: np.ndarray
    vocabulary: int

    @classmethod
    def of(cls, train: Sequence[Sequence[str]], dev: Sequence[Sequence[str]], words: int) -> Text:
        """With the ``words`` most frequent words that occur more than once; the rest are rare."""
        counts = Counter(chain.from_iterable(train)).most_common(words)
        ids = {word: FIRST + i for i, (word, n) in enumerate(counts) if n > 1}

        def stream(sentences: Sequence[Sequence[str]]) -> np.ndarray:
            marked = ((*(ids.get(word, RARE) for word in s), END) for s in sentences)
            return np.fromiter(chain.from_iterable(marked), np.int64)

        return cls(stream(train), stream(dev), FIRST + len(ids))

    def windows(self) -> np.ndarray:
        """Places of the measured text with all their history, int64 (N, HISTORY + 1)."""
        places = len(self.dev) - HISTORY
        if places < 1:
            raise InputError(
                f"the dev set has {len(self.dev)} words; more than {HISTORY} are needed"
            )
        starts = np.linspace(0, places - 1, min(WINDOWS, places)).astype(np.int64)
        return np.asarray(self.dev[starts[:, None] + np.arange(HISTORY + 1)])


def ngram_contexts(
    text: Text, windows: np.ndarray, on_order: Callable[[], None] = lambda: None
) -> dict[int, Context]:
    """The n-gram models of all ``ORDERS``, by the same measure as the recurrent ones."""
    found = {}
    flat = windows.ravel()
    at = np.arange(HISTORY, len(flat), HISTORY + 1)
    for order in ORDERS:
        model = train_ngrams([[str(i) for i in text.train]], order)
        ids = model.encode(map(str, flat))
        cut = np.stack([-cut_logprobs(model, ids, at, k) for k in CUT], 1)
        found[order] = context_of(cut[None])
        on_order()
    return found


def context_of(cut: Floats, shuffled: Floats | None = None) -> Context:
    """From −ln P (S, N, k) for k of ``CUT``, the last all of the context, and of ``SHUFFLED``."""
    full = cut[..., -1:]
    found = Context(float(np.exp(full.mean())), _perplexities(CUT, cut), _least(CUT, cut - full))
    if shuffled is None:
        return found
    mixed = _perplexities(SHUFFLED, shuffled)
    return replace(found, shuffled=mixed, order=_least(SHUFFLED, shuffled - full))


def _perplexities(ks: Sequence[int], values: Floats) -> Band:
    """exp of the mean of −ln P, by k, with its 95 % interval."""
    low, high = np.quantile(np.exp(resampled_means(values)), [0.025, 0.975], axis=0)
    middle = np.exp(values.mean((0, 1)))
    return Band(list(map(float, ks)), middle.tolist(), low.tolist(), high.tolist())


def _least(ks: Sequence[int], excess: Floats) -> Interval:
    """The least k at which the mean excess of nats is within 1 %; ``HISTORY`` where none is."""
    ends = np.array([*ks, HISTORY], np.float64)

    def least(mean: Floats) -> Floats:
        within = np.pad(mean <= np.log(WITHIN), ((0, 0), (0, 1)), constant_values=True)
        return np.asarray(ends[within.argmax(1)])

    return interval(least(excess.mean((0, 1))[None])[0], least(resampled_means(excess)))


def decay_rate(norms: Floats) -> Interval:
    """ρ of norms (S, N, K + 1): exp of the slope of ln norm over k = 1 … K."""
    k = np.arange(1, norms.shape[-1])
    weights = (k - k.mean()) / ((k - k.mean()) ** 2).sum()
    slopes = np.log(np.maximum(norms[..., 1:], LEAST)) @ weights  # (S, N)
    return interval(float(np.exp(slopes.mean())), np.exp(resampled_means(slopes[..., None])))


def recurrent(setup: Setup, trained: Sequence[Trained], probes: Sequence[Probe]) -> Recurrent:
    """All seeds of one set-up as one finding."""
    states, inputs = np.stack([p.states for p in probes]), np.stack([p.inputs for p in probes])
    norms = np.array(list(chain(*(t.trace.norm for t in trained))))
    finite = norms[np.isfinite(norms)]
    distance = list(map(float, range(K + 1)))
    spans = [p.span for p in probes if p.span is not None]
    return Recurrent(
        setup=setup,
        decay_rate=decay_rate(states),
        states=band(distance, states),
        inputs=band(distance, inputs),
        spectral_norm=float(np.mean([p.spectral_norm for p in probes])),
        gates={g: float(np.mean([p.gates[g] for p in probes])) for g in probes[0].gates},
        span=np.quantile(spans, [0.25, 0.5, 0.75]).tolist() if spans else None,
        norms={f"{q:.0%}": float(np.quantile(finite, q)) for q in (0.5, 0.9, 0.99, 1.0)},
        clipped=float((norms > setup.clip).mean()) if setup.clip else 0.0,
        trace=trained[0].trace.norm,
        exploded=[_exploded(t.trace.norm) for t in trained],
        context=context_of(
            np.stack([p.cut for p in probes]), np.stack([p.shuffled for p in probes])
        ),
    )


def _exploded(norms: Sequence[float]) -> int | None:
    above = (update for update, norm in enumerate(norms) if not norm <= EXPLODED)
    return next(above, None)


def study(
    corpus: str,
    text: Text,
    setups: Sequence[Setup],
    seeds: Sequence[int],
    hidden: int,
    updates: int,
    threads: int,
    step: Step,
) -> Study:
    """Train and measure everything."""
    windows = text.windows()

    def trained_by(group: Sequence[Setup], units: int, name: str) -> list[list[Trained]]:
        total = sum(len(seeds) * s.updates(updates) for s in group)
        with step(name, total) as on_update:
            return train_all(
                group, seeds, text.train, text.vocabulary, units, updates, threads, on_update
            )

    trained = trained_by(setups, hidden, "training recurrent language models")
    stacks = trained_by(STACKS, hidden // 2, f"training stacks of {DEPTH} layers")
    models = [t.model for group in trained for t in group]
    with step("following gradients and cutting histories", len(models)) as on_model:
        probes = probe_all(models, Texts(windows, K, CUT, SHUFFLED), threads, on_model)
    with step("n-gram models", len(ORDERS)) as on_order:
        ngrams = ngram_contexts(text, windows, on_order)
    n = len(seeds)
    layers = [float(layer) for layer in range(1, DEPTH + 1)]
    return Study(
        corpus=corpus,
        words=len(text.train),
        vocabulary=text.vocabulary,
        rare=float((text.train == RARE).mean()),
        updates=updates,
        seeds=n,
        hidden=hidden,
        models=[
            recurrent(setup, group, probes[n * i : n * i + n])
            for i, (setup, group) in enumerate(zip(setups, trained, strict=True))
        ],
        ngrams=ngrams,
        depth={
            setup.name: band(layers, depth_norms(group, windows))
            for setup, group in zip(STACKS, stacks, strict=True)
        },
    )


def as_object(study: Study) -> dict[str, Any]:
    """What ``--json`` prints: the study, with what is asked for most often first in each model."""

    def tokens(found: Interval | None) -> dict[str, float] | None:
        return {"tokens": found.value, "low": found.low, "high": found.high} if found else None

    models = [
        {
            **asdict(m.setup),
            "decay_rate": asdict(m.decay_rate),
            "effective_context": tokens(m.context.effective),
            "order_context": tokens(m.context.order),
            **{k: v for k, v in asdict(m).items() if k not in ("setup", "decay_rate")},
        }
        for m in study.models
    ]
    ngrams = [
        {"order": n, "effective_context": tokens(c.effective), **asdict(c)}
        for n, c in study.ngrams.items()
    ]
    return asdict(replace(study, models=[], ngrams={})) | {"models": models, "ngrams": ngrams}
