"""``mtkit compare [SYSTEM …]``."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtkit.cli.options import Files, GlossaryFile, Quiet, Test, Threads, set_up, test_files
from mtkit.cli.output import AsJson, Html, check_page, publish
from mtkit.cli.translate import limit_threads

if TYPE_CHECKING:
    from mtkit.comparison.curve import Curve
    from mtkit.comparison.report import Comparison, Translations
    from mtkit.comparison.trainings import Training
    from mtkit.corpus import Bitext
    from mtkit.glossary import Glossary
    from mtkit.manifest import Manifest

CurveSizes = Annotated[
    str | None,
    typer.Option(
        metavar="N,N,…",
        help="Also train the models again on so many pairs of their training text, and show "
        "which is ahead from how many on. What is done stays in models/curve.",
    ),
]
Seeds = Annotated[int, typer.Option(min=1, help="Samples of each size of --curve.")]
# Presets of a statistical system's weights, from Bayes' rule on, and what the report calls them.
CHANNEL = {"channel": "P(x|y)", "noisy-channel": "P(x|y) P(y)", "default": "Default weights"}


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
    examples: Annotated[int, typer.Option(min=0, help="Sentences to show.")] = 5,
    glossary: GlossaryFile = None,
    curve: CurveSizes = None,
    seeds: Seeds = 3,
    threads: Threads = 0,
    quiet: Quiet = False,
) -> None:
    """Score systems on a test set: metrics with intervals, significance, perplexity, examples."""
    from mtkit.comparison import render, report

    cores = set_up(quiet, threads)
    check_page(html)
    chosen = _named(systems)
    sizes = _sizes(curve) if curve else []
    needed = _trainings(chosen, sizes, seeds) if sizes else []
    comparison = compare_systems(chosen, test, examples, cores, glossary)
    if needed:
        found = _learning_curve(needed, comparison, cores)
        comparison = replace(comparison, curve=found)
    publish(
        html,
        lambda: render.as_html(comparison),
        as_json,
        lambda: report.as_json(comparison),
        lambda console: render.print_report(comparison, console),
    )


def _sizes(given: str) -> list[int]:
    """``--curve`` as numbers, in order."""
    from mtkit.errors import InputError

    numbers = given.replace(" ", "").split(",")
    if not all(n.isdecimal() and int(n) > 0 for n in numbers) or len(set(numbers)) < 2:
        raise InputError(f"--curve {given}: numbers of pairs are meant, as in --curve 1000,2000")
    return sorted({int(n) for n in numbers})


def _trainings(systems: list[tuple[str, Path]], sizes: list[int], seeds: int) -> list[Training]:
    """What the curve of the models among ``systems`` needs."""
    from mtkit.comparison.trainings import trainings
    from mtkit.errors import InputError
    from mtkit.models import MODELS

    models = [(name, path) for name, path in systems if path.is_dir()]
    if not models:
        raise InputError("--curve trains models again, and only files are given; name a model")
    return trainings(models, sizes, seeds, MODELS / "curve")


def _learning_curve(needed: list[Training], comparison: Comparison, threads: int) -> Curve:
    """Train what is not done yet, saying how long all of it will take."""
    from mtkit.comparison.curve import curve
    from mtkit.comparison.trainings import carry_out
    from mtkit.console import note
    from mtkit.corpus import Bitext

    test = Bitext.read(*map(Path, comparison.paths))
    points = {training.path: training.point(test) for training in needed}
    left = [training for training in needed if not points[training.path]]
    size = max(sum(p.stat().st_size for p in t.directory.glob("*")) for t in needed)
    note(
        f"learning curve: {len(needed)} trainings, {len(needed) - len(left)} done already; the "
        f"others take about {_minutes(left)} and {size / 1e6:,.0f} MB of disk while they do"
    )
    planned = spent = 0.0
    for k, training in enumerate(left, 1):
        pace = spent / planned if planned else 1.0
        note(
            f"{k} of {len(left)}: {training.system}, {training.size:,} pairs, seed {training.seed};"
            f" about {_minutes(left[k - 1 :], pace)} left"
        )
        start = time.perf_counter()
        point = carry_out(training, test, threads)
        training.keep(point, test)
        points[training.path] = point
        planned, spent = planned + training.seconds, spent + time.perf_counter() - start
    return curve([p for p in points.values() if p], test.target, comparison.tokenize)


def _minutes(trainings: list[Training], pace: float = 1.0) -> str:
    return f"{pace * sum(t.seconds for t in trainings) / 60:,.0f} min"


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
        named.append((name, Path(path)) if equals else (Path(system).name, Path(system)))
    check_names([name for name, _ in named])
    return named


def compare_systems(
    systems: list[tuple[str, Path]],
    test: Files | None,
    examples: int,
    threads: int,
    glossary: Path | None = None,
) -> Comparison:
    """Translate and score a test set with every system."""
    from mtkit.comparison import report
    from mtkit.console import step
    from mtkit.corpus import Bitext, language_of, read_lines, refuse_exchanged
    from mtkit.errors import InputError
    from mtkit.evaluate import check_parallel
    from mtkit.manifest import Manifest

    manifests = {name: Manifest.read(path) for name, path in systems if path.is_dir()}
    for name, path in systems:
        if name not in manifests and not path.is_file():
            raise InputError(f"{path}: neither a model directory nor a file of translations")
    pair = _languages(manifests)
    test = test or _common_test_files([path for name, path in systems if name in manifests])
    pair = pair or (language_of(test[0]), language_of(test[1]))
    refuse_exchanged("--test", test, pair)
    text = Bitext.read(*test)
    made = {name: read_lines(path) for name, path in systems if name not in manifests}
    for name, lines in made.items():
        check_parallel(lines, text.target, name)
    tokenised = {m.tokenizer["kind"] == "none" for m in manifests.values()}
    if len(tokenised) > 1:
        raise InputError(
            "some of the systems read tokenised text (--tokenizer none) and some plain text; "
            "they cannot be scored on the same lines"
        )
    translations = _translations(systems, manifests, made, text, threads, glossary)
    with step("metrics, intervals and significance"):
        return report.compare(
            text.source,
            text.target,
            translations,
            name=test[0].name,
            paths=(str(test[0]), str(test[1])),
            languages=pair,
            tokenize="none" if tokenised == {True} else "13a",
            examples=examples,
            warnings=[
                warning
                for name, path in systems
                if name in manifests
                for warning in _seen_in_training(name, path, text)
            ],
        )


def _languages(manifests: dict[str, Manifest]) -> tuple[str, str] | None:
    """The languages that all models translate; None where no model names any."""
    from mtkit.errors import InputError
    from mtkit.manifest import UNDETERMINED

    languages = {m.languages for m in manifests.values() if UNDETERMINED not in m.languages}
    if len(languages) > 1:
        pairs = ", ".join(f"{n}: {' → '.join(m.languages)}" for n, m in manifests.items())
        raise InputError(f"the systems translate different languages ({pairs})")
    return languages.pop() if languages else None


def _common_test_files(models: list[Path]) -> Files:
    """The one test set that all manifests name."""
    from mtkit.errors import InputError

    if not models:
        raise InputError("only files are given; name the test set with --test SRC TGT")
    named = {test_files(path, None) for path in models}
    if len(named) > 1:
        raise InputError("the systems name different test sets; choose one with --test SRC TGT")
    return named.pop()


def _translations(
    systems: list[tuple[str, Path]],
    manifests: dict[str, Manifest],
    made: dict[str, list[str]],
    text: Bitext,
    threads: int,
    glossary: Path | None,
) -> list[Translations]:
    """Those of every system, ``made`` or to be made. Files are read in the first model's tokens."""
    from mtkit.comparison.report import Translations
    from mtkit.glossary import Glossary
    from mtkit.tokenizer import WordTokenizer

    words = {name: WordTokenizer(**m.tokenizer) for name, m in manifests.items()}
    usual, found = next(iter(words.values()), WordTokenizer()), []
    for name, path in systems:
        tokenize = words.get(name, usual).tokenize
        wanted = Glossary.read(glossary, tokenize) if glossary else None
        if name in made:
            of = Translations(name, "file", made[name])
        else:
            of = _run(name, path, text, threads, wanted)
        if wanted:
            counted = wanted.compliance(map(tokenize, text.source), map(tokenize, of.outputs))
            of = replace(of, glossary=counted)
        found.append(of)
    return found


def _run(
    name: str, path: Path, text: Bitext, threads: int, glossary: Glossary | None
) -> Translations:
    """A system's translations of ``text``, timed, and its probabilities for the references."""
    from mtkit.comparison.report import Translations, errors
    from mtkit.console import step
    from mtkit.models import load

    system: Any = load(path)
    limit_threads(system, threads)
    if glossary and system.kind == "smt":
        system.use_glossary(glossary)
    system.translate(text.source[:1])  # kernels and caches are loaded before the clock starts
    with step(f"{name}: translating {len(text)} sentences"):
        start = time.perf_counter()
        best = [hypotheses[0] for hypotheses in system.translate(text.source)]
        seconds = time.perf_counter() - start
    with step(f"{name}: probabilities of the references"):
        scores = system.score(text.pairs())
    unknown, outputs = sum(len(h.unknown) for h in best), [h.text for h in best]
    channel, faults = dict[str, list[str]](), None
    if system.kind == "smt":
        with step(f"{name}: errors of the search, by a wider one"):
            wider = [hypotheses[0] for hypotheses in _wider(system).translate(text.source)]
            faults = errors(best, text.target, scores, wider)
        with step(f"{name}: the noisy channel, by other weights"):
            channel = _channel(system, text.source, outputs)
    return Translations(
        name,
        system.kind,
        outputs,
        seconds,
        scores,
        unknown,
        channel,
        faults,
        training=_training_log(path),
    )


def _training_log(path: Path) -> list[dict[str, float]]:
    """What a neural model's training logged at each validation; nothing where it did not."""
    from mtkit.errors import InputError
    from mtkit.manifest import LOG

    file = path / LOG
    if not file.is_file():
        return []
    try:
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    except ValueError:
        raise InputError(f"{file}: not a log of training; remove it, or train again") from None


def _wider(system: Any) -> Any:
    """The same system with a search ``WIDER`` times as wide."""
    from mtkit.comparison.report import WIDER

    limits = system.limits
    other = system.with_weights(system.weights)
    other.limits = limits._replace(stack=WIDER * limits.stack, pops=WIDER * limits.pops)
    return other


def _channel(system: Any, source: list[str], outputs: list[str]) -> dict[str, list[str]]:
    """Translations with the weights of ``CHANNEL``, and ``outputs``, if its own are others."""
    from mtkit.smt.system import PRESETS

    found = {}
    for preset, label in CHANNEL.items():
        if system.weights == PRESETS[preset]:
            found[label] = outputs
        else:
            translated = system.with_weights(PRESETS[preset]).translate(source)
            found[label] = [hypotheses[0].text for hypotheses in translated]
    return found if system.weights in PRESETS.values() else found | {"Tuned weights": outputs}


def _seen_in_training(name: str, path: Path, text: Bitext) -> list[str]:
    """A warning where source lines of the test set were trained on."""
    import numpy as np

    from mtkit.corpus import line_hashes
    from mtkit.manifest import HASHES

    if not (path / HASHES).exists():
        return []
    seen = int(np.isin(line_hashes(text.source), np.load(path / HASHES)).sum())
    if not seen:
        return []
    return [f"{name}: {seen} of the {len(text)} test sentences are in its training text"]
