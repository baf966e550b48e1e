"""A laboratory on disk: a directory of language models, each readable by ``mtkit.load``."""

from __future__ import annotations

import re
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mtkit.errors import InputError
from mtkit.laboratory.recurrent_lm import WORDS, RecurrentLm
from mtkit.laboratory.study import DEPTH, Laboratory
from mtkit.manifest import (
    LABORATORY,
    LANGUAGE_MODEL,
    LOG,
    MANIFEST,
    Manifest,
    check_intact,
    write_log,
)
from mtkit.nmt.recurrent.probe import Setup, Trained
from mtkit.storage.reading import as_fields, damaged, parse_json, read_text
from mtkit.text.corpus import Corpus
from mtkit.text.tokenizer import WordTokenizer
from mtkit.text.vocabulary import Vocabulary


def save(laboratory: Laboratory, corpus: Corpus, tokenizer: WordTokenizer, directory: Path) -> None:
    """Write every model as ``directory/SET-UP-SEED``, and a manifest; ``directory`` must exist."""
    manifest = Manifest.of(LABORATORY, corpus, tokenizer, {})
    shared = {"hidden": laboratory.hidden, "updates": laboratory.updates}
    names = []
    for group in laboratory.trained:
        setup = group[0].setup
        stack = f"-{setup.layers}-layers" if setup.layers > 1 else ""
        slug = setup.name.replace(",", "").replace(" ", "-") + stack
        names.append([f"{slug}-{k}" for k in range(1, len(group) + 1)])
        for name, trained in zip(names[-1], group, strict=True):
            (path := directory / name).mkdir()
            RecurrentLm(trained.model, laboratory.words, tokenizer).save(path)
            steps = trained.trace.tolist()
            write_log(({"loss": loss, "gradient_norm": norm} for loss, norm in steps), path)
            config = {**asdict(setup), **shared}
            replace(manifest, kind=LANGUAGE_MODEL, config=config).write(path)
    replace(manifest, config={**shared, "models": names}).write(directory)


def load_laboratory(directory: Path) -> tuple[Laboratory, Manifest]:
    """Read what ``save`` wrote. Raises InputError if ``directory`` is no laboratory or damaged."""
    manifest = Manifest.read(directory)
    if manifest.kind != LABORATORY:
        raise InputError(f"{directory}: not a directory written by `mtkit gradients`")
    check_intact(directory)
    file = directory / MANIFEST
    shared = as_fields(_Shared, manifest.config, file)
    for names in shared.models:
        if not isinstance(names, list) or not all(_is_name(name) for name in names) or not names:
            raise damaged(file, "a model name is not a name of a directory")
    groups = [[_load(directory / n, shared.hidden) for n in names] for names in shared.models]
    if not groups:
        raise damaged(file, "no models")
    words = Vocabulary.load(directory / shared.models[0][0] / WORDS)
    return Laboratory(words, groups, shared.hidden, shared.updates), manifest


class _Shared(NamedTuple):
    """Settings in the laboratory's manifest."""

    hidden: int
    updates: int
    models: list[Any]


class _Step(NamedTuple):
    """A line of a model's log; None for a value that was not finite."""

    loss: float | None
    gradient_norm: float | None


def _is_name(name: object) -> bool:
    return isinstance(name, str) and re.fullmatch(r"[\w-]+", name) is not None


def _load(directory: Path, hidden: int) -> Trained:
    config, log = Manifest.read(directory).config, directory / LOG
    settings = {f.name: config[f.name] for f in fields(Setup) if f.name in config}
    setup = as_fields(Setup, settings, directory / MANIFEST)
    lines = read_text(log).splitlines()
    steps = [as_fields(_Step, parse_json(line, log, dict), log) for line in lines]
    trace = np.array(steps, np.float64)  # None becomes NaN
    model = RecurrentLm.load(directory).model
    shape = setup.shape(model.config.vocabulary, hidden)
    if model.config != shape or setup.layers not in (1, DEPTH):
        raise damaged(directory / MANIFEST, "the settings do not match the network")
    return Trained(setup, model, trace.reshape(-1, 2))
