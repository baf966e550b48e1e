"""The recipe of a training run: one frozen configuration, its presets and its schedule.

Sources of the recipe for small corpora: few subwords, word dropout, small batches (Sennrich & Zhang
2019), dropout with one mask a sentence (Gal & Ghahramani 2016), label smoothing (Szegedy et al.
2016), BPE-dropout (Provilkov et al. 2020), averaged weights.

    schedule    linear warm-up, then half a cosine down to 2 % of the peak
    precision   bf16: matrices are multiplied as bfloat16, nearly twice as fast where the CPU can;
                weights, sums and everything but training stay float32
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch

from mtkit.nmt.model import ModelConfig

PRECISIONS = ("auto", "fp32", "bf16")


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a run; the resolved one is saved with the model.

    vocabulary: joint BPE pieces, 0 = 8 √N for N target words. batch: sentences. minutes: the
    budget of wall time, 0 = none. epochs: passes over the data at most. updates: exactly so many,
    whatever the other two say (0 = they decide). clip: τ, 0 = no clipping. bpe_dropout: that
    a merge of subwords is passed over. precision: one of ``PRECISIONS``; auto is bf16 where the
    processor multiplies such numbers.
    """

    cell: str = "lstm"
    attention: str = "bilinear"
    embedding: int = 256
    hidden: int = 320
    encoder_layers: int = 1
    decoder_layers: int = 2
    vocabulary: int = 0
    dropout: float = 0.25
    word_dropout: float = 0.1
    bpe_dropout: float = 0.0
    smoothing: float = 0.1
    batch: int = 64
    learning_rate: float = 4e-3
    warmup: int = 200
    clip: float = 1.0
    average: float = 0.998
    epochs: int = 30
    minutes: float = 27.0
    updates: int = 0
    validations: int = 20
    patience: int = 5
    max_length: int = 100
    precision: str = "auto"
    seed: int = 1


PRESETS = {
    "small": TrainConfig(),
    # Small batches of a small network: what a few thousand sentences and minutes are best spent on.
    "quick": TrainConfig(
        embedding=192,
        hidden=256,
        decoder_layers=1,
        vocabulary=4000,
        dropout=0.15,
        word_dropout=0.0,
        batch=32,
        learning_rate=8e-3,
        warmup=100,
        minutes=2.5,
        validations=8,
    ),
    # Wider, which pays only with more dropout, and then needs more passes.
    "best": TrainConfig(hidden=384, dropout=0.35, learning_rate=3e-3, epochs=45, minutes=85.0),
    "textbook": TrainConfig(attention="none"),
}


def preset(name: str, **changes: Any) -> TrainConfig:
    """A preset but for ``changes``.

    A plain RNN trains at an eighth of its learning rate, if that is not among them: at the whole
    its gradients explode, and what clipping leaves of them teaches nothing.
    """
    config = replace(PRESETS[name], **changes)
    if config.cell != "rnn" or "learning_rate" in changes:
        return config
    return replace(config, learning_rate=config.learning_rate / 8)


def learning_rate(update: int, total: int, config: TrainConfig) -> float:
    """The schedule of the module's docstring, ``update`` counted from 0."""
    warm = min(1.0, (update + 1) / max(1, config.warmup))
    done = max(0.0, (update - config.warmup) / max(1, total - config.warmup))
    return (
        config.learning_rate * warm * (0.02 + 0.98 * (1 + math.cos(math.pi * min(done, 1.0))) / 2)
    )


def resolved(precision: str) -> str:
    """What ``auto`` is on this machine. Raises ValueError for what is none of ``PRECISIONS``."""
    if precision not in PRECISIONS:
        raise ValueError(f"{precision}: not one of {', '.join(PRECISIONS)}")
    if precision != "auto":
        return precision
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    can = torch.cpu.get_capabilities()
    return "bf16" if can.get("avx512_bf16") or can.get("amx_bf16") else "fp32"


def model_config(config: TrainConfig, pieces: int) -> ModelConfig:
    """The part of the configuration that shapes the network."""
    names = ("cell", "attention", "embedding", "hidden", "encoder_layers", "decoder_layers")
    shape: dict[str, Any] = {name: getattr(config, name) for name in (*names, "dropout")}
    return ModelConfig(vocabulary=pieces, **shape)
