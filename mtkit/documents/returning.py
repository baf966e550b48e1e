"""Put the codes of a line back into its translation, each exactly once.

A translator may mishandle masks: a lost mask is inserted where the words around it went; a repeated
or invented mask is removed. The blanks around a code are those of the source.

Limits: placeholders that take the next argument (``%s``, ``{}``) keep their order even if the words
around them are reordered, because a program fails if their order changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mtkit.documents.codes import ORDERED, Code, find_codes
from mtkit.documents.lines import Line
from mtkit.documents.projection import Pair, Point, Projection
from mtkit.system import Hypothesis
from mtkit.text.tokenizer import JOINER, WordTokenizer

Escape = Callable[[str], str]
Step = tuple[bool, int]  # (False, target token) or (True, place of a code)


@dataclass
class _Target:
    """A translation with matched masks. masks: token → place of the code that it stands for."""

    tokens: list[str]
    links: set[tuple[int, int]]
    masks: dict[int, int]


def put_back(
    line: Line, hypothesis: Hypothesis, partners: Mapping[int, int], tokenizer: WordTokenizer,
    escape: Escape,
) -> str | None:  # fmt: skip
    """Return the translation as the file writes it; None if it is unusable.

    It is unusable if it has no words besides masks, or if its words form a code that the source
    lacks. partners: see ``codes.partners``. escape: encodes a text for the file.
    """
    if not hypothesis.text.strip():
        return None
    target = _with_masks(line, hypothesis, tokenizer)
    if len(target.masks) == len(target.tokens):
        return None
    projection = Projection(len(line.tokens), len(target.tokens), target.links)
    steps = _in_order(projection.order(_code_tree(line, partners)), line)
    steps = _spaces_between(steps, line, target, tokenizer)
    return _spell(line, target, steps, tokenizer, escape)


# --- masks


def _with_masks(line: Line, hypothesis: Hypothesis, tokenizer: WordTokenizer) -> _Target:
    """Return the translation with each mask once, linked to its own source token only."""
    source, tokens = line.tokens, hypothesis.tokens
    links = set(hypothesis.alignment)
    if tokens == source:
        links = {(i, i) for i in range(len(source))}
    elif not links:  # a network without attention has none: use the diagonal
        links = {(s, s * len(tokens) // len(source)) for s in range(len(source))}
    surfaces = [tokenizer.detokenize([token]) for token in tokens]
    target_of = _match_masks(line, surfaces, links, tokenizer)  # source token → target token
    masks = {t: s for s, t in target_of.items()}
    kept = [t for t, text in enumerate(surfaces) if t in masks or not _has_code(text)]
    pos = {t: i for i, t in enumerate(kept)}
    links = {
        (s, pos[t]) for s, t in links if t in pos and t not in masks and s not in line.masks
    } | {(s, pos[t]) for s, t in target_of.items()}
    target = _Target([tokens[t] for t in kept], links, {pos[t]: s for t, s in masks.items()})
    for s in sorted(line.masks.keys() - target_of.keys()):
        _insert_mask(target, source, s)
    codes = {t: line.masks[s] for t, s in target.masks.items()}
    ordered = sorted(t for t, i in codes.items() if line.code(i).key == ORDERED)
    codes |= dict(zip(ordered, sorted(codes[t] for t in ordered), strict=True))
    return _Target(target.tokens, target.links, codes)


def _match_masks(
    line: Line, surfaces: Sequence[str], links: set[tuple[int, int]], tokenizer: WordTokenizer
) -> dict[int, int]:
    """Match masks, source token → target token: first those that are linked, then in order."""
    target_of = dict[int, int]()
    free: dict[str, list[int]] = {}
    for t, surface in enumerate(surfaces):
        free.setdefault(surface, []).append(t)
    masks = {s: tokenizer.detokenize([line.tokens[s]]) for s in sorted(line.masks)}
    for by_link in (True, False):
        for s, mask in masks.items():
            candidates = [] if s in target_of else free.get(mask, [])
            t = next((t for t in candidates if (s, t) in links or not by_link), -1)
            if t >= 0:
                target_of[s] = t
                candidates.remove(t)
    return target_of


def _has_code(text: str) -> bool:
    return any(isinstance(item, Code) for item in find_codes(text))


def _insert_mask(target: _Target, source: Sequence[str], s: int) -> None:
    """Insert the lost mask ``source[s]`` after the translation of the word before it."""
    m = len(target.tokens)
    t = Projection(len(source), m, target.links).between(s, sticks_left=True)
    last = target.tokens[-1] if m else ""
    if t == m > 1 and s < len(source) - 1 and not any(c.isalnum() for c in last):
        t -= 1  # not after the final punctuation
    target.tokens.insert(t, source[s])
    target.links = {(a, b + (b >= t)) for a, b in target.links} | {(s, t)}
    target.masks = {b + (b >= t): a for b, a in target.masks.items()} | {t: s}


# --- all other codes


def _code_tree(line: Line, partners: Mapping[int, int]) -> list[Pair | Point]:
    """Return the codes of the line other than words; a pair holds the codes inside it."""
    n, codes = len(line.tokens), list[Pair | Point]()
    open_pairs = list[tuple[int, list[Pair | Point]]]()  # open pairs, and the codes before each
    for i in filter(line.is_markup, line.places):
        role, after = line.code(i).role, line.token_after[i]
        if role == "open":
            open_pairs.append((i, codes))
            codes = []
        elif role == "close" and partners[i] in line.places:
            start, outside = open_pairs.pop()
            begin = line.token_after[start]
            codes = [*outside, Pair(start, i, begin, max(after, begin), codes)]
        elif role == "close":  # opened in an earlier line
            codes = [Pair(None, i, 0, after, codes)]
        else:
            codes.append(Point(i, after, line.sticks_left(i) and line.role(i) == "point"))
    while open_pairs:  # closes in a later line
        start, outside = open_pairs.pop()
        codes = [*outside, Pair(start, None, line.token_after[start], n, codes)]
    return codes


def _in_order(steps: list[Step], line: Line) -> list[Step]:
    """Put unpaired codes of the same key in source order, so that opening ones come first."""
    by_key: dict[str, list[int]] = {}
    for k, (is_code, i) in enumerate(steps):
        if is_code and line.code(i).role == "point" and line.code(i).key:
            by_key.setdefault(line.code(i).key, []).append(k)
    for indices in by_key.values():
        ordered = sorted(steps[k] for k in indices)
        for k, step in zip(indices, ordered, strict=True):
            steps[k] = step
    return steps


def _spaces_between(
    steps: list[Step], line: Line, target: _Target, tokenizer: WordTokenizer
) -> list[Step]:
    """Move white-space codes to the nearest gaps where the tokens take a blank, if any."""
    m = len(target.tokens)
    glue = [_glue(line, target, t, tokenizer) for t in range(m)]
    gaps = {t for t in range(1, m) if not (glue[t - 1][1] or glue[t][0])}
    before, t = dict[int, Step](), 0  # target token → the white space before it
    for is_code, i in steps:
        t += not is_code
        is_space = is_code and line.code(i).role == "space"
        if is_space and line.token_after[i] not in (0, len(line.tokens)):
            if gaps and t not in gaps:
                _, gap = min((abs(gap - t), gap) for gap in gaps)
                before[gap] = (True, i)
                gaps.discard(gap)
            gaps.discard(t)
    moved = set(before.values())
    ordered = list[Step]()
    for step in steps:
        if not step[0] and step[1] in before:
            ordered.append(before[step[1]])
        ordered += [] if step in moved else [step]
    return ordered


# --- text


def _spell(
    line: Line, target: _Target, steps: Sequence[Step], tokenizer: WordTokenizer, escape: Escape
) -> str | None:
    """Return the translation with its codes; None if the words between them form a code."""
    raw, plain, run = list[str](), list[str](), list[int]()
    glued = True  # at the start, or after a token that takes no blank behind it
    for is_code, i in [*steps, (False, -1)]:
        if is_code:
            run.append(i)
            continue
        left, right = _glue(line, target, i, tokenizer) if i >= 0 else (True, True)
        blanks = _blanks(line, run, glued, left)
        for blank, code in zip(blanks, [*map(line.code, run), None], strict=True):
            raw += [" " * blank, code.raw if code else ""]
            plain += [" " * blank, "\0" if code else ""]
        if i >= 0:
            surface = tokenizer.detokenize([target.tokens[i]])
            place = target.masks.get(i)
            raw.append(escape(surface) if place is None else line.code(place).raw)
            plain.append(surface if place is None else "\0")
        run, glued = [], right
    return None if _has_code("".join(plain)) else "".join(raw)


def _glue(line: Line, target: _Target, t: int, tokenizer: WordTokenizer) -> tuple[bool, bool]:
    """Return whether a token takes no blank before it, and whether none after it."""
    if line.spaced and t in target.masks:
        before, behind = line.blanks(target.masks[t])
        first, last = line.places.start, line.places.stop - 1
        i = target.masks[t]
        return not before and i != first, not behind and i != last
    if tokenizer.kind == "none":
        return False, False
    token = target.tokens[t]
    return token.startswith(JOINER), token.endswith(JOINER)


def _blanks(line: Line, run: Sequence[int], glue_left: bool, glue_right: bool) -> list[bool]:
    """Return whether a blank goes before each code of ``run``, and after the last one.

    ``run`` holds the codes between two tokens. A point keeps its blanks of the source; an opening
    or closing code does if it has one on its inner side. If that gives no blank although the tokens
    need one, it goes after the last code that closes or belongs to the word before, else before the
    first code that opens.
    """
    slots, roles = [False] * (len(run) + 1), [line.role(i) for i in run]
    needed = not (glue_left or glue_right)
    for k, (i, role) in enumerate(zip(run, roles, strict=True)):
        before, behind = line.blanks(i)
        if role == "point":
            slots[k] |= before
            slots[k + 1] |= behind
        elif role == "open" and behind:
            slots[k] |= before
            slots[k + 1] = True
        elif role == "close" and before:
            slots[k] = True
            slots[k + 1] |= behind
        meets = role == "close" and roles[k + 1 : k + 2] == ["open"] and run[k + 1] == i + 1
        tight = (role == "point" or meets) and i in line.tight
        if role == "space" or tight or i in line.glued:
            needed = False
    if needed and not any(slots):
        first_open = roles.index("open") if "open" in roles else len(roles)
        sticking = [
            k + 1
            for k, (i, role) in enumerate(zip(run[:first_open], roles, strict=False))
            if role == "close" or line.sticks_left(i)
        ]
        slots[max(sticking, default=first_open if "open" in roles else 0)] = True
    slots[0] &= not glue_left
    slots[-1] &= not glue_right
    return slots
