"""PO: only translations and flags change."""

from __future__ import annotations

from pathlib import Path

import polib
import pytest

from mtkit.documents.fill import fill, open_document
from mtkit.errors import InputError
from tests.support.documents import (
    AROUND,
    HEADER,
    PLACEHOLDERS,
    WORDS,
    mirror,
    po,
    reply,
    shout,
    sources,
)


def filled(text: str | bytes, tmp_path: Path, every: bool = False, translate=shout) -> bytes:  # type: ignore[no-untyped-def]
    path = tmp_path / "a.po"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return fill(open_document(path, ("en", "de"), every), translate, WORDS, "a.po")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ('msgid "a"\nmsgstr ""\n', '#, fuzzy\nmsgid "a"\nmsgstr "A"\n'),
        ('msgid "a"\nmsgstr ""', '#, fuzzy\nmsgid "a"\nmsgstr "A"'),
        (
            '# t\n#, c-format\nmsgid "a"\nmsgstr ""\n',
            '# t\n#, fuzzy, c-format\nmsgid "a"\nmsgstr "A"\n',
        ),
        ('#, fuzzy\nmsgid "a"\nmsgstr ""\n', '#, fuzzy\nmsgid "a"\nmsgstr "A"\n'),
        ('#| msgid "b"\nmsgid "a"\nmsgstr ""\n', '#, fuzzy\n#| msgid "b"\nmsgid "a"\nmsgstr "A"\n'),
        (
            'msgctxt ""\nmsgid ""\n"a\\n"\n"b."\nmsgstr ""\n',
            '#, fuzzy\nmsgctxt ""\nmsgid ""\n"a\\n"\n"b."\nmsgstr ""\n"A\\n"\n"B."\n',
        ),
        (
            'msgid "\\"\\\\n\\t\\101"\nmsgstr ""\n',
            '#, fuzzy\nmsgid "\\"\\\\n\\t\\101"\nmsgstr "\\"\\\\n\\tA"\n',
        ),
        (
            'msgid "a"\nmsgid_plural "%d b"\nmsgstr[0] ""\nmsgstr[1] ""\n',
            '#, fuzzy\nmsgid "a"\nmsgid_plural "%d b"\nmsgstr[0] "A"\nmsgstr[1] "%d B"\n',
        ),
        (
            'msgid "a"\nmsgid_plural "b"\nmsgstr[0] "x"\n',  # one form is missing
            '#, fuzzy\nmsgid "a"\nmsgid_plural "b"\nmsgstr[0] "x"\nmsgstr[1] "B"\n',
        ),
        ('msgid "%s: {0}"\nmsgstr ""\n', 'msgid "%s: {0}"\nmsgstr "%s: {0}"\n'),  # no words
        (
            'msgid "%d"\nmsgid_plural "%d b"\nmsgstr[0] ""\nmsgstr[1] ""\n',
            '#, fuzzy\nmsgid "%d"\nmsgid_plural "%d b"\nmsgstr[0] "%d"\nmsgstr[1] "%d B"\n',
        ),
        ('msgid "a"\nmsgstr "x"\n', None),
        ('#, fuzzy\nmsgid "a"\nmsgstr "x"\n', None),
        ('msgid "a"\nmsgid_plural "b"\nmsgstr[0] "x"\nmsgstr[1] "y"\n', None),
        ('#~ msgid "a"\n#~ msgstr ""\n', None),
        (
            'msgid "a"\nmsgstr ""\nmsgid "b"\nmsgstr ""\n',  # no blank line between
            '#, fuzzy\nmsgid "a"\nmsgstr "A"\n#, fuzzy\nmsgid "b"\nmsgstr "B"\n',
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_an_entry(entry: str, expected: str | None, newline: str, tmp_path: Path) -> None:
    before, after = (
        f"{HEADER}\n{text}".replace("\n", newline) for text in (entry, expected or entry)
    )
    assert filled(before, tmp_path) == after.encode()
    assert filled(after, tmp_path) == after.encode()


@pytest.mark.parametrize(("n", "expected"), [(1, ["B"]), (3, ["A", "B", "B"])])
def test_nplurals_sets_the_plural_forms(n: int, expected: list[str], tmp_path: Path) -> None:
    entry = 'msgid "a"\nmsgid_plural "b"\nmsgstr[0] ""\n'
    done = filled(HEADER.replace("nplurals=2", f"nplurals={n}") + "\n" + entry, tmp_path)
    [forms] = [e.msgstr_plural for e in polib.pofile(done.decode()) if e.msgid]
    assert [forms[i] for i in range(len(forms))] == expected


def test_all_fills_every_entry_but_obsolete_ones(tmp_path: Path) -> None:
    text = f'{HEADER}\nmsgid "a"\nmsgstr "x"\n\n#~ msgid "b"\n#~ msgstr "y"\n'
    expected = text.replace('msgid "a"\nmsgstr "x"', '#, fuzzy\nmsgid "a"\nmsgstr "A"')
    assert filled(text, tmp_path, every=True) == expected.encode()


def test_other_encodings(tmp_path: Path) -> None:
    text = HEADER.replace("UTF-8", "ISO-8859-1") + '\nmsgid "für"\nmsgstr ""\n'
    expected = text.replace('msgid "für"\nmsgstr ""', '#, fuzzy\nmsgid "für"\nmsgstr "FÜR"')
    assert filled(text.encode("latin-1"), tmp_path) == expected.encode("latin-1")
    with pytest.raises(InputError, match="iso8859-1 has no 'Ł', which the translation needs"):
        filled(text.encode("latin-1"), tmp_path, translate=lambda lines: [reply(lines[0], ["Ł"])])


@pytest.mark.parametrize("translate", [shout, mirror])
def test_translations_have_the_codes_of_their_sources(translate, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    data = po(sources(PLACEHOLDERS, AROUND, " "))
    done = filled(data, tmp_path, translate=translate)
    before, after = polib.pofile(data.decode()), polib.pofile(done.decode())
    assert len(after) > 300
    assert [e.msgid for e in before] == [e.msgid for e in after]
    assert all(e.msgstr or all(e.msgstr_plural.values()) for e in after)
    kept = [line for line in done.splitlines() if b"fuzzy" not in line and line[:1] == b"#"]
    assert kept == [
        line for line in data.splitlines() if b"no-wrap" not in line and line[:1] == b"#"
    ]
    assert filled(done, tmp_path) == done


REFUSED = {
    "not PO": ("hello\n", "line 1: expected msgid, msgstr or a string"),
    "no msgstr": ('msgid "a"\n\nmsgid "b"\nmsgstr ""\n', "line 1: the message lacks a msgstr"),
    "no msgid": ('msgstr ""\n', "line 1: expected one msgid"),
    "forms": ('msgid "a"\nmsgid_plural "b"\nmsgstr[1] ""\n', "line 1: the message lacks a msgstr"),
    "open": ('msgid "a\nmsgstr ""\n', "line 1: expected msgid, msgstr or a string"),
    "target": (
        HEADER.replace("de", "fr"),
        "line 2: the target language is fr, but that of the model is de",
    ),
    "source": (HEADER + '"X-Source-Language: fr\\n"\n', "line 2: the source language is fr"),
    "nplurals": (HEADER.replace("nplurals=2", "nplurals=99999"), "line 2: nplurals=99999"),
    "charset": (HEADER.replace("UTF-8", "hex"), "unknown encoding 'hex'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_invalid_documents_are_refused(case: str, tmp_path: Path) -> None:
    text, message = REFUSED[case]
    with pytest.raises(InputError) as error:
        filled(text, tmp_path)
    assert message in str(error.value)


def test_the_header_sets_the_charset(tmp_path: Path) -> None:
    data = b"# charset=ISO-8859-1\n" + po(["ä charset=utf-16"])
    path = tmp_path / "a.po"
    path.write_bytes(data)
    assert fill(open_document(path, ("en", "de"), False), shout, WORDS, "a.po").count("Ä".encode())
