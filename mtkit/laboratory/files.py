"""A laboratory on disk: a directory of language models, each one that ``mtkit.load`` reads."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from pathlib import Path

from mtkit.errors import InputError
from mtkit.laboratory.recurrent_lm import RecurrentLm
from mtkit.laboratory.study import STACKS, Laboratory
from mtkit.manifest import LABORATORY, LANGUAGE_MODEL, LOG, Manifest, replacing
from mtkit.nmt.recurrent.language_model import LanguageModel, Trace
from mtkit.nmt.recurrent.probe import Setup, Trained
from mtkit.text.corpus import Corpus
from mtkit.text.tokenizer import WordTokenizer


def save(laboratory: Laboratory, corpus: Corpus, tokenizer: WordTokenizer, directory: Path) -> None:
    """Write every model as ``directory/SET-UP-SEED``, and what they have in common."""
    manifest = Manifest.of(LABORATORY, corpus, tokenizer, {})
    shared = {"hidden": laboratory.hidden, "updates": laboratory.updates}
    names = []
    with replacing(directory) as scratch:
        for setup, group in _all(laboratory):
            names.append([f"{_slug(setup)}-{k}" for k in range(1, len(group) + 1)])
            for name, trained in zip(names[-1], group, strict=True):
                (place := scratch / name).mkdir()
                RecurrentLm(trained.model, laboratory.words, tokenizer).save(place)
                log = zip(trained.trace.loss, trained.trace.norm, strict=True)
                lines = [json.dumps({"loss": a, "gradient_norm": b}) + "\n" for a, b in log]
                (place / LOG).write_text("".join(lines), encoding="utf-8")
                config = {**asdict(setup), **shared}
                replace(manifest, kind=LANGUAGE_MODEL, config=config).write(place)
        config = {**shared, "setups": len(laboratory.setups), "models": names}
        replace(manifest, config=config).write(scratch)


def load_laboratory(directory: Path) -> tuple[Laboratory, Manifest]:
    """Read what ``save`` wrote. Raises InputError where ``directory`` is no such thing."""
    manifest = Manifest.read(directory)
    if manifest.kind != LABORATORY:
        raise InputError(f"{directory}: not what `mtkit gradients` wrote; it has no models to load")
    setups, groups = [], []
    for names in manifest.config["models"]:
        config = Manifest.read(directory / names[0]).config
        setups.append(Setup(**{f.name: config[f.name] for f in fields(Setup)}))
        loaded = [RecurrentLm.load(directory / name) for name in names]
        groups.append(
            [_trained(directory / name, lm.model) for name, lm in zip(names, loaded, strict=True)]
        )
    n = manifest.config["setups"]
    shared = manifest.config["hidden"], manifest.config["updates"]
    return Laboratory(loaded[0].words, setups[:n], groups[:n], groups[n:], *shared), manifest


def _trained(directory: Path, model: LanguageModel) -> Trained:
    log = [json.loads(line) for line in (directory / LOG).read_text("utf-8").splitlines()]
    trace = Trace([entry["loss"] for entry in log], [entry["gradient_norm"] for entry in log])
    return Trained(model, trace)


def _all(laboratory: Laboratory) -> list[tuple[Setup, list[Trained]]]:
    setups = [*laboratory.setups, *STACKS]
    return list(zip(setups, [*laboratory.trained, *laboratory.stacks], strict=True))


def _slug(setup: Setup) -> str:
    """A set-up's name as one of a directory."""
    stack = f"-{setup.layers}-layers" if setup.layers > 1 else ""
    return setup.name.replace(",", "").replace(" ", "-") + stack
