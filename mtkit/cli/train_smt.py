"""``mtkit train-smt``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from typer import Option

import mtkit.cli.completion as completion
import mtkit.cli.options as options
from mtkit.console import note
from mtkit.errors import InputError
from mtkit.platforms import MIN_MEMORY

Aligners = Annotated[
    str,
    Option(
        metavar="MODEL[+MODEL]",
        help="Alignment model: ibm1, diagonal (Model 2 as in fast_align), hmm, or fertility (Gibbs "
        "sampling; the most accurate). With +, phrases are extracted from each model's alignment. "
        "auto: fertility, or fertility+hmm for fewer than 10,000 pairs.",
        autocompletion=completion.among(
            "auto", "ibm1", "diagonal", "hmm", "fertility", "fertility+hmm"
        ),
    ),
]
Discount = Annotated[
    str,
    Option(
        metavar="none|kneser-ney",
        help="kneser-ney: discount the counts of phrase pairs (Foster et al. 2006).",
        autocompletion=completion.among("none", "kneser-ney"),
    ),
]
Prune = Annotated[
    list[str] | None,
    Option(
        metavar="N",
        help="Drop n-grams seen at most N times: one N per order, starting with 0 and never "
        "decreasing, as in --prune '0 0 1'. The last N applies to all higher orders. "
        "[no pruning]",
    ),
]
Weights = Annotated[
    str | None,
    Option(
        metavar="PRESET|FILE",
        help="Feature weights: default, noisy-channel (P(x|y)·P(y)), channel (P(x|y)), or a "
        "JSON file such as a model's weights.json. They are not tuned unless --tune is given, too. "
        "[default weights, tuned]",
        autocompletion=completion.among("default", "noisy-channel", "channel"),
    ),
]
Tune = Annotated[
    str | None,
    Option(
        metavar="mira|mert|none",
        help="How to tune the weights. Tuning starts from --weights and uses the dev set; without "
        "a dev set, it uses pairs held out of the training text. [mira; none if --weights is "
        "given]",
        autocompletion=completion.among("mira", "mert", "none"),
    ),
]
Memory = Annotated[
    str | None,
    Option(
        metavar="SIZE",
        help="Memory limit, such as 800M or 4G; with --cluster, of all processes together. Does "
        "not change the model. "
        "[half of the machine's memory]",
    ),
]
Resume = Annotated[
    bool, Option("--resume", help="Resume an interrupted training; give the same options.")
]
Out = Annotated[
    Path | None,
    Option(metavar="DIR", help=f"Output directory. [models/smt-SRC-TGT; {options.REPLACED}]"),
]
Order = Annotated[int, Option(help="Order of the language model, 1 to 30.")]


def train_smt(
    train: options.Train = None, dev: options.TuningDev = None, test: options.Test = None,
    file_format: options.FileFormat = None, corpus: options.CorpusName = None,
    pair: options.Pair = None, out: Out = None,
    force: options.Force = False, tokenizer: options.Tokenizer = "words",
    lowercase: options.Lowercase = False, aligner: Aligners = "auto",
    symmetrize: options.Symmetrize = "grow-diag-final-and", discount: Discount = "none",
    order: Order = 5, prune: Prune = None, weights: Weights = None, tune: Tune = None,
    memory: Memory = None, cluster: options.Cluster = "", resume: Resume = False,
    threads: options.Threads = 0, quiet: options.Quiet = False,
) -> None:  # fmt: skip
    """Train the statistical translator: alignment, phrases, LM."""
    import mtkit
    from mtkit.models import check_named
    from mtkit.smt.train import TrainConfig

    cores = options.set_up(quiet, threads)
    check_named(out, force)  # before the text is read
    tuner = tune or ("none" if weights else "mira")
    thresholds = _thresholds(prune)
    size = _bytes(memory)
    config = TrainConfig(aligner, symmetrize, discount, order, thresholds, tuner)
    text, words = options.training_text(
        corpus, pair, train, dev, test, tokenizer, lowercase, file_format
    )
    start = weights or "default"
    directory = options.ask_before_loss(
        lambda force: mtkit.train_smt(
            text, out, words, config, start, force, cores, size, resume, cluster
        ),
        force,
    )
    note(f"model: {directory}")


def _bytes(memory: str | None) -> int:
    """Return ``--memory`` in bytes, 0 if it is not given. Raises InputError if it is too small."""
    if memory is None:
        return 0
    match = re.fullmatch(r"(\d{1,9})([MG])i?B?", memory, re.IGNORECASE)
    size = int(match[1]) << (20 if match[2] in "mM" else 30) if match else 0
    if size < MIN_MEMORY:
        raise InputError(f"--memory {memory}: expected at least 500M, as in 800M or 4G")
    return size


def _thresholds(prune: list[str] | None) -> tuple[int, ...]:
    """Return the numbers of ``--prune``, given in one string or in several."""
    numbers = " ".join(prune or ())
    if not all(n.isdecimal() and len(n) < 10 for n in numbers.split()):
        raise InputError(f"--prune {numbers}: expected whole numbers, as in --prune '0 0 1'")
    return tuple(map(int, numbers.split()))
