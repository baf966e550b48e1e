"""The files that a command names, whatever is wrong with what they hold."""

from __future__ import annotations

from pathlib import Path

from mtkit.errors import InputError
from mtkit.text.catalog import SPLITS, Provenance
from mtkit.text.corpus import (
    DEFAULT_CORPUS,
    DEFAULT_PAIR,
    Files,
    check_languages,
    find_corpus,
    languages_of,
    parse_pair,
)


def name_files(
    positional: list[Path] | None, corpus: str | None, pair: str | None, train: Files | None,
    dev: Files | None, test: Files | None,
) -> tuple[tuple[str, str] | None, dict[str, Files]]:  # fmt: skip
    """The languages, and the files of each split that there is; ``train`` always.

    The languages are None where a bilingual training file is to name them. positional: SRC TGT, or
    a file of both, which mean the same as --train. Raises InputError for options that
    contradict each other, and where a file of the training text is missing.
    """
    if positional and len(positional) > 2:
        raise InputError("expected two files, SRC TGT, one of each language, or one of both")
    if positional and train:
        raise InputError("SRC TGT and --train name the training text twice; give one of them")
    train = (positional[0], positional[-1]) if positional else train
    if train and corpus is not None:
        raise InputError("--corpus and --train name the training text twice; give one of them")
    if corpus is None and not train and (dev or test):
        raise InputError("--dev and --test need --train or --corpus beside them")
    directory = None if train else find_corpus(corpus or DEFAULT_CORPUS)
    languages = parse_pair(pair) if pair else _languages(train, directory)
    files = _of_directory(directory, languages or DEFAULT_PAIR) if directory else {}
    for split, named in zip(SPLITS, (train, dev, test), strict=True):
        if named:
            if languages:
                check_languages(f"--{split}", named, languages)
            files[split] = named
    return languages, {split: files[split] for split in SPLITS if split in files}


def _languages(train: Files | None, directory: Path | None) -> tuple[str, str] | None:
    """Those of the files' names, or of a fetched corpus; None of a bilingual file."""
    if train:
        return None if train[0] == train[1] else languages_of(train)
    origin = Provenance.read(directory) if directory else None
    return (origin.languages[0], origin.languages[1]) if origin else DEFAULT_PAIR


def _of_directory(directory: Path, pair: tuple[str, str]) -> dict[str, Files]:
    files = {}
    for split in SPLITS:
        both = [_plain_or_packed(directory / f"{split}.{language}") for language in pair]
        if both[0] and both[1]:
            files[split] = both[0], both[1]
        elif both[0] or both[1] or split == "train":
            raise InputError(
                f"{directory}: no {split}.{pair[0]} and {split}.{pair[1]}; name the languages "
                "with --pair"
            )
    return files


def _plain_or_packed(path: Path) -> Path | None:
    packed = path.with_name(f"{path.name}.gz")
    return path if path.exists() else packed if packed.exists() else None
