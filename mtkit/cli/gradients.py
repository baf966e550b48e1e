"""``mtkit gradients``."""

from __future__ import annotations

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
from mtkit.cli.output import AsJson, Html, check_page, publish

if TYPE_CHECKING:
    from mtkit.laboratory.study import Laboratory
    from mtkit.text.corpus import Bitext, Corpus
    from mtkit.text.tokenizer import WordTokenizer

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
    bool, typer.Option("--full", help="Also residuals in time, layer norm, and encoder-decoders.")
]


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
    from mtkit.console import note
    from mtkit.laboratory import page, study
    from mtkit.laboratory.files import save
    from mtkit.manifest import LABORATORY
    from mtkit.models import check_out
    from mtkit.nmt.system import set_threads

    cores = set_up(quiet, threads)
    set_threads(cores)
    check_page(html)
    if model:
        lab, text, tokens = _load(model, train, dev)
        directory, known = model, lab.words
    else:
        directory = check_out(out, LABORATORY, force)
        text, tokens = training_text(corpus, pair, train, dev, None, tokenizer, lowercase)
    sides = _split(text)
    read, measured = ([tokens.tokenize(line) for line in side.target] for side in sides)
    if not model:
        known = study.frequent(read, words)
    ids, windows = study.stream(read, known), study.windows(measured, known)
    if not model:
        setups = [*study.CELLS, study.WILD, *(study.VARIANTS if full else [])]
        seeded = range(1, seeds + 1)
        lab = study.train(ids, known, setups, seeded, hidden, updates, cores, _step)
        save(lab, text, tokens, directory)
        if full:
            study.train_translators(text, tokens, 4 * updates, directory)
        note(f"models: {directory}")
    name = f"{text.name} ({text.pair[1]})"  # its target side alone
    found = study.measure(lab, name, ids, windows, cores, _step)
    found = replace(found, steps=study.measure_translators(directory, sides[1]))
    publish(
        html,
        lambda: page.as_html(found),
        as_json,
        lambda: study.as_object(found),
        lambda console: page.print_study(found, console),
    )


def _split(text: Corpus) -> tuple[Bitext, Bitext]:
    """What to train on and what to measure on, held out where there is no dev set."""
    from mtkit.console import note
    from mtkit.text.corpus import hold_out

    if text.dev:
        return text.train, text.dev
    train, dev = hold_out(text.train, 20)
    note(f"no dev set: {len(dev)} pairs of the training text are held out for it")
    return train, dev


def _load(
    model: Path, train: Files | None, dev: Files | None
) -> tuple[Laboratory, Corpus, WordTokenizer]:
    """Models of another call, and the text that was theirs but for what is given."""
    from mtkit.laboratory.files import load_laboratory
    from mtkit.text.corpus import open_corpus
    from mtkit.text.tokenizer import WordTokenizer

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
