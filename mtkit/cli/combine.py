"""``mtkit combine``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

import mtkit.cli.completion as completion
import mtkit.cli.options as options
from mtkit.console import note

Systems = Annotated[
    list[str] | None,
    Argument(
        metavar="SYSTEM",
        help="Model directories, DIR+DIR for an ensemble, or NAME=FILE for another system's n-best "
        "lists of the dev set. A network of the reverse direction adds P(x|y) as a feature. "
        "[the newest statistical and the newest neural model in models/]",
        autocompletion=completion.models,
    ),
]
Dev = Annotated[
    options.Files | None,
    Option(metavar="SRC TGT", help="Development set to tune on. [from the models]"),
]
Out = Annotated[Path | None, Option(metavar="DIR", help="Output directory. [models/combined]")]
Copy = Annotated[
    bool,
    Option("--copy", help="Copy the models into the output directory, so that it can be moved."),
]


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
