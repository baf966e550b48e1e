"""What a comparison reads from model directories: records, links, counts, families."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mtkit import load, train_nmt
from mtkit.comparison import record
from mtkit.comparison import systems as of_systems
from mtkit.comparison.report import Material
from mtkit.comparison.systems import Task, aligner, gather, in_tokens, opened, run, seen_in_training
from mtkit.errors import InputError
from mtkit.evaluation.statistics import Scorer
from mtkit.manifest import HASHES, RECORDS, Manifest, model_size
from mtkit.nmt.recipe import TrainConfig
from mtkit.text.corpus import Bitext, Corpus
from mtkit.text.glossary import Glossary
from mtkit.text.tokenizer import WordTokenizer
from tests.support.corpora import beside_its_text, first


@pytest.fixture
def copies(
    smt_directory: Path, nmt_directory: Path, few: Corpus, tmp_path: Path
) -> dict[str, Path]:
    """Copies of both models with their training text in place."""
    found = {}
    for name, directory in (("smt", smt_directory), ("nmt", nmt_directory)):
        where = tmp_path / f"of-{name}"
        where.mkdir()
        found[name], _ = beside_its_text(directory, few, where)
        shutil.rmtree(found[name] / RECORDS, ignore_errors=True)
    return found


@pytest.fixture
def test(few: Corpus) -> Bitext:
    assert few.test is not None
    return first(few.test, 8)


def task(test: Bitext, **options: Any) -> Task:
    return Task(
        **{"systems": {}, "material": Material(test, Scorer([test.target])), "threads": 1} | options
    )


# --- records


def test_a_record_has_all_the_report_needs(copies: dict[str, Path], test: Bitext) -> None:
    asked = task(test)
    for name, directory in copies.items():
        one, two = run(name, [directory], asked), run(name, [directory], asked)
        assert two == replace(one, scores=two.scores, training=two.training)
        for a, b in zip(one.scores or (), two.scores or (), strict=True):
            assert (a.lm, a.channel, a.direct, a.model, a.why) == (
                b.lm,
                b.channel,
                b.direct,
                b.model,
                b.why,
            )
        translated = load(directory).translate(test.source)
        assert two.outputs == [h[0].text for h in translated]
        assert two.system_links == [h[0].alignment for h in translated]
        again = run(name, [directory], replace(asked, fresh=True))
        assert again.outputs == one.outputs
        assert again.seconds != one.seconds
        assert model_size(directory) == one.bytes


def test_a_record_depends_on_the_model_files(copies: dict[str, Path], test: Bitext) -> None:
    directory = copies["smt"]
    path = record.path_of([directory], test)
    run("smt", [directory], task(test))
    assert path.is_file()
    assert record.path_of([directory], test) == path  # the record itself does not count
    assert record.path_of([directory], replace(test, source=test.target)) != path
    weights = directory / "weights.json"
    edited = json.loads(weights.read_text("utf-8")) | {"lm": 9.5}
    weights.write_text(json.dumps(edited), encoding="utf-8")
    assert record.path_of([directory], test) != path
    entries = {("a",): [("b",)]}
    glossaries = [
        None, Glossary(entries), Glossary(entries, inflected=True), Glossary({("a",): [("c",)]}),
    ]  # fmt: skip
    assert len({record.path_of([directory], test, glossary) for glossary in glossaries}) == 4


def test_a_record_moves_with_its_model_not_with_code(
    copies: dict[str, Path], test: Bitext, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("smt", [copies["smt"]], task(test))
    moved = copies["smt"].rename(copies["smt"].with_name("moved"))
    path, other = (record.path_of([moved], of) for of in (test, first(test, 4)))
    assert path.is_file()
    run("smt", [moved], task(first(test, 4)))
    earlier = path.with_name(f"{'0' * 16}.json")
    for file in (earlier, path.with_name("mine.json")):
        file.write_text("{}")
    said = list[str]()
    monkeypatch.setattr(of_systems, "note", said.append)
    monkeypatch.setattr(record, "digest_of_code", lambda: "another")
    run("smt", [moved], task(test))
    assert [s for s in said if "removed" in s] == [
        f"smt: 3 outdated translations removed from {path.parent}"
    ]
    assert not any(file.exists() for file in (path, other, earlier))
    assert sorted(file.name for file in path.parent.iterdir()) == sorted(
        ["mine.json", record.path_of([moved], test).name]
    )


def test_quick_only_translates_and_a_later_run_adds_the_rest(
    copies: dict[str, Path], test: Bitext, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = {name: run(name, [path], task(test, quick=True)) for name, path in copies.items()}
    for one in quick.values():
        assert (one.errors, one.scores, one.bits) == (None, (), {})
        assert (one.by_weights, one.by_wider) == ({}, ())
    monkeypatch.delattr(of_systems, "_translate")  # the translations are not made again
    for name, path in copies.items():
        full = run(name, [path], task(test))
        assert (full.outputs, full.seconds) == (quick[name].outputs, quick[name].seconds)
        assert full.errors is not None
        assert len(full.scores) == len(full.by_wider) == len(test)
        assert bool(full.by_weights) == (name == "smt")
        assert run(name, [path], task(test, quick=True)) == quick[name]


def test_broken_record_is_none(copies: dict[str, Path], test: Bitext) -> None:
    directory = copies["smt"]
    run("smt", [directory], task(test))
    path = record.path_of([directory], test)
    text = path.read_text("utf-8")
    n, data = len(test), json.loads(text)
    assert record.read(path, n) is not None
    assert record.read(path, n + 1) is None
    damaged = [text[:-20], "[]", text.replace("]", "", 1), text.replace('"text"', '"tex"')]
    for name, value in {"best": data["best"][1:], "wider_texts": [1] * n, "threads": "2"}.items():
        damaged.append(json.dumps(data | {name: value}))
    for half in damaged:
        path.write_text(half, encoding="utf-8")
        assert record.read(path, n) is None
    assert run("smt", [directory], task(test)).outputs
    assert record.read(path, n) is not None
    assert record.read(path.with_name("other.json"), n) is None


def test_explanations_use_the_glossary(copies: dict[str, Path], test: Bitext) -> None:
    glossary = copies["smt"].parent / "g.tsv"
    glossary.write_text("The\tXyz\nthe\tXyz\n", encoding="utf-8")
    system = opened([copies["smt"]], task(test, glossary=glossary))
    assert "Xyz" in system.explain("Where is the train?").translation
    assert "Xyz" not in opened([copies["smt"]], task(test)).explain("the train").translation


# --- ensembles


@pytest.fixture
def second(few: Corpus, tmp_path: Path) -> Path:
    """Another network trained on the same text."""
    config = TrainConfig(embedding=32, hidden=32, updates=3, validations=1, seed=2)
    [directory] = train_nmt(few, tmp_path / "second", config=config, threads=1)
    return directory


def test_an_ensemble_is_one_system(
    copies: dict[str, Path], second: Path, few: Corpus, test: Bitext
) -> None:
    parts = [copies["nmt"], second]
    both = run("both", parts, task(test))
    assert (both.kind, both.networks, both.family, both.training) == ("nmt", 2, "", ())
    assert both.outputs == [h[0].text for h in load(*parts).translate(test.source)]
    assert both.bytes == sum(map(model_size, parts))
    path = record.path_of(parts, test)
    assert path.is_file()
    assert path.parent == copies["nmt"] / RECORDS
    assert path not in (record.path_of(parts[:1], test), record.path_of(parts[::-1], test))
    (second / "log.jsonl").touch()
    assert record.path_of(parts, test) != path
    seen = [few.train.source[5], *test.source[1:]]
    (copies["nmt"] / HASHES).unlink()
    assert seen_in_training({"both": parts}, replace(test, source=seen)) == {"both": [0]}


def test_invalid_ensembles_fail_before_translation(
    copies: dict[str, Path], few: Corpus, test: Bitext, tmp_path: Path
) -> None:
    config = TrainConfig(embedding=8, hidden=8, vocabulary=200, updates=1, validations=1)
    [other] = train_nmt(few, tmp_path / "other", config=config, threads=1)
    back = shutil.copytree(other, tmp_path / "back")
    replace(Manifest.read(back), languages=("de", "en")).write(back)
    for part, message in (
        (copies["smt"], "smt: a model of kind smt; only a neural translator can join an ensemble"),
        (other, "other: its subwords differ from those of"),
        (back, "back translates de → en, .* en → de"),
    ):
        systems = {"smt": [copies["smt"]], "both": [copies["nmt"], part]}
        with pytest.raises(InputError, match=message):
            gather(task(test, systems=systems))
    assert not (copies["smt"] / RECORDS).exists()


# --- families


def test_networks_that_differ_in_their_seed_are_a_family(
    copies: dict[str, Path], test: Bitext, tmp_path: Path
) -> None:
    def family(**changes: object) -> str:
        copy = shutil.copytree(copies["nmt"], tmp_path / f"copy{len(list(tmp_path.iterdir()))}")
        manifest = Manifest.read(copy)
        replace(manifest, config=manifest.config | changes).write(copy)
        return run("nmt", [copy], task(test)).family

    assert family(seed=1) == family(seed=2) == family(seed=3, updates=7) != ""
    assert family(seed=1, hidden=33) != family(seed=1)
    assert family(seed=2, continued=True) == ""
    assert run("smt", [copies["smt"]], task(test)).family == ""


# --- tokens, links and counts


def test_links_use_the_casing_of_the_aligning_model(copies: dict[str, Path], test: Bitext) -> None:
    align = aligner(copies)
    assert align is not None
    tokens = [WordTokenizer().tokenize(line) for line in test.source]
    target = [WordTokenizer().tokenize(line) for line in test.target]
    links = align(tokens, target)
    assert sum(map(len, links)) > 10
    manifest = Manifest.read(copies["smt"])
    folded = manifest.tokenizer | {"lowercase": True}
    replace(manifest, tokenizer=folded).write(copies["smt"])
    lower = aligner(copies)
    assert lower is not None
    sides = [[[word.lower() for word in line] for line in side] for side in (tokens, target)]
    assert lower(tokens, target) == align(*sides) != links
    assert aligner({"nmt": copies["nmt"]}) is None


def test_words_are_counted_in_the_available_text(
    copies: dict[str, Path], few: Corpus, test: Bitext
) -> None:
    tokenizer = WordTokenizer()
    text, notes = in_tokens(test, tokenizer, copies, None)
    assert notes == []
    assert text.counts == Counter(w for line in few.train.target for w in tokenizer.tokenize(line))
    assert text.source_counts is not None
    assert text.source_counts["train"] > 0
    assert text.links is None
    manifest = Manifest.read(copies["nmt"])
    replace(manifest, corpus=manifest.corpus | {"digest": "other"}).write(copies["nmt"])
    _, [note] = in_tokens(test, tokenizer, copies, None)
    assert note == "word frequencies are those of the training text of smt; nmt has another text"
    text, [note] = in_tokens(test, tokenizer, {"nmt": copies["nmt"]}, None)
    assert text.counts is None
    assert note.startswith("words are not grouped by their frequency: ")


def test_sentences_seen_in_training_are_found(
    copies: dict[str, Path], few: Corpus, test: Bitext
) -> None:
    mixed = replace(test, source=[test.source[0], few.train.source[5], test.source[2]])
    models = {name: [directory] for name, directory in copies.items()}
    assert seen_in_training(models, mixed) == {"smt": [1], "nmt": [1]}
    assert seen_in_training(models, test) == {}


def test_files_use_the_first_models_tokenizer(copies: dict[str, Path], test: Bitext) -> None:
    other = copies["smt"].parent / "other.de"
    other.write_text("\n".join(test.target) + "\n", encoding="utf-8")
    systems = {"other": [other], "smt": [copies["smt"]]}
    [by_hand, smt], text, _ = gather(task(test, systems=systems))
    assert (by_hand.kind, smt.kind) == ("file", "smt")
    assert by_hand.words == [WordTokenizer().tokenize(line) for line in test.target]
    assert by_hand.aligned == text.links
    assert smt.aligned != text.links


def test_ignoring_case_changes_groups_but_not_alignment(
    copies: dict[str, Path], test: Bitext
) -> None:
    systems = {"smt": [copies["smt"]]}
    scorer = Scorer([test.target], ignore_case=True)
    [cased], text, _ = gather(task(test, systems=systems))
    [folded], lower, _ = gather(task(test, systems=systems, material=Material(test, scorer)))
    assert lower.reference == [[word.lower() for word in words] for words in text.reference]
    assert folded.words == [[word.lower() for word in words] for words in cased.words]
    assert (folded.outputs, folded.aligned) == (cased.outputs, cased.aligned)
    assert lower.links == text.links
    assert text.counts is not None
    assert lower.counts is not None
    assert lower.counts["die"] == text.counts["die"] + text.counts["Die"] > text.counts["die"]
    assert lower.counts.total() == text.counts.total()


def test_another_tokenizer_than_the_models_is_used(copies: dict[str, Path], test: Bitext) -> None:
    asked = task(test, systems={"smt": [copies["smt"]]}, tokenizer="none")
    [smt], text, _ = gather(asked)
    assert text.reference == [line.split() for line in test.target]
    assert smt.words == [line.split() for line in smt.outputs]
