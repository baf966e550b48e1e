"""Mismatches: output that differs from the references in form, which makes its scores misleading.

    case      share of capitals among the letters
    tokens    most lines end in " .", as tokenised text does, or in a full stop after its word
    quotes    lines where one side has only “typographic” marks and the other only "straight" ones
    language  most output words are in the source and in no reference; or the share of output words
              that are in the references is far below the share of the words of a reference line
              that are in other reference lines

A mismatch is reported only if neither chance nor a weak system explains it.

Limits: words are runs of letters, so the language of text without spaces is not checked. Two kinds
of typographic quotes are not distinguished.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from mtkit.evaluation.statistics import Lines

CASED = 0.01  # smallest share of capitals in cased text
FAR_FEWER = 0.25  # a number below this share of the expected one is far smaller
MIN_EXPECTED = 10  # smallest expected number of capitals or shared words for a check
COMMON = 0.2  # smallest share of reference words in two lines or more, in text with spaces
COPIED = 0.6  # share of copied words above which the output is the source
QUOTED = 0.01  # smallest share of lines with other quotes that is reported
MARKS = (("„“”«»", '"'), ("‚‘’‹›", "'"))  # typographic and straight: quotes, apostrophes
WORD = re.compile(r"[^\W\d_]+")


def mismatches(
    sources: Lines, references: Sequence[Lines], outputs: Lines, ignore_case: bool, tokenize: str
) -> list[str]:
    """Return a clause for each mismatch: what is wrong, and what to do.

    references: the lines of each. ignore_case, tokenize: as in ``Scorer``. The functions for single
    checks return one clause, or an empty string if they find nothing.
    """
    merged = [" ".join(lines) for lines in zip(*references, strict=True)]
    clauses = [
        "" if ignore_case else case(merged, outputs),
        tokens(references[0], outputs, tokenize),
        quotes(merged, outputs),
        language(sources, merged, outputs),
    ]
    return list(filter(None, clauses))


def case(references: Lines, outputs: Lines) -> str:
    """Return a clause if one side has far fewer capitals than the other."""
    (ref, ref_letters), (out, out_letters) = map(_capitals, (references, outputs))
    if not ref_letters or not out_letters:
        return ""
    ref_share, out_share = ref / ref_letters, out / out_letters
    lacking = ref_share >= CASED and _far_fewer(out, ref_share * out_letters)
    if lacking or (out_share >= CASED > ref_share and _far_fewer(ref, out_share * ref_letters)):
        return (
            f"{100 * out_share:.1f} % of its letters are capitals, {100 * ref_share:.1f} % of the "
            "references'; scores count case (use --ignore-case to ignore it)"
        )
    return ""


def _far_fewer(number: int, expected: float) -> bool:
    return expected >= MIN_EXPECTED and number < FAR_FEWER * expected


def _capitals(lines: Lines) -> tuple[int, int]:
    """Return the numbers of capitals and of cased letters; 0, 0 if most letters have no case."""
    letters = Counter(c for line in lines for c in line if c.isalpha())
    cased = sum(n for c, n in letters.items() if c.lower() != c.title())  # not Georgian
    if cased <= letters.total() / 2:
        return 0, 0
    return sum(n for c, n in letters.items() if c.isupper()), cased


def tokens(references: Lines, outputs: Lines, tokenize: str) -> str:
    """Return a clause if one side is tokenised, or both are but are scored as plain text."""
    if looks_tokenized(outputs):
        if not looks_tokenized(references):
            return (
                "most lines end in ' .', like tokenised text, but the references' do not; "
                f"detokenise it, or {_with_option('tokenise the references', tokenize)}"
            )
        if tokenize != "none":
            return "it is tokenised, and so are the references; use --tokenizer none"
    elif looks_tokenized(references) and _most_end(outputs, r"\S\."):
        return (
            "it is plain text, but most references end in ' .', like tokenised text; detokenise "
            f"them, or {_with_option('tokenise it', tokenize)}"
        )
    return ""


def _with_option(remedy: str, tokenize: str) -> str:
    """Return ``remedy``, with the option for tokenised text unless it is set."""
    return remedy if tokenize == "none" else f"{remedy} and add --tokenizer none"


def looks_tokenized(lines: Lines) -> bool:
    """Whether most lines end in `` .``, as tokenised text does."""
    return _most_end(lines, r" \.")


def _most_end(lines: Lines, pattern: str) -> bool:
    lines = [line.rstrip() for line in lines if line.strip()]
    return sum(bool(re.search(f"{pattern}$", line)) for line in lines) > len(lines) / 2


def quotes(references: Lines, outputs: Lines) -> str:
    """Return a clause if one side has typographic marks where the other has straight ones."""
    typographic = Counter[str]()  # number of lines, by the side with such marks
    for sides in zip(references, outputs, strict=True):
        styles = (
            [{k for k, marks in enumerate(kinds) if set(marks) & set(line)} for line in sides]
            for kinds in MARKS
        )
        typographic.update(
            {
                "neither" if ref & out else "the references" if 0 in ref else "it"
                for ref, out in styles
                if ref and out
            }
        )
    for side, has, other in (("the references", "have", "it"), ("it", "has", "the references")):
        n = typographic[side]
        if n >= max(2, QUOTED * len(outputs)) and n > typographic["neither"]:
            return (
                f"in {n:,} lines {side} {has} typographic quotes or apostrophes, {other} straight "
                "ones; they count as errors until both sides use the same ones"
            )
    return ""


def language(sources: Lines, references: Lines, outputs: Lines) -> str:
    """Return a clause if the output is mostly its source, or has few words of the references."""
    x, refs, y = (
        [WORD.findall(line.lower()) for line in side] for side in (sources, references, outputs)
    )
    lines_with = Counter(word for words in refs for word in set(words))
    n = sum(map(len, y))
    copied = sum(
        w in source_words and w not in lines_with
        for source_words, words in zip(map(set, x), y, strict=True)
        for w in words
    )
    if n >= 2 * MIN_EXPECTED and copied > COPIED * n:
        return (
            f"{100 * copied / n:.0f} % of its words are the source's and in no reference; "
            "check that it is a translation"
        )
    shared = sum(w in lines_with for words in y for w in words)
    recurs = [lines_with[w] > 1 for words in refs for w in words]
    common = sum(recurs) / max(1, len(recurs))
    if common >= COMMON and _far_fewer(shared, common * n):
        return (
            f"only {100 * shared / n:.0f} % of its words are in the references; check its language"
        )
    return ""
