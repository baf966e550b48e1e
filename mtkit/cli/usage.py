"""How commands are listed and explained, and how wrong calls are reported: in one line.

What Typer has of this is for its own colours; mtkit's help is plain text.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from typer import BadParameter
from typer.core import TyperCommand, TyperGroup

from mtkit.errors import InputError

UsageError: Any = BadParameter.__base__  # of all wrong calls; Typer does not export it by name
# The section of an option's help, by the name of its parameter; all others are "Options".
SECTIONS = {
    name: section
    for section, names in {
        "Text": "train dev test file_format corpus pair tokenizer lowercase reference documents",
        "Output": "out force html as_json csv latex full copy examples n_best",
        "Run": "threads memory cluster seed seeds resume device precision fresh quiet help",
    }.items()
    for name in names.split()
}
# What Typer says of a value, and what a person should read.
PLAIN = {
    "Value error, ": "",
    "Input should be ": "it must be ",
    ", unable to parse string as an integer": "",
    ", unable to parse string as a number": "",
}
HYPHEN = "\ue000"  # stands for one within a word while lines are broken, which breaks at no other
ORDER = ("Arguments", "Text", "Options", "Output", "Run")


class Command(TyperCommand):
    """A command whose options stand in sections, and whose epilog is examples, a line each."""

    def get_help(self, ctx: Any) -> str:
        """The help, in which no line ends within a word: grow-diag-final-and is typed as it is."""
        return str(super().get_help(ctx)).replace(HYPHEN, "-")

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the sections in ``ORDER``."""
        sections: dict[str, list[tuple[str, str]]] = {name: [] for name in ORDER}
        for parameter in self.get_params(ctx):
            if record := parameter.get_help_record(ctx):
                is_argument = parameter.param_type_name == "argument"
                name = SECTIONS.get(parameter.name or "", "Options")
                sections["Arguments" if is_argument else name].append(_plain(*record))
        for name, records in sections.items():
            if records:
                with formatter.section(name):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples as they are."""
        if self.epilog:
            with formatter.section("Examples"):
                for line in self.epilog.splitlines():
                    formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


class Group(TyperGroup):
    """Commands under the headings of their ``rich_help_panel``; a wrong call is one line."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each heading, in the order of the commands."""
        sections: dict[str, list[tuple[str, str]]] = {}
        longest = max(map(len, self.commands))
        for name, command in self.commands.items():
            heading = getattr(command, "rich_help_panel", None) or "Commands"
            summary = command.get_short_help_str(formatter.width - 6 - longest)
            sections.setdefault(heading, []).append((name.ljust(longest), summary))
        for heading, rows in sections.items():
            with formatter.section(heading):
                formatter.write_dl(rows)

    def make_context(self, *args: Any, **settings: Any) -> Any:
        """Parse the call as far as the command's name. Raises InputError for a wrong one."""
        with _in_one_line():
            return super().make_context(*args, **settings)

    def invoke(self, ctx: Any) -> Any:
        """Parse the rest, and run it. Raises InputError for a wrong call."""
        with _in_one_line():
            return super().invoke(ctx)


def _plain(name: str, text: str) -> tuple[str, str]:
    """A name without Python's types, N for a number; help without the range, which an error tells.

    >>> _plain("--seeds <int range>", "Samples.  [default: 3; 1<=x<=100]")
    ('--seeds N', 'Samples.  [default: 3]')
    >>> _plain("SYSTEM <list[str]>", "Which.  [0<=x<=9]")
    ('SYSTEM', 'Which.')
    """
    name = re.sub(r"<(int|float)( range)?>", "N", re.sub(r" <(list\[\w+\]|str|path)>", "", name))
    bounds = r"[^][;]*[<>]=?[^][;]*\]$"
    text = re.sub(rf"\s*\[{bounds}", "", re.sub(f"; {bounds}", "]", text))
    return name, re.sub(r"(?<=\w)-(?=\w)", HYPHEN, text)


@contextmanager
def _in_one_line() -> Iterator[None]:
    try:
        yield
    except UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # it is the help
            raise
        message, command = _message(error), error.ctx.command_path if error.ctx else "mtkit"
        see = f" See {command} -h" if message.endswith("?") else f"; see {command} -h"
        raise InputError(message + see) from None


def _message(error: Any) -> str:
    if hasattr(error, "possibilities"):  # no such option
        known = [of for p in error.ctx.command.params for of in p.opts] if error.ctx else []
        near = difflib.get_close_matches(error.option_name, known, 2)
        said = f"no such option {error.option_name}"
        return f"{said}; did you mean {' or '.join(near)}?" if near else said
    message = " ".join(error.format_message().split()).rstrip(".")
    for said, plain in PLAIN.items():
        message = message.replace(said, plain)
    return message[:1].lower() + message[1:]
