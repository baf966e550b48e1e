"""``mtkit contrast``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option

import mtkit.cli.options as options
from mtkit.cli.output import AsJson, Html, publish
from mtkit.console import step
from mtkit.errors import InputError


def contrast(
    models: options.Models = None,
    suite: Annotated[
        Path, Option(metavar="FILE", help="Suite of contrastive pairs, from `mtkit corpus make`.")
    ] = Path("grammar/suite.tsv"),
    html: Html = None,
    as_json: AsJson = False,
    threads: options.Threads = 0,
    quiet: options.Quiet = False,
) -> None:
    """Test whether systems prefer the correct of two translations.

    Reports accuracy by the distance between the word that differs and the word that it depends on.
    """
    from mtkit.grammar import contrasts
    from mtkit.grammar.suite import read_suite
    from mtkit.models import load, models_or_all

    cores = options.set_up(quiet, threads, html)
    if not suite.is_file():
        raise InputError(f"{suite}: no such file; create a suite with `mtkit corpus make`")
    items = read_suite(suite)
    chosen = models_or_all(models)
    judged = []
    for path in chosen:
        system = load(path)
        system.limit_threads(cores)
        with step(f"scoring with {path}"):
            judged += contrasts.judgements(str(path), system, items)
    findings = contrasts.findings(f"{suite}, {len(items):,} items", judged)
    publish(html, findings.as_html, as_json, lambda: contrasts.as_object(judged), findings.show)
