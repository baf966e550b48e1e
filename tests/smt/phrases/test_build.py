"""Phrase table stages: memory, workers, shards and crashes do not change the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtkit.smt.alignment.symmetrize import Links, joined
from mtkit.smt.flat import Flat
from mtkit.smt.phrases import extract, pairs, score
from mtkit.smt.phrases.build import build
from mtkit.smt.phrases.table import PhraseTable
from mtkit.storage.arrays import load
from mtkit.storage.stages import Outputs, Stages
from mtkit.text.shards import Shards
from tests.support.phrase_pairs import Pairs, flat, random_pairs, spell
from tests.support.phrase_tables import arrays_of, build_table, save_links, shards_of

LARGE, SMALL = 1 << 30, 10_000  # bytes of memory, for one range and for many
STAGES = (
    "words", "links-cut", "links", "lexicon", "covered", "occurrences", "cut", "pairs", "sums",
    "scored",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _many_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extract, "LOG2_PART_WORDS", 7)


def assert_same(a: PhraseTable, b: PhraseTable) -> None:
    for name, x, y in zip(PhraseTable._fields, a, b, strict=True):
        assert x.dtype == y.dtype, name
        assert x.shape == y.shape, name
        assert x.tobytes() == y.tobytes(), name


def corpus(seed: int = 2, n: int = 150) -> Pairs:
    return random_pairs(seed, n)


@pytest.mark.parametrize("discount", score.DISCOUNTS)
@pytest.mark.parametrize("workers", [1, 3])
def test_memory_and_workers_do_not_matter(workers: int, discount: str, tmp_path: Path) -> None:
    text = shards_of(tmp_path / "text", *flat(corpus())[:2], 5)
    links = [save_links(tmp_path / "links", text, flat(corpus())[2])]
    tables, ranges = [], []
    for memory in (LARGE, SMALL):
        place = tmp_path / str(memory)
        build(text, links, Stages(place / "stages", workers, memory), place / "table", discount)
        cuts = (place / f"stages/phrases-{name}/0/ends.npy" for name in ("cut", "links-cut"))
        ranges.append([len(load(path)) - 1 for path in cuts])
        tables.append(arrays_of(place / "table"))
    assert ranges[0] == [1, 1]
    assert min(ranges[1]) >= 2
    assert max(ranges[1]) >= 5
    assert_same(*tables)


@pytest.mark.parametrize("discount", score.DISCOUNTS)
def test_shards_do_not_matter(discount: str) -> None:
    text = flat(corpus())
    whole = build_table(*text, discount)
    for shards in (2, 7):
        assert_same(build_table(*text, discount, shards, memory=SMALL), whole)


def test_the_sentence_order_does_not_matter() -> None:
    there = corpus()
    back = build_table(*flat(there[::-1]), "kneser-ney", 3)
    assert_same(back, build_table(*flat(there), "kneser-ney", 3))


def test_two_alignments_equal_one_of_the_doubled_text() -> None:
    x, y, one = flat(corpus())
    every = [sorted(links)[::2] for *_, links in corpus()]
    begin = np.cumsum([0, *map(len, every)])
    s, t = np.array([link for links in every for link in links], np.int32).T.copy()
    two = Links(s, t, begin)
    both = (joined_text([side, side]) for side in (x, y))
    twice = build_table(*both, joined([one, two]))
    for shards in (1, 4):
        assert_same(build_table(x, y, [one, two], shards=shards), twice)


def joined_text(parts: list[Flat]) -> Flat:
    begin = np.cumsum(np.concatenate([[0], *(np.diff(part.begin) for part in parts)]))
    return Flat(np.concatenate([part.words for part in parts]), begin)


def test_lone_links_are_only_for_words_without_a_phrase_in_any_shard() -> None:
    alone: Pairs = [([1], [5], {(0, 0)})]
    tangled: Pairs = [([1, 2], [5, 6], {(0, 0), (0, 1), (1, 0), (1, 1)})]
    for there in (alone + tangled, tangled + alone):
        table = build_table(*flat(there), shards=2)
        expected = {((1,), (5,)), ((1, 2), (5, 6)), ((2,), (5,)), ((2,), (6,))}
        assert set(spell(table)) == expected


def failing(stage: str) -> Callable[[Sequence[Any]], Iterator[None]]:
    """Return a ``Run`` that fails before the last task of ``stage``."""

    def execute(jobs: Sequence[Any]) -> Iterator[None]:
        for k, job in enumerate(jobs, start=1):
            if k == len(jobs) and job.args[0].parent.name == f"phrases-{stage}":
                raise InterruptedError(stage)
            yield job()

    return execute


def test_work_resumes_after_any_stage(tmp_path: Path) -> None:
    text = shards_of(tmp_path / "text", *flat(corpus())[:2], 3)
    links = [save_links(tmp_path / "links", text, flat(corpus())[2])]
    memories = [SMALL // 2, SMALL, LARGE] * 4
    for memory, stage in zip(memories, STAGES, strict=False):
        broken = Stages(tmp_path / "stages", 1, memory, failing(stage))
        with pytest.raises(InterruptedError, match=f"^{stage}$"):
            build(text, links, broken, tmp_path / "table", "kneser-ney")
        assert not (tmp_path / "table").exists()
    whole = build_table(*flat(corpus()), "kneser-ney")
    for again in ("table", "again"):
        build(text, links, Stages(tmp_path / "stages", 2), tmp_path / again, "kneser-ney")
        assert_same(arrays_of(tmp_path / again), whole)
    left = {path.name for path in (tmp_path / "stages").iterdir() if path.is_dir()}
    assert left == {f"phrases-{of}" for of in ("links-cut", "covered", "cut", "scored")}


def test_the_resume_test_covers_all_stages(tmp_path: Path) -> None:
    """Add new stages to ``STAGES``."""
    text: Shards = shards_of(tmp_path / "text", *flat(corpus())[:2])
    links = save_links(tmp_path / "links", text, flat(corpus())[2])
    seen = list[str]()

    class Watched(Stages):
        def run(self, stage: str, *rest: Any) -> Outputs:
            seen.append(stage)
            return super().run(stage, *rest)

    build(text, [links], Watched(tmp_path / "stages"), tmp_path / "table")
    assert seen == [f"phrases-{stage}" for stage in STAGES]


def test_text_without_links_has_no_phrases() -> None:
    none = Links(np.empty(0, np.int32), np.empty(0, np.int32), np.zeros(3, np.int64))
    table = build_table(Flat.of([[1, 2], [1]]), Flat.of([[1], [2]]), none, "kneser-ney", 2)
    assert len(table.links) == len(table.key) == len(table.source) == 0
    assert [a.tolist() for a in (table.s_begin, table.t_begin, table.row)] == [[0], [0], [0]]


def test_pairs_have_their_most_frequent_links() -> None:
    """Few pairs occur thousands of times, so that there is much to sort."""
    rng, n = np.random.default_rng(1), 3000
    rows = np.zeros(n, extract.OCCURRENCE)
    for name, most in (("s_key", 3), ("t_key", 5), ("links", 4), ("previous", 3), ("next", 3)):
        rows[name] = rng.integers(most, size=n)
    rows["source"] = np.arange(n)
    found = pairs.distinct(rows, np.arange(n), 1)
    columns = [rows[name].tolist() for name in ("s_key", "t_key", "links", "previous", "next")]
    masks, turns = dict[Any, Counter[int]](), dict[Any, Any]()
    for s, t, links, a, b in zip(*columns, strict=True):
        masks.setdefault((s, t), Counter())[links] += 1
        turns.setdefault((s, t), np.zeros((2, 3)))[[0, 1], [a, b]] += 1
    keys = list(zip(found.rows["s_key"].tolist(), found.rows["t_key"].tolist(), strict=True))
    assert keys == sorted(masks)
    for k, (row, key) in enumerate(zip(found.rows, keys, strict=True)):
        most = max(masks[key].values())
        links = min(mask for mask, times in masks[key].items() if times == most)
        first = np.flatnonzero(
            (rows["s_key"] == key[0]) & (rows["t_key"] == key[1]) & (rows["links"] == links)
        )[0]
        assert (row["links"], row["source"]) == (links, first)
        assert found.seen[k] == sum(masks[key].values())
        c = turns[key]
        p = (c + 0.5) / (c.sum(axis=1, keepdims=True) + 1.5)
        assert np.exp(found.reordering[k]) == pytest.approx(p.ravel(), rel=1e-5)
