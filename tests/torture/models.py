"""A small model of every kind, to be damaged."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from mtkit.storage.writing import recover
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
"""
KINDS = ("smt", "nmt", "combined", "alignment", "moses", "laboratory")
TRAIN = [
    word
    for split in ("train", "dev", "test")
    for word in (f"--{split}", f"{split}.en", f"{split}.de")
]
TINY = ["--updates", "2", "--hidden", "8", "--seeds", "1"]  # of the laboratory
INTERRUPTED = ["train-nmt", *TRAIN, "--preset", "few", "--updates", "20"]
INTERRUPTED += ["--out", "models/interrupted"]
CHECKPOINT = "models/.interrupted.stages/checkpoint"


def make(where: Path) -> dict[str, Path]:
    """Return the directories by kind, under ``where``; build them once."""
    places = {kind: where / "models" / kind for kind in KINDS}
    if all(path.exists() for path in (*places.values(), where / CHECKPOINT)):
        return places
    where.mkdir(parents=True, exist_ok=True)
    _text(where)
    for arguments in (
        ["train-smt", *TRAIN, "--order", "3", "--tune", "none", "--out", "models/smt"],
        [SMALL],
        ["combine", "models/smt", "models/nmt", "--copy", "--out", "models/combined"],
        ["align", *TRAIN[:3], "--out", "models/alignment"],
        ["export", "models/smt", "--out", "moses"],
        ["import", "moses/moses.ini", "--pair", "en-de", "--out", "models/moses"],
        ["gradients", *TRAIN[:3], *TINY, "--out", "models/laboratory"],
    ):
        call = [MTKIT[0], "-c", SMALL] if arguments == [SMALL] else [*MTKIT, *arguments]
        run(call, where)
    _interrupt(where)
    return places


def _interrupt(where: Path) -> None:
    """Leave the checkpoint of a training that was killed."""
    with subprocess.Popen([*MTKIT, *INTERRUPTED, "-q"], cwd=where) as training:
        while not (where / CHECKPOINT).exists():
            assert training.poll() is None, "it ended before it could be killed"
            time.sleep(0.01)
        training.kill()
    recover(where / "models")  # removes the other files


def _text(where: Path) -> None:
    """Write a small part of the embedded corpus to ``where``, in the files of TRAIN."""
    corpora = Path(__file__).parents[2] / "corpora" / "everyday"
    for split, n in (("train", PAIRS), ("dev", 20), ("test", 5)):
        for name in (f"{split}.en", f"{split}.de"):
            lines = (corpora / name).read_text(encoding="utf-8").split("\n")[:n]
            (where / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def copy(model: Path, where: Path) -> Path:
    """Copy a model, to be damaged, to ``where``."""
    shutil.rmtree(where, ignore_errors=True)
    return Path(shutil.copytree(model, where, symlinks=True))


def memory() -> Path:
    """Return a directory for thousands of writes, in memory if possible."""
    shared = Path("/dev/shm")
    return shared if os.access(shared, os.W_OK) else Path("/tmp")
