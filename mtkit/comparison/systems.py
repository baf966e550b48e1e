"""What the comparison needs of each system, from model directories and files of outputs."""

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
from mtkit.console import busy, note, step
from mtkit.errors import InputError
from mtkit.evaluation.perplexity import frequencies, token_probabilities
from mtkit.evaluation.statistics import check_parallel
from mtkit.manifest import HASHES, LOG, Manifest, training_text
from mtkit.models import Parts, load, load_word_models
from mtkit.smt.search.features import weights_named
from mtkit.smt.system import SmtSystem
from mtkit.storage.reading import damaged, parse_json, read_array, read_text
from mtkit.system import Hypothesis, System
from mtkit.text.corpus import Bitext, line_hashes
from mtkit.text.glossary import MAX_NAMED, Glossary
from mtkit.text.lines import read_lines
from mtkit.text.terms import Term, read_terms
from mtkit.text.tokenizer import Kind, WordTokenizer

if TYPE_CHECKING:
    from mtkit.smt.alignment.word_model import WordModels

# Weight presets of a statistical system, and their labels in the report.
CHANNEL = {"channel": "P(x|y)", "noisy-channel": "P(x|y) P(y)", "default": "Default weights"}

Align = Callable[[Sequence[Words], Sequence[Words]], list[Links]]
WITH_GLOSSARY = {SmtSystem.kind, Combination.kind}  # kinds that translate with a glossary
HEURISTIC = "grow-diag-final-and"  # symmetrisation of the word alignments


@dataclass(frozen=True)
class Task:
    """One comparison: its systems, its test set and its settings."""

    systems: Mapping[str, Parts]
    material: Material
    threads: int
    tokenizer: Kind | None = None  # for the words in tables; None: the first model's
    glossary: Path | None = None  # file of phrases and their prescribed translations
    inflected: bool = False  # whether glossary phrases match inflected forms, too
    fresh: bool = False  # translate again, even if there is a record
    quick: bool = False  # skip all that runs the models again after translating

    @property
    def test(self) -> Bitext:
        """The test set."""
        return self.material.text

    @property
    def models(self) -> dict[str, Parts]:
        """The systems that are model directories, not files of outputs."""
        return {name: parts for name, parts in self.systems.items() if parts[0].is_dir()}

    @cached_property
    def _terms(self) -> list[Term]:
        return read_terms(self.glossary, self.material.languages) if self.glossary else []

    def glossary_in(self, tokenizer: WordTokenizer) -> Glossary | None:
        """The glossary as tokens; None without one. Raises InputError as ``Glossary.read`` does."""
        if self.glossary is None:
            return None
        return Glossary.of(self._terms, tokenizer.tokenize, self.inflected)


def gather(task: Task) -> tuple[list[Translations], Text, list[str]]:
    """Return the translations of all systems, the test set as tokens, and notes on missing data.

    Tokens are those of the first model, with ``task.tokenizer`` if given. Raises InputError if a
    file of outputs does not fit the test set, models form no ensemble, or the glossary is invalid.
    """
    models = task.models
    files = {n: read_lines(parts[0]) for n, parts in task.systems.items() if n not in models}
    for name, lines in files.items():
        check_parallel(lines, task.test.target, name)
    for parts in models.values():
        if len(parts) > 1:
            load(*parts)  # refuse models that form no ensemble before the long work
    directories = {name: parts[0] for name, parts in models.items()}
    tokenizers = {name: Manifest.read(path).word_tokenizer for name, path in directories.items()}
    tokenizer = next(iter(tokenizers.values()), WordTokenizer())
    tokenizer = replace(tokenizer, kind=task.tokenizer or tokenizer.kind)
    glossary = task.glossary_in(tokenizer)  # refuse an invalid glossary before the long work
    if glossary and task.glossary:
        glossary.note_left_out(task.glossary)
    with step("word frequencies and word alignment of the test set"):
        align = aligner(directories)
        text, notes = in_tokens(task.test, tokenizer, directories, align)
    translations = []
    for name, parts in task.systems.items():
        if name in files:
            system = Translations(name=name, kind="file", outputs=files[name])
        else:
            system = run(name, parts, task)
        words = tokenizer.tokenize_all(system.outputs)
        system = replace(system, words=words, aligned=align(text.source, words) if align else None)
        translations.append(_with_compliance(system, task, tokenizers.get(name, tokenizer)))
    if task.material.scorer.ignore_case:  # after the alignment, whose model may be cased
        translations = [replace(t, words=lower(t.words)) for t in translations]
        text = text.lower()
    return translations, text, notes


def _with_compliance(system: Translations, task: Task, tokenizer: WordTokenizer) -> Translations:
    """Return the system with counts of how often its outputs follow the glossary."""
    if (glossary := task.glossary_in(tokenizer)) is None:
        return system
    sides = (map(tokenizer.tokenize, side) for side in (task.test.source, system.outputs))
    result = glossary.compliance(*sides)
    unmatched = glossary.unmatched(result)
    counts = {
        "matches": result.matches, "complied": result.complied, "entries": len(glossary.entries),
        "unmatched": len(unmatched),
    }  # fmt: skip
    phrases = [tokenizer.detokenize(list(phrase)) for phrase in unmatched[:MAX_NAMED]]
    return replace(system, glossary=counts, unmatched=phrases)


def run(name: str, parts: Parts, task: Task) -> Translations:
    """Return a model's translations of the test set: recorded ones, or new ones, then recorded."""
    directory, ensemble = parts[0], len(parts) > 1
    manifest = Manifest.read(directory)
    glossary = task.glossary_in(manifest.word_tokenizer) if manifest.kind in WITH_GLOSSARY else None
    path = record.path_of(parts, task.test, glossary)
    recorded = None if task.fresh else record.read(path, len(task.test))
    if recorded:
        note(f"{name}: reusing recorded translations ({path}); --fresh translates again")
    if not recorded or not (task.quick or recorded.is_complete):
        recorded = _record(name, parts, task, recorded)
        if not record.write(recorded, path):
            note(f"{name}: {directory} is read-only; its translations are not recorded")
        elif stale := record.prune(path):
            note(f"{name}: {stale} outdated translations removed from {path.parent}")
    if task.quick:  # even if the record has more, so that equal calls give equal reports
        recorded = recorded.translations()
    references = manifest.word_tokenizer.tokenize_all(task.test.target)
    # Networks that differ only in the seed form a family; with a time budget, updates vary, too.
    config = manifest.config | {"seed": 0, "updates": 0}
    family = json.dumps([config, manifest.tokenizer, manifest.corpus])
    no_family = manifest.kind != "nmt" or manifest.config.get("continued") or ensemble
    return Translations(
        name=name,
        networks=len(parts),
        kind=manifest.kind,
        seconds=recorded.seconds,
        threads=recorded.threads,
        bytes=sum(map(size, parts)),
        unknown=sum(len(h.unknown) for h in recorded.best),
        errors=errors(recorded, references) if recorded.scores else None,
        training=() if ensemble else _training_log(directory),
        outputs=[h.text for h in recorded.best],
        scores=recorded.scores,
        bits=recorded.bits,
        by_weights=recorded.channel,
        by_wider=recorded.wider_texts,
        system_links=[h.alignment for h in recorded.best],
        chosen=recorded.chosen,
        family="" if no_family else family,
    )


def opened(parts: Parts, task: Task) -> System:
    """Load a system or an ensemble; set its threads and, unless it is neural, its glossary."""
    system = load(*parts)
    system.limit_threads(task.threads)
    if isinstance(system, SmtSystem | Combination):
        system.use_glossary(task.glossary_in(system.tokenizer) or Glossary())
    return system


def _record(name: str, parts: Parts, task: Task, recorded: Record | None) -> Record:
    """Return a new record, or ``recorded`` with all that it lacks."""
    with busy(f"{name}: loading the model"):
        system = opened(parts, task)
    recorded = recorded or _translate(name, system, task)
    if task.quick or recorded.is_complete:
        return recorded
    note(f"{name}: perplexity and search errors; --quick skips them")
    return _analysed(name, parts, system, task, recorded)


def _translate(name: str, system: System, task: Task) -> Record:
    source = task.test.source
    with busy(f"{name}: loading the model"):
        system.translate(source[:1])  # kernels and caches are loaded before the clock starts
    with step(f"{name}: translating {len(source)} sentences"):
        start = time.perf_counter()
        best = _best_of(system, source)
        seconds = time.perf_counter() - start
    chosen = None
    if isinstance(system, Combination):
        with step(f"{name}: candidates of the combination"):
            chosen = Chosen.of(system, best, task.test)
    return Record(best, seconds, task.threads, chosen=chosen)


def _best_of(translator: System, source: Sequence[str]) -> list[Hypothesis]:
    return [hypotheses[0] for hypotheses in translator.translate(source)]


def _analysed(name: str, parts: Parts, system: System, task: Task, recorded: Record) -> Record:
    """Add all that takes further runs of the model: a wider search, scores, other weights."""
    source = task.test.source
    with step(f"{name}: scoring the references"):
        pairs = task.test.pairs()
        scores = system.score(pairs)
        probabilities = token_probabilities(
            system, Manifest.read(parts[0]).word_tokenizer, pairs, scores
        )
        bits = {q: j.perplexity.bits_per_character for q, j in probabilities.items()}
    with step(f"{name}: search errors, by a wider beam"):
        wider = _best_of(system.wider(WIDER), source)
    channel = {}
    if isinstance(system, SmtSystem):
        with step(f"{name}: noisy-channel weights"):
            manifest = Manifest.read(parts[0])
            ratio = manifest.figures.get("length_ratio", 1.0)  # an imported model has none
            presets = {label: weights_named(key, ratio) for key, label in CHANNEL.items()}
            for label, weights in presets.items():
                differs = system.weights != weights
                outputs = recorded.best
                if differs:
                    outputs = _best_of(system.with_weights(weights), source)
                channel[label] = [h.text for h in outputs]
        if system.weights not in presets.values():
            tuned = manifest.config.get("tune", "none") != "none"
            channel["Tuned weights" if tuned else "Its own weights"] = [
                h.text for h in recorded.best
            ]
    return replace(
        recorded, scores=scores, wider=[h.score for h in wider],
        wider_texts=[h.text for h in wider], channel=channel, bits=bits,
    )  # fmt: skip


def _training_log(directory: Path) -> list[dict[str, float]]:
    """Return the training log, an entry per validation without null values; empty without a log.

    Raises InputError if the log is damaged.
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
    """Return the test set as tokens with word frequencies, and notes on what is missing.

    The frequencies are those of the first model whose training text can be read.
    """
    source, target = test.tokens(tokenizer)
    links = align(source, target) if align else None
    counted_in, missing = "", list[str]()
    for name, directory in models.items():
        try:
            counted_in, training = name, training_text(directory)
            break
        except InputError as error:
            missing.append(f"words are not grouped by their frequency: {error}")
    else:
        return Text(source, target, links), missing[:1]
    counts = [frequencies(tokenizer, side) for side in (training.source, training.target)]
    digests = {name: Manifest.read(path).corpus.get("digest") for name, path in models.items()}
    notes = [
        f"word frequencies are those of the training text of {counted_in}; {name} has another text"
        for name, digest in digests.items()
        if digest != digests[counted_in]
    ]
    return Text(source, target, links, *counts), notes


def aligner(models: Mapping[str, Path]) -> Align | None:
    """Return an aligner by the first model that has word models; ``None`` if no model has any."""
    for directory in with_parts(list(models.values())):
        with suppress(InputError):  # neural and imported models have no word models
            word_models = load_word_models(directory)
            fold = str.lower if Manifest.read(directory).word_tokenizer.lowercase else str
            return partial(_align, word_models, fold)
    return None


def _align(models: WordModels, fold: Callable[[str], str], *sides: Sequence[Words]) -> list[Links]:
    """Align sentence pairs. fold: to the case of the word models. sides: source and target."""
    x, y = ([[fold(word) for word in line] for line in side] for side in sides)
    return list(models.align(x, y, HEURISTIC).by_sentence())


def seen_in_training(models: Mapping[str, Parts], test: Bitext) -> dict[str, list[int]]:
    """Return the test rows whose source is in a model's training text, by model that has any."""
    hashes, seen = [line_hashes([line])[0] for line in test.source], {}
    for name, parts in models.items():
        files = [directory / HASHES for directory in parts]
        is_seen = [np.isin(hashes, read_array(file, np.uint64)) for file in files if file.exists()]
        if rows := np.flatnonzero(np.any(is_seen, axis=0)).tolist():
            seen[name] = rows
    return seen
