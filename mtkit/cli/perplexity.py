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
        Path | None,
        Option(
            metavar="FILE",
            help="Text in the target language: measure only the language models P(y).",
        ),
    ] = None,
    tokens: Annotated[
        bool, Option("--tokens", help="Print every token with its surprisal in bits.")
    ] = False,
    html: Html = None,
    as_json: AsJson = False,
    threads: options.Threads = 0,
    quiet: options.Quiet = False,
) -> None:
    """Report the perplexity of models on text.

    exp(-1/N Σ ln p) over N tokens: all words, and one end of sentence per line. Also reports
    bits per character, and perplexity by groups of tokens (frequency, position, unknown words).
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
