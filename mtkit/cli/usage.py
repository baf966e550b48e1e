"""Help texts in plain text, with sections and examples; errors of the call in one line.

Typer's own help is made for colours and boxes.
"""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from typer import BadParameter
from typer.core import TyperCommand, TyperGroup

from mtkit.errors import InputError, nearest

UsageError: Any = BadParameter.__base__  # of all wrong calls; Typer does not export it
# The section of an option's help, by the name of its parameter; all others are "Options".
SECTIONS = {
    name: section
    for section, names in {
        "Text": "train dev test file_format corpus pair tokenizer lowercase reference documents "
        "blank_lines stdin text",
        "Network": "preset cell attention hidden words start",
        "Training": "minutes epochs updates clip bpe_dropout",
        "Alignment": "aligner symmetrize gold",
        "Phrase table and language model": "discount order prune",
        "Weights": "weights tune",
        "Output": "out force html as_json csv latex full copy examples n_best keep clean tokens "
        "probabilities score",
        "Run": "threads memory cluster seed seeds resume device precision fresh quick quiet help",
    }.items()
    for name in names.split()
}
HEADINGS = ("Train", "Translate", "Compare", "Look inside", "Corpora", "Models")
# Phrases of Typer about wrong values, and plain ones.
PLAIN = {
    "Value error, ": "",
    "Input should be ": "it must be ",
    ", unable to parse string as an integer": "",
    ", unable to parse string as a number": "",
}
HYPHEN = "\ue000"  # in place of a hyphen within a word while lines are broken
FIRST = ("Arguments", "Text")  # the other sections follow in the order of ``SECTIONS``
ORDER = (*FIRST, "Options", *dict.fromkeys(name for name in SECTIONS.values() if name not in FIRST))


class Command(TyperCommand):
    """A command whose help has sections of options, and examples: one per line of the epilog."""

    def get_help(self, ctx: Any) -> str:
        """Return the help; no line ends within a word, such as grow-diag-final-and."""
        return str(super().get_help(ctx)).replace(HYPHEN, "-")

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write the description of the command."""
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(_whole(inspect.cleandoc(self.help or "")))

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """Write the usage line, with optional arguments in brackets."""
        arguments = [p for p in self.get_params(ctx) if p.param_type_name == "argument"]
        _write_usage(formatter, ctx.command_path, [*map(_argument, arguments), "[OPTIONS]"])

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options by section, in ``ORDER``."""
        sections: dict[str, list[tuple[str, str]]] = {name: [] for name in ORDER}
        for parameter in self.get_params(ctx):
            if record := parameter.get_help_record(ctx):
                is_argument = parameter.param_type_name == "argument"
                name = SECTIONS.get(parameter.name or "", "Options")
                sections["Arguments" if is_argument else name].append(_plain(*record))
        for name, records in sections.items():
            if records:
                with formatter.section(name):
                    formatter.write_dl(records, col_max=formatter.width // 4 + 2)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples without breaking their lines."""
        _write_examples(self.epilog, formatter)


class Group(TyperGroup):
    """Commands listed by ``rich_help_panel``; a wrong call is reported in one line."""

    def get_help(self, ctx: Any) -> str:
        """Return the help; no line ends within a word."""
        return str(super().get_help(ctx)).replace(HYPHEN, "-")

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """Write the usage line, with a place for the command."""
        _write_usage(formatter, ctx.command_path, ["COMMAND", "…"])

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, and then the options."""
        self.format_commands(ctx, formatter)
        records = [p.get_help_record(ctx) for p in self.get_params(ctx)]
        with formatter.section("Options"):
            formatter.write_dl([record for record in records if record])

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, a section for each heading."""
        sections: dict[str, list[tuple[str, str]]] = {heading: [] for heading in HEADINGS}
        longest = max(map(len, self.commands))
        for name, command in self.commands.items():
            heading = getattr(command, "rich_help_panel", None) or "Commands"
            summary = (command.help or "").partition("\n")[0]
            sections.setdefault(heading, []).append((name.ljust(longest), _whole(summary)))
        for heading, rows in sections.items():
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples without breaking their lines."""
        _write_examples(self.epilog, formatter)

    def make_context(self, *args: Any, **settings: Any) -> Any:
        """Parse the call up to the command's name. Raises InputError if that is wrong."""
        with _in_one_line():
            return super().make_context(*args, **settings)

    def invoke(self, ctx: Any) -> Any:
        """Parse the rest and run the command. Raises InputError if the call is wrong."""
        with _in_one_line():
            return super().invoke(ctx)


def _argument(parameter: Any) -> str:
    """Return an argument as the usage line shows it."""
    name = parameter.metavar or parameter.name.upper()
    several = " …" if parameter.nargs == -1 and " " not in name else ""
    return f"{name}{several}" if parameter.required else f"[{name}{several}]"


def _write_usage(formatter: Any, command: str, words: list[str]) -> None:
    formatter.write(f"Usage: {' '.join([command, *words])}\n")


def _write_examples(examples: str | None, formatter: Any) -> None:
    if examples:
        with formatter.section("Examples"):
            for line in examples.splitlines():
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


def _plain(name: str, text: str) -> tuple[str, str]:
    """Return an option with N for a number and no other type, and its help without the range.

    >>> _plain("--seeds <int range>", "Samples.  [default: 3; 1<=x<=100]")
    ('--seeds N', 'Samples.  [default: 3]')
    >>> _plain("SYSTEM <list[str]>", "Which.  [0<=x<=9]")
    ('SYSTEM', 'Which.')
    """
    name = re.sub(r"<(int|float)( range)?>", "N", re.sub(r" <(list\[\w+\]|str|path)>", "", name))
    bounds = r"[^][;]*[<>]=?[^][;]*\]$"
    text = re.sub(rf"\s*\[{bounds}", "", re.sub(f"; {bounds}", "]", text))
    text = text.replace("[default: (preset)]", "[from the preset]").replace("  [", " [")
    return name, _whole(text)


def _whole(text: str) -> str:
    """Return ``text`` with hyphens replaced, so that no line is broken at them."""
    return re.sub(r"(?<=\w)-(?=\w)", HYPHEN, text)


@contextmanager
def _in_one_line() -> Iterator[None]:
    try:
        yield
    except UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # this prints the help
            raise
        message, command = _message(error), error.ctx.command_path if error.ctx else "mtkit"
        hint = f" See {command} -h" if message.endswith("?") else f"; see {command} -h"
        raise InputError(message + hint) from None


def _message(error: Any) -> str:
    if hasattr(error, "possibilities"):  # no such option
        names = [name for p in error.ctx.command.params for name in p.opts] if error.ctx else []
        matches = difflib.get_close_matches(error.option_name, names, 2)
        phrase = f"no such option {error.option_name}"
        return f"{phrase}; did you mean {' or '.join(matches)}?" if matches else phrase
    message = " ".join(error.format_message().split()).rstrip(".")
    if choice := re.search(r"'([^']*)' is not one of (.*)", message):
        message += nearest(choice[1], re.findall(r"'([^']*)'", choice[2]))
    for phrase, plain in PLAIN.items():
        message = message.replace(phrase, plain)
    return message[:1].lower() + message[1:]
