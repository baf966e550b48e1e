"""``mtkit corpus check``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option

import mtkit.cli.options as options
from mtkit.cli.output import AsJson, Html, publish
from mtkit.console import busy, note

Keep = Annotated[
    Path | None,
    Option(metavar="FILE", help="Write the numbers of the training lines to keep, counted from 1."),
]
Clean = Annotated[
    Path | None,
    Option(
        metavar="DIR",
        help="Write the corpus without its damaged and duplicate pairs; train.lines … contain the "
        "original line numbers.",
    ),
]
CLEANED = "train.lines"


def check(
    files: options.SourceTarget = None, train: options.Train = None, dev: options.OtherDev = None,
    test: options.OtherTest = None, file_format: options.FileFormat = None,
    corpus: options.CorpusName = None, pair: options.Pair = None,
    tokenizer: options.Tokenizer = "words", keep: Keep = None, clean: Clean = None,
    force: options.Force = False, html: Html = None, as_json: AsJson = False,
    threads: options.Threads = 0, quiet: options.Quiet = False,
) -> None:  # fmt: skip
    """Report what is wrong with parallel text.

    Checks encoding, characters, markup, lengths, languages, duplicates, leaks between splits, and
    pairs that are not translations. The exit code is 0 even if something is wrong.
    """
    from mtkit.models import check_out
    from mtkit.quality import report as reports
    from mtkit.quality.check import check as run
    from mtkit.quality.check import read_sides
    from mtkit.quality.clean import line_numbers, refuse_unclean, write_clean
    from mtkit.quality.files import name_files
    from mtkit.storage.writing import named_file, replacing

    options.set_up(quiet, threads, html)
    unnamed = clean is None  # only the output files need the names of the languages
    languages, paths = name_files(files, corpus, pair, train, dev, test, unnamed)
    if clean is not None:
        check_out(clean, "", force, CLEANED, "cleaned corpus", "--clean")
    with busy("checking"):
        report = run(read_sides(paths, languages, file_format or ""), tokenizer)
    refuse_unclean(report, paths if clean is not None else ["train"] if keep is not None else [])
    if keep is not None:
        with named_file(keep) as file:
            file.write(line_numbers(report, "train"))
    if clean is not None:
        with replacing(clean) as scratch:
            write_clean(report, languages, scratch)
        counts = ", ".join(f"{split} {len(rows):,}" for split, rows in report.keep.items())
        note(f"cleaned corpus: {clean} ({counts} pairs)")
    findings = reports.findings(report)
    publish(html, findings.as_html, as_json, lambda: reports.as_json(report), findings.show)
