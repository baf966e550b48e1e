"""``mtkit train-nmt``."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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

if TYPE_CHECKING:
    from mtkit.nmt.recipe import TrainConfig
    from mtkit.text.tokenizer import WordTokenizer


class Preset(StrEnum):
    """Recipes that the README explains."""

    small = "small"
    quick = "quick"
    best = "best"
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


class Device(StrEnum):
    """Where to train."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class AttentionKind(StrEnum):
    """How the decoder looks at the source."""

    none = "none"
    dot = "dot"
    bilinear = "bilinear"
    mlp = "mlp"


Recipe = Annotated[Preset, typer.Option(help="The recipe to start from.")]
CellOption = Annotated[Cell | None, typer.Option(help="Recurrent cell.", show_default="preset")]
AttentionOption = Annotated[
    AttentionKind | None, typer.Option(help="Attention.", show_default="preset")
]
Clip = Annotated[
    float | None,
    typer.Option(min=0, help="Largest norm of a gradient; 0: no clipping.", show_default="preset"),
]
Minutes = Annotated[
    float | None,
    typer.Option(min=0, help="Wall time to train for; 0: no limit.", show_default="preset"),
]
Updates = Annotated[
    int | None, typer.Option(min=1, help="Train exactly so many updates, whatever the time.")
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with a training that was interrupted; same options.")
]
PrecisionOption = Annotated[
    Precision, typer.Option(help="How matrices are multiplied; auto: bf16 where the processor can.")
]
DeviceOption = Annotated[
    Device, typer.Option(help="Where to train; auto: on a GPU where torch finds one.")
]
BpeDropout = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        help="Probability that a merge of subwords is passed over.",
        show_default="preset",
    ),
]
Seeds = Annotated[
    int, typer.Option(min=1, help="Train so many models, DIR-1 … DIR-N, by one seed after another.")
]
From = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="DIR",
        help="Train this model further; its shape and subwords stay. It may forget its old text.",
    ),
]


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
    preset: Recipe = Preset.small,
    cell: CellOption = None,
    attention: AttentionOption = None,
    clip: Clip = None,
    minutes: Minutes = None,
    updates: Updates = None,
    resume: Resume = False,
    precision: PrecisionOption = Precision.auto,
    device: DeviceOption = Device.auto,
    bpe_dropout: BpeDropout = None,
    seed: Seed = 1,
    seeds: Seeds = 1,
    start: From = None,
    threads: Threads = 0,
    quiet: Quiet = False,
) -> None:
    """Train the neural translator: subwords, LSTM encoder-decoder."""
    from mtkit.errors import InputError

    cores = set_up(quiet, threads)
    if start and (cell or attention):
        raise InputError("--from keeps a model's shape; leave --cell and --attention out")
    _choose(device)
    directories = _directories(out, seeds, force, resume)
    text, words = training_text(corpus, pair, train, dev, test, tokenizer, lowercase)
    old = _load_start(start, text.pair, words) if start else None

    from mtkit.console import note
    from mtkit.nmt import parallel
    from mtkit.nmt.system import set_threads
    from mtkit.nmt.training.build import train_nmt as run
    from mtkit.nmt.training.build import train_seeds

    given: dict[str, Any] = {
        "cell": cell and cell.value,
        "attention": attention and attention.value,
        "clip": clip,
        "minutes": minutes,
        "updates": updates,
        "bpe_dropout": bpe_dropout,
        "precision": precision.value,
    }
    config = _config(preset, seed, given)
    set_threads(max(1, cores // parallel.LOCAL_WORLD))
    with parallel.processes():
        if seeds > 1:
            train_seeds(text, words, config, directories, resume, old)
        else:
            run(text, words, config, directories[0], resume, old)
    for directory in directories:
        note(f"model: {directory}")


def _choose(device: Device) -> None:
    """Hide the GPUs, or make sure that there is one."""
    if device is Device.cpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # before torch looks for them
    elif device is Device.cuda:
        from mtkit.errors import InputError
        from mtkit.nmt import parallel

        if parallel.device().type != "cuda":
            raise InputError("--device cuda: torch finds no GPU here; leave the option out")


def _config(preset: Preset, seed: int, given: dict[str, Any]) -> TrainConfig:
    """The preset, but for what was given."""
    from mtkit.nmt.recipe import preset as recipe

    changes = {name: value for name, value in given.items() if value is not None}
    return recipe(preset.value, seed=seed, **changes)


def _directories(out: Path | None, seeds: int, force: bool, resume: bool) -> list[Path]:
    """Where the models go: as ``check_out`` says, and numbered if they are several."""
    from mtkit.models import MODELS, check_out

    if seeds == 1:
        return [check_out(out, "nmt", force)]
    base = out or MODELS / "nmt"
    numbered = [base.with_name(f"{base.name}-{k}") for k in range(1, seeds + 1)]
    return [check_out(path, "nmt", force or resume or out is None) for path in numbered]


def _load_start(directory: Path, pair: tuple[str, str], tokenizer: WordTokenizer) -> Any:
    """The model to train further. Raises InputError where it does not go with the text."""
    from mtkit.errors import InputError
    from mtkit.manifest import Manifest
    from mtkit.models import load

    manifest = Manifest.read(directory)
    if manifest.kind != "nmt":
        raise InputError(f"{directory} is no neural model; only such can be trained further")
    if manifest.languages != pair:
        old, new = (" → ".join(languages) for languages in (manifest.languages, pair))
        raise InputError(f"{directory} translates {old}, but the text is {new}")
    system: Any = load(directory)
    if system.tokenizer != tokenizer:
        raise InputError(
            f"{directory} has other tokens: give --tokenizer and --lowercase as they were for it"
        )
    return system
