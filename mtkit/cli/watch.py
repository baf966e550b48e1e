"""``mtkit watch WORD``."""

from __future__ import annotations

from typing import Annotated

import typer

from mtkit.cli.options import (
    CorpusName,
    Lowercase,
    Pair,
    Quiet,
    Tokenizer,
    Train,
    set_up,
    training_text,
)
from mtkit.cli.output import AsJson, Html, check_page, publish


def watch(
    word: Annotated[str, typer.Argument(metavar="WORD", help="A word of the source text.")],
    train: Train = None,
    corpus: CorpusName = None,
    pair: Pair = None,
    tokenizer: Tokenizer = "words",
    lowercase: Lowercase = False,
    html: Html = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """How IBM Model 1 learns to translate a word, from the uniform start on."""
    from mtkit.laboratory.watch_page import findings
    from mtkit.smt.alignment.watch import watch as run

    set_up(quiet)
    check_page(html)
    text, tokens = training_text(corpus, pair, train, None, None, tokenizer, lowercase)
    history = run(*text.train.tokens(tokens), word)
    shown = findings(word, history)
    publish(html, shown.as_html, as_json, history._asdict, shown.show)
