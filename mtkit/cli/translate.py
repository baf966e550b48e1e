"""``mtkit translate < in > out``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtkit.cli.options import GlossaryFile, Quiet, Threads, set_up

if TYPE_CHECKING:
    from mtkit.glossary import Glossary
    from mtkit.system import Hypothesis

BATCH = 1000  # lines that are read, translated and written at a time


def translate(
    model: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Model directory. [the newest under models/]"),
    ] = None,
    n_best: Annotated[int, typer.Option(min=1, max=1000, help="Translations a line.")] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="One object a line: scores, alignment, tokens.")
    ] = False,
    glossary: GlossaryFile = None,
    threads: Threads = 0,
    quiet: Quiet = False,
) -> None:
    """Translate lines from stdin to stdout: one line in, one line out.

    Statistical models obey a --glossary; stderr says how often it was to be obeyed.
    With --n-best K each translation is a line `number ||| translation ||| score`, numbers from 0.
    """
    from mtkit.console import note
    from mtkit.corpus import decode_lines
    from mtkit.glossary import Compliance
    from mtkit.manifest import Manifest
    from mtkit.models import load, newest_model

    cores = set_up(quiet, threads)
    directory = model or newest_model()
    if model is None:
        note(f"model: {directory} ({' → '.join(Manifest.read(directory).languages)})")
    wanted, counted = _glossary(glossary, directory), Compliance()
    system: Any = load(directory)
    limit_threads(system, cores)
    if wanted:
        system.use_glossary(wanted)
    if sys.stdin.isatty():
        note("reading lines from the keyboard; Ctrl-D ends them")
    lines = decode_lines(sys.stdin.buffer.read(), "stdin")
    out = sys.stdout.buffer
    for start in range(0, len(lines), BATCH):
        batch = lines[start : start + BATCH]
        for k, hypotheses in enumerate(system.translate(batch, n_best)):
            for row in _rows(start + k, batch[k], hypotheses, n_best, as_json):
                out.write(row.encode("utf-8", "replace") + b"\n")
            if wanted:  # by what is written, not by what the search says of itself
                source, output = system.tokenize([batch[k], hypotheses[0].text])
                counted += wanted.compliance([source], [output])
        out.flush()
    if wanted:
        note(f"glossary: {counted}")


def _glossary(path: Path | None, model: Path) -> Glossary | None:
    """The glossary for ``model``. Raises InputError where that cannot honour one."""
    from mtkit.errors import InputError
    from mtkit.glossary import Glossary
    from mtkit.manifest import Manifest
    from mtkit.tokenizer import WordTokenizer

    if path is None:
        return None
    manifest = Manifest.read(model)
    if manifest.kind == "nmt":
        raise InputError(
            f"{model} is a neural model, which cannot be held to a glossary; "
            "name a statistical one with --model DIR"
        )
    return Glossary.read(path, WordTokenizer(**manifest.tokenizer).tokenize)


def limit_threads(system: Any, threads: int) -> None:
    """Let a system use so many threads."""
    if system.kind == "smt":
        system.threads = threads
    else:
        from mtkit.nmt.system import set_threads

        set_threads(threads)


def _rows(
    number: int, source: str, hypotheses: Sequence[Hypothesis], n_best: int, as_json: bool
) -> list[str]:
    if as_json:
        return [json.dumps(as_object(source, hypotheses), ensure_ascii=False)]
    if n_best > 1:
        return [f"{number} ||| {h.text} ||| {h.score:.4f}" for h in hypotheses]
    return [hypotheses[0].text]


def as_object(source: str, hypotheses: Sequence[Hypothesis]) -> dict[str, Any]:
    """What ``--json`` prints of one line."""
    shown = []
    for hypothesis in hypotheses:
        fields = asdict(hypothesis)
        tokens = [{"text": text, "logprob": p} for text, p in hypothesis.token_logprobs]
        names = ("text", "score", "features", "alignment", "segments")
        shown.append({**{name: fields[name] for name in names}, "tokens": tokens})
    best = hypotheses[0]
    return {
        "source": source,
        "translation": best.text,
        "score": best.score,
        "hypotheses": shown,
        "unknown": best.unknown,
    }
