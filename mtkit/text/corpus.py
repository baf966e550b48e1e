"""Parallel text: reading it, refusing what cannot be meant, and finding the embedded corpus."""

from __future__ import annotations

import codecs
import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from mtkit.errors import InputError
from mtkit.storage.reading import LONGEST_LINE, check_line, unpacked
from mtkit.text.catalog import SPLITS, Provenance, corpora_directory, fetched, read_catalog
from mtkit.text.languages import base, language_of, surely_differ
from mtkit.text.sanity import check_dev, check_format, check_sides
from mtkit.text.tokenizer import WordTokenizer

DEFAULT_CORPUS = "everyday"
DEFAULT_PAIR = ("en", "de")
Files = tuple[Path, Path]  # of the source, of the target


def decode_lines(data: bytes, name: str, before: int = 0) -> list[str]:
    r"""UTF-8 ``data`` as lines, split on ``\n`` only; a BOM and ``\r\n`` are tolerated.

    ``before`` so many lines came before it. Raises InputError naming ``name``, line and byte where
    the bytes are no UTF-8, and for a line that ``check_line`` refuses.
    """
    for k, part in enumerate(data.split(b"\n") if len(data) > LONGEST_LINE else (), before + 1):
        check_line(name, k, part)
    if not before:
        data = data.removeprefix(codecs.BOM_UTF8)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        at = error.start
        line = before + data.count(b"\n", 0, at) + 1
        column = at - (data.rfind(b"\n", 0, at) + 1) + 1
        raise InputError(
            f"{name}: line {line}, byte {column}: not UTF-8 (0x{data[at]:02x}); "
            "convert it first, for instance with iconv -t UTF-8"
        ) from None
    lines = text.removesuffix("\n").split("\n") if text else []
    return [line.removesuffix("\r") for line in lines]


def stream_lines(stream: BinaryIO, name: str) -> Iterator[str]:
    """The lines of ``stream``, each as soon as it is there; see ``decode_lines``."""
    for before, data in enumerate(iter(partial(stream.readline, LONGEST_LINE + 1), b"")):
        yield from decode_lines(data, name, before)
        if not data.endswith(b"\n"):
            return  # on a terminal reading on would ask for the end once more


def read_lines(path: Path) -> list[str]:
    """The lines of a plain or ``.gz`` file. Raises InputError where ``unpacked`` does."""
    return decode_lines(b"".join(unpacked(path)), str(path))


@dataclass(frozen=True)
class Bitext:
    """Sentences that translate each other: ``source[i]`` and ``target[i]``, raw lines."""

    source: list[str]
    target: list[str]
    paths: Files

    def __len__(self) -> int:
        return len(self.source)

    @classmethod
    def read(cls, source: Path, target: Path) -> Bitext:
        """Read two files of equally many lines, one sentence each.

        Raises InputError for other numbers of lines, for an empty file and for what is no parallel
        text: markup, a table, the same text twice (see ``sanity``). Warns of copied lines.
        """
        lines = read_lines(source), read_lines(target)
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
        return cls(*lines, paths=(source, target))

    def pairs(self) -> list[tuple[str, str]]:
        """The (source, target) lines."""
        return list(zip(self.source, self.target, strict=True))

    def tokens(self, tokenizer: WordTokenizer) -> tuple[list[list[str]], list[list[str]]]:
        """The word tokens of the source lines and of the target lines."""
        return tokenizer.tokenize_all(self.source), tokenizer.tokenize_all(self.target)

    def select(self, rows: Sequence[int]) -> Bitext:
        """Some of the pairs, in the order of ``rows``."""
        return Bitext([self.source[i] for i in rows], [self.target[i] for i in rows], self.paths)

    def digest(self) -> str:
        """128 bits of every line in its place, in hexadecimal: other text has another one."""
        digest = hashlib.blake2b(digest_size=16)
        for source, target in self.pairs():
            digest.update(f"{source}\n{target}\n".encode())
        return digest.hexdigest()

    def without_empty(self) -> Bitext:
        """The pairs of which neither side is blank. Raises InputError where there is none."""
        rows = [i for i, (s, t) in enumerate(self.pairs()) if s.strip() and t.strip()]
        if not rows:
            raise InputError(f"{self.paths[0]}: no line has text on both sides")
        return self.select(rows)


def split_pairs(lines: Sequence[str], name: str) -> Bitext:
    """``source ||| target`` lines as two sides. Raises InputError, naming the line, otherwise."""
    sides = [line.split(" ||| ") for line in lines]
    for number, side in enumerate(sides, 1):
        if len(side) != 2:
            raise InputError(
                f"{name}: line {number}: expected one ' ||| ' between source and target, "
                f"found {lines[number - 1][:40]!r}"
            )
    return Bitext([s for s, _ in sides], [t for _, t in sides], (Path(name), Path(name)))


def held_out(size: int, every: int) -> range:
    """Every ``every``-th of so many rows, but at most 1,000."""
    return range(1, size, max(every, math.ceil(size / 1000)))


def hold_out(text: Bitext, every: int) -> tuple[Bitext, Bitext]:
    """(train, dev): dev are the pairs that are ``held_out``."""
    held = held_out(len(text), every)
    return text.select([i for i in range(len(text)) if i not in held]), text.select(held)


@dataclass(frozen=True)
class Corpus:
    """A train/dev/test split of one language pair; ``dev`` and ``test`` may be absent."""

    name: str
    pair: tuple[str, str]
    train: Bitext
    dev: Bitext | None
    test: Bitext | None


def find_corpus(name: str) -> Path:
    """The directory of a corpus named by path, or by the name of one embedded or fetched."""
    embedded = {path.parent.name: path.parent for path in corpora_directory().glob("*/train.*")}
    places = fetched() | embedded
    directory = Path(name) if Path(name).is_dir() else places.get(name)
    if directory:  # a grammar beside them is no corpus yet
        return directory
    known = ", ".join(sorted(embedded) + sorted(places.keys() - embedded.keys()))
    step = f"`mtkit corpus get {name}` fetches it"
    if name not in read_catalog():
        step = "`mtkit corpus list` shows what can be fetched"
    raise InputError(
        f"no corpus {name!r}: neither a directory nor one of the embedded or fetched ({known}); "
        f"{step}"
    )


def read_corpus_directory(directory: Path, pair: tuple[str, str]) -> Corpus:
    """A directory with ``train.LL``, ``dev.LL``, ``test.LL``, each plain or ``.gz``."""
    train, dev, test = (_read_split(directory, split, pair) for split in SPLITS)
    if train is None and test is not None:
        source, target = test.paths
        raise InputError(
            f"{directory}: a test set without training text; name it as --test {source} {target}"
        )
    if train is None:
        raise InputError(
            f"{directory}: no train.{pair[0]} and train.{pair[1]}; name the languages with --pair"
        )
    return Corpus(directory.name, pair, train, dev, test)


def _read_split(directory: Path, split: str, pair: tuple[str, str]) -> Bitext | None:
    plain = [directory / f"{split}.{language}" for language in pair]
    source, target = (
        next((path for path in (p, p.with_name(f"{p.name}.gz")) if path.exists()), None)
        for p in plain
    )
    if source and target:
        return Bitext.read(source, target)
    if source or target:
        raise InputError(
            f"found {source or target} but no {plain[bool(source)].name}; name the languages with "
            "--pair"
        )
    return None


def parse_pair(pair: str) -> tuple[str, str]:
    """``en-de`` or ``en-GB-de`` as two codes. Raises InputError for anything else."""
    code = r"(\w+(?:-[A-Z0-9]\w*)*)"  # what follows a language begins with a capital or a digit
    if not (codes := re.fullmatch(f"{code}-{code}", pair)):
        raise InputError(f"--pair {pair}: expected two language codes, as in en-de")
    return codes[1], codes[2]


def languages_of(files: Files) -> tuple[str, str]:
    """The languages that two file names end in. Raises InputError for a name that tells none."""
    for path in files:
        if not language_of(path):
            raise InputError(
                f"{path}: the file name does not end in a language, as {path.stem}.en does; "
                "name the languages with --pair, as in --pair en-de"
            )
    return language_of(files[0]), language_of(files[1])


def refuse_exchanged(option: str, files: Files, pair: tuple[str, str]) -> None:
    """Raise InputError where the names of ``files`` end in the languages the wrong way round."""
    source, target = map(base, pair)
    if source != target and [base(language_of(path)) for path in files] == [target, source]:
        raise InputError(
            f"{option} {files[0]} {files[1]}: source and target are exchanged; "
            f"the languages are {pair[0]} → {pair[1]}; name the files in this order"
        )


def check_languages(option: str, files: Files, pair: tuple[str, str]) -> None:
    """Raise InputError where the names of ``files`` surely end in other languages than ``pair``."""
    if files[0] == files[1]:
        raise InputError(f"{option} names {files[0]} twice; name a file of each language")
    refuse_exchanged(option, files, pair)
    for path, language in zip(files, pair, strict=True):
        if surely_differ(language_of(path), language):
            raise InputError(
                f"{option} {path}: the name ends in {language_of(path)}, but the languages are "
                f"{pair[0]} → {pair[1]}; name another file, or the languages with --pair"
            )


def open_corpus(
    name: str | None = None, pair: str | None = None, train: Files | None = None,
    dev: Files | None = None, test: Files | None = None,
) -> Corpus:  # fmt: skip
    """The corpus that the shared command-line options name; with none, the embedded one.

    Raises InputError for options that contradict each other and for text that cannot be read.
    """
    if train and name is not None:
        raise InputError("--corpus and --train name the training text twice; give one of them")
    if name is None and not train and (dev or test):
        raise InputError("--dev and --test need --train or --corpus beside them")
    directory = None if train else find_corpus(name or DEFAULT_CORPUS)
    languages = _languages(pair, train, directory)
    for option, files in (("--train", train), ("--dev", dev), ("--test", test)):
        if files:
            check_languages(option, files, languages)
    if directory:
        corpus = read_corpus_directory(directory, languages)
    else:
        assert train is not None
        corpus = Corpus(train[0].name, languages, Bitext.read(*train), None, None)
    own_dev, own_test = (Bitext.read(*files) if files else None for files in (dev, test))
    if own_dev:
        check_dev(own_dev.source, corpus.train.source)
    return replace(corpus, dev=own_dev or corpus.dev, test=own_test or corpus.test)


def _languages(pair: str | None, train: Files | None, directory: Path | None) -> tuple[str, str]:
    """The languages that ``--pair`` names, else the files, else what a fetched corpus says."""
    if pair is not None:
        return parse_pair(pair)
    if train:
        return languages_of(train)
    origin = Provenance.read(directory) if directory else None
    return (origin.languages[0], origin.languages[1]) if origin else DEFAULT_PAIR


def line_hashes(lines: Iterable[str]) -> NDArray[np.uint64]:
    """Sorted 64-bit hashes of ``lines``: enough to see later whether a line was trained on."""
    digests = (hashlib.blake2b(line.encode(), digest_size=8).digest() for line in lines)
    return np.sort(np.frombuffer(b"".join(digests), dtype=np.uint64))
