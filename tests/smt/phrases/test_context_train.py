"""Training of the context lexicon: its parts do not change the result."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtkit.smt.phrases import context_train
from mtkit.smt.phrases.context import Lexicon
from mtkit.smt.phrases.context_train import build
from mtkit.storage.arrays import load
from mtkit.storage.stages import Outputs, Stages
from tests.support.lexicons import learn, random_bitext, write

pytestmark = pytest.mark.compiled  # too slow as plain Python; ``test_context`` runs all kernels
WORDS = 40
BITEXT = random_bitext(7, WORDS, pairs=300)
TASKS = ("_count", "_rank", "_choose", "_plan", "_learn")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Lexicon:
    """Train on one shard in one part."""
    return learn(tmp_path_factory.mktemp("whole"), BITEXT, WORDS, shards=1)


def check_same(a: Lexicon, b: Lexicon) -> None:
    for name, x, y in zip(Lexicon._fields, a, b, strict=True):
        np.testing.assert_array_equal(x, y, err_msg=name)
        assert x.dtype == y.dtype
    assert np.abs(a.weight.astype(int)).sum() > 1000, "nothing learnt"


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("shards", [1, 7])
@pytest.mark.parametrize(
    ("memory", "one_part", "one_batch"),
    [(1 << 30, True, True), (1 << 20, False, True), (1 << 15, False, False)],
)
def test_shards_memory_and_workers_change_nothing(
    memory: int, one_part: bool, one_batch: bool, shards: int, workers: int, whole: Lexicon,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    held = defaultdict[int, list[int]](list)  # first word of a part → shards read

    def examples(*arguments: Any) -> context_train.Examples:
        made = gathered(*arguments)
        held[arguments[5]] += arguments[2]
        own = made.near, made.sentence, made.chosen
        assert sum(a.nbytes for a in own) == context_train.EXAMPLE * made.first[-1]
        return made

    gathered = context_train._examples
    monkeypatch.setattr(context_train, "_examples", examples)
    check_same(learn(tmp_path, BITEXT, WORDS, shards, workers, memory), whole)
    assert (len(held) == 1) == one_part
    times = {len(read) // shards for read in held.values()}
    assert all(read == [*range(shards)] * (len(read) // shards) for read in held.values())
    if one_batch or shards == 1:
        assert times == {1}
    else:  # a part whose examples do not fit reads the shards in each epoch
        assert context_train.EPOCHS in times


def test_of_too_many_examples_every_nth_is_used(
    whole: Lexicon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = defaultdict[int, int](int)  # word → examples in one epoch, or in its groups of shards

    def examples(*arguments: Any) -> context_train.Examples:
        made = gathered(*arguments)
        for n, own in enumerate(np.diff(made.first).tolist(), arguments[5]):
            used[n] += own
        return made

    monkeypatch.setattr(context_train, "MAX_EXAMPLES", 1 << 30)
    gathered = context_train._examples
    monkeypatch.setattr(context_train, "_examples", examples)
    learn(tmp_path / "all", BITEXT, WORDS, shards=1)
    n_examples = dict(used)
    used.clear()
    most = max(n_examples.values()) // 3
    monkeypatch.setattr(context_train, "MAX_EXAMPLES", most)
    fewer = learn(tmp_path / "fewer", BITEXT, WORDS, shards=1)
    assert used == {n: -(-own // max(1, -(-own // most))) for n, own in n_examples.items()}
    assert most * 2 // 3 < max(used.values()) <= most
    assert (fewer.weight != whole.weight).any()
    for n, memory in enumerate((1 << 20, 1 << 15)):
        check_same(learn(tmp_path / str(n), BITEXT, WORDS, 7, 3, memory), fewer)


def test_a_part_fits_into_the_memory(tmp_path: Path) -> None:
    """Or is a word that needs more."""
    text, links = write(tmp_path / "text", BITEXT, WORDS, 5)
    stages = Stages(tmp_path / "stages", memory=1 << 20)
    build(text, links, stages, tmp_path)
    size, end = (load(stages.directory / "context-plan/0" / f"{n}.npy") for n in ("size", "end"))
    room = stages.task_memory - context_train.WORD * text.tokens[0]
    assert len(size) > 3
    assert (np.diff(end) > 0).all()
    assert ((size <= room) | (np.diff(end) == 1)).all()


@pytest.mark.parametrize("task", TASKS)
def test_a_killed_run_resumes(
    task: str, whole: Lexicon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kill it in the last task of a stage; resume with other memory and workers."""
    text, links = write(tmp_path / "text", BITEXT, WORDS, 5)
    done = list[tuple[str, Path]]()

    def counted(name: str, run: Callable[..., None], fails: bool) -> Callable[..., None]:
        def call(into: Path, *arguments: Any) -> None:
            run(into, *arguments)
            assert (name, into.with_suffix("")) not in done, "done twice"
            if fails and into.stem == last[name]:
                raise KeyboardInterrupt
            done.append((name, into.with_suffix("")))

        return call

    last = dict.fromkeys(TASKS, "0") | {"_count": "4", "_choose": "4", "_learn": "2"}
    run = {name: getattr(context_train, name) for name in TASKS}
    for name in TASKS:
        monkeypatch.setattr(context_train, name, counted(name, run[name], name == task))
    stages = Stages(tmp_path / "stages", memory=1 << 20)
    with pytest.raises(KeyboardInterrupt):
        build(text, links, stages, tmp_path / "lexicon")
    assert not (tmp_path / "lexicon").exists()
    monkeypatch.setattr(context_train, task, counted(task, run[task], False))
    build(text, links, Stages(stages.directory, 3, 1 << 18), tmp_path / "lexicon")
    check_same(Lexicon.load(tmp_path / "lexicon", WORDS, WORDS), whole)


def test_finished_work_is_rewritten(whole: Lexicon, tmp_path: Path) -> None:
    """The text is no longer needed."""
    text, links = write(tmp_path / "text", BITEXT, WORDS, 5)
    stages = Stages(tmp_path / "stages")
    build(text, links, stages, tmp_path / "a")
    for stage in ("context-counts", "context-choices"):
        assert not (stages.directory / stage).exists(), "kept for nothing"
    build(text, Outputs(tmp_path, len(text)), stages, tmp_path / "b")
    check_same(Lexicon.load(tmp_path / "b", WORDS, WORDS), whole)
