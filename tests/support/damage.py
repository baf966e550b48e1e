"""A copy of a corpus with damage of every kind, and the damaged line numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

OTHERS = (
    "Les enfants jouaient dehors pendant que leurs parents préparaient ensemble un repas copieux",
    "Wczoraj wieczorem poszliśmy nad rzekę i długo rozmawialiśmy o naszych planach wakacyjnych",
    "Después del trabajo ella siempre compra naranjas frescas y vuelve caminando hasta su casa",
)
COPIES = 3  # of each kind of damage


@dataclass
class Damaged:
    """source, target: lines without line ends. lines: (kind, side) → damaged line numbers, from 1;
    side: "source" or "target" if one file is damaged, otherwise "pair".
    """

    source: list[bytes]
    target: list[bytes]
    lines: dict[tuple[str, str], set[int]] = field(default_factory=dict)

    def write(self, where: Path, languages: tuple[str, str], end: bytes = b"\n") -> None:
        for side, language in zip((self.source, self.target), languages, strict=True):
            (where / f"train.{language}").write_bytes(b"".join(line + end for line in side))


# (kind, side) → the change of a line's bytes.
IN_ONE_FILE: dict[tuple[str, str], Callable[[bytes], bytes]] = {
    ("encoding", "source"): lambda s: s[:5] + b"\xff\xfe" + s[5:],
    ("encoding", "target"): lambda s: s + b" \xe4hnlich",
    ("nul", "source"): lambda s: s + b"\x00",
    ("control", "target"): lambda s: s[:3] + b"\x07" + s[3:],
    ("line-separator", "source"): lambda s: s.replace(b" ", "\u2028".encode(), 1),
    ("bom-inside", "target"): lambda s: "\ufeff".encode() + s,
    ("line-ends", "source"): lambda s: s + b"\r",
    ("replacement", "target"): lambda s: s + " verlo\ufffd".encode(),
    ("mojibake", "target"): lambda s: s + " schön für".encode().decode("cp1252").encode(),
    ("entity", "source"): lambda s: s + b" &amp; more",
    ("bars", "target"): lambda s: s.replace(b" ", b" ||| ", 1),
    ("joiner", "source"): lambda s: s + " ￭.".encode(),
}


def plant(source: list[bytes], target: list[bytes], dev: list[tuple[bytes, bytes]]) -> Damaged:
    """Damage long lines that are far from each other; dev: pairs to leak into the text."""
    damaged = Damaged(source[:], target[:])
    rows = _free(source, target)

    def some(kind: str, side: str, change: Callable[[int], tuple[bytes, bytes]]) -> None:
        for _ in range(COPIES):
            row = next(rows)
            damaged.source[row], damaged.target[row] = change(row)
            damaged.lines.setdefault((kind, side), set()).add(row + 1)

    for (kind, side), change in IN_ONE_FILE.items():
        if side == "source":
            some(kind, side, lambda row, change=change: (change(source[row]), target[row]))
        else:
            some(kind, side, lambda row, change=change: (source[row], change(target[row])))
    leaks, others = iter(dev), iter(OTHERS)
    other = len(source) // 2
    some("markup", "pair", lambda row: (source[row], b"<seg>" + target[row] + b"</seg>"))
    some(
        "markup-both",
        "pair",
        lambda row: (b"<b>" + source[row] + b"</b>", b"<b>" + target[row] + b"</b>"),
    )
    some("empty", "pair", lambda row: (source[row], b"  "))
    some("identical", "pair", lambda row: (source[row], source[row]))
    some("swapped", "pair", lambda row: (target[row], source[row]))
    some("wrong-language", "pair", lambda row: (target[next(rows)], target[row]))
    some("wrong-language", "pair", lambda row: (source[row], next(others).encode()))
    some("length-ratio", "pair", lambda row: (source[row], b" ".join([target[row]] * 6)))
    some("not-parallel", "pair", lambda row: (source[row], target[next(rows)]))
    some("duplicate", "pair", lambda row: (source[row - other], target[row - other]))
    some(
        "near-duplicate", "pair",
        lambda row: (source[row - other + 1].upper(), target[row - other + 1] + b" !"),
    )  # fmt: skip
    some("leak", "pair", lambda row: next(leaks))
    some("near-leak", "pair", lambda row: _nearly(*next(leaks)))
    return damaged


def _nearly(source: bytes, target: bytes) -> tuple[bytes, bytes]:
    return b'"' + source.lower() + b'"', target


def _free(source: list[bytes], target: list[bytes]) -> Iterator[int]:
    """Yield rows of the second half, 20 or more apart, with at least 9 words on both sides."""
    last = len(source) // 2 + 10
    for row in range(last, len(source)):
        if row - last >= 20 and min(len(source[row].split()), len(target[row].split())) >= 9:
            last = row
            yield row
