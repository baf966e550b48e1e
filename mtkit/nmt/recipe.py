"""The recipe of a training run: one frozen configuration, its presets and its schedule.

Sources of the recipe for small corpora: few subwords, word dropout, small batches (Sennrich & Zhang
2019), dropout with one mask a sentence (Gal & Ghahramani 2016), label smoothing (Szegedy et al.
2016), BPE-dropout (Provilkov et al. 2020), averaged weights.

    schedule    linear warm-up, then half a cosine down to 2 % of the peak
    precision   bf16: matrices are multiplied as bfloat16, nearly twice as fast where the CPU can;
                weights, sums and everything but training stay float32

Imports no torch, so that ``mtkit --help`` can show the choices at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

from mtkit.errors import InputError, check_choice

Preset = Literal["auto", "tiny", "few", "short", "small", "quick", "best", "textbook"]
Cell = Literal["rnn", "gru", "lstm"]
Attention = Literal["none", "dot", "bilinear", "mlp"]
Precision = Literal["auto", "fp32", "bf16"]
Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a run; the resolved one is saved with the model."""

    preset: Preset = "small"  # whose settings these are, but for changes
    cell: Cell = "lstm"
    attention: Attention = "bilinear"
    embedding: int = 256
    hidden: int = 320
    encoder_layers: int = 1
    decoder_layers: int = 2
    vocabulary: int = 0  # joint BPE pieces; 0: 8 √N for N target words
    dropout: float = 0.25
    word_dropout: float = 0.1  # of target words
    source_dropout: float = 0.0  # of source words
    bpe_dropout: float = 0.0  # that a merge of subwords is passed over
    smoothing: float = 0.1
    batch: int = 64  # sentences
    learning_rate: float = 4e-3
    warmup: int = 200
    clip: float = 1.0  # τ; 0: no clipping
    average: float = 0.998
    epochs: int = 30  # passes over the data at most
    minutes: float = 27.0  # the budget of wall time; 0: none
    updates: int = 0  # exactly so many, whatever the other two say; 0: they decide
    validations: int = 20
    patience: int = 5
    max_length: int = 100
    precision: Precision = "auto"  # bf16 where the processor multiplies such numbers
    seed: int = 1


TINY, FEW = 2_000, 6_000  # sentence pairs below which these suit: tried with 1,000 and 4,000
SHORT = 12  # passes below which a smaller network, which makes more of them, learns more

PRESETS: dict[Preset, TrainConfig] = {
    "small": TrainConfig(),
    # Small batches of a small network: what a few thousand sentences and minutes are best spent on.
    "quick": TrainConfig(
        "quick", embedding=192, hidden=256, decoder_layers=1, vocabulary=4000, dropout=0.15,
        word_dropout=0.0, batch=32, learning_rate=8e-3, warmup=100, minutes=2.5, validations=8,
    ),
    # Wider, which pays only with more dropout, and then needs more passes.
    "best": TrainConfig(
        "best", hidden=384, dropout=0.35, learning_rate=3e-3, epochs=45, minutes=85.0
    ),
    "textbook": TrainConfig("textbook", attention="none"),
    # Many updates on little text, of which words are hidden on both sides so that it is not learnt
    # by heart (Sennrich & Zhang 2019). With 4,000 pairs few learns more in less time.
    "tiny": TrainConfig(
        "tiny", embedding=128, hidden=192, decoder_layers=1, dropout=0.3, word_dropout=0.2,
        source_dropout=0.1, batch=16, learning_rate=6e-3, epochs=60, validations=10,
    ),
    "few": TrainConfig(
        "few", embedding=192, hidden=256, decoder_layers=1, dropout=0.2, batch=32,
        learning_rate=8e-3, validations=10,
    ),
    # What quick is for more text: fast updates, many of them, and nothing that makes learning slow.
    "short": TrainConfig(
        "short", embedding=192, hidden=256, decoder_layers=1, dropout=0.1, word_dropout=0.0,
        batch=32, learning_rate=8e-3, validations=10,
    ),
}  # fmt: skip


def suited(pairs: int, passes: float = math.inf) -> Preset:
    """What the preset ``auto`` means for so many sentence pairs, and where the budget buys
    ``passes`` over them of what it would mean with time enough.
    """
    if pairs < FEW:
        return "tiny" if pairs < TINY else "few"
    return "short" if passes < SHORT else "small"


def preset(name: Preset, **changes: Any) -> TrainConfig:
    """A preset but for ``changes``, of which ``None`` changes nothing. Passes without minutes are a
    budget without a clock. A plain RNN trains at an eighth of its learning rate, if that is not
    among them: at the whole its gradients explode, and what clipping leaves of them teaches
    nothing.
    """
    changes = {option: value for option, value in changes.items() if value is not None}
    for option, value in changes.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"{option} {value}: not a finite number")
    if "epochs" in changes:
        changes.setdefault("minutes", 0.0)
    check_choice("preset", name, PRESETS)
    config = replace(PRESETS[name], **changes)
    if config.cell != "rnn" or "learning_rate" in changes:
        return config
    return replace(config, learning_rate=config.learning_rate / 8)


def learning_rate(update: int, total: int, config: TrainConfig) -> float:
    """The schedule of the module's docstring, ``update`` counted from 0."""
    warm = min(1.0, (update + 1) / max(1, config.warmup))
    done = max(0.0, (update - config.warmup) / max(1, total - config.warmup))
    cosine = (1 + math.cos(math.pi * min(done, 1.0))) / 2
    return config.learning_rate * warm * (0.02 + 0.98 * cosine)
