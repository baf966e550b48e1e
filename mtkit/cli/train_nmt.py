"""``mtkit train-nmt``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from typer import Option

import mtkit.cli.options as options
from mtkit.console import note
from mtkit.errors import InputError
from mtkit.nmt import recipe


def _of_preset(help: str, **limits: Any) -> Any:  # noqa: A002
    """An option whose default is the preset's."""
    return Option(help=help, show_default="preset", **limits)


Preset = Annotated[recipe.Preset, Option(help="The recipe to start from.")]
Cell = Annotated[recipe.Cell | None, _of_preset("Recurrent cell.")]
Attention = Annotated[recipe.Attention | None, _of_preset("Attention.")]
Clip = Annotated[float | None, _of_preset("Largest norm of a gradient; 0: no clipping.", min=0)]
Minutes = Annotated[float | None, _of_preset("Wall time to train for; 0: no limit.", min=0)]
BpeDropout = Annotated[
    float | None, _of_preset("Probability that a merge of subwords is passed over.", min=0, max=1)
]
Updates = Annotated[
    int | None, Option(min=1, help="Train exactly so many updates, whatever the time.")
]
Resume = Annotated[bool, Option("--resume", help="Continue an interrupted training; same options.")]
Precision = Annotated[
    recipe.Precision,
    Option(help="How matrices are multiplied; auto: bf16 where the processor can."),
]
Device = Annotated[
    recipe.Device, Option(help="Where to train; auto: on a GPU where torch finds one.")
]
Seeds = Annotated[
    int, Option(min=1, help="Train N models with consecutive seeds, in DIR-1 … DIR-N.")
]
From = Annotated[
    Path | None,
    Option(
        "--from",
        metavar="DIR",
        help="Train this model further; its shape and subwords stay. It may forget its old text.",
    ),
]


def train_nmt(
    train: options.Train = None, dev: options.Dev = None, test: options.Test = None,
    corpus: options.CorpusName = None, pair: options.Pair = None, out: options.Out = None,
    force: options.Force = False, tokenizer: options.Tokenizer = "words",
    lowercase: options.Lowercase = False, preset: Preset = "small", cell: Cell = None,
    attention: Attention = None, clip: Clip = None, minutes: Minutes = None,
    updates: Updates = None, resume: Resume = False, precision: Precision = "auto",
    device: Device = "auto", bpe_dropout: BpeDropout = None, seed: options.Seed = 1,
    seeds: Seeds = 1, start: From = None, threads: options.Threads = 0,
    quiet: options.Quiet = False,
) -> None:  # fmt: skip
    """Train the neural translator: subwords, LSTM encoder-decoder."""
    import mtkit
    from mtkit.models import check_named

    cores = options.set_up(quiet, threads)
    check_named(out, force or (resume and seeds > 1), seeds)  # before anything is read
    if start and (cell or attention):
        raise InputError("--from keeps a model's shape; leave --cell and --attention out")
    config = recipe.preset(
        preset, seed=seed, cell=cell, attention=attention, clip=clip, minutes=minutes,
        updates=updates, bpe_dropout=bpe_dropout, precision=precision,
    )  # fmt: skip
    text, words = options.training_text(corpus, pair, train, dev, test, tokenizer, lowercase)
    directories = options.ask_before_loss(
        lambda force: mtkit.train_nmt(
            text, out, words, config, start, seeds, resume, device, force, cores
        ),
        force,
    )
    for directory in directories:
        note(f"model: {directory}")
