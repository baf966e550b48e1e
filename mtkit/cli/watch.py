"""``mtkit watch WORD``."""

from __future__ import annotations

from typing import Annotated

from typer import Argument

import mtkit.cli.options as options
from mtkit.cli.output import AsJson, Html, publish


def watch(
    word: Annotated[str, Argument(metavar="WORD", help="A word of the source text.")],
    train: options.Train = None, file_format: options.FileFormat = None,
    corpus: options.CorpusName = None, pair: options.Pair = None,
    tokenizer: options.Tokenizer = "words", lowercase: options.Lowercase = False, html: Html = None,
    as_json: AsJson = False, quiet: options.Quiet = False,
) -> None:  # fmt: skip
    """Watch IBM Model 1 learn the translations of a word by EM."""
    from mtkit.laboratory.watch_page import findings
    from mtkit.smt.alignment.watch import watch as run
    from mtkit.text.formats.codes import ROLES

    options.set_up(quiet, 0, html)
    text, tokens = options.training_text(
        corpus, pair, train, None, None, tokenizer, lowercase, file_format,
        unnamed=ROLES,  # EM does not depend on the language
    )  # fmt: skip
    history = run(*text.train.tokens(tokens), word)
    report = findings(word, history)
    publish(html, report.as_html, as_json, history._asdict, report.show)
