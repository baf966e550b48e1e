"""Help that fits a terminal, and wrong calls reported in one line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import mtkit
from tests.support.commands import NAMES


def test_help_lists_every_command_with_its_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = mtkit("--help", cwd=Path.cwd()).stdout.decode()
    headings = re.findall(r"^(\w[\w ]*):$", shown, re.M)
    assert headings == [
        "Train", "Translate", "Compare", "Look inside", "Corpora", "Models", "Options", "Examples",
    ]  # fmt: skip
    groups = {
        group: mtkit(*group, "-h", cwd=Path.cwd()).stdout.decode()
        for group in {tuple(name.split()[:-1]) for name in NAMES}
    }
    for name, command in NAMES.items():
        listed = groups[tuple(name.split()[:-1])]
        assert re.search(rf"^  {name.split()[-1]}  +{re.escape(summary(command))}$", listed, re.M)


def summary(command: Any) -> str:
    return str(command.help).partition("\n")[0]


@pytest.mark.parametrize(
    ("name", "usage"),
    [
        ("", "mtkit COMMAND …"),
        ("compare", "mtkit compare [SYSTEM …] [OPTIONS]"),
        ("explain", "mtkit explain SENTENCE [OPTIONS]"),
        ("corpus split", "mtkit corpus split SRC TGT [OPTIONS]"),
    ],
)
def test_usage_names_the_arguments(name: str, usage: str) -> None:
    shown = mtkit(*name.split(), "-h", cwd=Path.cwd()).stdout.decode()
    assert shown.startswith(f"Usage: {usage}\n")


@pytest.mark.parametrize("name", NAMES)
def test_help_fits_and_its_examples_have_valid_options(
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
        ("train-nmt --preset bst", " (did you mean best?); see mtkit train-nmt -h"),
        ("train-smt --aligner hnm", "--aligner hnm: unknown (did you mean hmm?); choose one of"),
        ("translate --model models/smt-en", "no such model (did you mean models/smt-en-de?)"),
        ("corpus get multi30k-en-d", "(did you mean multi30k-en-de?)"),
        ("watch The --train a.en a.de", "The: the source text has no such word; did you mean the"),
        ("watch", "missing argument 'WORD'; see mtkit watch -h"),
        ("compare --curve", "option '--curve' requires an argument; see mtkit"),
        ("watch Hose --train a.en a.de", "Hose: the source text has no such word; did you mean"),
    ],
)
def test_a_wrong_call_is_one_line(call: str, message: str, tmp_path: Path) -> None:
    for language, text in (("en", "the house\nthe houses\n"), ("de", "das Haus\ndie Häuser\n")):
        (tmp_path / f"a.{language}").write_text(text, encoding="utf-8")
    (tmp_path / "models/smt-en-de").mkdir(parents=True)
    (tmp_path / "models/smt-en-de/manifest.json").write_text("{}")
    done = mtkit(*call.split(), cwd=tmp_path, check=2)
    [line] = done.stderr.decode().splitlines()
    assert line.startswith("mtkit: ")
    assert message in line  # the rest is Typer's text, which varies
    assert "Input should be" not in line
    assert done.stdout == b""


BASH = {"COMP_CWORD": "2", "COMP_WORDS": "mtkit {}", "_MTKIT_COMPLETE": "complete_bash"}
ZSH = {"_TYPER_COMPLETE_ARGS": "mtkit {}", "_MTKIT_COMPLETE": "complete_zsh"}
FISH = {
    "_TYPER_COMPLETE_ARGS": "mtkit {}", "_MTKIT_COMPLETE": "complete_fish",
    "_TYPER_COMPLETE_FISH_ACTION": "get-args",
}  # fmt: skip


@pytest.mark.parametrize("shell", [BASH, ZSH, FISH], ids=["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("line", "proposed"),
    [
        ("info ", ["models/nmt-en-de", "models/smt-en-de"]),
        ("compare both=models/n", ["both=models/nmt-en-de"]),
        ("combine models/smt-en-de+models/n", ["models/smt-en-de+models/nmt-en-de"]),
        ("train-nmt --preset q", ["quick"]),
        ("train-smt --symmetrize grow-diag-", ["grow-diag-final", "grow-diag-final-and"]),
        ("train-smt --corpus every", ["everyday"]),
        ("corpus get multi30k-en-d", ["multi30k-en-de"]),
    ],
)
def test_shells_complete(
    shell: dict[str, str], line: str, proposed: list[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for name in ("smt-en-de", "nmt-en-de"):
        (tmp_path / "models" / name).mkdir(parents=True)
        (tmp_path / "models" / name / "manifest.json").write_text("{}")
    monkeypatch.setenv("MTKIT_CACHE", str(tmp_path))
    for name, value in shell.items():
        monkeypatch.setenv(name, value.format(line))
    if shell is BASH:
        monkeypatch.setenv("COMP_CWORD", str(line.count(" ") + 1))
    said = mtkit(cwd=tmp_path, check=None).stdout.decode()
    words = re.findall(r'"([^"\n]+)"', said) if shell is ZSH else said.split()
    assert [word.replace("\\", "") for word in words] == proposed
