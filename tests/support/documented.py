"""Code blocks of README.md and docs/: commands, Python, and their output.

A comment before a block tells the tests what it is:

    <!-- not run: WHY -->                     its commands are only parsed
    <!-- output -->                           the output of the block before
    <!-- output: COMMAND :: FROM :: TO -->    the output of a command in the demo's directory, from
                                              the line that begins with FROM to the next that
                                              begins with TO, or to the one before it ("before TO");
                                              by default all of it
    <!-- about: COMMAND :: FROM :: TO -->     the same, but numbers from networks may differ:
                                              processors round differently

    python -m tests.support.documented refresh DEMO    updates these blocks with outputs in DEMO
    python -m tests.support.documented ARGUMENTS       runs mtkit with short trainings
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from mtkit.text.corpus import open_corpus
from tests.support import bilingual
from tests.support.documents import xliff_12
from tests.support.paths import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^(?:<!-- (.+?) -->\n)?```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OPERATORS = {"<", ">", "|", "&"}


@dataclass(frozen=True)
class Block:
    """A fenced block; remark: the comment before it."""

    where: str
    remark: str
    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            f"{page.name}:{text[: match.start(3)].count(chr(10))}",
            match[1] or "",
            *match.group(2, 3),
        )
        for match in FENCE.finditer(text)
    ]


def calls(script: str) -> Iterator[list[str]]:
    """Yield the arguments of each ``mtkit`` in a shell script.

    >>> list(calls("printf x | mtkit watch a > b  # c"))
    [['watch', 'a']]
    """
    for line in script.replace("\\\n", " ").splitlines():
        words = shlex.shlex(line, posix=True, punctuation_chars="<>|&;")
        words.whitespace_split = True
        command: list[str] = []
        name, skipped = "", False
        for word in [*words, "|"]:
            if word in ("<", ">"):
                skipped = True
            elif word in ("|", "&", ";"):
                if name == "mtkit":
                    yield command
                name, command = "", []
            elif skipped:
                skipped = False
            elif word == "mtkit" and name in ("", "torchrun"):
                name, command = "mtkit", []
            elif name == "mtkit":
                command.append(word)
            else:
                name = name or word


@dataclass(frozen=True)
class Shown:
    """A part of a command's output; exact: it does not depend on the processor."""

    exact: bool
    command: str
    first: str = ""
    last: str = ""

    @classmethod
    def of(cls, block: Block) -> Shown | None:
        """Return what a block shows, None if it is not the output of a command."""
        kind, _, rest = block.remark.partition(": ")
        return cls(kind == "output", *rest.split(" :: ")) if rest and kind != "not run" else None

    def part(self, printed: str) -> str:
        """Return the lines from ``first`` to ``last``. Raises ValueError if one is missing.

        >>> Shown(True, "x", "b", "c").part("a\\nb  \\n\\nc\\nd\\n")
        'b\\n\\nc\\n'
        """
        lines = [line.rstrip() for line in printed.splitlines()]
        begin = _find(lines, self.first, 0)
        before = self.last.startswith("before ")
        end = len(lines)
        if self.last:
            end = _find(lines, self.last.removeprefix("before "), begin + 1) - before
        return "\n".join(lines[begin : end + 1]).strip("\n") + "\n"


def _find(lines: Sequence[str], beginning: str, at: int) -> int:
    for k in range(at, len(lines)):
        if lines[k].startswith(beginning):
            return k
    raise ValueError(f"no line begins with {beginning!r}")


def refresh(run: Callable[[str], str]) -> None:
    """Update the blocks that show the output of commands."""
    printed: dict[str, str] = {}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in blocks(page):
            if shown := Shown.of(block):
                printed[shown.command] = printed.get(shown.command) or run(shown.command)
                before = f"<!-- {block.remark} -->\n```{block.language}\n"
                after = before + shown.part(printed[shown.command])
                text = text.replace(before + block.text, after)
        page.write_text(text, encoding="utf-8")


# --- mtkit with short trainings


def shortened(arguments: Sequence[str]) -> list[str]:
    """Return the same command with less work; the texts and files that it names stay.

    >>> shortened(["train-nmt", "--minutes", "60"])
    ['train-nmt', '--force', '--updates', '30']
    """
    words = list(arguments)
    command = words[0] if words else ""
    for option in ("--minutes", "--epochs", "--updates"):
        if command == "train-nmt" and option in words:
            del words[words.index(option) : words.index(option) + 2]
    if "--curve" in words:
        words[words.index("--curve") + 1] = "150,300"
        words += ["--seeds", "1"]
    more = {
        "train-nmt": ["--force", "--updates", "30"],
        "train-smt": ["--force", "--tune", "none"],
        "combine": ["--force"],
        "import": ["--force"],
        "gradients": [] if "--model" in words else ["--force", "--updates", "8", "--hidden", "16"],
    }
    return words + more.get(command, [])


def program(where: Path, short: bool) -> dict[str, str]:
    """Return a shell environment with this ``mtkit``; short: with short trainings."""
    programs = where / ".bin"
    programs.mkdir(exist_ok=True)
    module = "tests.support.documented" if short else "mtkit"
    (programs / "mtkit").write_text(
        f'#!/bin/sh\nexec {sys.executable} -W ignore -m {module} "$@"\n', encoding="utf-8"
    )
    (programs / "mtkit").chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "80"}


def run(command: list[str] | str, where: Path, short: bool = True) -> str:
    """Run a program or a shell script in this directory; return its stdout."""
    call = ["bash", "-e", "-c", command] if isinstance(command, str) else command
    environment = program(where, short)
    done = subprocess.run(
        call, cwd=where, env=environment, capture_output=True, encoding="utf-8", check=False
    )
    # Only the last command's exit code counts, since `head` closes the pipe of the others.
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def write_files(where: Path) -> None:
    """Write the files that the pages name."""
    corpus = open_corpus()
    assert corpus.dev
    assert corpus.test
    few = corpus.train.pairs()[:2400]
    texts = {"my": few, "new": few[:300], "dev": corpus.dev.pairs(), "test": corpus.test.pairs()}
    texts |= {"val.tok": corpus.test.pairs(), "in": corpus.test.pairs()[:20]}
    for name, pairs in texts.items():
        for k, language in enumerate(("en", "de")):
            lines = "".join(f"{pair[k]}\n" for pair in pairs)
            (where / f"{name}.{language}").write_text(lines, encoding="utf-8")
    kinds = {"memory.tmx": "t.tmx", "pairs.tsv.gz": "t.tsv", "dev.jsonl": "t.jsonl"}
    for name, kind in (
        kinds | {"ui.xlf": "t12.xlf", "pairs.txt": "t.tsv", "de.po": "t.po"}
    ).items():
        bilingual.write(where / name, few[:600], kind)
    shutil.copy(where / "in.en", where / "in")
    shutil.copy(where / "test.de", where / "other.de")
    (where / "app.xlf").write_bytes(xliff_12(["Save <x id='1'/> now", "Open the door."]))
    (where / "terms.tsv").write_text("train\tZug\nhotel\tHotel\n", encoding="utf-8")
    (where / "terms.csv").write_text("source,target\nmachine,Maschine\n", encoding="utf-8")
    for name in ("smt", "nmt"):
        (where / f"{name}.comet").write_text("".join(f"{k % 7}\n" for k in range(500)))
    for name, pairs in (("dev", corpus.dev.pairs()), ("test", corpus.test.pairs())):
        lists = "".join(f"{n} ||| {y} ||| -1\n" for n, (_, y) in enumerate(pairs))
        (where / f"{name}.nbest").write_text(lists, encoding="utf-8")
    sentence = "Where is the next train to Berlin?", "Wo fährt der nächste Zug nach Berlin?"
    for language, line in zip(("en", "de"), sentence, strict=True):
        (where / f"one.{language}").write_text(f"{line}\n", encoding="utf-8")


def main() -> None:
    """See the module."""
    if sys.argv[1:2] == ["refresh"]:
        write_files(Path(sys.argv[2]))
        refresh(partial(run, where=Path(sys.argv[2]), short=False))
        return
    from mtkit.__main__ import main
    from mtkit.nmt.recipe import PRESETS

    for name, preset in PRESETS.items():
        small = {"embedding": 32, "hidden": 32, "vocabulary": 500, "validations": 1}
        PRESETS[name] = replace(preset, decoder_layers=1, **small)
    sys.argv[1:] = shortened(sys.argv[1:])
    main()


if __name__ == "__main__":
    main()
