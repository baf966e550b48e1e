"""``mtkit explain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mtkit.cli.options import Quiet, Threads, set_up
from mtkit.cli.output import AsJson, Html, check_page, publish


def explain(
    sentence: Annotated[str, typer.Argument(metavar="SENTENCE", help="What is to be translated.")],
    model: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Model directory, perhaps several. [the newest of each kind under models/]",
            show_default=False,
        ),
    ] = None,
    html: Html = None,
    as_json: AsJson = False,
    threads: Threads = 0,
    quiet: Quiet = False,
) -> None:
    """Why does each system say what it says? Phrases, probabilities, attention, training text."""
    from mtkit.console import busy
    from mtkit.explanation import page
    from mtkit.explanation.reasons import as_object
    from mtkit.explanation.reasons import explain as reasons
    from mtkit.models import load

    cores = set_up(quiet, threads)
    check_page(html)
    found = []
    for directory in model or _newest():
        with busy(f"asking {directory} and searching its training text"):
            system = load(directory)
            system.limit_threads(cores)
            found += reasons(directory, system, [sentence])
    publish(
        html,
        lambda: page.as_html(sentence, found),
        as_json,
        lambda: as_object(sentence, found),
        lambda console: page.print_explanations(sentence, found, console),
    )


def _newest() -> list[Path]:
    """The newest model of each kind, which are named."""
    from mtkit.console import note
    from mtkit.manifest import Manifest
    from mtkit.models import all_models, newest_model

    newest: dict[str, Path] = {}
    for path in all_models():
        newest.setdefault(Manifest.read(path).kind, path)
    chosen = [newest[kind] for kind in ("smt", "nmt") if kind in newest] or [newest_model()]
    for path in chosen:
        note(f"model: {path} ({' → '.join(Manifest.read(path).languages)})")
    return chosen
