"""From a corpus to a directory with a trained neural model."""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from functools import partial
from itertools import chain
from pathlib import Path

from mtkit.console import note
from mtkit.errors import InputError
from mtkit.manifest import LOG, MANIFEST, Manifest, describe_corpus, replacing, save_training_hashes
from mtkit.nmt import parallel
from mtkit.nmt.data import Data
from mtkit.nmt.recipe import TrainConfig
from mtkit.nmt.system import NmtSystem, encode
from mtkit.nmt.training import checkpoint
from mtkit.nmt.training.bpe_dropout import Segmenter
from mtkit.nmt.training.run import Run, Segmentation
from mtkit.nmt.training.train import train
from mtkit.text.corpus import Corpus, hold_out
from mtkit.text.subwords import Subwords
from mtkit.text.tokenizer import WordTokenizer

Words = Sequence[Sequence[str]]


def train_nmt(
    corpus: Corpus,
    tokenizer: WordTokenizer,
    config: TrainConfig,
    out: Path,
    resume: bool = False,
    start: NmtSystem | None = None,
) -> Manifest | None:
    """Train on ``corpus`` and write the model directory ``out``; what its manifest says.

    What an interruption leaves beside ``out`` is gone on with if ``resume``, else started anew.
    start: a model to train further; its weights, shape and subwords are taken over. Of several
    processes only the first writes, the others return ``None``. Raises InputError where there is
    nothing to resume, or a training of another text or other settings.
    """
    begun = time.perf_counter()
    text, dev = corpus.train.without_empty(), corpus.dev
    if dev is None:
        text, dev = hold_out(text, 20)
        note(f"no dev set: {len(dev)} pairs of the training text are held out for it")
    sides = [[tokenizer.tokenize(line) for line in side] for side in (text.source, text.target)]
    config = _resolved(config, sum(map(len, sides[1])), start)
    subwords = start.subwords if start else Subwords.train(chain(*sides), config.vocabulary)
    data, kept = _short(encode(text, tokenizer, subwords), config.max_length)
    sides = [[side[i] for i in kept] for side in sides]
    unfinished = checkpoint.path_of(out)
    with _output(out) as directory:
        run = Run(
            config,
            len(subwords),
            data,
            encode(dev.without_empty(), tokenizer, subwords),
            spell=partial(spell, subwords),
            path=unfinished,
            segment=_segment(subwords, sides, config.bpe_dropout),
            weights=start.models[0].state_dict() if start else None,
        )
        parameters = sum(p.numel() for p in run.model.parameters())
        note(f"{len(subwords)} subwords, {parameters / 1e6:.1f} M parameters")
        if resume:
            run.restore()
            note(f"going on from update {run.update} of {run.config.updates}")
        elif unfinished.exists():
            note(f"{unfinished}: an unfinished training that starts anew; --resume goes on with it")
        system = NmtSystem([train(run)], subwords, tokenizer)
        if directory is None:
            return None
        seconds = time.perf_counter() - begun
        manifest = _write(system, run, corpus, directory, seconds, start is not None)
    unfinished.unlink(missing_ok=True)
    return manifest


def train_seeds(
    corpus: Corpus,
    tokenizer: WordTokenizer,
    config: TrainConfig,
    directories: Sequence[Path],
    resume: bool = False,
    start: NmtSystem | None = None,
) -> None:
    """Train one model a directory, each by the next seed, and say how far they differ.

    With ``resume``, those that are done stay, and the one that was interrupted is gone on with.
    Raises InputError where one that is done was trained with other settings.
    """
    best = []
    for k, out in enumerate(directories):
        done = resume and (out / MANIFEST).is_file()
        again = resume and not done and checkpoint.path_of(out).exists()
        note(f"seed {config.seed + k}: {out}{', done already' if done else ''}")
        own = replace(config, seed=config.seed + k)
        if done:
            manifest: Manifest | None = Manifest.read(out)
            _check_done(out, own, start)
        else:
            manifest = train_nmt(corpus, tokenizer, own, out, again, start)
        if manifest:
            best.append(manifest.figures)
    for name in ("dev_perplexity", "dev_bleu") if best else ():
        values = [figures[name] for figures in best]
        note(
            f"{name.replace('_', ' ')} of {len(values)} seeds: mean {statistics.mean(values):.2f}, "
            f"standard deviation {statistics.stdev(values):.2f} "
            f"({', '.join(f'{value:.2f}' for value in values)})"
        )


def _check_done(out: Path, config: TrainConfig, start: NmtSystem | None) -> None:
    """Raise InputError unless the model ``out`` was trained with the settings of ``config``."""
    open_ones = {"vocabulary": 0, "updates": 0, "precision": "auto"}  # until the run decides
    found = Manifest.read(out).config
    for name, wanted in asdict(_shaped(config, start) if start else config).items():
        if wanted != found.get(name) and wanted != open_ones.get(name):
            raise InputError(
                f"{out} was trained with {name} {found.get(name)}, not {wanted}; "
                "give the same options, or begin anew without --resume"
            )


def spell(subwords: Subwords, ids: Sequence[int]) -> str:
    """The words that ``ids`` make, with spaces between."""
    return " ".join(subwords.decode(ids))


def _resolved(config: TrainConfig, words: int, start: NmtSystem | None) -> TrainConfig:
    """With the number of subwords for so many target words, or the shape of what goes before."""
    if start:
        return _shaped(config, start)
    size = config.vocabulary or max(500, min(32000, 8 * math.isqrt(words)))
    return replace(config, vocabulary=size)


def _shaped(config: TrainConfig, start: NmtSystem) -> TrainConfig:
    """With the shape of ``start``."""
    shape = asdict(start.models[0].config)
    del shape["dropout"]
    return replace(config, **shape | {"vocabulary": len(start.subwords)})


def _segment(
    subwords: Subwords, sides: Sequence[Words], p: float
) -> Callable[[int], Segmentation] | None:
    """How the training text is cut into pieces anew in each epoch; ``None`` where it is not."""
    if p == 0:
        return None
    source, target = (Segmenter(subwords, side) for side in sides)
    return lambda seed: (source.sample(p, 2 * seed), target.sample(p, 2 * seed + 1))


def _short(data: Data, limit: int) -> tuple[Data, list[int]]:
    """The pairs of at most ``limit`` subwords a side, and which; said where any are left out."""
    kept = [
        i
        for i, (s, t) in enumerate(zip(data.sources, data.targets, strict=True))
        if 0 < len(s) <= limit and 0 < len(t) <= limit
    ]
    if len(kept) < len(data):
        note(f"{len(data) - len(kept)} pairs longer than {limit} subwords are left out")
    if not kept:
        raise InputError(f"no training pair has at most {limit} subwords on both sides")
    short = Data(
        [data.sources[i] for i in kept],
        [data.targets[i] for i in kept],
        [data.target_words[i] for i in kept],
    )
    return short, kept


def _output(out: Path) -> AbstractContextManager[Path | None]:
    """Where the model is written; nowhere by a process that is not the first."""
    return replacing(out) if parallel.RANK == 0 else nullcontext()


def _write(
    system: NmtSystem, run: Run, corpus: Corpus, directory: Path, seconds: float, continued: bool
) -> Manifest:
    """Write the model, its log and its manifest.

    seconds: of this process. continued: whether it began with another model's weights.
    """
    system.save(directory)
    finite = ({k: v for k, v in entry.items() if math.isfinite(v)} for entry in run.history)
    lines = [json.dumps(entry) + "\n" for entry in finite]
    (directory / LOG).write_text("".join(lines), encoding="utf-8")
    save_training_hashes(corpus, directory)
    best = next(entry for entry in run.history if entry["update"] == run.best[1])
    manifest = Manifest(
        kind="nmt",
        languages=corpus.pair,
        corpus=describe_corpus(corpus),
        tokenizer=asdict(system.tokenizer),
        config={
            **asdict(run.config),
            "beam": system.beam,
            "normalisation": system.normalisation,
            "verbatim": system.verbatim,
            "continued": continued,
        },
        figures={
            "seconds": seconds,
            "dev_perplexity": run.best[0],
            "dev_bleu": best["bleu"],
            "best_update": run.best[1],
            "parameters": sum(p.numel() for p in run.model.parameters()),
            "skipped_updates": int(run.skipped),
        },
    )
    manifest.write(directory)
    return manifest
