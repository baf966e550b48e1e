"""Shell completion: the models, presets and corpora that a shell proposes for a word.

Typer calls these functions. If they return nothing, the shell proposes files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable


def models(incomplete: str) -> list[str]:
    """Return the model directories under ``models/``, also after NAME= and DIR+."""
    from mtkit.manifest import MANIFEST
    from mtkit.models import MODELS

    prefix, separator, typed = incomplete.rpartition("+")
    if not separator:
        prefix, separator, typed = incomplete.rpartition("=")
    names = sorted(path.parent.as_posix() for path in MODELS.glob(f"*/{MANIFEST}"))
    return [prefix + separator + name for name in names if name.startswith(typed)]


def corpora(incomplete: str) -> list[str]:
    """Return the names of public corpora."""
    from mtkit.text.catalog import read_catalog

    return _beginning(incomplete, read_catalog())


def corpora_here(incomplete: str) -> list[str]:
    """Return the names of corpora that ``--corpus`` finds."""
    from mtkit.text.catalog import corpora_directory, fetched

    embedded = {path.parent.name for path in corpora_directory().glob("*/train.*")}
    return _beginning(incomplete, embedded | fetched().keys())


def among(*words: str) -> Callable[[str], list[str]]:
    """Return a function that proposes those of ``words`` that begin with the typed text."""

    def propose(incomplete: str) -> list[str]:
        return _beginning(incomplete, words)

    return propose


def _beginning(incomplete: str, words: Iterable[str]) -> list[str]:
    return sorted(word for word in words if word.startswith(incomplete))
