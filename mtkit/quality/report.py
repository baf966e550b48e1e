"""The findings of a check as tables for a terminal and a page, and as JSON."""

from __future__ import annotations

from typing import Any

import numpy as np

from mtkit.page.findings import Findings
from mtkit.page.tables import Cell, Grid, number, table
from mtkit.quality.check import Report
from mtkit.quality.coverage import Unknown
from mtkit.quality.finding import KINDS, Finding

LINES_SHOWN = 4  # line numbers that a table shows per finding


def findings(report: Report) -> Findings:
    """Return the report as tables and a verdict."""
    grids = [
        grid
        for caption, damage in (("Damage", True), ("Other findings", False))
        if (grid := _grid(report, caption, damage))
    ]
    if examples := _examples(report.findings):
        grids.append(examples)
    if report.unknown:
        grids.append(_unknown(report.unknown))
    files = ", ".join(
        f"{split}: {source.path.name} ({len(source):,} lines), {target.path.name} ({len(target):,})"
        for split, (source, target) in report.texts.items()
    )
    return Findings(
        "Quality of a corpus", "What is wrong with this text?", files, [], grids, verdict(report)
    )


def verdict(report: Report) -> list[str]:
    """Return sentences: what was not checked, then how much is damaged and what to do."""
    sentences = [f"{note[0].upper()}{note[1:]}." for note in report.notes]
    for split, (source, target) in report.texts.items():
        damaged = damaged_lines(report, split)
        if split not in report.keep:
            sentences.append(
                f"{split}: the sides do not correspond, {len(source):,} and {len(target):,} lines; "
                "repair the files and check them again."
            )
        elif damaged:
            share = _share(damaged, len(source))
            sentences.append(f"{split}: {damaged:,} of {len(source):,} lines damaged ({share}).")
        else:
            sentences.append(f"{split}: no damage found in {len(source):,} pairs.")
        if split in report.keep and (cleaning := _cleaning(report, split)):
            sentences[-1] += f" {cleaning}"
    return sentences


def _cleaning(report: Report, split: str) -> str:
    """Return which findings of a split ``--clean`` removes and which are only reported."""
    kinds = dict.fromkeys(f.kind for f in report.findings if f.split == split)
    drops, reports = (
        ", ".join(KINDS[kind].title for kind in kinds if KINDS[kind].drops == drops)
        for drops in (True, False)
    )
    kept = len(report.keep[split])
    n = len(report.texts[split][0]) - kept
    sentences = [f"--clean DIR drops {n:,} line{'s' * (n != 1)} ({drops}) and keeps {kept:,}."]
    return " ".join(sentences * bool(drops) + [f"Only reported: {reports}."] * bool(reports))


def damaged_lines(report: Report, split: str) -> int:
    """Return how many line numbers of a split are in findings of damage."""
    lines = [f.lines for f in report.findings if f.split == split and _is_damage(f)]
    return len(np.unique(np.concatenate(lines))) if lines else 0


def as_json(report: Report) -> dict[str, Any]:
    """Return the report with all line numbers, for JSON."""
    return {
        "texts": {
            split: {
                side: {"path": str(text.path), "lines": len(text)}
                for side, text in zip(("source", "target"), sides, strict=True)
            }
            for split, sides in report.texts.items()
        },
        "findings": [_object(f) for f in report.findings],
        "unknown": [row._asdict() for row in report.unknown],
        "keep": {split: len(rows) for split, rows in report.keep.items()},
        "damaged": {split: damaged_lines(report, split) for split in report.texts},
        "verdict": verdict(report),
    }


def _object(finding: Finding) -> dict[str, Any]:
    kind = KINDS[finding.kind]
    data = {
        "kind": finding.kind, "title": kind.title, "damage": kind.damage,
        "dropped": kind.drops, "split": finding.split,
        "where": finding.file_or_split, "count": len(finding.lines), "of": finding.total,
        "lines": finding.lines.tolist(), "detail": finding.detail, "advice": kind.advice,
        "examples": [{"line": line, "text": text} for line, text in finding.examples],
    }  # fmt: skip
    if finding.places:
        data["bytes"] = [{"line": n, "byte": byte, "value": b} for n, byte, b in finding.places]
    return data


def _is_damage(finding: Finding) -> bool:
    return KINDS[finding.kind].damage


def _grid(report: Report, caption: str, damage: bool) -> Grid | None:
    selected = [f for f in report.findings if _is_damage(f) == damage]
    if not selected:
        return None
    columns = (
        ("In", lambda f: Cell(f.file_or_split)),
        ("Count", lambda f: number(len(f.lines), 0)),
        (
            "Share",
            lambda f: Cell(_share(len(f.lines), f.total), number=len(f.lines) / max(1, f.total)),
        ),
        ("--clean", lambda f: Cell(_outcome(report, f))),
        ("First lines", lambda f: Cell(_first_lines(f))),
    )
    kinds = dict.fromkeys(f.kind for f in selected)
    notes = [f"{f.file_or_split}: {f.detail}" for f in selected if f.detail]
    notes += [f"{KINDS[kind].title}: {KINDS[kind].advice}." for kind in kinds]
    return table(caption, [(KINDS[f.kind].title, f) for f in selected], columns, notes, "Finding")


def _outcome(report: Report, finding: Finding) -> str:
    """Return what ``--clean`` does with the lines of a finding."""
    if finding.split not in report.keep or finding.kind == "exchanged":
        return "refuses"
    return "drops" if KINDS[finding.kind].drops else "keeps"


def _first_lines(finding: Finding) -> str:
    shown = [f"{line}" for line in finding.lines[:LINES_SHOWN].tolist()]
    return ", ".join(shown + ["…"] * (len(finding.lines) > LINES_SHOWN))


def _share(part: int, whole: int) -> str:
    share = 100 * part / max(1, whole)
    return f"{share:.1f} %" if share >= 0.1 or not part else f"{share:.2g} %"


def _examples(selected: list[Finding]) -> Grid | None:
    rows = [
        [Cell(text), Cell(KINDS[f.kind].title), Cell(f.file_or_split), number(line, 0)]
        for f in selected
        for line, text in f.examples
    ]
    return Grid("Examples", ("Text", "Finding", "In", "Line"), rows) if rows else None


def _unknown(rows: list[Unknown]) -> Grid:
    columns = (
        ("Words", lambda u: number(u.tokens, 0)),
        ("Unknown", lambda u: number(100 * u.unknown / max(1, u.tokens), 1)),
        ("Types", lambda u: number(u.types, 0)),
        ("Unknown types", lambda u: number(100 * u.unknown_types / max(1, u.types), 1)),
    )
    caption = "Words not in the training text, in per cent"
    return table(caption, [(row.side, row) for row in rows], columns, first="File")
