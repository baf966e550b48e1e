"""``mtkit perplexity``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from mtkit.cli.options import Quiet, Test, set_up
from mtkit.cli.output import AsJson, finite


def perplexity(
    models: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[MODEL]...", help="Model directories. [all under models/]", show_default=False
        ),
    ] = None,
    test: Test = None,
    text: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Target text alone: P(y) of the language models."),
    ] = None,
    tokens: Annotated[
        bool, typer.Option("--tokens", help="Show every token with its surprise in bits.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Perplexity of models on text: exp(-1/N Σ ln p), N the word tokens and one end a sentence.

    Also of groups of tokens, by what is known of them, and bits per character.
    """
    from rich.console import Console
    from rich.text import Text

    from mtkit.comparison.perplexity import measure
    from mtkit.console import visible
    from mtkit.errors import InputError
    from mtkit.evaluation import perplexity_page
    from mtkit.evaluation.perplexity import as_json as as_object
    from mtkit.models import all_models

    set_up(quiet)
    if text is not None and test is not None:
        raise InputError("--test and --text name the text twice; give one of them")
    chosen = models or all_models()[::-1]
    if not chosen:
        raise InputError("no model under models/; train one, or name its directory")
    texts = measure(chosen, test, text, refuse=models is not None)
    if as_json:
        by_name = {model.name: as_object(model) for of in texts.values() for model in of}
        ordered = {str(path): by_name[str(path)] for path in chosen}
        json.dump(finite(ordered), sys.stdout, ensure_ascii=False, allow_nan=False)
        print()
        return
    console = Console(highlight=False)
    show = perplexity_page.print_tokens if tokens else perplexity_page.print_tables
    for files, of in texts.items():
        console.print(Text(visible(", ".join(map(str, files))), "bold"), soft_wrap=True)
        show(of, console)
