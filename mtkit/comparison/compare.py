"""Model directories and files of translations in, a report out: the work of ``mtkit compare``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mtkit.comparison import report
from mtkit.comparison.report import Comparison, Test, check_names
from mtkit.comparison.systems import Task, gather, opened, seen_in_training
from mtkit.comparison.trainings import complete, trainings
from mtkit.console import note, step
from mtkit.errors import InputError
from mtkit.evaluation.statistics import check_parallel
from mtkit.explanation.reasons import Explanation
from mtkit.explanation.reasons import explain as reasons
from mtkit.manifest import UNDETERMINED, Manifest, named_test_set
from mtkit.models import MODELS, all_models, cores
from mtkit.system import System
from mtkit.text.corpus import Bitext, language_of, read_lines, refuse_exchanged

EXPLAINED = 24  # examples on a page, which would grow large
Files = tuple[Path, Path]


def compare(
    systems: Sequence[str | Path],
    test: tuple[str | Path, str | Path] | None,
    *,
    references: Sequence[str | Path],
    examples: int,
    glossary: str | Path | None,
    fresh: bool,
    curve: Sequence[int],
    seeds: int,
    threads: int,
    explain: bool,
) -> Comparison:
    """See ``mtkit.compare``."""
    named = _named(systems)
    models = {name: path for name, path in named.items() if path.is_dir()}
    files = test and (Path(test[0]), Path(test[1]))
    text, languages = _test_set(models, files)
    also = {str(path): read_lines(Path(path)) for path in references}
    for name, lines in also.items():
        check_parallel(lines, text.target, name)
    threads = threads or cores()
    task = Task(text, list(also.values()), threads, Path(glossary) if glossary else None, fresh)
    if curve and not models:
        raise InputError("--curve trains models again, and only files are given; name a model")
    needed = trainings(models, sorted(curve), seeds, text, MODELS / "curve") if curve else []
    scored, comparison = _compared(named, models, task, languages, examples)
    if needed:
        comparison = replace(comparison, curve=complete(needed, text, scored.scorer, threads))
    if explain:
        comparison = replace(comparison, explanations=_explanations(models, comparison, task))
    return comparison


def _compared(
    named: Mapping[str, Path],
    models: Mapping[str, Path],
    task: Task,
    languages: tuple[str, str],
    examples: int,
) -> tuple[Test, Comparison]:
    """Translate the test set with every system and score it; those that are no models are files."""
    text, outputs = task.test, {n: read_lines(path) for n, path in named.items() if n not in models}
    for name, lines in outputs.items():
        check_parallel(lines, text.target, name)
    tokenize = _tokenize(models)
    translations, words, warnings = gather(named, outputs, task)
    seen = seen_in_training(models, text)
    trained_on = [
        f"{name}: {len(rows)} of the {len(text)} test sentences are in its training text; "
        "BLEU without them stands below"
        for name, rows in seen.items()
    ]
    test = Test(
        text.source,
        text.target,
        task.also,
        words,
        tokenize,
        seen=sorted({row for rows in seen.values() for row in rows}),
        name=text.paths[0].name,
        paths=(str(text.paths[0]), str(text.paths[1])),
        languages=languages,
    )
    with step("metrics, intervals and significance"):
        return test, report.build(test, translations, examples, trained_on + warnings)


# --- what is named


def _named(systems: Sequence[str | Path]) -> dict[str, Path]:
    """Name → path of each system; of a model directory the name is its last component."""
    if not systems:
        paths = all_models()[::-1]
        if not paths:
            raise InputError(f"nothing to compare under {MODELS}/; train a model, or name systems")
        return {path.name: path for path in paths}
    named = []
    for system in map(str, systems):
        name, equals, path = system.partition("=")
        if equals and not path:
            raise InputError(f"{system} names no file; NAME=FILE is meant")
        named.append((name, Path(path)) if equals else (Path(system).name, Path(system)))
    check_names([name for name, _ in named])
    for _, place in named:
        if not place.is_dir() and not place.is_file():
            raise InputError(f"{place}: neither a model directory nor a file of translations")
    return dict(named)


def _test_set(models: Mapping[str, Path], test: Files | None) -> tuple[Bitext, tuple[str, str]]:
    """The test set and its languages."""
    languages = _languages(models)
    files = test or _common_test_set(list(models.values()))
    languages = languages or (language_of(files[0]), language_of(files[1]))
    refuse_exchanged("--test", files, languages)
    return Bitext.read(*files), languages


def _common_test_set(models: Sequence[Path]) -> Files:
    """The one test set that the manifests name."""
    if not models:
        raise InputError("only files are given; name the test set with --test SRC TGT")
    telling = [path for path in models if Manifest.read(path).corpus.get("test")]
    named = {named_test_set(path) for path in telling or models}  # raises where none tells
    if len(named) > 1:
        raise InputError("the systems name different test sets; choose one with --test SRC TGT")
    for path in models:
        if path not in telling:
            note(f"{path}: trained without a test set; that of the other models is taken")
    return named.pop()


def _languages(models: Mapping[str, Path]) -> tuple[str, str] | None:
    """The languages that all models translate; None where no model names any."""
    named = {name: Manifest.read(path).languages for name, path in models.items()}
    languages = {of for of in named.values() if UNDETERMINED not in of}
    if len(languages) > 1:
        pairs = ", ".join(f"{name}: {' → '.join(of)}" for name, of in named.items())
        raise InputError(f"the systems translate different languages ({pairs})")
    return languages.pop() if languages else None


def _tokenize(models: Mapping[str, Path]) -> str:
    """BLEU's tokenizer for what the models read."""
    kinds = {Manifest.read(path).tokenizer["kind"] == "none" for path in models.values()}
    if len(kinds) > 1:
        raise InputError(
            "some of the systems read tokenised text (--tokenizer none) and some plain text; "
            "they cannot be scored on the same lines"
        )
    return "none" if kinds == {True} else "13a"


# --- why


def _explanations(
    models: Mapping[str, Path], comparison: Comparison, task: Task
) -> dict[int, list[Explanation]]:
    """Why the models translate the first examples as they do: line → one for each that can say."""
    explanations: dict[int, list[Explanation]] = {}
    for name, path in models.items() if comparison.examples else ():
        with step(f"{name}: why it translates the examples so"):
            system = opened(path, task)
            shown = [e for e in comparison.examples[:EXPLAINED] if _fits(system, e.source)]
            every = reasons(path, system, [example.source for example in shown])
        for example, explanation in zip(shown, every, strict=True):
            explanations.setdefault(example.line, []).append(replace(explanation, name=name))
    return explanations


def _fits(system: System, sentence: str) -> bool:
    """Whether a system translates the sentence at once, so that it can be explained."""
    try:
        system.explain(sentence)
    except InputError:
        return False
    return True
