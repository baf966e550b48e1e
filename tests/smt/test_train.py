"""Aligners, resuming and disk space."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mtkit.console import console
from mtkit.errors import InputError
from mtkit.manifest import HASHES
from mtkit.platforms import MIN_MEMORY
from mtkit.smt import train
from mtkit.smt.alignment.align import Alignment, align
from mtkit.smt.alignment.symmetrize import Links, joined
from mtkit.smt.phrases.build import build
from mtkit.smt.phrases.table import PhraseTable
from mtkit.smt.search.features import DEFAULT_WEIGHTS
from mtkit.smt.train import TWO_ALIGNERS_BELOW, TrainConfig, estimate
from mtkit.storage import writing
from mtkit.storage.stages import Stages
from mtkit.text import shards
from mtkit.text.corpus import Corpus
from mtkit.text.shards import SIDES, Shards
from mtkit.text.tokenizer import WordTokenizer
from mtkit.text.vocabulary import Vocabulary
from tests.support.alignments import Interrupted, Interrupting, aligned, contents
from tests.support.corpora import first


def test_small_texts_get_two_aligners_by_default() -> None:
    assert TrainConfig().aligners(TWO_ALIGNERS_BELOW - 1) == ["fertility", "hmm"]
    assert TrainConfig().aligners(TWO_ALIGNERS_BELOW) == ["fertility"]
    assert TrainConfig("hmm").aligners(5) == ["hmm"]
    assert TrainConfig("ibm1+diagonal").aligners(TWO_ALIGNERS_BELOW) == ["ibm1", "diagonal"]
    for unknown in ("ibm9", "hmm+", "auto+hmm"):
        with pytest.raises(InputError, match="choose one of ibm1"):
            TrainConfig(unknown)


def pairs_of(table: PhraseTable, words: Sequence[Vocabulary]) -> set[tuple[str, ...]]:
    """Return the phrase pairs as text."""
    found = set()
    for r, (begin, end) in enumerate(pairwise(table.row.tolist())):
        s = table.source[slice(*table.s_begin[r : r + 2])]
        for p in range(begin, end):
            t = table.target[slice(*table.t_begin[p : p + 2])]
            sides = zip(words, (s, t), strict=True)
            found.add(tuple(" ".join(of.decode(ids.tolist())) for of, ids in sides))
    return found


def test_two_alignments_give_the_phrases_of_both(few: Corpus, tmp_path: Path) -> None:
    """Figures are those of the first alignment."""
    sides = [side[:60] for side in few.train.tokens(WordTokenizer())]
    one, two = (aligned(tmp_path / name, *sides, name) for name in ("ibm1", "diagonal"))
    words = [one.text.vocabulary(side) for side in SIDES]
    of_one, of_two = (
        pairs_of(table_of(tmp_path / f"table-{n}", of), words) for n, of in enumerate((one, two))
    )
    config = TrainConfig("ibm1+diagonal", order=2)
    place, figures = estimate(one.text, config, Stages(tmp_path / "both"))
    found = pairs_of(PhraseTable.load(place / "phrases", *one.text.sizes), words)
    either = of_one | of_two
    assert {pair for pair in found if " " in pair[0]} == {pair for pair in either if " " in pair[0]}
    assert found <= either  # lone links only for words without a phrase in both
    assert found - of_one
    assert found - of_two
    assert figures["links"] == len(one.read_links().source)
    assert list(figures["alignment_perplexity"]["P(y|x)"]) == ["ibm1"]


def table_of(place: Path, alignment: Alignment) -> PhraseTable:
    build(alignment.text, [alignment.links], Stages(place / "stages"), place / "table")
    return PhraseTable.load(place / "table", *alignment.text.sizes)


def test_links_of_parts_are_joined() -> None:
    a, b = (Links(*map(np.array, of)) for of in (([0, 1], [1, 0], [0, 2]), ([0], [0], [0, 1])))
    assert joined([a, b]).by_sentence() == [[(0, 1), (1, 0)], [(0, 0)]]


def test_folds_use_the_aligners_of_the_whole_text(
    few: Corpus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Folds have 80 of 100 pairs; their weights are for the model of the whole text."""
    asked = list[str]()

    def seen(text: Shards, stages: Stages, aligner: str, heuristic: str) -> Alignment:
        asked.append(aligner)
        return align(text, stages, "ibm1", heuristic)  # the fastest

    monkeypatch.setattr(train, "align", seen)
    monkeypatch.setattr(train, "FOLDS_FROM", 50)
    corpus, config = replace(few, train=first(few.train, 100), dev=None), TrainConfig(order=2)
    for little, aligners in ((90, ["fertility"]), (110, ["hmm", "fertility"])):
        monkeypatch.setattr(train, "TWO_ALIGNERS_BELOW", little)
        monkeypatch.setattr(train, "tuned", lambda *_: (DEFAULT_WEIGHTS, {}))
        stages = Stages(tmp_path / f"{little}")
        train.build(corpus, WordTokenizer(), config, "default", stages, 1)
        assert asked == aligners * 6
        asked.clear()


def models_of(text: Shards, stages: Stages, config: TrainConfig) -> dict[str, bytes]:
    return contents(estimate(text, config, stages)[0])


@pytest.fixture
def cut(few: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shards:
    """Return a text in several shards."""
    monkeypatch.setattr(shards, "SHARD_WORDS", 500)
    pairs = first(few.train, 200)
    return shards.write_tokenized(pairs, WordTokenizer(), Stages(tmp_path / "text"))


@pytest.mark.compiled
def test_threads_and_memory_change_no_byte_of_a_model(cut: Shards, tmp_path: Path) -> None:
    assert len(cut) > 4
    config = TrainConfig("hmm+fertility", discount="kneser-ney", order=3)
    one = models_of(cut, Stages(tmp_path / "one"), config)
    assert len(one) > 20
    assert one == models_of(cut, Stages(tmp_path / "three", 3, memory=1 << 20), config)


@pytest.mark.compiled
@pytest.mark.slow
def test_a_resumed_training_gives_the_same_model(cut: Shards, tmp_path: Path) -> None:
    config = TrainConfig("fertility", order=3)
    whole, counting = tmp_path / "whole", Interrupting(10**6)
    expected = models_of(cut, Stages(whole, execute=counting), config)
    jobs = 10**6 - counting.left
    assert jobs > 300
    for at in range(0, jobs, 5):
        stages = Stages(tmp_path / f"{at}", execute=Interrupting(at))
        with pytest.raises(Interrupted):
            models_of(cut, stages, config)
        assert models_of(cut, Stages(stages.directory), config) == expected, f"job {at}"
        shutil.rmtree(stages.directory)


def test_stages_stay_until_the_model_has_its_name(
    few: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, text = tmp_path / "m", replace(few, train=first(few.train, 20))
    config = TrainConfig("ibm1", order=2, tune="none")

    def learn(resume: bool) -> None:
        train.train_smt(text, WordTokenizer(), config, "default", out, resume=resume)

    def fails(_: Path) -> None:
        raise OSError("disk error")

    with monkeypatch.context() as patch:
        patch.setattr(writing, "flush", fails)
        with pytest.raises(OSError, match="disk error"):
            learn(resume=False)
    assert [path.name for path in tmp_path.iterdir()] == [".m.stages"]
    learn(resume=True)
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_very_long_pairs_are_left_out(
    few: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(train, "LONGEST", 20)
    monkeypatch.setattr(console, "quiet", False)
    config = TrainConfig("ibm1", order=2, tune="none")
    short, long = first(few.train, 20), "a, " * 11  # 22 words
    assert max(len(words) for side in short.tokens(WordTokenizer()) for words in side) <= 20

    def learn(name: str, source: list[str], target: list[str]) -> dict[str, bytes]:
        text = replace(few, train=replace(short, source=source, target=target))
        train.train_smt(text, WordTokenizer(), config, "default", tmp_path / name)
        return {k: v for k, v in contents(tmp_path / name).items() if k != "manifest.json"}

    source, target = [*short.source], [*short.target]
    one = learn("one", source, target)
    assert "will not be used" not in capsys.readouterr().err
    other = learn("other", ["x", *source, long], [long, *target, "y"])
    assert "warning: 2 pairs have more than 20 words on a side" in capsys.readouterr().err
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == [HASHES]
    with pytest.raises(InputError, match="every pair has more than 20 words on a side"):
        learn("none", ["x"], [long])


def test_very_long_dev_lines_are_left_out(
    few: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(corpus: Corpus, *_: Any) -> None:
        assert corpus.dev
        assert few.dev
        assert corpus.dev.source == few.dev.source
        raise Interrupted

    assert few.dev
    monkeypatch.setattr(train, "build", stop)
    monkeypatch.setattr(train, "compile_kernels", lambda *_: None)
    monkeypatch.setattr(train, "LONGEST", 50)
    source, target = [*few.dev.source, "a " * 51], [*few.dev.target, "b"]
    text = replace(few, dev=replace(few.dev, source=source, target=target))
    with pytest.raises(Interrupted):
        train.train_smt(text, WordTokenizer(), TrainConfig(), "default", tmp_path / "m")


def test_too_little_disk_space_is_an_error(
    cut: Shards, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train.check_disk(cut, tmp_path, 5)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(InputError, match=r"0\.0 GB of disk are free, .* needs about 0\.0 GB; name"):
        train.check_disk(cut, tmp_path, 5)


@pytest.mark.parametrize(("memory", "workers"), [(1, 1), (2 * MIN_MEMORY, 2), (1 << 40, 8)])
def test_memory_limits_the_threads(
    memory: int, workers: int, few: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*arguments: Any) -> None:
        assert arguments[4].workers == workers
        raise Interrupted

    monkeypatch.setattr(train, "build", stop)
    monkeypatch.setattr(train, "compile_kernels", lambda *_: None)
    with pytest.raises(Interrupted):
        train.train_smt(few, WordTokenizer(), TrainConfig(), "default", tmp_path / "m", 8, memory)
