"""Output fits the terminal: no line is wider, and no word is broken."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rich.cells import cell_len

from mtkit.console import console, wrapped
from tests.support.command import Terminal, mtkit
from tests.support.commands import NAMES

WIDTHS = (60, 80)
WIDE = 200  # columns, so that no line is broken
TEXT = ("--train", "train.en", "train.de")
MODELS = ("models/smt", "models/nmt")
TABLES = {
    "compare": ["compare", *MODELS, "--test", "test.en", "test.de"],
    "compare-full": ["compare", *MODELS, "--test", "test.en", "test.de", "--full"],
    "perplexity": ["perplexity", *MODELS, "--test", "test.en", "test.de"],
    "explain": ["explain", "Two men.", "--model", "models/smt", "--model", "models/nmt"],
    "watch": ["watch", "the", *TEXT],
    "check": ["corpus", "check", "train.en", "train.de"],
    "stats": ["corpus", "stats", "train.en", "train.de"],
}
MESSAGES = {
    "list": ["corpus", "list"],
    "info": ["info", "models/smt"],
    "unknown-word": ["watch", "thr", *TEXT],
    "unknown-option": ["compare", "--htm", "x"],
    "unknown-corpus": ["train-smt", "--corpus", "evryday"],
    "missing-model": ["translate", "--model", "models/a"],
    "exchanged": ["train-smt", "--train", "train.de", "train.en", "--pair", "en-de"],
}


def shown(
    command: list[str], width: int, project: Path, monkeypatch: pytest.MonkeyPatch, check: int = 0
) -> list[str]:
    """Return the lines that a terminal of ``width`` shows, without escape sequences."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(console, "_width", width)
    out, err = Terminal(), Terminal()
    mtkit(*command, cwd=project, stdout=out, stderr=err, check=check)
    text = (out.getvalue() + err.getvalue()).decode()
    return re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text))


def too_wide(lines: list[str], width: int) -> list[str]:
    """Return lines that are wider, except those of one word, such as a path."""
    return [line for line in lines if cell_len(line) > width and " " in line.strip()]


def words(lines: list[str]) -> set[str]:
    """Return words, without numbers (times differ between runs) and table rules."""
    return {word for word in " ".join(lines).split() if not re.search(r"[\d─━⠀-⣿]", word)}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["", "corpus", *NAMES])
def test_help_fits_and_has_all_words(
    name: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = shown([*name.split(), "-h"], width, Path.cwd(), monkeypatch)
    head, examples = [*"\n".join(lines).split("Examples:\n"), ""][:2]
    assert not too_wide(head.split("\n"), width)
    assert max(map(len, examples.split("\n"))) <= WIDTHS[-1]  # commands are not broken
    if width < WIDTHS[-1]:
        wide = shown([*name.split(), "-h"], WIDTHS[-1], Path.cwd(), monkeypatch)
        assert " ".join(lines).split() == " ".join(wide).split()


@pytest.mark.compiled
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", MESSAGES)
def test_messages_fit_and_have_all_words(
    name: str, width: int, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = 0 if name in ("list", "info") else 2
    lines = shown(MESSAGES[name], width, project, monkeypatch, code)
    assert not too_wide(lines, width)
    wide = words(shown(MESSAGES[name], WIDE, project, monkeypatch, code))
    assert words(lines) <= wide if name == "list" else words(lines) == wide


@pytest.mark.compiled
@pytest.mark.parametrize("name", TABLES)
def test_tables_fit_and_have_all_words(
    name: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown(TABLES[name], WIDE, project, monkeypatch)  # only the first run reports translating
    wide = shown(TABLES[name], WIDE, project, monkeypatch)
    for width in WIDTHS:
        lines = shown(TABLES[name], width, project, monkeypatch)
        assert not too_wide(lines, width)
        assert words(wide) == words(lines)


@pytest.mark.compiled
@pytest.mark.usefixtures("tiny")
def test_trainings_fit_60_columns(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dev = ("--dev", "test.en", "test.de", "--force")
    smt = ["train-smt", *TEXT, *dev, "--aligner", "ibm1", "--out", "narrow-smt"]
    nmt = ["train-nmt", *TEXT, *dev, "--preset", "quick", "--updates", "8", "--out", "narrow-nmt"]
    for command, columns in ((smt, ["round", "BLEU"]), (nmt, ["update", "loss"])):
        lines = shown(command, 60, project, monkeypatch)
        assert not too_wide(lines, 60)
        assert any(line.split()[:2] == columns for line in lines)
        assert lines[-2 if command is smt else -3].startswith(("model:", "to repeat", "  "))


def test_a_repeat_command_is_wrapped_with_backslashes() -> None:
    text = "to repeat this run: mtkit train-nmt --train a.en a.de --threads 2"
    lines = wrapped(text, 40, " \\").split("\n")
    assert [line[-2:] for line in lines[:-1]] == [" \\"] * (len(lines) - 1)
    assert max(map(len, lines)) <= 40
    assert " ".join(" ".join(line.rstrip("\\").split()) for line in lines) == text
