"""What is combined: translators by their directories, and lists that other systems wrote."""

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
from mtkit.manifest import COMBINATION, Manifest, model_files, model_size
from mtkit.platforms import path_from
from mtkit.storage.reading import as_fields, damaged, read_json
from mtkit.system import Hypothesis, Score, System
from mtkit.text.lines import read_lines
from mtkit.text.tokenizer import WordTokenizer
from mtkit.translators import open_translator

PARTS = "parts.json"
SIZES = {"smt": 30, "nmt": 5}  # of a part's list, by kind


@dataclass(eq=False)
class OtherSystem:
    """A system that is known by its n-best lists, and says nothing of other translations."""

    name: str
    by_source: Mapping[str, list[Hypothesis]] = field(default_factory=dict)

    def translate(self, sentences: Sequence[str], n_best: int = 1) -> list[list[Hypothesis]]:
        """The first ``n_best`` of each list, of some sentences none.

        Raises InputError where there are no lists at all.
        """
        if not self.by_source:
            raise InputError(
                f"{self.name} is not a model; give its n-best lists of this text, as in "
                f"`mtkit translate --lists {self.name}=FILE`"
            )
        return [self.by_source.get(sentence, [])[:n_best] for sentence in sentences]

    def score(self, pairs: Sequence[tuple[str, str]], brief: bool = False) -> list[Score]:
        """See ``System``: as ``model`` the scores of its lists."""
        by_text = {x: {y.text: y.score for y in of} for x, of in self.by_source.items()}
        return [Score(model=by_text.get(x, {}).get(y)) for x, y in pairs]

    def read(self, file: Path, sources: Sequence[str], tokenizer: WordTokenizer) -> None:
        """Take lines ``number ||| translation ||| … ||| score``, as Moses and mtkit write them;
        numbers count ``sources`` from 0. Raises InputError, naming the line, for others.
        """
        lists: dict[str, list[Hypothesis]] = {}
        for n, line in enumerate(read_lines(file), 1):
            number, *rest = line.split(" ||| ")
            try:
                source, text, score = sources[_natural(number)], rest[0], _finite(rest[-1])
            except (IndexError, ValueError):
                raise InputError(
                    f"{file}: line {n}: expected `number ||| translation ||| score`, numbers from "
                    f"0 to {len(sources) - 1}, found {line[:60]!r}"
                ) from None
            text = text.strip()
            lists.setdefault(source, []).append(Hypothesis(text, tokenizer.tokenize(text), score))
        if not lists:
            raise InputError(f"{file}: the file is empty; expected n-best lists")
        self.by_source = lists


@dataclass(frozen=True)
class Part:
    """One of the systems.

    paths: its directory, those of the networks of an ensemble, or none of lists from elsewhere.
    reverse: whether it translates the other way round, and so can only say what it thinks of x
    given y. size: of its lists.
    """

    name: str
    paths: tuple[Path, ...]
    system: System | OtherSystem
    reverse: bool = False
    size: int = 30

    @classmethod
    def open(cls, name: str, paths: Sequence[Path], languages: tuple[str, str]) -> Self:
        """The translator in ``paths``. Raises InputError unless it goes between ``languages``."""
        manifest = Manifest.read(paths[0])
        if manifest.kind == COMBINATION:
            raise InputError(
                f"{paths[0]}: a combination cannot be part of another; name its systems"
            )
        if set(manifest.languages) != set(languages):
            own, others = (" → ".join(pair) for pair in (manifest.languages, languages))
            raise InputError(f"{paths[0]} translates {own}; it cannot be combined with {others}")
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
    """A part in the file ``PARTS``: its directories by their ways from there, a digest of each."""

    name: str
    paths: list[str]
    digests: list[str]


def write_parts(parts: Sequence[Part], place: Path, directory: Path, copy: bool) -> None:
    """Write what the parts are into ``directory``, which will lie at ``place``.

    They are referred to by the way from there and by a digest; or, by ``copy``, copied.
    """
    records = list[dict[str, Any]]()
    copies = count(1)
    for part in parts:
        ways = []
        for path in part.paths:
            way = path_from(place.absolute(), path.absolute())
            if copy:
                way = Path("parts") / str(next(copies))
                for file in model_files(path):
                    target = directory / way / file.relative_to(path)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file, target)
            ways.append(way.as_posix())
        digests = list(map(digest, part.paths))
        records.append({"name": part.name, "paths": ways, "digests": digests})
    text = json.dumps(records, ensure_ascii=False, indent=2)
    (directory / PARTS).write_text(text + "\n", encoding="utf-8")


def read_parts(directory: Path, languages: tuple[str, str]) -> list[Part]:
    """The parts of the combination in ``directory``.

    Raises InputError where one is missing, or is no longer what was combined.
    """
    parts = []
    for name, paths, digests in _recorded(directory):
        for path, expected in zip(paths, digests, strict=True):
            if not path.is_dir():
                raise InputError(
                    f"{directory}: its system {name} is missing ({path}); restore it, or run "
                    "`mtkit combine` again"
                )
            if digest(path) != expected:
                raise InputError(
                    f"{directory}: its system {name} ({path}) has changed; run `mtkit combine` "
                    "again"
                )
        opened = Part.open(name, paths, languages) if paths else Part(name, (), OtherSystem(name))
        parts.append(opened)
    return parts


def with_parts(models: Sequence[Path]) -> list[Path]:
    """The directories of models, each combination before those of its parts."""
    every = list[Path]()
    for directory in models:
        every.append(directory)
        if (directory / PARTS).is_file():
            every += [path for _, paths, _ in _recorded(directory) for path in paths]
    return every


def state_of(models: Sequence[Path]) -> list[tuple[str, int, int]]:
    """Name, size and time of change of every file of models and of their parts."""
    files = [(p.relative_to(d), p.stat()) for d in with_parts(models) for p in model_files(d)]
    return [(name.as_posix(), of.st_size, of.st_mtime_ns) for name, of in files]


def size(model: Path) -> int:
    """Bytes of a model, of a combination with all parts: copies lie in it."""
    outside = [p for p in with_parts([model])[1:] if model.resolve() not in p.resolve().parents]
    return sum(map(model_size, (model, *outside)))


def _recorded(directory: Path) -> list[tuple[str, list[Path], list[str]]]:
    """Name, directories and digests of each part; InputError for what nobody wrote so."""
    file = directory / PARTS
    recorded = [as_fields(_Recorded, of, file) for of in read_json(file, list)]
    for of in recorded:
        names = [*of.paths, *of.digests]
        if len(of.paths) != len(of.digests) or not all(isinstance(n, str) for n in names):
            raise damaged(file, f"{of.name}: every path needs a digest")
        if "\0" in "".join(of.paths):
            raise damaged(file, f"{of.name}: a path with a NUL character")
    return [
        (of.name, [path_from(Path(), directory / p) for p in of.paths], of.digests)
        for of in recorded
    ]


def digest(directory: Path) -> str:
    """128 bits of all files of a model, by name and content, in hexadecimal."""
    of = hashlib.blake2b(digest_size=16)
    for path in model_files(directory):
        of.update(f"{path.relative_to(directory).as_posix()}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                of.update(block)
    return of.hexdigest()
