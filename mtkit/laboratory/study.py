"""A study: train language models on one text and measure how much context they use.

All models have the same closed vocabulary, in which all rare words are ``<unk>``, and the same
text, a stream of sentences each followed by ``</s>``. Recurrent models are trained on the same
number of chunks of it, or on the fraction ``Setup.share`` of that number. For the measurements, see
``nmt.recurrent.gradients`` and ``findings``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtkit.errors import InputError
from mtkit.evaluation.means import Band, Interval, band
from mtkit.laboratory import findings
from mtkit.nmt.parallel import in_threads
from mtkit.nmt.recurrent.gradients import by_depth
from mtkit.nmt.recurrent.probe import (
    CUT,
    GRADIENTS,
    HISTORY,
    Setup,
    Trained,
    probe,
    spread,
    train_all,
)
from mtkit.smt.language_model.estimate import train as train_ngrams
from mtkit.smt.language_model.ngrams import cut_logprobs
from mtkit.text.vocabulary import EOS, SPECIALS, UNK, Vocabulary

WINDOWS = 1000  # most windows of the dev set
ORDERS = range(1, 8)
DEPTH = 8
Sentences = Sequence[Sequence[str]]
Ids = NDArray[np.int64]
# Step(name, total) reports a step of the work; it provides a function to call after each unit.
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
class Plan:
    """Settings of a study.

    updates, hidden: of each recurrent model. words: vocabulary size. seeds: trainings of each
    model. full: also train residuals in time, layer norm, and translators.
    """

    updates: int = 400
    hidden: int = 192
    words: int = 4000
    seeds: int = 3
    full: bool = False


@dataclass(frozen=True)
class Laboratory:
    """Trained models, by set-up and seed; stacks of several layers come last.

    words: the vocabulary. hidden, updates: as in the plan; see ``Setup.shape``, ``Setup.updates``.
    """

    words: Vocabulary
    trained: list[list[Trained]]
    hidden: int
    updates: int


@dataclass(frozen=True)
class Study:
    """Results of a study."""

    corpus: str  # its name
    words: int  # tokens of the training text, each ``</s>`` included
    vocabulary: int  # words without special symbols
    rare: float  # share of ``<unk>`` in the training text
    updates: int  # of a model with share 1
    seeds: int
    hidden: int  # of a one-layer model
    models: list[findings.Recurrent]
    ngrams: dict[int, findings.Context]  # by order
    # Gradient norms, median and central 80 %, by model: by layer; by steps from x_i to y_t.
    depth: dict[str, Band] = field(default_factory=dict)
    steps: dict[str, Band] = field(default_factory=dict)


def frequent(train: Sentences, words: int) -> Vocabulary:
    """Return the vocabulary of the ``words`` most frequent words that occur more than once."""
    counts = Counter(chain.from_iterable(train)).most_common(words)
    return Vocabulary([word for word, n in counts if n > 1])


def stream(sentences: Sentences, words: Vocabulary) -> Ids:
    """Return all sentences as one stream of ids, int64 (T,), each followed by ``</s>``."""
    with_ends = ([*words.encode(sentence), EOS] for sentence in sentences)
    return np.fromiter(chain.from_iterable(with_ends), np.int64)


class Windows(NamedTuple):
    """Windows of a text: ids (N, HISTORY + 1), a history and, last, the word to predict.

    apart: mean distance in words between the starts of two neighbouring windows.
    """

    ids: Ids
    apart: float


def windows(sentences: Sentences, words: Vocabulary) -> Windows:
    """Return at most ``WINDOWS`` evenly spaced windows. Raises InputError for too short a text."""
    text = stream(sentences, words)
    n_starts = len(text) - HISTORY
    if n_starts < 1:
        size = f"{len(text)} tokens (words and sentence ends)"
        raise InputError(f"the dev set has only {size}, but needs {HISTORY + 1}; name a longer one")
    starts = spread(n_starts, WINDOWS)
    return Windows(text[starts[:, None] + np.arange(HISTORY + 1)], n_starts / len(starts))


def train(text: Ids, words: Vocabulary, plan: Plan, threads: int, step: Step) -> Laboratory:
    """Train all set-ups of the plan with all its seeds on the stream ``text``."""
    setups = [*CELLS, WILD, *(VARIANTS if plan.full else []), *STACKS]
    total = plan.seeds * sum(setup.updates(plan.updates) for setup in setups)
    size = len(words), plan.hidden, plan.updates
    with step("training recurrent language models", total) as on_update:
        trained = train_all(setups, range(1, plan.seeds + 1), text, *size, threads, on_update)
    return Laboratory(words, trained, plan.hidden, plan.updates)


def measure(
    laboratory: Laboratory, name: str, train: Ids, windows: Windows, threads: int, step: Step
) -> Study:
    """Measure the models, and n-gram models of the stream ``train``, on ``windows``."""
    groups = laboratory.trained
    cells = [group for group in groups if group[0].setup.layers == 1]
    stacks = [group for group in groups if group[0].setup.layers > 1]
    models = [trained.model for group in cells for trained in group]
    with step("measuring gradients and shortened contexts", len(models)) as on_model:
        probes = []
        for measured in in_threads(partial(probe, windows=windows.ids), models, threads):
            probes.append(measured)
            on_model()
    with step("training n-gram models", len(ORDERS)) as on_order:
        ngrams = ngram_contexts(train, windows, on_order)
    layers = [float(layer) for layer in range(1, DEPTH + 1)]
    depth, sample = {}, windows.ids[spread(len(windows.ids), GRADIENTS)]
    for group in stacks:
        norms = np.stack([by_depth(t.model, sample) for t in group])
        depth[group[0].setup.name] = band(layers, norms)  # norms (S, N, layers)
    recurrent = [
        findings.recurrent(group, [probes.pop(0) for _ in group], windows.apart) for group in cells
    ]
    vocabulary, rare = len(laboratory.words) - len(SPECIALS), float((train == UNK).mean())
    trained = laboratory.updates, len(cells[0]), laboratory.hidden
    return Study(name, len(train), vocabulary, rare, *trained, recurrent, ngrams, depth)


def ngram_contexts(
    train: Ids, windows: Windows, on_order: Callable[[], None] = lambda: None
) -> dict[int, findings.Context]:
    """Train n-gram models of all ``ORDERS``; measure their context like the recurrent ones'."""
    contexts, flat = dict[int, findings.Context](), windows.ids.ravel()
    positions = np.arange(HISTORY, len(flat), HISTORY + 1)
    for order in ORDERS:
        # The stream is one sentence, as for the recurrent models; ids as words keep its ``</s>``.
        model = train_ngrams([[str(i) for i in train]], order)
        ids = model.encode(map(str, flat))
        cut = np.stack([-cut_logprobs(model.arrays, ids, positions, k) for k in CUT], 1)
        contexts[order] = findings.context_of(cut[None], windows.apart)
        on_order()
    return contexts


def as_object(study: Study) -> dict[str, Any]:
    """Return what ``--json`` prints: the study, with the main figures of each model first."""

    def tokens(k: Interval | None) -> dict[str, float] | None:
        return {"tokens": k.value, "low": k.low, "high": k.high} if k else None

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
