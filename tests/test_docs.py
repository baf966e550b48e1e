"""README.md and docs/: generated pages are current, commands run, and outputs are the program's."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from mtkit.cli import app, complete
from mtkit.cli.usage import UsageError
from tests.support.documented import PAGES, Block, Shown, blocks, calls, run, write_files
from tests.support.pages import PAGES as GENERATED
from tests.support.pages import page as generated
from tests.support.paths import ROOT

DOCS = ROOT / "docs"
GROUP: Any = typer.main.get_command(app)
WRITTEN = [page for page in PAGES if page.name not in GENERATED]
LANGUAGES = {"sh", "python", "pycon", "text", "toml"}
SHELL = [block for page in PAGES for block in blocks(page) if block.language == "sh"]
SHOWN = [block for page in PAGES for block in blocks(page) if Shown.of(block)]


def at(block: Block) -> str:
    return block.where


# --- tests without models


@pytest.mark.parametrize("name", GENERATED)
def test_generated_pages_are_current(name: str) -> None:
    """`python -m tests.support.pages` writes them."""
    assert (DOCS / name).read_text(encoding="utf-8") == generated(name)


def test_the_readme_is_short_and_names_the_test_command() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) <= 1500
    assert "\nmake test\n" in text


def test_links_of_pages_lead_to_files_and_headings() -> None:
    """`make docs` also checks those of docs/."""
    for page in PAGES:
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for link in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
            name, _, anchor = link.partition("#")
            target = (page.parent / name).resolve() if name else page
            assert target.is_file(), f"{page.name}: {link}"
            assert not anchor or anchor in headings(target), f"{page.name}: {link}"


def headings(page: Path) -> set[str]:
    """Return the anchors of headings, as GitHub and MyST make them."""
    lines = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


def test_every_page_is_in_the_index() -> None:
    listed = re.findall(r"\]\(([\w-]+\.md)\)", (DOCS / "index.md").read_text(encoding="utf-8"))
    assert sorted([*listed, "index.md"]) == sorted(p.name for p in DOCS.glob("*.md"))


def test_the_architecture_names_every_folder() -> None:
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    table = text[: text.index("## How data flows")]
    places = {p.stem for p in (ROOT / "mtkit").iterdir() if p.suffix == ".py" or p.is_dir()}
    named = set(re.findall(r"`(\w+)/?`", table))
    assert places - named <= {"__init__", "__main__", "__pycache__", "py", "version"}


def test_every_block_has_a_language() -> None:
    for page in PAGES:
        found = blocks(page)
        assert {block.language for block in found} <= LANGUAGES, page.name
        assert 2 * len(found) == len(re.findall("^```", page.read_text("utf-8"), re.MULTILINE))


@pytest.mark.parametrize("block", SHELL, ids=at)
def test_documented_commands_have_valid_options(block: Block) -> None:
    assert not [said for arguments in calls(block.text) if (said := refusal(arguments))]


def refusal(arguments: list[str]) -> str:
    """Return why mtkit refuses these arguments, "" if it accepts them."""
    command, words = GROUP, complete(arguments)
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        if (name := words.pop(0)) not in command.commands:
            return f"no command {name}"
        command = command.commands[name]
    try:
        if "--help" not in words:
            command.make_context(command.name, words)
    except UsageError as error:
        return f"{command.name}: {error.format_message()}"
    return ""


def test_refusal_names_the_wrong_word() -> None:
    assert refusal(["watch", "house", "--corpus", "textbook"]) == ""
    assert "no command" in refusal(["watsch", "house"])
    assert "--corpsu" in refusal(["watch", "house", "--corpsu", "textbook"])


# --- tests that run commands


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's directory after `make demo`: trained here, or copied from $MTKIT_DEMO."""
    where = tmp_path_factory.mktemp("demo")
    if known := os.environ.get("MTKIT_DEMO"):
        shutil.copytree(Path(known) / "models", where / "models")
    else:
        run("mtkit train-smt", where, short=False)
        run("mtkit train-nmt --preset quick --updates 5300", where, short=False)
        run("mtkit combine", where, short=False)
    write_files(where)
    run("mtkit compare", where, short=False)
    return where


@pytest.fixture
def place(demo: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the demo's directory, in which a page's commands run."""
    where = tmp_path / "place"
    shutil.copytree(demo, where)
    yield where
    shutil.rmtree(where)


def without_output(page: Path) -> bool:
    return all(b.remark.startswith("not run") for b in blocks(page) if b.language != "text")


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [p for p in WRITTEN if not without_output(p)], ids=lambda p: p.name
)
def test_blocks_run(page: Path, place: Path) -> None:
    printed = ""
    for block in blocks(page):
        if block.remark == "output":
            assert printed == block.text, block.where
        if block.remark.startswith("not run"):
            continue
        if block.language == "sh":
            for command in block.text.replace("\\\n", " ").splitlines():
                printed = run(command, place)
        if block.language == "python":
            printed = run([sys.executable, "-c", block.text], place)
        if block.language == "toml":
            assert tomllib.loads(block.text)


@pytest.mark.slow
def test_the_notebook_runs(place: Path) -> None:
    """With the models that the lecture's page trains."""
    trainings = next(b for b in blocks(DOCS / "lecture.md") if "mtkit train" in b.text)
    for command in trainings.text.splitlines():
        run(command, place)
    cells = json.loads((DOCS / "lecture.ipynb").read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    printed = run([sys.executable, "-c", "\n".join(code)], place)
    assert "EM \tHaus\tdas\tperplexity" in printed


@pytest.mark.slow
@pytest.mark.parametrize("block", SHOWN, ids=at)
def test_shown_output_is_current(block: Block, demo: Path) -> None:
    """`python -m tests.support.documented refresh demo` brings blocks up to date."""
    shown = Shown.of(block)
    assert shown
    part = shown.part(run(shown.command, demo, short=False))
    if shown.exact:
        assert part == block.text, block.where


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("sphinx")
    call = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", str(DOCS)]
    done = subprocess.run([*call, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    html = "".join(page.read_text(encoding="utf-8") for page in tmp_path.glob("*.html"))
    assert not re.findall(r"<(?:script|img|link|iframe)[^>]*(?:src|href)=\"(?:https?:)?//", html)
    assert "<math" in html
