"""``mtkit train-nmt``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

from typer import Context, Option

import mtkit.cli.completion as completion
import mtkit.cli.options as options
from mtkit.console import note
from mtkit.errors import InputError
from mtkit.nmt import recipe


def _of_preset(help: str, **limits: Any) -> Any:  # noqa: A002
    """Return an option whose default comes from the preset."""
    return Option(help=help, show_default="preset", **limits)


Preset = Annotated[
    recipe.Preset,
    Option(
        help="Set of training options; auto: tiny, few, small or short, by the size of the text "
        "and --minutes."
    ),
]
Cell = Annotated[recipe.Cell | None, _of_preset("Type of recurrent cell.")]
Attention = Annotated[recipe.Attention | None, _of_preset("Type of attention.")]
Clip = Annotated[float | None, _of_preset("Maximum gradient norm; 0: no clipping.", min=0, max=1e9)]
Minutes = Annotated[float | None, _of_preset("Training time; 0: no limit.", min=0, max=1e6)]
Epochs = Annotated[
    int | None,
    _of_preset("Passes over the text; no time limit unless --minutes is given.", min=1, max=10**6),
]
BpeDropout = Annotated[
    float | None, _of_preset("Probability of skipping a BPE merge in training.", min=0, max=1)
]
Updates = Annotated[
    int | None,
    Option(min=1, max=10**9, help="Exact number of updates; overrides --minutes and --epochs."),
]
Resume = Annotated[
    bool, Option("--resume", help="Resume an interrupted training; give the same options.")
]
Precision = Annotated[
    recipe.Precision,
    Option(help="Precision of matrix products; auto: bf16 if the processor has it."),
]
Device = Annotated[
    recipe.Device, Option(help="Where to train; auto: on a GPU if PyTorch finds one.")
]
Out = Annotated[
    Path | None,
    Option(metavar="DIR", help=f"Output directory. [models/nmt-SRC-TGT; {options.REPLACED}]"),
]
Seeds = Annotated[
    int, Option(min=1, max=100, help="Train N models with consecutive seeds, in DIR-1 … DIR-N.")
]
From = Annotated[
    Path | None,
    Option(
        "--from",
        metavar="DIR",
        help="Continue to train this model on new text. Architecture and subwords stay the same; "
        "the model may get worse on its old text.",
        autocompletion=completion.models,
    ),
]


# Options that the number of updates replaces, that depend on the machine or concern only this call.
REPLACED = {"preset", "minutes", "epochs", "updates", "seed", "seeds", "precision", "threads"}
REPLACED |= {"resume", "force", "quiet", "out"}


def train_nmt(
    context: Context, train: options.Train = None, dev: options.StoppingDev = None,
    test: options.Test = None, file_format: options.FileFormat = None,
    corpus: options.CorpusName = None, pair: options.Pair = None,
    out: Out = None, force: options.Force = False, tokenizer: options.Tokenizer = "words",
    lowercase: options.Lowercase = False, preset: Preset = "auto", cell: Cell = None,
    attention: Attention = None, clip: Clip = None, minutes: Minutes = None, epochs: Epochs = None,
    updates: Updates = None, resume: Resume = False, precision: Precision = "auto",
    device: Device = "auto", bpe_dropout: BpeDropout = None, seed: options.Seed = 1,
    seeds: Seeds = 1, start: From = None, threads: options.Threads = 0,
    quiet: options.Quiet = False,
) -> None:  # fmt: skip
    """Train the neural translator: subwords, LSTM encoder-decoder."""
    import mtkit
    from mtkit.models import check_named

    cores = options.set_up(quiet, threads)
    check_named(out, force or (resume and seeds > 1), seeds)  # before the text is read
    if start and (cell or attention):
        raise InputError(
            "--from keeps the architecture of the model; remove --cell and --attention"
        )
    changes = {
        "seed": seed, "cell": cell, "attention": attention, "clip": clip, "minutes": minutes,
        "epochs": epochs, "updates": updates, "bpe_dropout": bpe_dropout, "precision": precision,
    }  # fmt: skip
    config = changes if preset == "auto" else recipe.preset(preset, **changes)
    text, words = options.training_text(
        corpus, pair, train, dev, test, tokenizer, lowercase, file_format
    )
    directories = options.ask_before_loss(
        lambda force: mtkit.train_nmt(
            text, out, words, config, start, seeds, resume, device, force, cores
        ),
        force,
    )
    for directory in directories:
        note(f"model: {directory}")
    for directory in directories:
        note(f"to repeat this run: {_repeat(context, directory, cores)}", end=" \\")


def _repeat(context: Context, directory: Path, threads: int) -> str:
    """Return the command that trains the model in ``directory`` again, on any machine.

    It has the options of this call, except ``REPLACED``, and the settings that these led to.
    """
    from mtkit.manifest import Manifest

    words = ["mtkit", "train-nmt"]
    for option in context.command.params:
        name, value = str(option.name), context.params.get(str(option.name))
        source = context.get_parameter_source(name)
        if source and source.name == "COMMANDLINE" and name not in REPLACED:
            files = dict.fromkeys(value) if isinstance(value, tuple) else ()  # one bilingual file
            values = files or (() if value is True else (value,))
            words += [option.opts[0], *map(str, values)]
    config = Manifest.read(directory).config
    for name in ("preset", "updates", "seed", "precision"):
        words += [f"--{name}", str(config[name])]
    words += ["--threads", str(threads), "--out", str(directory)]
    return shlex.join([*words, "--force"])  # the same model replaces itself
