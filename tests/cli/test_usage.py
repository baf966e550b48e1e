"""Help that fits a terminal, and wrong calls reported in one line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from mtkit.cli import app
from mtkit.cli.usage import Command
from tests.support.command import mtkit


def commands() -> Iterator[tuple[str, Any]]:
    """Every command by its words."""
    root = typer.main.get_command(app)
    for name, command in root.commands.items():
        if isinstance(command, Command):
            yield name, command
        else:
            yield from ((f"{name} {part}", of) for part, of in command.commands.items())


NAMES = dict(commands())


def test_all_commands_have_a_place_and_a_summary_that_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = mtkit("--help", cwd=Path.cwd()).stdout.decode()
    headings = re.findall(r"^(\w[\w ]*):$", shown, re.M)
    assert headings == [
        "Options", "Train", "Translate", "Compare", "Look inside", "Models", "Corpora",
    ]  # fmt: skip
    assert "..." not in shown.replace("[ARGS]...", "")
    assert all(f"  {name.split()[0]} " in shown for name in NAMES)
    assert "..." not in mtkit("corpus", "-h", cwd=Path.cwd()).stdout.decode().replace(
        "[ARGS]...", ""
    )


@pytest.mark.parametrize("name", NAMES)
def test_help_is_plain_and_has_examples_that_can_be_typed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = mtkit(*name.split(), "-h", cwd=Path.cwd()).stdout.decode()
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 80
    assert not re.search(r"<int|<float|list\[|x<=|<=x|\ue000", shown)
    assert not re.search(r"\w-$", shown, re.M)  # no word is divided
    examples = lines[lines.index("Examples:") + 1 :]
    assert any(line.startswith(f"  mtkit {name}") for line in examples)
    for line in examples:
        assert line.startswith("  mtkit ")
        own = next(of for of in NAMES if f"{line} ".startswith(f"  mtkit {of} "))
        options = {option for p in NAMES[own].params for option in p.opts}
        assert set(re.findall(r"--[a-z-]+", line)) <= options, line


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("compar", "no such command 'compar'. Did you mean 'compare'? See mtkit -h"),
        ("corpus chek", "no such command 'chek'. Did you mean 'check'? See mtkit corpus -h"),
        ("compare --htm x", "no such option --htm; did you mean --html? See mtkit compare -h"),
        ("compare --zzz", "no such option --zzz; see mtkit compare -h"),
        ("train-nmt --epochs x", "invalid value for '--epochs': "),
        ("train-nmt --seeds 0", "invalid value for '--seeds': "),
        ("train-nmt --preset bst", "invalid value for '--preset': 'bst' is not one of 'auto', 't"),
        ("watch", "missing argument 'WORD'; see mtkit watch -h"),
        ("compare --curve", "option '--curve' requires an argument; see mtkit"),
        ("watch Hose --train a.en a.de", "Hose: the source text has no such word; did you mean"),
    ],
)
def test_a_wrong_call_is_one_line(call: str, message: str, tmp_path: Path) -> None:
    for language, text in (("en", "the house\nthe houses\n"), ("de", "das Haus\ndie Häuser\n")):
        (tmp_path / f"a.{language}").write_text(text, encoding="utf-8")
    done = mtkit(*call.split(), cwd=tmp_path, check=2)
    [line] = done.stderr.decode().splitlines()
    assert line.startswith("mtkit: ")
    assert message in line  # the rest is Typer's words, which change
    assert "Input should be" not in line
    assert done.stdout == b""
