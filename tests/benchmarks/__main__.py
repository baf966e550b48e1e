"""Print one table of measured figures, each with its floor or peer. Never fails on a figure.

Quality floors are in floors.json; a new best is entered there by hand. Without ../shared/data, rows
on text that mtkit does not include are skipped with a message.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import kenlm
import numpy as np
from rich.console import Console
from rich.table import Table

from mtkit.smt.alignment.align import aer
from mtkit.smt.alignment.symmetrize import read_pharaoh, symmetrize
from mtkit.smt.flat import Flat
from mtkit.smt.language_model import arpa, estimate
from mtkit.smt.system import SmtSystem
from mtkit.text.tokenizer import WordTokenizer

HERE = Path(__file__).parent
SHARED = Path(os.environ.get("MTKIT_SHARED", HERE.parents[1].parent / "shared"))
MULTI30K = SHARED / "data" / "multi30k"
GNT = SHARED / "data" / "gnt"
MOSES = SHARED / "data" / "moses"
Add = Callable[[str, float, float | None], None]
FLOORS = json.loads((HERE / "floors.json").read_text(encoding="utf-8"))


class Run(NamedTuple):
    """A finished command: wall seconds, peak memory in GB, what it printed."""

    seconds: float
    memory: float
    out: str
    err: str


def mtkit(*arguments: str, cwd: Path) -> Run:
    """Run a command of mtkit as a process of its own."""
    call = [sys.executable, "-m", "mtkit", *arguments]
    return run(call, cwd)


def run(call: list[str], cwd: Path) -> Run:
    """Run any command. Raises CalledProcessError if it fails."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        start = time.perf_counter()
        process = subprocess.Popen(call, cwd=cwd, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        out.seek(0)
        err.seek(0)
        if status:
            raise subprocess.CalledProcessError(status, call, out.read(), err.read())
        return Run(seconds, usage.ru_maxrss / 1e6, out.read(), err.read())


def tuning_seconds(report: str) -> float:
    """Return the sum over the rounds of the table that ``train-smt`` prints."""
    rounds = re.findall(r"^ +\d+ +[\d.]+ [ *].* ([\d.]+)$", report, re.MULTILINE)
    assert rounds, report
    return sum(map(float, rounds))


def everyday(directory: Path, add: Add) -> None:
    """Measure both translators on the embedded corpus."""
    done = {
        "smt": mtkit("train-smt", cwd=directory),
        "nmt": mtkit("train-nmt", "--preset", "quick", "--updates", "5300", cwd=directory),
    }
    result = json.loads(mtkit("compare", "--json", cwd=directory).out)
    for system in result["systems"]:
        name = system["name"]
        add(
            f"everyday, {name}: BLEU",
            system["metrics"]["bleu"]["score"],
            FLOORS[f"everyday-{name}"],
        )
        add(f"everyday, {name}: training, s", done[name].seconds, None)
        add(f"everyday, {name}: sentences/s", system["sentences_per_second"], None)


def alignment(directory: Path, add: Add) -> None:
    """Measure AER on Greek-English beside eflomal's, and the diagonal aligner on Multi30k."""
    lines = (GNT / "gnt.gold.dev").read_text("utf-8").splitlines()
    gold = [read_pharaoh(line, "gold") for line in lines]
    files = [GNT / "gnt.grc", GNT / "gnt.en"]
    options = ("--tokenizer", "none", "--lowercase", "--gold", str(GNT / "gnt.gold.dev"))
    mine = mtkit("align", "--train", *map(str, files), *options, cwd=directory)
    error = float(re.search(r"AER ([\d.]+)", mine.err)[1])  # type: ignore[index]
    peer_aer = peer_seconds = None
    if (eflomal := Path(sys.executable).with_name("eflomal-align")).exists():
        lower = [directory / path.name for path in files]
        for path, copy in zip(files, lower, strict=True):
            copy.write_text(path.read_text("utf-8").lower(), encoding="utf-8")
        call = [str(eflomal), "-s", str(lower[0]), "-t", str(lower[1])]
        peer_seconds = run([*call, "-f", "forward", "-r", "backward"], directory).seconds
        peer_aer = _symmetrized_aer(directory, lower, gold)
    else:
        print("no eflomal: `pip install eflomal` puts it beside mtkit", file=sys.stderr)
    add("Greek-English: AER (peer: eflomal)", error, peer_aer)
    add("Greek-English: alignment, s (peer: eflomal)", mine.seconds, peer_seconds)
    train = [str(MULTI30K / f"train.tok.{language}") for language in ("en", "de")]
    call = ("align", "--train", *train, "--tokenizer", "none", "--aligner", "diagonal")
    seconds = statistics.median(mtkit(*call, cwd=directory).seconds for _ in range(3))
    add("Multi30k: diagonal alignment, s (fast_align: 4.1)", seconds, 4.1)


def _symmetrized_aer(directory: Path, texts: list[Path], gold: list[set[tuple[int, int]]]) -> float:
    """Return the AER of eflomal's two directions, symmetrised as ours."""
    lines = [path.read_text("utf-8").splitlines() for path in texts]
    x, y = (Flat.of([[0] * len(line.split(" ")) for line in side]) for side in lines)
    forward, backward = np.full(len(y.words), -1, np.int32), np.full(len(x.words), -1, np.int32)
    for name, best, begin, explained in (("forward", forward, y.begin, 1),
                                         ("backward", backward, x.begin, 0)):  # fmt: skip
        for s, line in enumerate((directory / name).open()):
            for link in line.split():
                pair = [int(i) for i in link.split("-")]
                best[begin[s] + pair[explained]] = pair[1 - explained]
    links = symmetrize(forward, backward, x, y, "grow-diag-final-and")
    found = [read_pharaoh(line, "eflomal") for line in links.pharaoh()[: len(gold)]]
    return aer(found, gold)[0]


def multi30k(directory: Path, add: Add, kind: str) -> None:
    """Measure one translator on tokenised, lower-cased Multi30k, test2016 by -tok none."""
    files = {
        option: [str(MULTI30K / f"{name}.tok.{language}") for language in ("en", "de")]
        for option, name in (("--train", "train"), ("--dev", "val"), ("--test", "test2016"))
    }
    options = [part for option, paths in files.items() for part in (option, *paths)]
    done = mtkit(f"train-{kind}", *options, "--tokenizer", "none", "--out", kind, cwd=directory)
    moses = [f"moses={MOSES / 'test2016.moses.txt'}"] if kind == "smt" and MOSES.exists() else []
    result = json.loads(mtkit("compare", kind, *moses, "--json", cwd=directory).out)
    system = result["systems"][0]
    add(f"Multi30k, {kind}: BLEU, test2016", system["metrics"]["bleu"]["score"],
        FLOORS[f"multi30k-{kind}"])  # fmt: skip
    for pair in result["pairs"]:
        if pair["metric"] == "bleu":
            add("Multi30k: BLEU above Moses, tuned", pair["delta"], None)
            add("Multi30k: the larger p of the two tests", max(pair["p_bootstrap"],
                pair["p_randomization"]), 0.05)  # fmt: skip
    if kind == "smt":
        tuning = tuning_seconds(done.err)
        add("Multi30k, smt: training without tuning, s (Moses: 32)", done.seconds - tuning, 32)
        add("Multi30k, smt: tuning, s (Moses: 482)", tuning, 482)
        add("Multi30k, smt: peak memory of training, GB", done.memory, None)
        call = f"exec {sys.executable} -m mtkit translate --model smt"
        used = run(["sh", "-c", f"{call} < {files['--test'][0]}"], directory).memory
        add("Multi30k, smt: peak memory of translation, GB (Moses: 0.95)", used, 0.95)
    else:
        add(f"Multi30k, {kind}: training, s", done.seconds, None)
    add(f"Multi30k, {kind}: sentences/s", system["sentences_per_second"], None)


def growth(directory: Path, add: Add) -> None:
    """Compare seconds per pair on Multi30k and on 16 copies of it with different words."""
    seconds = []
    for copies in (1, 16):
        paths = [directory / f"times{copies}.{language}" for language in ("en", "de")]
        for path in paths:
            text = (MULTI30K / f"train.tok{path.suffix}").read_text("utf-8")
            with path.open("w", encoding="utf-8") as file:
                for k in range(copies):
                    file.write(re.sub(r"(\S+)", rf"\1_{k}", text) if k else text)
        call = ("train-smt", "--train", *map(str, paths), "--tokenizer", "none", "--tune", "none")
        done = mtkit(*call, "--out", f"growth{copies}", cwd=directory)
        seconds.append(done.seconds / copies)
    add("464k pairs: seconds for 29k of them (beside: 29k alone)", seconds[1], seconds[0])


def decoder(directory: Path, add: Add) -> None:
    """Compare scores and speed with Moses on its model, weights and translations of val."""
    mtkit("import", str(MOSES / "moses.ini"), "--out", "moses", cwd=directory)
    system = SmtSystem.load(directory / "moses")
    source = (MULTI30K / "val.tok.en").read_text("utf-8").splitlines()
    said = [line.split(" ||| ") for line in (MOSES / "val.stack-nbest1.txt").open(encoding="utf-8")]
    theirs = np.array([float(fields[3]) for fields in said])
    system.translate(source)
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(5):
        for system.threads, times in seconds.items():
            start = time.perf_counter()
            best = [hypotheses[0] for hypotheses in system.translate(source)]
            times.append(time.perf_counter() - start)
    one, two = (len(source) / statistics.median(seconds[threads]) for threads in (1, 2))
    add("Moses's model: sentences/s, one thread (Moses: 105)", one, 105)
    add("Moses's model: sentences/s, two threads (beside: one)", two, one)
    lm = kenlm.Model(str(MOSES / "lm.arpa.gz"))
    german = (MULTI30K / "train.tok.de").read_text("utf-8").splitlines()
    start = time.perf_counter()
    for line in german:
        lm.score(line)
    tokens = sum(len(line.split()) + 1 for line in german) / 1e6
    speed = tokens / (time.perf_counter() - start)
    add("this machine: kenlm, M queries/s (Moses's machine: 6.9)", speed, 6.9)
    gain = np.array([hypothesis.score for hypothesis in best]) - theirs
    add("Moses's model: mean score below Moses's (-28.871)", -float(gain.mean()), None)
    add("Moses's model: sentences that score less, by 0.001", float((gain < -0.001).sum()), None)
    add("Moses's model: the most that one scores less", -float(gain.min()), None)
    print(f"scores least beside Moses's: line {gain.argmin() + 1}: {best[gain.argmin()].text}")
    pairs = [(x.split(), fields[1].split()) for x, fields in zip(source, said, strict=True)]
    forced = [best.score if best else -np.inf for best, _ in system.force(pairs)]
    least = float(np.min(forced - theirs))
    add("Moses's translations, forced: the least of ours − Moses's", least, None)


def language_model(directory: Path, add: Add) -> None:
    """Measure building and, beside KenLM, querying an order-5 model of Multi30k's German."""
    sentences = [line.split() for line in (MULTI30K / "train.tok.de").open(encoding="utf-8")]
    start = time.perf_counter()
    model = estimate.train(sentences, 5)
    add("5-gram model: build, s (lmplz: 0.6)", time.perf_counter() - start, 0.6)
    path = directory / "lm.arpa"
    arpa.write_arpa(model, path)
    peer = kenlm.Model(str(path))
    lines = [" ".join(sentence) for sentence in sentences]
    ours, theirs = [], []
    for _ in range(5):
        start = time.perf_counter()
        model.score(sentences)
        ours.append(time.perf_counter() - start)
        start = time.perf_counter()
        for line in lines:
            peer.score(line)
        theirs.append(time.perf_counter() - start)
    tokens = sum(len(sentence) + 1 for sentence in sentences) / 1e6
    speeds = (tokens / statistics.median(times) for times in (ours, theirs))
    add("5-gram model: M queries/s (peer: kenlm)", *speeds)


RUNS = ["a.", "_", "+-", "a-", "a@", "<a", "{a", "%(", "https://,", "n't"]


def tokenizer(_: Path, add: Add) -> None:
    """Measure how time grows when a run of marks doubles: about 2, or 4 if it is quadratic."""
    words, ratios = WordTokenizer(), []
    for mark in RUNS:
        times = []
        for n in (20_000, 40_000):
            start = time.perf_counter()
            words.tokenize(mark * n)
            times.append(time.perf_counter() - start)
        ratios.append(times[1] / times[0])
    add("tokenizer: time of a run of marks / of its half, the most", max(ratios), 2)


PARTS = {
    "everyday": everyday,
    "tokenizer": tokenizer,
    "language-model": language_model,
    "alignment": alignment,
    "decoder": decoder,
    "growth": growth,
    "smt": partial(multi30k, kind="smt"),
    "nmt": partial(multi30k, kind="nmt"),
}


def main() -> None:
    """Measure the parts that the arguments name, or everything, and print the table."""
    table = Table("Figure", "Now", "Floor or peer", "Ratio")

    def add(name: str, value: float, beside: float | None) -> None:
        ratio = "" if beside is None else f"{value / beside:.2f}"
        table.add_row(name, f"{value:.4g}", "" if beside is None else f"{beside:.4g}", ratio)

    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        for name in sys.argv[1:] or PARTS:
            if name in ("everyday", "tokenizer") or MULTI30K.is_dir():
                PARTS[name](directory, add)
            else:
                print(f"no {MULTI30K}: {name} is left out", file=sys.stderr)
    Console().print(table)


if __name__ == "__main__":
    main()
