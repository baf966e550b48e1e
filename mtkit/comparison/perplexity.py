"""What models think of a text, model by model: the work of ``mtkit perplexity``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mtkit.console import busy
from mtkit.errors import InputError
from mtkit.evaluation.perplexity import Judged, Measured, Question, frequencies, judge, splits
from mtkit.manifest import Manifest, named_test_set, training_text
from mtkit.models import load
from mtkit.text.corpus import Bitext, read_lines
from mtkit.text.tokenizer import WordTokenizer

Texts = dict[tuple[Path, ...], list[Measured]]  # files → models


def measure(
    models: Sequence[Path],
    test: tuple[Path, Path] | None = None,
    text: Path | None = None,
    refuse: bool = True,
) -> Texts:
    """What every model thinks of its text: that of ``test`` or ``text``, or the one it names.

    text: a file of target text alone, for P(y). refuse: raise InputError where a model has no
    answer to any question. Raises InputError for an empty file, and where no text is named.
    """
    files: dict[Path, tuple[Path, ...]]
    if text is None:
        files = {path: test or named_test_set(path) for path in models}
    else:
        files = dict.fromkeys(models, (text,))
        if not any(line.strip() for line in read_lines(text)):
            raise InputError(f"{text}: the file is empty; there is nothing to measure")
    texts: Texts = {}
    for path in models:
        tokenizer = Manifest.read(path).word_tokenizer
        pairs = [("", line) for line in read_lines(text)] if text else _pairs(files[path])
        judged = judge(load(path), tokenizer, pairs)
        if text:
            judged = {q: j for q, j in judged.items() if q == "P(y)"}
        if refuse and not judged:
            raise InputError(f"{path} has no language model P(y): it needs --test SRC TGT")
        texts.setdefault(files[path], []).append(_split(path, tokenizer, judged))
    return texts


def _pairs(files: tuple[Path, ...]) -> list[tuple[str, str]]:
    source, target = files
    return Bitext.read(source, target).pairs()


def _split(path: Path, tokenizer: WordTokenizer, judged: dict[Question, Judged]) -> Measured:
    """Into groups; by frequency where the training text is still there."""
    counts, missing = {}, ""
    try:
        with busy(f"{path}: counting the words of its training text"):
            known = training_text(path)
            for question in judged:
                side = known.source if question == "P(x|y)" else known.target
                counts[question] = frequencies(tokenizer, side)
    except InputError as error:
        missing = str(error)
    groups = {question: splits(j, counts.get(question)) for question, j in judged.items()}
    return Measured(str(path), judged, groups, missing)
