"""``mtkit compare [SYSTEM …]``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtkit.cli.options import Files, GlossaryFile, Quiet, Test, Threads, set_up, test_files
from mtkit.cli.output import AsJson, Html, check_page, publish

if TYPE_CHECKING:
    from mtkit.comparison.report import Comparison
    from mtkit.comparison.systems import Task
    from mtkit.comparison.trainings import Training
    from mtkit.explanation.reasons import Explanation
    from mtkit.system import System

CurveSizes = Annotated[
    str | None,
    typer.Option(
        metavar="N,N,…",
        help="Also train the models again on so many pairs of their training text, and show "
        "which is ahead from how many on. What is done stays in models/curve.",
    ),
]
Seeds = Annotated[int, typer.Option(min=1, help="Samples of each size of --curve.")]
EXPLAINED = 24  # examples on a page, which would grow large
References = Annotated[
    list[Path] | None,
    typer.Option(
        "--reference", metavar="FILE", help="A further reference of --test; may be repeated."
    ),
]
Examples = Annotated[int, typer.Option(min=0, help="Sentences to show.")]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Translate anew, whatever is on record in the models.")
]


def compare(
    systems: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SYSTEM]...",
            help="Model directories, or NAME=FILE for lines another system wrote. "
            "[all under models/]",
            show_default=False,
        ),
    ] = None,
    test: Test = None,
    html: Html = None,
    as_json: AsJson = False,
    reference: References = None,
    examples: Examples = 12,
    glossary: GlossaryFile = None,
    fresh: Fresh = False,
    curve: CurveSizes = None,
    seeds: Seeds = 3,
    threads: Threads = 0,
    quiet: Quiet = False,
) -> None:
    """Which system is better on a test set, and is that real? Where do they differ, and why?"""
    from mtkit.comparison.as_json import as_json as as_object
    from mtkit.comparison.page import render
    from mtkit.comparison.trainings import complete

    cores = set_up(quiet, threads)
    check_page(html)
    chosen = _named(systems)
    sizes = _sizes(curve) if curve else []
    models = _models(chosen)
    files, pair = _test_set(models, test)
    task = _task(files, reference or [], cores, glossary, fresh)
    needed = _trainings(models, sizes, seeds, task) if sizes else []
    comparison = compare_systems(chosen, models, task, pair, examples)
    if needed:
        found = complete(needed, task.test, comparison.tokenize, cores, task.also)
        comparison = replace(comparison, curve=found)
    publish(
        html,
        lambda: render.as_html(comparison, explained(models, comparison, task)),
        as_json,
        lambda: as_object(comparison),
        lambda console: render.print_report(comparison, console),
    )


def _sizes(given: str) -> list[int]:
    """``--curve`` as numbers, in order."""
    from mtkit.errors import InputError

    numbers = given.replace(" ", "").split(",")
    if not all(n.isdecimal() and int(n) > 0 for n in numbers) or len(set(numbers)) < 2:
        raise InputError(f"--curve {given}: numbers of pairs are meant, as in --curve 1000,2000")
    return sorted({int(n) for n in numbers})


def _trainings(models: dict[str, Path], sizes: list[int], seeds: int, task: Task) -> list[Training]:
    """What the curve of the models needs."""
    from mtkit.comparison.trainings import trainings
    from mtkit.errors import InputError
    from mtkit.models import MODELS

    if not models:
        raise InputError("--curve trains models again, and only files are given; name a model")
    return trainings(list(models.items()), sizes, seeds, task.test, MODELS / "curve")


def _named(systems: list[str] | None) -> list[tuple[str, Path]]:
    """(name, path) of each system; of a model directory the name is its last component."""
    from mtkit.comparison.report import check_names
    from mtkit.errors import InputError
    from mtkit.models import MODELS, all_models

    if not systems:
        found = all_models()[::-1]
        if not found:
            raise InputError(f"nothing to compare under {MODELS}/; train a model, or name systems")
        return [(path.name, path) for path in found]
    named = []
    for system in systems:
        name, equals, path = system.partition("=")
        if equals and not path:
            raise InputError(f"{system} names no file; NAME=FILE is meant")
        named.append((name, Path(path)) if equals else (Path(system).name, Path(system)))
    check_names([name for name, _ in named])
    return named


def explained(
    models: dict[str, Path], comparison: Comparison, task: Task
) -> dict[int, list[Explanation]]:
    """Why the models translate the first examples as they do: line → one for each that can say."""
    from mtkit.comparison.systems import opened
    from mtkit.console import step
    from mtkit.explanation.reasons import explain

    found: dict[int, list[Explanation]] = {}
    for name, path in models.items() if comparison.examples else ():
        with step(f"{name}: why it translates the examples so"):
            system = opened(path, task)
            shown = [e for e in comparison.examples[:EXPLAINED] if _fits(system, e.source)]
            every = explain(path, system, [example.source for example in shown])
        for example, explanation in zip(shown, every, strict=True):
            found.setdefault(example.line, []).append(replace(explanation, name=name))
    return found


def _fits(system: System, sentence: str) -> bool:
    """Whether a system translates the sentence at once, so that it can be explained."""
    from mtkit.errors import InputError

    try:
        system.explain(sentence)
    except InputError:
        return False
    return True


def _task(
    files: Files, references: list[Path], threads: int, glossary: Path | None, fresh: bool
) -> Task:
    """What is asked of every system."""
    from mtkit.comparison.systems import Task
    from mtkit.evaluation.metrics import check_parallel
    from mtkit.text.corpus import Bitext, read_lines

    text = Bitext.read(*files)
    also = {str(path): read_lines(path) for path in references}
    for name, lines in also.items():
        check_parallel(lines, text.target, name)
    return Task(text, list(also.values()), threads, glossary, fresh)


def compare_systems(
    systems: list[tuple[str, Path]],
    models: dict[str, Path],
    task: Task,
    pair: tuple[str, str],
    examples: int,
) -> Comparison:
    """Translate and score a test set with every system; those that are no models are files."""
    from mtkit.comparison import report
    from mtkit.comparison.systems import gather, seen_in_training
    from mtkit.console import step
    from mtkit.evaluation.metrics import check_parallel
    from mtkit.text.corpus import read_lines

    made = {name: read_lines(path) for name, path in systems if name not in models}
    for name, lines in made.items():
        check_parallel(lines, task.test.target, name)
    tokenize = _tokenize(models)
    translations, words, missing = gather(systems, made, task)
    text, seen = task.test, seen_in_training(models, task.test)
    rows = sorted({row for rows in seen.values() for row in rows})
    warnings = [
        f"{name}: {len(rows)} of the {len(text)} test sentences are in its training text; "
        "BLEU without them stands below"
        for name, rows in seen.items()
    ]
    with step("metrics, intervals and significance"):
        return report.compare(
            report.Test(text.source, text.target, task.also, words, tokenize, seen=rows),
            translations,
            name=text.paths[0].name,
            paths=(str(text.paths[0]), str(text.paths[1])),
            languages=pair,
            examples=examples,
            warnings=warnings + missing,
        )


def _models(systems: list[tuple[str, Path]]) -> dict[str, Path]:
    """Those that are model directories; all others must be files."""
    from mtkit.errors import InputError

    for _, path in systems:
        if not path.is_dir() and not path.is_file():
            raise InputError(f"{path}: neither a model directory nor a file of translations")
    return {name: path for name, path in systems if path.is_dir()}


def _test_set(models: dict[str, Path], test: Files | None) -> tuple[Files, tuple[str, str]]:
    """The files of the test set and their languages."""
    from mtkit.text.corpus import language_of, refuse_exchanged

    pair = _languages(models)
    files = test or _common_test_files(list(models.values()))
    pair = pair or (language_of(files[0]), language_of(files[1]))
    refuse_exchanged("--test", files, pair)
    return files, pair


def _tokenize(models: dict[str, Path]) -> str:
    """BLEU's tokenizer for what the models read."""
    from mtkit.errors import InputError
    from mtkit.manifest import Manifest

    kinds = {Manifest.read(path).tokenizer["kind"] == "none" for path in models.values()}
    if len(kinds) > 1:
        raise InputError(
            "some of the systems read tokenised text (--tokenizer none) and some plain text; "
            "they cannot be scored on the same lines"
        )
    return "none" if kinds == {True} else "13a"


def _languages(models: dict[str, Path]) -> tuple[str, str] | None:
    """The languages that all models translate; None where no model names any."""
    from mtkit.errors import InputError
    from mtkit.manifest import UNDETERMINED, Manifest

    named = {name: Manifest.read(path).languages for name, path in models.items()}
    languages = {of for of in named.values() if UNDETERMINED not in of}
    if len(languages) > 1:
        pairs = ", ".join(f"{name}: {' → '.join(of)}" for name, of in named.items())
        raise InputError(f"the systems translate different languages ({pairs})")
    return languages.pop() if languages else None


def _common_test_files(models: list[Path]) -> Files:
    """The one test set that the manifests name."""
    from mtkit.console import note
    from mtkit.errors import InputError
    from mtkit.manifest import Manifest

    if not models:
        raise InputError("only files are given; name the test set with --test SRC TGT")
    telling = [path for path in models if Manifest.read(path).corpus.get("test")]
    named = {test_files(path, None) for path in telling or models}  # raises where none tells
    if len(named) > 1:
        raise InputError("the systems name different test sets; choose one with --test SRC TGT")
    for path in models:
        if path not in telling:
            note(f"{path}: trained without a test set; that of the other models is taken")
    return named.pop()
