"""A model directory: a manifest and plain arrays beside it, written completely or not at all."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mtkit.console import note
from mtkit.errors import InputError, nearest
from mtkit.storage.digests import SAMPLE, digests_of, mismatches
from mtkit.storage.reading import as_fields, damaged, missing, read_json
from mtkit.storage.writing import check_no_link, settle
from mtkit.text.catalog import SPLITS
from mtkit.text.corpus import Bitext, Corpus, line_hashes
from mtkit.text.formats.bilingual import READERS
from mtkit.text.tokenizer import WordTokenizer

FORMAT = 1
MANIFEST = "manifest.json"
LOG = "log.jsonl"  # of a neural training: one object per validation; see ``write_log``
HASHES = "train_hashes.npy"
RECORDS = "translations"  # directory of cached translations of test sets; not part of the model
# Kinds other than "smt" and "nmt": what `align --out`, `combine` and `gradients` write.
ALIGNMENT, COMBINATION, LABORATORY, LANGUAGE_MODEL = "alignment", "combination", "laboratory", "lm"
EDITABLE = {MANIFEST, "weights.json"}  # files that a user may edit
UND = "und"  # the code of ISO 639 for an undetermined language


class _Text(NamedTuple):
    """The field ``corpus`` in the manifest of a trained model."""

    train: list[Any] | None = None
    dev: list[Any] | None = None
    test: list[Any] | None = None
    name: str = ""
    sentences: int = 0
    digest: str = ""
    formats: dict[str, Any] = {}  # noqa: RUF012  (read only)


@dataclass(frozen=True)
class Manifest:
    """The metadata of a model directory."""

    kind: str
    languages: tuple[str, str]
    corpus: dict[str, Any]  # the fields of ``_Text``; two absolute paths for each split
    tokenizer: dict[str, Any]  # the fields of ``WordTokenizer``
    config: dict[str, Any]  # the resolved options: see ``smt.train``, ``nmt.training.build``
    figures: dict[str, Any] = field(default_factory=dict)  # what training measured
    format: int = FORMAT
    digests: dict[str, Any] = field(default_factory=dict)  # see ``storage.digests``; by ``write``
    seal: str = ""  # a hash of all the other fields

    @classmethod
    def of(
        cls, kind: str, corpus: Corpus, tokenizer: WordTokenizer, config: dict[str, Any],
        figures: dict[str, Any] | None = None,
    ) -> Manifest:  # fmt: skip
        """Return the manifest of a model of ``corpus``: names, paths and a digest, not the text."""
        train, fields = corpus.train, dict[str, Any]()
        fields |= {"name": corpus.name, "sentences": len(train), "digest": train.digest()}
        for name, split in zip(SPLITS, (train, corpus.dev, corpus.test), strict=True):
            fields |= {name: None} if split is None else split_entries(name, split, fields)
        return cls(kind, corpus.pair, fields, asdict(tokenizer), config, figures or {})

    @classmethod
    def read(cls, directory: Path) -> Manifest:
        """Read the manifest. Raises InputError if it is missing, damaged or of another version."""
        path = directory / MANIFEST
        settle(directory)
        if not directory.exists():
            others = (str(path.parent) for path in directory.parent.glob(f"*/{MANIFEST}"))
            raise InputError(
                f"{directory}: no such model{nearest(str(directory), others)}; create one with "
                "train-smt, train-nmt or combine"
            )
        check_no_link(directory / RECORDS)  # else records would be written, and removed, elsewhere
        if not path.is_file():
            raise InputError(f"{directory}: not a model directory (it has no {MANIFEST})")
        data = read_json(path, dict)
        _check_format(path, data.get("format", FORMAT))
        if isinstance(languages := data.get("languages"), list):
            data["languages"] = tuple(languages)
        manifest = as_fields(cls, data, path)
        as_fields(WordTokenizer, manifest.tokenizer, path)
        text = as_fields(_Text, manifest.corpus, path)
        if not all(_is_pair(pair) for pair in (manifest.languages, *text[:3]) if pair is not None):
            raise damaged(path, "languages or files are not pairs of names")
        if not set(text.formats.values()) <= set(READERS):
            raise damaged(path, "an unknown file format")
        return manifest

    @property
    def word_tokenizer(self) -> WordTokenizer:
        """The tokenizer that the model reads text with."""
        return WordTokenizer(**self.tokenizer)

    def files(self, split: str) -> tuple[Path, Path] | None:
        """Source and target file of "train", "dev" or "test"; None if the corpus lacks it."""
        paths = self.corpus.get(split)
        return (Path(paths[0]), Path(paths[1])) if paths else None

    def file_format(self, split: str) -> str:
        """Format of a split's bilingual file; "" if its name says it."""
        name: str = self.corpus.get("formats", {}).get(split, "")
        return name

    def text(self, split: str) -> Bitext | None:
        """Read the text of a split; None without one. Raises InputError if it cannot be read."""
        files = self.files(split)
        return Bitext.read(*files, self.languages, self.file_format(split)) if files else None

    def is_of(self, corpus: Corpus) -> bool:
        """Return whether it was trained on ``corpus``: on equal lines, or on the same paths."""
        text, paths = corpus.train, [str(path.resolve()) for path in corpus.train.paths]
        return self.languages == corpus.pair and (
            self.corpus.get("train") == paths or self.corpus.get("digest") == text.digest()
        )

    @property
    def origin(self) -> str:
        """What the model was made from, for messages."""
        if ini := self.config.get("imported"):
            return f"imported from {ini}"
        if name := self.corpus.get("name"):
            return f"trained on {name} ({self.corpus.get('sentences', 0):,} pairs)"
        return "trained on an unknown corpus"

    def write(self, directory: Path) -> None:
        """Write the manifest into ``directory``, with digests of all files of the model."""
        out = directory / MANIFEST
        digests = digests_of(directory, (path for path in model_files(directory) if path != out))
        complete = replace(self, digests=digests)
        complete = replace(complete, seal=complete._hash())
        text = json.dumps(asdict(complete), ensure_ascii=False, indent=2)
        out.write_text(text + "\n", encoding="utf-8")

    def _hash(self) -> str:
        text = json.dumps(asdict(self) | {"seal": ""}, sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def mismatches(self, directory: Path, sample: int | None = SAMPLE) -> dict[str, str]:
        """Return file → what is wrong with it; see ``storage.digests.mismatches``."""
        problems = mismatches(directory, self.digests, directory / MANIFEST, sample)
        if (self.seal or self.digests) and self.seal != self._hash():
            problems[MANIFEST] = "other settings"
        return problems


def _check_format(path: Path, number: object) -> None:
    """Raise InputError for the format number of a manifest that this mtkit cannot read.

    This is checked before any field, as a newer format may have other fields.
    """
    shown = str(number)[:20]
    if type(number) is int and number > FORMAT:
        raise InputError(
            f"{path}: written by a newer mtkit (manifest format {shown}; this version reads up to "
            f"{FORMAT}); update mtkit"
        )
    if number != FORMAT:
        raise InputError(
            f"{path}: manifest format {shown}; this mtkit reads {FORMAT}; train the model again"
        )


def split_entries(split: str, text: Bitext, known: dict[str, Any]) -> dict[str, Any]:
    """Return the entries of a manifest for the files of a split.

    known: entries of other splits, whose formats are kept.
    """
    formats = known.get("formats", {}) | {split: text.file_format}
    formats = {name: file_format for name, file_format in formats.items() if file_format}
    paths = {split: [str(path.resolve()) for path in text.paths]}
    return paths | ({"formats": formats} if formats or "formats" in known else {})


def _is_pair(pair: Sequence[Any]) -> bool:
    """Return whether ``pair`` is two names, of languages or of files."""
    return len(pair) == 2 and all(isinstance(name, str) and "\0" not in name for name in pair)


def check_intact(directory: Path) -> None:
    """Raise InputError if a file of a model is missing or has changed since it was written.

    Likewise for anything but files and directories: reading a pipe or a device may never end. Only
    a sample of a large model is read (``storage.digests``). A change of a file that users may edit
    is only reported.
    """
    for path in directory.rglob("*"):
        if not (path.is_file() or path.is_dir()):
            raise damaged(path, "not a regular file")
    for name, problem in Manifest.read(directory).mismatches(directory).items():
        if problem == "missing":
            raise missing(directory / name)
        if name not in EDITABLE:
            raise damaged(directory / name, problem)
        note(f"{directory / name} has changed since it was written: {problem}")


def write_log(entries: Iterable[Mapping[str, float]], directory: Path) -> None:
    """Write measurements of a training as JSON lines; non-finite numbers become ``null``."""
    finite = ({k: v if math.isfinite(v) else None for k, v in row.items()} for row in entries)
    lines = "".join(json.dumps(entry) + "\n" for entry in finite)
    (directory / LOG).write_text(lines, encoding="utf-8")


def save_training_hashes(corpus: Corpus, directory: Path) -> None:
    """Save hashes of the training source lines, to recognise test lines that were trained on."""
    np.save(directory / HASHES, line_hashes(corpus.train.source))


def model_files(directory: Path) -> list[Path]:
    """Return the sorted files of a model, without cached translations."""
    files = (p for p in directory.rglob("*") if p.is_file())
    return sorted(p for p in files if p.relative_to(directory).parts[0] != RECORDS)


def model_size(directory: Path) -> int:
    """Total size of a model's files, in bytes."""
    return sum(p.stat().st_size for p in model_files(directory))


def named_test_set(directory: Path) -> tuple[Path, Path]:
    """Return the files of the test set that the manifest names. Raises InputError if none."""
    if files := Manifest.read(directory).files("test"):
        return files
    raise InputError(f"{directory} was trained without a test set; name one with --test SRC TGT")


@dataclass(frozen=True)
class TrainingPair:
    """A sentence pair and the number of its line in the files it came from, counted from 1."""

    line: int
    source: str
    target: str


def training_text(directory: Path) -> Bitext:
    """Return the pairs with text on both sides that a model was trained on.

    Raises InputError if the text is missing or has changed.
    """
    return _training_files(directory).without_empty()


def training_pairs(directory: Path) -> list[TrainingPair]:
    """Return the pairs of ``training_text`` with their line numbers."""
    pairs = _training_files(directory).pairs()
    return [TrainingPair(n, s, t) for n, (s, t) in enumerate(pairs, 1) if s.strip() and t.strip()]


def _training_files(directory: Path) -> Bitext:
    """Return the training text including pairs with a blank side; see ``training_text``."""
    manifest = Manifest.read(directory)
    text = manifest.text("train")
    if text is None:
        raise InputError(f"{directory} records no training text")
    if text.digest() != manifest.corpus.get("digest"):
        raise InputError(f"{text.paths[0]} differs from the text that {directory} was trained on")
    return text
