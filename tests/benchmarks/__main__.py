"""Print one table: each figure measured now, beside its floor or its peer. Never fails on a figure.

Quality floors stand in floors.json; a new best is entered there by hand. Rows on text that does not
come with mtkit are left out, with a line saying so, where ../shared/data is absent.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import kenlm
from rich.console import Console
from rich.table import Table

from mtkit.smt import arpa, lm

HERE = Path(__file__).parent
SHARED = Path(os.environ.get("MTKIT_SHARED", HERE.parents[1].parent / "shared"))
MULTI30K = SHARED / "data" / "multi30k"
FLOORS = json.loads((HERE / "floors.json").read_text(encoding="utf-8"))


def mtkit(*arguments: str, cwd: Path) -> tuple[float, str]:
    """Run a command; wall seconds and what it printed."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", "from mtkit.cli import main; main()", *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return time.perf_counter() - start, done.stdout


def everyday(directory: Path, add: Callable[..., None]) -> None:
    """The demo: both translators on the embedded corpus."""
    seconds = {
        "smt": mtkit("train-smt", cwd=directory)[0],
        "nmt": mtkit("train-nmt", "--preset", "quick", cwd=directory)[0],
    }
    result = json.loads(mtkit("compare", "--json", cwd=directory)[1])
    for system in result["systems"]:
        name = system["name"]
        add(
            f"everyday, {name}: BLEU",
            system["metrics"]["bleu"]["score"],
            FLOORS[f"everyday-{name}"],
        )
        add(f"everyday, {name}: training, s", seconds[name], None)
        add(f"everyday, {name}: sentences/s", system["sentences_per_second"], None)


def multi30k(directory: Path, kind: str, add: Callable[..., None]) -> None:
    """One translator on Multi30k, tokenised and lower-cased, test2016 by -tok none."""
    files = {
        option: [str(MULTI30K / f"{name}.tok.{language}") for language in ("en", "de")]
        for option, name in (("--train", "train"), ("--dev", "val"), ("--test", "test2016"))
    }
    options = [part for option, paths in files.items() for part in (option, *paths)]
    seconds, _ = mtkit(
        f"train-{kind}", *options, "--tokenizer", "none", "--out", kind, cwd=directory
    )
    result = json.loads(mtkit("compare", kind, "--json", cwd=directory)[1])
    bleu = result["systems"][0]["metrics"]["bleu"]["score"]
    add(f"Multi30k, {kind}: BLEU, test2016", bleu, FLOORS[f"multi30k-{kind}"])
    add(f"Multi30k, {kind}: training, s", seconds, None)
    add(f"Multi30k, {kind}: sentences/s", result["systems"][0]["sentences_per_second"], None)


def language_model(directory: Path, add: Callable[..., None]) -> None:
    """Order 5 on Multi30k's German: time to build, and queries beside KenLM's in turn."""
    sentences = [line.split() for line in (MULTI30K / "train.tok.de").open(encoding="utf-8")]
    start = time.perf_counter()
    model = lm.train(sentences, 5)
    add("5-gram model: build, s", time.perf_counter() - start, None)
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


def main() -> None:
    """Measure everything and print the table."""
    table = Table("Figure", "Now", "Floor or peer", "Ratio")

    def add(name: str, value: float, beside: float | None) -> None:
        ratio = "" if beside is None else f"{value / beside:.2f}"
        table.add_row(name, f"{value:.2f}", "" if beside is None else f"{beside:.2f}", ratio)

    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        everyday(directory, add)
        if MULTI30K.is_dir():
            language_model(directory, add)
            multi30k(directory, "smt", add)
            multi30k(directory, "nmt", add)
        else:
            print(f"no {MULTI30K}: the rows on Multi30k are left out", file=sys.stderr)
    Console().print(table)


if __name__ == "__main__":
    main()
