"""``mtkit corpus stats``."""

from __future__ import annotations

import mtkit.cli.options as options
from mtkit.cli.output import AsJson, Html, publish
from mtkit.console import busy
from mtkit.errors import InputError


def stats(
    files: options.SourceTarget = None, train: options.Train = None, dev: options.OtherDev = None,
    test: options.OtherTest = None, file_format: options.FileFormat = None,
    corpus: options.CorpusName = None, pair: options.Pair = None,
    tokenizer: options.Tokenizer = "words", lowercase: options.Lowercase = False,
    html: Html = None, as_json: AsJson = False, quiet: options.Quiet = False,
) -> None:  # fmt: skip
    """Describe a corpus: sizes, lengths, unknown words.

    Also reports the growth of the vocabulary and the most ambiguous words.
    """
    from mtkit.quality import stats_report
    from mtkit.quality.stats import statistics
    from mtkit.text.formats.codes import ROLES

    options.set_up(quiet, 0, html)
    if files:
        if len(files) > 2 or train:
            raise InputError("expected one or two files, or --train, but not both")
        train = files[0], files[-1]
    with busy("counting"):
        text, words = options.training_text(
            corpus, pair, train, dev, test, tokenizer, lowercase, file_format,
            unnamed=ROLES,  # counting words does not depend on the language
        )  # fmt: skip
        figures = statistics(text, words)
    findings = stats_report.findings(figures, text)
    publish(html, findings.as_html, as_json, lambda: stats_report.as_json(figures), findings.show)
