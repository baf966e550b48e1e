"""Three artificial systems; their outputs are references with some words replaced."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mtkit.comparison.faults import Errors
from mtkit.comparison.report import Comparison, Material, Translations, build
from mtkit.comparison.where import Text
from mtkit.evaluation.significance import Pair
from mtkit.evaluation.statistics import Scorer
from mtkit.system import LogProbability, Score
from mtkit.text.corpus import Bitext

RNG = random.Random(11)
WORDS = ["der", "die", "Hund", "Katze,", "Haus", "läuft", "schläft", "unter", "rot", "Baum."]
REFERENCES = [" ".join(RNG.choices(WORDS, k=RNG.randint(4, 12))) for _ in range(30)]
SOURCES = [f"source {i}" for i in range(len(REFERENCES))]


def damaged(share: float, seed: int) -> list[str]:
    rng = random.Random(seed)
    return [
        " ".join(rng.choice(WORDS) if rng.random() < share else word for word in line.split())
        for line in REFERENCES
    ]


def gap(a: str, b: str, metric: str, delta: float, p: float, q: float) -> Pair:
    """Return a comparison of one pair, so that Holm's correction changes nothing."""
    return Pair(a, b, metric, delta, p, q, p, q, p / 2)


CHANNEL = {
    "P(x|y)": damaged(0.8, 4),
    "P(x|y) P(y)": damaged(0.6, 5),
    "Default weights": damaged(0.5, 6),
    "Tuned weights": damaged(0.4, 1),
}
ERRORS = Errors(reached=20, same=7, search=2, model=11, wider=3)


def systems() -> list[Translations]:
    words = [len(line.split()) + 1 for line in REFERENCES]
    smt_scores = [
        Score(
            lm=LogProbability(-2.0 * n, n, 1, known=-1.5 * (n - 1)),
            channel=LogProbability(-3.0 * n if i else -math.inf, n),
            direct=LogProbability(-2.5 * n, n),
        )
        for i, n in enumerate(words)
    ]
    nmt_scores = [Score(direct=LogProbability(-1.0 * n, n)) for n in words]
    smt = replace(of("smt", "smt", damaged(0.4, 1)), seconds=6.0, scores=smt_scores, unknown=17)
    return [
        replace(smt, by_weights=CHANNEL, errors=ERRORS),
        replace(of("nmt", "nmt", damaged(0.2, 2)), seconds=15.0, scores=nmt_scores, unknown=0),
        of("other", "file", damaged(0.3, 3)),
    ]


def of(name: str, kind: str, outputs: list[str]) -> Translations:
    """Return a system with outputs only."""
    words = [line.split() for line in outputs]
    return Translations(name=name, kind=kind, outputs=outputs, words=words)


def built(
    sources: list[str],
    references: list[str],
    translations: list[Translations],
    languages: tuple[str, str] = ("", ""),
    paths: tuple[str, str] = ("test.en", "test.de"),
    also: Sequence[list[str]] = (),
    **options: Any,
) -> Comparison:
    """Return the report on these lines; options: of ``Scorer`` and of ``build``."""
    for_scorer = {
        name: options.pop(name)
        for name in ("tokenize", "resamples", "trials", "ignore_case")
        if name in options
    }
    scorer = Scorer([references, *also], **for_scorer)
    source, target = map(Path, paths)
    material = Material(Bitext(sources, references, (source, target)), scorer, languages)
    words = ([line.split() for line in side] for side in (sources, references))
    return build(material, Text(*words), translations, **options)
