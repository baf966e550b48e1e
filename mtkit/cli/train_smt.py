"""``mtkit train-smt``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mtkit.cli.options import (
    Aligner,
    CorpusName,
    Dev,
    Force,
    Lowercase,
    Out,
    Pair,
    Quiet,
    Symmetrize,
    Test,
    Threads,
    Tokenizer,
    Tokens,
    Train,
    check_alignment,
    set_up,
    training_text,
)


def train_smt(
    train: Train = None,
    dev: Dev = None,
    test: Test = None,
    corpus: CorpusName = None,
    pair: Pair = None,
    out: Out = None,
    force: Force = False,
    tokenizer: Tokenizer = Tokens.words,
    lowercase: Lowercase = False,
    order: Annotated[int, typer.Option(min=1, max=9, help="Order of the language model.")] = 5,
    aligner: Aligner = "fertility",
    symmetrize: Symmetrize = "grow-diag-final-and",
    tune: Annotated[str, typer.Option(help="Tuning of the weights on dev: none.")] = "none",
    weights: Annotated[
        str,
        typer.Option(
            metavar="default|noisy-channel|FILE",
            help="Feature weights: a preset, or a JSON file such as a model's weights.json.",
        ),
    ] = "default",
    threads: Threads = 0,
    quiet: Quiet = False,
) -> None:
    """Train the statistical translator: alignment, phrase table, language model."""
    from mtkit.errors import InputError
    from mtkit.models import check_out

    cores = set_up(quiet, threads)
    directory = check_out(out, "smt", force)
    text, words = training_text(corpus, pair, train, dev, test, tokenizer, lowercase)
    if tune != "none":
        raise InputError(f"--tune {tune}: only none is known; set weights with --weights FILE")

    from mtkit.console import note
    from mtkit.smt.system import PRESETS, read_weights
    from mtkit.smt.train import TrainConfig
    from mtkit.smt.train import train_smt as run

    check_alignment(aligner, symmetrize)
    if weights not in PRESETS and not Path(weights).is_file():
        raise InputError(f"--weights {weights}: neither {' nor '.join(PRESETS)} nor a file")
    chosen = PRESETS.get(weights) or read_weights(Path(weights))
    run(text, words, TrainConfig(aligner, symmetrize, order), chosen, directory, cores)
    note(f"model: {directory}")
