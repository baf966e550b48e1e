"""From a corpus to a directory with a trained neural model."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from mtkit.console import note
from mtkit.errors import InputError
from mtkit.manifest import MANIFEST, Manifest, save_training_hashes, write_log
from mtkit.nmt import parallel
from mtkit.nmt.data import Data
from mtkit.nmt.recipe import TrainConfig, preset, suited
from mtkit.nmt.system import NmtSystem
from mtkit.nmt.training import checkpoint
from mtkit.nmt.training.plan import plan
from mtkit.nmt.training.segmented import Segmented, Spelling
from mtkit.nmt.training.train import train
from mtkit.nmt.training.update import Run
from mtkit.platforms import HOST, keep_memory
from mtkit.storage.reading import read_json, unfit
from mtkit.storage.stages import FINGERPRINT, Stages, name_of_output, stages_directory, unfinished
from mtkit.storage.writing import renamed, reserved
from mtkit.text import shards
from mtkit.text.corpus import Bitext, Corpus, hold_out
from mtkit.text.shards import SIDES, Sentences, Shards
from mtkit.text.subwords import Subwords
from mtkit.text.tokenizer import WordTokenizer

CHECKPOINT = "checkpoint"  # file in the directory of an unfinished training
Recipe = TrainConfig | Mapping[str, Any]  # all settings, or changes to the preset that suits


def train_nmt(
    corpus: Corpus, tokenizer: WordTokenizer, config: Recipe, out: Path, resume: bool = False,
    start: NmtSystem | None = None,
) -> Manifest | None:  # fmt: skip
    """Train on ``corpus`` and write the model directory ``out``.

    Returns the manifest; None in all processes but the first. tokenizer: for both languages.
    config: a recipe as from ``recipe.preset``, or changes to the preset that suits the corpus; its
    seed decides everything random. resume: continue the interrupted training of ``out``. start: a
    model to train further; its weights, shape and subwords are used. Raises InputError if there is
    nothing to resume, or the interrupted training has another text or other settings.
    """
    start_time = time.perf_counter()
    keep_memory()
    text = replace(corpus, train=corpus.train.without_empty())
    with (
        reserved(out) if parallel.RANK == 0 else nullcontext(),
        _unfinished(out, text, tokenizer, resume) as place,
        renamed(out) if parallel.RANK == 0 else nullcontext() as directory,
    ):
        run, subwords = _planned_run(text, tokenizer, config, place, start, start_time)
        system = NmtSystem([train(run)], subwords, tokenizer)
        manifest = None
        if directory is not None:
            seconds = time.perf_counter() - start_time
            manifest = _write(system, run, corpus, directory, seconds)
    parallel.wait()  # until the directory exists
    return manifest


@contextmanager
def _unfinished(
    out: Path, corpus: Corpus, tokenizer: WordTokenizer, resume: bool
) -> Iterator[Path]:
    """Provide the directory of the unfinished training of ``out``; see ``stages.unfinished``.

    Processes that ``torchrun`` restarted resume. They start anew if there is nothing to resume, as
    do several processes with ``resume``.
    """
    texts = [side.digest() for side in (corpus.train, corpus.dev) if side]
    marks = {"text": "".join(texts), "tokenizer": str(tokenizer)}
    place = stages_directory(out)
    if parallel.restarted() or (resume and parallel.WORLD > 1):
        resume = (place / FINGERPRINT).exists()
    if parallel.RANK == 0:
        with unfinished(out, marks, resume, resume_point=_resume_point):
            parallel.wait()
            yield place
            parallel.wait()  # until no process reads there
    else:
        parallel.wait()
        _check_same(place, marks)
        yield place
        parallel.wait()


def _check_same(place: Path, marks: Mapping[str, str]) -> None:
    """Raise InputError if this process sees another directory, text or tokenizer than the first."""
    file = place / FINGERPRINT
    if not file.exists():
        raise InputError(
            f"{HOST}: {place} is missing; all machines must see the model's directory under the "
            "same path"
        )
    first = read_json(file, dict, unfit)
    if others := [name for name, digest in marks.items() if first.get(name) != digest]:
        raise InputError(
            f"{HOST}: {' and '.join(others)} not as in the first process; use the same on all "
            "machines"
        )


def _resume_point(place: Path) -> str:
    return "the last saved state" if (place / CHECKPOINT).exists() else ""


def _planned_run(
    corpus: Corpus, tokenizer: WordTokenizer, config: Recipe, place: Path, start: NmtSystem | None,
    start_time: float,
) -> tuple[Run, Subwords]:  # fmt: skip
    """Return a run with a fixed number of updates, and its subwords.

    The run is restored from its checkpoint in ``place``, if any. If the budget allows too few
    epochs for the preset, another preset is used. start_time: see ``plan``. Raises InputError if
    ``config`` has another number of updates than the checkpoint.
    """
    pairs, file = len(corpus.train), place / CHECKPOINT
    progress = checkpoint.progress_of(file) if file.exists() else {}
    # A checkpoint of the time measurement has no number of updates yet.
    resume = bool(parallel.from_first_process(progress.get("updates", 0) > 0))
    preset_name = progress.get("preset", "small") if resume else suited(pairs)
    settings = config if isinstance(config, TrainConfig) else preset(preset_name, **config)
    run, subwords = _prepare(corpus, tokenizer, settings, place, start)
    if resume:
        run.restore()
        if settings.updates not in (0, run.config.updates):
            raise InputError(
                f"{name_of_output(place)}: the interrupted training has --updates "
                f"{run.config.updates}; use the same number, or start again without --resume"
            )
        note(f"resumed at update {run.update} of {run.config.updates}")
    lines = [] if run.config.updates and resume else plan(run, start_time)
    if not resume and not isinstance(config, TrainConfig):
        epochs = run.config.updates / run.batches_per_epoch
        if (name := suited(pairs, epochs)) != settings.preset:
            note(f"time for only {epochs:.1f} epochs of the preset {settings.preset}; using {name}")
            file.unlink(missing_ok=True)
            settings = preset(name, **config)
            return _planned_run(corpus, tokenizer, settings, place, start, start_time)
    size = f"{len(subwords)} subwords, {run.parameters / 1e6:.1f} M parameters"
    note(f"preset {settings.preset}: {size}")
    for line in lines:
        note(line)
    return run, subwords


def _prepare(
    corpus: Corpus, tokenizer: WordTokenizer, config: TrainConfig, place: Path,
    start: NmtSystem | None,
) -> tuple[Run, Subwords]:  # fmt: skip
    """Return a training run before its first update, and its subwords."""
    text, dev = train_and_dev(corpus.train, corpus.dev)
    stages = Stages(place)
    with parallel.first_alone():
        words = shards.write_tokenized(text, tokenizer, stages)
    config = _resolved(config, words.tokens[1], start)
    with parallel.first_alone():
        subwords = start.subwords if start else _subwords(words, config.vocabulary, stages)
    source, target = _drop_long(*_sides(words, subwords), config.max_length)
    segment = _segment(source, target, config.bpe_dropout)
    held_out = Data.of(dev.without_empty().tokens(tokenizer), subwords)
    run = Run(
        config, len(subwords), Data(source, target, []), held_out,
        lambda ids: " ".join(subwords.decode(ids)), place / CHECKPOINT, segment,
        start.models[0].state_dict() if start else None,
    )  # fmt: skip
    return run, subwords


def _subwords(words: Shards, size: int, stages: Stages) -> Subwords:
    """Learn subwords on both sides together, as a stage of its own, or load them."""
    file = "subwords.json"

    def learn(into: Path) -> None:
        Subwords.train(Sentences(words), size).save(into / file)

    return Subwords.load(stages.once(f"subwords-{size}", learn) / file)


def _sides(words: Shards, subwords: Subwords) -> tuple[Segmented, Segmented]:
    """Return source and target as sequences of subwords that are read from disk on demand."""

    def side(name: str) -> Segmented:
        ids, begin = words.mapped(name)
        spelling = Spelling.of(subwords, words.vocabulary(name).words)
        return Segmented(spelling, ids, begin[:-1], begin[1:])

    return side(SIDES[0]), side(SIDES[1])


def train_and_dev(train: Bitext, dev: Bitext | None) -> tuple[Bitext, Bitext]:
    """Return both texts; without a dev set, hold out one in 20 training pairs, with a note.

    Raises InputError if the training text is too short for that.
    """
    if dev is not None:
        return train, dev
    whole = train
    train, dev = hold_out(whole, 20)
    if not len(dev):
        raise InputError(
            f"{whole.paths[0]}: too few pairs ({len(whole)}) to hold out a dev set; name "
            "one with --dev SRC TGT"
        )
    note(f"no dev set: {len(dev)} training pairs are held out as dev set")
    return train, dev


def train_seeds(
    corpus: Corpus, tokenizer: WordTokenizer, config: Recipe, directories: Sequence[Path],
    resume: bool = False, start: NmtSystem | None = None,
) -> None:  # fmt: skip
    """Train models with consecutive seeds into ``directories``; report how much they differ.

    All use the preset and the number of updates chosen for the first. resume: keep complete models
    and continue the interrupted one. Raises InputError if a complete model has other settings. See
    ``train_nmt``.
    """
    if start and not isinstance(config, TrainConfig):
        config = preset("small", **config)  # ``suited`` was measured on untrained networks only
    if len(directories) == 1:
        train_nmt(corpus, tokenizer, config, directories[0], resume, start)
        return
    figures = []
    first = config.seed if isinstance(config, TrainConfig) else config.get("seed", 1)
    for seed, directory in enumerate(directories, first):
        done = resume and (directory / MANIFEST).is_file()
        note(f"seed {seed}: {directory}{', already trained' if done else ''}")
        seeded = _seeded(config, seed)
        manifest: Manifest | None
        if done:
            manifest = _complete_manifest(directory, seeded, start)
        else:
            resuming = resume and stages_directory(directory).exists()
            manifest = train_nmt(corpus, tokenizer, seeded, directory, resuming, start)
        trained = Manifest.read(directory).config
        if not isinstance(config, TrainConfig):
            config = preset(trained.get("preset", "small"), **config)
        config = replace(config, updates=trained.get("updates", config.updates))
        if manifest:
            figures.append(manifest.figures)
    for name in ("dev_perplexity", "dev_bleu") if len(figures) == len(directories) else ():
        values = [entry[name] for entry in figures]
        note(
            f"{name.replace('_', ' ')} of {len(values)} seeds: mean {statistics.mean(values):.2f}, "
            f"standard deviation {statistics.stdev(values):.2f} "
            f"({', '.join(f'{value:.2f}' for value in values)})"
        )


def _seeded(config: Recipe, seed: int) -> Recipe:
    if isinstance(config, TrainConfig):
        return replace(config, seed=seed)
    return {**config, "seed": seed}


def _complete_manifest(out: Path, config: Recipe, start: NmtSystem | None) -> Manifest:
    """Return a complete model's manifest. Raises InputError if ``config`` has other settings."""
    undecided = {"vocabulary": 0, "updates": 0, "precision": "auto"}  # resolved by each run
    manifest = Manifest.read(out)
    if not isinstance(config, TrainConfig):
        config = preset(manifest.config.get("preset", "small"), **config)
    for name, value in asdict(_shaped(config, start)).items():
        trained = manifest.config.get(name, value)  # an old model may lack it
        if value not in (trained, undecided.get(name)):
            raise InputError(
                f"{out} was trained with {name} {trained}, not {value}; "
                "use the same options, or start again without --resume"
            )
    return manifest


def _resolved(config: TrainConfig, words: int, start: NmtSystem | None) -> TrainConfig:
    """Return ``config`` with the vocabulary for so many target words, or the shape of ``start``."""
    config = _shaped(config, start)
    size = config.vocabulary or max(500, min(32000, 8 * math.isqrt(words)))
    return replace(config, vocabulary=size)


def _shaped(config: TrainConfig, start: NmtSystem | None) -> TrainConfig:
    """Return ``config`` with the shape of ``start``, but its own dropout."""
    if start is None:
        return config
    shape = asdict(start.models[0].config) | {"dropout": config.dropout}
    return replace(config, **shape | {"vocabulary": len(start.subwords)})


def _segment(source: Segmented, target: Segmented, p: float) -> Callable[[int], Data] | None:
    """Return a function seed → training data segmented with BPE-dropout ``p``; None for p = 0."""
    if p == 0:
        return None
    return lambda seed: Data(source.sampled(p, 2 * seed), target.sampled(p, 2 * seed + 1), [])


def _drop_long(source: Segmented, target: Segmented, limit: int) -> tuple[Segmented, Segmented]:
    """Return the pairs of at most ``limit`` subwords per side, with a note if any are left out.

    Raises InputError if none are left.
    """
    x, y = source.lengths, target.lengths
    rows = np.flatnonzero((x > 0) & (x <= limit) & (y > 0) & (y <= limit))
    if len(rows) < len(x):
        note(f"{len(x) - len(rows)} pairs longer than {limit} subwords are left out")
    if not len(rows):
        raise InputError(
            f"every training pair has more than {limit} subwords on a side, or an empty side"
        )
    return source.select(rows), target.select(rows)


def _write(
    system: NmtSystem, run: Run, corpus: Corpus, directory: Path, seconds: float
) -> Manifest:
    """Write the model, its log and its manifest. seconds: training time of this process."""
    system.save(directory)
    write_log(run.history, directory)
    save_training_hashes(corpus, directory)
    best = next(entry for entry in run.history if entry["update"] == run.best[1])
    figures = {
        "seconds": seconds,
        "dev_perplexity": run.best[0],
        "dev_bleu": best["bleu"],
        "best_update": run.best[1],
        "parameters": run.parameters,
        "skipped_updates": int(run.skipped),
    }
    config = {**asdict(run.config), **system.settings, "continued": run.continued}
    manifest = Manifest.of("nmt", corpus, system.tokenizer, config, figures)
    manifest.write(directory)
    return manifest
