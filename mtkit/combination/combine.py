"""From trained systems and a dev set to a combination on disk."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from mtkit.combination.parts import OtherSystem, Part, write_parts
from mtkit.combination.pool import SHARED, build_pool
from mtkit.combination.system import WEIGHTS, Combination, is_accepted
from mtkit.combination.tune import Figures, Tuned, tune
from mtkit.console import note, step
from mtkit.errors import InputError
from mtkit.manifest import COMBINATION, HASHES, Manifest, split_entries
from mtkit.storage.writing import replacing
from mtkit.text.corpus import Bitext

Paths = Sequence[Path]  # one model directory, several for an ensemble, or a file of n-best lists


def combine(
    named: Mapping[str, Paths], dev: Bitext | None, out: Path, copy: bool = False, threads: int = 2
) -> Manifest:
    """Tune the combination of the systems ``named`` on ``dev`` and write its directory ``out``.

    dev: by default the dev set that the manifests name. copy: copy the systems into ``out``. Raises
    InputError if the systems cannot be combined or there is no dev set.
    """
    start = time.perf_counter()
    models = {name: paths for name, paths in named.items() if paths[0].is_dir()}
    if not models:
        raise InputError("a combination needs at least one model; name a model directory")
    if SHARED in named:
        raise InputError(f"a system cannot be called {SHARED!r}; rename it with NAME=DIR")
    check(models)
    first = Manifest.read(next(iter(models.values()))[0])
    whole = dev or named_dev(models)  # whose lines n-best lists are numbered by
    dev = whole.without_empty()
    with replacing(out) as directory:
        parts = [open_part(name, paths, first, whole) for name, paths in named.items()]
        system = Combination(parts, first.word_tokenizer, {})
        system.limit_threads(threads)
        tuned, candidates = _tuned(system, dev)
        report(tuned, candidates)
        write_parts(parts, out, directory, copy)
        text = json.dumps(tuned.weights, ensure_ascii=False, indent=2)
        (directory / WEIGHTS).write_text(text + "\n", encoding="utf-8")
        if (hashes := next(iter(models.values()))[0] / HASHES).is_file():
            shutil.copyfile(hashes, directory / HASHES)
        corpus = first.corpus | split_entries("dev", dev, first.corpus)
        n_source, n_target = (sum(map(len, side)) for side in dev.tokens(first.word_tokenizer))
        config = {
            "systems": [part.name for part in parts],
            "length_ratio": n_target / max(1, n_source),
        }
        figures = {"seconds": time.perf_counter() - start, "dev": _figures(tuned)}
        manifest = Manifest(COMBINATION, first.languages, corpus, first.tokenizer, config, figures)
        manifest.write(directory)
    return manifest


def open_part(name: str, paths: Paths, first: Manifest, dev: Bitext) -> Part:
    """Open a model for the languages of ``first``, or read n-best lists of the dev set."""
    if paths[0].is_dir():
        return Part.open(name, paths, first.languages)
    other = OtherSystem(name, first.word_tokenizer)
    other.read(paths[0], dev.source)
    return Part(name, (), other)


def _tuned(system: Combination, dev: Bitext) -> tuple[Tuned, float]:
    """Return tuned weights for the parts of ``system``, and the mean candidates per sentence.

    Raises InputError if only one part translates, or all lines of the dev set are too long.
    """
    proposing = [part.name for part in system.parts if not part.reverse]
    if len(proposing) < 2:
        raise InputError(
            f"{proposing[0]} is the only system; name another one for the same languages"
        )
    dev = dev.select(
        [i for i, words in enumerate(system.tokenize(dev.source)) if is_accepted(words)]
    )
    if not len(dev):
        raise InputError(f"{dev.paths[0]}: all lines are too long; use a dev set with shorter ones")
    references = system.tokenize(dev.target)
    note(f"tuning on {dev.paths[0]}, {dev.paths[1]}")
    with step(f"candidates for {len(dev):,} dev sentences, scored by each system"):
        pool = build_pool(system.parts, dev.source, system.tokenizer)
    with step("tuning the weights"):
        tuned = tune(pool, proposing, references)
    if not tuned.pays:
        tuned = replace(tuned, weights={tuned.best: {"model": 1.0}})
    return tuned, len(pool.candidates) / len(dev)


def check(models: Mapping[str, Paths]) -> None:
    """Raise InputError if the models use different tokenizers."""
    tokenizers = {name: Manifest.read(paths[0]).tokenizer for name, paths in models.items()}
    first, *others = tokenizers
    for name in others:
        if tokenizers[name] != tokenizers[first]:
            raise InputError(
                f"{name} and {first} use different tokens; train both with the same --tokenizer "
                "and --lowercase"
            )


def named_dev(models: Mapping[str, Paths]) -> Bitext:
    """Return the dev set that the manifests name. Raises InputError if none, or they differ."""
    languages = Manifest.read(next(iter(models.values()))[0]).languages
    files = dict[str, tuple[Path, Path]]()
    for name, paths in models.items():
        manifest = Manifest.read(paths[0])
        if dev_files := manifest.files("dev"):
            files[name] = dev_files if manifest.languages == languages else dev_files[::-1]
    if not files:
        raise InputError("the models were trained without a dev set; name one with --dev SRC TGT")
    (first, common), *others = files.items()
    for name, other in others:
        if other != common:
            raise InputError(
                f"{first} and {name} were trained with different dev sets; name one with "
                "--dev SRC TGT"
            )
    file_format = Manifest.read(models[first][0]).file_format("dev")
    return Bitext.read(*common, languages, file_format)


def report(tuned: Tuned, candidates: float) -> None:
    """Print BLEU and WER of systems, combination and oracle, and the gain with its 95 % interval.

    candidates: mean per sentence.
    """
    note(f"  {candidates:.0f} candidates per sentence; BLEU and WER of word tokens")
    rows = {
        **tuned.alone,
        "combination, cross-validated": tuned.validated,
        "combination, on its tuning data": tuned.fitted,
        "best candidates (oracle)": tuned.oracle,
    }
    note(f"    {'dev set':<32}{'BLEU':>8}{'WER':>8}")
    for name, figures in rows.items():
        note(f"    {name:<32}{figures.bleu:8.2f}{figures.wer:8.2f}")
    if tuned.pays:
        gain, over = tuned.gain, f"over {tuned.best}, cross-validated"
        note(f"    {gain.value:+.2f} BLEU ({gain.low:+.2f} to {gain.high:+.2f}) {over}")
    else:
        note(
            f"warning: cross-validated, the combination is not better than {tuned.best}, which "
            "therefore gets all the weight"
        )


def _figures(tuned: Tuned) -> dict[str, Any]:
    def figures(scores: Figures) -> dict[str, float]:
        return {"bleu": scores.bleu, "wer": scores.wer}

    return {
        "alone": {name: figures(scores) for name, scores in tuned.alone.items()},
        "cross-validated": figures(tuned.validated),
        "gain": asdict(tuned.gain),
        "tuned": figures(tuned.fitted),
        "oracle": figures(tuned.oracle),
    }
