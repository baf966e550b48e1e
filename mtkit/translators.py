"""Load a trained translator of either kind, or several networks as an ensemble."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from mtkit.console import busy
from mtkit.errors import InputError
from mtkit.manifest import Manifest, check_intact

if TYPE_CHECKING:
    from mtkit.nmt.system import NmtSystem
    from mtkit.system import System

TRANSLATORS = {"smt": "statistical", "nmt": "neural"}  # kind → its name in messages


def open_translator(directory: Path, *others: Path) -> System:
    """Load the translator in ``directory``; with ``others``, load all as an ensemble.

    Members of an ensemble are neural translators of the same languages, tokens and subwords. Raises
    InputError if one is of another kind, damaged, or does not fit the others.
    """
    if others:
        return _ensemble([directory, *others])
    kind = Manifest.read(directory).kind
    if kind not in TRANSLATORS:
        raise InputError(f"{directory}: a model of kind {kind}; a translator is needed here")
    check_intact(directory)
    if kind == "smt":
        with busy("loading numba"):
            from mtkit.smt.system import SmtSystem

        return SmtSystem.load(directory)
    with busy("loading PyTorch"):
        from mtkit.nmt.system import NmtSystem

    return NmtSystem.load(directory)


def load_neural(directory: Path, able: str) -> NmtSystem:
    """Load a neural translator. Raises InputError for another kind.

    able: what only a neural translator can do, for the message.
    """
    if (kind := Manifest.read(directory).kind) != "nmt":
        raise InputError(f"{directory}: a model of kind {kind}; only a neural translator {able}")
    return cast("NmtSystem", open_translator(directory))


def _ensemble(directories: list[Path]) -> System:
    with busy("loading PyTorch"):
        from mtkit.nmt.system import NmtSystem

    systems = [load_neural(directory, "can join an ensemble") for directory in directories]
    languages = [" → ".join(Manifest.read(directory).languages) for directory in directories]
    for directory, pair in zip(directories, languages, strict=True):
        if pair != languages[0]:
            raise InputError(
                f"{directory} translates {pair}, but {directories[0]} translates {languages[0]}"
            )
    return NmtSystem.ensemble(systems, directories)
