"""``mtkit gradients``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option

import mtkit.cli.options as options
from mtkit.cli.output import AsJson, Html, publish

Updates = Annotated[int, Option(min=1, max=10**9, help="Training updates per recurrent model.")]
Hidden = Annotated[int, Option(min=2, max=2**16, help="Hidden units per recurrent model.")]
Words = Annotated[
    int, Option(min=1, max=10**7, help="Vocabulary size; all other words become <unk>.")
]
Seeds = Annotated[int, Option(min=1, max=100, help="Training runs per recurrent model.")]
Out = Annotated[Path | None, Option(metavar="DIR", help="Output directory. [models/laboratory]")]
Model = Annotated[
    Path | None,
    Option(metavar="DIR", help="Measure the models of an earlier run, without training."),
]
Full = Annotated[
    bool,
    Option(
        "--full",
        help="Also train and measure networks with recurrent residual connections, with layer "
        "normalisation, and encoder-decoders.",
    ),
]


def gradients(
    train: options.Train = None, dev: options.OtherDev = None,
    file_format: options.FileFormat = None, corpus: options.CorpusName = None,
    pair: options.Pair = None, tokenizer: options.Tokenizer = "words",
    lowercase: options.Lowercase = False, out: Out = None, force: options.Force = False,
    model: Model = None, updates: Updates = 400, hidden: Hidden = 192, words: Words = 4000,
    seeds: Seeds = 3, full: Full = False, html: Html = None, as_json: AsJson = False,
    threads: options.Threads = 0, quiet: options.Quiet = False,
) -> None:  # fmt: skip
    """Measure how far back RNN, GRU, LSTM and n-gram models reach."""
    from mtkit.console import busy
    from mtkit.manifest import LABORATORY
    from mtkit.models import check_out

    cores = options.set_up(quiet, threads, html)
    with busy("loading PyTorch"):
        from mtkit.laboratory.experiment import measure_again, train_and_measure
        from mtkit.laboratory.page import findings
        from mtkit.laboratory.study import Plan, as_object
    if model:
        study = measure_again(model, train, dev, cores, file_format or "")
    else:
        directory = check_out(out, LABORATORY, force)
        text, tokens = options.training_text(
            corpus, pair, train, dev, None, tokenizer, lowercase, file_format
        )
        plan = Plan(updates, hidden, words, seeds, full)
        study = train_and_measure(text, tokens, plan, directory, cores)
    report = findings(study)
    publish(html, report.as_html, as_json, lambda: as_object(study), report.show)
