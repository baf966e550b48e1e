"""``mtkit contrast``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from mtkit.cli.options import Quiet, Threads, set_up
from mtkit.cli.translate import limit_threads


def contrast(
    models: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[MODEL]...", help="Model directories. [all under models/]", show_default=False
        ),
    ] = None,
    suite: Annotated[
        Path, typer.Option(metavar="FILE", help="Contrastive items, as `corpus make` writes them.")
    ] = Path("grammar/suite.tsv"),
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write a page with a chart.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    threads: Threads = 0,
    quiet: Quiet = False,
) -> None:
    """How far each system sees: does it prefer the right of two translations, by distance?"""
    from rich.console import Console

    from mtkit import contrasts
    from mtkit.console import note, step
    from mtkit.errors import InputError
    from mtkit.grammar.suite import read_suite
    from mtkit.models import all_models, load
    from mtkit.page import write_page

    cores = set_up(quiet, threads)
    items = read_suite(suite)
    chosen = models or all_models()[::-1]
    if not chosen:
        raise InputError("no model under models/; train one, or name its directory")
    found = []
    for path in chosen:
        system = load(path)
        limit_threads(system, cores)
        with step(f"scoring with {path}"):
            found += contrasts.judgements(str(path), system, items)
    heading = f"{suite}, {len(items):,} items"
    if html:
        write_page(contrasts.as_html(heading, found), html)
    if as_json:
        json.dump(contrasts.as_object(found), sys.stdout, ensure_ascii=False, indent=2)
        print()
    else:
        contrasts.print_judgements(heading, found, Console(highlight=False))
    if html:
        note(f"page: {html.resolve()}")
