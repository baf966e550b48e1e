"""From model directories and files to what the comparison needs of each system."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mtkit.comparison import record
from mtkit.comparison.faults import WIDER, errors
from mtkit.comparison.record import Record
from mtkit.comparison.report import Translations
from mtkit.comparison.where import Links, Text, Words
from mtkit.console import note, step
from mtkit.corpus import Bitext, line_hashes
from mtkit.errors import InputError
from mtkit.glossary import Glossary
from mtkit.manifest import HASHES, LOG, Manifest, training_text
from mtkit.models import limit_threads, load, load_word_models
from mtkit.surprise import frequencies
from mtkit.system import Hypothesis
from mtkit.tokenizer import WordTokenizer

# Presets of a statistical system's weights, from Bayes' rule on, and what the report calls them.
CHANNEL = {"channel": "P(x|y)", "noisy-channel": "P(x|y) P(y)", "default": "Default weights"}

HEURISTIC = "grow-diag-final-and"  # of the links that words are grouped by


@dataclass(frozen=True)
class Task:
    """What every system is asked. glossary: a file of how to translate phrases."""

    test: Bitext
    threads: int
    glossary: Path | None = None
    fresh: bool = False


def gather(
    systems: Sequence[tuple[str, Path]], made: Mapping[str, list[str]], task: Task
) -> tuple[list[Translations], Text, list[str]]:
    """What all systems say, the test set in tokens, and what could not be told of it.

    made: the lines of those that are files. Files are read in the tokens of the first model.
    """
    models = {name: path for name, path in systems if name not in made}
    tokenizers = {n: WordTokenizer(**Manifest.read(path).tokenizer) for n, path in models.items()}
    usual = next(iter(tokenizers.values()), WordTokenizer())
    text, missing = in_tokens(task.test, usual, models)
    found = []
    for name, path in systems:
        of = Translations(name, "file", made[name]) if name in made else run(name, path, task)
        tokens = [usual.tokenize(line) for line in of.outputs]
        of = replace(of, tokens=tokens, aligned=aligned(models, text.source, tokens))
        if task.glossary:
            tokenize = tokenizers.get(name, usual).tokenize
            wanted = Glossary.read(task.glossary, tokenize)
            sides = map(tokenize, task.test.source), map(tokenize, of.outputs)
            of = replace(of, glossary=wanted.compliance(*sides))
        found.append(of)
    return found, text, missing


def run(name: str, directory: Path, task: Task) -> Translations:
    """A model's translations of the test set: those on record, or new ones, which are kept."""
    manifest = Manifest.read(directory)
    path = record.path_of(directory, task.test, task.glossary)
    found = None if task.fresh else record.read(path)
    if found:
        note(f"{name}: translations on record ({path}); --fresh makes new ones")
    else:
        found = _translate(name, directory, task)
        if not record.write(found, path):
            note(f"{name}: {directory} cannot be written; its translations are not kept")
    size = sum(p.stat().st_size for p in directory.rglob("*") if p.parent != path.parent)
    made_from = [h.alignment for h in found.best]
    return Translations(
        name,
        manifest.kind,
        [h.text for h in found.best],
        found.seconds,
        found.scores,
        sum(len(h.unknown) for h in found.best),
        found.channel,
        errors(found.best, task.test.target, found.scores, found.wider),
        training=_training_log(directory),
        wider=found.wider_texts,
        threads=found.threads,
        bytes=size,
        made_from=made_from if any(made_from) else None,
        family=_family(manifest),
    )


def _translate(name: str, directory: Path, task: Task) -> Record:
    system: Any = load(directory)
    limit_threads(system, task.threads)
    source = task.test.source
    if task.glossary and system.kind == "smt":
        system.use_glossary(Glossary.read(task.glossary, system.tokenizer.tokenize))
    system.translate(source[:1])  # kernels and caches are loaded before the clock starts
    with step(f"{name}: translating {len(source)} sentences"):
        start = time.perf_counter()
        best = _best(system, source)
        seconds = time.perf_counter() - start
    with step(f"{name}: probabilities of the references"):
        scores = system.score(task.test.pairs())
    with step(f"{name}: errors of the search, by a wider one"):
        wider = _best(_wider(system), source)
    channel = {}
    if system.kind == "smt":
        with step(f"{name}: the noisy channel, by other weights"):
            channel = _channel(system, source, [h.text for h in best])
    scored = [h.score for h in wider], [h.text for h in wider]
    return Record(best, seconds, task.threads, scores, *scored, channel)


def _best(system: Any, source: Sequence[str]) -> list[Hypothesis]:
    return [hypotheses[0] for hypotheses in system.translate(source)]


def _wider(system: Any) -> Any:
    """The same system with a search ``WIDER`` times as wide."""
    if system.kind == "nmt":
        return system.with_beam(WIDER * system.beam)
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
            other = system.with_weights(PRESETS[preset])
            found[label] = [h.text for h in _best(other, source)]
    return found if system.weights in PRESETS.values() else found | {"Tuned weights": outputs}


def _training_log(directory: Path) -> list[dict[str, float]]:
    """What a neural model's training logged at each validation; nothing where it did not."""
    file = directory / LOG
    if not file.is_file():
        return []
    try:
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    except ValueError:
        raise InputError(f"{file}: not a log of training; remove it, or train again") from None


def _family(manifest: Manifest) -> str:
    """The same for models that differ in their seed alone."""
    config = manifest.config | {"seed": 0, "updates": 0}  # of which time decided
    of = [manifest.kind, config, manifest.tokenizer, manifest.corpus]
    return hashlib.blake2b(json.dumps(of).encode(), digest_size=8).hexdigest()


# --- the test set itself


def in_tokens(
    test: Bitext, tokenizer: WordTokenizer, models: Mapping[str, Path]
) -> tuple[Text, list[str]]:
    """The test set in tokens, with what the models' training text tells of its words.

    Also what could not be told, and why.
    """
    source, target = ([tokenizer.tokenize(line) for line in side] for side in _sides(test))
    known, missing = None, list[str]()
    for directory in models.values():
        try:
            known = training_text(directory)
            break
        except InputError as error:
            missing.append(f"words are not grouped by their frequency: {error}")
    links = aligned(models, source, target)
    if not known:
        return Text(source, target, links), missing[:1]
    counts = [frequencies(tokenizer, side) for side in _sides(known)]
    return Text(source, target, links, *counts), []


def aligned(
    models: Mapping[str, Path], source: Sequence[Words], target: Sequence[Words]
) -> list[Links] | None:
    """Links by the words of the first statistical model that can align; ``None`` without one."""
    for directory in models.values():
        if Manifest.read(directory).kind != "smt":
            continue
        try:
            words = load_word_models(directory)
        except InputError:
            continue
        return list(words.align(source, target, HEURISTIC).by_sentence())
    return None


def _sides(text: Bitext) -> tuple[list[str], list[str]]:
    return text.source, text.target


def seen_in_training(models: Mapping[str, Path], test: Bitext) -> dict[str, list[int]]:
    """The rows of the test set whose source is in the training text of each model, where any is."""
    found = {}
    for name, directory in models.items():
        if (directory / HASHES).exists():
            hashes = np.load(directory / HASHES)
            rows = [i for i, line in enumerate(test.source) if np.isin(line_hashes([line]), hashes)]
            if rows:
                found[name] = rows
    return found
