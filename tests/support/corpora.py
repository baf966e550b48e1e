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
    """Return a copy of a model, and files of its training text.

    The manifest of the copy names these, and files of the dev set.
    """
    copy, manifest = shutil.copytree(directory, where / directory.name), Manifest.read(directory)
    for name, text in (("train", corpus.train), ("dev", corpus.dev)):
        if text is not None:
            paths = where / f"{name}.en", where / f"{name}.de"
            for path, lines in zip(paths, (text.source, text.target), strict=True):
                path.write_text("\n".join(lines) + "\n", encoding="utf-8")
            manifest = replace(manifest, corpus=manifest.corpus | {name: [*map(str, paths)]})
    manifest.write(copy)
    return copy, (where / "train.en", where / "train.de")
