"""``mtkit perplexity``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from typer import Option

import mtkit.cli.options as options
from mtkit.cli.output import AsJson, Html, finite
from mtkit.console import note


def perplexity(
    models: options.Models = None,
    test: options.Scored = None,
    file_format: options.FileFormat = None,
    text: Annotated[
        Path | None, Option(metavar="FILE", help="Target text alone: P(y) of the language models.")
    ] = None,
    tokens: Annotated[
        bool, Option("--tokens", help="Show every token with its surprise in bits.")
    ] = False,
    html: Html = None,
    as_json: AsJson = False,
    threads: options.Threads = 0,
    quiet: options.Quiet = False,
) -> None:
    """Report the perplexity of models on text.

    exp(-1/N Σ ln p), N the word tokens and one end a sentence; also of groups of tokens, by what is
    known of them, and bits per character.
    """
    from rich.console import Console

    from mtkit.comparison.perplexity import measure
    from mtkit.evaluation import perplexity_page
    from mtkit.evaluation.perplexity import as_json as as_object
    from mtkit.page.tables import write_page

    cores = options.set_up(quiet, threads, html)
    measured = measure(models, test, text, file_format or "", cores)
    if html is not None:
        write_page(perplexity_page.as_html(measured), html)
    if as_json:
        data = {model.name: as_object(model) for model in measured}
        print(json.dumps(finite(data), ensure_ascii=False, allow_nan=False))
    else:
        perplexity_page.print_texts(measured, Console(highlight=False), tokens)
    if html is not None:
        note(f"report: {html.resolve()}")
