"""Writers of bilingual files like those that other tools export."""

from __future__ import annotations

import gzip
import json
import lzma
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import zstandard

Pairs = Sequence[tuple[str, str]]
Writer = Callable[[Pairs], str]
XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress, ".xz": lzma.compress, ".zst": zstandard.compress,
}  # fmt: skip


def tsv(pairs: Pairs) -> str:
    return "".join(f"{line}\n" for line in ("en\tde", *(f"{s}\t{t}" for s, t in pairs)))


def jsonl(pairs: Pairs) -> str:
    return "".join(json.dumps({"id": 7, "en": s, "de": t}) + "\n" for s, t in pairs)


def tmx(pairs: Pairs) -> str:
    units = "\n".join(
        f'    <tu tuid="{n}"><note>a note</note>\n'
        f'      <tuv xml:lang="de"><seg>{escape(t)}</seg></tuv>\n'
        f'      <tuv xml:lang="en"><prop type="x">p</prop><seg>{escape(s)}</seg></tuv>\n    </tu>'
        for n, (s, t) in enumerate(pairs)
    )
    return (
        f'{XML}<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n<tmx version="1.4">\n'
        '  <header creationtool="tests" creationtoolversion="1" segtype="sentence" o-tmf="x" '
        'adminlang="en" srclang="en" datatype="plaintext"/>\n'
        f"  <body>\n{units}\n  </body>\n</tmx>\n"
    )


def xliff12(pairs: Pairs) -> str:
    units = "\n".join(
        f'      <group id="g{n}"><trans-unit id="{n}" xml:space="preserve">\n'
        f"        <source>{escape(s)}</source>\n        <target>{escape(t)}</target>\n"
        "        <alt-trans><source>old</source><target>alt</target></alt-trans>\n"
        "      </trans-unit></group>"
        for n, (s, t) in enumerate(pairs)
    )
    return (
        f'{XML}<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">\n'
        '  <file original="a.txt" source-language="en" target-language="de" datatype="plaintext">\n'
        f"    <body>\n{units}\n    </body>\n  </file>\n</xliff>\n"
    )


def xliff21(pairs: Pairs) -> str:
    units = "\n".join(
        f'    <unit id="u{n}"><notes><note>a note</note></notes><segment id="s{n}">\n'
        f'      <source xml:space="preserve">{escape(s)}</source>\n'
        f'      <target xml:space="preserve">{escape(t)}</target>\n    </segment></unit>'
        for n, (s, t) in enumerate(pairs)
    )
    return (
        f'{XML}<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.1" '
        f'srcLang="en" trgLang="de">\n  <file id="f1">\n{units}\n  </file>\n</xliff>\n'
    )


def po(pairs: Pairs) -> str:
    header = (
        'msgid ""\nmsgstr ""\n"Language: de\\n"\n"Content-Type: text/plain; charset=UTF-8\\n"\n'
    )
    entries = (
        f'#: a.c:{n}\nmsgctxt "{n}"\nmsgid ""\n"{_quoted(s)}"\nmsgstr "{_quoted(t)}"\n'
        for n, (s, t) in enumerate(pairs)
    )
    return "\n".join([header, *entries])


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


WRITERS: dict[str, Writer] = {
    "t.tsv": tsv, "t.jsonl": jsonl, "t.tmx": tmx, "t12.xlf": xliff12, "t21.xliff": xliff21,
    "t.po": po,
}  # fmt: skip


def write(path: Path, pairs: Pairs, name: str = "") -> Path:
    """Write ``pairs`` in the format of ``name``, by default that of the file's name."""
    text = WRITERS[name or path.name.removesuffix(path.suffix if path.suffix in PACKERS else "")]
    data = text(pairs).encode()
    path.write_bytes(PACKERS[path.suffix](data) if path.suffix in PACKERS else data)
    return path
