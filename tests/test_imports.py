"""Chapters of the code import only from earlier chapters."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import mtkit

PACKAGE = Path(mtkit.__file__).parent
HEAVY = {"torch", "numba", "numpy", "sacrebleu", "nltk", "tokenizers", "jinja2"}


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> set[str]:
    """Return what a file imports, in its functions, too."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


FILES = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}
EVERYWHERE = {name: imported(path) for name, path in FILES.items()}


def users_of(package: str) -> set[str]:
    return {
        name
        for name, imports in EVERYWHERE.items()
        if any(i == package or i.startswith(f"{package}.") for i in imports)
    }


def test_smt_and_nmt_do_not_import_each_other() -> None:
    assert not {n for n in users_of("mtkit.nmt") if n.startswith("mtkit.smt")}
    assert not {n for n in users_of("mtkit.smt") if n.startswith("mtkit.nmt")}


# One chapter per line, in reading order; each may import only those above it.
CHAPTERS = [
    "errors console platforms threads",
    "storage",
    "cluster",
    "system",
    "text text.formats",
    "page",
    "evaluation",
    "manifest",
    "documents",
    "smt.alignment",
    "smt.language_model",
    "smt.phrases",
    "smt.search",
    "smt.tuning",
    "smt.moses",
    "nmt.recurrent",
    "nmt.training",
    "grammar",
    "laboratory",
    "translators",
    "quality",
    "combination",
    "models",
    "answers",
    "explanation",
    "comparison",
    "comparison.page",
    "cli",
]


def chapter_of(module: str) -> int | None:
    """Return the line of ``CHAPTERS`` with the innermost package of ``module``."""
    parts = module.split(".")[1:]
    for depth in range(len(parts), 0, -1):
        name = ".".join(parts[:depth])
        if lines := [k for k, line in enumerate(CHAPTERS) if name in line.split()]:
            return lines[0]
    return None  # the package itself, and files directly in smt/ and nmt/


def test_chapters_import_only_earlier_ones() -> None:
    backwards = {
        f"{name} imports {other}"
        for name, imports in EVERYWHERE.items()
        for other in imports
        if (here := chapter_of(name)) is not None
        and (there := chapter_of(other)) is not None
        and other in FILES
        and here < there
    }
    assert not backwards


def test_files_directly_in_smt_and_nmt_import_no_later_chapter() -> None:
    loose = {
        n for n in FILES if n.startswith(("mtkit.smt.", "mtkit.nmt.")) and chapter_of(n) is None
    }
    assert {"mtkit.smt.system", "mtkit.nmt.system"} <= loose
    later = CHAPTERS[CHAPTERS.index("grammar") :]
    assert not {
        f"{name} imports {other}"
        for name in loose
        for other in EVERYWHERE[name]
        if other in FILES and (k := chapter_of(other)) is not None and CHAPTERS[k] in later
    }
    assert all(n.startswith("mtkit.cli") for n in users_of("mtkit.cli") - {"mtkit.__main__"})


def test_every_folder_is_a_chapter() -> None:
    folders = {".".join(p.parent.relative_to(PACKAGE).parts) for p in PACKAGE.rglob("*.py")}
    files = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__", "version"}
    chapters = {name for line in CHAPTERS for name in line.split()}
    assert (folders - {"", "smt", "nmt"}) | files == chapters


def test_torch_is_used_in_nmt_and_numba_in_smt() -> None:
    halves = ("mtkit.smt", "mtkit.nmt")
    assert users_of("torch")
    assert all(n.startswith("mtkit.nmt") for n in users_of("torch"))
    assert users_of("numba")
    kernels = {"mtkit.nmt.training.segmented"}  # neural, used only in training
    assert {n for n in users_of("numba") if not n.startswith("mtkit.smt")} == kernels
    below = {
        n for n in FILES if (k := chapter_of(n)) is not None and k <= CHAPTERS.index("manifest")
    }
    assert not {n for n in below for other in EVERYWHERE[n] if other.startswith(halves)}


def test_no_circular_imports() -> None:
    edges = {n: {i for i in imports if i in FILES} for n, imports in EVERYWHERE.items()}
    done: set[str] = set()
    while len(done) < len(edges):
        free = {n for n, needs in edges.items() if n not in done and needs <= done | {n}}
        assert free, f"a circle among {sorted(edges.keys() - done)}"
        done |= free


def test_tests_import_only_from_support() -> None:
    used = {
        f"{path.name} imports {name}"
        for path in Path(__file__).parent.rglob("test_*.py")
        for name in imported(path)
        if name.startswith("tests.") and not name.startswith("tests.support")
    }
    assert not used


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from mtkit.cli import app\n"
        "try:\n    app(['--help'])\n"
        "except SystemExit:\n    print(*sys.modules, file=sys.stderr)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "train-smt" in run.stdout
    assert "typer" in run.stderr.split()
    assert not HEAVY & set(run.stderr.split())


def test_importing_mtkit_loads_nothing_heavy() -> None:
    code = "import sys, mtkit; assert mtkit.align and mtkit.train_smt; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "mtkit" in run.stdout.split()
    assert not (HEAVY | {"typer", "rich"}) & set(run.stdout.split())
