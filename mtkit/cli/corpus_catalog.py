"""``mtkit corpus list`` and ``mtkit corpus get``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

from rich.text import Text
from typer import Argument, Option

import mtkit.cli.completion as completion
from mtkit.cli.options import Quiet, set_up
from mtkit.cli.output import AsJson
from mtkit.console import note, progress, visible
from mtkit.errors import InputError, nearest

if TYPE_CHECKING:
    from pathlib import Path

    from rich.table import Table

    from mtkit.text.catalog import Entry

MB = 1_000_000
WIDE = 76  # columns from which the table has licences


def list_corpora(
    pattern: Annotated[
        str, Argument(metavar="PATTERN", help="Part of a name or title; * matches any text.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List the public corpora that can be fetched."""
    from rich.console import Console

    from mtkit.text.catalog import fetched, read_catalog

    entries = [entry for entry in read_catalog().values() if entry.matches(pattern)]
    if not entries:
        raise InputError(f"no corpus matches {pattern!r}; `mtkit corpus list` lists all")
    paths = fetched()
    if as_json:
        print(json.dumps([_as_object(e, paths) for e in entries], ensure_ascii=False, indent=2))
    else:
        console = Console(highlight=False)
        head = "Public corpora; MB: size of the download; ~ estimated; * already fetched."
        console.print(head, _table(entries, paths, console.width))
        console.print("`mtkit corpus get NAME` describes and fetches a corpus, for --corpus NAME.")


def get_corpus(
    name: Annotated[
        str,
        Argument(
            metavar="NAME",
            help="A name from `mtkit corpus list`.",
            autocompletion=completion.corpora,
        ),
    ],
    place: Annotated[
        str | None,
        Option(
            "--from",
            metavar="URL|PATH",
            help="Fetch from a mirror, or from a local copy: a file or its directory.",
        ),
    ] = None,
    force: Annotated[bool, Option("--force", help="Fetch the corpus again.")] = False,
    quiet: Quiet = False,
) -> None:
    """Fetch a public corpus, for --corpus NAME.

    Resumes an interrupted download. Corpora are kept in ~/.cache/mtkit, or in the directory that
    the environment variable MTKIT_CACHE names.
    """
    from mtkit.text.catalog import fetched, read_catalog

    set_up(quiet)
    entry = read_catalog().get(name)
    if entry is None:
        hint = nearest(name, read_catalog())
        raise InputError(f"no corpus {name!r} in the catalog{hint}; `mtkit corpus list` lists all")
    if name in fetched() and not force:
        note(f"{_found(fetched()[name])} (already fetched; --force fetches it again)")
        return
    _describe(entry)
    note(_found(_fetch(entry, place)))


def _fetch(entry: Entry, place: str | None) -> Path:
    """Fetch a corpus, with a progress bar on a terminal; return its directory."""
    from mtkit.text.fetch import fetch

    with progress() as bar:
        task = bar.add_task("fetching", total=entry.download / MB, status="MB")

        def show(here: int, total: int | None) -> None:
            size = total or max(here, entry.download)
            bar.update(task, completed=here / MB, total=size / MB)

        return fetch(entry, place, progress=show)


def _describe(entry: Entry) -> None:
    """Print what a corpus is, its licence, and the disk space that it needs."""
    from mtkit.text.fetch import space_needed

    download, peak = _size(entry.download), _size(space_needed(entry))
    note(f"{entry.title} ({' → '.join(entry.languages)}), about {entry.pairs:,} pairs")
    note(f"  licence   {entry.licence}")
    note(f"  citation  {entry.citation}")
    note(f"  source    {entry.homepage}")
    note(f"  splits    {entry.splits()}")
    note(
        f"  disk      {download} download, {_size(entry.unpacked)} unpacked, {peak} while fetching"
    )
    if entry.note:
        note(f"  note      {entry.note}")
    if not entry.verified:
        note("  warning: this address was never tested; sizes are estimates")


def _found(directory: Path) -> str:
    """Return a line with the directory of a corpus, its size, and the option that uses it."""
    from mtkit.text.catalog import Provenance

    origin = Provenance.read(directory)
    assert origin is not None
    counts = ", ".join(f"{split} {pairs:,}" for split, pairs in origin.pairs.items())
    usage = f"--corpus {origin.name}"
    if "train" not in origin.pairs:
        usage = " ".join(
            ["--test", *(str(directory / f"test.{lang}") for lang in origin.languages)]
        )
    return f"corpus: {directory} ({counts} pairs); use it with {usage}"


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size < 10e6 else f"{size / 1e6:,.0f} MB"


def _table(entries: list[Entry], here: dict[str, Path], width: int) -> Table:
    """Return the table of corpora; a narrow one lacks licences (`corpus get` shows them)."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in ("", "Name", "Languages", "Pairs", "MB", *["Licence"] * (width >= WIDE)):
        table.add_column(name, justify="right" if name in ("Pairs", "MB") else "left")
        table.columns[-1].no_wrap = name != "Licence"
    for entry in entries:
        tilde = "" if entry.verified else "~"
        licence = [Text(visible(entry.licence))] * (width >= WIDE)
        table.add_row(
            "*" if entry.name in here else "", entry.name, " → ".join(entry.languages),
            f"{tilde}{entry.pairs:,}", f"{tilde}{entry.download / 1e6:,.1f}", *licence,
        )  # fmt: skip
    return table


def _as_object(entry: Entry, here: dict[str, Path]) -> dict[str, object]:
    """Return the object that ``--json`` prints for one corpus."""
    names = (
        "name", "title", "languages", "pairs", "download", "unpacked", "licence", "citation",
        "homepage", "verified", "note",
    )  # fmt: skip
    directory = here.get(entry.name)
    return {name: getattr(entry, name) for name in names} | {
        "splits": entry.splits(), "here": str(directory) if directory else None,
    }  # fmt: skip
