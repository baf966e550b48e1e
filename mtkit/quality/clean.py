"""What stays of a checked corpus, with the line numbers that it had."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mtkit.errors import InputError
from mtkit.quality.check import Report
from mtkit.text.formats.codes import ROLES


def refuse_unclean(report: Report, splits: Iterable[str]) -> None:
    """Raise InputError where it cannot be said which pairs of one of ``splits`` stay."""
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
    """The lines of a split, from 1, that stay: one number a line; of a bilingual file its lines."""
    lines = report.texts[split][0].number(report.keep[split])
    return b"".join(b"%d\n" % line for line in lines.tolist())


def write_clean(report: Report, pair: tuple[str, str] | None, directory: Path) -> None:
    r"""Write ``SPLIT.LL`` and ``SPLIT.lines``, the old line numbers, of every split into
    ``directory``. Lines end in ``\n`` and are UTF-8.

    pair: the languages LL; None where the sides of a bilingual file name them, FILE:LL. Raises
    InputError where they don't.
    """
    pair = pair or _named(report)
    for split, sides in report.texts.items():
        (directory / f"{split}.lines").write_bytes(line_numbers(report, split))
        for side, language in zip(sides, pair, strict=True):
            lines = [side.lines[row] for row in report.keep[split].tolist()]
            content = "".join(f"{line}\n" for line in lines).encode()
            (directory / f"{split}.{language}").write_bytes(content)


def _named(report: Report) -> tuple[str, str]:
    source, target = (side.path.name.rpartition(":")[2] for side in report.texts["train"])
    if (source, target) == ROLES:
        name = report.texts["train"][0].path.name.rpartition(":")[0]
        raise InputError(f"{name}: does not name both of its languages; name them with --pair")
    return source, target
