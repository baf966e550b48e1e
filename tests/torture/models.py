"""A small model of every kind, to be damaged."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.support.command import MTKIT
from tests.torture.process import run

PAIRS = 150
# No preset is as small as this network.
SMALL = """
import mtkit
from mtkit.nmt.recipe import TrainConfig
from mtkit.text.corpus import open_corpus
from pathlib import Path
files = [(Path(f"{split}.en"), Path(f"{split}.de")) for split in ("train", "dev", "test")]
config = TrainConfig(embedding=16, hidden=16, vocabulary=300, updates=20, validations=1)
mtkit.train_nmt(open_corpus(None, None, *files), "models/nmt", config=config)

import torch
from mtkit.nmt.training import checkpoint
checkpoint.save(Path("checkpoint"), {"weights": {"w": torch.zeros(3)}}, {"update": 1}, "mark")
"""
KINDS = ("smt", "nmt", "combined", "alignment", "moses", "laboratory")


def make(where: Path) -> dict[str, Path]:
    """The directories by kind, under ``where``; made once."""
    places = {kind: where / "models" / kind for kind in KINDS}
    if all(path.is_dir() for path in places.values()):
        return places
    where.mkdir(parents=True, exist_ok=True)
    text = _text(where)
    for arguments in (
        ["train-smt", *text, "--order", "3", "--tune", "none", "--out", "models/smt"],
        [SMALL],
        ["combine", "models/smt", "models/nmt", "--copy", "--out", "models/combined"],
        ["align", *text[:3], "--out", "models/alignment"],
        ["export", "models/smt", "--out", "moses"],
        ["import", "moses/moses.ini", "--pair", "en-de", "--out", "models/moses"],
        [
            "gradients",
            *text[:3],
            *["--updates", "2", "--hidden", "8", "--seeds", "1", "--out", "models/laboratory"],
        ],
    ):
        call = [*MTKIT[:2], SMALL] if arguments == [SMALL] else [*MTKIT, *arguments]
        run(call, where)
    return places


def _text(where: Path) -> list[str]:
    """Options that name a small part of the embedded corpus, which is written to ``where``."""
    corpora = Path(__file__).parents[2] / "corpora" / "everyday"
    options = []
    for split, n in (("train", PAIRS), ("dev", 20), ("test", 5)):
        names = [f"{split}.en", f"{split}.de"]
        for name in names:
            lines = (corpora / name).read_text(encoding="utf-8").split("\n")[:n]
            (where / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        options += [f"--{split}", *names]
    return options


def copy(model: Path, where: Path) -> Path:
    """A copy of a model that may be spoilt, in memory where the machine has such a place."""
    shutil.rmtree(where, ignore_errors=True)
    return Path(shutil.copytree(model, where, symlinks=True))


def memory() -> Path:
    """A directory for what is written by the thousand."""
    shared = Path("/dev/shm")
    return shared if os.access(shared, os.W_OK) else Path("/tmp")
