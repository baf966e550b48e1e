"""Imports run one way: cli → models → smt.system | nmt.system → manifest → system, corpus."""

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


def imported(path: Path, lazily: bool) -> set[str]:
    """What a file imports; without ``lazily`` only at its top, where loading it pays for them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = ast.walk(tree) if lazily else iter(tree.body)
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


FILES = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}
EVERYWHERE = {name: imported(path, lazily=True) for name, path in FILES.items()}
AT_THE_TOP = {name: imported(path, lazily=False) for name, path in FILES.items()}


def users_of(package: str) -> set[str]:
    return {
        name
        for name, imports in EVERYWHERE.items()
        if any(i == package or i.startswith(f"{package}.") for i in imports)
    }


def test_the_two_halves_do_not_know_each_other() -> None:
    assert not {n for n in users_of("mtkit.nmt") if n.startswith("mtkit.smt")}
    assert not {n for n in users_of("mtkit.smt") if n.startswith("mtkit.nmt")}


def test_torch_and_numba_stay_in_their_halves() -> None:
    assert users_of("torch")
    assert all(n.startswith("mtkit.nmt") for n in users_of("torch"))
    assert users_of("numba")
    kernels = {"mtkit.nmt.bpe_dropout"}  # of the neural half, needed in training alone
    assert {n for n in users_of("numba") if not n.startswith("mtkit.smt")} == kernels


def test_only_the_command_line_imports_the_command_line() -> None:
    users = users_of("mtkit.cli") - {"mtkit.__main__"}
    assert all(n.startswith("mtkit.cli") for n in users)
    core = ("mtkit.system", "mtkit.corpus", "mtkit.tokenizer", "mtkit.vocabulary", "mtkit.subwords")
    for name in core:
        inside = {i for i in EVERYWHERE[name] if i.startswith("mtkit.")}
        assert not {i for i in inside if i.startswith(("mtkit.smt", "mtkit.nmt", "mtkit.models"))}


def test_there_are_no_circles() -> None:
    edges = {n: {i for i in imports if i in FILES} for n, imports in EVERYWHERE.items()}
    done: set[str] = set()
    while len(done) < len(edges):
        free = {n for n, needs in edges.items() if n not in done and needs <= done | {n}}
        assert free, f"a circle among {sorted(edges.keys() - done)}"
        done |= free


def test_help_loads_nothing_heavy_and_answers_at_once() -> None:
    code = (
        "import sys, resource\n"
        "from mtkit.cli import app\n"
        "try:\n    app(['--help'])\n"
        "except SystemExit:\n    pass\n"
        "used = resource.getrusage(resource.RUSAGE_SELF)\n"
        "print(used.ru_utime + used.ru_stime, *sys.modules, file=sys.stderr)\n"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(3)
    ]
    assert "train-smt" in runs[0].stdout
    seconds, *modules = min((r.stderr.split() for r in runs), key=lambda r: float(r[0]))
    assert not HEAVY & set(modules)
    assert float(seconds) < 0.3  # of processor time: the clock on the wall is others' too
