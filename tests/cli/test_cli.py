"""The commands as a person or a script meets them, in processes of their own."""

from __future__ import annotations

import contextlib
import json
import math
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from mtkit.cli.translate import rows
from mtkit.smt.alignment.symmetrize import HEURISTICS
from mtkit.system import Hypothesis
from mtkit.text.corpus import Corpus
from tests.conftest import beside_its_text
from tests.support.lines import random_lines

MTKIT = [sys.executable, "-c", "from mtkit.cli import main; main()"]


def mtkit(
    *arguments: object, cwd: Path, stdin: bytes = b"", check: int | None = 0
) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        [*MTKIT, *map(str, arguments)], input=stdin, capture_output=True, cwd=cwd, check=False
    )
    assert check is None or done.returncode == check, done.stderr.decode()
    return done


@pytest.fixture(scope="module")
def project(
    smt_directory: Path, nmt_directory: Path, few: Corpus, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A directory with models/smt and models/nmt, and the few pairs as files."""
    where = tmp_path_factory.mktemp("project")
    (where / "models").mkdir()
    (where / "models/smt").symlink_to(smt_directory)
    (where / "models/nmt").symlink_to(nmt_directory)
    for name, split in (("train", few.train), ("test", few.test)):
        assert split is not None
        for language, lines in (("en", split.source), ("de", split.target)):
            (where / f"{name}.{language}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return where


FILES = {
    "three.en": b"a\nb\nc\n",
    "two.de": b"x\ny\n",
    "empty.en": b"",
    "bad.en": b"ok\nb\xff\n",
    "outside.gold": b"5-0\n",
    "bad.tsv": b"# source, target\na\tA\na b\n",
}
REFUSED = {
    "unequal": (
        ["train-smt", "--train", "three.en", "two.de"],
        "line 3 of three.en has no partner",
    ),
    "unequal-nmt": (["train-nmt", "--train", "three.en", "two.de"], "3 lines but two.de has 2"),
    "missing": (["train-smt", "--train", "none.en", "two.de"], "none.en: no such file"),
    "empty": (["train-smt", "--train", "empty.en", "empty.en"], "empty.en: the file is empty"),
    "not-utf8": (["train-smt", "--train", "bad.en", "two.de"], "bad.en: line 2, byte 2: not UTF-8"),
    "a-file": (["translate", "three.en"], "reads stdin, no files: say mtkit translate < three.en"),
    "no-model": (["translate", "--model", "nowhere"], "nowhere: no such model"),
    "not-a-model": (["translate", "--model", "."], ".: not a model directory"),
    "nothing-trained": (["translate"], "no model under models/"),
    "nothing-to-compare": (["compare"], "nothing to compare under models/"),
    "no-system": (["compare", "nowhere"], "nowhere: neither a model directory nor a file"),
    "out-exists": (["train-smt", "--out", "."], ". exists; name another --out, or add --force"),
    "out-is-mine": (["train-nmt", "--out", ".", "--force"], "is no model directory"),
    "no-corpus": (["train-smt", "--corpus", "nix"], "no corpus 'nix'"),
    "no-weights": (["train-smt", "--weights", "nix"], "--weights nix: neither default nor"),
    "no-tuner": (["train-smt", "--tune", "x"], "--tune x: not one of mira, mert, none"),
    "no-discount": (["train-smt", "--discount", "x"], "--discount x: not one of none, kneser-ney"),
    "no-number": (["train-smt", "--prune", "0 x"], "--prune 0 x: whole numbers are meant"),
    "no-threshold": (
        ["train-smt", "--prune", "2", "--prune", "1"],
        "--prune 2 1: one number for each order",
    ),
    "no-heuristic": (["align", "--symmetrize", "most"], "--symmetrize most: not one of"),
    "no-aligner": (["align", "--aligner", "ibm9"], "--aligner ibm9: not one of ibm1, diagonal"),
    "text-twice": (["align", "--stdin", "--corpus", "everyday"], "name the text twice"),
    "learns-nothing": (["align", "--model", "a", "--out", "b"], "--model learns nothing"),
    "no-alignment": (["align", "--model", "nowhere"], "nowhere: no such model"),
    "nothing-on-stdin": (["align", "--stdin"], "stdin: no line has text on both sides"),
    "gold-outside": (
        ["align", "--train", "two.de", "two.de", "--gold", "outside.gold"],
        "outside.gold: line 1: 5-0 lies outside sentences of",
    ),
    "gold-empty": (
        ["align", "--train", "two.de", "two.de", "--gold", "empty.en"],
        "empty.en: 0 lines of links for 2 pairs",
    ),
    "no-model-for-info": (["info"], "or name one as MODEL"),
    "no-pair": (["train-smt", "--pair", "en-", "--train", "two.de", "two.de"], "--pair en-: two"),
    "no-text": (["perplexity", ".", "--text", "empty.en"], "empty.en: the file is empty"),
    "text-and-test": (
        ["perplexity", ".", "--text", "two.de", "--test", "two.de", "two.de"],
        "--test and --text name the text twice",
    ),
    "one-name": (["compare", "a=two.de", "a=three.en"], "two systems are called 'a'"),
    "no-name": (["compare", "=two.de"], "a system without a name"),
    "exchanged": (
        ["train-smt", "--train", "three.en", "two.de", "--dev", "two.de", "three.en"],
        "--dev two.de three.en: source and target are exchanged; the languages are en → de",
    ),
    "too-few-lines": (
        ["compare", "a=two.de", "--test", "three.en", "three.en"],
        "a: 2 lines for 3 references",
    ),
    "names-no-file": (["compare", "a="], "a= names no file; NAME=FILE is meant"),
    "no-suite": (["contrast"], "grammar/suite.tsv: no such file; `mtkit corpus make` makes"),
    "curve-of-words": (["compare", "a=two.de", "--curve", "1000,x"], "--curve 1000,x: numbers"),
    "curve-of-one": (["compare", "a=two.de", "--curve", "1000"], "--curve 1000: numbers of pairs"),
    "curve-of-files": (["compare", "a=two.de", "--curve", "1,2"], "only files are given"),
    "no-reference": (
        ["compare", "a=two.de", "--test", "two.de", "two.de", "--reference", "none"],
        "none: no such file",
    ),
    "no-glossary": (
        ["compare", "a=two.de", "--test", "two.de", "two.de", "--glossary", "none.tsv"],
        "none.tsv: no such file",
    ),
    "no-html": (["compare", "a=two.de", "--html", "no/r.html"], "no/r.html: no such directory: no"),
    "out-nowhere": (["train-smt", "--out", "two.de/m"], "nothing can be written into"),
    "no-moses": (["import", "moses.ini"], "moses.ini: no such file"),
    "not-moses": (["import", "two.de"], "two.de: no [feature]"),
    "no-moses-pair": (["import", "two.de", "--pair", "x"], "--pair x: two language codes"),
    "no-smt": (["export", "--out", "m"], "no statistical model under models/"),
    "no-export": (["export", "nowhere", "--out", "m"], "nowhere: no such model"),
    "bad-glossary": (
        ["compare", "a=two.de", "--test", "two.de", "two.de", "--glossary", "bad.tsv"],
        "bad.tsv: line 3: source TAB target is meant, with one TAB",
    ),
    "no-encoder": (["encode"], "no neural model under models/; train one with"),
    "nothing-explains": (["explain", "x"], "no model under models/"),
    "no-explanation": (["explain", "x", "--model", "nowhere"], "nowhere: no such model"),
    "no-info": (["info", "three.en"], "three.en: not a model directory"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_gets_one_line_and_exit_code_2(case: str, tmp_path: Path) -> None:
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    arguments, message = REFUSED[case]
    done = mtkit(*arguments, cwd=tmp_path, check=2)
    [line] = done.stderr.decode().splitlines()
    assert line.startswith("mtkit: ")
    assert message in line
    assert done.stdout == b""
    assert {p.name for p in tmp_path.iterdir()} == set(FILES)


def test_bad_bytes_on_stdin_are_named(project: Path) -> None:
    done = mtkit("translate", "-q", cwd=project, stdin=FILES["bad.en"], check=2)
    assert done.stderr.decode().startswith("mtkit: stdin: line 2, byte 2: not UTF-8")


@pytest.mark.parametrize("kind", ["smt", "nmt"])
def test_n_lines_in_n_lines_out(kind: str, project: Path) -> None:
    model = f"models/{kind}"
    done = mtkit("translate", "--model", model, cwd=project, stdin=b"Two men.\n\n")
    lines = done.stdout.decode().split("\n")
    assert len(lines) == 3
    assert lines[0] or kind == "nmt"  # the tiny neural model may have nothing to say
    assert lines[1:] == ["", ""]
    text = "One\u2028line.\r\n\n \nHello <b>{name}</b> \x1b[1m\nno newline at the end"
    done = mtkit("translate", "--model", model, cwd=project, stdin=text.encode())
    assert done.stdout.count(b"\n") == 5
    assert mtkit("translate", "--model", model, cwd=project).stdout == b""


@pytest.mark.parametrize("kind", ["smt", "nmt"])
def test_json_is_one_object_a_line(kind: str, project: Path) -> None:
    options = ("translate", "--model", f"models/{kind}", "--json", "--n-best", 3)
    done = mtkit(*options, cwd=project, stdin=b"The train is here.\n\nHello.\n")
    objects = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert [o["source"] for o in objects] == ["The train is here.", "", "Hello."]
    for o in objects:
        assert set(o) == {"source", "translation", "score", "hypotheses", "unknown", "pieces"}
        assert o["translation"] == o["hypotheses"][0]["text"]
        for h in o["hypotheses"]:
            keys = {"text", "score", "features", "alignment", "segments", "tokens"}
            assert set(h) == keys
    shown = objects[0]["hypotheses"][0]
    assert bool(shown["segments"]) == (kind == "smt")
    assert shown["tokens"][-1]["text"] == "</s>"
    fields = {"text", "logprob", "order"} if kind == "smt" else {"text", "logprob"}
    assert all(set(token) == fields for token in shown["tokens"])
    assert all(token["logprob"] < 0 for token in shown["tokens"])
    if kind == "smt":
        assert all(1 <= token["order"] <= 5 for token in shown["tokens"])
        total = sum(token["logprob"] for token in shown["tokens"])
        assert total == pytest.approx(shown["features"]["lm"], abs=1e-4)


def test_n_best_lines_are_numbered(project: Path) -> None:
    done = mtkit("translate", "-q", "--n-best", 2, cwd=project, stdin=b"Hello.\nThe train.\n")
    rows = [line.split(" ||| ") for line in done.stdout.decode().splitlines()]
    assert {row[0] for row in rows} == {"0", "1"}
    assert all(len(row) == 3 and float(row[2]) < 0 for row in rows)


@pytest.mark.parametrize("form", [(), ("--json",), ("--n-best", "2")])
def test_a_stream_is_answered_line_by_line(form: tuple[str, ...], project: Path) -> None:
    options = ["translate", "-q", "--model", "models/smt", *form]
    process = subprocess.Popen(
        [*MTKIT, *options, "--stream"], cwd=project, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": ""},
    )  # fmt: skip
    assert process.stdin and process.stdout and process.stderr  # noqa: PT018
    late = threading.Timer(60, process.kill)  # an answer held back would be waited for without end
    late.start()
    lines, answers = ["\ufeffThe train is here.\r", "", "\ufeffHello.", "two"], []
    for line in lines:
        process.stdin.write(f"{line}\n".encode())
        process.stdin.flush()
        answers.append(process.stdout.readline())
        if form == ("--n-best", "2") and line:
            answers.append(process.stdout.readline())
    process.stdin.write(b"the last\xff")
    rest, said = process.communicate()
    late.cancel()
    assert (rest, process.returncode) == (b"", 2)
    assert said.decode().startswith("mtkit: stdin: line 5, byte 9: not UTF-8")
    whole = mtkit(*options, cwd=project, stdin="\n".join(lines).encode())
    assert b"".join(answers) == whole.stdout


def test_a_stream_without_a_last_line_break_ends(project: Path) -> None:
    options = ("translate", "-q", "--model", "models/smt", "--stream")
    assert mtkit(*options, cwd=project, stdin=b"two\nHello.").stdout.count(b"\n") == 2
    assert mtkit(*options, cwd=project).stdout == b""


def test_an_interrupted_stream_ends_quietly(project: Path) -> None:
    command = [*MTKIT, "translate", "-q", "--model", "models/smt", "--stream"]
    process = subprocess.Popen(
        command, cwd=project, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin and process.stdout  # noqa: PT018
    process.stdin.write(b"Hello.\n")
    process.stdin.flush()
    assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, said = process.communicate(timeout=60)
    assert (process.returncode, rest, said.strip()) == (130, b"", b"")


@pytest.mark.parametrize("quiet", [True, False])
def test_a_terminal_sees_how_far_it_is(quiet: bool, project: Path) -> None:
    ours, theirs = pty.openpty()
    command = [*MTKIT, "translate", "--model", "models/smt", *(["-q"] if quiet else [])]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(
        command, cwd=project, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=theirs,
        env=environment,
    )  # fmt: skip
    os.close(theirs)
    out, _ = process.communicate(b"two\n" * 1500)
    said = b""
    with contextlib.suppress(OSError):  # how a terminal without a writer ends
        while data := os.read(ours, 1000):
            said += data
    os.close(ours)
    assert out.count(b"\n") == 1500
    assert (b"1,500/1,500" in said) is not quiet
    assert (b"sentences/s" in said) is not quiet


def test_a_long_line_is_translated_in_pieces_and_said_so(project: Path) -> None:
    text = f"Hello.\n{'The train is here. ' * 100}\n".encode()
    done = mtkit("translate", "--model", "models/smt", cwd=project, stdin=text)
    assert done.stderr.decode() == "line 2: 501 words, translated in 3 pieces\n"
    assert done.stdout.count(b"\n") == 2


def test_ten_thousand_odd_lines_come_out(project: Path) -> None:
    lines = random_lines(10_000, seed=2, huge=8)
    text = "".join(f"{line}\n" for line in lines).encode()
    done = mtkit("translate", "-q", "--model", "models/smt", cwd=project, stdin=text)
    answers = done.stdout.decode().split("\n")
    assert len(answers) == 10_001
    assert [not line.strip() for line in lines] == [not answer for answer in answers[:-1]]


def test_no_translation_breaks_its_line() -> None:
    broken = Hypothesis("a\nb", ["a％000ab"], -1.0)
    for n_best, as_json in ((1, False), (2, False), (2, True)):
        [row] = rows(0, "x", [broken], n_best, as_json)
        assert "\n" not in row


def test_the_newest_model_is_taken_and_named(project: Path) -> None:
    said = mtkit("translate", cwd=project, stdin=b"a\n").stderr.decode()
    assert re.fullmatch(r"model: models/(smt|nmt) \(en → de\)\n", said)
    assert mtkit("translate", "-q", cwd=project, stdin=b"a\n").stderr == b""


def test_a_reader_that_goes_away_ends_it_quietly(project: Path) -> None:
    command = [*MTKIT, "translate", "-q", "--model", "models/smt"]
    process = subprocess.Popen(
        command, cwd=project, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin and process.stdout and process.stderr  # noqa: PT018
    process.stdout.close()
    process.stdin.write(b"The train is here.\n" * 3000)
    process.stdin.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    process.wait()


TEXT = ("--train", "train.en", "train.de", "--test", "test.en", "test.de")


def test_tuning_tells_its_rounds_and_the_report_what_it_gained(project: Path) -> None:
    said = mtkit(
        "train-smt", *TEXT, "--dev", "test.en", "test.de", "--prune", "0 0 1", "--out", "tuned",
        cwd=project,
    ).stderr.decode()  # fmt: skip
    header, *rounds = re.findall(r"^    +(?:round|\d).*", said, re.MULTILINE)
    assert header.split() == ["round", "dev", "BLEU", "WER", "hypotheses", "new", "seconds"]
    assert {len(line) for line in rounds} == {len(header)}
    manifest = json.loads((project / "tuned/manifest.json").read_text("utf-8"))
    assert [float(line.split()[1]) for line in rounds] == [
        pytest.approx(found["bleu"], abs=0.005) for found in manifest["figures"]["tuning"]
    ]
    assert f"are kept: dev BLEU {manifest['figures']['dev_bleu']:.2f}\n" in said
    assert (manifest["config"]["tune"], manifest["config"]["prune"]) == ("mira", [0, 0, 1])
    [system] = json.loads(mtkit("compare", "tuned", "--json", cwd=project).stdout)["systems"]
    names = ["P(x|y)", "P(x|y) P(y)", "Default weights", "Tuned weights"]
    assert list(system["channel"]) == names
    assert system["channel"]["Tuned weights"] == system["metrics"]["bleu"]["score"]
    assert len(set(system["channel"].values())) == 4


def test_weights_that_are_given_stay_unless_tuning_is_asked_for(project: Path) -> None:
    from mtkit.smt.system import NOISY_CHANNEL

    options = ("train-smt", *TEXT, "--dev", "test.en", "test.de", "--weights", "noisy-channel")
    for tune in ((), ("--tune", "mira")):
        done = mtkit(*options, *tune, "-q", "--force", "--out", "channel", cwd=project)
        assert done.stderr == b""
        kept = json.loads((project / "channel/weights.json").read_text("utf-8"))
        assert (kept == NOISY_CHANNEL) is not bool(tune)


def test_interrupted_training_leaves_no_model(project: Path, tmp_path: Path) -> None:
    arguments = ["train-nmt", "--train", project / "train.en", project / "train.de", "--out", "m"]
    process = subprocess.Popen(
        [*MTKIT, *map(str, arguments)], cwd=tmp_path, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not any(tmp_path.iterdir()):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert os.listdir(tmp_path) == []  # noqa: PTH208


def test_compare_prints_designs_object_and_writes_html(project: Path) -> None:
    done = mtkit(
        "compare", "--json", "--html", "r.html", "--test", "test.en", "test.de", cwd=project
    )
    found = json.loads(done.stdout)
    assert {"test", "systems", "pairs"} <= set(found)
    assert {s["name"]: s["kind"] for s in found["systems"]} == {"smt": "smt", "nmt": "nmt"}
    for system in found["systems"]:
        assert set(system["metrics"]) == {"bleu", "chrf", "ter"}
        metric = system["metrics"]["bleu"]
        assert set(metric) == {"score", "low", "high", "signature"}
        assert system["sentences_per_second"] > 0
    keys = {"a", "b", "metric", "delta", "p_bootstrap", "p_randomization"}
    assert all(set(pair) == keys for pair in found["pairs"])
    assert "P(y|x)" in found["systems"][0]["perplexity"]
    smt, nmt = sorted(found["systems"], key=lambda system: system["name"] == "nmt")
    assert list(smt["channel"]) == ["P(x|y)", "P(x|y) P(y)", "Default weights"]
    assert smt["channel"]["Default weights"] == smt["metrics"]["bleu"]["score"]
    assert nmt["channel"] == {}
    for system in (smt, nmt):
        faults = system["errors"]
        assert faults["reached"] == faults["same"] + faults["search"] + faults["model"]
    assert nmt["errors"]["reached"] == 30 >= smt["errors"]["reached"]
    assert "<html" in (project / "r.html").read_text(encoding="utf-8")


def test_compare_reads_others_output_and_warns_of_training_lines(project: Path) -> None:
    (project / "other.de").write_bytes((project / "train.de").read_bytes())
    options = ("compare", "models/smt", "other=other.de", "--test", "train.en", "train.de")
    done = mtkit(*options, "--json", cwd=project)
    found = json.loads(done.stdout)
    assert [s["name"] for s in found["systems"]] == ["smt", "other"]
    assert found["systems"][1]["metrics"]["bleu"]["score"] == pytest.approx(100)
    assert "400 of the 400 test sentences are in its training text" in found["warnings"][0]


def test_a_second_report_has_the_same_bytes(project: Path) -> None:
    test = ("--test", "test.en", "test.de")
    for name in ("one.html", "two.html"):
        done = mtkit("compare", *test, "--html", name, cwd=project)
    assert done.stderr.decode().count("translations on record (") == 2
    assert b"translating" not in done.stderr
    one, two = ((project / name).read_bytes() for name in ("one.html", "two.html"))
    assert one == two
    assert b"Why <bdi>nmt</bdi> says so" in one
    fresh = mtkit("compare", "models/smt", *test, "--fresh", "--json", cwd=project)
    assert b"smt: translating 30 sentences" in fresh.stderr
    again = mtkit("compare", "models/smt", *test, "--json", "-q", cwd=project)
    assert again.stdout == fresh.stdout
    assert again.stderr == b""


def test_further_references_count_as_sacrebleus_command_counts_them(project: Path) -> None:
    target = (project / "test.de").read_text("utf-8").splitlines()
    (project / "second.de").write_text("\n".join(target[1:] + target[:1]) + "\n", encoding="utf-8")
    (project / "out.de").write_text("\n".join(target[::-1]) + "\n", encoding="utf-8")
    test = ("--test", "test.en", "test.de")
    options = ("compare", "o=out.de", *test, "--reference", "second.de", "--json", "-q")
    found = json.loads(mtkit(*options, cwd=project).stdout)
    assert found["test"]["references"] == 2
    metrics = found["systems"][0]["metrics"]
    command = [sys.executable, "-m", "sacrebleu", "test.de", "second.de", "-i", "out.de", "-b"]
    for name, metric in metrics.items():
        more = ["-w", "10", "-m", name]
        said = subprocess.run([*command, *more], cwd=project, capture_output=True, check=True)
        assert metric["score"] == pytest.approx(float(said.stdout), abs=1e-9)
        assert "nrefs:2" in metric["signature"]
    (project / "short.de").write_text("a\n", encoding="utf-8")
    options = ("compare", "o=out.de", *test, "--reference", "short.de")
    assert b"short.de: 1 lines for 30" in mtkit(*options, cwd=project, check=2).stderr


def test_a_model_without_a_test_set_takes_that_of_the_others(project: Path) -> None:
    where = project / "alone"
    (where / "models").mkdir(parents=True)
    for name in ("smt", "nmt"):
        copy = shutil.copytree(project / "models" / name, where / "models" / name)
        manifest = json.loads((copy / "manifest.json").read_text("utf-8"))
        named = [str(project / f"test.{language}") for language in ("en", "de")]
        manifest["corpus"]["test"] = named if name == "smt" else None
        (copy / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    done = mtkit("compare", "--json", cwd=where)
    assert b"models/nmt: trained without a test set; that of the other models is" in done.stderr
    assert json.loads(done.stdout)["test"]["sentences"] == 30
    done = mtkit("compare", "models/nmt", cwd=where, check=2)
    assert b"models/nmt was trained without a test set; name one with --test" in done.stderr


def test_a_curve_needs_models_and_their_text(project: Path) -> None:
    test = ("--test", "test.en", "test.de")
    done = mtkit("compare", "models/smt", *test, "--curve", "100,200", cwd=project, check=2)
    [line] = done.stderr.decode().splitlines()
    assert line.endswith("is not what models/smt was trained on")


GLOSSARY = b"# mtkit\nThe\tDas Neuwort\nthe\tdas Neuwort\n"


def test_translate_obeys_a_glossary_and_says_how_often(project: Path) -> None:
    (project / "g.tsv").write_bytes(GLOSSARY)
    options = ("translate", "--model", "models/smt", "--glossary", "g.tsv")
    text = b"The hotel and the train.\n\nHello.\nWhere is the hotel?\n"
    for more in ((), ("--json",), ("--n-best", 3)):
        done = mtkit(*options, *more, cwd=project, stdin=text)
        said = "glossary: 3 matches in 2 sentences, 3 translated as asked (100 %)\n"
        assert done.stderr.decode() == said
    assert mtkit(*options, cwd=project, stdin=text).stdout.count(b"as Neuwort") == 3
    assert mtkit(*options, cwd=project).stderr == b"glossary: no match\n"
    assert mtkit(*options, "-q", cwd=project, stdin=text).stderr == b""
    done = mtkit("translate", "--model", "models/nmt", "--glossary", "g.tsv", cwd=project, check=2)
    [line] = done.stderr.decode().splitlines()
    assert line.startswith(
        "mtkit: models/nmt is a neural model, which cannot be held to a glossary"
    )
    (project / "bad.tsv").write_bytes(FILES["bad.tsv"])
    options = ("translate", "--model", "models/smt", "--glossary", "bad.tsv")
    assert b"mtkit: bad.tsv: line 3: " in mtkit(*options, cwd=project, check=2).stderr


def test_compare_counts_who_follows_a_glossary(project: Path) -> None:
    (project / "g.tsv").write_bytes(GLOSSARY)
    source = (project / "test.en").read_text("utf-8")
    asked = len(re.findall(r"\b[Tt]he\b", source))
    lines = ["das Neuwort" * ("the " in line) for line in source.splitlines()]
    (project / "by-hand.de").write_text("\n".join(lines) + "\n", encoding="utf-8")
    complied = sum("the " in line for line in source.splitlines())
    test = ("--test", "test.en", "test.de", "--glossary", "g.tsv")
    systems = ("models/smt", "models/nmt", "hand=by-hand.de")
    found = json.loads(mtkit("compare", *systems, *test, "--json", cwd=project).stdout)
    assert 1 < complied < asked
    assert {s["name"]: s["glossary"] for s in found["systems"]} == {
        "smt": {"matches": asked, "complied": asked},
        "nmt": {"matches": asked, "complied": 0},
        "hand": {"matches": asked, "complied": complied},
    }
    done = mtkit("compare", "hand=by-hand.de", *test, "--html", "g.html", cwd=project)
    row = f"hand +{asked} +{complied} +{100 * complied / asked:.1f}"
    assert re.search(
        rf"The glossary: .*\n(.*\n)* +{row}".replace(" +hand", " *hand"), done.stdout.decode()
    )
    assert "The glossary: " in (project / "g.html").read_text(encoding="utf-8")
    done = mtkit("compare", "hand=by-hand.de", *test[:3], "--json", cwd=project)
    assert json.loads(done.stdout)["systems"][0]["glossary"] is None


def test_perplexity_of_pairs_and_of_target_text(project: Path) -> None:
    done = mtkit("perplexity", "--test", "test.en", "test.de", "--json", cwd=project)
    found = json.loads(done.stdout)
    assert set(found["models/smt"]) == {"P(y)", "P(x|y)", "P(y|x)"}
    assert set(found["models/nmt"]) == {"P(y|x)"}
    alone = mtkit("perplexity", "models/smt", "--text", "test.de", "--json", cwd=project)
    assert json.loads(alone.stdout)["models/smt"]["P(y)"] == found["models/smt"]["P(y)"]
    assert b"P(x|y)" in mtkit("perplexity", "--test", "test.en", "test.de", cwd=project).stdout
    for of in found.values():
        for question, judged in of.items():
            texts = [s["text"] for s in judged["sentences"]]
            assert len(texts) == 30
            log_p = [value for s in judged["sentences"] for value in s["log_p"]]
            assert len(log_p) == judged["tokens"] == sum(map(len, texts))
            assert math.exp(-sum(log_p) / len(log_p)) == pytest.approx(judged["value"])
            assert sum(sum(s["oov"]) for s in judged["sentences"]) == judged["oov"]
            orders = [s["order"] for s in judged["sentences"]]
            has_order = question == "P(y)"
            assert all((order is not None) == has_order for order in orders)
            split = {"oov", "position", *(["order"] if has_order else [])}
            assert set(judged["splits"]) == split
            assert "is not what models/" in judged["no_frequency"]
            assert 0 < judged["bits_per_character"] < 20


def test_perplexity_of_every_token_of_hostile_text(project: Path, tmp_path: Path) -> None:
    for name, line in (
        ("h.en", "A \x1b[31mred\x07 one."),
        ("h.de", "Ein \x1b]0;x\x07 [b]rot[/b]es."),
    ):
        (tmp_path / name).write_text(line + "\n", encoding="utf-8")
    (tmp_path / "models").symlink_to(project / "models")
    named = ("models/smt", "models/nmt")
    done = mtkit("perplexity", *named, "--tokens", "--test", "h.en", "h.de", cwd=tmp_path)
    text = done.stdout.decode()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f]", text)
    assert text.count("<U+001B>") == 2  # once a side: both models see one target
    assert list(dict.fromkeys(re.findall(r"^P\(.*?\) +\S+", text, re.MULTILINE))) == [
        "P(y)    models/smt", "P(y|x)  models/smt", "P(y|x)  models/nmt", "P(x|y)  models/smt",
    ]  # fmt: skip


def test_perplexity_by_frequency_in_the_training_text(project: Path) -> None:
    options = ("train-smt", "--train", "train.en", "train.de", "--tune", "none", "--out", "counted")
    mtkit(*options, "-q", cwd=project)
    call = ("perplexity", "counted", "--test", "test.en", "test.de")
    [of] = json.loads(mtkit(*call, "--json", cwd=project).stdout).values()
    for judged in of.values():
        assert judged["no_frequency"] == ""
        first = judged["splits"]["frequency"][0]
        assert (first["label"], first["tokens"]) == ("0", judged["oov"])
    assert "by frequency of the word" in mtkit(*call, cwd=project).stdout.decode()
    train = project / "train.de"
    (project / "moved").write_bytes(train.read_bytes())
    train.unlink()
    said = mtkit(*call, cwd=project).stdout.decode()
    (project / "moved").rename(train)
    assert "by frequency of the word" not in said
    assert re.search(r"counted is not split by frequency: \S+train\.de: no such file\.\n", said)


@pytest.fixture(scope="module")
def whole(project: Path, few: Corpus, nmt_directory: Path) -> Path:
    """A neural model whose training text lies where its manifest says."""
    where = project / "whole"
    where.mkdir()
    return beside_its_text(nmt_directory, few, where)[0]


def test_encode_writes_vectors_and_prints_neighbours(
    project: Path, whole: Path, few: Corpus
) -> None:
    lines = [few.train.source[5], "", "Hello \x1b[1m."]
    text = "".join(f"{line}\n" for line in lines).encode()
    options = ("encode", "--model", whole, "--nearest", 2, "--pool", "max", "--out", "v")
    done = mtkit(*options, cwd=project, stdin=text)
    rows = [row.split("\t") for row in done.stdout.decode().splitlines()]
    assert [row[0] for row in rows] == ["1", "1", "3", "3"]  # none of the blank line
    assert rows[0][1:] == [str(few.train.source.index(lines[0]) + 1), "1.000000", lines[0]]
    assert all(few.train.source[int(row[1]) - 1] == row[3] for row in rows)
    assert done.stderr.decode() == "v: 3 vectors of 32\n"
    vectors = np.load(project / "v")
    assert (vectors.dtype, vectors.shape) == (np.float32, (3, 32))
    assert vectors[0].any()
    assert not vectors[1].any()
    assert mtkit("encode", "--model", whole, cwd=project, stdin=text).stdout.count(b"\n") == 6
    done = mtkit("encode", "--out", "v", cwd=project, stdin=text)
    assert done.stdout == b""
    assert re.match(r"model: models/nmt \(en → de\)\n", done.stderr.decode())
    assert not np.array_equal(np.load(project / "v"), vectors)  # of the mean


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--model", "models/smt", "--out", "v"), "models/smt: a model of kind smt; only a neural"),
        ((), "is not what models/nmt was trained on"),
        (("--out", "no/v"), "no/v: No such file or directory"),
    ],
)
def test_what_cannot_be_encoded_is_said(
    options: tuple[str, ...], message: str, project: Path
) -> None:
    done = mtkit("encode", "-q", *options, cwd=project, stdin=b"Hello.\n", check=2)
    [line] = done.stderr.decode().splitlines()
    assert message in line
    assert done.stdout == b""


def test_explain_asks_the_newest_of_each_kind(project: Path) -> None:
    done = mtkit("explain", "The train is here.", "--html", "why.html", cwd=project)
    said = done.stderr.decode().splitlines()
    named = ["model: models/smt (en → de)", "model: models/nmt (en → de)"]
    assert said == [*named, f"report: {project}/why.html"]
    text = done.stdout.decode()
    assert text.startswith("The train is here.\n")
    assert text.index("models/smt, statistical: ") < text.index("models/nmt, neural: ")
    assert "Why did it say that?" in (project / "why.html").read_text("utf-8")
    options = ("explain", "Hello.", "--json", "-q", "--model", "models/nmt")
    done = mtkit(*options, cwd=project)
    [found] = json.loads(done.stdout)["systems"]
    assert (found["kind"], found["name"], done.stderr) == ("nmt", "models/nmt", b"")


@pytest.mark.parametrize("sentence", [" ", "x " * 201])
def test_what_cannot_be_explained_is_said(sentence: str, project: Path) -> None:
    done = mtkit("explain", "-q", sentence, cwd=project, check=2)
    assert len(done.stderr.decode().splitlines()) == 1
    assert done.stdout == b""


def test_what_cannot_be_measured_or_compared_is_said(project: Path) -> None:
    done = mtkit("perplexity", "models/nmt", "--text", "test.de", cwd=project, check=2)
    assert b"models/nmt has no language model P(y)" in done.stderr
    done = mtkit("compare", "--test", "test.de", "test.en", cwd=project, check=2)
    assert b"source and target are exchanged" in done.stderr
    (project / "other").mkdir()
    manifest = json.loads((project / "models/smt/manifest.json").read_text("utf-8"))
    other = json.dumps({**manifest, "languages": ["de", "en"]})
    (project / "other/manifest.json").write_text(other, encoding="utf-8")
    done = mtkit("compare", "models/smt", "other", cwd=project, check=2)
    assert "different languages (smt: en → de, other: de → en)" in done.stderr.decode()


def test_align_prints_links_and_scores_gold(project: Path) -> None:
    done = mtkit("align", "--train", "train.en", "train.de", cwd=project)
    lines = done.stdout.decode().splitlines()
    assert len(lines) == 400
    assert all("-" in link for line in lines for link in line.split())
    (project / "gold").write_bytes(done.stdout)
    options = ("align", "--train", "train.en", "train.de", "--gold", "gold")
    assert b"AER 0.0000" in mtkit(*options, cwd=project).stderr
    assert b"AER 0.0000" in mtkit(*options, "--quiet", cwd=project).stderr
    shown = mtkit("align", "--help", cwd=project).stdout.decode()
    assert all(name in " ".join(shown.replace("│", " ").split()) for name in HEURISTICS)


def test_align_keeps_what_it_learns_and_reads_pairs_from_stdin(project: Path) -> None:
    trained = mtkit("align", "--train", "train.en", "train.de", "--out", "kept", cwd=project)
    pairs = [
        f"{s} ||| {t}"
        for s, t in zip(
            (project / "train.en").read_text("utf-8").splitlines(),
            (project / "train.de").read_text("utf-8").splitlines(),
            strict=True,
        )
    ]
    text = "\n".join(pairs).encode()
    assert mtkit("align", "--stdin", cwd=project, stdin=text).stdout == trained.stdout
    for model in ("kept", "models/smt"):
        known = mtkit("align", "--model", model, "--stdin", cwd=project, stdin=text).stdout
        ours, theirs = (
            {(n, link) for n, line in enumerate(x.decode().splitlines()) for link in line.split()}
            for x in (known, trained.stdout)
        )
        assert len(known.splitlines()) == 400
        assert 2 * len(ours & theirs) > 0.8 * (len(ours) + len(theirs))
    done = mtkit("align", "--stdin", cwd=project, stdin=b"a ||| b\na | b\n", check=2)
    assert done.stderr.decode().startswith("mtkit: stdin: line 2: one ' ||| ' between source")
    done = mtkit("translate", "--model", "kept", cwd=project, check=2)
    assert "kept aligns words (`mtkit align --model`)" in done.stderr.decode()
    (project / "empty").mkdir()
    (project / "empty/manifest.json").write_bytes((project / "kept/manifest.json").read_bytes())
    done = mtkit(
        "align", "--model", "empty", "--train", "train.en", "train.de", cwd=project, check=2
    )
    assert "empty cannot align words" in done.stderr.decode()


def test_info_tells_what_a_model_is(project: Path) -> None:
    text = mtkit("info", "models/smt", cwd=project).stdout.decode()
    assert "statistical" in text
    assert "en → de" in text
    assert json.loads(mtkit("info", "models/nmt", "--json", cwd=project).stdout)["kind"] == "nmt"


def test_a_model_goes_to_moses_and_comes_back(project: Path, tmp_path: Path) -> None:
    out = tmp_path / "moses"
    said = mtkit("export", "--out", out, cwd=project).stderr.decode()
    assert said.startswith("model: models/smt\n")
    assert "left out: the discriminative lexicon" in said
    assert "left out: that numbers, URLs and placeholders" in said
    first = (out / "phrase-table.gz").read_bytes()
    done = mtkit("export", "models/smt", "--out", out, cwd=project, check=2)
    assert "moses exists; name another --out, or add --force" in done.stderr.decode()
    assert mtkit("export", "--out", out, "--force", "-q", cwd=project).stderr == b""
    assert (out / "phrase-table.gz").read_bytes() == first
    done = mtkit("export", "--out", "models/smt", "--force", cwd=project, check=2)
    assert "is no model directory (it has no moses.ini)" in done.stderr.decode()
    done = mtkit("export", "models/nmt", "--out", "no", cwd=project, check=2)
    assert done.stderr.decode().startswith("mtkit: models/nmt: a model of kind nmt; Moses has")

    for _ in range(2):  # the default is replaced without --force
        said = mtkit("import", "moses/moses.ini", cwd=tmp_path).stderr.decode()
        assert "; --pair, as in --pair en-de, does\n" in said
        assert said.endswith("model: models/moses\n")
    done = mtkit("translate", cwd=tmp_path, stdin=b"The train is here \xef\xbf\xad.\n\n")
    assert done.stderr == "model: models/moses (und → und)\n".encode()
    assert len(done.stdout.split()) > 2
    assert done.stdout.count(b"\n") == 2


def test_an_imported_model_is_a_model(project: Path, tmp_path: Path) -> None:
    mtkit("export", "models/smt", "--out", tmp_path / "moses", cwd=project)
    (tmp_path / "models").mkdir()
    options = ("import", "moses/moses.ini", "-q", "--lowercase")
    assert mtkit(*options, cwd=tmp_path).stderr == b""
    mtkit(*options, "--pair", "en-de", "--out", "models/named", cwd=tmp_path)
    manifest = json.loads(mtkit("info", "models/named", "--json", cwd=tmp_path).stdout)
    assert (manifest["kind"], manifest["languages"]) == ("smt", ["en", "de"])
    assert manifest["tokenizer"] == {"kind": "none", "lowercase": True}
    assert manifest["config"]["imported"] == str((tmp_path / "moses/moses.ini").resolve())
    assert manifest["figures"]["phrase_pairs"] > 1000
    assert "und → und" in mtkit("info", "models/moses", cwd=tmp_path).stdout.decode()
    test = ("--test", project / "test.en", project / "test.de", "--json")
    found = json.loads(mtkit("perplexity", *test, cwd=tmp_path).stdout)
    assert {name: set(of) for name, of in found.items()} == {
        "models/moses": {"P(y)"},
        "models/named": {"P(y)"},
    }
    for models in (["models/moses"], ["models/moses", "models/named"]):
        compared = json.loads(mtkit("compare", *models, *test, cwd=tmp_path).stdout)
        assert compared["test"]["languages"] == ["en", "de"]
        assert len({s["metrics"]["bleu"]["score"] for s in compared["systems"]}) == 1
    done = mtkit("align", "--model", "models/moses", "--stdin", cwd=tmp_path,
                 stdin=b"a ||| b\n", check=2)  # fmt: skip
    assert "models/moses cannot align words" in done.stderr.decode()


def test_seeds_give_several_models_which_translate_together(project: Path, tmp_path: Path) -> None:
    """One after another, interrupted and gone on with; then an ensemble, and training further."""
    options = ["--preset", "quick", "--updates", "8", "--bpe-dropout", "0.1"]
    text = ["--train", project / "train.en", project / "train.de"]
    call = ["train-nmt", *text, *options, "--seeds", 2, "--out", "m"]
    done = mtkit(*call, cwd=tmp_path)
    said = done.stderr.decode()
    assert re.search(r"dev bleu of 2 seeds: mean [\d.]+, standard deviation [\d.]+ \(", said)
    first = (tmp_path / "m-1/weights.safetensors").read_bytes()
    second = (tmp_path / "m-2/weights.safetensors").read_bytes()
    assert first != second
    (tmp_path / "m-2").rename(tmp_path / "old")
    said = mtkit(*call, "--resume", cwd=tmp_path).stderr.decode()
    assert "seed 1: m-1, done already" in said
    assert (tmp_path / "m-2/weights.safetensors").read_bytes() == second
    mtkit(*call, cwd=tmp_path, check=2)  # m-1 exists
    refused = mtkit(*call, "--resume", "--minutes", 1, cwd=tmp_path, check=2)
    assert b"m-1 was trained with minutes 2.5, not 1" in refused.stderr
    refused = mtkit(*call, "--resume", "--clip", 2, cwd=tmp_path, check=2)
    assert b"m-1 was trained with clip 1.0, not 2.0" in refused.stderr

    both = mtkit(
        *("translate", "--model", "m-1", "--model", "m-2", "--json"), cwd=tmp_path, stdin=b"Hi.\n"
    )
    each = [
        mtkit("translate", "--model", m, "--json", cwd=tmp_path, stdin=b"Hi.\n").stdout
        for m in ("m-1", "m-2")
    ]
    assert json.loads(both.stdout)["score"] not in [json.loads(line)["score"] for line in each]
    refused = mtkit(
        "translate", "--model", "m-1", "--model", project / "models/smt", cwd=tmp_path, check=2
    )
    assert b"only neural models go together" in refused.stderr

    (tmp_path / "m-2/log.jsonl").write_text('{"update": 4\n')
    text_of = ["--test", project / "test.en", project / "test.de"]
    refused = mtkit("compare", "m-1", "m-2", *text_of, cwd=tmp_path, check=2)
    assert b"m-2/log.jsonl: not a log of training; remove it, or train again" in refused.stderr

    further = ["train-nmt", *text, "--preset", "quick", "--updates", 4, "--out", "further"]
    mtkit(*further, "--from", "m-1", cwd=tmp_path)
    shapes = [(tmp_path / m / "subwords.json").read_bytes() for m in ("m-1", "further")]
    assert shapes[0] == shapes[1]
    for wrong, message in (
        (["--from", project / "models/smt"], "is no neural model"),
        (["--from", "m-1", "--lowercase"], "has other tokens"),
        (["--from", "m-1", "--cell", "gru"], "--from keeps a model's shape"),
        (["--from", "m-1", "--pair", "de-en"], "but the text is de → en"),
        (["--device", "cuda"], "--device cuda: torch finds no GPU here"),
    ):
        refused = mtkit(*further[:-1], "other", *wrong, cwd=tmp_path, check=2)
        assert message in refused.stderr.decode()
