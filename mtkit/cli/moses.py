"""``mtkit import moses.ini`` and ``mtkit export [MODEL]``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

import mtkit.cli.completion as completion
from mtkit.cli.options import Force, Pair, Quiet, Threads, ask_before_loss, model_or_newest, set_up
from mtkit.console import note


def import_model(
    ini: Annotated[Path, Argument(metavar="MOSES.INI", help="The moses.ini of the model.")],
    out: Annotated[
        Path | None,
        Option(
            metavar="DIR",
            help="Output directory. [models/moses-SRC-TGT, or models/moses without --pair; "
            "asks before replacing a model of another moses.ini]",
        ),
    ] = None,
    pair: Pair = None,
    lowercase: Annotated[
        bool, Option("--lowercase", help="Lowercase the text to translate.")
    ] = False,
    force: Force = False,
    threads: Threads = 0,
    quiet: Quiet = False,
) -> None:
    """Import a Moses model.

    The tables and the language model must be in text format. The model translates text that is
    tokenised as for Moses.
    """
    from mtkit.models import import_moses
    from mtkit.text.corpus import parse_pair

    set_up(quiet, threads)
    languages = parse_pair(pair) if pair else None
    directory = ask_before_loss(
        lambda force: import_moses(ini, out, languages, lowercase, force), force
    )
    if not pair:
        note("  moses.ini names no languages; name them with --pair, as in --pair en-de")
    note(f"model: {directory}")


def export_model(
    out: Annotated[
        Path, Option(metavar="DIR", help="Output directory of moses.ini and its files.")
    ],
    model: Annotated[
        Path | None,
        Argument(
            metavar="MODEL",
            help="Statistical model. [the newest in models/]",
            autocompletion=completion.models,
        ),
    ] = None,
    force: Force = False,
    threads: Threads = 0,
    quiet: Quiet = False,
) -> None:
    """Export a statistical model to Moses.

    Writes moses.ini, text tables and an ARPA file.
    """
    from mtkit.models import export_moses

    set_up(quiet, threads)
    directory = model_or_newest(model, "as MODEL", "smt")
    note(f"Moses model: {export_moses(directory, out, force)}")
