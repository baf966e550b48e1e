"""What README.md and docs/ have in blocks: commands, Python, and what either prints.

A comment before a block says what it is to a test:

    <!-- not run: WHY -->        its commands are only parsed
    <!-- output -->              what the block before prints, or a part of it
    <!-- output: COMMAND -->     a part of what a command prints in the demo's directory
    <!-- about: COMMAND -->      the same but for numbers and words, where a network decides them

``…`` as a line stands for lines left out. As a program, this is ``mtkit`` with trainings cut short:
``python -m tests.support.documented ARGUMENTS``.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.support.paths import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^(?:<!-- (.+?) -->\n)?```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OPERATORS = {"<", ">", "|", "&"}


@dataclass(frozen=True)
class Block:
    """One fenced block; remark: the comment before it."""

    where: str
    remark: str
    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    """Those of a page, in its order."""
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
    """The arguments of each ``mtkit`` in a shell script.

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


def differing(shown: str, printed: str, about: bool = False) -> str:
    """The first line of ``shown`` that ``printed`` lacks at its place, or nothing.

    about: only the words of headings and legends, lines without a figure, have to be there.
    """
    there, at = [" ".join(line.split()) for line in printed.splitlines()], 0
    gap = True
    for line in (" ".join(line.split()) for line in shown.splitlines()):
        if line == "…" or (about and re.search(r"\d|─", line)):
            gap = True
            continue
        try:
            found = there.index(line, at)
        except ValueError:
            return line
        if not gap and found != at:
            return line
        at, gap = found + 1, False
    return ""


# --- mtkit with trainings cut short


def shortened(arguments: Sequence[str]) -> list[str]:
    """The same command, of less work: its text and its files are those that are named.

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


def main() -> None:
    """Run ``mtkit`` with what ``shortened`` makes of its arguments, and tiny networks."""
    from mtkit.__main__ import main
    from mtkit.nmt.recipe import PRESETS

    for name, preset in PRESETS.items():
        small = {"embedding": 32, "hidden": 32, "vocabulary": 500, "validations": 1}
        PRESETS[name] = replace(preset, decoder_layers=1, **small)
    sys.argv[1:] = shortened(sys.argv[1:])
    main()


if __name__ == "__main__":
    main()
