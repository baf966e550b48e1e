"""``mtkit explain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

import mtkit.cli.completion as completion
from mtkit.cli.options import Quiet, Threads, model_or_newest, set_up
from mtkit.cli.output import AsJson, Html, publish
from mtkit.console import busy


def explain(
    sentence: Annotated[str, Argument(metavar="SENTENCE", help="Sentence to translate.")],
    model: Annotated[
        list[Path] | None,
        Option(
            metavar="DIR",
            help="Model directory; repeatable. [the newest of each type in models/]",
            autocompletion=completion.models,
        ),
    ] = None,
    html: Html = None,
    as_json: AsJson = False,
    threads: Threads = 0,
    quiet: Quiet = False,
) -> None:
    """Explain a translation: phrases, scores, attention, evidence."""
    from mtkit.explanation import page
    from mtkit.explanation.reasons import as_object
    from mtkit.explanation.reasons import explain as reasons
    from mtkit.models import load

    cores = set_up(quiet, threads, html)
    explanations = []
    for directory in model or _newest():
        with busy(f"{directory}: translating, and searching the training text"):
            system = load(directory)
            system.limit_threads(cores)
            explanations += reasons(directory, system, [sentence])
    publish(
        html, lambda: page.as_html(sentence, explanations), as_json,
        lambda: as_object(sentence, explanations),
        lambda console: page.print_explanations(sentence, explanations, console),
    )  # fmt: skip


def _newest() -> list[Path]:
    """Return the newest model of each kind, and print their names."""
    from mtkit.manifest import Manifest
    from mtkit.models import KINDS, all_models

    kinds = {Manifest.read(path).kind for path in all_models()}
    translators = [kind for kind in KINDS if kind in kinds]
    return [model_or_newest(None, kind=kind) for kind in translators] or [model_or_newest(None)]
