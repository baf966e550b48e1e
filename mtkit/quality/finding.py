"""The kinds of findings with advice for each, and the class of one finding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtkit.smt.flat import Bool, Int64

EXAMPLES = 3  # examples per finding
SHOWN = 200  # characters shown per side of an example


@dataclass(frozen=True)
class Kind:
    """A kind of finding.

    title: its name in reports. advice: what to do. drops: whether a clean corpus drops the pair.
    damage: whether it is an error rather than a property of the text.
    """

    title: str
    advice: str
    drops: bool = True
    damage: bool = True


KINDS = {
    "encoding": Kind("not UTF-8", "convert with iconv -f CP1252 -t UTF-8, or drop the lines"),
    "nul": Kind("NUL bytes", "drop the lines; a file full of them is UTF-16: iconv -f UTF-16"),
    "control": Kind("control characters", "delete the characters or drop the lines"),
    "line-separator": Kind(
        "U+2028, U+2029 or U+0085", "replace them by blanks: other tools break lines there"
    ),
    "bom": Kind("byte order mark", "nothing: mtkit skips it; other tools may not", False, False),
    "bom-inside": Kind("U+FEFF inside a line", "delete it: a joined file began with it"),
    "line-ends": Kind("mixed line ends", "convert with dos2unix; --clean writes \\n", False),
    "replacement": Kind("U+FFFD", "text was lost in a conversion; convert the original again"),
    "mojibake": Kind("mojibake (Ã¤ for ä)", "UTF-8 was read as Latin-1; convert it again"),
    "markup": Kind("tags on one side", "remove markup, or give both sides the same tags"),
    "markup-both": Kind(
        "tags on both sides", "nothing, if they are intended: translators copy them", False, False
    ),
    "entity": Kind("entities (&amp;)", "unescape the text, as Python's html.unescape does", False),
    "bars": Kind("|||", "drop the lines: it separates fields in alignments and phrase tables"),
    "joiner": Kind("joiner ￭", "give mtkit untokenised text, or --tokenizer none", False),
    "empty": Kind("no text on a side", "drop the lines; training skips them"),
    "identical": Kind("identical sides", "drop the lines: nothing is translated"),
    "swapped": Kind("sides swapped", "exchange the sides of these lines, or drop them"),
    "wrong-language": Kind("wrong language", "drop the lines"),
    "exchanged": Kind("files exchanged", "name the two files in the other order", False),
    "length-ratio": Kind("extreme length ratio", "look at the lines; drop what is cut or joined"),
    "not-parallel": Kind("not parallel", "look at the lines; many in a row: the sides are shifted"),
    "unrelated": Kind(
        "sides do not correspond",
        "IBM Model 1 predicts them no better than random pairs; find where the sides are shifted",
        False,
    ),
    "duplicate": Kind("duplicate pairs", "keep one of each, unless counts matter", True, False),
    "near-duplicate": Kind(
        "near duplicates", "they differ in case, digits, punctuation; rarely harmful", False, False
    ),
    "leak": Kind("in dev or test, too", "drop from train: scores would be too high"),
    "near-leak": Kind(
        "nearly in dev or test", "one side differs only in case, digits, punctuation", False, False
    ),
    "unequal": Kind("unequal counts", "find where the sides are shifted; repair the files", False),
    "unspaced": Kind(
        "no spaces between words",
        "segment the text with a tool for its language, then use --tokenizer none", False, False,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """A finding about one file, or about the pairs of one split.

    kind: a key of ``KINDS``. file_or_split: its name. lines: from 1, ascending. total: number of
    lines in the file or split. examples: (line, text). detail: an extra sentence.
    """

    kind: str
    split: str
    file_or_split: str
    lines: Int64
    total: int
    examples: tuple[tuple[int, str], ...] = ()
    detail: str = ""
    places: tuple[tuple[int, int, int], ...] = ()  # (line, byte, value), kind encoding only


def numbers(rows: Iterable[int] | NDArray[np.bool_]) -> Int64:
    """Return the line numbers, from 1, of rows from 0 or of a mask, int64."""
    if isinstance(rows, np.ndarray):
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        return rows.astype(np.int64) + 1
    return np.fromiter(rows, np.int64) + 1


def quoted(rows: Sequence[int] | Int64, *sides: Sequence[str]) -> tuple[tuple[int, str], ...]:
    """Return examples: line number, from 1, and text of each side, for the first ``rows``."""
    return tuple(
        (int(row) + 1, "  →  ".join(side[row][:SHOWN] for side in sides)) for row in rows[:EXAMPLES]
    )


def rows_of(mask: Bool) -> Int64:
    """Return the rows, from 0, where ``mask`` is true, int64."""
    return np.flatnonzero(mask).astype(np.int64)
