"""Find the files that a command names; their content is not checked."""

from __future__ import annotations

from pathlib import Path

from mtkit.errors import InputError
from mtkit.text.catalog import SPLITS, Provenance
from mtkit.text.corpus import (
    DEFAULT_CORPUS,
    DEFAULT_PAIR,
    Files,
    check_languages,
    check_options,
    find_corpus,
    languages_of,
    no_training_text,
    parse_pair,
    split_files,
)


def name_files(
    positional: list[Path] | None, corpus: str | None, pair: str | None, train: Files | None,
    dev: Files | None, test: Files | None, unnamed: bool = False,
) -> tuple[tuple[str, str] | None, dict[str, Files]]:  # fmt: skip
    """Return the languages, and the files of each split that exists, always of ``train``.

    The languages are None if a bilingual training file is to name them. positional: SRC TGT, or one
    bilingual file; the same as --train. unnamed: allow None also if the names of two files show no
    languages; otherwise that raises InputError. Raises InputError, too, for options that contradict
    each other, and if a file of the training text is missing.
    """
    if positional and len(positional) > 2:
        raise InputError("expected two files, SRC TGT, or one file with both languages")
    if positional and train:
        raise InputError("SRC TGT and --train exclude each other; give one of them")
    train = (positional[0], positional[-1]) if positional else train
    check_options(corpus, train, dev, test)
    directory = None if train else find_corpus(corpus or DEFAULT_CORPUS)
    languages = parse_pair(pair) if pair else _languages(train, directory, unnamed)
    files = {} if directory is None else _of_directory(directory, languages)
    for split, named in zip(SPLITS, (train, dev, test), strict=True):
        if named:
            if languages:
                check_languages(f"--{split}", named, languages)
            files[split] = named
    return languages, {split: files[split] for split in SPLITS if split in files}


def _languages(
    train: Files | None, directory: Path | None, unnamed: bool
) -> tuple[str, str] | None:  # fmt: skip
    """Return the languages by the files' names or the corpus; None for a bilingual file."""
    if train and train[0] == train[1]:
        return None
    if train:
        languages = languages_of(train, ("", "") if unnamed else None)
        return languages if all(languages) else None
    assert directory is not None
    if origin := Provenance.read(directory):
        return origin.pair
    files = split_files(directory, "train", None)
    return None if files and files[0] == files[1] else DEFAULT_PAIR


def _of_directory(directory: Path, pair: tuple[str, str] | None) -> dict[str, Files]:
    by_split = {split: split_files(directory, split, pair) for split in SPLITS}
    if not by_split["train"]:
        raise no_training_text(directory, pair or DEFAULT_PAIR)
    return {split: files for split, files in by_split.items() if files}
