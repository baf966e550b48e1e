"""The trainings that a learning curve needs, each kept as a point, so that none is done twice."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from mtkit.comparison.curve import Curve, Point, curve, sample
from mtkit.console import note
from mtkit.corpus import Bitext, Corpus
from mtkit.errors import InputError
from mtkit.manifest import Manifest, training_text, write_whole
from mtkit.models import load
from mtkit.tokenizer import WordTokenizer


@dataclass(frozen=True)
class Training:
    """A system to be trained as the model ``directory`` was, on ``size`` of its pairs by ``seed``.

    path: where its point is kept.
    """

    system: str
    directory: Path
    manifest: Manifest
    size: int
    seed: int
    path: Path

    def point(self, test: Bitext) -> Point | None:
        """What is kept of it, if that is of this text, these settings and this test set."""
        try:
            kept = json.loads(self.path.read_text(encoding="utf-8"))
            return Point(**kept["point"]) if kept["of"] == self._key(test) else None
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None  # none, or half of one: it is done again

    def keep(self, point: Point, test: Bitext) -> None:
        """Keep it, whole or not at all."""
        kept = {"of": self._key(test), "point": asdict(point)}
        write_whole(json.dumps(kept, ensure_ascii=False), self.path)

    def _key(self, test: Bitext) -> str:
        m = self.manifest
        of = [m.kind, m.config, m.tokenizer, m.corpus, self.size, self.seed, test.digest()]
        return hashlib.blake2b(json.dumps(of).encode(), digest_size=16).hexdigest()


def trainings(
    models: Sequence[tuple[str, Path]], sizes: Sequence[int], seeds: int, where: Path
) -> list[Training]:
    """All trainings of the curve, the smallest first.

    Raises InputError where a model cannot be trained again as it was, and for sizes beyond its
    text.
    """
    found = list[Training]()
    for name, directory in models:
        manifest = Manifest.read(directory)
        pairs, took = manifest.corpus.get("sentences"), manifest.figures.get("seconds")
        if pairs is None or took is None:
            raise InputError(
                f"{directory} does not say what it was trained on and for how long; "
                "a learning curve needs models that mtkit trained"
            )
        if max(sizes) > pairs:
            raise InputError(
                f"--curve {max(sizes)}: {directory} was trained on {pairs:,} pairs, no more"
            )
        training_text(directory)  # missing, it is missed before the work
        found += [
            Training(
                name,
                directory,
                manifest,
                size,
                seed,
                where / f"{name}-{size}-{seed}.json",
            )
            for size in sizes
            for seed in range(1, seeds + 1)
        ]
    return sorted(found, key=lambda t: t.size)


def complete(needed: Sequence[Training], test: Bitext, tokenize: str, threads: int) -> Curve:
    """The curve, after the trainings that are not done yet; says how long they will take."""
    points = [point for training in needed if (point := training.point(test))]
    done = {(p.system, p.size, p.seed) for p in points}
    left = [t for t in needed if (t.system, t.size, t.seed) not in done]
    size = max(sum(p.stat().st_size for p in t.directory.rglob("*")) for t in needed)
    note(
        f"learning curve: {len(needed)} trainings, {len(done)} done already; the others take about "
        f"{_minutes(left, points)} and {size / 1e6:,.0f} MB of disk while they do"
    )
    for k, training in enumerate(left):
        note(
            f"{k + 1} of {len(left)}: {training.system}, {training.size:,} pairs, "
            f"seed {training.seed}; about {_minutes(left[k:], points)} left"
        )
        point = carry_out(training, test, threads)
        training.keep(point, test)
        points.append(point)
    points.sort(key=lambda p: [t.system for t in needed].index(p.system))
    return curve(points, test.target, tokenize)


def _minutes(trainings: Sequence[Training], points: Sequence[Point]) -> str:
    return f"{sum(expected(t, points) for t in trainings) / 60:,.0f} min"


def expected(training: Training, points: Sequence[Point]) -> float:
    """Seconds it will take: between what other sizes took and what the model itself took."""
    manifest = training.manifest
    known = {0: 0.0, manifest.corpus["sentences"]: manifest.figures["seconds"]}
    own = [p for p in points if p.system == training.system]
    known |= {p.size: mean(q.seconds for q in own if q.size == p.size) for p in own}
    return float(np.interp(training.size, sorted(known), [known[n] for n in sorted(known)]))


def carry_out(training: Training, test: Bitext, threads: int) -> Point:
    """Train, and translate the sources of ``test``; the model itself is not kept.

    Raises InputError where the training text is no longer what it was.
    """
    corpus = _corpus(training, test)
    with TemporaryDirectory(prefix="mtkit-curve-") as scratch:
        out = Path(scratch) / "model"
        start = time.perf_counter()
        how: Any = _train_smt if training.manifest.kind == "smt" else _train_nmt
        how(training, corpus, WordTokenizer(**training.manifest.tokenizer), out, threads)
        seconds = time.perf_counter() - start
        outputs = [hypotheses[0].text for hypotheses in load(out).translate(test.source)]
    return Point(training.system, training.size, training.seed, seconds, outputs)


def _corpus(training: Training, test: Bitext) -> Corpus:
    named = training.manifest.corpus.get("dev")
    return Corpus(
        training.manifest.corpus["name"],
        training.manifest.languages,
        sample(training_text(training.directory), training.size, training.seed),
        Bitext.read(Path(named[0]), Path(named[1])) if named else None,
        test,
    )


def _train_smt(
    training: Training, corpus: Corpus, tokenizer: WordTokenizer, out: Path, threads: int
) -> None:
    from mtkit.smt.decoder import Limits
    from mtkit.smt.system import DEFAULT_WEIGHTS, read_weights
    from mtkit.smt.train import TrainConfig, train_smt

    own = training.manifest.config
    config = TrainConfig(**{f.name: own[f.name] for f in fields(TrainConfig)})
    config = replace(config, prune=tuple(config.prune), limits=Limits(**own["limits"]))
    given = config.tune == "none"  # then the weights are the user's
    weights = read_weights(training.directory / "weights.json") if given else DEFAULT_WEIGHTS
    train_smt(corpus, tokenizer, config, weights, out, threads)


def _train_nmt(
    training: Training, corpus: Corpus, tokenizer: WordTokenizer, out: Path, threads: int
) -> None:
    """As many subwords and updates as go with the size of the text."""
    from mtkit.nmt.build import train_nmt
    from mtkit.nmt.recipe import TrainConfig
    from mtkit.nmt.system import set_threads

    own = training.manifest.config
    config = TrainConfig(**{f.name: own[f.name] for f in fields(TrainConfig)})
    set_threads(threads)
    fitting = replace(config, vocabulary=0, updates=0, seed=training.seed)
    train_nmt(corpus, tokenizer, fitting, out)
