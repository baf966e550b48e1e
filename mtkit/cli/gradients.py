"""``mtkit gradients``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtkit.cli.options import (
    CorpusName,
    Dev,
    Files,
    Force,
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

if TYPE_CHECKING:
    from mtkit.corpus import Corpus
    from mtkit.laboratory import Laboratory
    from mtkit.tokenizer import WordTokenizer

Updates = Annotated[int, typer.Option(min=1, help="Updates of each recurrent model.")]
Hidden = Annotated[int, typer.Option(min=2, help="Units of each recurrent model.")]
Words = Annotated[
    int, typer.Option(min=1, help="Different words at most; the others count as one.")
]
Seeds = Annotated[int, typer.Option(min=1, help="Trainings of each recurrent model.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Where the models go. [models/laboratory]"),
]
Model = Annotated[
    Path | None,
    typer.Option("--model", metavar="DIR", help="Train nothing; measure what another call wrote."),
]
Full = Annotated[
    bool,
    typer.Option("--full", help="Also residuals in time, layer norm, and encoder-decoders."),
]
Html = Annotated[Path | None, typer.Option(metavar="FILE", help="Also write a page with charts.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def gradients(
    train: Train = None,
    dev: Dev = None,
    corpus: CorpusName = None,
    pair: Pair = None,
    tokenizer: Tokenizer = Tokens.words,
    lowercase: Lowercase = False,
    out: Out = None,
    force: Force = False,
    model: Model = None,
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
    from mtkit.console import note
    from mtkit.manifest import LABORATORY
    from mtkit.models import check_out
    from mtkit.page import write_page
    from mtkit.recurrent_lm import save

    cores = set_up(quiet, threads)
    if model:
        lab, text, tokens = _load(model, train, dev)
        directory = model
        read, measured = _sentences(text, tokens)
    else:
        directory = check_out(out, LABORATORY, force)
        text, tokens = training_text(corpus, pair, train, dev, None, tokenizer, lowercase)
        read, measured = _sentences(text, tokens)
        setups = [*laboratory.CELLS, laboratory.WILD, *(laboratory.VARIANTS if full else [])]
        known = laboratory.frequent(read, words)
        budget = range(1, seeds + 1), hidden, updates, cores, _step
        lab = laboratory.train(laboratory.stream(read, known), known, setups, *budget)
        save(lab, text, tokens, directory)
        if full:
            laboratory.train_translators(text, tokens, 4 * updates, directory)
        note(f"models: {directory}")
    read_ids, ids = (laboratory.stream(part, lab.words) for part in (read, measured))
    found = laboratory.measure(lab, text.name, read_ids, ids, cores, _step)
    steps = laboratory.measure_translators(directory, text.dev) if text.dev else {}
    found = replace(found, steps=steps)
    if html:
        write_page(laboratory_page.as_html(found), html)
    if as_json:
        json.dump(laboratory.as_object(found), sys.stdout, ensure_ascii=False, indent=2)
        print()
    else:
        laboratory_page.print_study(found, Console(highlight=False))
    if html:
        note(f"page: {html.resolve()}")


def _sentences(text: Corpus, tokens: WordTokenizer) -> tuple[list[list[str]], list[list[str]]]:
    """The target words to train on and to measure on."""
    from mtkit.corpus import hold_out

    train, dev = text.train, text.dev
    if dev is None:
        train, dev = hold_out(train, 20)
    read, measured = ([tokens.tokenize(line) for line in side.target] for side in (train, dev))
    return read, measured


def _load(
    model: Path, train: Files | None, dev: Files | None
) -> tuple[Laboratory, Corpus, WordTokenizer]:
    """Models of another call, and the text that was theirs but for what is given."""
    from mtkit.corpus import open_corpus
    from mtkit.recurrent_lm import load_laboratory
    from mtkit.tokenizer import WordTokenizer

    lab, manifest = load_laboratory(model)
    named = {split: manifest.corpus[split] for split in ("train", "dev")}
    files = {split: (Path(of[0]), Path(of[1])) if of else None for split, of in named.items()}
    pair = "-".join(manifest.languages)
    text = open_corpus(None, pair, train or files["train"], dev or files["dev"])
    text = replace(text, name=text.name if train else manifest.corpus["name"])
    return lab, text, WordTokenizer(**manifest.tokenizer)


@contextmanager
def _step(name: str, total: int) -> Iterator[Callable[[], None]]:
    """A step with its time, and a bar while it lasts."""
    from mtkit.console import progress, step

    with step(name), progress() as bar:
        task = bar.add_task(name, total=total, status="")
        yield lambda: bar.advance(task)
