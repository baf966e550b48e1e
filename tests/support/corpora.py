"""The beginning of a text, and models whose manifest names their own training text."""

from __future__ import annotations

import shutil
from pathlib import Path

from mtkit.text.corpus import Bitext, Corpus


def first(text: Bitext, n: int) -> Bitext:
    return Bitext(text.source[:n], text.target[:n], text.paths)


def beside_its_text(directory: Path, corpus: Corpus, where: Path) -> tuple[Path, tuple[Path, Path]]:
    """A copy of a model whose manifest names files of its own training text, and these files."""
    copy = shutil.copytree(directory, where / directory.name)
    paths = where / "train.en", where / "train.de"
    for path, lines in zip(paths, (corpus.train.source, corpus.train.target), strict=True):
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    manifest = (copy / "manifest.json").read_text("utf-8")
    for old, new in zip(corpus.train.paths, paths, strict=True):
        manifest = manifest.replace(str(old.resolve()), str(new))
    (copy / "manifest.json").write_text(manifest, encoding="utf-8")
    return copy, paths
