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
from mtkit.storage.stages import FINGERPRINT, Stages, place_of, unfinished
from mtkit.storage.writing import replacing
from mtkit.text import shards
from mtkit.text.corpus import Bitext, Corpus, hold_out
from mtkit.text.shards import SIDES, Sentences, Shards
from mtkit.text.subwords import Subwords
from mtkit.text.tokenizer import WordTokenizer

CHECKPOINT = "checkpoint"  # in the directory of what outlives the process
Recipe = TrainConfig | Mapping[str, Any]  # settings, or changes to those that suit the text


def train_nmt(
    corpus: Corpus, tokenizer: WordTokenizer, config: Recipe, out: Path, resume: bool = False,
    start: NmtSystem | None = None,
) -> Manifest | None:  # fmt: skip
    """Train on ``corpus`` and write the model directory ``out``; its manifest, for the first of
    several processes. tokenizer: of both languages. config: the recipe, as ``recipe.preset`` builds
    one, or changes to the one that suits; its seed decides everything random. resume: continue what
    an interruption left beside ``out``. start: a model to train further; its weights, shape and
    subwords are taken over. Raises InputError where there is nothing to resume, or a training of
    another text or other settings.
    """
    begun = time.perf_counter()
    keep_memory()
    text = replace(corpus, train=corpus.train.without_empty())
    with (
        replacing(out) if parallel.RANK == 0 else nullcontext() as directory,
        _unfinished(out, text, tokenizer, resume) as place,
    ):
        run, subwords = _planned(text, tokenizer, config, place, start, begun)
        system = NmtSystem([train(run)], subwords, tokenizer)
        manifest = None
        if directory is not None:
            seconds = time.perf_counter() - begun
            manifest = _write(system, run, corpus, directory, seconds)
    parallel.wait()  # for the directory to be there
    return manifest


@contextmanager
def _unfinished(
    out: Path, corpus: Corpus, tokenizer: WordTokenizer, resume: bool
) -> Iterator[Path]:
    """The directory beside ``out`` of what outlives the process; see ``stages.unfinished``. What
    ``torchrun`` has started again, or was told to resume, begins what is not there.
    """
    texts = [side.digest() for side in (corpus.train, corpus.dev) if side]
    marks = {"text": "".join(texts), "tokenizer": str(tokenizer)}
    place = place_of(out)
    if parallel.restarted() or (resume and parallel.WORLD > 1):
        resume = (place / FINGERPRINT).exists()
    if parallel.RANK == 0:
        with unfinished(out, marks, resume, rest=_rest):
            parallel.wait()
            yield place
            parallel.wait()  # until nobody reads there
    else:
        parallel.wait()
        _check_same(place, marks)
        yield place
        parallel.wait()


def _check_same(place: Path, marks: Mapping[str, str]) -> None:
    """Raise InputError where this process doesn't see what the first one does."""
    file = place / FINGERPRINT
    if not file.exists():
        raise InputError(
            f"{HOST}: {place} is missing; all machines must see the model's directory under the "
            "same path"
        )
    first = read_json(file, dict, unfit)
    if others := [name for name, digest in marks.items() if first.get(name) != digest]:
        raise InputError(
            f"{HOST}: other {' and '.join(others)} than in the first process; use the same on all"
        )


def _rest(place: Path) -> str:
    return "the last validation" if (place / CHECKPOINT).exists() else ""


def _planned(
    corpus: Corpus, tokenizer: WordTokenizer, config: Recipe, place: Path, start: NmtSystem | None,
    begun: float,
) -> tuple[Run, Subwords]:  # fmt: skip
    """A run whose length is decided: by the clock, where that is its budget. It stands where it was
    kept last in ``place``.
    """
    pairs, kept = len(corpus.train), place / CHECKPOINT
    resume = bool(parallel.agreed(kept.exists()))
    known = checkpoint.place_of(kept).get("preset", "small") if resume else suited(pairs)
    settings = config if isinstance(config, TrainConfig) else preset(known, **config)
    run, subwords = _prepare(corpus, tokenizer, settings, place, start)
    if resume:
        run.restore()
        if settings.updates not in (0, run.config.updates):
            raise InputError(
                f"{kept}: the unfinished training has --updates {run.config.updates}; use the same "
                "number, or start again without --resume"
            )
        note(f"resumed at update {run.update} of {run.config.updates}")
    lines = [] if run.config.updates and resume else plan(run, begun)
    if not resume and not isinstance(config, TrainConfig):
        passes = run.config.updates / run.batches_per_epoch
        if (name := suited(pairs, passes)) != settings.preset:
            note(f"time for only {passes:.1f} epochs of the preset {settings.preset}; using {name}")
            kept.unlink(missing_ok=True)
            settings = preset(name, **config)
            return _planned(corpus, tokenizer, settings, place, start, begun)
    size = f"{len(subwords)} subwords, {run.parameters / 1e6:.1f} M parameters"
    note(f"preset {settings.preset}: {size}")
    for line in lines:
        note(line)
    return run, subwords


def _prepare(
    corpus: Corpus, tokenizer: WordTokenizer, config: TrainConfig, place: Path,
    start: NmtSystem | None,
) -> tuple[Run, Subwords]:  # fmt: skip
    """A training run at its beginning, and the subwords that it is about."""
    text, dev = train_and_dev(corpus.train, corpus.dev)
    stages = Stages(place)
    with parallel.first_alone():
        words = shards.of(text, tokenizer, stages)
    config = _resolved(config, words.tokens[1], start)
    with parallel.first_alone():
        subwords = start.subwords if start else _subwords(words, config.vocabulary, stages)
    source, target = _short(*_sides(words, subwords), config.max_length)
    segment = _segment(source, target, config.bpe_dropout)
    held_out = Data.of(dev.without_empty().tokens(tokenizer), subwords)
    run = Run(
        config, len(subwords), Data(source, target, []), held_out,
        lambda ids: " ".join(subwords.decode(ids)), place / CHECKPOINT, segment,
        start.models[0].state_dict() if start else None,
    )  # fmt: skip
    return run, subwords


def _subwords(words: Shards, size: int, stages: Stages) -> Subwords:
    """Learnt on both sides together, in a stage of their own."""
    file = "subwords.json"

    def learn(into: Path) -> None:
        Subwords.train(Sentences(words), size).save(into / file)

    return Subwords.load(stages.once(f"subwords-{size}", learn) / file)


def _sides(words: Shards, subwords: Subwords) -> tuple[Segmented, Segmented]:
    """The text as it lies on the disk; nothing of it is read yet."""

    def side(name: str) -> Segmented:
        ids, begin = words.mapped(name)
        spelling = Spelling.of(subwords, words.vocabulary(name).words)
        return Segmented(spelling, ids, begin[:-1], begin[1:])

    return side(SIDES[0]), side(SIDES[1])


def train_and_dev(train: Bitext, dev: Bitext | None) -> tuple[Bitext, Bitext]:
    """Both; without a dev set one in 20 pairs of the training text is held out, with a note."""
    if dev is not None:
        return train, dev
    whole = train
    train, dev = hold_out(whole, 20)
    if not len(dev):
        raise InputError(
            f"{whole.paths[0]}: no pair can be held out of {len(whole)} for a dev set; name one "
            "with --dev SRC TGT"
        )
    note(f"no dev set: {len(dev)} training pairs are held out as dev set")
    return train, dev


def train_seeds(
    corpus: Corpus, tokenizer: WordTokenizer, config: Recipe, directories: Sequence[Path],
    resume: bool = False, start: NmtSystem | None = None,
) -> None:  # fmt: skip
    """Train a model in each of ``directories``, by consecutive seeds, and say how far they differ;
    the first decides what recipe suits. resume: models that are complete stay, and the one that was
    interrupted is continued. Raises InputError where a complete one has other settings. Else see
    ``train_nmt``.
    """
    if start and not isinstance(config, TrainConfig):
        config = preset("small", **config)  # what suits is known of beginners only
    if len(directories) == 1:
        train_nmt(corpus, tokenizer, config, directories[0], resume, start)
        return
    figures = []
    first = config.seed if isinstance(config, TrainConfig) else config.get("seed", 1)
    for seed, directory in enumerate(directories, first):
        done = resume and (directory / MANIFEST).is_file()
        note(f"seed {seed}: {directory}{', already trained' if done else ''}")
        own = _seeded(config, seed)
        manifest: Manifest | None
        if done:
            manifest = _done(directory, own, start)
        else:
            again = resume and place_of(directory).exists()
            manifest = train_nmt(corpus, tokenizer, own, directory, again, start)
        if not isinstance(config, TrainConfig):
            config = preset(Manifest.read(directory).config.get("preset", "small"), **config)
        if manifest:
            figures.append(manifest.figures)
    for name in ("dev_perplexity", "dev_bleu") if len(figures) == len(directories) else ():
        values = [of_model[name] for of_model in figures]
        note(
            f"{name.replace('_', ' ')} of {len(values)} seeds: mean {statistics.mean(values):.2f}, "
            f"standard deviation {statistics.stdev(values):.2f} "
            f"({', '.join(f'{value:.2f}' for value in values)})"
        )


def _seeded(config: Recipe, seed: int) -> Recipe:
    if isinstance(config, TrainConfig):
        return replace(config, seed=seed)
    return {**config, "seed": seed}


def _done(out: Path, config: Recipe, start: NmtSystem | None) -> Manifest:
    """The manifest of a complete model. Raises InputError where ``config`` has other settings."""
    undecided = {"vocabulary": 0, "updates": 0, "precision": "auto"}  # until the run decides
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
    """With the number of subwords for so many target words, or the shape of ``start``."""
    config = _shaped(config, start)
    size = config.vocabulary or max(500, min(32000, 8 * math.isqrt(words)))
    return replace(config, vocabulary=size)


def _shaped(config: TrainConfig, start: NmtSystem | None) -> TrainConfig:
    """With the shape of ``start``, all but its dropout."""
    if start is None:
        return config
    shape = asdict(start.models[0].config) | {"dropout": config.dropout}
    return replace(config, **shape | {"vocabulary": len(start.subwords)})


def _segment(source: Segmented, target: Segmented, p: float) -> Callable[[int], Data] | None:
    """How the training text is cut into pieces anew in each epoch; ``None`` where it is not."""
    if p == 0:
        return None
    return lambda seed: Data(source.sampled(p, 2 * seed), target.sampled(p, 2 * seed + 1), [])


def _short(source: Segmented, target: Segmented, limit: int) -> tuple[Segmented, Segmented]:
    """The pairs of at most ``limit`` subwords a side; said where any are left out."""
    x, y = source.lengths, target.lengths
    kept = np.flatnonzero((x > 0) & (x <= limit) & (y > 0) & (y <= limit))
    if len(kept) < len(x):
        note(f"{len(x) - len(kept)} pairs longer than {limit} subwords are left out")
    if not len(kept):
        raise InputError(f"no training pair has at most {limit} subwords on both sides")
    return source.select(kept), target.select(kept)


def _write(
    system: NmtSystem, run: Run, corpus: Corpus, directory: Path, seconds: float
) -> Manifest:
    """Write the model, its log and its manifest. seconds: of this process."""
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
