"""Public corpora by name: the entries of ``corpora/catalog.toml``, and the fetched corpora.

A catalog is a TOML file with one table per corpus; ``Entry`` describes the keys. Users add their
own corpora in a file that the environment variable ``MTKIT_CATALOG`` names; its entries override
entries of the same name here. ``mtkit corpus get`` stores what it fetches in the cache:

    $MTKIT_CACHE, else $XDG_CACHE_HOME/mtkit, else ~/.cache/mtkit
        corpora/NAME/       train.LL, dev.LL, test.LL and corpus.json, their provenance
        downloads/          incomplete downloads
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal

from mtkit.errors import InputError
from mtkit.storage.reading import as_fields, read_json, read_text, unfit

CATALOG, PROVENANCE = "catalog.toml", "corpus.json"
MEMBER = "!"  # separates the name of an archive from the name of a file in it
SPLITS = ("train", "dev", "test")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_]\w+)*")


@dataclass(frozen=True)
class Entry:
    """A corpus that can be fetched.

    languages: codes of source and target. pairs: approximate number of sentence pairs, all splits.
    download, unpacked: approximate sizes in bytes. verified: whether the address worked when the
    entry was written. note: a remark for users.

    address: URL of the directory of its files, with the final slash. train, dev, test: the official
    splits, each as two texts (source, target), ``FILE`` or ``ARCHIVE!MEMBER``. all: instead, the
    text without splits; ``held_out`` (dev, test, seed) says how many pairs to draw. layout: format
    of a text; "comtrans" is one text with three lines per pair: source, target, links. sacrebleu:
    instead of address and texts, the name of a test set whose address and checksum sacreBLEU knows.
    sha256, bytes: of each file, where exactly known.
    """

    title: str
    languages: list[str]
    pairs: int
    download: int
    unpacked: int
    licence: str
    citation: str
    homepage: str
    name: str = ""
    verified: bool = False
    note: str = ""
    address: str = ""
    train: list[str] = field(default_factory=list)
    dev: list[str] = field(default_factory=list)
    test: list[str] = field(default_factory=list)
    all: list[str] = field(default_factory=list)
    held_out: dict[str, int] = field(default_factory=dict)
    layout: Literal["lines", "comtrans"] = "lines"
    encoding: Literal["utf-8", "latin-1"] = "utf-8"
    sacrebleu: str = ""
    sha256: dict[str, str] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)

    @property
    def pair(self) -> tuple[str, str]:
        """Source and target language."""
        return self.languages[0], self.languages[1]

    def texts(self) -> dict[str, list[str]]:
        """Return the texts of each split, or of ``all``."""
        names = (*SPLITS, "all")
        return {name: value for name in names if (value := getattr(self, name))}

    def files(self) -> list[str]:
        """Return the distinct names of the files to fetch; none for a sacreBLEU test set."""
        texts = [text for split in self.texts().values() for text in split]
        return list(dict.fromkeys(text.partition(MEMBER)[0] for text in texts))

    def splits(self) -> str:
        """Describe for the user how the splits are made."""
        if self.sacrebleu:
            return f"a test set: {self.sacrebleu} of sacreBLEU"
        if not self.all:
            return f"official: {', '.join(self.texts())}"
        sizes = ", ".join(f"{split} {self.held_out[split]:,}" for split in ("dev", "test"))
        return f"{sizes} pairs, sampled (seed {self.held_out['seed']}) from those that occur once"

    def matches(self, pattern: str) -> bool:
        """Return whether name or title contains ``pattern``, ignoring case; ``*`` is a wildcard."""
        glob = f"*{pattern.lower()}*"
        return any(fnmatch(text.lower(), glob) for text in (self.name, self.title))


@dataclass(frozen=True)
class Provenance:
    """The origin of a fetched corpus, stored as ``corpus.json`` in its directory.

    files: address → SHA-256 of the downloaded file. pairs: split → number of sentence pairs.
    """

    name: str
    title: str
    languages: list[str]
    licence: str
    citation: str
    homepage: str
    files: dict[str, str]
    pairs: dict[str, int]
    splits: str

    @property
    def pair(self) -> tuple[str, str]:
        """Source and target language."""
        return self.languages[0], self.languages[1]

    def as_dict(self) -> dict[str, Any]:
        """Return the content of ``corpus.json``."""
        return asdict(self)

    @classmethod
    def read(cls, directory: Path) -> Provenance | None:
        """Read it; None for a corpus that was not fetched. Raises InputError if it is damaged."""
        path = directory / PROVENANCE
        if not path.is_file():
            return None
        provenance = as_fields(cls, read_json(path, dict, unfit), path, unfit)
        _check_languages(path, provenance.languages)
        return provenance


def corpora_directory() -> Path:
    """Directory of the corpora that mtkit ships, in the wheel or in the source checkout."""
    package = Path(__file__).parents[1]
    in_wheel = package / "_corpora"
    return in_wheel if in_wheel.is_dir() else package.parent / "corpora"


def cache_directory() -> Path:
    """Directory of fetched corpora and unfinished downloads; it may not exist yet."""
    if cache := os.environ.get("MTKIT_CACHE"):
        return Path(cache)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "mtkit"


def corpus_directory(name: str) -> Path:
    """Directory of the corpus ``name`` once it is fetched."""
    return cache_directory() / "corpora" / name


def fetched() -> dict[str, Path]:
    """Return name → directory of the fetched corpora."""
    paths = (cache_directory() / "corpora").glob(f"[!.]*/{PROVENANCE}")
    return {path.parent.name: path.parent for path in sorted(paths)}


def read_catalog() -> dict[str, Entry]:
    """Return name → entry of the corpora of ``MTKIT_CATALOG`` and of mtkit's own catalog.

    Raises InputError for an invalid catalog.
    """
    entries = dict[str, Entry]()
    if user_catalog := os.environ.get("MTKIT_CATALOG"):
        entries |= read_entries(Path(user_catalog))
    for name, entry in read_entries(corpora_directory() / CATALOG).items():
        entries.setdefault(name, entry)
    return entries


def read_entries(path: Path) -> dict[str, Entry]:
    """Read a catalog as name → entry. Raises InputError, naming file and entry, for a bad one."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; correct the environment variable MTKIT_CATALOG")
    try:
        tables = tomllib.loads(read_text(path, unfit))
    except tomllib.TOMLDecodeError as error:
        raise unfit(path, f"not TOML: {error}") from None
    return {name: _entry(path, name, table) for name, table in tables.items()}


def _entry(path: Path, name: str, table: object) -> Entry:
    """Return one entry from its TOML table. Raises InputError if it is invalid."""

    def refusal(path: Path, reason: object) -> InputError:
        return unfit(path, f"[{name}]: {reason}")

    if not _NAME.fullmatch(name):
        raise refusal(path, "a name may contain only lower-case letters, digits, '.', '-' and '_'")
    if isinstance(table, Mapping):
        table = {**table, "name": name}
    entry = as_fields(Entry, table, path, refusal)
    _check_languages(path, entry.languages, f"[{name}]: ")
    for key, kind in (("sha256", str), ("bytes", int), ("held_out", int)):
        if not all(type(value) is kind for value in getattr(entry, key).values()):
            raise refusal(path, f"{key}: expected {kind.__name__} values")
    if min(entry.pairs, entry.download, entry.unpacked) < 1:
        raise refusal(path, "pairs, download and unpacked must be above 0")
    _check_texts(path, entry, refusal)
    return entry


def _check_texts(path: Path, entry: Entry, refusal: Any) -> None:
    """Raise InputError unless the entry says exactly what to fetch and how to split it."""
    texts = entry.texts()
    if bool(entry.sacrebleu) == bool(texts):
        raise refusal(path, "expected either texts (train, dev, test or all) or sacrebleu")
    if texts and not entry.address.endswith("/"):
        raise refusal(path, "address must be that of the directory of the files, and end in '/'")
    if entry.all and (len(texts) > 1 or set(entry.held_out) != {"dev", "test", "seed"}):
        raise refusal(
            path, "all needs held_out = {dev = N, test = N, seed = N}, and no train, dev or test"
        )
    if any(number < 0 for number in entry.held_out.values()):
        raise refusal(path, "held_out has a number below 0")
    n_texts = 1 if entry.layout == "comtrans" else 2
    for name, split in texts.items():
        if len(split) != n_texts or not all(isinstance(text, str) and text for text in split):
            raise refusal(path, f"{name}: expected {n_texts} names of texts")
    for file in entry.files():
        if "/" in file or file.startswith("."):
            raise refusal(
                path, f"{file}: a file name must not contain '/'; put directories into address"
            )
    if unknown := (entry.sha256.keys() | entry.bytes.keys()) - set(entry.files()):
        raise refusal(
            path, f"sha256 or bytes names {min(unknown)}, which is not a file of this corpus"
        )


def _check_languages(path: Path, languages: list[Any], prefix: str = "") -> None:
    codes = [code for code in languages if isinstance(code, str) and _LANGUAGE.fullmatch(code)]
    if not (len(languages) == len(codes) == len(set(codes)) == 2):
        raise unfit(path, f"{prefix}languages: expected two codes, as in ['en', 'de']")
