"""``mtkit import moses.ini`` and ``mtkit export [MODEL]``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mtkit.cli.options import Force, Pair, Quiet, set_up


def import_model(
    ini: Annotated[
        Path, typer.Argument(metavar="MOSES.INI", help="What describes the Moses model.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where it goes. [models/moses, which needs no --force]"),
    ] = None,
    pair: Pair = None,
    lowercase: Annotated[
        bool, typer.Option("--lowercase", help="Fold the case of what is translated.")
    ] = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Make a model of a Moses model: its tables, language model and weights, all of them text.

    It translates text that is tokenised as Moses's was.
    """
    from mtkit.models import check_out

    set_up(quiet)
    directory = check_out(out, "moses", force)

    from mtkit.console import note
    from mtkit.manifest import UNDETERMINED, Manifest, replacing
    from mtkit.smt.moses.ini import read_moses
    from mtkit.text.corpus import parse_pair

    languages = parse_pair(pair) if pair else (UNDETERMINED, UNDETERMINED)
    system = read_moses(ini, lowercase)
    models = system.models
    with replacing(directory) as scratch:
        system.save(scratch)
        Manifest(
            kind=system.kind,
            languages=languages,
            corpus={},
            tokenizer=asdict(system.tokenizer),
            config={
                "limits": system.limits._asdict(),
                "verbatim": system.verbatim,
                "imported": str(ini.resolve()),
            },
            figures={"phrase_pairs": len(models.table.links), "ngrams": models.lm.counts},
        ).write(scratch)
    if not pair:
        note("  moses.ini names no languages; --pair, as in --pair en-de, does")
    note(f"model: {directory}")


def export_model(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where moses.ini and its files go.")],
    model: Annotated[
        Path | None,
        typer.Argument(
            metavar="[MODEL]",
            help="Directory of a statistical model. [the newest under models/]",
            show_default=False,
        ),
    ] = None,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Write a statistical model as Moses reads it: moses.ini, text tables, an ARPA file."""
    from mtkit.console import note
    from mtkit.errors import InputError
    from mtkit.manifest import Manifest, replacing
    from mtkit.models import check_out, load, newest_model

    set_up(quiet)
    directory = model or newest_model("as MODEL", "smt")
    if (kind := Manifest.read(directory).kind) != "smt":
        raise InputError(f"{directory}: a model of kind {kind}; Moses has only statistical ones")
    if model is None:
        note(f"model: {directory}")

    from mtkit.smt.moses.ini import MARK, write_moses
    from mtkit.smt.system import SmtSystem

    check_out(out, "", force, MARK)
    system = load(directory)
    assert isinstance(system, SmtSystem)
    with replacing(out) as scratch:
        write_moses(system, scratch)
    note(f"Moses model: {out / MARK}")
