"""A training run on disk, whole or not at all: one safetensors file of what decides how it goes on.

Tensors: θ, its average θ̄, the best θ̄ so far, Adam's moments and the batches of this epoch that are
still to come. Beside them as JSON: where the run stands, and a fingerprint of text and settings, so
that it is never continued with others.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open
from safetensors.torch import save as to_bytes
from safetensors.torch import save_file
from torch import Tensor

from mtkit.errors import InputError

if TYPE_CHECKING:
    from mtkit.nmt.data import Data
    from mtkit.nmt.recipe import TrainConfig

Tensors = dict[str, Tensor]
Groups = dict[str, Tensors]  # those of θ, of its average …; GROUP.NAME in the file


def path_of(out: Path) -> Path:
    """Where the unfinished training of the model ``out`` lies."""
    return out.with_name(f".{out.name}.checkpoint")


def fingerprint(config: TrainConfig, train: Data, dev: Data, weights: Tensors | None = None) -> str:
    """Of all but ``updates``, which a time budget decides anew. weights: those begun with."""
    settings = {**asdict(config), "updates": 0}
    text = json.dumps([settings, *(asdict(data) for data in (train, dev))], sort_keys=True)
    return hashlib.sha256(text.encode() + to_bytes(weights or {})).hexdigest()


def save(path: Path, groups: Groups, state: dict[str, Any], mark: str) -> None:
    """Write a run; its old state stands until the new one is on the disk."""
    new = path.with_name(path.name + ".new")
    tensors = {f"{group}.{k}": v for group, part in groups.items() for k, v in part.items()}
    save_file(tensors, new, {"state": json.dumps(state), "fingerprint": mark})
    with new.open("rb") as file:
        os.fsync(file.fileno())
    new.replace(path)


def place_of(path: Path, mark: str | None = None) -> dict[str, Any]:
    """Where a run stands. Raises InputError where there is none, or one with another ``mark``."""
    if not path.is_file():
        raise InputError(f"{path}: no unfinished training; start one without --resume")
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    if mark not in (None, metadata["fingerprint"]):
        raise InputError(
            f"{path}: the unfinished training has another text or other settings; "
            "give those again, or start anew without --resume"
        )
    place: dict[str, Any] = json.loads(metadata["state"])
    return place


def load(path: Path, mark: str) -> tuple[Groups, dict[str, Any]]:
    """Read what ``save`` wrote. Raises InputError for a run of another text or other settings."""
    place = place_of(path, mark)
    groups: Groups = defaultdict(dict)
    with safe_open(path, "pt") as file:
        for name in file.keys():  # noqa: SIM118
            group, _, key = name.partition(".")
            groups[group][key] = file.get_tensor(name)
    return groups, place


def flat(queue: list[list[int]]) -> Tensors:
    """Batches of rows as two tensors."""
    sizes = torch.tensor([len(rows) for rows in queue], dtype=torch.int64)
    rows = torch.tensor([r for batch in queue for r in batch], dtype=torch.int64)
    return {"sizes": sizes, "rows": rows}


def unflat(tensors: Tensors) -> list[list[int]]:
    """The other way round."""
    rows = iter(tensors["rows"].tolist())
    return [list(islice(rows, size)) for size in tensors["sizes"].tolist()]
