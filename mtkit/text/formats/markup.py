"""XML as a stream of elements, parsed by the standard library's expat through defusedxml.

A file that declares an entity or a document type of its own is refused, and nothing is fetched.
Memory holds a block of the file and one text, whatever the size of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mtkit.errors import InputError
from mtkit.storage.reading import LONGEST_LINE, blocks

MAX_DEPTH = 100  # levels of nested elements
LONGEST_NAME = 1000  # characters of a name with its namespace, which expat copies for each element
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
POINTS = {"ph", "ut", "x"}  # inline codes of TMX and XLIFF without a closing code
_POINT = "\0"  # stands for such a code; no XML text can contain it
_BETWEEN_WORDS = re.compile(r"(?<=\w)\0+(?=\w)")
REPAIR = "export the file again, or repair it"
# (name without its namespace, attributes, line) at the start of an element, (name, None, line) at
# its end; (name, text, line) at the end of an element whose text is wanted.
Event = tuple[str, Mapping[str, str] | str | None, int]


class Shape(NamedTuple):
    """An XML format, as far as it is read."""

    name: str
    roots: frozenset[str]  # names that the root element may have
    texts: Mapping[str, frozenset[str]]  # elements whose text is wanted → parents they may have
    codes: frozenset[str]  # elements in such a text whose content is code, not text
    otherwise: str = "name its format with --format"  # advice if the file has another format


def elements(path: Path, shape: Shape) -> Iterator[Event]:
    """Yield the elements of a file in order; of elements within a wanted text only their text.

    A code of ``POINTS`` between two words, such as a line break, becomes a space. Raises
    InputError, naming the line, for a file that is not XML, not of this ``shape``, not safe or
    beyond a limit, and where ``blocks`` does.
    """
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import DefusedXMLParser, ParseError

    target = _Target(path, shape)
    parser = DefusedXMLParser(target=target)
    expat = target.expat = parser.parser
    expat.StartDoctypeDeclHandler = target.doctype
    fed = 0
    try:
        for block in blocks(path):
            parser.feed(block)
            fed += len(block)
            if fed - expat.CurrentByteIndex > LONGEST_LINE:
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
    except (ValueError, LookupError) as error:  # an encoding unknown to Python or to expat
        raise target.refusal(f"{error}; convert the file to UTF-8") from None
    yield from target.events


class _Target:
    """Collects what expat reports about a file as events."""

    def __init__(self, path: Path, shape: Shape) -> None:
        self.path, self.shape = path, shape
        self.expat: Any = None  # set once the parser exists
        self.events: list[Event] = []
        self.open: list[str] = []  # names of the open elements, the root first
        self.text: list[str] | None = None  # parts of the wanted text; None outside of one
        self.size = 0  # of this text, in characters
        self.outside = 0  # number of open elements around the wanted one
        self.code = 0  # number of open elements around the code in it; 0: not in a code

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Called by the parser."""
        name, open_ = tag.rpartition("}")[2], self.open
        if not open_ and name not in self.shape.roots:
            raise self.refusal(
                f"expected {self.shape.name}, found <{name[:40]}>; {self.shape.otherwise}"
            )
        if max(map(len, (tag, *attributes))) > LONGEST_NAME:
            raise self.refusal(f"a name of more than {LONGEST_NAME:,} characters; {REPAIR}")
        if len(open_) >= MAX_DEPTH:
            raise self.refusal(f"elements nested more than {MAX_DEPTH} levels deep; {REPAIR}")
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
        """Refuse declarations within a document type; its name alone is common and harmless."""
        from defusedxml.common import DTDForbidden

        if declares:
            raise DTDForbidden(name, system, public)

    @property
    def line(self) -> int:
        """Line that the parser is at."""
        number: int = self.expat.CurrentLineNumber
        return number

    def refusal(self, reason: str) -> InputError:
        """Return the InputError for the line that the parser is at."""
        return InputError(f"{self.path}: line {self.line}: {reason}")

    def malformed(self, error: Any) -> InputError:
        """Return the InputError for a file that is not well-formed XML."""
        line, column = error.position
        problem = str(error).split(":")[0]
        where = f"{self.path}: line {line}"
        if not self.open and not self.events:
            return InputError(
                f"{where}: not {self.shape.name}, as it is not XML ({problem}); "
                f"{self.shape.otherwise}"
            )
        if problem in _CUT:
            return InputError(
                f"{where}: the file is cut off inside <{self.open[-1][:40]}>; get the whole file"
            )
        return InputError(f"{where}, column {column + 1}: not XML ({problem}); {REPAIR}")


_CUT = {"no element found", "unclosed token", "unclosed CDATA section", "partial character"}
