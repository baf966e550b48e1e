"""XML as a stream of elements, by the standard library's expat through defusedxml.

No entity is declared, no document type is read, nothing is fetched. Memory holds a block of the
file and one text, whatever the size of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mtkit.errors import InputError
from mtkit.storage.reading import LONGEST_LINE, blocks

DEEPEST = 100  # elements in one another
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
POINTS = {"ph", "ut", "x"}  # codes in a text, of TMX and XLIFF, that have no other end
_POINT = "\0"  # such a code, which no text of XML can hold
_BETWEEN_WORDS = re.compile(r"(?<=\w)\0+(?=\w)")
REPAIR = "export the file again, or repair it"
# (name without its namespace, attributes, line) at the start of an element, (name, None, line) at
# its end; (name, its text, line) at the end of one whose text is wanted.
Event = tuple[str, Mapping[str, str] | str | None, int]


class Shape(NamedTuple):
    """What of a kind of file matters."""

    name: str
    roots: frozenset[str]  # what its first element may be
    texts: Mapping[str, frozenset[str]]  # elements whose text is wanted → what they stand in
    codes: frozenset[str]  # elements in such a text whose content is code, not text
    otherwise: str = "name its format with --format"  # what to do where it is none of this kind


def elements(path: Path, shape: Shape) -> Iterator[Event]:
    """The elements of a file in their order; of those within a wanted text only their text, with a
    blank for a code that stands alone between two words, such as a line break.

    Raises InputError, naming the line, for what is no XML, not of this ``shape``, not safe or
    beyond a limit, and where ``blocks`` does.
    """
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import DefusedXMLParser, ParseError

    target = _Target(path, shape)
    parser = DefusedXMLParser(target=target)
    expat = target.expat = parser.parser
    expat.StartDoctypeDeclHandler = target.doctype
    read = 0
    try:
        for block in blocks(path):
            parser.feed(block)
            read += len(block)
            if read - expat.CurrentByteIndex > LONGEST_LINE:
                raise target.refusal(f"a tag of more than {LONGEST_LINE:,} bytes; {REPAIR}")
            yield from target.events
            target.events.clear()
        parser.close()
    except DefusedXmlException:
        raise target.refusal(
            "declares an entity or a document type of its own, which is not safe to read; "
            "remove the declaration"
        ) from None
    except ParseError as error:
        raise target.malformed(error) from None
    except (ValueError, LookupError) as error:  # an encoding that Python lacks or expat cannot take
        raise target.refusal(f"{error}; convert the file to UTF-8") from None
    yield from target.events


class _Target:
    """What expat tells of a file, as events."""

    def __init__(self, path: Path, shape: Shape) -> None:
        self.path, self.shape = path, shape
        self.expat: Any = None  # given once the parser is there
        self.events: list[Event] = []
        self.open: list[str] = []  # the elements that have begun and not ended
        self.text: list[str] | None = None  # of the wanted element, in pieces
        self.size = 0  # of this text, in characters
        self.outside = 0  # how many elements are open outside the wanted one
        self.code = 0  # how many are open outside the code in it; 0: there is none

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Called by the parser."""
        name, open_ = tag.rpartition("}")[2], self.open
        if not open_ and name not in self.shape.roots:
            raise self.refusal(
                f"expected {self.shape.name}, found <{name[:40]}>; {self.shape.otherwise}"
            )
        if len(open_) >= DEEPEST:
            raise self.refusal(f"elements nested more than {DEEPEST} levels deep; {REPAIR}")
        if self.text is not None:
            if not self.code and name in POINTS:
                self.text.append(_POINT)
            if not self.code and name in self.shape.codes:
                self.code = len(open_)
        else:
            if name in self.shape.texts and open_ and open_[-1] in self.shape.texts[name]:
                self.text, self.size, self.outside = [], 0, len(open_)
            self.events.append((name, attributes, self.line))
        open_.append(name)

    def data(self, text: str) -> None:
        """Called by the parser."""
        if self.text is not None and not self.code:
            self.text.append(text)
            self.size += len(text)
            if self.size > LONGEST_LINE:
                raise self.refusal(f"a text of more than {LONGEST_LINE:,} characters; split it")

    def end(self, _: str) -> None:
        """Called by the parser."""
        name, depth = self.open.pop(), len(self.open)
        if self.text is None:
            self.events.append((name, None, self.line))
        elif depth == self.outside:
            text = _BETWEEN_WORDS.sub(" ", "".join(self.text)).replace(_POINT, "")
            self.events.append((name, text, self.line))
            self.text = None
        elif depth == self.code:
            self.code = 0

    def close(self) -> None:
        """Called by the parser."""

    def doctype(self, name: str, system: str, public: str, declares: int) -> None:
        """A name of a document type is common and harmless: it is not looked for."""
        from defusedxml.common import DTDForbidden

        if declares:
            raise DTDForbidden(name, system, public)

    @property
    def line(self) -> int:
        """Where the parser is."""
        number: int = self.expat.CurrentLineNumber
        return number

    def refusal(self, reason: str) -> InputError:
        """What to raise for what stands where the parser is."""
        return InputError(f"{self.path}: line {self.line}: {reason}")

    def malformed(self, error: Any) -> InputError:
        """What to raise for what is no XML."""
        line, column = error.position
        said = str(error).split(":")[0]
        where = f"{self.path}: line {line}"
        if not self.open and not self.events:
            return InputError(
                f"{where}: not {self.shape.name}, as it is not XML ({said}); {self.shape.otherwise}"
            )
        if said in _CUT:
            return InputError(
                f"{where}: the file is cut off inside <{self.open[-1][:40]}>; get the whole file"
            )
        return InputError(f"{where}, column {column + 1}: not XML ({said}); {REPAIR}")


_CUT = {"no element found", "unclosed token", "unclosed CDATA section", "partial character"}
