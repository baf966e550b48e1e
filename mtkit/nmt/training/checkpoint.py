"""A training run on disk: one safetensors file with its complete state, written atomically.

Tensors: θ, its average θ̄, the best θ̄ so far and Adam's moments. Metadata: the progress of the run
as JSON, and a fingerprint of its settings, so that it is never continued with other settings.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from mtkit.errors import InputError
from mtkit.storage.stages import name_of_output
from mtkit.storage.writing import write_whole

if TYPE_CHECKING:
    from mtkit.nmt.recipe import TrainConfig

Tensors = dict[str, Tensor]
Groups = dict[str, Tensors]  # group (model, average …) → name → tensor; GROUP.NAME in the file


def fingerprint(config: TrainConfig, weights: Tensors | None = None) -> str:
    """Return a SHA-256 hash of the settings without ``updates``, which a time budget recomputes.

    weights: those that training started from; part of the hash.
    """
    text = json.dumps({**asdict(config), "updates": 0}, sort_keys=True)
    return hashlib.sha256(text.encode() + to_bytes(weights or {})).hexdigest()


def save(path: Path, groups: Groups, progress: dict[str, Any], mark: str) -> None:
    """Write a run, replacing the old file only when the new one is on disk. mark: fingerprint."""
    tensors = {f"{group}.{k}": v for group, part in groups.items() for k, v in part.items()}
    metadata = {"progress": json.dumps(progress), "fingerprint": mark}
    write_whole(to_bytes(tensors, metadata | {"seal": _seal(tensors, metadata)}), path)


def progress_of(path: Path, mark: str | None = None) -> dict[str, Any]:
    """Return a run's progress. Raises InputError if missing, damaged or with another ``mark``."""
    return _read(path, mark)[1]


def load(path: Path, mark: str) -> tuple[Groups, dict[str, Any]]:
    """Read what ``save`` wrote. Raises InputError if missing, damaged or with another ``mark``."""
    tensors, progress = _read(path, mark)
    groups: Groups = defaultdict(dict)
    for name, tensor in tensors.items():
        group, _, key = name.partition(".")
        groups[group][key] = tensor
    return groups, progress


def damaged(path: Path) -> InputError:
    """Return the error for a file that is not the checkpoint of a run."""
    return InputError(
        f"{path}: damaged, or of another version of mtkit; start again without --resume"
    )


def _read(path: Path, mark: str | None) -> tuple[Tensors, dict[str, Any]]:
    """Return the tensors by GROUP.NAME and the progress of the run. mark: None = any."""
    if not path.is_file():
        name = name_of_output(path.parent)
        raise InputError(
            f"{name}: no interrupted training to resume; run the same command without --resume"
        )
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        seal, progress = metadata.pop("seal"), json.loads(metadata["progress"])
        marked = metadata["fingerprint"]
    except (SafetensorError, OSError, ValueError, KeyError, AttributeError, RecursionError):
        seal = ""
    if not seal or seal != _seal(tensors, metadata) or not isinstance(progress, dict):
        raise damaged(path)
    if mark not in (None, marked):
        raise InputError(
            f"{name_of_output(path.parent)}: the interrupted training has other options; "
            "use the same, or start again without --resume"
        )
    return tensors, progress


def _seal(tensors: Tensors, metadata: dict[str, str]) -> str:
    """Return a hash of all tensors and metadata."""
    hasher = hashlib.blake2b(json.dumps(metadata, sort_keys=True).encode(), digest_size=16)
    for name, tensor in sorted(tensors.items()):
        hasher.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
        hasher.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
    return hasher.hexdigest()
