"""Generated pages of docs/: ``python -m tests.support.pages`` writes them.

reference.md    commands and their options      cli
api.md          functions and their arguments   names in ``API``
equations.md    docstrings of modules           folders in ``CHAPTERS``
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import typer

from tests.support.paths import ROOT

DOCS = ROOT / "docs"
SOURCE = "made from the program by `python -m tests.support.pages`; do not edit"

# --- docstrings as Markdown


def markdown(docstring: str) -> str:
    """Return a docstring as Markdown; indented text and columns become blocks.

    >>> markdown("Of ``x`` < y:")
    'Of `x` \\\\< y:'
    """
    paragraphs = re.split(r"\n{2,}", inspect.cleandoc(docstring))
    return "\n\n".join(map(_paragraph, _joined(paragraphs)))


def _joined(paragraphs: list[str]) -> list[str]:
    """Join adjacent blocks: an empty line in an equation does not end it."""
    joined: list[str] = []
    for text in paragraphs:
        if joined and text.startswith("    ") and joined[-1].startswith("    "):
            joined[-1] += "\n\n" + text
        else:
            joined.append(text)
    return joined


def _paragraph(text: str) -> str:
    if text.startswith(">>>"):
        return f"```pycon\n{re.sub(r' *# doctest: .*', '', text)}\n```"
    if text.startswith("    ") or re.search(r"\S {3,}\S", text) or "\n    " in text:
        text = text.replace("``", "")
        body = "\n".join(line.removeprefix("    ") for line in text.split("\n"))
        return f"```text\n{body if text.startswith('    ') else text}\n```"
    spans = re.split(r"(``.+?``)", text)
    return "".join(s[1:-1] if s.startswith("``") else re.sub(r"([<$])", r"\\\1", s) for s in spans)


# --- commands


@dataclass
class Sections:
    """A help formatter that stores its input."""

    rows: list[tuple[str, str, str]] = field(default_factory=list)  # section, option, meaning
    examples: list[str] = field(default_factory=list)
    name: str = ""
    current_indent: int = 0
    width: int = 80

    @contextmanager
    def section(self, name: str) -> Iterator[None]:
        """Begin a section."""
        self.name = name
        yield

    def write_dl(self, rows: list[tuple[str, str]], **_layout: int) -> None:
        """Store options and their meanings."""
        self.rows += [(self.name, *row) for row in rows]

    def write(self, text: str) -> None:
        """Store an example."""
        self.examples.append(text.strip())


def _cell(text: str) -> str:
    text = text.replace("\ue000", "-")  # the hyphen in help texts
    text = re.sub(r"([|<*$])", r"\\\1", " ".join(text.split()))
    return re.sub(r"(?<![\w`-])--[a-z][\w-]*", r"`\g<0>`", text)


def _command(name: str, command: Any) -> str:
    context = command.context_class(command, info_name=name, help_option_names=["-h", "--help"])
    found = Sections()
    command.format_options(context, found)
    command.format_epilog(context, found)
    lines = [f"## {name}", "", markdown(command.help or ""), ""]
    for section in dict.fromkeys(row[0] for row in found.rows):
        lines += [f"| {section} | |", "| --- | --- |"]
        for _, option, meaning in (row for row in found.rows if row[0] == section):
            option = option.replace("\ue000", "-").replace("|", "\\|")
            lines.append(f"| `{option}` | {_cell(meaning)} |")
        lines.append("")
    return "\n".join([*lines, "```sh", *found.examples, "```", ""])


def reference() -> str:
    """Return the page of all commands and options."""
    from mtkit.cli import app

    group: Any = typer.main.get_command(app)
    parts = ["# Commands and options", "", f"<!-- {SOURCE} -->", ""]
    parts += ["`mtkit COMMAND --help` says the same. Square brackets contain the default.", ""]
    for name, command in group.commands.items():
        within = getattr(command, "commands", None)
        for inner, one in within.items() if within else [("", command)]:
            parts.append(_command(f"mtkit {name} {inner}".rstrip(), one))
    return "\n".join(parts)


# --- Python

API = {
    "Commands as functions": [
        *("mtkit.load", "mtkit.train_smt", "mtkit.train_nmt", "mtkit.combine"),
        *("mtkit.align", "mtkit.compare"),
    ],
    "Text": [
        *("mtkit.text.corpus.open_corpus", "mtkit.text.corpus.Corpus"),
        *("mtkit.text.corpus.Bitext", "mtkit.text.tokenizer.WordTokenizer"),
    ],
    "Translators": [
        *("mtkit.system.System", "mtkit.system.Hypothesis", "mtkit.system.Score"),
        *("mtkit.system.LogProbability", "mtkit.system.TokenScores"),
        "mtkit.nmt.encode.encode_sentences",
    ],
    "Configuration": [
        *("mtkit.smt.train.TrainConfig", "mtkit.nmt.recipe.TrainConfig", "mtkit.nmt.recipe.preset")
    ],
    "Comparison": [
        *("mtkit.comparison.report.Comparison", "mtkit.comparison.report.SystemResult"),
        *("mtkit.comparison.report.as_json", "mtkit.comparison.page.render.as_html"),
    ],
    "Errors": ["mtkit.errors.InputError", "mtkit.errors.WorkError"],
}


def _signature(name: str, thing: Any) -> str:
    """Return a function's signature, or the fields of a dataclass."""
    if is_dataclass(thing):
        lines = [f"class {name}:"]
        for f in fields(thing):
            default = "" if f.default is MISSING else f" = {f.default!r}"
            lines.append(f"    {f.name}: {f.type}{default}")
        return "\n".join(lines)
    if inspect.isclass(thing):
        return f"class {name}"
    signature = inspect.signature(thing)
    arguments = [
        _argument(p) for p in signature.parameters.values() if p.name not in ("self", "cls")
    ]
    returns = f" -> {signature.return_annotation}"
    whole = f"{name}({', '.join(arguments)}){returns}"
    lines = [f"    {argument}," for argument in arguments]
    return whole if len(whole) < 90 else "\n".join([f"{name}(", *lines, f"){returns}"])


def _argument(parameter: inspect.Parameter) -> str:
    stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    kind = "" if parameter.annotation is parameter.empty else f": {parameter.annotation}"
    default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
    return f"{stars}{parameter.name}{kind}{default}"


def _names(thing: Any) -> list[str]:
    """Return the names of its arguments or fields."""
    if is_dataclass(thing):
        return [f.name for f in fields(thing)]
    return [] if inspect.isclass(thing) else list(inspect.signature(thing).parameters)


def _explained(docstring: str, thing: Any) -> str:
    """Return the docstring as Markdown, with the arguments as a list.

    >>> def f(a, b, c): "Add. a, b: numbers. c: more."
    >>> print(_explained(f.__doc__, f))
    Add.
    <BLANKLINE>
    - `a, b`: numbers.
    - `c`: more.
    """
    text = re.sub(r"(?<=\.)\s(?=Raises )", "\n\n", markdown(docstring))
    if not (names := "|".join(_names(thing))):
        return text
    item = re.compile(rf"(?:^|(?<=[.;\n])\s?)((?:{names})(?:, (?:{names}))*):\s")
    return "\n\n".join(_itemised(*item.split(part)) for part in text.split("\n\n"))


def _itemised(prose: str, *items: str) -> str:
    """Return the prose and a list; items: names and their texts, alternating."""
    lines = [
        f"- `{names}`: {text.strip()}".replace("\n", "\n  ")
        for names, text in zip(items[::2], items[1::2], strict=True)
    ]
    return "\n\n".join(filter(None, [prose.rstrip(), "\n".join(lines)])) if lines else prose


def _entry(path: str) -> str:
    module, _, name = path.rpartition(".")
    thing = getattr(importlib.import_module(module), name)
    lines = [f"### {path}", "", "```text", _signature(name, thing), "```", ""]
    lines += [_explained(inspect.getdoc(thing) or "", thing), ""]
    if inspect.isclass(thing):
        for member, value in vars(thing).items():
            function = getattr(value, "fget", None) or getattr(value, "__func__", value)
            if not member.startswith("_") and inspect.isfunction(function) and function.__doc__:
                text = _signature(f".{member}", function)
                lines += ["```text", text, "```", "", _explained(function.__doc__, function), ""]
    return "\n".join(lines)


def api() -> str:
    """Return the page of the functions and classes in ``API``."""
    parts = ["# Python API", "", f"<!-- {SOURCE} -->", ""]
    for heading, paths in API.items():
        parts += [f"## {heading}", "", *map(_entry, paths)]
    return "\n".join(parts)


# --- equations

CHAPTERS = {
    "Word alignment": "smt/alignment",
    "Phrases": "smt/phrases",
    "Language model": "smt/language_model",
    "Search": "smt/search",
    "Tuning": "smt/tuning",
    "The encoder-decoder": "nmt",
    "Training the network": "nmt/training",
    "Recurrent language models and their gradients": "nmt/recurrent",
    "The laboratory": "laboratory",
    "Combination": "combination",
    "Evaluation": "evaluation",
    "Comparison": "comparison",
    "Explanation": "explanation",
    "Text": "text",
    "Codes in documents": "documents",
}


def _head(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def _heads(folder: str) -> Iterator[str]:
    """Yield module docstrings of two or more paragraphs, in the order of the folder's docstring."""
    files = {path.stem: path for path in sorted((ROOT / "mtkit" / folder).glob("*.py"))}
    named = re.findall(r"\w+", _head(files.pop("__init__")))
    for name in sorted(files, key=lambda n: named.index(n) if n in named else len(named)):
        path, text = files[name], markdown(_head(files[name]))
        if "\n\n" in text:
            place = path.relative_to(ROOT).as_posix()
            yield f"### {place}\n\n{text}\n\nCode: [`{place}`](../{place})\n"


def equations() -> str:
    """Return the page of the modules' equations, by chapter."""
    parts = ["# Equations and their code", "", f"<!-- {SOURCE} -->", ""]
    parts += ["Each section is the head of a module: letters, equations, sources and limits.", ""]
    for heading, folder in CHAPTERS.items():
        parts += [f"## {heading}", "", *_heads(folder)]
    return "\n".join(parts)


PAGES = {"reference.md": reference, "api.md": api, "equations.md": equations}


def page(name: str) -> str:
    """Return the content of docs/NAME."""
    return re.sub(r"\n{3,}", "\n\n", PAGES[name]()).rstrip() + "\n"


if __name__ == "__main__":
    for name in PAGES:
        (DOCS / name).write_text(page(name), encoding="utf-8")
