"""``mtkit import moses.ini`` and ``mtkit export [MODEL]``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from mtkit.cli.options import Force, Pair, Quiet, Threads, ask_before_loss, model_or_newest, set_up
from mtkit.console import note


def import_model(
    ini: Annotated[Path, Argument(metavar="MOSES.INI", help="What describes the Moses model.")],
    out: Annotated[
        Path | None,
        Option(
            metavar="DIR",
            help="Where it goes. [models/moses-SRC-TGT, or models/moses without --pair; replaced "
            "if it was imported from the same file]",
        ),
    ] = None,
    pair: Pair = None,
    lowercase: Annotated[
        bool, Option("--lowercase", help="Fold the case of what is translated.")
    ] = False,
    force: Force = False,
    threads: Threads = 0,
    quiet: Quiet = False,
) -> None:
    """Import a Moses model.

    Its tables, language model and weights, all of them text. The model translates text that is
    tokenised as Moses's was.
    """
    from mtkit.models import import_moses
    from mtkit.text.corpus import parse_pair

    set_up(quiet, threads)
    languages = parse_pair(pair) if pair else None
    directory = ask_before_loss(
        lambda force: import_moses(ini, out, languages, lowercase, force), force
    )
    if not pair:
        note("  moses.ini names no languages; --pair, as in --pair en-de, does")
    note(f"model: {directory}")


def export_model(
    out: Annotated[Path, Option(metavar="DIR", help="Where moses.ini and its files go.")],
    model: Annotated[
        Path | None,
        Argument(
            metavar="MODEL", help="Directory of a statistical model. [the newest under models/]"
        ),
    ] = None,
    force: Force = False,
    threads: Threads = 0,
    quiet: Quiet = False,
) -> None:
    """Export a statistical model to Moses.

    moses.ini, text tables, an ARPA file.
    """
    from mtkit.models import export_moses

    set_up(quiet, threads)
    directory = model_or_newest(model, "as MODEL", "smt")
    note(f"Moses model: {export_moses(directory, out, force)}")
