"""From a corpus to a study: train models, write them to a directory, measure them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from mtkit.console import note, progress, step
from mtkit.errors import InputError
from mtkit.laboratory import study
from mtkit.laboratory.files import load_laboratory, save
from mtkit.laboratory.study import Ids, Laboratory, Plan, Study, Windows
from mtkit.manifest import check_intact
from mtkit.nmt.parallel import set_threads
from mtkit.nmt.recipe import PRESETS, Attention
from mtkit.nmt.recurrent.language_model import LENGTH
from mtkit.nmt.recurrent.probe import norms_by_steps
from mtkit.nmt.system import NmtSystem
from mtkit.nmt.training.build import train_and_dev, train_nmt
from mtkit.storage.writing import replacing
from mtkit.text.corpus import Bitext, Corpus, Files, open_corpus
from mtkit.text.tokenizer import WordTokenizer
from mtkit.text.vocabulary import Vocabulary

TRANSLATORS: dict[str, Attention] = {
    "encoder-decoder": "none",
    "encoder-decoder-attention": "bilinear",
}


class Texts(NamedTuple):
    """Vocabulary and texts of a study. train: ids (T,). windows: of the dev set."""

    words: Vocabulary
    train: Ids
    windows: Windows
    dev: Bitext


def train_and_measure(
    corpus: Corpus, tokenizer: WordTokenizer, plan: Plan, directory: Path, threads: int = 1
) -> Study:
    """Train the models of ``plan`` on the target side, write them to ``directory``, measure them.

    Without a dev set, one in 20 pairs is held out. Raises InputError if the dev set is too short.
    """
    set_threads(threads)
    text = _texts(corpus, tokenizer, plan.words)
    with replacing(directory) as scratch:
        laboratory = study.train(text.train, text.words, plan, threads, _timed)
        save(laboratory, corpus, tokenizer, scratch)
    if plan.full:
        for name, attention in TRANSLATORS.items():
            recipe = replace(PRESETS["quick"], attention=attention, updates=4 * plan.updates)
            train_nmt(corpus, tokenizer, recipe, directory / name)
    note(f"models: {directory}")
    return _measure(laboratory, corpus, text, directory, threads)


def measure_again(
    directory: Path, train: Files | None = None, dev: Files | None = None, threads: int = 1,
    file_format: str = "",
) -> Study:  # fmt: skip
    """Measure the laboratory in ``directory`` again.

    train, dev: by default the files in its manifest. Raises InputError if it is no laboratory or
    its text is missing.
    """
    set_threads(threads)
    laboratory, manifest = load_laboratory(directory)
    tokenizer = manifest.word_tokenizer
    train_files, dev_files = manifest.files("train"), manifest.files("dev")
    fmt = file_format or manifest.file_format("train") or manifest.file_format("dev")
    pair = "-".join(manifest.languages)
    corpus = open_corpus(None, pair, train or train_files, dev or dev_files, file_format=fmt)
    corpus = replace(corpus, name=corpus.name if train else manifest.corpus.get("name", ""))
    text = _texts(corpus, tokenizer, laboratory.words)
    return _measure(laboratory, corpus, text, directory, threads)


def _texts(corpus: Corpus, tokenizer: WordTokenizer, words: Vocabulary | int) -> Texts:
    """Return a study's texts. words: the vocabulary, or how many of the most frequent words.

    Raises InputError if the training text is too short for a chunk at any offset.
    """
    text, dev = train_and_dev(corpus.train, corpus.dev)
    train, held_out = ([tokenizer.tokenize(line) for line in side.target] for side in (text, dev))
    vocab = study.frequent(train, words) if isinstance(words, int) else words
    stream = study.stream(train, vocab)
    if len(stream) < 2 * LENGTH - 1:
        raise InputError(
            f"{text.paths[1]}: {len(stream)} tokens are too few to train on; expected at least "
            f"{2 * LENGTH - 1}"
        )
    return Texts(vocab, stream, study.windows(held_out, vocab), dev)


def _measure(
    laboratory: Laboratory, corpus: Corpus, text: Texts, directory: Path, threads: int
) -> Study:
    name = f"{corpus.name} ({corpus.pair[1]})"  # only the target side is used
    result = study.measure(laboratory, name, text.train, text.windows, threads, _timed)
    translators = {k: directory / k for k in TRANSLATORS if (directory / k).is_dir()}
    for path in translators.values():
        check_intact(path)
    steps = {k: norms_by_steps(NmtSystem.load(path), text.dev) for k, path in translators.items()}
    return replace(result, steps=steps)


@contextmanager
def _timed(name: str, total: int) -> Iterator[Callable[[], None]]:
    """Report a step with its duration and a progress bar; see ``study.Step``."""
    with step(name), progress() as bar:
        task = bar.add_task(name, total=total, status="")
        yield lambda: bar.advance(task)
