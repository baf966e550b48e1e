"""What the comparison takes from model directories: records, links, counts, families."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mtkit import load
from mtkit.comparison import record
from mtkit.comparison.report import Material
from mtkit.comparison.systems import Task, aligner, gather, in_tokens, opened, run, seen_in_training
from mtkit.evaluation.statistics import Scorer
from mtkit.manifest import RECORDS, Manifest, model_size
from mtkit.text.corpus import Bitext, Corpus
from mtkit.text.tokenizer import WordTokenizer
from tests.support.corpora import beside_its_text, first


@pytest.fixture
def copies(
    smt_directory: Path, nmt_directory: Path, few: Corpus, tmp_path: Path
) -> dict[str, Path]:
    """Copies of both models, whose training text lies where they say."""
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


def test_a_record_has_all_that_the_report_needs(copies: dict[str, Path], test: Bitext) -> None:
    asked = task(test)
    for name, directory in copies.items():
        one, two = run(name, directory, asked), run(name, directory, asked)
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
        assert two.made_from == [h[0].alignment for h in translated]
        again = run(name, directory, replace(asked, fresh=True))
        assert again.outputs == one.outputs
        assert again.seconds != one.seconds
        assert model_size(directory) == one.bytes


def test_a_record_is_of_the_files_as_they_were(copies: dict[str, Path], test: Bitext) -> None:
    directory = copies["smt"]
    path = record.path_of(directory, test)
    run("smt", directory, task(test))
    assert path.is_file()
    assert record.path_of(directory, test) == path  # itself it changes nothing
    assert record.path_of(directory, replace(test, source=test.target)) != path
    weights = directory / "weights.json"
    edited = json.loads(weights.read_text("utf-8")) | {"lm": 9.5}
    weights.write_text(json.dumps(edited), encoding="utf-8")
    assert record.path_of(directory, test) != path
    glossary = directory.parent / "g.tsv"
    glossary.write_text("a\tb\n", encoding="utf-8")
    with_glossary = record.path_of(directory, test, glossary)
    glossary.write_text("a\tc\n", encoding="utf-8")
    assert record.path_of(directory, test, glossary) not in (with_glossary, path)


def test_half_a_record_is_none(copies: dict[str, Path], test: Bitext) -> None:
    directory = copies["smt"]
    run("smt", directory, task(test))
    path = record.path_of(directory, test)
    text = path.read_text("utf-8")
    assert record.read(path) is not None
    path.write_text(text[:-20], encoding="utf-8")
    assert record.read(path) is None
    assert run("smt", directory, task(test)).outputs
    assert record.read(path) is not None
    assert record.read(path.with_name("other.json")) is None


def test_a_glossary_holds_what_is_explained_too(copies: dict[str, Path], test: Bitext) -> None:
    glossary = copies["smt"].parent / "g.tsv"
    glossary.write_text("The\tXyz\nthe\tXyz\n", encoding="utf-8")
    system = opened(copies["smt"], task(test, glossary=glossary))
    assert "Xyz" in system.explain("Where is the train?").translation
    assert "Xyz" not in opened(copies["smt"], task(test)).explain("the train").translation


# --- families


def test_networks_that_differ_in_their_seed_are_a_family(
    copies: dict[str, Path], test: Bitext, tmp_path: Path
) -> None:
    def family(**changes: object) -> str:
        copy = shutil.copytree(copies["nmt"], tmp_path / f"copy{len(list(tmp_path.iterdir()))}")
        manifest = Manifest.read(copy)
        replace(manifest, config=manifest.config | changes).write(copy)
        return run("nmt", copy, task(test)).family

    assert family(seed=1) == family(seed=2) == family(seed=3, updates=7) != ""
    assert family(seed=1, hidden=33) != family(seed=1)
    assert family(seed=2, continued=True) == ""
    assert run("smt", copies["smt"], task(test)).family == ""


# --- tokens, links and counts


def test_links_are_by_words_as_the_aligning_model_knows_them(
    copies: dict[str, Path], test: Bitext
) -> None:
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


def test_words_are_counted_in_the_text_that_is_there(
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
    assert note == "words are counted in the training text of smt; nmt was trained on another"
    text, [note] = in_tokens(test, tokenizer, {"nmt": copies["nmt"]}, None)
    assert text.counts is None
    assert note.startswith("words are not grouped by their frequency: ")


def test_sentences_that_were_trained_on_are_found(
    copies: dict[str, Path], few: Corpus, test: Bitext
) -> None:
    mixed = replace(test, source=[test.source[0], few.train.source[5], test.source[2]])
    assert seen_in_training(copies, mixed) == {"smt": [1], "nmt": [1]}
    assert seen_in_training(copies, test) == {}


def test_files_are_read_in_the_first_models_tokens(copies: dict[str, Path], test: Bitext) -> None:
    other = copies["smt"].parent / "other.de"
    other.write_text("\n".join(test.target) + "\n", encoding="utf-8")
    systems = {"other": other, "smt": copies["smt"]}
    [by_hand, smt], text, _ = gather(task(test, systems=systems))
    assert (by_hand.kind, smt.kind) == ("file", "smt")
    assert by_hand.words == [WordTokenizer().tokenize(line) for line in test.target]
    assert by_hand.aligned == text.links
    assert smt.aligned != text.links
