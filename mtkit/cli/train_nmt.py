"""``mtkit train-nmt``."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any

import typer

from mtkit.cli.options import (
    CorpusName,
    Dev,
    Force,
    Lowercase,
    Out,
    Pair,
    Quiet,
    Seed,
    Test,
    Threads,
    Tokenizer,
    Tokens,
    Train,
    set_up,
    training_text,
)


class Preset(StrEnum):
    """Recipes that the README explains."""

    small = "small"
    quick = "quick"
    textbook = "textbook"


class Cell(StrEnum):
    """The recurrent cell."""

    rnn = "rnn"
    gru = "gru"
    lstm = "lstm"


class Precision(StrEnum):
    """How matrices are multiplied in training."""

    auto = "auto"
    fp32 = "fp32"
    bf16 = "bf16"


class AttentionKind(StrEnum):
    """How the decoder looks at the source."""

    none = "none"
    dot = "dot"
    bilinear = "bilinear"
    mlp = "mlp"


def train_nmt(
    train: Train = None,
    dev: Dev = None,
    test: Test = None,
    corpus: CorpusName = None,
    pair: Pair = None,
    out: Out = None,
    force: Force = False,
    tokenizer: Tokenizer = Tokens.words,
    lowercase: Lowercase = False,
    preset: Annotated[Preset, typer.Option(help="The recipe to start from.")] = Preset.small,
    cell: Annotated[
        Cell | None, typer.Option(help="Recurrent cell.", show_default="preset")
    ] = None,
    attention: Annotated[
        AttentionKind | None, typer.Option(help="Attention.", show_default="preset")
    ] = None,
    clip: Annotated[
        float | None,
        typer.Option(
            min=0, help="Largest norm of a gradient; 0: no clipping.", show_default="preset"
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(min=0, help="Wall time to train for; 0: no limit.", show_default="preset"),
    ] = None,
    updates: Annotated[
        int | None,
        typer.Option(min=1, help="Train exactly so many updates, whatever the time."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with a training that was interrupted; same options."),
    ] = False,
    precision: Annotated[
        Precision, typer.Option(help="How matrices are multiplied; auto: bf16 on CPUs that can.")
    ] = Precision.auto,
    seed: Seed = 1,
    threads: Threads = 0,
    quiet: Quiet = False,
) -> None:
    """Train the neural translator: subwords, LSTM encoder-decoder."""
    from mtkit.models import check_out

    cores = set_up(quiet, threads)
    directory = check_out(out, "nmt", force)
    text, words = training_text(corpus, pair, train, dev, test, tokenizer, lowercase)

    from mtkit.console import note
    from mtkit.nmt.recipe import PRESETS
    from mtkit.nmt.system import set_threads
    from mtkit.nmt.system import train_nmt as run

    set_threads(cores)
    given: dict[str, Any] = {
        "cell": cell and cell.value,
        "attention": attention and attention.value,
        "clip": clip,
        "minutes": minutes,
        "updates": updates,
        "precision": precision.value,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    run(text, words, replace(PRESETS[preset.value], seed=seed, **changes), directory, resume)
    note(f"model: {directory}")
