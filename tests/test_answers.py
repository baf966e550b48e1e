"""Translation by stages and workers: the same bytes, even if workers die."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from mtkit import answers
from mtkit.answers import Answer, Request, by_stages, by_this_process, open_system
from mtkit.cli import translate
from mtkit.storage.stages import Stages
from mtkit.text.corpus import Corpus
from tests.support.command import mtkit

needs_dask = pytest.mark.skipif(
    find_spec("distributed") is None, reason="Dask is missing: pip install 'mtkit[cluster]'"
)
STEP, WHOLE = 7, 75


@pytest.fixture
def place(smt_directory: Path, nmt_directory: Path, few: Corpus, tmp_path: Path) -> Path:
    """A directory with the models m and nmt, a text in.en and a glossary."""
    shutil.copytree(smt_directory, tmp_path / "m")
    shutil.copytree(nmt_directory, tmp_path / "nmt")
    lines = [*few.train.source[: WHOLE - 1], "word " * 600]
    (tmp_path / "in.en").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "g.tsv").write_text("I\tihc\n", encoding="utf-8")
    return tmp_path


def test_stages_answer_like_this_process(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "WINDOW", 3)
    request = Request((place / "m",), place / "g.tsv", n_best=2)
    lines = (place / "in.en").read_text("utf-8").split("\n")
    batches = [lines[k : k + STEP] for k in range(0, WHOLE, STEP)]
    expected = list(by_this_process(*open_system(request), request, 0, batches))
    assert sum(a.compliance.matches for a in expected) > 0
    assert [note for a in expected for note in a.notes]
    stages, seen, recorded = Stages(place / "stages"), list[Answer](), list[int]()

    def record() -> None:
        assert len([*stages.directory.iterdir()]) == 1, "files stay until this is recorded"
        recorded.append(len(seen))

    for answer in by_stages(stages, request, "1", 0, iter(batches), record):
        kept = sorted(int(path.name.partition("-")[2]) for path in stages.directory.iterdir())
        assert kept == [len(seen) // 3 * 3 * STEP]
        seen.append(answer)
    assert seen == expected
    assert recorded == [*range(3, len(batches), 3), len(batches)]
    assert not [*stages.directory.iterdir()]
    rest = by_stages(stages, request, "1", 4 * STEP, iter(batches[4:]), bool)
    assert list(rest) == expected[4:]


def test_a_worker_reopens_a_replaced_model(place: Path) -> None:
    """A worker keeps a model open until the mark changes."""
    request, lines = Request((place / "m",)), [["Two men."]]
    [old] = by_stages(Stages(place / "a"), request, "1", 0, lines, bool)
    shutil.rmtree(place / "m")
    shutil.copytree(place / "nmt", place / "m")
    [kept] = by_stages(Stages(place / "b"), request, "1", 0, lines, bool)
    assert kept == old
    [new] = by_stages(Stages(place / "c"), request, "2", 0, lines, bool)
    assert new == next(by_this_process(*open_system(request), request, 0, lines))
    assert new.rows != old.rows


@needs_dask
def test_a_cluster_translates_the_same_and_resumes(
    place: Path, monkeypatch: pytest.MonkeyPatch, dying: Callable[[str], Path]
) -> None:
    monkeypatch.setattr(translate, "BATCH", STEP)
    monkeypatch.setattr(answers, "WINDOW", 2)
    call = ("translate", "in.en", "--model", "m", "--glossary", "g.tsv", "--json", "-o")
    alone = mtkit(*call, "alone", cwd=place)
    deaths, usual = dying("lines-28"), answers.by_stages

    def interrupted(*arguments: object) -> Iterator[Answer]:
        for k, answer in enumerate(usual(*arguments)):  # type: ignore[arg-type]
            if k == 6:
                raise KeyboardInterrupt
            yield answer

    with monkeypatch.context() as patch:
        patch.setattr(answers, "by_stages", interrupted)
        mtkit(*call, "out.gz", "--cluster", "local:2", cwd=place, check=130)
    assert [path.name for path in deaths.iterdir()] == [".out.gz.stages lines-28"]
    done = mtkit(*call, "out.gz", "--resume", "--cluster", "local:1", cwd=place)
    assert gzip.decompress((place / "out.gz").read_bytes()) == (place / "alone").read_bytes()
    assert done.stderr.endswith(alone.stderr.splitlines()[-1] + b"\n")  # glossary counts
    assert not list(place.glob(".*"))


@pytest.mark.parametrize(
    ("options", "begin"),
    [
        ((), "--cluster needs plain text and an output file"),
        (("-o", "out", "--stream"), "--cluster needs plain text and an output file"),
        (("-o", "/dev/null"), "/dev/null: --cluster needs a regular file; "),
        (("-o", "out", "--lists", "a=b"), "--cluster needs plain text and an output file"),
    ],
)
def test_a_cluster_needs_an_output_file(options: tuple[str, ...], begin: str, place: Path) -> None:
    call = ("translate", "in.en", "--model", "m", "--cluster", "local:2", *options)
    said = mtkit(*call, cwd=place, check=2).stderr.decode()
    assert said.startswith(f"mtkit: {begin}")
    assert said.count("\n") == 1
