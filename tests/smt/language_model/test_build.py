"""A language model built in stages has the same bytes as one built in memory."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtkit.errors import InputError
from mtkit.smt.language_model import build, counts, estimate, ngrams
from mtkit.storage.arrays import load
from mtkit.storage.stages import Stages
from mtkit.text import shards
from mtkit.text.shards import Shards
from tests.support.paths import MULTI30K

Sentences = list[list[str]]
TASKS = ("_words", "_count", "_discount", "_smooth", "_write")


def corpus(seed: int, size: int = 90) -> Sentences:
    """Return skewed words, repetitions, empty sentences, words spelled like special symbols."""
    rng = random.Random(seed)
    vocabulary = [*"abcdefghij", "<s>", "<UNK>", "</s>", *"klmnop"]
    weights = [1 / (i + 1) for i in range(len(vocabulary))]
    sentences = [rng.choices(vocabulary, weights, k=rng.randrange(9)) for _ in range(size)]
    return [*sentences, ["a"] * 6, ["<unk>"], ["c", "a"] * 3, *sentences[:3]]


def written(directory: Path, sentences: Sentences) -> Shards:
    return shards.write(directory, [([], sentence) for sentence in sentences])


def memory_for(text: Shards, parts: int, order: int, workers: int = 1) -> int:
    """Return the memory that results in at least ``parts`` parts."""
    starts = text.tokens[1] + 2 * text.pairs
    return int(build.bytes_per_start(order) * starts * workers / 0.4 / (parts - 0.5))


def parts_of(directory: Path) -> int:
    return len(load(directory / "lm-words" / "0" / "bounds.npy")) - 1


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def trained(directory: Path, sentences: Sentences, *options: Any) -> dict[str, bytes]:
    estimate.train(sentences, *options).save(directory)
    return files(directory)


@pytest.mark.parametrize(
    ("order", "prune"), [(1, []), (2, [0, 1]), (3, []), (5, [0, 0, 1]), (4, [0, 9, 9]), (12, [])]
)
@pytest.mark.parametrize(("parts", "workers"), [(1, 1), (3, 3), (7, 1)])
def test_the_model_equals_that_of_memory_for_any_parts(
    order: int, prune: list[int], parts: int, workers: int, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(shards, "SHARD_WORDS", 50)  # several shards
    sentences = corpus(order)
    text = written(tmp_path / "text", sentences)
    assert len(text) > 5
    stages = Stages(tmp_path / "work", workers, memory_for(text, parts, order, workers))
    model = build.build(text, stages, tmp_path / "lm", order, prune)
    assert parts_of(tmp_path / "work") >= parts
    assert files(tmp_path / "lm") == trained(tmp_path / "expected", sentences, order, prune)
    loaded = ngrams.NgramModel.load(tmp_path / "lm")
    assert (loaded.words, loaded.notes) == (model.words, model.notes)
    assert isinstance(model.arrays.word.base, np.memmap)
    assert (
        model.score(sentences[:9]).log_prob.tolist()
        == loaded.score(sentences[:9]).log_prob.tolist()
    )


@pytest.mark.parametrize("sentences", [[[]], [["a"]], [["<s>"], []], [["a", "b", "c"]] * 2])
def test_tiny_texts_agree(sentences: Sentences, tmp_path: Path) -> None:
    text = written(tmp_path / "text", sentences)
    build.build(text, Stages(tmp_path / "work", memory=1000), tmp_path / "lm", 5)
    assert files(tmp_path / "lm") == trained(tmp_path / "expected", sentences, 5)


@pytest.mark.compiled
def test_real_text_agrees(tmp_path: Path) -> None:
    if not (path := MULTI30K / "train.tok.de").exists():
        pytest.skip(f"{path} is not here; MTKIT_SHARED names the directory that holds data/")
    lines = path.read_text(encoding="utf-8").splitlines()
    sentences = [line.split(" ") for line in lines]
    text = written(tmp_path / "text", sentences)
    stages = Stages(tmp_path / "work", 2, memory_for(text, 5, 5, 2))
    build.build(text, stages, tmp_path / "lm", 5, [0, 0, 1])
    assert parts_of(tmp_path / "work") >= 5
    assert files(tmp_path / "lm") == trained(tmp_path / "expected", sentences, 5, [0, 0, 1])


def test_a_part_holds_its_ngrams_and_the_word_before_each() -> None:
    a, b, c, s, e = 3, 4, 5, ngrams.LM_BOS, ngrams.LM_EOS
    text = np.array([s, a, a, b, c, a, c, e, s, b, e, s, c, e, s, a, b, a, b, a, a, e], np.int32)
    near = [a, b, c, a, s, b, e, a, b, a, b, a, a]
    assert counts.around(text, b, b + 1, 3).tolist() == near
    assert counts.around(text, 0, c + 1, 3).tolist() == text.tolist()


@pytest.mark.compiled
def test_kernels_compile_once_for_memory_and_files(tmp_path: Path) -> None:
    text = written(tmp_path / "text", corpus(2))
    build.build(text, Stages(tmp_path / "work", memory=1000), tmp_path / "lm", 3)
    estimate.train(corpus(2), 3)
    of = [counts.sentences, counts._sorted, counts._compare, counts._nodes, counts._adjusted]
    of += [counts._links, estimate._interpolate]
    assert [len(kernel.signatures) for kernel in of] == [1] * len(of)


def test_a_part_of_several_words_starts_no_more_ngrams_than_its_share(tmp_path: Path) -> None:
    text = written(tmp_path / "text", corpus(1))
    build._words(tmp_path, text, 3, 6)
    ids, bounds = load(tmp_path / "ids.npy"), load(tmp_path / "bounds.npy")
    c = np.bincount(build._sentences(text, 0, ids))
    starts = np.add.reduceat(c, bounds[:-1])
    assert bounds[-1] == len(c)
    most = -(-c.sum() // 6)
    assert ((starts <= most) | (np.diff(bounds) == 1)).all()
    assert (starts[:-1] + starts[1:] > most).all(), "two parts where one is enough"


class CrashError(Exception):
    """Simulates a power cut."""


def crashing(task: Callable[..., None], at: int) -> Callable[..., None]:
    """Return ``task`` that from call ``at`` on deletes one of its files and crashes."""
    calls = 0

    def run(into: Path, *arguments: Any) -> None:
        nonlocal calls
        calls += 1
        task(into, *arguments)
        if calls > at:
            next(into.iterdir()).unlink()
            raise CrashError

    return run


@pytest.mark.parametrize(
    ("name", "at"),
    [("_words", 0), ("_count", 2), ("_discount", 0), ("_smooth", 0), ("_smooth", 7), ("_write", 3)],
)
def test_a_crashed_run_is_resumed(
    name: str, at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentences, task = corpus(3), getattr(build, name)
    text = written(tmp_path / "text", sentences)
    stages = Stages(tmp_path / "work", memory=memory_for(text, 4, 4))
    monkeypatch.setattr(build, name, crashing(task, at))
    with pytest.raises(CrashError):
        build.build(text, stages, tmp_path / "lm", 4, [0, 0, 1])
    assert not (tmp_path / "lm").exists()
    for earlier in TASKS[: TASKS.index(name)]:
        if earlier != "_smooth":  # done already
            monkeypatch.setattr(build, earlier, _never)
    monkeypatch.setattr(build, name, task)
    less = Stages(tmp_path / "work", 2, memory=memory_for(text, 9, 4, 2))  # the parts stay the same
    build.build(text, less, tmp_path / "lm", 4, [0, 0, 1])
    assert files(tmp_path / "lm") == trained(tmp_path / "expected", sentences, 4, [0, 0, 1])


def _never(into: Path, *_: object) -> None:
    raise AssertionError(into)


@pytest.mark.parametrize("to", ["lm", "elsewhere"])
def test_a_finished_build_only_writes_its_output(
    to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, stages = written(tmp_path / "text", corpus(4)), Stages(tmp_path / "work")
    build.build(text, stages, tmp_path / "lm", 3)
    expected = files(tmp_path / "lm")
    for name in TASKS:
        monkeypatch.setattr(build, name, _never)
    build.build(text, stages, tmp_path / to, 3)
    assert files(tmp_path / to) == expected
    left = {path.parent.parent.name for path in (tmp_path / "work").glob("*/*/*.npy")}
    assert left == {"lm-words", "lm-discounts", "lm-arrays"}


def test_without_links_files_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(os, "link", refuse)
    text = written(tmp_path / "text", corpus(5))
    build.build(text, Stages(tmp_path / "work"), tmp_path / "lm", 3)
    assert files(tmp_path / "lm") == trained(tmp_path / "expected", corpus(5), 3)


def test_invalid_input_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = written(tmp_path / "text", corpus(6))
    refused: Sequence[tuple[Shards, int, list[int], str]] = [
        (written(tmp_path / "none", []), 3, [], "at least one sentence"),
        (text, 0, [], "order from 1 to 30, found 0"),
        (text, 3, [0, 2, 1], "expected at most 3 numbers"),
    ]
    for some, order, prune, message in refused:
        with pytest.raises(ValueError, match=message):
            build.build(some, Stages(tmp_path / "work"), tmp_path / "lm", order, prune)
    monkeypatch.setattr(build, "MAX_NODES", 100)
    with pytest.raises(InputError, match=r"n-grams exceed the limit of 99"):
        build.build(text, Stages(tmp_path / "work"), tmp_path / "lm", 3)
