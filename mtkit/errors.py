"""The exceptions whose text is written for the person at the keyboard."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(Exception):
    """The call or its input is wrong; the message names the place and says what to do.

    The command line prints it as one line on stderr and exits with code 2.
    """


class LossError(InputError):
    """A model of another corpus, which the call does not name, would be replaced.

    lost: which, and what it was trained on.
    """

    def __init__(self, lost: str) -> None:
        super().__init__(f"{lost}; add --force to replace it, or name another directory with --out")
        self.lost = lost


class WorkError(Exception):
    """The work failed, though call and input are in order; one line on stderr, exit code 1."""


def check_choice(name: str, value: str, known: Iterable[str]) -> None:
    """Raise InputError where the ``value`` of ``name`` is none of those known."""
    if value not in known:
        near = nearest(value, known)
        raise InputError(f"{name} {value}: unknown{near}; choose one of {', '.join(known)}")


def nearest(word: str, known: Iterable[str]) -> str:
    """A question for the known word that is most like ``word``; "" where none is.

    >>> nearest("hnm", ["ibm1", "hmm"]), nearest("x", ["hmm"])
    (' (did you mean hmm?)', '')
    """
    near = difflib.get_close_matches(word, list(known), 1)
    return f" (did you mean {near[0]}?)" if near else ""
