"""Read XLIFF 1.2 and 2.x and splice targets in; no other byte changes.

1.2: ``<target state="needs-review-translation" state-qualifier="x-mtkit">``, after ``<source>`` or
``<seg-source>``. The qualifier is the only attribute of a target that can name a tool: it allows
custom values that begin with ``x-``. ``tool-id`` belongs to ``<file>``, ``<phase>`` and
``<alt-trans>``, and a ``phase-name`` must be declared in the header, which would change.
2.x: ``<segment state="translated" subState="mtkit:machine">``, because 2.x has no state for
translations to review; also ``trgLang`` if the file lacks it, because targets require it.
A source that is copied with its words has the state ``needs-translation`` (1.2) or ``initial``
(2.x); one that contains no words, ``translated``.

These stay as they are: units with ``translate="no"``; 1.2 units with ``approved="yes"``; units that
an editor locked; targets with the state ``final`` or ``signed-off``; and all other targets with a
text, unless their state says untranslated (``new``, ``needs-translation``, ``initial``) and the
text is a copy of the source. Each ``<mrk mtype="seg">`` of a ``<seg-source>`` is translated
separately and repeated in the target; if the target already has these marks, the empty ones are
filled.

Limits: a comment inside a source is not copied to its target; ``canReorder="no"`` is ignored;
``<bin-unit>``, ``<alt-trans>`` and the modules of 2.x stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple

from mtkit.documents.codes import ELEMENT, Code, Item, find_codes
from mtkit.documents.document import (
    EMPTY,
    HAS_TARGET,
    Document,
    Languages,
    check_language,
    line_label,
)
from mtkit.documents.encoding import Edit, Encoding, splice
from mtkit.documents.markup import Node, attribute_span, elements, raw_name
from mtkit.documents.segments import NO_WORDS, Filled, Segment
from mtkit.errors import InputError

_REFERENCE = re.compile(r"&(?:#(\d+)|#x([\dA-Fa-f]+)|(lt|gt|amp|quot|apos));")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ANGULAR = re.compile("(START|CLOSE)_(.+)")
_LOCKED = re.compile("(^| )locked$")  # each editor uses its own namespace
_PAIRED = {"g", "pc", "mrk"}
# Empty elements that open or close a code → attributes with the key of the pair, by preference.
_OPENS = {"bx": ("rid", "id"), "bpt": ("rid", "id"), "sc": ("id",), "sm": ("id",)}
_CLOSES = {"ex": ("rid", "id"), "ept": ("rid", "id"), "ec": ("startRef", "id"), "em": ("startRef",)}
_MACHINE = (
    {"state": "needs-review-translation", "state-qualifier": "x-mtkit"},
    {"state": "translated", "subState": "mtkit:machine"},
)
_WITHOUT_WORDS = (
    {"state": "translated", "state-qualifier": "x-mtkit"},
    {"state": "translated", "subState": "mtkit:copy"},
)
_COPIED = {"state": "needs-translation"}, {"state": "initial"}
_UNTRANSLATED = {"new", "needs-translation", "initial"}
_APPROVED = {"signed-off", "reviewed", "final"}
_PARTLY_FILLED = f"{HAS_TARGET} of some of its segments; --all translates it"
_PARTLY_APPROVED = "with approved or locked segments"


class _Place(NamedTuple):
    """Where a translation goes.

    holder: the element that gets the state: the target (1.2) or the segment (2.x). None if the
    target does not exist yet. is_part: whether the target has further sentences, which stay.
    """

    source: Node  # ``<source>``, ``<seg-source>``, or a ``<mrk>`` in it
    target: Node | None  # ``<target>``, or the ``<mrk>`` of the same ``mid`` in it
    holder: Node | None
    is_part: bool


def read_xliff(data: bytes, path: Path, languages: Languages, every: bool) -> Document:
    """Return the document in ``data``. every: also fill targets that have a translation.

    Raises InputError if ``data`` is not XLIFF, or if its languages are not ``languages``.
    """
    encoding = Encoding.of_xml(data, path)
    text = encoding.decode(data, path)
    data = text.encode()
    document, places, root = Document(), list[_Place](), None
    for node in elements(data, path, {"trans-unit", "unit"}):
        if root is None:
            root = _root(node, path, languages)
        elif node.name == "file" and _is_version_1(root):
            _check_languages(node, path, ("source-language", "target-language"), languages)
        elif node.name in ("trans-unit", "unit"):
            for place in _places(node, path, document, every):
                places.append(place)
                document.segments.append(_segment(data, place))

    def write(translations: Sequence[Filled]) -> bytes:
        assert root
        edits = [*_edits(data, places, translations, _is_version_1(root))]
        if edits and not _is_version_1(root) and "trgLang" not in root.attributes:
            edits.append(_set_attribute(data, root, "trgLang", languages[1]))
        return encoding.encode(splice(data, edits).decode(), path, "xmlcharrefreplace")

    document.write = write
    return document


def _is_version_1(root: Node) -> bool:
    """Whether the document is XLIFF 1.x."""
    return root.attributes["version"].startswith("1.")


def _root(node: Node, path: Path, languages: Languages) -> Node:
    where = line_label(path, node.line)
    if node.name != "xliff":
        name = node.name.rpartition(" ")[2]
        raise InputError(f"{where}: expected <xliff>, found <{name}>; this is not an XLIFF file")
    version = node.attributes.get("version", "")
    if not version.startswith(("1.", "2.")):
        raise InputError(f"{where}: XLIFF version {version!r}; expected 1.2 or 2.x")
    if version.startswith("2."):
        _check_languages(node, path, ("srcLang", "trgLang"), languages)
    return node


def _check_languages(node: Node, path: Path, names: tuple[str, str], languages: Languages) -> None:
    """Raise InputError if an element lacks a source language or names others than the model's."""
    source, target = (node.attributes.get(name, "") for name in names)
    where = line_label(path, node.line)
    if not source:
        raise InputError(f"{where}: <{node.name}> has no {names[0]}; add {names[0]}=…")
    check_language(where, "source", source, languages[0])
    check_language(where, "target", target, languages[1])


def _places(unit: Node, path: Path, document: Document, every: bool) -> Iterator[_Place]:
    """Yield the places of a unit to fill; count the others by reason in ``document.kept``."""
    is_v1 = unit.name == "trans-unit"
    for holder in [unit] if is_v1 else unit.children("segment"):
        source, target = holder.child("source"), holder.child("target")
        if source is None:
            where = line_label(path, holder.line)
            raise InputError(f"{where}: <{holder.name}> has no <source>; add one")
        source = holder.child("seg-source") or source
        reason = _why_kept(holder, source, target, every)
        places: list[tuple[Node, Node | None]] = [] if reason else [(source, target)]
        if target and reason in (_PARTLY_FILLED, _PARTLY_APPROVED):
            places = [*_marks_to_fill(source, target, _approved_segments(holder), every)]
        if reason and not places:
            document.kept[reason] += 1
        for src, trg in places:
            yield _Place(src, trg, target if is_v1 else holder, bool(reason))


def _why_kept(holder: Node, source: Node, target: Node | None, every: bool) -> str:
    """Return why a target is kept, or "" if it is to be filled."""
    if holder.inherited("translate") == "no":
        return 'translate="no"'
    if holder.attributes.get("approved") == "yes":
        return "approved"
    if _is_locked(holder):
        return "locked"
    has_target, state = target is not None and _has_content(target), _state(holder, target)
    if state in _APPROVED:
        return state
    if not source.text().strip() and not any(isinstance(c, Node) for c in source.content):
        return EMPTY
    if every and has_target and _approved_segments(holder):
        return _PARTLY_APPROVED
    if not has_target or every:
        return ""
    assert target
    if state in _UNTRANSLATED and target.text() == source.text():
        return ""
    if any(not _has_content(mark) for mark in _sentence_marks(target)):
        return _PARTLY_FILLED
    return (
        f"{HAS_TARGET} marked {state}; --all translates it"
        if state in _UNTRANSLATED
        else HAS_TARGET
    )


def _is_locked(node: Node) -> bool:
    return any(_LOCKED.search(name) and value != "false" for name, value in node.attributes.items())


def _approved_segments(unit: Node) -> set[str | None]:
    """Return the ``mid`` of the segments that an SDLXLIFF unit lists as approved or locked."""
    lists = (node for node in unit.nodes() if node.name.endswith(" seg-defs"))
    return {
        segment.attributes.get("id")
        for node in lists
        for segment in node.nodes()
        if _is_locked(segment) or segment.attributes.get("conf", "").startswith("Approved")
    }


def _sentence_marks(node: Node) -> Iterator[Node]:
    """Yield the sentence marks, ``<mrk mtype="seg">``, in ``node``."""
    for child in node.nodes():
        if child.name == "mrk" and child.attributes.get("mtype") == "seg":
            yield child
        else:
            yield from _sentence_marks(child)


def _marks_to_fill(
    source: Node, target: Node, approved: set[str | None], every: bool
) -> Iterator[tuple[Node, Node]]:
    """Yield (source mark, target mark) of the sentences to fill; only empty ones but for every."""
    by_id = {mark.attributes.get("mid"): mark for mark in _sentence_marks(target)}
    for mark in _sentence_marks(source):
        mid = mark.attributes.get("mid")
        target_mark = by_id.get(mid)
        if not target_mark or mid in approved or not _has_content(mark):
            continue
        if every or not _has_content(target_mark):
            yield mark, target_mark


def _state(holder: Node, target: Node | None) -> str:
    """Return the state of the target (1.2) or of the segment (2.x)."""
    carrier = target if holder.name == "trans-unit" else holder
    return carrier.attributes.get("state", "") if carrier else ""


def _has_content(node: Node) -> bool:
    """Whether ``node`` contains a text or a code; ``<mrk>`` counts only by its content."""
    return any(
        c.name != "mrk" or _has_content(c) if isinstance(c, Node) else c.strip()
        for c in node.content
    )


# --- reading sources


def _segment(data: bytes, place: _Place) -> Segment:
    source = place.source
    escape = _escaper(data[source.inner : source.outer].decode())
    return Segment(_points_in_words(list(_items(data, source, count()))), escape, source.line)


def _escaper(raw: str) -> Callable[[str], str]:
    """Return a function that escapes text, with the character references and newlines of ``raw``.

    A character that XML forbids becomes U+FFFD.
    """
    table = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
    for match in _REFERENCE.finditer(raw):
        character = _NAMED.get(match[3]) or chr(int(match[1] or match[2], 10 if match[1] else 16))
        if not character.isalnum() and character != " ":
            table[character] = match[0]
    if "\r\n" in raw:
        table.setdefault("\n", "\r\n")
    mapping = str.maketrans(table)
    return lambda text: _ILLEGAL.sub("\ufffd", text).translate(mapping)


def _items(data: bytes, node: Node, numbers: count[int]) -> Iterator[Item]:
    """Yield the content of a source as text and codes."""
    for child in node.content:
        if isinstance(child, str):
            yield child
        elif child.name in _PAIRED and not child.is_empty_tag and not _is_protected(child):
            opening, closing = (
                data[a:b].decode()
                for a, b in ((child.open, child.inner), (child.outer, child.close))
            )
            if child.attributes.get("mtype") == "seg":
                yield Code(opening, "break", "segment")
                yield from _items(data, child, numbers)
                yield Code(closing, "break", "segment")
            else:
                key = f"{ELEMENT}{next(numbers)}"
                yield Code(opening, "open", key)
                yield from _items(data, child, numbers)
                yield Code(closing, "close", key)
        else:
            yield _code(child, data[child.open : child.close].decode())


def _is_protected(mark: Node) -> bool:
    return mark.attributes.get("mtype") == "protected" or mark.attributes.get("translate") == "no"


def _code(node: Node, raw: str) -> Code:
    """Return the code of an element without words to translate."""
    name, attributes = node.name, node.attributes
    for role, keys_of in (("open", _OPENS), ("close", _CLOSES)):
        if name in keys_of:
            key = next((attributes[n] for n in keys_of[name] if n in attributes), "")
            return Code(raw, "open" if role == "open" else "close", f"{_key_prefix(name)} {key}")
    if name == "mrk" and not node.is_empty_tag:
        return Code(raw, "word")
    if name == "x" and (pair := _ANGULAR.fullmatch(attributes.get("id", ""))):
        return Code(raw, "open" if pair[1] == "START" else "close", f"x {pair[2]}")
    if name in ("x", "ph"):
        kind = attributes.get("ctype", attributes.get("type", ""))
        if kind == "lb" or attributes.get("subType") == "xlf:lb":
            return Code(raw, "break")
        return _as_tag(node, raw) or Code(raw, "point" if kind == "fmt" else "word")
    return Code(raw, "point")


def _as_tag(node: Node, raw: str) -> Code | None:
    """Return a placeholder that stands for a tag as a code with that tag's role, else None."""
    labels = (node.attributes.get(n, "") for n in ("equiv-text", "equiv", "disp"))
    for text in (node.text(), *labels):
        match list(find_codes(text.strip())):
            case [Code(role="open" | "close" | "point" | "break") as code]:
                key = f"{node.name} {code.key}" if code.role in ("open", "close") else ""
                return Code(raw, code.role, key)
    return None


def _key_prefix(name: str) -> str:
    return {"bx": "x", "ex": "x", "bpt": "pt", "ept": "pt", "sc": "c", "ec": "c"}.get(name, "m")


def _points_in_words(items: list[Item]) -> list[Item]:
    """Turn codes with the role ``word`` into points if a letter or digit touches them."""

    def touches(side: range, end: int) -> bool:
        for item in (items[j] for j in side):
            if isinstance(item, str):
                return item[end].isalnum()
            if item.role not in ("open", "close"):
                break
        return False

    def resolved(i: int, item: Item) -> Item:
        if isinstance(item, str) or item.role != "word":
            return item
        touched = touches(range(i - 1, -1, -1), -1) or touches(range(i + 1, len(items)), 0)
        return item._replace(role="point") if touched else item

    return [resolved(i, item) for i, item in enumerate(items)]


# --- writing targets


def _edits(
    data: bytes, places: Sequence[_Place], translations: Sequence[Filled], is_v1: bool
) -> Iterator[Edit[bytes]]:
    """Yield the edits that write the targets and their states."""
    marked = set[int]()  # a target of several sentences gets one state
    for place, filled in zip(places, translations, strict=True):
        if filled.raw is None:
            continue
        by_reason = {"": _MACHINE, NO_WORDS: _WITHOUT_WORDS}
        state = by_reason.get(filled.why, _COPIED)[not is_v1]
        yield from _target_edits(data, place, filled.raw, state if is_v1 else {})
        holder, needs_mark = place.holder, not (place.is_part and filled.why == NO_WORDS)
        if holder and needs_mark and id(holder) not in marked:
            marked.add(id(holder))
            for name, value in state.items():
                if value != "initial" or name in holder.attributes:  # the default of XLIFF 2
                    yield _set_attribute(data, holder, name, value)


def _target_edits(
    data: bytes, place: _Place, text: str, state: dict[str, str]
) -> Iterator[Edit[bytes]]:
    """Yield the edits that write a target, with its ``state`` if it is new, and ``xml:space``."""
    source, target = place.source, place.target
    attrs = {} if target else dict(state)
    if space := attribute_span(data, source, "xml:space"):
        attrs["xml:space"] = data[slice(*space)].decode()
    raw = text.encode()
    if target is None:
        prefix, colon, _ = raw_name(data, source).rpartition(":")
        tag = f"{prefix}{colon}target"
        start = "".join([f"<{tag}", *(f' {name}="{value}"' for name, value in attrs.items()), ">"])
        indent = _white_before(data, source.open)
        written = indent + start.encode() + raw + f"</{tag}>".encode()
        yield Edit(source.close, source.close, written)
        return
    yield from (_set_attribute(data, target, name, value) for name, value in attrs.items())
    if target.is_empty_tag:
        end = target.open + len(data[target.open : target.inner - 2].rstrip())
        yield Edit(end, target.inner, b">" + raw + f"</{raw_name(data, target)}>".encode())
    else:
        yield Edit(target.inner, target.outer, raw)


def _set_attribute(data: bytes, node: Node, name: str, value: str) -> Edit[bytes]:
    """Return the edit that adds an attribute to an element or changes its value."""
    if span := attribute_span(data, node, name):
        return Edit(*span, value.encode())
    offset = node.open + 1 + len(raw_name(data, node).encode())
    return Edit(offset, offset, f' {name}="{value}"'.encode())


def _white_before(data: bytes, end: int) -> bytes:
    """Return the white space that ends at offset ``end``."""
    start = end
    while start and data[start - 1] in b" \t\r\n":
        start -= 1
    return data[start:end]
