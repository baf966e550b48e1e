"""Formats that hold both languages, by file name suffix."""

from __future__ import annotations

from pathlib import Path

from mtkit.text.languages import without_packed_suffix

SUFFIXES = {
    ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".tmx": "tmx",
    ".xlf": "xliff", ".xliff": "xliff", ".sdlxliff": "xliff", ".mqxliff": "xliff",
    ".mxliff": "xliff", ".po": "po", ".pot": "po",
}  # fmt: skip


def format_of(path: Path) -> str:
    """Return the format of a file by its name, packed or not; "" if the suffix is unknown."""
    return SUFFIXES.get(Path(without_packed_suffix(path)).suffix.lower(), "")
