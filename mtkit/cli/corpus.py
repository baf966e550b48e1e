"""``mtkit corpus``: commands about parallel text itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from mtkit.cli.corpus_catalog import get_corpus, list_corpora
from mtkit.cli.corpus_check import check
from mtkit.cli.corpus_split import split
from mtkit.cli.corpus_stats import stats
from mtkit.cli.options import Force, Quiet, Seed, set_up
from mtkit.cli.usage import Command, Group
from mtkit.console import note, step

app = typer.Typer(
    name="corpus",
    cls=Group,
    help="Find, fetch, check, split, describe and make parallel text.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("list", cls=Command, epilog="mtkit corpus list europarl")(list_corpora)
app.command("get", cls=Command, epilog="mtkit corpus get multi30k-en-de")(get_corpus)
app.command("check", cls=Command, epilog="mtkit corpus check my.en my.de --html check.html")(check)
app.command("split", cls=Command, epilog="mtkit corpus split my.en my.de --out split")(split)
app.command("stats", cls=Command, epilog="mtkit corpus stats my.en my.de")(stats)


@app.command("make", cls=Command, epilog="mtkit corpus make --distance 0-20 --items 5000")
def make_corpus(
    pairs: Annotated[
        int,
        Option(
            metavar="N",
            max=10**7,
            help="Sentence pairs in all; dev and test get a tenth each, at most 1,000.",
        ),
    ] = 10_000,
    distance: Annotated[
        str,
        Option(
            metavar="MIN-MAX",
            help="Number of words between the two words that depend on each other.",
        ),
    ] = "0-20",
    items: Annotated[
        int, Option(metavar="N", min=0, max=10**7, help="Contrastive pairs in suite.tsv.")
    ] = 5_000,
    seed: Seed = 1,
    out: Annotated[
        Path | None,
        Option(metavar="DIR", help="Output directory. [grammar, which is always replaced]"),
    ] = None,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Generate English–German text with long-distance dependencies.

    Writes a corpus directory, the grammatical phenomenon and the distance of each pair, and a
    suite of contrastive pairs. An n-gram model cannot decide pairs at a distance of n − 1 or more.
    """
    from mtkit.grammar.expand import Grammar
    from mtkit.grammar.make import SUITE, make, parse_distances, write
    from mtkit.models import check_out
    from mtkit.storage.writing import replacing

    set_up(quiet)
    distances = parse_distances(distance)
    directory = Path("grammar") if out is None else out
    check_out(directory, "", force or out is None, SUITE, "suite")
    with step("generating sentences"):
        text = make(Grammar(), pairs, distances, seed, items)
    with replacing(directory) as scratch:
        write(text, scratch)
    counts = ", ".join(f"{split} {len(part):,}" for split, part in text.splits.items())
    note(f"corpus: {directory} ({counts} pairs; {len(text.suite):,} contrastive pairs in {SUITE})")
