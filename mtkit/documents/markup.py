"""Read XML elements with their byte offsets, so that changes are spliced in, not rewritten.

The parser is expat from the standard library. Document type declarations are rejected, so that no
entity can be declared: no entity can expand without limit or load a file or a network address.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from mtkit.errors import InputError

MAX_DEPTH = 100  # levels of nested elements
CHUNK = 1 << 16  # bytes parsed at a time
XLIFF = "urn:oasis:names:tc:xliff:document:"
_TAG = re.compile(rb"""<([^\s/>]+)((?:\s+[^\s=]+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*/?>""")
_ATTRIBUTE = re.compile(rb"""([^\s=]+)\s*=\s*("[^"]*"|'[^']*')""")


@dataclass(eq=False)
class Node:
    """An element. Its start tag is ``data[open : inner]``, its end tag ``data[outer : close]``.

    The end tag of an empty-element tag ``<x/>`` is the empty slice after it.
    """

    name: str  # local name in XLIFF's namespaces; in others "NAMESPACE LOCAL"
    attributes: dict[str, str]  # names follow the same rule
    parent: Node | None
    line: int
    open: int
    inner: int
    outer: int = -1
    close: int = -1
    content: list[str | Node] = field(default_factory=list)

    @property
    def is_empty_tag(self) -> bool:
        """Whether the element is written as ``<x/>``."""
        return self.inner == self.close

    def child(self, name: str) -> Node | None:
        """Return the first child of that name, or None."""
        return next((c for c in self.children(name)), None)

    def children(self, name: str) -> list[Node]:
        """Return the children of that name."""
        return [c for c in self.nodes() if c.name == name]

    def nodes(self) -> list[Node]:
        """Return all child elements."""
        return [c for c in self.content if isinstance(c, Node)]

    def text(self) -> str:
        """Return all text inside the element."""
        return "".join(c if isinstance(c, str) else c.text() for c in self.content)

    def inherited(self, name: str, default: str = "") -> str:
        """Return an attribute of this element or of its closest ancestor that has it."""
        node: Node | None = self
        while node:
            if name in node.attributes:
                return node.attributes[name]
            node = node.parent
        return default


def raw_name(data: bytes, node: Node) -> str:
    """Return the element's name as it is written, with its prefix."""
    tag = _TAG.match(data, node.open)
    assert tag
    return tag[1].decode()


def attribute_span(data: bytes, node: Node, name: str) -> tuple[int, int] | None:
    """Return the byte offsets of an attribute's value without its quotes; None if it is missing.

    name: as it is written, with its prefix.
    """
    tag = _TAG.match(data, node.open)
    assert tag
    for match in _ATTRIBUTE.finditer(data, *tag.span(2)):
        if match[1] == name.encode():
            return match.start(2) + 1, match.end(2) - 1
    return None


def elements(data: bytes, path: Path, whole: Collection[str]) -> Iterator[Node]:
    """Yield the elements of a UTF-8 document.

    Elements named in ``whole`` are yielded when they end, with all their content; the elements
    inside them are not yielded separately. All others are yielded when they begin, without content.
    Raises InputError, naming the line, if the document is not well-formed, has a document type
    declaration, or is nested more than ``MAX_DEPTH`` levels deep.
    """
    reader = _Reader(data, path, whole)
    try:
        for start in range(0, max(1, len(data)), CHUNK):
            reader.parser.Parse(data[start : start + CHUNK], start + CHUNK >= len(data))
            yield from reader.ready
            reader.ready.clear()
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise InputError(
            f"{path}: line {error.lineno}: not well-formed XML ({reason}); correct it there"
        ) from None


class _Reader:
    """The handlers of parser events; ``ready`` holds the elements to be yielded."""

    def __init__(self, data: bytes, path: Path, whole: Collection[str]) -> None:
        self.data, self.path, self.whole = data, path, whole
        self.ready: list[Node] = []
        self.inside: list[Node] = []  # the open elements, outermost first
        self.kept = 0  # how many of these belong to a ``whole`` element, itself included
        self.parser = expat.ParserCreate("utf-8", " ")  # overrides the declaration
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
        if len(self.inside) == MAX_DEPTH:
            raise self._refusal(
                f"elements nested more than {MAX_DEPTH} levels deep; simplify the file"
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
    """Return the local name if the namespace is XLIFF's or absent, else "NAMESPACE LOCAL"."""
    address, _, local = name.rpartition(" ")
    return local if not address or address.startswith(XLIFF) else name
