"""``mtkit gradients``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from mtkit.cli.options import (
    CorpusName,
    Dev,
    Lowercase,
    Pair,
    Quiet,
    Threads,
    Tokenizer,
    Tokens,
    Train,
    set_up,
    training_text,
)

Updates = Annotated[int, typer.Option(min=1, help="Updates of each recurrent model.")]
Hidden = Annotated[int, typer.Option(min=2, help="Units of each recurrent model.")]
Words = Annotated[
    int, typer.Option(min=1, help="Different words at most; the others count as one.")
]
Seeds = Annotated[int, typer.Option(min=1, help="Trainings of each recurrent model.")]
Full = Annotated[bool, typer.Option("--full", help="Residual connections in time, layer norm.")]
Html = Annotated[Path | None, typer.Option(metavar="FILE", help="Also write a page with charts.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def gradients(
    train: Train = None,
    dev: Dev = None,
    corpus: CorpusName = None,
    pair: Pair = None,
    tokenizer: Tokenizer = Tokens.words,
    lowercase: Lowercase = False,
    updates: Updates = 400,
    hidden: Hidden = 192,
    words: Words = 4000,
    seeds: Seeds = 3,
    full: Full = False,
    html: Html = None,
    as_json: AsJson = False,
    threads: Threads = 0,
    quiet: Quiet = False,
) -> None:
    """How far back RNN, GRU, LSTM and n-gram models of the target text reach, measured."""
    from rich.console import Console

    from mtkit import laboratory, laboratory_page
    from mtkit.page import write_page

    cores = set_up(quiet, threads)
    text, tokens = training_text(corpus, pair, train, dev, None, tokenizer, lowercase)
    read, measured = _sentences(text, tokens)
    setups = [*laboratory.CELLS, laboratory.WILD, *(laboratory.VARIANTS if full else [])]
    found = laboratory.study(
        text.name,
        laboratory.Text.of(read, measured, words),
        setups,
        range(1, seeds + 1),
        hidden,
        updates,
        cores,
        _step,
    )
    if html:
        write_page(laboratory_page.as_html(found), html)
    if as_json:
        json.dump(laboratory.as_object(found), sys.stdout, ensure_ascii=False, indent=2)
        print()
    else:
        laboratory_page.print_study(found, Console(highlight=False))
    if html:
        from mtkit.console import note

        note(f"page: {html.resolve()}")


def _sentences(text: Any, tokens: Any) -> tuple[list[list[str]], list[list[str]]]:
    """The target words to train on and to measure on."""
    from mtkit.corpus import hold_out

    train, dev = text.train, text.dev
    if dev is None:
        train, dev = hold_out(train, 20)
    read, measured = ([tokens.tokenize(line) for line in side.target] for side in (train, dev))
    return read, measured


@contextmanager
def _step(name: str, total: int) -> Iterator[Callable[[], None]]:
    """A step with its time, and a bar while it lasts."""
    from mtkit.console import progress, step

    with step(name), progress() as bar:
        task = bar.add_task(name, total=total, status="")
        yield lambda: bar.advance(task)
