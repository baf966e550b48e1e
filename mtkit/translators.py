"""A trained translator of either kind from its directory, or several networks as one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from mtkit.console import busy
from mtkit.errors import InputError
from mtkit.manifest import Manifest, check_whole

if TYPE_CHECKING:
    from mtkit.nmt.system import NmtSystem
    from mtkit.system import System

TRANSLATORS = {"smt": "statistical", "nmt": "neural"}  # kinds that are trained


def open_translator(directory: Path, *others: Path) -> System:
    """The translator in ``directory``; with ``others`` the ensemble of all, which are neural.

    Raises InputError where one is no such model or no longer whole, and where several do not go
    together.
    """
    if others:
        return _ensemble([directory, *others])
    kind = Manifest.read(directory).kind
    if kind not in TRANSLATORS:
        raise InputError(f"{directory}: a model of kind {kind}; a translator is needed here")
    check_whole(directory)
    if kind == "smt":
        with busy("loading numba"):
            from mtkit.smt.system import SmtSystem

        return SmtSystem.load(directory)
    with busy("loading PyTorch"):
        from mtkit.nmt.system import NmtSystem

    return NmtSystem.load(directory)


def load_neural(directory: Path, able: str) -> NmtSystem:
    """A neural translator. InputError for another kind: only a neural one is ``able``."""
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
