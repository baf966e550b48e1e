"""Which formats hold both languages, by the names of their files."""

from __future__ import annotations

from pathlib import Path

from mtkit.text.languages import unpacked

SUFFIXES = {
    ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".tmx": "tmx",
    ".xlf": "xliff", ".xliff": "xliff", ".sdlxliff": "xliff", ".mqxliff": "xliff",
    ".mxliff": "xliff", ".po": "po", ".pot": "po",
}  # fmt: skip


def format_of(path: Path) -> str:
    """The format that a file name says, packed or not; "" where it says none."""
    return SUFFIXES.get(Path(unpacked(path)).suffix.lower(), "")
