"""``mtkit combine``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

import mtkit.cli.options as options
from mtkit.console import note

Systems = Annotated[
    list[str] | None,
    Argument(
        metavar="SYSTEM",
        help="Model directories, DIR+DIR for an ensemble, or NAME=FILE for the n-best lists of the "
        "dev set that another system wrote. A network of the other direction adds P(x|y). "
        "[the newest model of each kind]",
    ),
]
Dev = Annotated[
    options.Files | None,
    Option(metavar="SRC TGT", help="Text to tune on. [that which the models name]"),
]
Out = Annotated[
    Path | None, Option(metavar="DIR", help="Where the combination goes. [models/combined]")
]
Copy = Annotated[bool, Option("--copy", help="Copy the models into it, so that it can be moved.")]


def combine(
    systems: Systems = None, dev: Dev = None, file_format: options.FileFormat = None,
    out: Out = None, copy: Copy = False,
    force: options.Force = False, threads: options.Threads = 0, quiet: options.Quiet = False,
) -> None:  # fmt: skip
    """Combine systems into one that chooses among their outputs."""
    import mtkit

    cores = options.set_up(quiet, threads)
    directory = options.ask_before_loss(
        lambda force: mtkit.combine(systems or (), dev, out, copy, force, cores, file_format or ""),
        force,
    )
    note(f"model: {directory}")
