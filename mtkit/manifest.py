"""A model directory: one manifest, plain arrays beside it, written whole or not at all."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mtkit.errors import InputError
from mtkit.text.corpus import SPLITS, Bitext, Corpus, line_hashes
from mtkit.text.tokenizer import WordTokenizer

FORMAT = 1
MANIFEST = "manifest.json"
LOG = "log.jsonl"  # of a neural training: an object for each validation
HASHES = "train_hashes.npy"
RECORDS = "translations"  # a directory of what the model made of test sets; no part of it
# Kinds beside "smt" and "nmt": what `align --out`, `combine` and `gradients` keep.
ALIGNMENT, COMBINATION, LABORATORY, LANGUAGE_MODEL = "alignment", "combination", "laboratory", "lm"
UND = "und"  # ISO 639's code for a language that nobody named


@dataclass(frozen=True)
class Manifest:
    """What a model directory says of itself."""

    kind: str
    languages: tuple[str, str]
    corpus: dict[str, Any]  # its name and, for each split, the two absolute paths
    tokenizer: dict[str, Any]  # the fields of ``WordTokenizer``
    config: dict[str, Any]  # the resolved options: see ``smt.train``, ``nmt.training.build``
    figures: dict[str, Any] = field(default_factory=dict)  # what training measured
    format: int = FORMAT

    @classmethod
    def of(
        cls, kind: str, corpus: Corpus, tokenizer: WordTokenizer, config: dict[str, Any],
        figures: dict[str, Any] | None = None,
    ) -> Manifest:  # fmt: skip
        """Of a model of ``corpus``: its names, paths and a digest are kept, not its text."""
        train, text = corpus.train, dict[str, Any]()
        text |= {"name": corpus.name, "sentences": len(train), "digest": train.digest()}
        for name, split in zip(SPLITS, (train, corpus.dev, corpus.test), strict=True):
            text[name] = [str(path.resolve()) for path in split.paths] if split else None
        return cls(kind, corpus.pair, text, asdict(tokenizer), config, figures or {})

    @classmethod
    def read(cls, directory: Path) -> Manifest:
        """Read the manifest. Raises InputError where ``directory`` is no model directory."""
        path = directory / MANIFEST
        if not directory.exists():
            raise InputError(
                f"{directory}: no such model; train-smt, train-nmt or combine makes one"
            )
        if not path.is_file():
            raise InputError(f"{directory}: not a model directory (it has no {MANIFEST})")
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            data["languages"] = tuple(data["languages"])
            manifest = cls(**data)
        except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: not a manifest that mtkit wrote ({error})") from None
        if manifest.format != FORMAT:
            raise InputError(
                f"{path}: format {manifest.format}, this mtkit reads {FORMAT}; train it again"
            )
        return manifest

    @property
    def word_tokenizer(self) -> WordTokenizer:
        """The tokenizer that the model reads text with."""
        return WordTokenizer(**self.tokenizer)

    def files(self, split: str) -> tuple[Path, Path] | None:
        """Source and target of "train", "dev" or "test", if the corpus has it."""
        named = self.corpus.get(split)
        return (Path(named[0]), Path(named[1])) if named else None

    def is_of(self, corpus: Corpus) -> bool:
        """Whether trained on ``corpus``: the same lines, or the same files, even if they grew."""
        text, paths = corpus.train, [str(path.resolve()) for path in corpus.train.paths]
        return self.languages == corpus.pair and (
            self.corpus.get("train") == paths or self.corpus.get("digest") == text.digest()
        )

    @property
    def origin(self) -> str:
        """What the model was made from, for messages."""
        if ini := self.config.get("imported"):
            return f"imported from {ini}"
        return f"trained on {self.corpus.get('name')} ({self.corpus.get('sentences', 0):,} pairs)"

    def write(self, directory: Path) -> None:
        """Write the manifest into ``directory``."""
        text = json.dumps(asdict(self), ensure_ascii=False, indent=2)
        (directory / MANIFEST).write_text(text + "\n", encoding="utf-8")


def save_training_hashes(corpus: Corpus, directory: Path) -> None:
    """Keep hashes of the training source lines, to recognise test lines that were trained on."""
    np.save(directory / HASHES, line_hashes(corpus.train.source))


def model_files(directory: Path) -> list[Path]:
    """The files that a model consists of."""
    files = (p for p in directory.rglob("*") if p.is_file())
    return sorted(p for p in files if p.relative_to(directory).parts[0] != RECORDS)


def model_size(directory: Path) -> int:
    """Bytes of a model."""
    return sum(p.stat().st_size for p in model_files(directory))


def named_test_set(directory: Path) -> tuple[Path, Path]:
    """The files of the test set that the manifest of a model names. Raises InputError if none."""
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
    """The text that a model was trained on. Raises InputError if it is missing or has changed."""
    return _training_files(directory).without_empty()


def training_pairs(directory: Path) -> list[TrainingPair]:
    """The same text with the numbers of its lines."""
    pairs = _training_files(directory).pairs()
    return [TrainingPair(n, s, t) for n, (s, t) in enumerate(pairs, 1) if s.strip() and t.strip()]


def _training_files(directory: Path) -> Bitext:
    """The training text with its blank lines; see ``training_text``."""
    manifest = Manifest.read(directory)
    files = manifest.files("train")
    if not files:
        raise InputError(f"{directory} names no training text")
    text = Bitext.read(*files)
    if text.digest() != manifest.corpus.get("digest"):
        raise InputError(f"{files[0]} is not what {directory} was trained on")
    return text


def write_whole(text: str, path: Path) -> None:
    """Write a file, and the directory that it lies in, so that nobody ever finds half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.part")
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(path)


@contextmanager
def replacing(out: Path) -> Iterator[Path]:
    """A directory beside ``out`` that becomes ``out`` when the block ends well.

    Left by an exception (Ctrl-C included), it disappears and ``out`` stays as it was.
    """
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        yield scratch
        scratch.chmod(0o755)
        if not out.exists():
            scratch.replace(out)
            return
        old = Path(tempfile.mkdtemp(prefix=f".{out.name}.old.", dir=out.parent))
        try:
            out.replace(old)
            scratch.replace(out)
        finally:
            if out.exists():
                shutil.rmtree(old)
            else:  # interrupted between the two
                old.replace(out)
    finally:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(scratch)
