"""The recipe of a training run: one frozen configuration, its presets and its schedule.

Sources of the recipe for small corpora: few subwords, word dropout, small batches (Sennrich & Zhang
2019), dropout with one mask per sentence (Gal & Ghahramani 2016), label smoothing (Szegedy et al.
2016), BPE-dropout (Provilkov et al. 2020), averaged weights.

    schedule    linear warm-up, then half a cosine down to 2 % of the peak
    precision   bf16: matrix products in bfloat16; training is 1.6 times as fast on CPUs for it;
                weights, sums and everything outside training stay float32

Does not import torch, so that ``mtkit --help`` is fast.
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
    """All settings of a training run; the resolved configuration is saved with the model."""

    preset: Preset = "small"  # the preset that the settings started from
    cell: Cell = "lstm"
    attention: Attention = "bilinear"
    embedding: int = 256
    hidden: int = 320
    encoder_layers: int = 1
    decoder_layers: int = 2
    vocabulary: int = 0  # joint BPE pieces; 0: 8 √N for N target words
    dropout: float = 0.25
    word_dropout: float = 0.1  # probability that a target subword becomes <unk>
    source_dropout: float = 0.0  # the same for source subwords
    bpe_dropout: float = 0.0  # probability that a BPE merge is skipped
    smoothing: float = 0.1
    batch: int = 64  # sentences
    learning_rate: float = 4e-3
    warmup: int = 200
    clip: float = 1.0  # τ; 0: no clipping
    average: float = 0.998
    epochs: int = 30  # at most
    minutes: float = 27.0  # budget of wall time; 0: no limit
    updates: int = 0  # exact number, overrides epochs and minutes; 0: computed from them
    validations: int = 20
    patience: int = 5
    max_length: int = 100
    precision: Precision = "auto"  # bf16 if the processor supports it
    seed: int = 1


# Presets for fewer sentence pairs; measured with 1,000 and 4,000.
TINY_BELOW, FEW_BELOW = 2_000, 6_000
SHORT_BELOW = 12  # with fewer epochs, a smaller network that makes more of them learns more

PRESETS: dict[Preset, TrainConfig] = {
    "small": TrainConfig(),
    # Small batches and a small network: best for a few thousand sentences and a few minutes.
    "quick": TrainConfig(
        "quick", embedding=192, hidden=256, decoder_layers=1, vocabulary=4000, dropout=0.15,
        word_dropout=0.0, batch=32, learning_rate=8e-3, warmup=100, minutes=2.5, validations=8,
    ),
    # Wider, which helps only with more dropout, and then needs more epochs.
    "best": TrainConfig(
        "best", hidden=384, dropout=0.35, learning_rate=3e-3, epochs=45, minutes=85.0
    ),
    "textbook": TrainConfig("textbook", attention="none"),
    # Many updates on little text; word dropout on both sides against overfitting (Sennrich & Zhang
    # 2019). With 4,000 pairs "few" learns more in less time.
    "tiny": TrainConfig(
        "tiny", embedding=128, hidden=192, decoder_layers=1, dropout=0.3, word_dropout=0.2,
        source_dropout=0.1, batch=16, learning_rate=6e-3, epochs=60, validations=10,
    ),
    "few": TrainConfig(
        "few", embedding=192, hidden=256, decoder_layers=1, dropout=0.2, batch=32,
        learning_rate=8e-3, validations=10,
    ),
    # As "quick", for more text: many fast updates and little regularisation, which slows learning.
    "short": TrainConfig(
        "short", embedding=192, hidden=256, decoder_layers=1, dropout=0.1, word_dropout=0.0,
        batch=32, learning_rate=8e-3, validations=10,
    ),
}  # fmt: skip


def suited(pairs: int, passes: float = math.inf) -> Preset:
    """Return the preset that ``auto`` stands for.

    pairs: sentence pairs. passes: epochs that the time budget allows with the preset ``small``.
    """
    if pairs < FEW_BELOW:
        return "tiny" if pairs < TINY_BELOW else "few"
    return "short" if passes < SHORT_BELOW else "small"


def preset(name: Preset, **changes: Any) -> TrainConfig:
    """Return the preset ``name`` with ``changes``.

    changes: fields of ``TrainConfig``; ``None`` keeps the preset's value. ``epochs`` without
    ``minutes`` removes the time limit. A plain RNN gets an eighth of the preset's learning rate,
    unless ``changes`` set it: at the full rate its gradients explode, and it learns nothing from
    the clipped ones. Raises InputError for an unknown preset or a number that is not finite.
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
    """Return the learning rate at ``update``, counted from 0, of ``total`` updates."""
    rise = min(1.0, (update + 1) / max(1, config.warmup))
    progress = max(0.0, (update - config.warmup) / max(1, total - config.warmup))
    cosine = (1 + math.cos(math.pi * min(progress, 1.0))) / 2
    return config.learning_rate * rise * (0.02 + 0.98 * cosine)
