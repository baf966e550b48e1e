"""The beginning of a text, and models with their training text beside them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from mtkit.manifest import Manifest
from mtkit.text.corpus import Bitext, Corpus


def first(text: Bitext, n: int) -> Bitext:
    return Bitext(text.source[:n], text.target[:n], text.paths)


def beside_its_text(directory: Path, corpus: Corpus, where: Path) -> tuple[Path, tuple[Path, Path]]:
    """Return a copy of a model, and files of its training text, which its manifest names."""
    copy = shutil.copytree(directory, where / directory.name)
    paths = where / "train.en", where / "train.de"
    for path, lines in zip(paths, (corpus.train.source, corpus.train.target), strict=True):
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    manifest = Manifest.read(copy)
    text = manifest.corpus | {"train": [str(path) for path in paths]}
    replace(manifest, corpus=text).write(copy)
    return copy, paths
