"""``mtkit perplexity``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mtkit.cli.options import Quiet, Test, set_up, test_files


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
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    quiet: Quiet = False,
) -> None:
    """Perplexity of models on text: exp(-1/N Σ ln p), N the word tokens and one end a sentence."""
    from rich.console import Console
    from rich.table import Column, Table

    from mtkit.corpus import Bitext, read_lines
    from mtkit.errors import InputError
    from mtkit.evaluate import perplexities
    from mtkit.models import all_models, load

    set_up(quiet)
    chosen = models or all_models()[::-1]
    if not chosen:
        raise InputError("no model under models/; train one, or name its directory")
    lines = read_lines(text) if text else []
    if text is not None and not any(line.strip() for line in lines):
        raise InputError(f"{text}: the file is empty; there is nothing to measure")
    found = {}
    for path in chosen:
        if text is not None:
            pairs = [("", line) for line in lines]
        else:
            pairs = Bitext.read(*test_files(path, test)).pairs()
        values = perplexities(load(path).score(pairs))
        found[str(path)] = {q: v for q, v in values.items() if text is None or q == "P(y)"}
        if models and not found[str(path)]:
            raise InputError(f"{path} has no language model P(y): it needs --test SRC TGT")
    if as_json:
        shown = {model: {q: asdict(v) for q, v in of.items()} for model, of in found.items()}
        json.dump(shown, sys.stdout, ensure_ascii=False, indent=2)
        print()
        return
    table = Table(
        Column("Model", overflow="fold"), "Question", "Perplexity", "Without OOVs", "Tokens", "OOVs"
    )
    for model, of in found.items():
        for question, value in of.items():
            figures = (value.value, value.without_oov)
            shown_figures = ("–" if x is None else f"{x:,.4f}" for x in figures)
            table.add_row(model, question, *shown_figures, f"{value.tokens:,}", f"{value.oov:,}")
    Console(highlight=False).print(table)
