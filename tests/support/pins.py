"""The pins that some parts of pyproject.toml need: ``python -m tests.support.pins run test``.

Prints their entries of constraints.txt, as ``pip install --require-hashes --no-deps -r`` reads
them. ``run`` is what mtkit itself needs, every other part an extra. Needs nothing but Python.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PARTS = {"run": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
ENTRY = re.compile(r"^([a-z0-9-]+)==.*\n(?: .*\n)*", re.MULTILINE)
PARENT = re.compile(r"^ +#(?: via)? +([a-z0-9-]+)$", re.MULTILINE)  # "# via NAME", or one a line

PINS: dict[str, str] = {}  # a name's entries; two where Python versions need two
for entry in ENTRY.finditer((ROOT / "constraints.txt").read_text(encoding="utf-8")):
    PINS[entry[1]] = PINS.get(entry[1], "") + entry[0]


def normal(name: str) -> str:
    """A package's name as constraints.txt spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def needed(*parts: str) -> set[str]:
    """The packages of these parts, and all that these need, by the comments of constraints.txt."""
    names = {normal(re.split(r"[^\w.-]", line)[0]) for part in parts for line in PARTS[part]}
    while more := {n for n, pin in PINS.items() if names & set(PARENT.findall(pin))} - names:
        names |= more
    return names


if __name__ == "__main__":
    names = needed(*sys.argv[1:])
    print("".join(pin for name, pin in PINS.items() if name in names), end="")
