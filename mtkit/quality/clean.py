"""Write the pairs of a checked corpus that are kept, with their original line numbers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mtkit.errors import InputError
from mtkit.quality.check import Report
from mtkit.text.formats.codes import ROLES


def refuse_unclean(report: Report, splits: Iterable[str]) -> None:
    """Raise InputError if a split has sides of unequal length, exchanged sides, or no pair left."""
    for split in splits:
        source, target = report.texts[split]
        if split not in report.keep:
            raise InputError(
                f"{source.path} has {len(source):,} lines but {target.path} has {len(target):,}; "
                "run the check without --keep and --clean to see where they diverge"
            )
        if any(f.kind == "exchanged" and f.split == split for f in report.findings):
            raise InputError(
                f"{source.path} and {target.path} are exchanged; name them in the other order"
            )
        if not len(report.keep[split]):
            raise InputError(
                f"{source.path}: all pairs are damaged; the cleaned corpus would be empty"
            )


def line_numbers(report: Report, split: str) -> bytes:
    """Return the line numbers, from 1, of a split's kept pairs, one per line.

    For a bilingual file these are the lines where its pairs begin.
    """
    lines = report.texts[split][0].number(report.keep[split])
    return b"".join(b"%d\n" % line for line in lines.tolist())


def write_clean(report: Report, pair: tuple[str, str] | None, directory: Path) -> None:
    r"""Write ``SPLIT.LL`` and ``SPLIT.lines`` of every split into ``directory``.

    ``SPLIT.lines`` has the original line numbers. Files are UTF-8 with lines that end in ``\n``.
    pair: the languages LL; None if the sides of a bilingual file name them, FILE:LL. Raises
    InputError if they do not.
    """
    pair = pair or _languages(report)
    for split, sides in report.texts.items():
        (directory / f"{split}.lines").write_bytes(line_numbers(report, split))
        for side, language in zip(sides, pair, strict=True):
            lines = [side.lines[row] for row in report.keep[split].tolist()]
            content = "".join(f"{line}\n" for line in lines).encode()
            (directory / f"{split}.{language}").write_bytes(content)


def _languages(report: Report) -> tuple[str, str]:
    source, target = (side.path.name.rpartition(":")[2] for side in report.texts["train"])
    if (source, target) == ROLES:
        name = report.texts["train"][0].path.name.rpartition(":")[0]
        raise InputError(f"{name}: does not name both of its languages; name them with --pair")
    return source, target
