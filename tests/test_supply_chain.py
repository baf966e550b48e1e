"""Dependencies and package: pins with hashes, licences, a reproducible wheel, an SBOM."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest

from mtkit.version import __version__
from tests.support.pins import PARTS, PINS, ROOT, needed, normal
from tests.support.sbom import bill_of_materials

INSTALLED = {normal(d.name): d for d in distributions()}
READY = ("run", "test", "lint", "build")  # what `make install` installs


def test_all_packages_have_pins_with_hashes() -> None:
    for pin in PINS.values():
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", pin), pin
    assert needed(*PARTS) == {*PINS, "torch"}
    assert not [name for name in PINS if name.startswith(("cuda", "nvidia", "triton"))]


def test_installed_versions_equal_the_pins() -> None:
    here = set(INSTALLED) & needed(*READY) - {"torch"}
    assert {"numpy", "pytest"} <= here
    assert not [n for n in here if f"{n}=={INSTALLED[n].version} " not in PINS[n]]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "check"]
    done = subprocess.run(pip, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_every_package_has_a_minimum_version() -> None:
    lines = [line for part in PARTS.values() for line in part]
    assert not [line for line in lines if not re.fullmatch(r"[\w-]+>=[\d.]+", line)]


# --- licences

# Redistribution requires only that notices are kept; MPL-2.0 covers changes to its own files.
FREE = {
    *("0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC"),
    *("CNRI-Python", "LLVM-exception", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Zlib"),
    "Public Domain",
}
# Copyleft is allowed only where mtkit runs without it: the peers of tests and benchmarks, the HTML
# writer of the mutation tool, and docutils of the site's generator (its GPL part is for Emacs).
OUTSIDE = {
    "docutils": "GPL",
    "eflomal": "GPL-3.0", "kenlm": "LGPL-2.1-or-later",
    "translate-toolkit": "GPL-3.0-or-later", "yattag": "LGPL",
}  # fmt: skip
# The metadata names no licence, the file LICENSE does.
IN_A_FILE = {"atheris": "Apache-2.0", "kenlm": "LGPL-2.1-or-later"}
SPDX = {
    "Apache 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD 3-Clause": "BSD-3-Clause",
    "BSD License": "BSD",
    "GNU GPLv3": "GPL-3.0",
    "GNU General Public License (GPL)": "GPL",
    "GNU Library or Lesser General Public License (LGPL)": "LGPL",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT license": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "PSFL": "PSF-2.0",
    "Python Software Foundation License": "PSF-2.0",
}


def licence(distribution: Distribution) -> str:
    """Return a package's licence: an expression, else one line of text, else classifiers."""
    fields = distribution.metadata
    # Dask's importlib_metadata, once loaded, raises KeyError where Python's returns None.
    text = fields.get("License-Expression") or fields.get("License") or "UNKNOWN"
    if text == "UNKNOWN" or "\n" in text:
        lines = [line.split(" :: ") for line in fields.get_all("Classifier", [])]
        text = " AND ".join(SPDX.get(c[-1], c[-1]) for c in lines if c[0] == "License")
    return SPDX.get(text, text) or IN_A_FILE.get(normal(distribution.name), "")


def refused(name: str, text: str) -> bool:
    """Return whether this licence forbids mtkit's use of the package."""
    terms = set(re.split(r" (?:AND|OR|WITH) ", text)) - FREE
    return bool(terms) and (name in needed("run") or terms != {OUTSIDE.get(name)})


def test_licences_are_compatible_and_listed() -> None:
    text = (ROOT / "LICENSES.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| ([a-z0-9-]+) \| (.+) \| \S+ \|$", text, re.MULTILINE))
    licences = {
        name: licence(INSTALLED[name]) if name in INSTALLED else listed.get(name, "")
        for name in sorted({*PINS, "torch"})
    }
    rows = [
        f"| {name} | {terms} | {next(part for part in PARTS if name in needed(part))} |"
        for name, terms in licences.items()
    ]
    assert [line for line in text.splitlines() if line.startswith("| ")][2:] == rows
    assert not {name: terms for name, terms in licences.items() if refused(name, terms)}


# --- version, wheel and bill of materials


def test_the_version_is_the_same_everywhere() -> None:
    citation, changes = (
        (ROOT / name).read_text("utf-8") for name in ("CITATION.cff", "CHANGELOG.md")
    )
    released = re.search(r"^date-released: (.*)$", citation, re.MULTILINE)
    assert released
    assert f"\nversion: {__version__}\n" in citation
    assert f"\n## {__version__} - {released[1]}\n" in changes


def wheel(tree: Path, to: Path) -> Path:
    """Build the wheel of a source tree in ``to``."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(to)]
    subprocess.run(build, cwd=tree, check=True, capture_output=True)
    (path,) = to.glob("*.whl")
    return path


def test_the_same_tree_makes_the_same_wheel(tmp_path: Path) -> None:
    other = tmp_path / "tree"
    for name in ("mtkit", "corpora"):
        shutil.copytree(ROOT / name, other / name)
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, other)
    for path in other.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
        path.chmod(0o700 if path.is_dir() else 0o600)
    first, second = wheel(ROOT, tmp_path / "first"), wheel(other, tmp_path / "second")
    assert first.read_bytes() == second.read_bytes()


def test_the_wheel_holds_mtkit_its_corpora_and_the_licence(tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel(ROOT, tmp_path)) as archive:
        names = set(archive.namelist())
    own = {p.relative_to(ROOT) for p in ROOT.glob("mtkit/**/*") if p.is_file()}
    code = {p.as_posix() for p in own if p.suffix in (".py", ".j2") or p.name == "py.typed"}
    corpora = {f"mtkit/_{p.relative_to(ROOT).as_posix()}" for p in ROOT.glob("corpora/**/*.*")}
    about = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    assert names == code | corpora | {f"mtkit-{__version__}.dist-info/{name}" for name in about}


def test_the_sbom_lists_what_mtkit_needs() -> None:
    components = {normal(c["name"]): c for c in bill_of_materials()["components"]}
    needs = needed("run") & set(INSTALLED)
    assert {"jinja2", "numpy", "torch"} <= needs
    assert {n: components[n]["version"] for n in needs} == {n: INSTALLED[n].version for n in needs}
    assert not [n for n in needs if not components[n].get("licenses")]
    assert not set(components) & (set(PINS) - needed("run"))


# --- the installed wheel


def lend_torch(home: Path) -> None:
    """Link torch and its dependencies, which have no pins, into an environment."""
    here = Path(sysconfig.get_path("purelib"))
    to = home / here.relative_to(sys.prefix)
    lent = set(INSTALLED) - set(PINS) - {"mtkit", "pip"}
    for name in {f.parts[0] for n in lent for f in INSTALLED[n].files or () if f.parts[0] != ".."}:
        if not (to / name).exists():
            (to / name).symlink_to(here / name)


@pytest.mark.slow
def test_the_wheel_runs_the_demo_in_an_empty_environment(tmp_path: Path) -> None:
    home, place = tmp_path / "environment", tmp_path / "elsewhere"
    venv.create(home, with_pip=True)
    place.mkdir()
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}

    def run(command: str, *arguments: object, stdin: str = "") -> str:
        call = [str(home / "bin" / command), *map(str, arguments)]
        done = subprocess.run(
            call, cwd=place, env=environment, input=stdin, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    lend_torch(home)
    pins = place / "pins.txt"
    pins.write_text("".join(PINS[n] for n in needed("run") - {"torch"}), encoding="utf-8")
    install = ("install", "--quiet", "--no-deps")
    run("pip", *install, "--require-hashes", "--only-binary", ":all:", "-r", pins)
    run("pip", *install, "--no-index", wheel(ROOT, tmp_path / "wheel"))
    run("pip", "check")
    where = run("python", "-c", "import mtkit; print(mtkit.__file__)").strip()
    assert Path(where).is_relative_to(home)

    run("mtkit", "train-smt")
    run("mtkit", "train-nmt", "--preset", "quick", "--updates", 50)
    run("mtkit", "combine")
    for model in ("smt-en-de", "nmt-en-de", "combined"):
        lines = "Where is the next train to Berlin?\nI would like to pay by card, please.\n"
        out = run("mtkit", "translate", "--model", f"models/{model}", stdin=lines)
        assert out.count("\n") == 2
    assert "Conclusion" in run("mtkit", "compare", "--html", "report.html")
    assert "</html>" in (place / "report.html").read_text(encoding="utf-8")
