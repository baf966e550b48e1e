"""The parts of a combination: model directories, and n-best lists written by other systems."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, Self

from mtkit.errors import InputError
from mtkit.manifest import COMBINATION, MANIFEST, Manifest, model_files, model_size
from mtkit.platforms import path_from
from mtkit.storage.reading import as_fields, damaged, read_json
from mtkit.system import Hypothesis, Score, System
from mtkit.text.lines import read_lines
from mtkit.text.tokenizer import WordTokenizer
from mtkit.translators import open_translator

PARTS = "parts.json"
SIZES = {"smt": 30, "nmt": 5}  # length of a part's n-best list, by kind


@dataclass(eq=False)
class OtherSystem:
    """A system known only by its n-best lists; it cannot score other translations.

    by_source: the lists by ``_key`` of the source.
    """

    name: str
    tokenizer: WordTokenizer
    by_source: Mapping[str, list[Hypothesis]] = field(default_factory=dict)

    def translate(self, sentences: Sequence[str], n_best: int = 1) -> list[list[Hypothesis]]:
        """Return the first ``n_best`` of each list; none for a sentence without a list.

        Raises InputError if there are no lists at all.
        """
        if not self.by_source:
            raise InputError(
                f"{self.name} is not a model; give its n-best lists of this text, as in "
                f"`mtkit translate --lists {self.name}=FILE`"
            )
        return [self.by_source.get(self._key(sentence), [])[:n_best] for sentence in sentences]

    def score(self, pairs: Sequence[tuple[str, str]], brief: bool = False) -> list[Score]:
        """See ``System``. ``model`` is the score in the lists; None for other translations."""
        by_text = {x: {y.text: y.score for y in ys} for x, ys in self.by_source.items()}
        scores = {x: by_text.get(self._key(x), {}) for x in {x for x, _ in pairs}}
        return [Score(model=scores[x].get(y)) for x, y in pairs]

    def missing(self, sources: Sequence[str]) -> int:
        """Return how many of ``sources`` have no list."""
        return sum(self._key(source) not in self.by_source for source in sources)

    def _key(self, sentence: str) -> str:
        """Return the sentence as the combination spells its tokens."""
        return self.tokenizer.detokenize(self.tokenizer.tokenize(sentence))

    def read(self, file: Path, sources: Sequence[str]) -> None:
        """Read lines ``number ||| translation ||| … ||| score``, as Moses and mtkit write them.

        Numbers are indices into ``sources``; a sentence that occurs again keeps its first list, a
        translation its first place. Raises InputError, which names the line, for other lines.
        """
        lists: dict[str, dict[str, Hypothesis]] = {}
        first: dict[str, str] = {}  # number of each list
        for n, line in enumerate(read_lines(file), 1):
            number, *columns = line.split(" ||| ")
            try:
                source, text, score = sources[_natural(number)], columns[0], _finite(columns[-1])
            except (IndexError, ValueError):
                raise InputError(
                    f"{file}: line {n}: expected `number ||| translation ||| score`, numbers from "
                    f"0 to {len(sources) - 1}, found {line[:60]!r}"
                ) from None
            text, key = text.strip(), self._key(source)
            if first.setdefault(key, number) == number:
                y = Hypothesis(text, self.tokenizer.tokenize(text), score)
                lists.setdefault(key, {}).setdefault(text, y)
        if not lists:
            raise InputError(f"{file}: the file is empty; expected n-best lists")
        self.by_source = {key: list(ys.values()) for key, ys in lists.items()}


@dataclass(frozen=True)
class Part:
    """One of the combined systems.

    paths: its directory, several for an ensemble, none for an ``OtherSystem``. reverse: it
    translates from target to source, and so only scores P(x|y). size: length of its n-best lists.
    """

    name: str
    paths: tuple[Path, ...]
    system: System | OtherSystem
    reverse: bool = False
    size: int = 30

    @classmethod
    def open(cls, name: str, paths: Sequence[Path], languages: tuple[str, str]) -> Self:
        """Open the translator in ``paths``.

        Raises InputError for other languages, a combination, or a non-neural reverse system.
        """
        manifest = Manifest.read(paths[0])
        if manifest.kind == COMBINATION:
            raise InputError(
                f"{paths[0]}: a combination cannot be part of another; name its systems"
            )
        if set(manifest.languages) != set(languages):
            actual, wanted = (" → ".join(pair) for pair in (manifest.languages, languages))
            raise InputError(f"{paths[0]} translates {actual}; it cannot be combined with {wanted}")
        reverse = manifest.languages != languages
        if reverse and manifest.kind != "nmt":
            raise InputError(f"{paths[0]}: a system of the reverse direction must be neural")
        system = open_translator(*paths)
        return cls(name, tuple(paths), system, reverse, SIZES[manifest.kind])


def _finite(number: str) -> float:
    if not math.isfinite(value := float(number)):
        raise ValueError(number)
    return value


def _natural(number: str) -> int:
    if not number.strip().isdecimal():
        raise ValueError(number)
    return int(number)


# --- on disk


class _Recorded(NamedTuple):
    """A part in the file ``PARTS``: relative paths of its directories, and a digest of each."""

    name: str
    paths: list[str]
    digests: list[str]


def write_parts(parts: Sequence[Part], place: Path, directory: Path, copy: bool) -> None:
    """Write paths, relative to ``place``, and digests of the parts into ``directory``.

    place: where ``directory`` will be moved. copy: copy the parts into ``directory``.
    """
    records = list[dict[str, Any]]()
    copies = count(1)
    for part in parts:
        paths = []
        for path in part.paths:
            relative = path_from(place.absolute(), path.absolute())
            if copy:
                relative = Path("parts") / str(next(copies))
                for file in model_files(path):
                    target = directory / relative / file.relative_to(path)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file, target)
            paths.append(relative.as_posix())
        digests = list(map(digest, part.paths))
        records.append({"name": part.name, "paths": paths, "digests": digests})
    text = json.dumps(records, ensure_ascii=False, indent=2)
    (directory / PARTS).write_text(text + "\n", encoding="utf-8")


def read_parts(directory: Path, manifest: Manifest) -> list[Part]:
    """Open the parts of the combination in ``directory``.

    Raises InputError if one is missing or has changed since it was combined.
    """
    parts = []
    for name, paths, digests in _read_records(directory):
        for path, expected in zip(paths, digests, strict=True):
            if not (path / MANIFEST).is_file():  # before all files there, perhaps of /, are read
                raise InputError(
                    f"{directory}: its system {name} is missing ({path}); restore it, or run "
                    "`mtkit combine` again"
                )
            if digest(path) != expected:
                raise InputError(
                    f"{directory}: its system {name} ({path}) has changed; run `mtkit combine` "
                    "again"
                )
        if paths:
            parts.append(Part.open(name, paths, manifest.languages))
        else:
            parts.append(Part(name, (), OtherSystem(name, manifest.word_tokenizer)))
    return parts


def with_parts(models: Sequence[Path]) -> list[Path]:
    """Return the directories of ``models``, each combination followed by those of its parts."""
    directories = list[Path]()
    for directory in models:
        directories.append(directory)
        if (directory / PARTS).is_file():
            directories += [path for _, paths, _ in _read_records(directory) for path in paths]
    return directories


def state_of(models: Sequence[Path]) -> list[tuple[str, int, int]]:
    """Return name, size and modification time of every file of the models and their parts."""
    files = [(p.relative_to(d), p.stat()) for d in with_parts(models) for p in model_files(d)]
    return [(name.as_posix(), stat.st_size, stat.st_mtime_ns) for name, stat in files]


def size(model: Path) -> int:
    """Return the bytes of a model, for a combination with its parts; copied parts count once."""
    outside = [p for p in with_parts([model])[1:] if model.resolve() not in p.resolve().parents]
    return sum(map(model_size, (model, *outside)))


def _read_records(directory: Path) -> list[tuple[str, list[Path], list[str]]]:
    """Return name, directories and digests of each part. Raises InputError if damaged."""
    file = directory / PARTS
    records = [as_fields(_Recorded, record, file) for record in read_json(file, list)]
    for record in records:
        names = [*record.paths, *record.digests]
        if len(record.paths) != len(record.digests) or not all(isinstance(n, str) for n in names):
            raise damaged(file, f"{record.name}: every path needs a digest")
        if "\0" in "".join(record.paths):
            raise damaged(file, f"{record.name}: a path with a NUL character")
    return [
        (record.name, [path_from(Path(), directory / p) for p in record.paths], record.digests)
        for record in records
    ]


def digest(directory: Path) -> str:
    """Return a 128-bit hash of names, sizes and contents of a model's files, in hexadecimal."""
    hasher = hashlib.blake2b(digest_size=16)
    for path in model_files(directory):
        hasher.update(f"{path.relative_to(directory).as_posix()}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                hasher.update(block)
    return hasher.hexdigest()
