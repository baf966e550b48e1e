"""PO: the messages of a program and their translations (gettext), read by polib.

Of plural forms the first two are read: (msgid, msgstr[0]) and (msgid_plural, msgstr[1]). Fuzzy and
obsolete entries and the header are skipped.
"""

from __future__ import annotations

import codecs
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mtkit.errors import InputError
from mtkit.storage.reading import unpacked
from mtkit.storage.structure import SURROGATE
from mtkit.text.formats.choice import Numbered, Pair
from mtkit.text.formats.codes import SOURCE, TARGET, parse_code
from mtkit.text.lines import decode_lines

CHARSET = re.compile(rb'"Content-Type:[^"\n]*?charset=([\w.-]+)', re.I)
STRING = r'"(?:[^"\\]|\\.)*"'
_LINE = re.compile(rf'[^#"]*{STRING}\s*')  # a line with a complete string
# Text encodings of Python that no file has; decoding some takes time quadratic in the length.
_NO_CHARSETS = {"punycode", "idna", "unicode_escape", "raw_unicode_escape"}
LONGEST = 10_000  # lines of a string; polib copies the string at each


def read(path: Path, _: Pair | None = None) -> Iterator[Numbered]:
    """Yield (line number, unit) for each entry, twice for an entry with a plural.

    The header ``Language`` names the target language, and ``X-Source-Language``, which most files
    lack, the source language. Raises InputError if the file is not PO.
    """
    catalog = _parse(path)
    source = _language(catalog, "X-Source-Language", path) or SOURCE
    target = _language(catalog, "Language", path) or TARGET
    target = TARGET if target == source else target
    for entry in catalog:
        if entry.obsolete or entry.fuzzy:
            continue
        if entry.msgid_plural:
            forms = entry.msgstr_plural
            yield entry.linenum, {source: entry.msgid, target: forms.get(0, "")}
            if 1 in forms:
                yield entry.linenum + 1, {source: entry.msgid_plural, target: forms[1]}
        else:
            yield entry.linenum, {source: entry.msgid, target: entry.msgstr}


def _parse(path: Path) -> Any:
    """Parse a file by polib. Raises InputError if the file is not PO or polib is not installed."""
    try:
        import polib
    except ImportError:
        raise InputError(
            f"{path}: PO files need the package polib: pip install 'mtkit[formats]'"
        ) from None
    text = _decoded(b"".join(unpacked(path)), path)
    begin = 0  # line before the string
    for n, line in enumerate(text.split("\n"), 1):
        begin = begin if line.lstrip()[:1] == '"' else n
        if n - begin > LONGEST:
            raise InputError(f"{path}: line {n}: a text of more than {LONGEST:,} lines; split it")
        if '"' in line and line.lstrip()[:1] != "#" and not _LINE.fullmatch(line):
            # polib would drop the last letter without an error
            raise InputError(f"{path}: line {n}: unterminated string; repair it")
    # Given a text, polib may take it for a file name, and it splits at other characters, too.
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "copy.po"  # closed before polib reads it, as Windows demands
        copy.write_text(text, encoding="utf-8", newline="\n")
        try:
            return polib.pofile(str(copy), encoding="utf-8")
        except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
            number = re.search(r"line (\d+)", str(error))
            where = f"line {number[1]}: " if number else ""
            raise InputError(
                f"{path}: {where}not a PO file; name its format with --format, or repair it"
            ) from None


def _decoded(data: bytes, path: Path) -> str:
    """Decode a PO file by the charset in its header. Raises InputError if that fails."""
    declared = CHARSET.search(data)
    charset = declared[1].decode().lower() if declared else "utf-8"
    if charset in ("utf-8", "utf8", "ascii", "us-ascii", "charset"):  # CHARSET: in a template
        return "\n".join(decode_lines(data, str(path)))
    try:
        if codecs.lookup(charset).name.replace("-", "_") in _NO_CHARSETS:
            raise LookupError("not a character set")
        text = data.decode(charset)
    except (LookupError, ValueError) as error:
        problem = " ".join(str(error).split())[:100]
        raise InputError(f"{path}: not {charset} ({problem}); convert it to UTF-8") from None
    if SURROGATE.search(text):
        raise InputError(f"{path}: not {charset}; convert it to UTF-8")
    return text


def _language(catalog: Any, name: str, path: Path) -> str:
    code = catalog.metadata.get(name, "").strip()
    return parse_code(code, path) if code else ""
