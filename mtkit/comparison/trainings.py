"""The trainings of a learning curve; each result is stored as a point, so that none is repeated."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import product
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from mtkit.comparison.curve import Curve, Point, curve, sample
from mtkit.comparison.report import Material
from mtkit.console import note
from mtkit.errors import InputError
from mtkit.manifest import COMBINATION, MANIFEST, Manifest, model_size, training_text
from mtkit.models import Parts, load
from mtkit.storage.digests import digest_of, digest_of_code
from mtkit.storage.reading import as_fields, read_json
from mtkit.storage.writing import remove_stale, write_whole
from mtkit.text.corpus import Bitext, Corpus

if TYPE_CHECKING:
    from mtkit.nmt.recipe import TrainConfig
    from mtkit.nmt.training.build import Recipe

POINT = re.compile(r"[0-9a-f]{16}-[0-9a-f]{16}|[0-9a-f]{24}")  # the latter: earlier versions


@dataclass(frozen=True)
class Training:
    """A training by the recipe of the model in ``directory``, on ``size`` pairs, with ``seed``."""

    system: str
    directory: Path
    manifest: Manifest
    size: int
    seed: int
    path: Path  # of its point; named by digests of code, recipe, texts, size and seed

    def point(self) -> Point | None:
        """Return the stored point; None if it is missing or damaged."""
        if not self.path.exists():
            return None
        try:
            data = read_json(self.path, dict)
            return as_fields(Point, data | {"system": self.system}, self.path)
        except InputError as error:
            note(f"training again: {error}")
            return None

    def keep(self, point: Point) -> None:
        """Store the point atomically."""
        data = asdict(point)
        del data["system"]
        write_whole(json.dumps(data, ensure_ascii=False), self.path)


def trainings(
    models: Mapping[str, Parts], sizes: Sequence[int], seeds: int, test: Bitext, where: Path
) -> list[Training]:
    """Return all trainings of the curve, the smallest size first; none if ``sizes`` is empty.

    Raises InputError if there are fewer than two sizes, equal ones, or one outside 1 to the number
    of training pairs; if there is no seed or no single model; if a model is an ensemble, was not
    trained by mtkit, or was trained from another model; if ``where`` cannot be created.
    """
    if not sizes:
        return []
    if len(set(sizes)) < max(2, len(sizes)) or min(sizes) < 1 or seeds < 1:
        raise InputError("--curve: expected two or more different sizes, and at least one seed")
    single = _single_models(models)
    try:
        where.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{where}: {error.strerror}; --curve stores its results there") from None
    needed, code = list[Training](), f"{digest_of_code()}-"
    for name, (directory, manifest) in single.items():
        _check(directory, manifest, max(sizes))
        dev = manifest.text("dev")
        recipe = [manifest.kind, manifest.config, manifest.tokenizer, manifest.corpus.get("digest")]
        recipe += [dev and dev.digest(), test.digest()]
        for size, seed in product(sizes, range(1, seeds + 1)):
            key = digest_of(json.dumps([*recipe, size, seed]).encode())
            path = where / f"{code}{key}.json"
            needed.append(Training(name, directory, manifest, size, seed, path))
    if stale := remove_stale(where, lambda p: bool(POINT.fullmatch(p)) and not p.startswith(code)):
        note(f"{where}: {stale} outdated results removed (other version of mtkit or its libraries)")
    return sorted(needed, key=lambda training: training.size)


def _single_models(models: Mapping[str, Parts]) -> dict[str, tuple[Path, Manifest]]:
    """Return the models to retrain, with their manifests; a note says which ones are left out."""
    single = dict[str, tuple[Path, Manifest]]()
    for name, (directory, *others) in models.items():
        manifest = Manifest.read(directory)
        if manifest.kind == COMBINATION:
            note(f"learning curve: without {name}, which is a combination")
        elif others:
            raise InputError(f"--curve retrains single models, but {name} is an ensemble")
        else:
            single[name] = directory, manifest
    if not single:
        raise InputError("--curve retrains single models, and none is named; name one")
    return single


def _check(directory: Path, manifest: Manifest, largest: int) -> None:
    timed = type(manifest.figures.get("seconds")) in (int, float)
    if not timed or "sentences" not in manifest.corpus:
        raise InputError(
            f"{directory}: not trained by mtkit, so --curve cannot retrain it; name other models"
        )
    if manifest.config.get("continued"):
        raise InputError(
            f"{directory} was trained with --from, which --curve cannot repeat; name another model"
        )
    pairs = len(training_text(directory))
    if largest > pairs:
        raise InputError(f"--curve {largest}: {directory} was trained on only {pairs:,} pairs")


def complete(needed: Sequence[Training], material: Material, threads: int) -> Curve:
    """Run the trainings that are not stored yet, telling the time they need; return the curve."""
    stored = [(training, training.point()) for training in needed]
    points = [point for _, point in stored if point]
    to_run = [training for training, point in stored if not point]
    if to_run:
        megabytes = max(model_size(training.directory) for training in needed) / 1e6
        note(
            f"learning curve: {len(needed)} trainings, {len(points)} already done; about "
            f"{_minutes(to_run, points)} left, needs {megabytes:,.0f} MB of disk space"
        )
    for k, training in enumerate(to_run):
        note(
            f"{k + 1} of {len(to_run)}: {training.system}, {training.size:,} pairs, "
            f"seed {training.seed}; about {_minutes(to_run[k:], points)} left"
        )
        point = carry_out(training, material.text, threads)
        training.keep(point)
        points.append(point)
    points.sort(key=lambda p: [t.system for t in needed].index(p.system))
    return curve(points, material.scorer)


def _minutes(trainings: Sequence[Training], points: Sequence[Point]) -> str:
    minutes = sum(expected(t, points) for t in trainings) / 60
    return f"{minutes:,.0f} min" if minutes >= 1 else "a minute"


def expected(training: Training, points: Sequence[Point]) -> float:
    """Return the expected seconds, interpolated between other sizes and the model's training."""
    manifest = training.manifest
    seconds = {0: 0.0, manifest.corpus["sentences"]: float(manifest.figures["seconds"])}
    measured = [p for p in points if p.system == training.system]
    seconds |= {p.size: mean(q.seconds for q in measured if q.size == p.size) for p in measured}
    return float(np.interp(training.size, sorted(seconds), [seconds[n] for n in sorted(seconds)]))


def carry_out(training: Training, test: Bitext, threads: int) -> Point:
    """Train, and translate ``test``. Raises InputError if the training text has changed."""
    manifest = training.manifest
    text = sample(training_text(training.directory), training.size, training.seed)
    name, dev = manifest.corpus.get("name", ""), manifest.text("dev")
    corpus = Corpus(name, manifest.languages, text, dev, test)
    with TemporaryDirectory(prefix="mtkit-curve-") as scratch:
        out = Path(scratch) / "model"
        start = time.perf_counter()
        train = _train_smt if manifest.kind == "smt" else _train_nmt
        train(training, corpus, out, threads)
        seconds = time.perf_counter() - start
        system = load(out)
        system.limit_threads(threads)
        outputs = [hypotheses[0].text for hypotheses in system.translate(test.source)]
    return Point(training.system, training.size, training.seed, seconds, outputs)


def _train_smt(training: Training, corpus: Corpus, out: Path, threads: int) -> None:
    from mtkit.smt.search.decoder import Limits
    from mtkit.smt.search.features import checked_weights
    from mtkit.smt.train import TrainConfig, train_smt

    saved, tokenizer = training.manifest.config, training.manifest.word_tokenizer
    file = training.directory / MANIFEST
    options = {f.name: saved[f.name] for f in fields(TrainConfig) if f.name in saved}
    options["limits"] = as_fields(Limits, saved.get("limits"), file)
    options["prune"] = tuple(saved.get("prune") or ())
    config = as_fields(TrainConfig, options, file)
    train_smt(corpus, tokenizer, config, checked_weights(saved.get("weights"), file), out, threads)


def _train_nmt(training: Training, corpus: Corpus, out: Path, threads: int) -> None:
    from mtkit.nmt.parallel import set_threads
    from mtkit.nmt.recipe import TrainConfig
    from mtkit.nmt.training.build import train_nmt

    saved, tokenizer = training.manifest.config, training.manifest.word_tokenizer
    options = {f.name: saved[f.name] for f in fields(TrainConfig) if f.name in saved}
    config = as_fields(TrainConfig, options, training.directory / MANIFEST)
    pairs = training.manifest.corpus["sentences"]
    set_threads(threads)
    train_nmt(corpus, tokenizer, for_sample(config, pairs, training.seed), out)


def for_sample(config: TrainConfig, pairs: int, seed: int) -> Recipe:
    """Return a network's recipe for a sample of the ``pairs`` that it was trained on.

    The sample's size determines the numbers of subwords and updates. It also determines the preset
    if the network's preset is the one that ``auto`` chooses for ``pairs``.
    """
    from mtkit.nmt.recipe import preset, suited

    config = replace(config, vocabulary=0, updates=0, seed=seed)
    if config.preset not in {suited(pairs), suited(pairs, passes=0)}:
        return config
    defaults, values = asdict(preset(config.preset)), asdict(config)
    return {name: value for name, value in values.items() if value != defaults[name]}
