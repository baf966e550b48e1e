"""The command line: one thin function per command, each in its own file.

A command parses its options and prints results; a function of the library does the work. Slow
imports (torch, numba, sacrebleu) are inside the functions, so that ``--help`` answers at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from mtkit.cli.usage import Command, Group

FILES = ("--train", "--dev", "--test")  # options of a source and a target file

app = typer.Typer(
    name="mtkit",
    cls=Group,
    help="Train a statistical and a neural translator on the same text, translate with either, "
    "and see where and why one beats the other. Most commands work without arguments.",
    epilog="mtkit train-smt\nmtkit translate < in.en > out.de\nmtkit compare --html report.html",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _add(
    heading: str, name: str, command: Callable[..., None], *examples: str, **settings: bool
) -> None:
    """Add a command under a heading of the help, with examples; settings: for click's context."""
    app.command(
        name,
        cls=Command,
        rich_help_panel=heading,
        epilog="\n".join(examples),
        context_settings=dict(settings) or None,
    )(command)


TRAIN, TRANSLATE, COMPARE = "Train", "Translate", "Compare"
INSIDE, CORPORA, MODELS = "Look inside", "Corpora", "Models"

_add(
    TRAIN, "train-smt", train_smt.train_smt,
    "mtkit train-smt", "mtkit train-smt --train my.en my.de --dev dev.en dev.de",
)  # fmt: skip
_add(
    TRAIN, "train-nmt", train_nmt.train_nmt,
    "mtkit train-nmt --preset quick", "mtkit train-nmt --train my.en my.de --minutes 30",
)  # fmt: skip
_add(
    TRAIN, "combine", combine.combine,
    "mtkit combine", "mtkit combine models/smt-en-de models/nmt-en-de --out models/both",
)  # fmt: skip
_add(
    TRANSLATE, "translate", translate.translate,
    "mtkit translate < in.en > out.de", "mtkit translate app.xlf -o app.xlf --glossary terms.tsv",
    allow_extra_args=True,
)  # fmt: skip
_add(
    COMPARE, "compare", compare.compare,
    "mtkit compare --html report.html",
    "mtkit compare models/smt-en-de other=other.de --test test.en test.de",
    "mtkit compare --scores smt-en-de:COMET=smt.comet --latex scores.tex",
)  # fmt: skip
_add(
    COMPARE, "perplexity", perplexity.perplexity,
    "mtkit perplexity --html perplexity.html",
    "mtkit perplexity models/smt-en-de --text my.de --tokens",
)  # fmt: skip
_add(
    COMPARE, "contrast", contrast.contrast,
    "mtkit corpus make", "mtkit contrast --html contrast.html",
)  # fmt: skip
_add(
    INSIDE, "explain", explain.explain,
    'mtkit explain "Where is the train?" --html why.html',
)  # fmt: skip
_add(
    INSIDE, "align", align.align,
    "mtkit align > links.txt", "mtkit align --aligner hmm --train my.en my.de",
)  # fmt: skip
_add(INSIDE, "watch", watch.watch, "mtkit watch house")
_add(INSIDE, "encode", encode.encode, "mtkit encode < in.en")
_add(
    INSIDE, "gradients", gradients.gradients,
    "mtkit gradients --html laboratory.html", "mtkit gradients --model models/laboratory",
)  # fmt: skip
app.add_typer(corpus.app, rich_help_panel=CORPORA)
_add(MODELS, "info", info.info, "mtkit info models/smt-en-de --check")
_add(MODELS, "import", moses.import_model, "mtkit import moses.ini --pair en-de")
_add(MODELS, "export", moses.export_model, "mtkit export models/smt-en-de --out moses")


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
    """Repeat the name of a bilingual file where Typer expects a file of each language.

    A name after --train, --dev or --test stands for both files if it is the last word or an option
    follows. A name with the extension of a bilingual format also does if the next word is no file:

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
    """Return whether ``name`` stands for both files; see ``complete``."""
    from mtkit.text.formats.names import format_of

    if not following or following[0].startswith("-"):
        return True
    return bool(format_of(Path(name))) and not Path(following[0]).is_file()
