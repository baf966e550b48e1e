"""Run all checks of a corpus and collect their findings; each file is read once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mtkit.errors import InputError
from mtkit.quality import languages, lengths
from mtkit.quality.characters import check_characters, tags
from mtkit.quality.coverage import Unknown, unknown, unspaced
from mtkit.quality.finding import KINDS, Finding, numbers, quoted, rows_of
from mtkit.quality.parallel import doubt
from mtkit.quality.side import Side
from mtkit.quality.slip import Slip, find_slips, shared
from mtkit.quality.words import Ids, has_letter, without_codes
from mtkit.smt.flat import Bool, Flat, Int64
from mtkit.text import repeats
from mtkit.text.corpus import Files
from mtkit.text.formats import bilingual
from mtkit.text.formats.choice import Choice
from mtkit.text.formats.codes import ROLES
from mtkit.text.tokenizer import Kind as Tokenizer
from mtkit.text.vocabulary import SPECIALS

MAX_NAME_WORDS = 3  # most words that identical sides may have without a finding: a name, a number
SLIPS = 5  # slips that a message names
RUN, WINDOW = 20, 400  # RUN doubtful pairs within WINDOW pairs may be a slip
Sides = tuple[Side, Side]


@dataclass(frozen=True)
class Report:
    """The result of all checks.

    findings: damage first, then by split. keep: rows, from 0, of each split that a clean corpus
    keeps; only for splits with sides of equal length. notes: what was not checked, and why.
    """

    texts: dict[str, Sides]
    findings: list[Finding]
    keep: dict[str, Int64]
    unknown: list[Unknown]
    notes: list[str] = field(default_factory=list)


@dataclass
class _Pairs:
    """The splits whose sides have equally many lines, concatenated to S pairs."""

    texts: dict[str, Sides]
    source: list[str] = field(default_factory=list)
    target: list[str] = field(default_factory=list)
    first: dict[str, int] = field(default_factory=dict)  # first row of each split

    def __post_init__(self) -> None:
        for split, (source, target) in self.texts.items():
            self.first[split] = len(self.source)
            self.source += source.lines
            self.target += target.lines
        self.damaged = np.zeros(len(self.source), bool)  # (S,), by the findings so far

    def rows(self, split: str) -> slice:
        """Return the rows of a split."""
        return slice(self.first[split], self.first[split] + len(self.texts[split][0]))

    def findings(self, kind: str, mask: Bool) -> Iterator[Finding]:
        """Yield a finding for each split in which ``mask``, bool (S,), is true somewhere."""
        for split, (source, target) in self.texts.items():
            rows = rows_of(mask[self.rows(split)])
            if len(rows):
                examples = quoted(rows, source.lines, target.lines)
                yield Finding(kind, split, split, numbers(rows), len(source), examples)


def read_sides(
    files: dict[str, Files], languages: tuple[str, str] | None = None, file_format: str = ""
) -> dict[str, Sides]:
    """Read both files of each split. Raises InputError if one cannot be read, or has no text.

    languages, file_format: for bilingual files, see ``Bitext.read``. Their sides, called FILE:LL,
    are the pairs with text in both languages. A pair's number is the line where it begins; if
    several pairs begin on one line, pairs are counted from 1.
    """
    texts = {
        split: (Side.read(a), Side.read(b)) if a != b else _read_both(a, languages, file_format)
        for split, (a, b) in files.items()
    }
    for side in (side for sides in texts.values() for side in sides):
        if side.blank().all():
            raise InputError(f"{side.path}: the file is empty; parallel text is needed here")
    return texts


def _read_both(path: Path, languages: tuple[str, str] | None, file_format: str) -> Sides:
    choice = Choice(path, languages)
    *texts, names = bilingual.read_choice(path, choice, file_format)
    begins = None if choice.numbers is None else np.array(choice.numbers, np.int64)
    source, target = (
        Side.of(
            path.with_name(f"{path.name}:{name}"), "".join(f"{y}\n" for y in lines).encode(), begins
        )
        for name, lines in zip(names if all(names) else ROLES, texts, strict=True)
    )
    return source, target


def check(texts: dict[str, Sides], tokenizer: Tokenizer = "words") -> Report:
    """Check all splits; ``train`` is one of them, and the others are compared with it."""
    findings = [f for split, sides in texts.items() for f in _by_side(split, sides)]
    notes: list[str] = []
    uneven = [split for split, (source, target) in texts.items() if len(source) != len(target)]
    findings += [_unequal(split, texts[split], tokenizer) for split in uneven]
    if uneven:
        notes.append(
            f"pairs not checked, as the sides have different numbers of lines: {', '.join(uneven)}"
        )
    pairs = _Pairs({split: sides for split, sides in texts.items() if split not in uneven})
    for finding in findings:
        _mark(pairs, finding)
    coverage: list[Unknown] = []
    for finding in _by_pair(pairs, tokenizer, coverage, notes):
        findings.append(finding)
        _mark(pairs, finding)
    keep = {split: rows_of(~pairs.damaged[pairs.rows(split)]) for split in pairs.texts}
    order = {split: k for k, split in enumerate(texts)}
    findings.sort(key=lambda f: (not KINDS[f.kind].damage, order[f.split], [*KINDS].index(f.kind)))
    findings = [_in_file(finding, texts[finding.split][0]) for finding in findings]
    return Report(texts, findings, keep, coverage, notes)


def _in_file(finding: Finding, side: Side) -> Finding:
    """Replace the numbers of a finding's pairs by line numbers of the bilingual file."""
    if side.numbers is None:
        return finding
    shown = side.number(np.array([row - 1 for row, _ in finding.examples], np.int64)).tolist()
    examples = tuple((line, text) for line, (_, text) in zip(shown, finding.examples, strict=True))
    return replace(finding, lines=side.number(finding.lines - 1), examples=examples)


def _mark(pairs: _Pairs, finding: Finding) -> None:
    """Mark the pairs of a finding as damaged if a clean corpus drops them."""
    if KINDS[finding.kind].drops and finding.split in pairs.first:
        pairs.damaged[finding.lines - 1 + pairs.first[finding.split]] = True


def _by_side(split: str, sides: Sides) -> Iterator[Finding]:
    for side in sides:
        yield from check_characters(split, side)
        script, rows = unspaced(side.lines)
        if script:
            name, samples = side.path.name, quoted(rows, side.lines)
            lines = numbers(rows)
            yield Finding("unspaced", split, name, lines, len(side), samples, f"{script}, a sample")


def _unequal(split: str, sides: Sides, tokenizer: Tokenizer) -> Finding:
    source, target = sides
    slips = _slips(sides, tokenizer)
    longer = int(len(target) > len(source))
    rows = [np.arange(slip.first, slip.last + 1) for slip in slips if slip.side == longer]
    lines = np.concatenate([np.empty(0, np.int64), *rows])
    detail = f"{source.path.name} has {len(source):,} lines, {target.path.name} {len(target):,}; "
    detail += _where(slips, sides) or "too different to find the line where they diverge"
    examples = quoted(lines - 1, sides[longer].lines)
    name = sides[longer].path.name
    return Finding("unequal", split, name, lines, len(sides[longer]), examples, detail)


def _slips(sides: Sides, tokenizer: Tokenizer) -> list[Slip]:
    ids, (source, target) = Ids(), (side.lines for side in sides)
    x, y = ids.flat(source, tokenizer), ids.flat(target, tokenizer)
    names = shared(x, y, len(ids) + len(SPECIALS))
    return find_slips(lengths.characters(source), lengths.characters(target), x, y, names)


def _where(slips: list[Slip], sides: Sides) -> str:
    """Return the first slips as a phrase; "" if there are none."""
    places = (_place(slip, sides[slip.side]) for slip in slips[:SLIPS])
    more = f" and {len(slips) - SLIPS:,} more" if len(slips) > SLIPS else ""
    return f"without a partner, probably: {', '.join(places)}{more}" if slips else ""


def _place(slip: Slip, side: Side) -> str:
    first, last = side.number(np.array([slip.first, slip.last]) - 1).tolist()
    return f"{side.path.name} line {first:,}" + (f"–{last:,}" if last > first else "")


def _by_pair(
    pairs: _Pairs, tokenizer: Tokenizer, coverage: list[Unknown], notes: list[str]
) -> Iterator[Finding]:
    """Yield the findings about pairs; later checks skip the pairs that earlier ones marked."""
    yield from _surface(pairs)
    if "train" not in pairs.texts:
        return
    ids = Ids()
    x, y = ids.flat(pairs.source, tokenizer), ids.flat(pairs.target, tokenizer)
    texts = [[*map(without_codes, side)] for side in (pairs.source, pairs.target)]
    plain = [ids.flat(side, tokenizer) for side in texts]
    yield from _languages(pairs, plain[0], plain[1], ids)
    wordless = [not has_letter(s + t) for s, t in zip(*texts, strict=True)]
    size, train = len(ids) + len(SPECIALS), pairs.rows("train")
    for split, sides in pairs.texts.items():
        for words, side in zip((x, y), sides, strict=True):
            counts = np.bincount(words.words[_span(words, train)], minlength=size)
            if split != "train":
                part = Flat(words.words[_span(words, pairs.rows(split))], np.zeros(1, np.int64))
                coverage.append(unknown(split, side.path.name, part, counts))
    s, t = lengths.characters(pairs.source), lengths.characters(pairs.target)
    extreme = lengths.extreme(s, t, ~pairs.damaged)
    yield from pairs.findings("length-ratio", extreme)
    yield from _parallel(pairs, x, y, ids, np.array(wordless, bool), extreme, tokenizer, notes)
    yield from _repeats(pairs)


def _span(words: Flat, rows: slice) -> slice:
    return slice(int(words.begin[rows.start]), int(words.begin[rows.stop]))


def _surface(pairs: _Pairs) -> Iterator[Finding]:
    """Yield the findings of blank sides, of tags, and of identical sides."""
    blank, differ = np.zeros((2, len(pairs.source)), bool)
    alike = differ.copy()
    for split, (source, target) in pairs.texts.items():
        rows, first = pairs.rows(split), pairs.first[split]
        blank[rows] = source.blank() | target.blank()
        of_source, of_target = tags(source), tags(target)
        for row in of_source.keys() | of_target.keys():
            same = of_source.get(row) == of_target.get(row)
            (alike if same else differ)[first + row] = True
    yield from pairs.findings("empty", blank)
    yield from pairs.findings("markup", differ)
    yield from pairs.findings("markup-both", alike)
    sides = zip(pairs.source, pairs.target, strict=True)
    copied = [s == t and len(without_codes(s).split()) > MAX_NAME_WORDS for s, t in sides]
    yield from pairs.findings("identical", np.array(copied, bool) & ~blank)


def _languages(pairs: _Pairs, x: Flat, y: Flat, ids: Ids) -> Iterator[Finding]:
    fold, words = ids.folded()
    x, y = Flat(fold[x.words], x.begin), Flat(fold[y.words], y.begin)
    train = pairs.rows("train")
    is_word = np.fromiter((has_letter(word) is not None for word in words), bool, len(words))
    counts = [np.bincount(f.words[_span(f, train)], minlength=len(words)) * is_word for f in (x, y)]
    in_train = np.zeros(len(pairs.source), bool)
    in_train[train] = True
    a = languages.evidence(x, counts[0], counts[1], in_train)
    b = languages.evidence(y, counts[1], counts[0], in_train)
    usable = ~pairs.damaged
    swapped = (a > languages.BOTH_WRONG) & (b > languages.BOTH_WRONG)
    for split in pairs.texts:
        rows = pairs.rows(split)
        if split != "train" and 2 * swapped[rows].sum() > len(swapped[rows]):
            mask = np.zeros(len(swapped), bool)
            mask[rows] = True
            yield from pairs.findings("exchanged", mask)
            usable[rows] = False
            pairs.damaged[rows] = True  # no other check can judge them
    one_sided = (a > languages.ONE_WRONG) ^ (b > languages.ONE_WRONG)
    for own, other, count in ((x, y, counts[0]), (y, x, counts[1])):
        one_sided |= languages.foreign(own, other, count, words, in_train)
    yield from pairs.findings("swapped", swapped & usable)
    yield from pairs.findings("wrong-language", one_sided & usable & ~swapped)


def _parallel(
    pairs: _Pairs, x: Flat, y: Flat, ids: Ids, wordless: Bool, extreme: Bool, tokenizer: Tokenizer,
    notes: list[str],
) -> Iterator[Finding]:  # fmt: skip
    """Yield the findings of pairs that are not parallel; ``wordless`` pairs are not judged."""
    keys = repeats.exact_keys(pairs.source), repeats.exact_keys(pairs.target)
    repeated = repeats.repeated(repeats.combined_keys(*keys))
    verdict = doubt(x, y, list(ids), ~pairs.damaged & ~wordless, repeated)
    if verdict is None:
        notes.append("not checked: whether pairs are parallel (too few pairs to estimate a model)")
        return
    if not verdict.apart:
        sides = pairs.texts["train"]
        detail = _where(_slips(sides, tokenizer), sides)
        all_lines = np.arange(1, len(sides[0]) + 1)
        yield Finding("unrelated", "train", "train", all_lines, len(sides[0]), (), detail)
        return
    for finding in pairs.findings("not-parallel", verdict.not_parallel):
        slips, sides = [], pairs.texts[finding.split]
        marked = np.flatnonzero((verdict.not_parallel | extreme)[pairs.rows(finding.split)])
        if (marked[RUN - 1 :] - marked[: 1 - RUN] < WINDOW).any():  # each side may have lost lines
            slips = _slips(sides, tokenizer)
        yield replace(finding, detail=_where(slips, sides))


def _repeats(pairs: _Pairs) -> Iterator[Finding]:
    """Yield the findings of training pairs that are duplicates, or that dev or test contain."""
    blank = np.fromiter((not s.strip() for s in pairs.source), bool, len(pairs.source))
    exact = [repeats.exact_keys(side) for side in (pairs.source, pairs.target)]
    near = [repeats.near_keys(side) for side in (pairs.source, pairs.target)]
    train = pairs.rows("train")
    duplicate, near_duplicate = np.zeros((2, len(blank)), bool)
    rows = np.flatnonzero(~pairs.damaged[train]) + train.start
    duplicate[rows] = repeats.repeated(repeats.combined_keys(*(key[rows] for key in exact)))
    near_duplicate[rows] = repeats.repeated(repeats.combined_keys(*(key[rows] for key in near)))
    yield from pairs.findings("duplicate", duplicate)
    yield from pairs.findings("near-duplicate", near_duplicate & ~duplicate)
    held_out = np.ones(len(blank), bool)
    held_out[train] = False
    held_out &= ~blank
    leak = _leaks(exact[0], held_out, train)
    near_leak = _leaks(near[0], held_out, train) | _leaks(near[1], held_out, train)
    yield from pairs.findings("leak", leak & ~blank)
    yield from pairs.findings("near-leak", near_leak & ~leak & ~blank & ~pairs.damaged)


def _leaks(keys: Int64, held_out: Bool, train: slice) -> Bool:
    """Return which rows of the training text have the key of a held-out row, bool (S,)."""
    is_leak = np.zeros(len(keys), bool)
    is_leak[train] = np.isin(keys[train], keys[held_out])
    return is_leak
