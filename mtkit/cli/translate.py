"""``mtkit translate < in > out``, and ``mtkit translate FILE -o FILE``."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice, pairwise, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option

from mtkit.cli.options import (
    GlossaryFile,
    Inflected,
    Quiet,
    Threads,
    check_inflected,
    model_or_newest,
    set_up,
)
from mtkit.console import note, progress
from mtkit.errors import InputError

if TYPE_CHECKING:
    from mtkit.storage.growing import Growing
    from mtkit.system import Hypothesis, System
    from mtkit.text.glossary import Compliance, Glossary
    from mtkit.text.lines import Lines

BATCH = 1000  # lines that are read, translated and written at a time

Models = Annotated[
    list[Path] | None,
    Option(
        metavar="DIR",
        help="Model directory, the newest under models/ if none is named. "
        "Several neural ones translate together, as an ensemble.",
    ),
]
NBest = Annotated[int, Option(min=1, max=1000, help="Translations a line.")]
LineAsJson = Annotated[bool, Option("--json", help="One object a line: scores, alignment, tokens.")]
NBestLists = Annotated[
    list[str] | None,
    Option(
        metavar="NAME=FILE",
        help="N-best lists of these lines by another system, which a combination was tuned with.",
    ),
]
Stream = Annotated[bool, Option("--stream", help="Answer each line at once, as on a terminal.")]
InFile = Annotated[
    Path | None,
    Argument(metavar="FILE", help="Lines (also .gz), or a document: .xlf, .xliff, .po. [stdin]"),
]
OutFile = Annotated[
    Path | None, Option("--out", "-o", metavar="FILE", help="Where the translation goes. [stdout]")
]
EveryTarget = Annotated[
    bool, Option("--all", help="Of a document, translate also what has a translation.")
]
Resume = Annotated[
    bool, Option("--resume", help="Continue an interrupted translation of lines; same options.")
]


def translate(
    context: typer.Context, file: InFile = None, out: OutFile = None, model: Models = None,
    every: EveryTarget = False, n_best: NBest = 1, as_json: LineAsJson = False,
    stream: Stream = False, glossary: GlossaryFile = None, inflected: Inflected = False,
    lists: NBestLists = None, resume: Resume = False, threads: Threads = 0, quiet: Quiet = False,
) -> None:  # fmt: skip
    """Translate lines, or the empty targets of an XLIFF or PO file.

    One line in, one line out; in a document nothing but these targets changes.
    Statistical models and combinations obey a --glossary; stderr says how often it was to be.
    With --n-best K each translation is a line `number ||| translation ||| score`, numbers from 0.
    """
    _check(context.args, file, out, every, resume)
    check_inflected(inflected, glossary)
    if file and _document_kind(file):
        if n_best > 1 or as_json or stream or lists:
            raise InputError(f"{file}: --n-best, --json, --stream and --lists are for plain text")
        cores = set_up(quiet, threads)
        _fill(file, out, model or [model_or_newest(None)], (glossary, inflected), every, cores)
        return
    cores = set_up(quiet, threads)
    text, models = _file_lines(file) if file else None, model or [model_or_newest(None)]
    system, wanted = _open(models, glossary, inflected)
    system.limit_threads(cores)
    if file is None:
        if sys.stdin.isatty():
            note("reading lines from the keyboard; Ctrl-D ends them")
        text = _read() if lists or not (stream or sys.stdin.isatty()) else None
    if lists:
        _use_lists(system, lists, list(text or ()))
    options = [n_best, as_json, stream, inflected, *(lists or ())]
    files = [glossary, *(Path(named.partition("=")[2]) for named in lists or ())]
    marks = _marks(text, models, files, options) if out and text else {}
    with _output(out, marks, resume) as output:
        batches = _batches(text, 1 if stream else BATCH, output.done.lines)
        total = text.total if text else 0
        compliance = _answer(system, batches, total, n_best, as_json, wanted, output)
    if wanted:
        note(f"glossary: {wanted.summary(compliance)}")


def _check(
    more: Sequence[str], file: Path | None, out: Path | None, every: bool, resume: bool
) -> None:
    """Raise InputError where files or options do not go together."""
    if more:
        name = shlex.quote(more[0])
        raise InputError(f"translate takes one file; translate {name} by a command of its own")
    if every and not (file and _document_kind(file)):
        raise InputError("--all is for a document; name an .xlf, .xliff or .po file")
    if resume and file and _document_kind(file):
        raise InputError(f"{file}: --resume is for plain text; leave it out")
    if resume and out is None:
        raise InputError("--resume is for what goes to a file; name it with --out FILE")
    if out and _document_kind(out) and not (file and _document_kind(file)):
        raise InputError(f"{out}: plain text becomes no document; name another file")
    if file and out and _document_kind(file) != _document_kind(out):
        kind = _document_kind(file) or "plain text"
        raise InputError(f"{out}: the translation is {kind}, as {file} is; name it so")


def _document_kind(file: Path) -> str:
    """What a document is, nothing for plain text."""
    from mtkit.documents.fill import kind_of

    return kind_of(file)


def _file_lines(file: Path) -> Lines:
    """The lines of a file."""
    from mtkit.text.formats.names import format_of
    from mtkit.text.lines import Lines, iterate_lines, read_lines

    if form := format_of(file):
        raise InputError(
            f"{file}: {form} holds both languages; translate reads plain text, XLIFF and PO"
        )
    held = read_lines(file) if file.exists() and not file.is_file() else None  # a pipe

    def read() -> Iterator[str]:
        return iterate_lines(file) if held is None else iter(held)

    if what := _no_plain_text(list(islice(read(), 200))):
        raise InputError(f"{file}: {what}")
    return Lines(str(file), read)


def _no_plain_text(lines: Sequence[str]) -> str:
    """What lines are that belong into a file whose name says so; "" for plain text."""
    if lines and lines[0].lstrip("\ufeff \t").startswith(("<?xml", "<xliff", "<tmx")):
        return (
            "line 1: this is XML; of XML only XLIFF can be translated, in files whose names end in "
            ".xlf or .xliff"
        )
    for number, (line, following) in enumerate(pairwise(lines), 1):
        if line.startswith('msgid "') and following.startswith(('msgstr "', '"')):
            return f"line {number}: this is PO; it can be translated in a file NAME.po"
    return ""


def _marks(
    text: Lines, models: Sequence[Path], files: Sequence[Path | None], options: Sequence[object]
) -> dict[str, str]:
    """Digests of what decides the translation, by its name; files: the glossary and the lists."""
    from mtkit.combination.parts import state_of
    from mtkit.storage.digests import digest_of, digest_of_code

    regular = [file for file in files if file and file.is_file()]  # a pipe can be read but once
    contents = [digest_of(file.read_bytes()) for file in regular]
    return {
        "text": text.digest,
        "model": digest_of(json.dumps(state_of(models)).encode()),
        "glossary or lists": digest_of(json.dumps(contents).encode()),
        "set of options": digest_of(json.dumps([*options, BATCH]).encode()),
        "version of mtkit": digest_of_code(),
    }


@contextmanager
def _output(out: Path | None, marks: dict[str, str], resume: bool = False) -> Iterator[Growing]:
    """Stdout, or a file that takes its name when everything is written; packed, if it ends so.

    With ``marks`` of what decides it, an interrupted one can go on.
    """
    from mtkit.storage.growing import Growing, growing
    from mtkit.storage.packing import packing
    from mtkit.storage.writing import named_file

    if out is None:
        yield Growing(sys.stdout.buffer)
    elif marks and (out.is_file() or not out.exists()):
        with growing(out, marks, resume, "translation") as output:
            yield output
    elif resume:
        raise InputError(f"{out}: no file that --resume could go on with; leave it out")
    else:
        with named_file(out) as file, packing(file, out) as packed:
            yield Growing(packed)


def _fill(
    file: Path, out: Path | None, models: list[Path], glossary: tuple[Path | None, bool],
    every: bool, cores: int,
) -> None:  # fmt: skip
    """Translate a document. glossary: its file, and whether inflected forms match."""
    from mtkit.documents.fill import fill, open_document
    from mtkit.manifest import Manifest
    from mtkit.text.glossary import Compliance

    manifest = Manifest.read(models[0])
    document = open_document(file, manifest.languages, every)  # what is wrong with it comes first
    system, wanted = _open(models, *glossary)
    system.limit_threads(cores)
    compliance = Compliance()

    def translate(lines: Sequence[str]) -> list[Hypothesis]:
        nonlocal compliance
        best: list[Hypothesis] = []
        with progress() as bar:
            task = bar.add_task("translating", total=len(lines), status="")
            for i in range(0, len(lines), BATCH):
                batch = lines[i : i + BATCH]
                best += [hypotheses[0] for hypotheses in system.translate(batch)]
                bar.update(task, completed=len(best))
                if wanted:
                    words = system.tokenize(batch), system.tokenize([h.text for h in best[i:]])
                    compliance += wanted.compliance(*words)
        return best

    with _output(out, {}) as output:
        output.file.write(fill(document, translate, manifest.word_tokenizer, str(file)))
    if wanted and document.segments:
        note(f"glossary: {wanted.summary(compliance)}")


def _open(
    models: list[Path], glossary: Path | None, inflected: bool
) -> tuple[System, Glossary | None]:
    """The models in those directories; and the glossary that they follow."""
    from mtkit.models import load, load_with_glossary

    directory, *others = models
    if glossary is None:
        return load(directory, *others), None
    if others:
        raise InputError("an ensemble is of neural models, which cannot be held to a glossary")
    return load_with_glossary(directory, glossary, inflected)


def _use_lists(system: System, named: list[str], lines: Sequence[str]) -> None:
    """Let a combination know what other systems say of ``lines``."""
    from mtkit.combination.system import Combination

    if not isinstance(system, Combination):
        raise InputError("--lists is for a combination; name one with --model DIR")
    for each in named:
        name, _, file = each.partition("=")
        if not file:
            raise InputError(f"--lists {each}: expected NAME=FILE")
        system.use_lists(name, Path(file), lines)


def _read() -> Lines:
    """All lines of stdin; held only where they come through a pipe."""
    from mtkit.text.lines import Lines, decode_lines, stream_lines

    stdin = sys.stdin.buffer
    held = None if stdin.seekable() else decode_lines(stdin.read(), "stdin")
    begin = 0 if held is not None else stdin.tell()

    def read() -> Iterator[str]:
        if held is not None:
            return iter(held)
        stdin.seek(begin)
        return stream_lines(stdin, "stdin")

    if what := _no_plain_text(list(islice(read(), 200))):
        note(f"warning: stdin: {what}")
    return Lines("stdin", read)


def _batches(text: Lines | None, size: int, begin: int) -> Iterator[list[str]]:
    """So many lines at a time, after those before ``begin``; without a text stdin's, as they come.

    A network's numbers depend in their last bits on what it reads beside a line: so the borders of
    batches must be the same after an interruption.
    """
    from mtkit.text.lines import stream_lines

    if text is None:
        yield from ([line] for line in stream_lines(sys.stdin.buffer, "stdin"))
        return
    lines = islice(text, begin, None)
    while batch := list(islice(lines, size)):
        yield batch


def _answer(
    system: System, batches: Iterable[list[str]], total: int, n_best: int, as_json: bool,
    wanted: Glossary | None, output: Growing,
) -> Compliance:  # fmt: skip
    """Translate and write batch after batch; how often the glossary was followed."""
    from mtkit.text.glossary import Compliance

    number = begin = output.done.lines
    if 0 < begin < total:
        note(f"resumed at line {begin + 1:,} of {total:,}")
    more = output.done.more
    matched = frozenset(map(tuple, more.get("matched", ())))
    start, compliance = time.perf_counter(), Compliance(**{**more, "matched": matched})
    # No bar where the translations themselves go to the terminal.
    with progress(shown=total > 0 and not sys.stdout.isatty()) as bar:
        task = bar.add_task("translating", total=total, status="")
        for batch in batches:
            best = []
            for source, hypotheses in zip(batch, system.translate(batch, n_best), strict=True):
                for row in rows(number, source, hypotheses, n_best, as_json):
                    output.file.write(row.encode("utf-8", "replace") + b"\n")
                best.append(hypotheses[0].text)
                number += 1
                if (pieces := hypotheses[0].pieces) > 1:
                    [words] = system.tokenize([source])
                    note(f"line {number}: {len(words):,} words, translated in {pieces} pieces")
            speed = (number - begin) / (time.perf_counter() - start)
            bar.update(task, completed=number, status=f"{speed:,.0f} sentences/s")
            if wanted:  # by what is written, not by what the search says of itself
                compliance += wanted.compliance(system.tokenize(batch), system.tokenize(best))
            output.step(number, vars(compliance))
    return compliance


def rows(
    number: int, source: str, hypotheses: Sequence[Hypothesis], n_best: int, as_json: bool
) -> list[str]:
    """The lines that are written for line ``number``; none has a line break inside."""
    if as_json:
        return [json.dumps(as_object(source, hypotheses), ensure_ascii=False)]
    # A neural system may spell the escape of a line break (``text.tokenizer``), though none reads.
    texts = [(h.text.replace("\n", " "), h.score) for h in hypotheses]
    if n_best > 1:
        return [f"{number} ||| {text} ||| {score:.4f}" for text, score in texts]
    return [texts[0][0]]


def as_object(source: str, hypotheses: Sequence[Hypothesis]) -> dict[str, Any]:
    """What ``--json`` prints of one line."""
    names = ("text", "score", "features", "alignment", "segments", "places")
    shown, best = [], hypotheses[0]
    for h in hypotheses:  # a token is judged by ``order`` words if the model is one of n-grams
        tokens = [
            {"text": text, "logprob": p} | ({"order": order} if order else {})
            for (text, p), order in zip_longest(h.token_logprobs, h.orders)
        ]
        shown.append({name: getattr(h, name) for name in names} | {"tokens": tokens})
    return {
        "source": source, "translation": best.text, "score": best.score, "hypotheses": shown,
        "unknown": best.unknown, "pieces": best.pieces,
    }  # fmt: skip
