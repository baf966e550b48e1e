"""Public corpora by name: what ``corpora/catalog.toml`` says of them, and those that are here.

A catalog is a TOML file with a table for each corpus; ``Entry`` has its keys. Users add corpora of
their own by a file that the environment variable ``MTKIT_CATALOG`` names: an entry there stands
before one of the same name here. What ``mtkit corpus get`` fetches lies in the cache,

    $MTKIT_CACHE, else $XDG_CACHE_HOME/mtkit, else ~/.cache/mtkit
        corpora/NAME/       train.LL, dev.LL, test.LL and corpus.json, where they are from
        downloads/          what has come of files that are not yet whole
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
MEMBER = "!"  # between the name of an archive and that of a file in it
SPLITS = ("train", "dev", "test")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_]\w+)*")


@dataclass(frozen=True)
class Entry:
    """A corpus that can be fetched.

    languages: source and target; pairs: sentence pairs of all splits, roughly; download, unpacked:
    bytes, roughly; verified: whether it was fetched from its address when the entry was written;
    note: what its user should know.

    address: where its files lie, up to and with the last slash. train, dev, test: the official
    splits, each as two texts (source, target), ``FILE`` or ``ARCHIVE!MEMBER``; or ``all``: the text
    without splits, from which ``held_out`` (dev, test, seed) are drawn. layout: how a text is
    written; "comtrans" is one text of three lines a pair: source, target, links. sacrebleu: instead
    of these, the name of one of sacreBLEU's test sets, which knows addresses and checksums.
    sha256, bytes: of each file, where they are known for sure.
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
        """The texts of each split, or of ``all``."""
        names = (*SPLITS, "all")
        return {name: value for name in names if (value := getattr(self, name))}

    def files(self) -> list[str]:
        """The files to fetch, each once; of a test set that sacreBLEU knows, none."""
        texts = [text for split in self.texts().values() for text in split]
        return list(dict.fromkeys(text.partition(MEMBER)[0] for text in texts))

    def splits(self) -> str:
        """How its splits come about, for a person."""
        if self.sacrebleu:
            return f"a test set: {self.sacrebleu} of sacreBLEU"
        if not self.all:
            return f"official: {', '.join(self.texts())}"
        sizes = ", ".join(f"{split} {self.held_out[split]:,}" for split in ("dev", "test"))
        return f"{sizes} pairs, sampled (seed {self.held_out['seed']}) from those that occur once"

    def matches(self, pattern: str) -> bool:
        """Whether name or title contain ``pattern``, in which ``*`` stands for anything."""
        wanted = f"*{pattern.lower()}*"
        return any(fnmatch(text.lower(), wanted) for text in (self.name, self.title))


@dataclass(frozen=True)
class Provenance:
    """Where a fetched corpus is from: ``corpus.json`` beside it.

    files: of each address the SHA-256 of what came; pairs: of each split.
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
        """What ``corpus.json`` holds."""
        return asdict(self)

    @classmethod
    def read(cls, directory: Path) -> Provenance | None:
        """That of a corpus directory, if it was fetched. Raises InputError where it is damaged."""
        path = directory / PROVENANCE
        if not path.is_file():
            return None
        found = as_fields(cls, read_json(path, dict, unfit), path, unfit)
        _check_languages(path, found.languages)
        return found


def corpora_directory() -> Path:
    """Where the corpora that come with mtkit lie: in the wheel, or in the source checkout."""
    package = Path(__file__).parents[1]
    packed = package / "_corpora"
    return packed if packed.is_dir() else package.parent / "corpora"


def cache_directory() -> Path:
    """Where fetched corpora and unfinished downloads lie, whether it is there yet or not."""
    if own := os.environ.get("MTKIT_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "mtkit"


def place_of(name: str) -> Path:
    """Where the corpus of this name lies once it is fetched."""
    return cache_directory() / "corpora" / name


def fetched() -> dict[str, Path]:
    """The corpora that were fetched, by name."""
    found = (cache_directory() / "corpora").glob(f"[!.]*/{PROVENANCE}")
    return {path.parent.name: path.parent for path in sorted(found)}


def read_catalog() -> dict[str, Entry]:
    """The corpora that can be fetched: those of ``MTKIT_CATALOG``, and those that mtkit knows.

    Raises InputError for a catalog that is wrong.
    """
    entries = dict[str, Entry]()
    if own := os.environ.get("MTKIT_CATALOG"):
        entries |= read_entries(Path(own))
    for name, entry in read_entries(corpora_directory() / CATALOG).items():
        entries.setdefault(name, entry)
    return entries


def read_entries(path: Path) -> dict[str, Entry]:
    """The entries of a catalog. Raises InputError, naming file and entry, where one is wrong."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; correct the environment variable MTKIT_CATALOG")
    try:
        tables = tomllib.loads(read_text(path, unfit))
    except tomllib.TOMLDecodeError as error:
        raise unfit(path, f"not TOML: {error}") from None
    return {name: _entry(path, name, table) for name, table in tables.items()}


def _entry(path: Path, name: str, table: object) -> Entry:
    """One entry, checked."""

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
    """Raise InputError where it is not clear what to fetch and how it becomes splits."""
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
    each = 1 if entry.layout == "comtrans" else 2
    for name, split in texts.items():
        if len(split) != each or not all(isinstance(text, str) and text for text in split):
            raise refusal(path, f"{name}: expected {each} names of texts")
    for file in entry.files():
        if "/" in file or file.startswith("."):
            raise refusal(
                path, f"{file}: a file name must not contain '/'; put directories into address"
            )
    if unknown := (entry.sha256.keys() | entry.bytes.keys()) - set(entry.files()):
        raise refusal(
            path, f"sha256 or bytes names {min(unknown)}, which is not a file of this corpus"
        )


def _check_languages(path: Path, languages: list[Any], before: str = "") -> None:
    codes = [code for code in languages if isinstance(code, str) and _LANGUAGE.fullmatch(code)]
    if not (len(languages) == len(codes) == len(set(codes)) == 2):
        raise unfit(path, f"{before}languages: expected two codes, as in ['en', 'de']")
