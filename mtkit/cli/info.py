"""``mtkit info MODEL``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

import mtkit.cli.completion as completion
from mtkit.cli.options import Quiet, Threads, set_up
from mtkit.console import note, paragraph
from mtkit.errors import InputError

if TYPE_CHECKING:
    from mtkit.manifest import Manifest


def info(
    model: Annotated[
        Path | None,
        Argument(
            metavar="MODEL",
            help="Model directory. [the newest in models/]",
            autocompletion=completion.models,
        ),
    ] = None,
    as_json: Annotated[bool, Option("--json", help="Print the manifest as JSON.")] = False,
    check: Annotated[
        bool, Option("--check", help="Verify the checksum of every file, and load the model.")
    ] = False,
    threads: Threads = 0,
    quiet: Quiet = False,
) -> None:
    """Describe a model directory, or check it.

    Shows the languages, corpus, configuration, size, and measurements of the training.
    """
    from rich.console import Console

    from mtkit.manifest import Manifest, model_size
    from mtkit.models import KINDS, newest_model
    from mtkit.text.catalog import SPLITS

    set_up(quiet, threads)
    directory = model or newest_model("as MODEL")
    manifest = Manifest.read(directory)
    if check:
        _check(directory, manifest)
        return
    if as_json:
        print(json.dumps(asdict(manifest), ensure_ascii=False, indent=2))
        return
    rows = {
        "model": str(directory),
        "kind": KINDS.get(manifest.kind, manifest.kind),
        "languages": " → ".join(manifest.languages),
        "size": f"{model_size(directory) / 1e6:.1f} MB",
    }
    for section in ("corpus", "tokenizer", "config", "figures"):
        for name, v in getattr(manifest, section).items():
            one_file = name in SPLITS and isinstance(v, list) and len(set(v)) == 1
            rows[f"{section}.{name}"] = _short(v[:1] if one_file else v)
    console, width = Console(highlight=False), max(map(len, rows)) + 2
    for name, value in rows.items():
        paragraph(console, f"{name:<{width}}{value}", indent=width)


def _check(directory: Path, manifest: Manifest) -> None:
    """Print each file that is damaged, or that all are intact and the model loads.

    Raises InputError if one is damaged.
    """
    from mtkit.models import load_any

    problems = manifest.mismatches(directory, sample=None)
    for name, problem in problems.items():
        print(f"{directory / name}: {problem}")
    if problems:
        count = "1 file" if len(problems) == 1 else f"{len(problems)} files"
        raise InputError(
            f"{directory}: {count} changed since the model was written; download or train it again"
        )
    load_any(directory)
    if not manifest.digests:
        note(f"{directory} has no checksums: only its structure was checked")
    files = len(manifest.digests) + bool(manifest.seal)
    print(f"{directory}: {files} files unchanged; the model loads")


def _short(value: Any) -> str:
    """Return a value as one line: a log as its length, numbers rounded."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return f"{len(value)} entries (--json shows them)"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return ", ".join(f"{k} {_short(v)}" for k, v in value.items())
    if isinstance(value, list):
        return ", ".join(_short(v) for v in value)
    return str(value)
