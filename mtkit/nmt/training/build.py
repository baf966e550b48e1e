"""From a corpus to a directory with a trained neural model."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any

from mtkit.console import note
from mtkit.errors import InputError
from mtkit.manifest import MANIFEST, Manifest, save_training_hashes, write_log
from mtkit.nmt import parallel
from mtkit.nmt.data import Data
from mtkit.nmt.recipe import TrainConfig, preset, suited
from mtkit.nmt.system import NmtSystem
from mtkit.nmt.training import checkpoint
from mtkit.nmt.training.bpe_dropout import Segmenter
from mtkit.nmt.training.plan import plan
from mtkit.nmt.training.train import train
from mtkit.nmt.training.update import Run
from mtkit.platforms import keep_memory
from mtkit.storage.writing import replacing
from mtkit.text.corpus import Bitext, Corpus, hold_out
from mtkit.text.subwords import Subwords
from mtkit.text.tokenizer import WordTokenizer

Words = Sequence[Sequence[str]]
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
    unfinished = checkpoint.path_of(out)
    if resume and not isinstance(config, TrainConfig):
        config = preset(checkpoint.place_of(unfinished).get("preset", "small"), **config)
    with replacing(out) if parallel.RANK == 0 else nullcontext() as directory:
        if unfinished.exists() and not resume:
            note(
                f"{unfinished}, of an interrupted training, will be overwritten; "
                "--resume goes on there"
            )
        run, subwords = _planned(corpus, tokenizer, config, unfinished, start, resume, begun)
        try:
            system = NmtSystem([train(run)], subwords, tokenizer)
        except KeyboardInterrupt:
            if unfinished.exists() and parallel.RANK == 0:
                note("interrupted; the same command with --resume goes on from the last validation")
            raise
        manifest = None
        if directory is not None:
            seconds = time.perf_counter() - begun
            manifest = _write(system, run, corpus, directory, seconds)
    parallel.wait()  # for the directory to be there
    unfinished.unlink(missing_ok=True)
    return manifest


def _planned(
    corpus: Corpus, tokenizer: WordTokenizer, config: Recipe, unfinished: Path,
    start: NmtSystem | None, resume: bool, begun: float,
) -> tuple[Run, Subwords]:  # fmt: skip
    """A run whose length is decided: by the clock, where that is its budget."""
    pairs = len(corpus.train)
    settings = config if isinstance(config, TrainConfig) else preset(suited(pairs), **config)
    run, subwords = _prepare(corpus, tokenizer, settings, unfinished, start)
    if resume:
        run.restore()
        if settings.updates not in (0, run.config.updates):
            raise InputError(
                f"{unfinished}: the unfinished training has {run.config.updates:,} updates; give "
                "those again, or start anew without --resume"
            )
        note(f"resumed at update {run.update} of {run.config.updates}")
    lines = [] if run.config.updates and resume else plan(run, begun)
    if not isinstance(config, TrainConfig):
        passes = run.config.updates / run.batches_per_epoch
        if (name := suited(pairs, passes)) != settings.preset:
            note(f"the budget buys {passes:.1f} epochs of the preset {settings.preset}")
            settings = preset(name, **config)
            return _planned(corpus, tokenizer, settings, unfinished, start, resume, begun)
    size = f"{len(subwords)} subwords, {run.parameters / 1e6:.1f} M parameters"
    note(f"preset {settings.preset}: {size}")
    for line in lines:
        note(line)
    return run, subwords


def _prepare(
    corpus: Corpus, tokenizer: WordTokenizer, config: TrainConfig, unfinished: Path,
    start: NmtSystem | None,
) -> tuple[Run, Subwords]:  # fmt: skip
    """A training run at its beginning, and the subwords that it is about."""
    text, dev = train_and_dev(corpus.train.without_empty(), corpus.dev)
    sides = text.tokens(tokenizer)
    config = _resolved(config, sum(map(len, sides[1])), start)
    subwords = start.subwords if start else Subwords.train(chain(*sides), config.vocabulary)
    data, kept = _short(Data.of(sides, subwords), config.max_length)
    held_out = Data.of(dev.without_empty().tokens(tokenizer), subwords)
    segment = _segment(subwords, [[side[i] for i in kept] for side in sides], config.bpe_dropout)
    run = Run(
        config, len(subwords), data, held_out, lambda ids: " ".join(subwords.decode(ids)),
        unfinished, segment, start.models[0].state_dict() if start else None,
    )  # fmt: skip
    return run, subwords


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
    note(f"no dev set: {len(dev)} pairs of the training text are held out for it")
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
        note(f"seed {seed}: {directory}{', done already' if done else ''}")
        own = _seeded(config, seed)
        manifest: Manifest | None
        if done:
            manifest = _done(directory, own, start)
        else:
            again = resume and checkpoint.path_of(directory).exists()
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
                "give the same options, or start anew without --resume"
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


def _segment(subwords: Subwords, sides: Sequence[Words], p: float) -> Callable[[int], Data] | None:
    """How the training text is cut into pieces anew in each epoch; ``None`` where it is not."""
    if p == 0:
        return None
    source, target = (Segmenter(subwords, side) for side in sides)
    words = [len(sentence) for sentence in sides[1]]
    return lambda seed: Data(source.sample(p, 2 * seed), target.sample(p, 2 * seed + 1), words)


def _short(data: Data, limit: int) -> tuple[Data, list[int]]:
    """The pairs of at most ``limit`` subwords a side, and which; said where any are left out."""
    pairs = zip(data.sources, data.targets, strict=True)
    kept = [i for i, pair in enumerate(pairs) if all(0 < len(ids) <= limit for ids in pair)]
    if len(kept) < len(data):
        note(f"{len(data) - len(kept)} pairs longer than {limit} subwords are left out")
    if not kept:
        raise InputError(f"no training pair has at most {limit} subwords on both sides")
    sources, targets = ([side[i] for i in kept] for side in (data.sources, data.targets))
    return Data(sources, targets, [data.target_words[i] for i in kept]), kept


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
