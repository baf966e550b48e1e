"""Choose the two languages of a bilingual file that are its source and its target."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

from mtkit.console import note
from mtkit.errors import InputError
from mtkit.text.formats.codes import ROLES, distance

Unit = dict[str, str]  # language, or one of ROLES → text
Numbered = tuple[int, Unit]  # line of the file where the unit begins, and the unit
Pair = tuple[str, str]
LINES_SHOWN = 4  # lines of incomplete units that a message lists
NAMES_SHOWN = 10  # languages that a message lists
_BREAKS = re.compile(r"\s*[\r\n]\s*")


class Choice:
    """Takes source and target from units, and counts the units.

    wanted: the languages; None for those of the first complete unit.
    """

    def __init__(self, path: Path, wanted: Pair | None) -> None:
        self.path = path
        self.wanted = wanted
        self.seen = Counter[str]()  # units per language, in order of appearance
        self.chosen = Counter[Pair]()  # units per pair of keys that were taken
        self.units = self.broken = 0
        self.lines = array("q")  # line where the unit of each pair begins
        self.lacking = list[int]()  # lines of the first ``LINES_SHOWN`` incomplete units
        self._keys: dict[tuple[str, ...], Pair | None] = {}  # keys of a unit → keys to take

    @property
    def languages(self) -> Pair:
        """Languages of source and target, each "" if nothing names it."""
        source, target = self.wanted or next(iter(self.chosen))
        return ("" if source in ROLES else source), ("" if target in ROLES else target)

    @property
    def numbers(self) -> Sequence[int] | None:
        """Line where each pair taken begins; None if two of them begin on the same line."""
        return self.lines if all(a < b for a, b in pairwise(self.lines)) else None

    def pairs(self, units: Iterable[Numbered]) -> Iterator[Pair]:
        """Yield (source, target) of each unit with text in both, as one line each.

        At the end it reports on stderr what was left out, changed or matched inexactly. Raises
        InputError if no unit is complete, and if ``wanted`` is None and the file has more than two
        languages.
        """
        for line, unit in units:
            self.units += 1
            self.seen.update(unit.keys())
            keys = self._of(unit)
            if keys is None or not all(unit[key].strip() for key in keys):
                self.lacking += [line] * (len(self.lacking) < LINES_SHOWN)
                continue
            source, target = unit[keys[0]], unit[keys[1]]
            pair = one_line(source), one_line(target)
            self.broken += pair != (source, target)
            self.chosen[keys] += 1
            self.lines.append(line)
            yield pair
        self._check()
        self._report()

    def _of(self, unit: Unit) -> Pair | None:
        """Return the keys of the texts to take; None if one is missing."""
        names = tuple(unit)
        if names not in self._keys:
            if self.wanted is None and len(names) > 1 and not self.chosen:
                return names[0], names[1]
            wanted = self.wanted or next(iter(self.chosen), None)
            self._keys[names] = pick(names, wanted) if wanted else None
        return self._keys[names]

    def _check(self) -> None:
        contents = listed([f"{name} ({n:,} units)" for name, n in self.seen.items()])
        if self.wanted is None and len(self.seen) > 2:
            raise InputError(
                f"{self.path}: holds more than two languages: {contents}; name two of them with "
                "--pair, as in --pair en-de"
            )
        if self.chosen:
            return
        if not self.units:
            raise InputError(f"{self.path}: no sentence pairs; expected parallel text")
        if self.wanted and pick(tuple(self.seen), self.wanted) is None:
            raise InputError(
                f"{self.path}: no text in {' and '.join(self.wanted)}; found {contents}; choose "
                "two of these with --pair, or name another file"
            )
        raise InputError(f"{self.path}: none of {self.units:,} units has text in both languages")

    def _report(self) -> None:
        complete = self.chosen.total()
        if n_lacking := self.units - complete:
            lines = ", ".join(map(str, self.lacking)) + ", …" * (n_lacking > len(self.lacking))
            _note_once(
                f"{self.path}: {n_lacking:,} of {self.units:,} units lack text on a side; left out "
                f"(line {lines})"
            )
        if self.broken:
            _note_once(
                f"{self.path}: line breaks became blanks in {self.broken:,} of {complete:,} pairs"
            )
        for side in (0, 1):
            language, counts = self.languages[side], Counter[str]()
            for keys, n in self.chosen.items():
                counts[keys[side]] += n
            others = [f"{name} ({n:,} pairs)" for name, n in counts.items() if name != language]
            if others and not set(counts) & set(ROLES):
                _note_once(f"{self.path}: read as {language}: {listed(others)}")


@cache
def _note_once(text: str) -> None:
    """Print a note, once only: several stages of a command may read the same file."""
    note(text)


def listed(names: Sequence[str]) -> str:
    """Return the first ``NAMES_SHOWN`` names as text."""
    return ", ".join(names[:NAMES_SHOWN]) + ", …" * (len(names) > NAMES_SHOWN)


def pick(names: tuple[str, ...], wanted: Pair) -> Pair | None:
    """Return the keys of the texts closest to the languages ``wanted``; None if one is missing.

    A text without a named language is taken for the wanted language that no other text is in.

    >>> pick(("en-US", "en", "de-AT"), ("en", "de")), pick(("source", "de"), ("de", "en"))
    (('en', 'de-AT'), ('de', 'source'))
    """
    keys: list[str | None] = []
    for language in wanted:
        unused = [name for name in names if name not in keys]
        distances = [(distance(language, name), k) for k, name in enumerate(unused)]
        matching = [(d, k) for d, k in distances if d is not None]
        keys.append(unused[min(matching)[1]] if matching else None)
    roles = [role for role in ROLES if role in names]
    for side, end in ((0, 0), (1, -1)):
        if keys[side] is None and roles:
            keys[side] = roles.pop(end)
    source, target = keys
    return None if source is None or target is None else (source, target)


def one_line(text: str) -> str:
    r"""Return ``text`` with a space for each line break, and without line breaks at its ends.

    >>> one_line("\n  two\n  lines\n")
    'two lines'
    """
    if "\n" not in text and "\r" not in text:
        return text
    pieces = _BREAKS.split(text)
    return " ".join(piece for piece in pieces if piece)
