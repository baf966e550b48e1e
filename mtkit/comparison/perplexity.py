"""The perplexity of a text by several models: the work of ``mtkit perplexity``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from mtkit.console import busy
from mtkit.errors import InputError
from mtkit.evaluation.perplexity import TextPerplexity, frequencies, splits, token_probabilities
from mtkit.manifest import Manifest, named_test_set, training_text
from mtkit.models import load, models_or_all
from mtkit.text.corpus import Bitext, Files
from mtkit.text.lines import read_lines
from mtkit.text.tokenizer import WordTokenizer
from mtkit.threads import cores


def measure(
    models: Sequence[Path] | None = None,
    test: Files | None = None,
    text: Path | None = None,
    file_format: str = "",
    threads: int = 0,
) -> list[TextPerplexity]:
    """Measure perplexity by every model, on ``test``, on ``text`` or on the model's own test set.

    models: None for all in ``models/``. text: a file of target text only, for P(y). file_format: of
    a bilingual ``test`` file whose name does not show it. threads: 0 for all cores. Raises
    InputError if there is no model or no text, if ``test`` and ``text`` are both given, if ``text``
    is empty, or if a named model cannot score the text.
    """
    if text is not None and test is not None:
        raise InputError("--test and --text exclude each other; give one of them")
    chosen = models_or_all(models)
    target_only = [("", line) for line in read_lines(text)] if text else []  # with empty sources
    if text and not any(line.strip() for _, line in target_only):
        raise InputError(f"{text}: the file is empty")
    files = {path: (text,) if text else test or named_test_set(path) for path in chosen}
    if text:
        lack = "no language model P(y); use --test SRC TGT"
    else:
        lack = "no probabilities of its own; name the models that it combines"
    measured = []
    for path in chosen:
        manifest = Manifest.read(path)
        tokenizer = manifest.word_tokenizer
        pairs = target_only or _test_set(manifest, test, file_format).pairs()
        system = load(path)
        system.limit_threads(cores(threads))
        probabilities = token_probabilities(system, tokenizer, pairs)
        if text:
            probabilities = {
                question: j for question, j in probabilities.items() if question == "P(y)"
            }
        if models and not probabilities:
            raise InputError(f"{path} has {lack}")
        counts, missing = dict[bool, Counter[str]](), ""
        try:
            counts = _counts(path, tokenizer, {question == "P(x|y)" for question in probabilities})
        except InputError as error:
            missing = str(error)
        groups = {q: splits(j, counts.get(q == "P(x|y)")) for q, j in probabilities.items()}
        measured.append(TextPerplexity(str(path), probabilities, groups, missing, files[path]))
    if not any(model.probabilities for model in measured):
        raise InputError(f"{', '.join(map(str, chosen))}: {lack}")
    return measured


def _counts(path: Path, tokenizer: WordTokenizer, sides: set[bool]) -> dict[bool, Counter[str]]:
    """Count the words of the training text, by side: True: source, False: target."""
    with busy(f"{path}: counting the words of its training text"):
        text = training_text(path)
        return {
            of_source: frequencies(tokenizer, text.source if of_source else text.target)
            for of_source in sides
        }


def _test_set(manifest: Manifest, test: Files | None, file_format: str) -> Bitext:
    """Read ``test``, or else the test set that the manifest records."""
    if test:
        return Bitext.read(*test, manifest.languages, file_format)
    return cast(Bitext, manifest.text("test"))
