"""From model directories and files to what the comparison needs of each system."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mtkit.combination.parts import size, with_parts
from mtkit.combination.system import Combination
from mtkit.comparison import record
from mtkit.comparison.choices import Chosen
from mtkit.comparison.faults import WIDER, errors
from mtkit.comparison.record import Record
from mtkit.comparison.report import Material, Translations
from mtkit.comparison.where import Links, Text, Words, lower
from mtkit.console import note, step
from mtkit.errors import InputError
from mtkit.evaluation.perplexity import frequencies, judge
from mtkit.evaluation.statistics import check_parallel
from mtkit.manifest import HASHES, LOG, Manifest, training_text
from mtkit.models import Parts, load, load_word_models
from mtkit.smt.search.features import weights_named
from mtkit.smt.system import SmtSystem
from mtkit.storage.reading import damaged, parse_json, read_array, read_text
from mtkit.system import Hypothesis, System
from mtkit.text.corpus import Bitext, line_hashes
from mtkit.text.glossary import Glossary
from mtkit.text.lines import read_lines
from mtkit.text.terms import Term, read_terms
from mtkit.text.tokenizer import Kind, WordTokenizer

if TYPE_CHECKING:
    from mtkit.smt.alignment.word_model import WordModels

# Presets of a statistical system's weights, from Bayes' rule on, and what the report calls them.
CHANNEL = {"channel": "P(x|y)", "noisy-channel": "P(x|y) P(y)", "default": "Default weights"}

Align = Callable[[Sequence[Words], Sequence[Words]], list[Links]]
OBEYING = {SmtSystem.kind, Combination.kind}  # kinds that can be held to a glossary
UNMATCHED = 5  # phrases of the glossary that the report names
HEURISTIC = "grow-diag-final-and"  # of the links that words are grouped by


@dataclass(frozen=True)
class Task:
    """What every system is asked."""

    systems: Mapping[str, Parts]
    material: Material
    threads: int
    tokenizer: Kind | None = None  # of the words in tables, where not the first model's
    glossary: Path | None = None  # how to translate phrases
    inflected: bool = False  # whether these match other forms of the same words
    fresh: bool = False  # translate again, whatever is on record

    @property
    def test(self) -> Bitext:
        """The test set."""
        return self.material.text

    @property
    def models(self) -> dict[str, Parts]:
        """The systems that are no files."""
        return {name: parts for name, parts in self.systems.items() if parts[0].is_dir()}

    @cached_property
    def _terms(self) -> list[Term]:
        return read_terms(self.glossary, self.material.languages) if self.glossary else []

    def glossary_in(self, tokenizer: WordTokenizer) -> Glossary | None:
        """The glossary in tokens; None without one. Raises InputError as ``Glossary.read`` does."""
        if self.glossary is None:
            return None
        return Glossary.of(self._terms, tokenizer.tokenize, self.inflected)


def gather(task: Task) -> tuple[list[Translations], Text, list[str]]:
    """What all systems say, the test set in the first model's tokens, what is not known of it."""
    models = task.models
    files = {n: read_lines(parts[0]) for n, parts in task.systems.items() if n not in models}
    for name, lines in files.items():
        check_parallel(lines, task.test.target, name)
    for parts in models.values():
        if len(parts) > 1:
            load(*parts)  # what is no ensemble is refused before the work
    directories = {name: parts[0] for name, parts in models.items()}
    tokenizers = {name: Manifest.read(path).word_tokenizer for name, path in directories.items()}
    usual = next(iter(tokenizers.values()), WordTokenizer())
    usual = replace(usual, kind=task.tokenizer or usual.kind)
    glossary = task.glossary_in(usual)  # wrong, it is refused before the work
    if glossary and task.glossary:
        glossary.note_left_out(task.glossary)
    align = aligner(directories)
    text, unknown = in_tokens(task.test, usual, directories, align)
    translations = []
    for name, parts in task.systems.items():
        if name in files:
            system = Translations(name=name, kind="file", outputs=files[name])
        else:
            system = run(name, parts, task)
        words = usual.tokenize_all(system.outputs)
        system = replace(system, words=words, aligned=align(text.source, words) if align else None)
        translations.append(_with_compliance(system, task, tokenizers.get(name, usual)))
    if task.material.scorer.ignore_case:  # not before words are aligned
        translations = [replace(t, words=lower(t.words)) for t in translations]
        text = text.lower()
    return translations, text, unknown


def _with_compliance(system: Translations, task: Task, tokenizer: WordTokenizer) -> Translations:
    """The system, and how far it followed the glossary."""
    if (glossary := task.glossary_in(tokenizer)) is None:
        return system
    sides = (map(tokenizer.tokenize, side) for side in (task.test.source, system.outputs))
    of = glossary.compliance(*sides)
    unmatched = glossary.unmatched(of)
    counts = {
        "matches": of.matches, "complied": of.complied, "entries": len(glossary.entries),
        "unmatched": len(unmatched),
    }  # fmt: skip
    first = [tokenizer.detokenize(list(phrase)) for phrase in unmatched[:UNMATCHED]]
    return replace(system, glossary=counts, unmatched=first)


def run(name: str, parts: Parts, task: Task) -> Translations:
    """A model's translations of the test set: those on record, or new ones, which are kept."""
    directory, ensemble = parts[0], len(parts) > 1
    manifest = Manifest.read(directory)
    glossary = task.glossary_in(manifest.word_tokenizer) if manifest.kind in OBEYING else None
    path = record.path_of(parts, task.test, glossary)
    kept = None if task.fresh else record.read(path, len(task.test))
    if kept:
        note(f"{name}: reusing recorded translations ({path}); --fresh translates again")
    else:
        kept = _translate(name, parts, task)
        if not record.write(kept, path):
            note(f"{name}: {directory} is read-only; its translations are not recorded")
        elif stale := record.prune(path):
            note(f"{name}: {stale} outdated translations removed from {path.parent}")
    references = manifest.word_tokenizer.tokenize_all(task.test.target)
    # Networks that differ in their seed alone are a family; time decided on their updates.
    config = manifest.config | {"seed": 0, "updates": 0}
    family = json.dumps([config, manifest.tokenizer, manifest.corpus])
    alone = manifest.kind != "nmt" or manifest.config.get("continued") or ensemble
    return Translations(
        name=name,
        networks=len(parts),
        kind=manifest.kind,
        seconds=kept.seconds,
        threads=kept.threads,
        bytes=sum(map(size, parts)),
        unknown=sum(len(h.unknown) for h in kept.best),
        errors=errors(kept, references) if kept.scores else None,
        training=() if ensemble else _training_log(directory),
        outputs=[h.text for h in kept.best],
        scores=kept.scores,
        bits=kept.bits,
        by_weights=kept.channel,
        by_wider=kept.wider_texts,
        made_from=[h.alignment for h in kept.best],
        chosen=kept.chosen,
        family="" if alone else family,
    )


def opened(parts: Parts, task: Task) -> System:
    """The system in a directory, or the ensemble of several, held to the glossary if it can be."""
    system = load(*parts)
    system.limit_threads(task.threads)
    if isinstance(system, SmtSystem | Combination):
        system.use_glossary(task.glossary_in(system.tokenizer) or Glossary())
    return system


def _translate(name: str, parts: Parts, task: Task) -> Record:
    system, source = opened(parts, task), task.test.source

    def best_of(asked: System) -> list[Hypothesis]:
        return [hypotheses[0] for hypotheses in asked.translate(source)]

    system.translate(source[:1])  # kernels and caches are loaded before the clock starts
    with step(f"{name}: translating {len(source)} sentences"):
        start = time.perf_counter()
        best = best_of(system)
        seconds = time.perf_counter() - start
    if isinstance(system, Combination):
        with step(f"{name}: candidates of the combination"):
            chosen = Chosen.of(system, best, task.test)
        return Record(best, seconds, task.threads, chosen=chosen)
    with step(f"{name}: scoring the references"):
        pairs = task.test.pairs()
        scores = system.score(pairs)
        judged = judge(system, Manifest.read(parts[0]).word_tokenizer, pairs, scores)
        bits = {q: j.perplexity.bits_per_character for q, j in judged.items()}
    with step(f"{name}: search errors, by a wider beam"):
        wider = best_of(system.wider(WIDER))
    channel = {}
    if isinstance(system, SmtSystem):
        with step(f"{name}: noisy-channel weights"):
            manifest = Manifest.read(parts[0])
            ratio = manifest.figures.get("length_ratio", 1.0)  # an imported model has none
            presets = {label: weights_named(key, ratio) for key, label in CHANNEL.items()}
            for label, weights in presets.items():
                other = system.weights != weights
                said = best_of(system.with_weights(weights)) if other else best
                channel[label] = [h.text for h in said]
        if system.weights not in presets.values():
            tuned = manifest.config.get("tune", "none") != "none"
            channel["Tuned weights" if tuned else "Its own weights"] = [h.text for h in best]
    wide = [h.score for h in wider], [h.text for h in wider]
    return Record(best, seconds, task.threads, scores, *wide, channel, bits=bits)


def _training_log(directory: Path) -> list[dict[str, float]]:
    """What a neural model's training logged at each validation, without what was not finite;
    nothing where it did not log.
    """
    file = directory / LOG
    if not file.is_file():
        return []
    entries = [parse_json(line, file, dict) for line in read_text(file).splitlines()]
    values = [value for entry in entries for value in entry.values()]
    if not all(value is None or type(value) in (int, float) for value in values):
        raise damaged(file, "not a training log")
    return [{k: v for k, v in entry.items() if v is not None} for entry in entries]


# --- the test set itself


def in_tokens(
    test: Bitext, tokenizer: WordTokenizer, models: Mapping[str, Path], align: Align | None
) -> tuple[Text, list[str]]:
    """The test set, its words counted in the first training text that is there; what is missing."""
    source, target = test.tokens(tokenizer)
    links = align(source, target) if align else None
    whose, missing = "", list[str]()
    for name, directory in models.items():
        try:
            whose, known = name, training_text(directory)
            break
        except InputError as error:
            missing.append(f"words are not grouped by their frequency: {error}")
    else:
        return Text(source, target, links), missing[:1]
    counts = [frequencies(tokenizer, side) for side in (known.source, known.target)]
    digests = {name: Manifest.read(path).corpus.get("digest") for name, path in models.items()}
    notes = [
        f"word frequencies are those of the training text of {whose}; {name} has another text"
        for name, digest in digests.items()
        if digest != digests[whose]
    ]
    return Text(source, target, links, *counts), notes


def aligner(models: Mapping[str, Path]) -> Align | None:
    """Links by the words of the first model that can align; ``None`` without one."""
    for directory in with_parts(list(models.values())):
        with suppress(InputError):  # a network, or imported
            words = load_word_models(directory)
            fold = str.lower if Manifest.read(directory).word_tokenizer.lowercase else str
            return partial(_align, words, fold)
    return None


def _align(words: WordModels, fold: Callable[[str], str], *sides: Sequence[Words]) -> list[Links]:
    """fold: to the case that the models know. sides: source and target."""
    x, y = ([[fold(word) for word in line] for line in side] for side in sides)
    return list(words.align(x, y, HEURISTIC).by_sentence())


def seen_in_training(models: Mapping[str, Parts], test: Bitext) -> dict[str, list[int]]:
    """The rows of the test set whose source is in the training text of each model, where any is."""
    lines, seen = [line_hashes([line])[0] for line in test.source], {}
    for name, parts in models.items():
        files = [directory / HASHES for directory in parts]
        known = [np.isin(lines, read_array(file, np.uint64)) for file in files if file.exists()]
        if rows := np.flatnonzero(np.any(known, axis=0)).tolist():
            seen[name] = rows
    return seen
