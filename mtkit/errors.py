"""Exceptions whose message is written for the user."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(Exception):
    """The call or its input is wrong; the message says where, and what to do.

    The command line prints it as one line on stderr and exits with code 2.
    """


class LossError(InputError):
    """The call would replace a model of another corpus in a place that it does not name.

    lost: the model, and what it was trained on.
    """

    def __init__(self, lost: str) -> None:
        super().__init__(f"{lost}; add --force to replace it, or name another directory with --out")
        self.lost = lost


class WorkError(Exception):
    """The work failed, although call and input are valid; one line on stderr, exit code 1."""


def check_choice(name: str, value: str, known: Iterable[str]) -> None:
    """Raise InputError if ``value``, given for the option ``name``, is not in ``known``."""
    if value not in known:
        hint = nearest(value, known)
        raise InputError(f"{name} {value}: unknown{hint}; choose one of {', '.join(known)}")


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a "did you mean" hint with the known word most similar to ``word``; "" for none.

    >>> nearest("hnm", ["ibm1", "hmm"]), nearest("x", ["hmm"])
    (' (did you mean hmm?)', '')
    """
    matches = difflib.get_close_matches(word, list(known), 1)
    return f" (did you mean {matches[0]}?)" if matches else ""
