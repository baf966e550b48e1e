"""``mtkit translate < in > out``, and ``mtkit translate FILE -o FILE``."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

import mtkit.cli.completion as completion
from mtkit.cli.options import (
    Cluster,
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
    from mtkit.answers import Answer, Request
    from mtkit.storage.growing import Growing
    from mtkit.system import Hypothesis, System
    from mtkit.text.glossary import Compliance, Glossary
    from mtkit.text.lines import Lines

BATCH = 1000  # lines that are read, translated and written at a time

Models = Annotated[
    list[Path] | None,
    Option(
        metavar="DIR",
        autocompletion=completion.models,
        help="Model directory; repeat it for an ensemble of neural models. [the newest in models/]",
    ),
]
NBest = Annotated[int, Option(min=1, max=1000, help="Translations per line.")]
LineAsJson = Annotated[
    bool, Option("--json", help="Print one JSON object per line: scores, alignment, tokens.")
]
NBestLists = Annotated[
    list[str] | None,
    Option(
        metavar="NAME=FILE",
        help="n-best lists of the input lines by the external system NAME of a combination (`mtkit "
        "combine NAME=FILE`).",
    ),
]
Stream = Annotated[
    bool,
    Option(
        "--stream",
        help="Translate each line as soon as it is read. Always on if stdin is a terminal.",
    ),
]
InFile = Annotated[
    Path | None,
    Argument(
        metavar="FILE", help="Plain text (also .gz), or a document: .xlf, .xliff, .po. [stdin]"
    ),
]
OutFile = Annotated[
    Path | None, Option("--out", "-o", metavar="FILE", help="Output file. [stdout]")
]
EveryTarget = Annotated[
    bool,
    Option(
        "--all",
        help="Also translate segments that have a translation, except approved ones (XLIFF: "
        "approved, signed-off, reviewed, final, locked; PO cannot mark approval).",
    ),
]
Resume = Annotated[
    bool,
    Option(
        "--resume", help="Resume an interrupted translation of plain text; give the same options."
    ),
]


def translate(
    context: typer.Context, file: InFile = None, out: OutFile = None, model: Models = None,
    every: EveryTarget = False, n_best: NBest = 1, as_json: LineAsJson = False,
    stream: Stream = False, glossary: GlossaryFile = None, inflected: Inflected = False,
    lists: NBestLists = None, resume: Resume = False, cluster: Cluster = "",
    threads: Threads = 0, quiet: Quiet = False,
) -> None:  # fmt: skip
    """Translate lines, or the empty targets of an XLIFF or PO file.

    Writes one line for each input line. In a document, only the translated targets change.
    --glossary needs a statistical model or a combination; how often the glossary was followed is
    reported on stderr. With --n-best, each translation is a line
    `number ||| translation ||| score`; number: index of the input line, from 0.
    """
    from mtkit.answers import Request, open_system

    _check(context.args, file, out, every, resume)
    if cluster:
        _check_cluster(file, out, glossary, stream or bool(lists))
    check_inflected(inflected, glossary)
    if file and _document_kind(file):
        if n_best > 1 or as_json or stream or lists:
            raise InputError(
                f"{file}: --n-best, --json, --stream and --lists work only for plain text"
            )
        cores = set_up(quiet, threads)
        _fill(file, out, model or [model_or_newest(None)], (glossary, inflected), every, cores)
        return
    cores = set_up(quiet, threads)
    text = _file_lines(file) if file else None
    models = tuple(model or [model_or_newest(None)])
    request = Request(models, glossary, inflected, n_best, as_json)
    system, terms = open_system(request)
    system.limit_threads(cores)
    if file is None:
        if sys.stdin.isatty():
            note("reading lines from the keyboard; Ctrl-D ends them")
        read_first = lists or cluster or not (stream or sys.stdin.isatty())
        text = _read() if read_first else None
    if lists:
        _use_lists(system, lists, list(text or ()))
    marks = _marks(text, request, stream, lists or ()) if out and text else {}
    with _output(out, marks, resume) as output:
        batches = _batches(text, 1 if stream else BATCH, output.done.lines)
        with _answers(cluster, system, terms, request, batches, output, marks) as answers:
            compliance = _write(answers, text.total if text else 0, output)
    if terms:
        from mtkit.manifest import Manifest

        tokenizer = Manifest.read(models[0]).word_tokenizer
        note(f"glossary: {terms.summary(compliance, tokenizer)}")


def _check(
    more: Sequence[str], file: Path | None, out: Path | None, every: bool, resume: bool
) -> None:
    """Raise InputError if files and options contradict each other."""
    if more:
        name = shlex.quote(more[0])
        raise InputError(f"expected one file; translate {name} with a separate command")
    if every and not (file and _document_kind(file)):
        raise InputError("--all needs a document; name an .xlf, .xliff or .po file")
    if resume and file and _document_kind(file):
        raise InputError(f"{file}: remove --resume, which works only for plain text")
    if resume and out is None:
        raise InputError(
            "--resume needs an output file; name that of the interrupted run with --out FILE"
        )
    if out and _document_kind(out) and not (file and _document_kind(file)):
        raise InputError(f"{out}: cannot write plain text as a document; name another file")
    if file and out and _document_kind(file) != _document_kind(out):
        kind = _document_kind(file) or "plain text"
        raise InputError(
            f"{out}: the translation of {file} is also {kind}; use the same file extension"
        )


def _check_cluster(file: Path | None, out: Path | None, glossary: Path | None, other: bool) -> None:
    """Raise InputError if workers cannot translate; other: options are given that they lack."""
    if out is None or other or (file and _document_kind(file)):
        raise InputError(
            "--cluster needs plain text and an output file: name it with --out FILE, and remove "
            "--stream and --lists"
        )
    for path in (out, glossary):
        if path and path.exists() and not path.is_file():
            raise InputError(f"{path}: --cluster needs a regular file; name another")


def _document_kind(file: Path) -> str:
    """Return the kind of a document, "" for plain text."""
    from mtkit.documents.fill import kind_of

    return kind_of(file)


def _file_lines(file: Path) -> Lines:
    """Return the lines of a file. Raises InputError if it is not plain text."""
    from mtkit.text.formats.names import format_of
    from mtkit.text.lines import Lines, iterate_lines, read_lines

    if file_format := format_of(file):
        raise InputError(
            f"{file}: cannot translate {file_format}; expected plain text, XLIFF or PO"
        )
    piped = read_lines(file) if file.exists() and not file.is_file() else None  # a pipe

    def read() -> Iterator[str]:
        return iterate_lines(file) if piped is None else iter(piped)

    if problem := _no_plain_text(list(islice(read(), 200))):
        raise InputError(f"{file}: {problem}")
    return Lines(str(file), read)


def _no_plain_text(lines: Sequence[str]) -> str:
    """Return why ``lines`` are not plain text but a document under a wrong name; "" if they are."""
    if lines and lines[0].lstrip("\ufeff \t").startswith(("<?xml", "<xliff", "<tmx")):
        return (
            "line 1: this is XML; if it is XLIFF, rename it so that its name ends in .xlf or "
            ".xliff; other XML cannot be translated"
        )
    for number, (line, following) in enumerate(pairwise(lines), 1):
        if line.startswith('msgid "') and following.startswith(('msgstr "', '"')):
            return f"line {number}: this is PO; rename it so that its name ends in .po"
    return ""


def _marks(text: Lines, request: Request, stream: bool, lists: Sequence[str]) -> dict[str, str]:
    """Return the digest of everything that the translation depends on, by name."""
    from mtkit.combination.parts import state_of
    from mtkit.storage.digests import digest_of, digest_of_code

    files = [request.glossary, *(Path(option.partition("=")[2]) for option in lists)]
    regular = [file for file in files if file and file.is_file()]  # a pipe can be read only once
    contents = [digest_of(file.read_bytes()) for file in regular]
    options = [request.n_best, request.as_json, stream, request.inflected, *lists, BATCH]
    return {
        "text": text.digest,
        "model": digest_of(json.dumps(state_of(request.models)).encode()),
        "glossary or lists": digest_of(json.dumps(contents).encode()),
        "set of options": digest_of(json.dumps(options).encode()),
        "version of mtkit": digest_of_code(),
    }


@contextmanager
def _output(out: Path | None, marks: dict[str, str], resume: bool = False) -> Iterator[Growing]:
    """Yield stdout, or a file that gets its name when it is complete; packed if its name says so.

    marks: digests of what the output depends on; with them, an interrupted output can be resumed.
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
        raise InputError(
            f"{out}: cannot be resumed, as it is not a regular file or the input is read line by "
            "line; remove --resume"
        )
    else:
        with named_file(out) as file, packing(file, out) as packed:
            yield Growing(packed)


@contextmanager
def _answers(
    cluster: str, system: System, wanted: Glossary | None, request: Request,
    batches: Iterator[list[str]], output: Growing, marks: dict[str, str],
) -> Iterator[Iterator[Answer]]:  # fmt: skip
    """Yield the answers, computed by this process or by the workers at ``cluster``."""
    from mtkit.answers import by_stages, by_this_process

    begin = output.done.lines
    if not cluster:
        yield by_this_process(system, wanted, request, begin, batches)
        return
    from mtkit.cluster import connected
    from mtkit.storage.stages import Stages

    assert output.done_file, "workers need an output that can be resumed"
    request = request._replace(
        models=tuple(model.resolve() for model in request.models),
        glossary=request.glossary and request.glossary.resolve(),
    )
    with connected(cluster, Stages(output.done_file.parent)) as stages:
        yield by_stages(stages, request, json.dumps(marks), begin, batches, output.save)


def _fill(
    file: Path, out: Path | None, models: list[Path], glossary: tuple[Path | None, bool],
    every: bool, cores: int,
) -> None:  # fmt: skip
    """Translate a document. glossary: its file, and whether inflected forms match."""
    from mtkit.answers import Request, open_system
    from mtkit.documents.fill import fill, open_document
    from mtkit.manifest import Manifest
    from mtkit.text.glossary import Compliance

    manifest = Manifest.read(models[0])
    document = open_document(file, manifest.languages, every)  # fails before the models load
    system, terms = open_system(Request(tuple(models), *glossary))
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
                if terms:
                    words = system.tokenize(batch), system.tokenize([h.text for h in best[i:]])
                    compliance += terms.compliance(*words)
        return best

    with _output(out, {}) as output:
        output.file.write(fill(document, translate, manifest.word_tokenizer, str(file)))
    if terms and document.segments:
        note(f"glossary: {terms.summary(compliance, manifest.word_tokenizer)}")


def _use_lists(system: System, named: list[str], lines: Sequence[str]) -> None:
    """Give a combination the n-best lists of other systems for ``lines``."""
    from mtkit.combination.system import Combination

    if not isinstance(system, Combination):
        raise InputError("--lists is for a combination; name one with --model DIR")
    for option in named:
        name, _, file = option.partition("=")
        if not file:
            raise InputError(f"--lists {option}: expected NAME=FILE")
        system.use_lists(name, Path(file), lines)


def _read() -> Lines:
    """Return all lines of stdin; only those from a pipe are kept in memory."""
    from mtkit.text.lines import Lines, decode_lines, stream_lines

    stdin = sys.stdin.buffer
    piped = None if stdin.seekable() else decode_lines(stdin.read(), "stdin")
    begin = 0 if piped is not None else stdin.tell()

    def read() -> Iterator[str]:
        if piped is not None:
            return iter(piped)
        stdin.seek(begin)
        return stream_lines(stdin, "stdin")

    if problem := _no_plain_text(list(islice(read(), 200))):
        note(f"warning: stdin: {problem}")
    return Lines("stdin", read)


def _batches(text: Lines | None, size: int, begin: int) -> Iterator[list[str]]:
    """Yield batches of ``size`` lines from line ``begin`` on; without a text, each line of stdin.

    The last bits of a network's numbers depend on the other lines of the batch. So an interrupted
    translation is resumed with the same batches.
    """
    from mtkit.text.lines import stream_lines

    if text is None:
        yield from ([line] for line in stream_lines(sys.stdin.buffer, "stdin"))
        return
    lines = islice(text, begin, None)
    while batch := list(islice(lines, size)):
        yield batch


def _write(answers: Iterable[Answer], total: int, output: Growing) -> Compliance:
    """Write the answers; return how often the glossary was followed."""
    from mtkit.answers import compliance_of

    number = begin = output.done.lines
    if 0 < begin < total:
        note(f"resumed at line {begin + 1:,} of {total:,}")
    start, compliance = time.perf_counter(), compliance_of(output.done.more)
    # No progress bar if the translations themselves go to the terminal.
    with progress(shown=total > 0 and not sys.stdout.isatty()) as bar:
        task = bar.add_task("translating", total=total, status="")
        for answer in answers:
            output.file.write(answer.rows)
            for message in answer.notes:
                note(message)
            number += answer.lines
            compliance += answer.compliance
            output.step(number, vars(compliance))
            speed = (number - begin) / (time.perf_counter() - start)
            bar.update(task, completed=number, status=f"{speed:,.0f} sentences/s")
    return compliance
