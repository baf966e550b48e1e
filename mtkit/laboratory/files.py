"""A laboratory on disk: a directory of language models, each one that ``mtkit.load`` reads."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np

from mtkit.errors import InputError
from mtkit.laboratory.recurrent_lm import WORDS, RecurrentLm
from mtkit.laboratory.study import Laboratory
from mtkit.manifest import LABORATORY, LANGUAGE_MODEL, LOG, Manifest, replacing
from mtkit.nmt.recurrent.probe import Setup, Trained
from mtkit.text.corpus import Corpus
from mtkit.text.tokenizer import WordTokenizer
from mtkit.text.vocabulary import Vocabulary


def save(laboratory: Laboratory, corpus: Corpus, tokenizer: WordTokenizer, directory: Path) -> None:
    """Write every model as ``directory/SET-UP-SEED``, and what they have in common."""
    manifest = Manifest.of(LABORATORY, corpus, tokenizer, {})
    shared = {"hidden": laboratory.hidden, "updates": laboratory.updates}
    names = []
    with replacing(directory) as scratch:
        for group in laboratory.trained:
            setup = group[0].setup
            stack = f"-{setup.layers}-layers" if setup.layers > 1 else ""
            slug = setup.name.replace(",", "").replace(" ", "-") + stack
            names.append([f"{slug}-{k}" for k in range(1, len(group) + 1)])
            for name, trained in zip(names[-1], group, strict=True):
                (place := scratch / name).mkdir()
                RecurrentLm(trained.model, laboratory.words, tokenizer).save(place)
                log = trained.trace.tolist()
                lines = [json.dumps({"loss": a, "gradient_norm": b}) + "\n" for a, b in log]
                (place / LOG).write_text("".join(lines), encoding="utf-8")
                config = {**asdict(setup), **shared}
                replace(manifest, kind=LANGUAGE_MODEL, config=config).write(place)
        replace(manifest, config={**shared, "models": names}).write(scratch)


def load_laboratory(directory: Path) -> tuple[Laboratory, Manifest]:
    """Read what ``save`` wrote. Raises InputError where ``directory`` is no such thing."""
    manifest = Manifest.read(directory)
    if manifest.kind != LABORATORY:
        raise InputError(f"{directory}: not what `mtkit gradients` wrote; it has no models to load")
    config = manifest.config
    groups = [[_trained(directory / name) for name in names] for names in config["models"]]
    words = Vocabulary.load(directory / config["models"][0][0] / WORDS)
    return Laboratory(words, groups, config["hidden"], config["updates"]), manifest


def _trained(directory: Path) -> Trained:
    config = Manifest.read(directory).config
    setup = Setup(**{f.name: config[f.name] for f in fields(Setup)})
    log = [json.loads(line) for line in (directory / LOG).read_text("utf-8").splitlines()]
    trace = np.array([(entry["loss"], entry["gradient_norm"]) for entry in log])
    return Trained(setup, RecurrentLm.load(directory).model, trace)
