"""``mtkit perplexity``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtkit.cli.options import Files, Quiet, Test, set_up, test_files
from mtkit.cli.output import AsJson

if TYPE_CHECKING:
    from collections import Counter

    from mtkit.evaluation.metrics import Question
    from mtkit.evaluation.perplexity import Judged
    from mtkit.evaluation.perplexity_page import Measured
    from mtkit.text.tokenizer import WordTokenizer

Texts = dict[tuple[Path, ...], list["Measured"]]


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

    from mtkit.console import visible
    from mtkit.errors import InputError
    from mtkit.evaluation import perplexity_page
    from mtkit.models import all_models

    set_up(quiet)
    if text is not None and test is not None:
        raise InputError("--test and --text name the text twice; give one of them")
    chosen = models or all_models()[::-1]
    if not chosen:
        raise InputError("no model under models/; train one, or name its directory")
    texts = measure(chosen, test, text, refuse=models is not None)
    if as_json:
        json.dump(_as_json(chosen, texts), sys.stdout, ensure_ascii=False)
        print()
        return
    console = Console(highlight=False)
    show = perplexity_page.print_tokens if tokens else perplexity_page.print_tables
    for files, of in texts.items():
        console.print(Text(visible(", ".join(map(str, files))), "bold"), soft_wrap=True)
        show(of, console)


def _as_json(chosen: list[Path], texts: Texts) -> dict[str, Any]:
    """Model → question → all that is known of it; models in the order of ``chosen``."""
    from mtkit.evaluation.perplexity import as_json

    found = {
        model.name: {
            question: as_json(judged, model.splits[question], model.missing)
            for question, judged in model.judged.items()
        }
        for of in texts.values()
        for model in of
    }
    return {str(path): found[str(path)] for path in chosen}


def measure(chosen: list[Path], test: Files | None, text: Path | None, refuse: bool) -> Texts:
    """What every model thinks of its text: that of ``test`` or ``text``, or the one it names.

    refuse: raise InputError where a model has no answer to any question.
    """
    from mtkit.errors import InputError
    from mtkit.evaluation.perplexity import judge
    from mtkit.manifest import Manifest
    from mtkit.models import load
    from mtkit.text.corpus import Bitext, read_lines
    from mtkit.text.tokenizer import WordTokenizer

    lines = read_lines(text) if text else []
    if text is not None and not any(line.strip() for line in lines):
        raise InputError(f"{text}: the file is empty; there is nothing to measure")
    found: Texts = {}
    files = {} if text else {path: test_files(path, test) for path in chosen}
    for path in chosen:
        tokenizer = WordTokenizer(**Manifest.read(path).tokenizer)
        if text is None:
            source, target = files[path]
            pairs = Bitext.read(source, target).pairs()
            judged = judge(load(path), tokenizer, pairs)
            found.setdefault((source, target), []).append(_split(path, tokenizer, judged))
        else:
            judged = judge(load(path), tokenizer, [("", line) for line in lines])
            judged = {q: j for q, j in judged.items() if q == "P(y)"}
            found.setdefault((text,), []).append(_split(path, tokenizer, judged))
        if refuse and not judged:
            raise InputError(f"{path} has no language model P(y): it needs --test SRC TGT")
    return found


def _split(path: Path, tokenizer: WordTokenizer, judged: dict[Question, Judged]) -> Measured:
    """Into groups; by frequency where the training text is still there."""
    from mtkit.console import busy
    from mtkit.errors import InputError
    from mtkit.evaluation.perplexity import frequencies, splits
    from mtkit.evaluation.perplexity_page import Measured
    from mtkit.manifest import training_text

    counts: dict[bool, Counter[str]] = {}
    missing = ""
    try:
        with busy(f"{path}: counting the words of its training text"):
            known = training_text(path)
            for source in {question == "P(x|y)" for question in judged}:
                counts[source] = frequencies(tokenizer, known.source if source else known.target)
    except InputError as error:
        missing = str(error)
    groups = {q: splits(j, counts.get(q == "P(x|y)")) for q, j in judged.items()}
    return Measured(str(path), judged, groups, missing)
