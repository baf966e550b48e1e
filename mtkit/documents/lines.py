"""Turn a line with codes into plain text for a translator.

Codes that act as words stay in the sentence as masks. A mask is the code's own text if that is one
token which no translator changes, otherwise ``{1}``, ``{2}``, …. All other codes are removed:

    Click <b>Save</b> to keep %1$s.
    Click Save to keep {1}.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from mtkit.documents.codes import ACCELERATOR, Code, Item, Role
from mtkit.text.tokenizer import WordTokenizer, is_verbatim

_ENDS = frozenset(".,;:!?)")


@dataclass
class Line:
    """The items at ``places`` of a segment, translated together.

    text: the plain text to translate. tokens: its word tokens. masks: token → place of the code
    that it stands for. token_after: place of any other code → the token after it. tight: places of
    codes that are the only separator of two words. glued: the part of ``tight`` between a word and
    its footnote or index number, where no blank is added.
    """

    items: Sequence[Item]
    places: range
    text: str = ""
    tokens: list[str] = field(default_factory=list)
    masks: dict[int, int] = field(default_factory=dict)
    token_after: dict[int, int] = field(default_factory=dict)
    tight: set[int] = field(default_factory=set)
    glued: set[int] = field(default_factory=set)
    spaced: bool = False  # masks have blanks around them even where the source has none

    @property
    def is_language(self) -> bool:
        """Whether the line has a letter outside its codes."""
        texts = (item for item in self.items_here if isinstance(item, str))
        return any(c.isalpha() for text in texts for c in text)

    @property
    def items_here(self) -> Sequence[Item]:
        """The items of this line."""
        return self.items[self.places.start : self.places.stop]

    def code(self, place: int) -> Code:
        """Return the code at ``place``."""
        code = self.items[place]
        assert isinstance(code, Code)
        return code

    def role(self, place: int) -> Role:
        """Return the role of the code at ``place``; an accelerator's mark counts as opening."""
        code = self.code(place)
        return "open" if code.key == ACCELERATOR else code.role

    def blanks(self, place: int) -> tuple[bool, bool]:
        """Return whether a blank is directly before the code at ``place``, and directly after."""
        before, behind = (
            item if j in self.places and isinstance(item := self.items[j], str) else ""
            for j in (place - 1, place + 1)
        )
        return before.endswith(" "), behind.startswith(" ")

    def sticks_left(self, place: int) -> bool:
        """Whether a code belongs to the word before it rather than to the word after it."""
        places = (place - 1, place + 1)
        before, behind = (self.items[i] if i in self.places else "" for i in places)
        left, right = (item if isinstance(item, str) else "" for item in (before, behind))
        if right.startswith(" "):
            return left != "" and not left.endswith(" ")
        return left[-1:].isalnum() and not right[:1].isalnum()

    def is_markup(self, place: int) -> bool:
        """Whether the item at ``place`` is a code with another role than ``word``."""
        item = self.items[place]
        return isinstance(item, Code) and item.role != "word"


def plain_line(items: Sequence[Item], places: range, tokenizer: WordTokenizer) -> Line:
    """Return the items at ``places`` as a line with its text, tokens and masks."""
    line = Line(items, places)
    masks = _masks(line, tokenizer)
    for line.spaced in (tokenizer.kind == "none", True):  # again if a mask is not one token
        starts = _set_text(line, masks)
        line.tokens = tokenizer.tokenize(line.text)
        spans = _spans(line, tokenizer)
        token_at = {span: t for t, span in enumerate(spans)}
        tokens = {i: token_at.get((starts[i], starts[i] + len(mask))) for i, mask in masks.items()}
        line.masks = {t: i for i, t in tokens.items() if t is not None}
        if len(line.masks) == len(masks):
            break
    else:
        raise AssertionError(f"no token for each mask in {line.text!r}")
    begins, ends = [a for a, _ in spans], [b for _, b in spans]
    for i in filter(line.is_markup, places):
        opens = line.role(i) == "open"  # inside a word: goes before the whole word
        line.token_after[i] = (
            bisect_right(ends, starts[i]) if opens else bisect_left(begins, starts[i])
        )
    return line


def _masks(line: Line, tokenizer: WordTokenizer) -> dict[int, str]:
    """Return place → mask for the codes that act as words."""
    words = {i: line.code(i) for i in line.places if _is_word(line.items[i])}
    text = "".join(item if isinstance(item, str) else item.text for item in line.items_here)
    masks, k = dict[int, str](), 0
    for i, code in words.items():
        if is_verbatim(code.text) and tokenizer.tokenize(code.text) == [code.text]:
            masks[i] = code.text
            continue
        k += 1
        while f"{{{k}}}" in text:
            k += 1
        masks[i] = f"{{{k}}}"
    return masks


def _is_word(item: Item) -> bool:
    return isinstance(item, Code) and item.role == "word"


def _set_text(line: Line, masks: dict[int, str]) -> dict[int, int]:
    """Set ``line.text``, ``tight`` and ``glued``; return place → offset in the text."""
    text, starts, run, previous = "", dict[int, int](), list[int](), ""
    line.tight, line.glued = set(), set()
    for i in line.places:
        item = line.items[i]
        if line.is_markup(i):
            starts[i] = len(text)
            run.append(i)
            continue
        chunk = item if isinstance(item, str) else masks[i]
        roles = [line.role(j) for j in run]
        if previous and _needs_blank(previous[-1], roles, chunk[0]):
            line.tight.update(run)
            if _is_index(previous[-1], chunk[0]):
                line.glued.update(run)
            text += " "
        previous, run = chunk, []
        if line.spaced and not isinstance(item, str):
            chunk = f" {chunk} "
        if text[-1:] in ("", " "):
            chunk = chunk.removeprefix(" ")
        starts[i] = len(text) + chunk.startswith(" ")
        text += chunk
    line.text = text.removesuffix(" ")
    return starts


def _needs_blank(left: str, roles: Sequence[str], right: str) -> bool:
    """Whether a blank must replace the codes of ``roles`` between two characters."""
    if not roles or left == " " or right == " ":
        return False
    if "space" in roles or _is_index(left, right):
        return True
    separates = "point" in roles or ("close" in roles and "open" in roles[roles.index("close") :])
    return separates and (right.isalnum() or right in "{%") and (left.isalnum() or left in _ENDS)


def _is_index(left: str, right: str) -> bool:
    """Whether tags separate a word from its footnote or index number: ``dog<sup>2</sup>``."""
    return left.isalnum() and right.isalnum() and left.isdigit() != right.isdigit()


def _spans(line: Line, tokenizer: WordTokenizer) -> list[tuple[int, int]]:
    """Return the offsets (start, stop) of each token in the text."""
    text, spans, stop = line.text, list[tuple[int, int]](), 0
    if tokenizer.lowercase:
        text = "".join(lower if len(lower := c.lower()) == 1 else c for c in text)
    for token in line.tokens:
        surface = tokenizer.detokenize([token])
        start = max(text.find(surface, stop), stop)
        stop = start + len(surface)
        spans.append((start, stop))
    return spans
