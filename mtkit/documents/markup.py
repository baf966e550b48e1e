"""XML with the places of everything in its bytes: what is to be changed is spliced, not rewritten.

The parser is expat from the standard library. A document type declaration is refused, so that no
entity can be declared: none grows, and none is fetched from a file or an address.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from mtkit.errors import InputError

DEEPEST = 100  # elements inside one another
CHUNK = 1 << 16  # bytes that are parsed at a time
XLIFF = "urn:oasis:names:tc:xliff:document:"
_TAG = re.compile(rb"""<([^\s/>]+)((?:\s+[^\s=]+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*/?>""")
_ATTRIBUTE = re.compile(rb"""([^\s=]+)\s*=\s*("[^"]*"|'[^']*')""")


@dataclass(eq=False)
class Node:
    """An element. Its tags are ``data[open : inner]`` and ``data[outer : close]``, the same where
    it is written as one.
    """

    name: str  # local, for elements of XLIFF; with the address of its namespace for others
    attributes: dict[str, str]  # named alike
    parent: Node | None
    line: int
    open: int
    inner: int
    outer: int = -1
    close: int = -1
    content: list[str | Node] = field(default_factory=list)

    @property
    def is_empty_tag(self) -> bool:
        """Whether it is written ``<x/>``."""
        return self.inner == self.close

    def child(self, name: str) -> Node | None:
        """The first child of that name."""
        return next((c for c in self.children(name)), None)

    def children(self, name: str) -> list[Node]:
        """The children of that name."""
        return [c for c in self.nodes() if c.name == name]

    def nodes(self) -> list[Node]:
        """All children."""
        return [c for c in self.content if isinstance(c, Node)]

    def text(self) -> str:
        """All text inside."""
        return "".join(c if isinstance(c, str) else c.text() for c in self.content)

    def inherited(self, name: str, default: str = "") -> str:
        """The attribute, of this element or of the closest one around that has it."""
        node: Node | None = self
        while node:
            if name in node.attributes:
                return node.attributes[name]
            node = node.parent
        return default


def raw_name(data: bytes, node: Node) -> str:
    """The element's name with its prefix, as it is written."""
    tag = _TAG.match(data, node.open)
    assert tag
    return tag[1].decode()


def attribute_span(data: bytes, node: Node, name: str) -> tuple[int, int] | None:
    """Where the value of an attribute without a prefix stands, between its quotes."""
    tag = _TAG.match(data, node.open)
    assert tag
    for found in _ATTRIBUTE.finditer(data, *tag.span(2)):
        if found[1] == name.encode():
            return found.start(2) + 1, found.end(2) - 1
    return None


def elements(data: bytes, path: Path, whole: Collection[str]) -> Iterator[Node]:
    """The elements of a document in UTF-8: those named in ``whole`` when they end, with all that is
    in them, the others when they begin, without.

    Raises InputError, naming the line, for what is not well-formed, has a document type
    declaration, or is nested more than ``DEEPEST`` levels deep.
    """
    reader = _Reader(data, path, whole)
    try:
        for start in range(0, max(1, len(data)), CHUNK):
            reader.parser.Parse(data[start : start + CHUNK], start + CHUNK >= len(data))
            yield from reader.ready
            reader.ready.clear()
    except expat.ExpatError as error:
        what = expat.ErrorString(error.code)
        raise InputError(
            f"{path}: line {error.lineno}: not well-formed XML ({what}); correct it there"
        ) from None


class _Reader:
    """What the parser calls; ``ready`` are the elements to be handed out."""

    def __init__(self, data: bytes, path: Path, whole: Collection[str]) -> None:
        self.data, self.path, self.whole = data, path, whole
        self.ready: list[Node] = []
        self.inside: list[Node] = []  # the open elements, outermost first
        self.kept = 0  # how many of these are in a whole one
        self.parser = expat.ParserCreate("utf-8", " ")  # whatever the declaration says
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    def _refusal(self, reason: str) -> InputError:
        return InputError(f"{self.path}: line {self.parser.CurrentLineNumber}: {reason}")

    def _doctype(self, *_: object) -> None:
        raise self._refusal("a document type declaration is not allowed, for security; remove it")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self.inside) == DEEPEST:
            raise self._refusal(
                f"elements nested more than {DEEPEST} levels deep; simplify the file"
            )
        start = self.parser.CurrentByteIndex
        tag = _TAG.match(self.data, start)
        assert tag, "expat has seen a tag"
        parent = self.inside[-1] if self.inside else None
        named = {_local(key): value for key, value in attributes.items()}
        node = Node(_local(name), named, parent, self.parser.CurrentLineNumber, start, tag.end())
        self.inside.append(node)
        if self.kept:
            assert parent
            parent.content.append(node)
        if self.kept or node.name in self.whole:
            self.kept += 1
        else:
            self.ready.append(node)

    def _end(self, _: str) -> None:
        node = self.inside.pop()
        node.outer = node.close = node.inner
        if self.data[node.inner - 2 : node.inner] != b"/>":
            node.outer = self.parser.CurrentByteIndex
            node.close = self.data.index(b">", node.outer) + 1
        if self.kept:
            self.kept -= 1
            if not self.kept:
                self.ready.append(node)

    def _text(self, text: str) -> None:
        if self.kept:
            self.inside[-1].content.append(text)


def _local(name: str) -> str:
    """The name without an address of XLIFF or of XML itself: ``source``, ``space``."""
    address, _, local = name.rpartition(" ")
    return local if not address or address.startswith(XLIFF) else name
