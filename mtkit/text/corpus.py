"""Parallel text: read it, reject files that are not parallel text, find corpora by name."""

from __future__ import annotations

import hashlib
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mtkit.console import note
from mtkit.errors import InputError
from mtkit.storage.packing import PACKED
from mtkit.text.catalog import SPLITS, Provenance, corpora_directory, fetched, read_catalog
from mtkit.text.formats import bilingual
from mtkit.text.formats.choice import Choice
from mtkit.text.formats.codes import distance
from mtkit.text.formats.names import SUFFIXES, format_of
from mtkit.text.languages import (
    base,
    language_of,
    languages_named,
    surely_differ,
    without_packed_suffix,
)
from mtkit.text.lines import Texts
from mtkit.text.sanity import check_dev, check_format, check_sides, remark
from mtkit.text.tokenizer import WordTokenizer

DEFAULT_CORPUS = "everyday"
DEFAULT_PAIR = ("en", "de")
Files = tuple[Path, Path]  # source file, target file; twice the same path: it holds both languages
Named = str | Path | tuple[str | Path, str | Path]  # files as a caller names them


def files_of(named: Named) -> Files:
    """Return the file of each side; twice the same path if one file holds both languages."""
    source, target = named if isinstance(named, tuple) else (named, named)
    return Path(source), Path(target)


@dataclass(frozen=True)
class Bitext:
    """Parallel text: the raw lines ``source[i]`` and ``target[i]`` translate each other.

    languages: as the files name them, "" where they do not. file_format: format of a bilingual
    file, "" if its name says it.
    """

    source: Sequence[str]
    target: Sequence[str]
    paths: Files
    languages: tuple[str, str] = ("", "")
    file_format: str = ""

    def __len__(self) -> int:
        return len(self.source)

    @classmethod
    def read(
        cls, source: Path, target: Path, languages: tuple[str, str] | None = None,
        file_format: str = "",
    ) -> Bitext:  # fmt: skip
        """Read two files with the same number of lines, one sentence per line, or a bilingual file.

        For a bilingual file, pass its path as both ``source`` and ``target``, see
        ``formats.bilingual.read``. languages: those to take from a bilingual file; None for its
        own. file_format: format of a bilingual file, if its name does not say it. Raises InputError
        if the numbers of lines differ, if a file is empty, and if the files are not parallel text:
        markup, a table, the same text twice (see ``sanity``). Warns if half of the lines or more
        are the same on both sides.
        """
        if source == target:
            return cls.bilingual(Choice(source, languages), file_format)
        lines = Texts.read(source), Texts.read(target)
        for path, side in zip((source, target), lines, strict=True):
            if not any(line.strip() for line in side):
                raise InputError(f"{path}: the file is empty; parallel text is needed here")
            check_format(path, side)
        n, m = map(len, lines)
        if n != m:
            longer = source if n > m else target
            raise InputError(
                f"{source} has {n} lines but {target} has {m}; line {min(n, m) + 1} of {longer} "
                "has no partner: the two files must correspond line by line"
            )
        check_sides((source, target), *lines)
        return cls(*lines, (source, target), languages_named(source, target))

    @classmethod
    def bilingual(cls, choice: Choice, file_format: str = "") -> Bitext:
        """Read one bilingual file, as ``read`` does; ``choice`` records the line of each pair."""
        x, y, languages = bilingual.read_choice(choice.path, choice, file_format)
        check_sides((choice.path, choice.path), x, y)
        return cls(Texts(x), Texts(y), (choice.path, choice.path), languages, file_format)

    def pairs(self) -> list[tuple[str, str]]:
        """Return the (source, target) lines."""
        return list(zip(self.source, self.target, strict=True))

    def tokens(self, tokenizer: WordTokenizer) -> tuple[list[list[str]], list[list[str]]]:
        """Return the word tokens of the source lines and of the target lines."""
        return tokenizer.tokenize_all(self.source), tokenizer.tokenize_all(self.target)

    def select(self, rows: Sequence[int]) -> Bitext:
        """Return the pairs with the indices ``rows``, in this order."""
        source, target = (Texts(side[i] for i in rows) for side in (self.source, self.target))
        return replace(self, source=source, target=target)

    def digest(self) -> str:
        """BLAKE2b hash of all lines in their order, 128 bits in hexadecimal."""
        digest = hashlib.blake2b(digest_size=16)
        for source, target in zip(self.source, self.target, strict=True):
            digest.update(f"{source}\n{target}\n".encode())
        return digest.hexdigest()

    def without_empty(self) -> Bitext:
        """Return the pairs without a blank side. Raises InputError if there is none."""
        sides = zip(self.source, self.target, strict=True)
        blank = {i for i, (s, t) in enumerate(sides) if not (s.strip() and t.strip())}
        if len(blank) == len(self):
            raise InputError(f"{self.paths[0]}: no line has text on both sides")
        return self.select([i for i in range(len(self)) if i not in blank]) if blank else self


def split_pairs(lines: Sequence[str], name: str) -> Bitext:
    """Split ``source ||| target`` lines. Raises InputError, naming the line, for any other line."""
    sides = [line.split(" ||| ") for line in lines]
    for number, side in enumerate(sides, 1):
        if len(side) != 2:
            raise InputError(
                f"{name}: line {number}: expected one ' ||| ' between source and target, "
                f"found {lines[number - 1][:40]!r}"
            )
    return Bitext([s for s, _ in sides], [t for _, t in sides], (Path(name), Path(name)))


def sample_rows(size: int, every: int) -> range:
    """Return a systematic sample of ``size`` rows: every ``every``-th, at most 1,000."""
    return range(1, size, max(every, math.ceil(size / 1000)))


def hold_out(text: Bitext, every: int) -> tuple[Bitext, Bitext]:
    """Return (train, dev); dev is a systematic sample, ``sample_rows``."""
    dev_rows = sample_rows(len(text), every)
    return text.select([i for i in range(len(text)) if i not in dev_rows]), text.select(dev_rows)


@dataclass(frozen=True)
class Corpus:
    """A train/dev/test split of one language pair; ``dev`` and ``test`` may be absent."""

    name: str
    pair: tuple[str, str]
    train: Bitext
    dev: Bitext | None
    test: Bitext | None


def find_corpus(name: str) -> Path:
    """Return the directory of a corpus by its path, or by the name of an embedded or fetched one.

    Raises InputError if there is none.
    """
    # Directories that hold only a grammar have no train.* and are not listed.
    embedded = {path.parent.name: path.parent for path in corpora_directory().glob("*/train.*")}
    directories = fetched() | embedded
    directory = Path(name) if Path(name).is_dir() else directories.get(name)
    if directory:
        return directory
    names = ", ".join(sorted(embedded) + sorted(directories.keys() - embedded.keys()))
    advice = f"`mtkit corpus get {name}` fetches it"
    if name not in read_catalog():
        advice = "`mtkit corpus list` shows what can be fetched"
    raise InputError(f"no directory or corpus {name!r}; corpora on this machine: {names}; {advice}")


def read_corpus_directory(directory: Path, pair: tuple[str, str] | None) -> Corpus:
    """Read a directory with ``train.LL``, ``dev.LL``, ``test.LL``, or a bilingual ``train.tmx`` ….

    Each file may be packed. pair: None for the languages of a fetched corpus or of a bilingual
    training file, else ``DEFAULT_PAIR``. Raises InputError if there is no training text.
    """
    if pair is None and (origin := Provenance.read(directory)):
        pair = origin.pair
    train = _read_split(directory, "train", pair)
    languages = pair or (
        languages_in(train) if train and _is_bilingual(train.paths) else DEFAULT_PAIR
    )
    dev, test = (_read_split(directory, split, languages) for split in SPLITS[1:])
    if train is None and test is not None:
        source, target = test.paths
        raise InputError(
            f"{directory}: a test set without training text; name it as --test {source} {target}"
        )
    if train is None:
        raise no_training_text(directory, languages)
    return Corpus(directory.name, languages, train, dev, test)


def no_training_text(directory: Path, pair: tuple[str, str]) -> InputError:
    """Return the InputError for a corpus without training text in these languages."""
    return InputError(
        f"{directory}: no train.{pair[0]} and train.{pair[1]}; set the languages with --pair, or "
        "name the files with --train"
    )


def _read_split(directory: Path, split: str, pair: tuple[str, str] | None) -> Bitext | None:
    files = split_files(directory, split, pair)
    return Bitext.read(*files, pair) if files else None


def split_files(directory: Path, split: str, pair: tuple[str, str] | None) -> Files | None:
    """Return the files of a split, plain or packed; None if there are none.

    If ``en`` is missing, ``en-GB`` is taken. pair: None for a bilingual file's own languages, else
    ``DEFAULT_PAIR``. Raises InputError if one of two files is missing, and if there is more than
    one bilingual file.
    """
    both = [path for suffix in SUFFIXES for path in _existing(directory, f"{split}{suffix}")]
    names = [f"{split}.{language}" for language in pair or DEFAULT_PAIR]
    source, target = (_closest(directory, split, language) for language in pair or DEFAULT_PAIR)
    files = [path for path in (source, target) if path]
    if source and target:
        if both:
            note(
                f"reading {source} and {target.name}; ignoring {both[0].name} in the same directory"
            )
        return source, target
    if len(both) > 1:
        raise InputError(f"{directory}: found both {both[0].name} and {both[1].name}; remove one")
    if both:
        return both[0], both[0]
    if files:
        raise InputError(
            f"found {files[0]} but no {names[source is not None]}; name the languages with --pair"
        )
    return None


def _closest(directory: Path, split: str, language: str) -> Path | None:
    """Return the file of a split in ``language``, or else in its closest variant."""
    if exact := _existing(directory, f"{split}.{language}"):
        return exact[0]
    distances = {p: distance(language, language_of(p)) for p in directory.glob(f"{split}.*")}
    usable = {p: d for p, d in distances.items() if d is not None and language_of(p)}
    return min(sorted(usable), key=usable.__getitem__, default=None)


def _existing(directory: Path, name: str) -> list[Path]:
    """Return the existing files of this name, plain or packed."""
    return [path for suffix in ("", *PACKED) if (path := directory / f"{name}{suffix}").exists()]


def _is_bilingual(files: Files) -> bool:
    """Return whether one file holds both languages."""
    return files[0] == files[1]


def languages_in(text: Bitext, unnamed: tuple[str, str] | None = None) -> tuple[str, str]:
    """Return the languages of a bilingual file.

    unnamed: returned if the file does not name both; None: raise InputError.
    """
    if all(text.languages):
        return text.languages
    if unnamed is None:
        raise InputError(
            f"{text.paths[0]}: does not name both of its languages; name them with --pair, as in "
            "--pair en-de"
        )
    return unnamed


def parse_pair(pair: str) -> tuple[str, str]:
    """Split ``en-de`` or ``en-GB-de`` into two codes. Raises InputError for anything else."""
    code = r"(\w+(?:-[A-Z0-9]\w*)*)"  # a script or region begins with a capital or a digit
    if not (codes := re.fullmatch(f"{code}-{code}", pair)):
        raise InputError(f"--pair {pair}: expected two language codes, as in en-de")
    return codes[1], codes[2]


def languages_of(files: Files, unnamed: tuple[str, str] | None = None) -> tuple[str, str]:
    """Return the languages that two file names end in.

    unnamed: returned if a name ends in none; None: raise InputError.
    """
    pair = languages_named(*files)
    for path, language in zip(files, pair, strict=True):
        if language:
            continue
        if format_of(path):
            raise InputError(f"{path} holds both languages; name it alone: --train {path}")
        if unnamed is not None:
            return unnamed
        stem = Path(without_packed_suffix(path)).stem
        example = stem if language_of(Path(stem)) else f"{stem}.en"  # news.en for news.en.txt
        raise InputError(
            f"{path}: expected a file name that ends in a language, such as {example}; "
            "name the languages with --pair, as in --pair en-de"
        )
    return pair


def refuse_exchanged(option: str, files: Files, pair: tuple[str, str]) -> None:
    """Raise InputError if the names of ``files`` end in the two languages in reverse order."""
    source, target = map(base, pair)
    if source != target and [base(language_of(path)) for path in files] == [target, source]:
        raise InputError(
            f"{option} {files[0]} {files[1]}: source and target are exchanged; "
            f"the languages are {pair[0]} → {pair[1]}; name the files in this order"
        )


def check_languages(option: str, files: Files, pair: tuple[str, str]) -> None:
    """Raise InputError if the names of ``files`` clearly end in other languages than ``pair``."""
    if _is_bilingual(files):
        return
    refuse_exchanged(option, files, pair)
    for path, language in zip(files, pair, strict=True):
        if surely_differ(language_of(path), language):
            raise InputError(
                f"{option} {path}: the name ends in {language_of(path)}, but the languages are "
                f"{pair[0]} → {pair[1]}; name another file, or the languages with --pair"
            )


def open_corpus(
    name: str | None = None, pair: str | None = None, train: Named | None = None,
    dev: Named | None = None, test: Named | None = None, file_format: str = "",
    unnamed: tuple[str, str] | None = None,
) -> Corpus:  # fmt: skip
    """Open the corpus that the shared command-line options name; by default the embedded one.

    train, dev, test: two files, or one that holds both languages. file_format: format of the
    latter, if its name does not say it. unnamed: languages to assume if nothing names them; None:
    raise InputError. Raises InputError for options that contradict each other and for text that
    cannot be read.
    """
    check_options(name, train, dev, test)
    languages = None if pair is None else parse_pair(pair)
    files = {k: files_of(f) for k, f in zip(SPLITS, (train, dev, test), strict=True) if f}
    if languages is None and train and not _is_bilingual(files["train"]):
        languages = languages_of(files["train"], unnamed)
    if languages is None and not train and name is None:
        languages = DEFAULT_PAIR
    _check_names(files, languages)  # before anything is read
    corpus = _read_text(name, languages, files.pop("train", None), file_format, unnamed)
    _check_names(files, corpus.pair)
    remark(corpus.train.paths, corpus.train.source, corpus.train.target)
    texts = {split: Bitext.read(*paths, corpus.pair, file_format) for split, paths in files.items()}
    if "dev" in texts:
        check_dev(texts["dev"].source, corpus.train.source)
    return replace(corpus, dev=texts.get("dev", corpus.dev), test=texts.get("test", corpus.test))


def check_options(name: str | None, train: object, dev: object, test: object) -> None:
    """Raise InputError if the options of ``open_corpus`` contradict each other."""
    if train and name is not None:
        raise InputError("--corpus and --train exclude each other; give one of them")
    if name is None and not train and (dev or test):
        raise InputError("--dev and --test also need --train or --corpus")


def _check_names(files: Mapping[str, Files], languages: tuple[str, str] | None) -> None:
    """Check every split by ``check_languages``; None: a bilingual file will name the languages."""
    for split, paths in files.items():
        if languages:
            check_languages(f"--{split}", paths, languages)


def _read_text(
    name: str | None, languages: tuple[str, str] | None, train: Files | None, file_format: str,
    unnamed: tuple[str, str] | None,
) -> Corpus:  # fmt: skip
    """Return the named training text as a corpus, or the named corpus with all its splits.

    languages: None for those that the files name.
    """
    if train is None:
        return read_corpus_directory(find_corpus(name or DEFAULT_CORPUS), languages)
    text = Bitext.read(*train, languages, file_format)
    return Corpus(train[0].name, languages or languages_in(text, unnamed), text, None, None)


def line_hashes(lines: Iterable[str]) -> NDArray[np.uint64]:
    """Return sorted 64-bit hashes of ``lines``, to test later whether a line was trained on."""
    digests = (hashlib.blake2b(line.encode(), digest_size=8).digest() for line in lines)
    return np.sort(np.fromiter((int.from_bytes(d, sys.byteorder) for d in digests), np.uint64))
