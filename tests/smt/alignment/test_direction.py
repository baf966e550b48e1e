"""Alignment in shards: shards, workers and interruptions do not change the result."""

from __future__ import annotations

import weakref
from pathlib import Path

import numpy as np
import pytest

from mtkit.smt.alignment import diagonal, hmm, ibm1
from mtkit.smt.alignment import direction as module
from mtkit.smt.alignment.align import ALIGNERS, align
from mtkit.smt.alignment.direction import LOW, Direction, em, posteriors, slots_of
from mtkit.smt.alignment.places import Places
from mtkit.smt.flat import Flat
from mtkit.storage.arrays import joined, load, mapped, save
from mtkit.storage.stages import Outputs, Stages
from mtkit.text import shards
from tests.support.alignments import Interrupted, Interrupting, aligned, contents, posterior
from tests.support.alignments import em as em_of_places
from tests.support.phrase_tables import shards_of

WORDS, TINY = 30, 1 << 12  # words of each side; memory for many parts
MODELS = {"ibm1": ibm1.MODEL, "diagonal": diagonal.MODEL, "hmm": hmm.MODEL}


def random_text(seed: int, pairs: int = 120) -> tuple[list[list[int]], list[list[int]]]:
    rng = np.random.default_rng(seed)
    sides = (
        [rng.integers(4, WORDS, rng.integers(0, 9)).tolist() for _ in range(pairs)] for _ in "ef"
    )
    source, target = sides
    return source, target


def tokens(side: list[list[int]]) -> list[list[str]]:
    return [[f"{word:05}" for word in sentence] for sentence in side]


def direction(place: Path, e: Flat, f: Flat, cut: int, stages: Stages) -> Direction:
    text = shards_of(place / "text", e, f, cut)
    every = np.arange(WORDS, dtype=np.int32)
    save(place, classes=every)
    return Direction.of(text, "source", "target", (place / "classes.npy",) * 2, stages)


@pytest.mark.parametrize("memory", [TINY, 1 << 30])
@pytest.mark.parametrize("name", MODELS)
def test_em_over_shards_equals_em_over_text(name: str, memory: int, tmp_path: Path) -> None:
    e, f = map(Flat.of, random_text(1))
    model, stages = MODELS[name], Stages(tmp_path / "stages", 2, memory)
    d = direction(tmp_path, e, f, 5, stages)
    learnt = em(d, stages, name, model, 4, 0.0)
    whole = Places.of(e, f, WORDS, WORDS)
    t, other, likelihood = em_of_places(whole, model, 4)
    np.testing.assert_allclose(learnt.likelihood, likelihood, rtol=1e-12)
    assert len(d.keys) > 4 * (memory == TINY)
    keys = np.concatenate([keys_of(d, p) for p in range(len(d.keys))])
    order = np.lexsort((whole.column, np.repeat(np.arange(WORDS), np.diff(whole.row))))
    rows = np.repeat(np.arange(WORDS), np.diff(whole.row))[order]
    assert keys.tolist() == (rows << 32 | whole.column[order]).tolist()
    assert learnt.t is not None
    np.testing.assert_allclose(joined(p / "t.npy" for p in learnt.t), t[order], rtol=1e-9)
    found = joined_posteriors(posteriors(d, stages, name, model, learnt))
    np.testing.assert_allclose(found, posterior(whole, model, t, other), rtol=1e-5, atol=1e-7)


def keys_of(d: Direction, p: int) -> np.ndarray:
    """Return the keys of a part, from those of the shards and their indices."""
    keys = np.zeros(int(load(d.keys[p] / "row.npy")[-1]), np.int64)
    cuts = load(d.table / "cuts.npy")[:, p : p + 2].tolist()
    for k, (first, last) in enumerate(cuts):
        keys[slots_of(d.keys[p], k)] = load(d.places[k] / "key.npy")[first:last]
    assert ((keys & LOW) > 0).all()
    return keys


def joined_posteriors(outputs: Outputs) -> np.ndarray:
    return np.concatenate([load(out / "posterior.npy") for out in outputs])


@pytest.mark.parametrize("aligner", ALIGNERS)
def test_workers_and_memory_change_no_byte(
    aligner: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "SHARD_WORDS", 200)
    made = []
    for name, workers, memory in (("a", 1, 1 << 30), ("b", 3, 1 << 15)):
        alignment = aligned(
            tmp_path / name, *map(tokens, random_text(2)), aligner, workers=workers, memory=memory
        )
        parts = len(np.load(tmp_path / name / "stages/forward/cut/0/bounds.npy")) - 1
        assert (parts > 4) == (name == "b")
        assert len(alignment.text) > 4
        links = [contents(out) for out in alignment.links]
        (tmp_path / name / "models").mkdir()
        alignment.save_models(Stages(tmp_path, workers, memory), tmp_path / name / "models")
        made.append((links, contents(tmp_path / name / "models"), alignment.forward.perplexity))
    assert made[0] == made[1]


def test_an_alignment_resumes_after_any_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "SHARD_WORDS", 600)
    text = shards.write(tmp_path / "text", zip(*map(tokens, random_text(3)), strict=True))

    def finish(name: str, at: int) -> dict[str, bytes]:
        stages = Stages(tmp_path / name, execute=Interrupting(at))
        out = tmp_path / name / "models"
        out.mkdir(parents=True, exist_ok=True)
        alignment = align(text, stages)
        alignment.save_models(stages, out)
        return contents(out) | {k: v for o in alignment.links for k, v in contents(o).items()}

    whole = finish("whole", 10**6)
    at, interrupted = 0, True
    while interrupted:
        interrupted = False
        try:
            finish(f"{at}", at)
        except Interrupted:
            interrupted = True
        assert finish(f"{at}", 10**6) == whole, f"interrupted before job {at}"
        at += 37
    assert at > 100


def test_tables_that_no_task_reads_are_removed_or_never_written(tmp_path: Path) -> None:
    e, f = map(Flat.of, random_text(6))
    stages = Stages(tmp_path / "stages", 2, TINY)
    d = direction(tmp_path, e, f, 5, stages)
    first = em(d, stages, "ibm1", ibm1.MODEL, 2, 0.0)
    em(d, stages, "hmm", hmm.MODEL, 2, 0.0, first.t)
    assert len(d.keys) > 4
    assert {path.parent.parent.name for path in tmp_path.rglob("t.npy")} == {"hmm-2"}
    assert {path.parent.name for path in tmp_path.rglob("sums.npy")} == {"0"}


def test_one_part_is_open_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process may open few files, and a text of many words has many parts."""
    alive = list[weakref.ref]()

    def counting(path: Path) -> np.ndarray:
        array = mapped(path)
        alive.append(weakref.ref(array))
        assert sum(ref() is not None for ref in alive) <= 3  # the first, the last and this
        return array

    e, f = map(Flat.of, random_text(6))
    stages = Stages(tmp_path / "stages", 1, TINY)
    d = direction(tmp_path, e, f, 5, stages)
    learnt = em(d, stages, "ibm1", ibm1.MODEL, 1, 0.0)
    assert learnt.t is not None
    monkeypatch.setattr(module, "mapped", counting)
    d.by_key(learnt.t, "t", 0)
    assert len(alive) > 4


def test_words_beside_blank_lines_only_are_not_in_the_model(tmp_path: Path) -> None:
    """They co-occur with no word, so they have no row in t."""
    e, f = Flat.of([[2, 3], [WORDS - 1], [2, 4]]), Flat.of([[5], [], [6, 7]])
    d = direction(tmp_path, e, f, 1, Stages(tmp_path / "stages"))
    in_rows = {word for part in d.keys for word in load(part / "e.npy").tolist()}
    in_shards = {word for shard in d.places for word in load(shard / "ids.npy").tolist()}
    assert in_rows == in_shards == {0, 2, 3, 4}


@pytest.mark.parametrize("aligner", ALIGNERS)
def test_words_spelled_like_specials_are_words(aligner: str, tmp_path: Path) -> None:
    """A stem is lower case, and that of <PAD> is the spelling of the id 0."""
    found = []
    for name, word in (("special", "<PAD>"), ("usual", "<ABC>")):
        sides = [
            [[word if w == "00004" else w for w in s] for s in tokens(side)]
            for side in random_text(5)
        ]
        links = aligned(tmp_path / name, sides[0], sides[1], aligner).read_links()
        found.append([links.source.tolist(), links.target.tolist()])
    assert found[0] == found[1]
