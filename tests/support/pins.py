"""The pinned packages for parts of pyproject.toml: ``python -m tests.support.pins run test``.

Prints their entries of constraints.txt for ``pip install --require-hashes --no-deps -r``. ``run``:
the dependencies of mtkit itself; other parts: extras. Imports only the standard library.
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
PARENT = re.compile(r"^ +#(?: via)? +([a-z0-9-]+)$", re.MULTILINE)  # "# via NAME", or "# NAME"

PINS: dict[str, str] = {}  # name → its entries; two if Python versions need two
for entry in ENTRY.finditer((ROOT / "constraints.txt").read_text(encoding="utf-8")):
    PINS[entry[1]] = PINS.get(entry[1], "") + entry[0]

PARENTS = {name: set(PARENT.findall(pin)) for name, pin in PINS.items()}


def normal(name: str) -> str:
    """Return a package's name as spelled in constraints.txt."""
    return re.sub(r"[-_.]+", "-", name).lower()


def needed(*parts: str) -> set[str]:
    """Return the packages of these parts and their dependencies, from comments in the file."""
    names = {normal(re.split(r"[^\w.-]", line)[0]) for part in parts for line in PARTS[part]}
    while more := {n for n, parents in PARENTS.items() if names & parents} - names:
        names |= more
    return names


if __name__ == "__main__":
    names = needed(*sys.argv[1:])
    print("".join(pin for name, pin in PINS.items() if name in names), end="")
