"""The command line: one thin function a command, one file each.

A command parses and prints; a plain function elsewhere does the work. Whatever is heavy (torch,
numba, sacrebleu) is imported inside the functions, so that ``--help`` answers at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer
from typer import Option

from mtkit.cli import (
    align,
    combine,
    compare,
    contrast,
    corpus,
    encode,
    explain,
    gradients,
    info,
    moses,
    perplexity,
    train_nmt,
    train_smt,
    translate,
    watch,
)

FILES = ("--train", "--dev", "--test")  # options of a source and a target file

app = typer.Typer(
    name="mtkit",
    help="Train a statistical and a neural translator on the same text, translate with either, "
    "and see where and why one beats the other. All but import, export, watch and explain work "
    "without options.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("train-smt")(train_smt.train_smt)
app.command("train-nmt")(train_nmt.train_nmt)
app.command("translate", context_settings={"allow_extra_args": True})(translate.translate)
app.command("combine")(combine.combine)
app.command("compare")(compare.compare)
app.command("perplexity")(perplexity.perplexity)
app.command("contrast")(contrast.contrast)
app.command("explain")(explain.explain)
app.command("encode")(encode.encode)
app.command("gradients")(gradients.gradients)
app.command("align")(align.align)
app.command("watch")(watch.watch)
app.command("import")(moses.import_model)
app.command("export")(moses.export_model)
app.command("info")(info.info)
app.add_typer(corpus.app)


def _version(value: bool) -> None:
    if value:
        from mtkit import __version__

        typer.echo(f"mtkit {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: bool = Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and stop."
    ),
) -> None:
    pass


def complete(arguments: Sequence[str]) -> list[str]:
    """Let one file stand alone where typer expects a file of each language.

    After --train, --dev or --test a name stands for both where nothing or an option follows, or,
    if it is that of a bilingual format, what is no file, such as a model:

    >>> complete(["train-smt", "--train", "text.tmx", "--dev", "a.en", "a.de"])
    ['train-smt', '--train', 'text.tmx', 'text.tmx', '--dev', 'a.en', 'a.de']
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    completed = list[str]()
    for k, word in enumerate(arguments):
        completed.append(word)
        option, _, name = word.partition("=")
        name = word if k and arguments[k - 1] in FILES else name * (option in FILES)
        is_name = name and not name.startswith("-") and not name.isdecimal()  # a count of pairs
        if k < end and is_name and _is_alone(name, arguments[k + 1 : end]):
            completed.append(name)
    return completed


def _is_alone(name: str, following: Sequence[str]) -> bool:
    """See ``complete``."""
    from mtkit.text.formats.names import format_of

    if not following or following[0].startswith("-"):
        return True
    return bool(format_of(Path(name))) and not Path(following[0]).is_file()
