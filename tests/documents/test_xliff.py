"""XLIFF: only targets change, and they have every code of their source."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

import pytest
from lxml import etree

from mtkit.console import console
from mtkit.documents.fill import fill, open_document
from mtkit.errors import InputError
from tests.support.documents import (
    AROUND_2,
    AROUND_12,
    EMPTY_2,
    EMPTY_12,
    WORDS,
    mirror,
    shout,
    sources,
    xliff_2,
    xliff_12,
)

HEAD = '<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">'
HEAD += '<file original="a" source-language="en" target-language="de" datatype="x"><body>'
TAIL = "</body></file></xliff>"
STATE = ' state="needs-review-translation" state-qualifier="x-mtkit"'


def filled(data: bytes | str, tmp_path: Path, every: bool = False, translate=shout) -> bytes:  # type: ignore[no-untyped-def]
    path = tmp_path / "a.xlf"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return fill(open_document(path, ("en", "de"), every), translate, WORDS, "a.xlf")


def unit(content: str, tmp_path: Path, attributes: str = "") -> str:
    """Fill a unit with ``content``; return its new content."""
    data = f"{HEAD}<trans-unit id='1'{attributes}>{content}</trans-unit>{TAIL}"
    done = filled(data, tmp_path).decode()
    start, end = f"{HEAD}<trans-unit id='1'{attributes}>", f"</trans-unit>{TAIL}"
    assert done.startswith(start)
    assert done.endswith(end)
    return done.removeprefix(start).removesuffix(end)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("<source>a</source>", "<source>a</source><target{}>A</target>"),
        ("<source>a</source><target/>", "<source>a</source><target{}>A</target>"),
        ("<source>a</source><target  />", "<source>a</source><target{}>A</target>"),
        ("<source>a</source><target> </target>", "<source>a</source><target{}>A</target>"),
        (
            "\r\n\t<source >a</source >\r\n",
            "\r\n\t<source >a</source >\r\n\t<target{}>A</target>\r\n",
        ),
        ("<source>a.\r\nb</source>", "<source>a.\r\nb</source><target{}>A.\r\nB</target>"),
        ("<source>a</source><target>b</target>", None),
        ("<source>a</source><target state='signed-off'></target>", None),
        ("<source>a</source><target state='new'>b</target>", None),
        (
            '<source>a</source><target state="new" state-qualifier="x">a</target>',
            "<source>a</source><target{}>A</target>",
        ),
        ("<source></source>", None),
        ("<source/>", None),
        ("<source>a<!-- <b> -->b</source>", "<source>a<!-- <b> -->b</source><target{}>AB</target>"),
        (
            "<source><![CDATA[a < b]]> &#160;&quot;c&quot;</source>",
            "<source><![CDATA[a < b]]> &#160;&quot;c&quot;</source>"
            "<target{}>A &lt; B &#160;&quot;C&quot;</target>",
        ),
        (
            '<source>a <g id="1" ctype="x-a>b">b</g></source>',
            '<source>a <g id="1" ctype="x-a>b">b</g></source>'
            '<target{}>A <g id="1" ctype="x-a>b">B</g></target>',
        ),
        (
            "<source>a b</source><seg-source><mrk mtype='seg' mid='1'>a</mrk> "
            "<mrk mtype='seg' mid='2'>b</mrk></seg-source>"
            "<target><mrk mtype='seg' mid='1'/></target>",
            "<source>a b</source><seg-source><mrk mtype='seg' mid='1'>a</mrk> "
            "<mrk mtype='seg' mid='2'>b</mrk></seg-source>"
            "<target{}><mrk mtype='seg' mid='1'>A</mrk> <mrk mtype='seg' mid='2'>B</mrk></target>",
        ),
        (
            "<source>a</source><alt-trans><source>b</source><target/></alt-trans>",
            "<source>a</source><target{}>A</target>"
            "<alt-trans><source>b</source><target/></alt-trans>",
        ),
    ],
)
def test_a_unit(content: str, expected: str | None, tmp_path: Path) -> None:
    assert unit(content, tmp_path) == (content if expected is None else expected.format(STATE))


def test_only_empty_segments_of_a_target_are_filled(tmp_path: Path) -> None:
    source = (
        "<source>a b c</source><seg-source><g id='1'><mrk mtype='seg' mid='1'>a</mrk></g> "
        "<mrk mtype='seg' mid='2'>b</mrk> <mrk mtype='seg' mid='3'>c</mrk></seg-source>"
    )
    content = (
        "<target state='new'><g id='1'><mrk mtype='seg' mid='1'/></g> "
        "<mrk mtype='seg' mid='2'>mine</mrk> <mrk mtype='seg' mid='3'> </mrk></target>"
    )
    done = unit(source + content, tmp_path)
    assert done == source + (
        "<target state-qualifier=\"x-mtkit\" state='needs-review-translation'><g id='1'>"
        "<mrk mtype='seg' mid='1'>A</mrk></g> "
        "<mrk mtype='seg' mid='2'>mine</mrk> <mrk mtype='seg' mid='3'>C</mrk></target>"
    )
    assert unit(done, tmp_path) == done


def test_excluded_units_are_unchanged(tmp_path: Path) -> None:
    source = "<source>a</source>"
    assert unit(source, tmp_path, ' translate="no"') == source
    assert unit(source, tmp_path, ' approved="yes"') == source
    assert unit(source, tmp_path, ' xmlns:m="urn:m" m:locked="true"') == source
    assert unit(source, tmp_path, ' xmlns:m="urn:m" m:locked="false"') != source
    data = f'{HEAD}<group translate="no"><trans-unit id="1">{source}</trans-unit></group>{TAIL}'
    assert filled(data, tmp_path) == data.encode()


def test_the_state_of_a_target_is_replaced(tmp_path: Path) -> None:
    content = "<source>a</source><target xml:lang='de' state='new'/>"
    done = unit(content, tmp_path)
    assert "xml:lang='de' state='needs-review-translation'>A</target>" in done
    message = "<source>{n, plural, one {a} other {b}}</source>"
    assert '<target state="needs-translation">{n, plural, one {a}' in unit(message, tmp_path)


def test_all_fills_every_target(tmp_path: Path) -> None:
    target = "<target>x<g id='1'/></target>"
    data = f"{HEAD}<trans-unit id='1'><source>a</source>{target}</trans-unit>{TAIL}"
    assert f"<target{STATE}>A</target>" in filled(data, tmp_path, every=True).decode()
    final = data.replace("<target>", "<target state='final'>")
    assert filled(final, tmp_path, every=True) == final.encode()


def test_prefixes_and_other_namespaces(tmp_path: Path) -> None:
    data = (
        '<x:xliff version="1.2" xmlns:x="urn:oasis:names:tc:xliff:document:1.2" xmlns="urn:o">'
        '<x:file source-language="en"><x:body><x:trans-unit id="1"><source>no</source>'
        "<x:source>a</x:source></x:trans-unit></x:body></x:file></x:xliff>"
    )
    done = filled(data, tmp_path).decode()
    assert done == data.replace("</x:source>", f"</x:source><x:target{STATE}>A</x:target>")


@pytest.mark.parametrize(
    ("codec", "bom"),
    [
        ("utf-8", codecs.BOM_UTF8), ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE), ("iso8859-1", b""), ("cp1252", b""),
    ],
)  # fmt: skip
def test_the_encoding_stays(codec: str, bom: bytes, tmp_path: Path) -> None:
    declared = "utf-16" if codec.startswith("utf-16") else codec
    text = f'<?xml version="1.0" encoding="{declared}"?>\r\n{HEAD}'
    text += f"<trans-unit id='1'><source>für</source></trans-unit>{TAIL}"

    def answer(lines: list[str]):  # type: ignore[no-untyped-def]
        assert lines == ["für"]
        return [h.__class__("Łü", ["Łü"], 0.0) for h in shout(lines)]

    done = filled(bom + text.encode(codec), tmp_path, translate=answer)
    word = "Łü" if codec.startswith("utf") else "&#321;ü"
    expected = text.replace("</source>", f"</source><target{STATE}>{word}</target>")
    assert done == bom + expected.encode(codec)


def without_targets(data: bytes) -> bytes:
    """Return the document without the targets and states that filling may add."""
    data = re.sub(rb"\s*<target[^>]*?(/>|>.*?</target\s*>)", b"", data, flags=re.DOTALL)
    return re.sub(rb' (state|subState)="[^"]*"(?=[^<]*>\s*<source)', b"", data)


def shape(node: etree._Element) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    """Return tags and attributes of all elements inside, sorted."""
    found = []
    for element in node.iter():
        if element is not node:
            attributes = tuple(sorted((str(k), str(v)) for k, v in element.attrib.items()))
            found.append((str(element.tag), attributes))
    return sorted(found)


@pytest.mark.parametrize("translate", [shout, mirror])
@pytest.mark.parametrize(
    "data",
    [
        xliff_12(sources(EMPTY_12, AROUND_12)), xliff_12(sources(EMPTY_12, AROUND_12), "\r\n"),
        xliff_2(sources(EMPTY_2, AROUND_2)),
    ],
)  # fmt: skip
def test_targets_have_the_codes_of_their_sources(data: bytes, translate, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done = filled(data, tmp_path, translate=translate)
    assert without_targets(done) == without_targets(data)
    root = etree.fromstring(done)
    pairs = [
        (s, s.getnext()) for s in root.iter("{*}source") if s.getparent().tag[-9:] != "ignorable"
    ]
    assert len(pairs) > 100
    for source, target in pairs:
        assert shape(source) == shape(target)
        ids = [e.get("id") or e.get("startRef") or "" for e in target.iter() if e is not target]
        assert ids, etree.tostring(target)
    assert filled(done, tmp_path) == done


@pytest.mark.parametrize("translate", [shout, mirror])
def test_crossing_codes_open_before_they_close(translate, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    crossing = '<sc id="1"/>a <sc id="2"/>b<ec startRef="1"/> c d<ec startRef="2"/> e'
    done = filled(xliff_2([crossing]), tmp_path, translate=translate)
    [target] = etree.fromstring(done).iter("{*}target")
    found = [element.get("id") or f"/{element.get('startRef')}" for element in target]
    assert sorted(found) == ["/1", "/2", "1", "2"]
    assert found.index("1") < found.index("/1")
    assert found.index("2") < found.index("/2")


def test_xliff_2_segments_have_the_state(tmp_path: Path) -> None:
    data = xliff_2(["a", "b", "c <pc id='1'>d</pc>"])
    done = filled(data, tmp_path).decode()
    assert done.count('state="translated"') == 3
    assert done.count('subState="mtkit:machine"') == 3
    assert "<target xml:space=\"preserve\">C <pc id='1'>D</pc></target>" in done
    without = data.replace(b' trgLang="de"', b"")
    assert filled(without, tmp_path).count(b' trgLang="de"') == 1


HEAD_2 = (
    '<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.0" srcLang="en" trgLang="de">'
)
PAIR = "<source>a</source><target{}>x</target>"
TRANSLATED = {
    "1.2": (HEAD + "<trans-unit id='1'{}>" + PAIR + "</trans-unit>" + TAIL),
    "2.0": (
        HEAD_2 + "<file id='f'><unit id='1'><segment{}>" + PAIR + "</segment></unit></file></xliff>"
    ),
}


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize(
    ("version", "unit_or_segment", "target", "is_approved"),
    [
        ("1.2", " approved='yes'", "", True), ("1.2", "", " state='signed-off'", True),
        ("1.2", "", " state='final'", True), ("1.2", "", " state='translated'", False),
        ("1.2", " approved='no'", " state='needs-review-l10n'", False), ("1.2", "", "", False),
        ("2.0", " state='reviewed'", "", True), ("2.0", " state='final'", "", True),
        ("2.0", " state='translated'", "", False), ("2.0", "", "", False),
    ],
)  # fmt: skip
def test_approved_work_is_never_overwritten(
    version: str, unit_or_segment: str, target: str, is_approved: bool, every: bool, tmp_path: Path
) -> None:
    data = TRANSLATED[version].format(unit_or_segment, target)
    done = filled(data, tmp_path, every).decode()
    assert (done == data) == (is_approved or not every)
    assert (">A</target>" in done) == (every and not is_approved)


def test_approved_and_locked_segments_of_sdlxliff_stay(tmp_path: Path) -> None:
    marks = "".join(f"<mrk mtype='seg' mid='{k}'>{{}}</mrk>" for k in range(4))
    source = f"<source>a b c d</source><seg-source>{marks}</seg-source>".format(*"abcd")
    segments = "<s:seg-defs xmlns:s='urn:sdl'><s:seg id='0' conf='ApprovedSignOff'/>"
    segments += "<s:seg id='1' conf='Translated'/><s:seg id='2' locked='true'/></s:seg-defs>"
    content = f"{source}<target>{marks}</target>{segments}"
    every = filled(
        f"{HEAD}<trans-unit>{content.format(*'wxyz')}</trans-unit>{TAIL}", tmp_path, True
    )
    assert f"{marks}</target>".format(*"wByD") in every.decode()
    data = f"{HEAD}<trans-unit>{content.format(*'wx', '', '')}</trans-unit>{TAIL}"
    assert f"{marks}</target>".format(*"wx", "", "D") in filled(data, tmp_path).decode()


COPY = ' state="translated" state-qualifier="x-mtkit"'


def test_copies_without_words_need_no_review(tmp_path: Path) -> None:
    for codes in ("%s", "{0}: %1$s", '<x id="1"/>', '<g id="1">{name}</g> – <x id="2"/>'):
        source = f"<source>{codes}</source>"
        done = unit(source, tmp_path)
        assert done == f"{source}<target{COPY}>{codes}</target>"
        assert unit(done, tmp_path) == done
    assert STATE in unit("<source>1,000.5 {0}</source>", tmp_path)  # decimal marks differ
    done = filled(xliff_2(["{0}", "%s a"]), tmp_path).decode()
    assert done.count('state="translated"') == 2
    assert done.count("mtkit:copy") == done.count("mtkit:machine") == 1


def test_a_copy_leaves_the_state_of_other_sentences(tmp_path: Path) -> None:
    marks = "<mrk mtype='seg' mid='1'>{}</mrk><mrk mtype='seg' mid='2'>{}</mrk>"
    source = "<source>x</source><seg-source>" + marks + "</seg-source>"
    target = "<target state='needs-review-translation'>" + marks + "</target>"
    done = unit(source.format("%s", "a") + target.format("", "x"), tmp_path)
    assert done.endswith(target.format("%s", "x"))
    done = unit(
        source.format("%s", "a") + target.replace("needs-review-", "").format("", ""), tmp_path
    )
    assert "state='needs-review-translation'" in done


UNIT = "<trans-unit><source>%s</source></trans-unit>"
REFUSED = {
    "not nested": (HEAD + UNIT % "<g>a" + TAIL, "line 1: not well-formed XML (mismatched tag)"),
    "bomb": ('<!DOCTYPE x [\n<!ENTITY a "b">]>' + HEAD + TAIL, "line 1: a document type decl"),
    "deep": (HEAD + "<g>" * 200, "line 1: elements nested more than 100 levels deep"),
    "empty": ("", "line 1: not well-formed XML (no element found)"),
    "text": ("hello", "line 1: not well-formed XML"),
    "tmx": ("<tmx/>", "line 1: expected <xliff>, found <tmx>"),
    "version": ("<xliff version='3.0'/>", "line 1: XLIFF version '3.0'"),
    "no language": (HEAD.replace('source-language="en"', "") + TAIL, "has no source-language"),
    "other source": (HEAD.replace('"en"', '"fr"') + TAIL, "1: the source language is fr, but"),
    "other target": (HEAD.replace('"de"', '"cs"') + TAIL, "1: the target language is cs, but"),
    "2 without": ("<xliff version='2.0'/>", "line 1: <xliff> has no srcLang"),
    "no source": (f"{HEAD}\n<trans-unit id='1'/>{TAIL}", "line 2: <trans-unit> has no <source>"),
    "encoding": ("<?xml version='1.0' encoding='hex'?><a/>", "unknown encoding 'hex'"),
    "cut": (f"{HEAD}\n<trans-unit><source>a", "line 2: not well-formed XML"),
    "entity": (HEAD + UNIT % "&x;" + TAIL, "(undefined entity)"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_invalid_documents_are_refused(case: str, tmp_path: Path) -> None:
    data, message = REFUSED[case]
    with pytest.raises(InputError) as error:
        filled(data, tmp_path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("code", ["de-AT", "de_CH", "deu", "DE", ""])
def test_language_variants_are_accepted(code: str, tmp_path: Path) -> None:
    data = HEAD.replace('"de"', f'"{code}"') + UNIT % "a" + TAIL
    assert b">A</target>" in filled(data, tmp_path)


def test_a_wrong_encoding_is_located(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 2: not utf-8"):
        filled(b"<?xml version='1.0'?>\n<a>\xff</a>", tmp_path)


def test_kept_units_are_counted_by_reason(tmp_path: Path) -> None:
    data = HEAD + "".join(
        f"<trans-unit id='{k}'><source>a</source><target{target}</target></trans-unit>"
        for k, target in enumerate((
            ">b", " state='new'>b", " state='needs-translation'>a", " state='final'>",
            "><mrk mtype='seg' mid='1'>a</mrk><mrk mtype='seg' mid='2'/>",  # not in the source
        ))
    ) + TAIL  # fmt: skip
    path = tmp_path / "a.xlf"
    path.write_text(data)
    document = open_document(path, ("en", "de"), every=False)
    assert len(document.segments) == 1
    assert document.kept == {
        "with a target": 1, "with a target marked new; --all translates it": 1, "final": 1,
        "with a target of some of its segments; --all translates it": 1,
    }  # fmt: skip


def test_three_letter_codes_are_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "quiet", False)
    data = HEAD.replace('"de"', '"deu"') + TAIL
    filled(data, tmp_path)
    said = capsys.readouterr().err
    assert "a.xlf: line 1: the target language deu is treated as the model's de" in said


def test_utf_32_is_refused(tmp_path: Path) -> None:
    for codec in ("utf-32", "utf-32-le", "utf-32-be"):
        with pytest.raises(
            InputError, match=r"a\.xlf: UTF-32 is not supported; convert the file to UTF-8"
        ):
            filled((HEAD + TAIL).encode(codec), tmp_path)
