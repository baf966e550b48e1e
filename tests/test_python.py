"""The functions of ``mtkit``, as a Python user calls them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import mtkit
from mtkit.errors import InputError
from mtkit.manifest import Manifest
from mtkit.nmt.recipe import TrainConfig as NmtConfig
from mtkit.smt.search.features import CHANNEL, NOISY_CHANNEL
from mtkit.smt.system import SmtSystem
from mtkit.smt.train import TrainConfig
from mtkit.text.corpus import Corpus
from mtkit.text.tokenizer import WordTokenizer


def test_train_smt_trains_a_statistical_model(few: Corpus, tmp_path: Path) -> None:
    lower, config = WordTokenizer(lowercase=True), TrainConfig("ibm1", order=2, tune="none")
    directory = mtkit.train_smt(few, tmp_path / "smt", lower, config, "noisy-channel", threads=1)
    system = mtkit.load(directory)
    assert isinstance(system, SmtSystem)
    assert system.weights == NOISY_CHANNEL
    assert system.tokenizer == lower
    assert Manifest.read(directory).config["order"] == 2
    for weights, force, message in (
        ("default", False, "smt exists; name another --out"),
        ("heavy", True, "heavy: expected default, noisy-channel"),
    ):
        with pytest.raises(InputError, match=message):
            mtkit.train_smt(few, directory, lower, config, weights, force)
    own = {**CHANNEL, "lm": 0.25}
    mtkit.train_smt(few, directory, lower, config, own, force=True)
    assert SmtSystem.load(directory).weights == own


def test_train_nmt_trains_one_model_per_seed(few: Corpus, tmp_path: Path) -> None:
    tiny = NmtConfig(embedding=8, hidden=8, vocabulary=300, updates=2, validations=1, seed=7)
    directories = mtkit.train_nmt(few, tmp_path / "nmt", config=tiny, seeds=2, threads=1)
    assert [directory.name for directory in directories] == ["nmt-1", "nmt-2"]
    assert [Manifest.read(directory).config["seed"] for directory in directories] == [7, 8]
    further = mtkit.train_nmt(few, tmp_path / "on", config=tiny, start=directories[0], threads=1)
    assert further == [tmp_path / "on"]
    assert Manifest.read(further[0]).config["continued"]
    ensemble = mtkit.load(*directories)
    assert len(ensemble.translate(["A man."])) == 1
    with pytest.raises(InputError, match="on exists"):
        mtkit.train_nmt(few, further[0], config=tiny)


@pytest.mark.parametrize(
    ("before", "own", "spins", "kernels"),
    [
        ("", {}, "2000", "4096"),
        ("import torch", {}, None, "4096"),  # too late, torch has read it
        ("", {"OMP_WAIT_POLICY": "active"}, None, "4096"),
        ("", {"GOMP_SPINCOUNT": "7", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "9"}, "7", "9"),
    ],
)
def test_variables_of_openmp_and_onednn_are_set(
    before: str, own: dict[str, str], spins: str | None, kernels: str
) -> None:
    wanted = ("GOMP_SPINCOUNT", "ONEDNN_PRIMITIVE_CACHE_CAPACITY")
    code = f"{before}\nimport os, mtkit; print([os.environ.get(name) for name in {wanted}])"
    env = {k: v for k, v in os.environ.items() if k not in (*wanted, "OMP_WAIT_POLICY")} | own
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, text=True, capture_output=True, check=True
    )
    assert done.stdout == f"{[spins, kernels]}\n"


def test_a_saved_aligner_gives_similar_links(few: Corpus, tmp_path: Path) -> None:
    lower, out = WordTokenizer(lowercase=True), tmp_path / "words"
    learnt = mtkit.align(few, lower, "hmm", "intersection", out=out)
    assert len(learnt.begin) == len(few.train) + 1
    assert Manifest.read(out).config == {"aligner": "hmm", "heuristic": "intersection"}
    by_model = mtkit.align(few, heuristic="intersection", model=out)  # with its tokenizer
    ours, theirs = (
        {(n, link) for n, links in enumerate(a.by_sentence()) for link in links}
        for a in (learnt, by_model)
    )
    assert 2 * len(ours & theirs) > 0.8 * (len(ours) + len(theirs))
    with pytest.raises(InputError, match="words exists"):
        mtkit.align(few, out=out)


def test_unknown_names_are_refused_before_the_work(few: Corpus) -> None:
    options = {
        "aligner": "aligner",
        "heuristic": "symmetrize",
        "discount": "discount",
        "tune": "tune",
    }
    for name, option in options.items():
        with pytest.raises(InputError, match=rf"^--{option} x: unknown; choose one of "):
            TrainConfig(**{name: "x"})  # type: ignore[arg-type]
    for name in ("aligner", "heuristic"):
        with pytest.raises(InputError, match=rf"^--{options[name]} x: unknown; choose one of "):
            mtkit.align(few, **{name: "x"})  # type: ignore[arg-type]


def test_align_refuses_model_with_out(few: Corpus, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--model and --out exclude each other"):
        mtkit.align(few, model=tmp_path, out=tmp_path / "kept")
