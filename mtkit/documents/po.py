r"""Read gettext PO files and splice translations in; no other byte changes.

A filled entry gets the flag ``fuzzy``, so that a translator reviews it, unless it is a copy without
words; gettext has no field for the name of a tool, and no mark of approved work. An entry with a
plural has as many forms as the header's ``nplurals`` says. ``msgstr[0]`` gets the translation of
``msgid``, all other forms get that of ``msgid_plural``; if there is only one form, it gets that of
``msgid_plural``.

Limits: strings are broken only after ``\n``; the context (``msgctxt``) is not used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from mtkit.documents.document import (
    EMPTY,
    HAS_TARGET,
    Document,
    Languages,
    check_language,
    line_label,
)
from mtkit.documents.encoding import Edit, Encoding, splice
from mtkit.documents.segments import NO_WORDS, Filled, Segment
from mtkit.errors import InputError
from mtkit.text.formats.po import CHARSET, STRING

_FIELD = re.compile(rf"\s*(msgctxt|msgid|msgid_plural|msgstr(?:\[(\d+)\])?)\s*({STRING})\s*")
_CONTINUATION = re.compile(rf"\s*({STRING})\s*")
_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|x([\dA-Fa-f]{1,2})|(.))")
_UNESCAPED = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"'} | {c: f"\\{n}" for n, c in _UNESCAPED.items()})
_PLURALS = re.compile(r"nplurals\s*=\s*(\d+)")
MAX_PLURALS = 10


@dataclass
class _Field:
    """``msgid "…"`` and its continuation lines; ``start : stop`` are the offsets of its strings."""

    name: str
    number: int | None
    line: int
    start: int
    stop: int
    raw: list[str]

    @property
    def text(self) -> str:
        """The field's value, unescaped."""
        return "".join(_ESCAPE.sub(_unescape, string[1:-1]) for string in self.raw)


@dataclass
class _Entry:
    """The fields of a message, and the offsets at which a flag can be inserted."""

    fields: list[_Field] = field(default_factory=list)
    begin: int = 0  # offset of the line of its first field
    previous: int | None = None  # offset of the comment with its previous msgid, ``#|``
    flags: int | None = None  # offset after the ``#,`` of its comment with flags
    is_fuzzy: bool = False

    def of(self, name: str = "") -> _Field | None:
        """Return the first field called ``name``, or of any name if that is ""; else None."""
        return next((f for f in self.fields if name in ("", f.name)), None)

    def add(self, found: re.Match[str], line: int, start: int) -> None:
        """Add the field that ``found`` matches in the line at offset ``start``."""
        self.begin = self.begin if self.fields else start
        name, number = found[1].partition("[")[0], int(found[2]) if found[2] else None
        a, b = found.span(3)
        self.fields.append(_Field(name, number, line, start + a, start + b, [found[3]]))

    def comment(self, line: str, start: int) -> None:
        """Record the flags or the previous msgid of a comment line at offset ``start``."""
        body = line.strip()
        if body.startswith("#,"):
            self.flags = self.flags or start + line.index("#,") + 2
            self.is_fuzzy |= "fuzzy" in [flag.strip() for flag in body[2:].split(",")]
        elif body.startswith("#|") and self.previous is None:
            self.previous = start

    @property
    def forms(self) -> list[_Field]:
        """The ``msgstr`` fields."""
        return [f for f in self.fields if f.name == "msgstr"]


class _Slot(NamedTuple):
    """Forms of an entry that get the same translation."""

    entry: _Entry
    numbers: Sequence[int | None]


def read_po(data: bytes, path: Path, languages: Languages, every: bool) -> Document:
    """Return the document in ``data``. every: also fill entries that have a translation.

    Raises InputError if ``data`` is not a PO file, or if its languages are not ``languages``.
    """
    charset = CHARSET.search(data)
    name = charset[1].decode() if charset else "utf-8"
    encoding = Encoding.named("utf-8" if name == "CHARSET" else name, data, path)
    text = encoding.decode(data, path)
    document, slots, plurals = Document(), list[_Slot](), None
    entries, document.kept["obsolete"] = _parse(text, path)
    for entry in entries:
        if _is_header(entry):
            plurals = _read_header(entry, path, languages)
            continue
        for slot, source in _slots(entry, plurals, document, every):
            slots.append(slot)
            document.segments.append(Segment([source.text], str, source.line))

    def write(translations: Sequence[Filled]) -> bytes:
        newline, edits = "\r\n" if "\r\n" in text else "\n", list[Edit[str]]()
        marked = set[int]()
        for slot, filled in zip(slots, translations, strict=True):
            if filled.raw is None:
                continue
            if id(slot.entry) not in marked and filled.why != NO_WORDS:
                edits += _mark_fuzzy(slot.entry, newline)
                marked.add(id(slot.entry))
            edits += _fill_forms(slot, filled.raw, newline)
        return encoding.encode(splice(text, edits), path)

    document.write = write
    return document


# --- reading


def _parse(text: str, path: Path) -> tuple[list[_Entry], int]:
    """Return the entries and the number of obsolete ones; InputError names a malformed line."""
    entries, obsolete, start = [_Entry()], 0, 0
    for number, line in enumerate(re.findall(r"[^\n]*\n|[^\n]+", text), 1):
        body, match = line.strip(), _FIELD.fullmatch(line)
        ends = not body or body.startswith("#") or (match and not match[1].startswith("msgstr"))
        if ends and entries[-1].of("msgstr" if match else ""):
            entries.append(_Entry())
        if body.startswith("#~"):
            obsolete += body.removeprefix("#~").lstrip().startswith("msgid ")
        elif body.startswith("#"):
            entries[-1].comment(line, start)
        elif match:
            entries[-1].add(match, number, start)
        elif continuation := _CONTINUATION.fullmatch(line) if entries[-1].fields else None:
            entries[-1].fields[-1].raw.append(continuation[1])
            entries[-1].fields[-1].stop = start + continuation.end(1)
        elif body:
            where = line_label(path, number)
            raise InputError(f"{where}: expected msgid, msgstr or a string, as in PO")
        start += len(line)
    return [_checked(entry, path) for entry in entries if entry.fields], obsolete


def _checked(entry: _Entry, path: Path) -> _Entry:
    """Return ``entry``. Raises InputError if its fields are not those of a message."""
    names = [f.name for f in entry.fields if f.name != "msgstr"]
    where = line_label(path, entry.fields[0].line)
    if names[:1] == ["msgctxt"]:
        names = names[1:]
    if names not in (["msgid"], ["msgid", "msgid_plural"]) or entry.fields[0].name == "msgstr":
        raise InputError(f"{where}: expected one msgid, then perhaps msgid_plural")
    numbers = [f.number for f in entry.forms]
    expected = list(range(len(numbers))) if "msgid_plural" in names else [None]
    if not numbers or numbers != expected:
        raise InputError(f"{where}: the message lacks a msgstr; add it")
    return entry


def _is_header(entry: _Entry) -> bool:
    source = entry.of("msgid")
    return source is not None and not source.text and entry.of("msgctxt") is None


def _read_header(entry: _Entry, path: Path, languages: Languages) -> int | None:
    """Return the header's ``nplurals``, None if it names none.

    Raises InputError if it is out of range, or if the languages are not the model's.
    """
    lines = (line.partition(":") for line in entry.forms[0].text.split("\n"))
    header = {name.strip().lower(): value.strip() for name, _, value in lines}
    where = line_label(path, entry.forms[0].line)
    check_language(where, "source", header.get("x-source-language", ""), languages[0])
    check_language(where, "target", header.get("language", ""), languages[1])
    if not (plurals := _PLURALS.search(header.get("plural-forms", ""))):
        return None
    if not 0 < (n := int(plurals[1][:9])) <= MAX_PLURALS:
        raise InputError(f"{where}: nplurals={plurals[1]}; expected 1 to {MAX_PLURALS}")
    return n


def _slots(
    entry: _Entry, plurals: int | None, document: Document, every: bool
) -> Iterator[tuple[_Slot, _Field]]:
    """Yield the forms of an entry to fill, with their source; count the entry if none is filled."""
    msgid, msgid_plural = entry.of("msgid"), entry.of("msgid_plural")
    assert msgid
    texts = {f.number: f.text for f in entry.forms}
    form_numbers = dict.fromkeys(range(plurals or len(texts))) if msgid_plural else {None: None}
    to_fill = [number for number in form_numbers if every or not texts.get(number)]
    if not msgid.text.strip():
        document.kept[EMPTY] += 1
    elif not to_fill:
        document.kept[HAS_TARGET] += 1
    elif not msgid_plural:
        yield _Slot(entry, to_fill), msgid
    else:
        singular = [0] if 0 in to_fill and len(form_numbers) > 1 else []
        plural = [number for number in to_fill if number not in singular]
        for numbers, source in ((singular, msgid), (plural, msgid_plural)):
            if numbers:
                yield _Slot(entry, numbers), source


def _unescape(match: re.Match[str]) -> str:
    octal, hexadecimal, character = match.groups()
    if octal or hexadecimal:
        return chr(int(octal or hexadecimal, 8 if octal else 16))
    return _UNESCAPED.get(character, character)


# --- writing


def _mark_fuzzy(entry: _Entry, newline: str) -> Iterator[Edit[str]]:
    if entry.is_fuzzy:
        return
    if entry.flags is not None:
        yield Edit(entry.flags, entry.flags, " fuzzy,")
    else:
        offset = entry.begin if entry.previous is None else entry.previous
        yield Edit(offset, offset, f"#, fuzzy{newline}")


def _fill_forms(slot: _Slot, text: str, newline: str) -> Iterator[Edit[str]]:
    """Yield the edits that fill the forms of ``slot``; missing forms are added after the last."""
    lines = [line.translate(_ESCAPED) for line in re.findall(r"[^\n]*\n|[^\n]+", text)]
    strings = newline.join(f'"{line}"' for line in (lines if len(lines) == 1 else ["", *lines]))
    forms = {f.number: f for f in slot.entry.forms}
    end = slot.entry.fields[-1].stop
    for number in slot.numbers:
        if number in forms:
            yield Edit(forms[number].start, forms[number].stop, strings)
        else:
            yield Edit(end, end, f"{newline}msgstr[{number}] {strings}")
