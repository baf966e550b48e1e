"""``mtkit compare [SYSTEM …]``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

import mtkit.cli.completion as completion
import mtkit.cli.options as options
from mtkit.cli.output import AsJson, Html, finite, publish
from mtkit.console import note
from mtkit.errors import InputError
from mtkit.text.tokenizer import Kind

Systems = Annotated[
    list[str] | None,
    Argument(
        metavar="SYSTEM",
        help="Model directories, NAME=DIR+DIR for an ensemble of networks, or NAME=FILE for the "
        "translations of another system. [all in models/ for the languages of the newest]",
        autocompletion=completion.models,
    ),
]
Pair = Annotated[
    str | None,
    Option(metavar="SRC-TGT", help="Languages of --test, as in en-de. [from the models]"),
]
CurveSizes = Annotated[
    str | None,
    Option(
        metavar="N,N,…",
        help="Learning curve: retrain the models on N sentence pairs, for each N, and report where "
        "the curves cross. Results are cached in models/curve.",
    ),
]
Seeds = Annotated[int, Option(min=1, max=100, help="Random samples per size of --curve.")]
References = Annotated[
    list[Path] | None, Option(metavar="FILE", help="Another reference for --test; repeatable.")
]
Glossary = Annotated[
    Path | None,
    Option(
        metavar="FILE",
        help="Glossary: report how often each system follows it; statistical and combined systems "
        "also translate with it. Format as for `mtkit translate`.",
    ),
]
Examples = Annotated[int, Option(min=0, max=10**6, help="Number of example sentences.")]
Fresh = Annotated[
    bool, Option("--fresh", help="Translate again; ignore translations recorded earlier.")
]
Quick = Annotated[
    bool,
    Option(
        "--quick",
        help="Only analyse the translations: skip perplexity, search errors and noisy-channel "
        "weights, which need more runs of the models.",
    ),
]
IgnoreCase = Annotated[
    bool, Option("--ignore-case", help="Ignore case in scores and in tables of words.")
]
Tokenizer = Annotated[
    Kind | None,
    Option(
        help="Format of your files: words (plain text) or none (tokens separated by spaces). "
        "[from the models]"
    ),
]
Scores = Annotated[
    list[str] | None,
    Option(
        metavar="NAME:METRIC=FILE",
        help="Sentence scores of the system NAME from elsewhere (COMET, human ratings), one number "
        "per line; NAME:-METRIC if lower is better. Repeatable.",
    ),
]
Csv = Annotated[
    Path | None,
    Option("--csv", metavar="DIR", help="Also write all numbers, unrounded, as CSV files."),
]
Latex = Annotated[
    Path | None, Option(metavar="FILE", help="Also write the scores as a LaTeX table (booktabs).")
]
Full = Annotated[
    bool, Option("--full", help="Print all tables and examples; in a pager on a terminal.")
]


def compare(
    systems: Systems = None, test: options.Scored = None, file_format: options.FileFormat = None,
    pair: Pair = None, html: Html = None, as_json: AsJson = False,
    reference: References = None, examples: Examples = 12, glossary: Glossary = None,
    inflected: options.Inflected = False, fresh: Fresh = False, quick: Quick = False,
    curve: CurveSizes = None,
    seeds: Seeds = 3, threads: options.Threads = 0, ignore_case: IgnoreCase = False,
    tokenizer: Tokenizer = None, scores: Scores = None, csv: Csv = None,
    latex: Latex = None, full: Full = False, quiet: options.Quiet = False,
) -> None:  # fmt: skip
    """Score systems on a test set; test significance, analyse errors."""
    import mtkit
    from mtkit.comparison import report
    from mtkit.comparison.page import paper, render
    from mtkit.page.tables import write_page

    options.check_inflected(inflected, glossary)
    cores = options.set_up(quiet, threads, html, latex)
    if csv is not None and csv.exists() and not csv.is_dir():
        raise InputError(f"--csv {csv}: not a directory")
    if latex is not None:
        paper.check_latex(latex)
    comparison = mtkit.compare(
        systems or (), test, references=reference or (), examples=examples, glossary=glossary,
        inflected=inflected, fresh=fresh, quick=quick, curve=_sizes(curve) if curve else (),
        seeds=seeds, threads=cores, explain=html is not None, ignore_case=ignore_case,
        tokenizer=tokenizer, file_format=file_format or "", pair=pair, scores=scores or (),
    )  # fmt: skip
    if csv is not None:
        names = paper.write_csv(finite(report.as_json(comparison)), csv)
        note(f"figures: {csv} ({', '.join(names)})")
    if latex is not None:
        write_page(paper.as_latex(comparison), latex)
        note(f"table: {latex}")
    publish(
        html, lambda: render.as_html(comparison), as_json, lambda: report.as_json(comparison),
        lambda console: render.print_report(comparison, console, full), paged=full,
    )  # fmt: skip


def _sizes(curve: str) -> list[int]:
    """Return the sizes of ``--curve`` as sorted numbers."""
    numbers = curve.replace(" ", "").split(",")
    if not all(n.isdecimal() and len(n) < 12 and int(n) for n in numbers) or len(set(numbers)) < 2:
        raise InputError(f"--curve {curve}: expected numbers of pairs, as in --curve 1000,2000")
    return sorted({int(n) for n in numbers})
