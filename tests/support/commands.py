"""The commands of the command line, by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from mtkit.cli import app
from mtkit.cli.usage import Command


def commands() -> Iterator[tuple[str, Any]]:
    """Yield the name and the object of every command."""
    root = typer.main.get_command(app)
    for name, command in root.commands.items():
        if isinstance(command, Command):
            yield name, command
        else:
            yield from ((f"{name} {part}", of) for part, of in command.commands.items())


NAMES = dict(commands())
