"""Broken, mislabelled and malicious files: the error is one line with place and remedy."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtkit.errors import InputError
from mtkit.storage import reading
from mtkit.text.corpus import Bitext, files_of, open_corpus
from mtkit.text.formats import markup
from mtkit.text.formats.bilingual import read
from mtkit.text.lines import read_lines
from tests.support.bilingual import PACKERS, WRITERS, write
from tests.support.command import mtkit

PAIRS = [(f"The man {n}.", f"Der Mann {n}.") for n in range(40)]
TMX = WRITERS["t.tmx"](PAIRS)
LAUGHS = "".join(f'<!ENTITY l{n} "&l{n - 1};&l{n - 1};&l{n - 1};">' for n in range(1, 99))
BOMB = f'<?xml version="1.0"?>\n<!DOCTYPE tmx [<!ENTITY l0 "ha">{LAUGHS}]>\n<tmx>&l98;</tmx>'
UNIT = '<tu><tuv xml:lang="en"><seg>{}</seg></tuv><tuv xml:lang="de"><seg>b</seg></tuv></tu>'
XLF = (
    '<xliff version="1.2"><file source-language="en"{}><body>\n<trans-unit><source>a</source>'
    "{}</trans-unit></body></file></xliff>"
)
PO = 'msgid ""\nmsgstr "Language: de\\n"\n\n{}'
CASES: dict[str, tuple[str, str | bytes, str]] = {
    "not-tmx": ("a.tmx", "Two men.\nA dog.\n", "line 1: not TMX, as it is not XML (syntax "),
    "other-root": ("a.tmx", "<html></html>", "line 1: expected TMX, found <html>; name its format"),
    "tmx-as-xliff": ("a.xlf", TMX, "line 3: expected XLIFF, found <tmx>"),
    "tsv-as-xliff": ("a.xliff", "a\tb\n", "line 1: not XLIFF, as it is not XML"),
    "nothing": ("a.tmx", "", "line 1: not TMX, as it is not XML (no element found)"),
    "bomb": ("a.tmx", BOMB, "line 2: declares an entity or a document type of its own"),
    "doctype": ("a.tmx", "<!DOCTYPE tmx [<!ELEMENT tmx ANY>]>\n<tmx/>", "line 1: declares an ent"),
    "fetched": (
        "a.tmx",
        '<!DOCTYPE tmx [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n<tmx>&x;</tmx>',
        "line 1: declares an entity",
    ),
    "undefined": ("a.tmx", f"<tmx>\n{UNIT.format('&nbsp;')}</tmx>", "line 2, column 29: not XML"),
    "undefined-by-dtd": (
        "a.tmx",
        f'<!DOCTYPE tmx SYSTEM "x.dtd">\n<tmx>\n{UNIT.format("&nbsp;")}</tmx>',
        "line 3, column 29: not XML (undefined entity &nbsp;)",
    ),
    "deep": ("a.tmx", "<tmx>" + "\n<a>" * 200, "line 101: elements nested more than 100 levels"),
    "deep-inside": (
        "a.tmx",
        f"<tmx>{UNIT.format('<hi>' * 100)}",
        "line 1: elements nested more than 100 levels",
    ),
    "cut": ("a.tmx", TMX[:1000], "line 23: the file is cut off inside <tu>; get the whole file"),
    "cut-xliff": ("a.xlf", XLF.format("", "")[:90], "the file is cut off inside <"),
    "mismatch": ("a.tmx", f"<tmx>\n{UNIT.format('<b></i>')}</tmx>", "not XML (mismatched tag)"),
    "not-utf8": (
        "a.tmx",
        f"<tmx>\n{UNIT.format('x')}</tmx>".encode().replace(b"x<", b"\xff<"),
        "line 2, column 29: not XML (not well-formed (invalid token)); export",
    ),
    "no-encoding": ("a.tmx", '<?xml version="1.0" encoding="x-y"?><tmx/>', "line 1"),
    "wide-encoding": ("a.tmx", '<?xml version="1.0" encoding="big5"?><tmx/>', "to UTF-8"),
    "no-language": ("a.tmx", "<tmx>\n<tu><tuv>", "line 2: <tuv> without its language, xml:lang"),
    "bad-language": (
        "a.tmx",
        '<tmx>\n<tu><tuv xml:lang="../en">',
        "line 2: '../en' is not a language code; expected one such as en-GB",
    ),
    "three": (
        "a.tmx",
        "<tmx>"
        + UNIT.format("a")
        + UNIT.format("a").replace('"en"', '"fr"')
        + "</tmx>",
        "more than two languages: en (1 units), de (2 units), fr (1 units); name two of them with",
    ),
    "empty-tmx": ("a.tmx", "<tmx><header/><body/></tmx>", "no sentence pairs"),
    "blank-tmx": ("a.tmx", f"<tmx>{UNIT.format(' ')}</tmx>", "none of 1 units has text in both"),
    "not-translated": (
        "a.xlf",
        XLF.format(' target-language="de"', "<target/>"),
        "none of 1 units has text in both languages",
    ),
    "no-tab": ("a.tsv", "a\tb\n\nA dog.\n", "line 3: expected source TAB target; found no TAB"),
    "few-columns": ("a.tsv", "id\tx\ten\tde\n1\t2\t3\n", "line 2: expected source TAB target"),
    "tsv-not-utf8": ("a.tsv", b"a\tb\nc\t\xff\n", "line 2, byte 3: not UTF-8 (0xff)"),
    "list": ("a.jsonl", '[\n{"en": "a"}]\n', "line 1: not JSON"),
    "one-list": ("a.jsonl", '["a", "b"]\n', "line 1: a list instead of a dict"),
    "no-json": ("a.jsonl", '{"en": "a", "de": "b"}\nA dog.\n', "line 2: not JSON"),
    "one-key": ("a.jsonl", '{"en": "a"}\n', "line 1: no texts of two languages"),
    "twice-en": ("a.jsonl", '{"en": "a", "EN": "b", "de": "c"}\n', "line 1: two texts of one"),
    "deep-json": ("a.jsonl", '{"en": ' + "[" * 99999, "line 1: not JSON"),
    "nested": ("a.jsonl", '{"x": ' + "[" * 50 + "]" * 50 + "}", "line 1: nested more than 20"),
    "surrogate": ("a.jsonl", '{"en": "\\ud800", "de": "b"}', "line 1: 'utf-8' codec can't encode"),
    "long-number": ("a.jsonl", '{"en": ' + "1" * 9999 + "}", "line 1: not JSON (Exceeds the limit"),
    "not-po": ("a.po", "Two men.\n", "not a PO file; name its format with --format, or repair it"),
    "broken-po": ("a.po", PO.format('msgid "a"b"\nmsgstr "c"\n'), "line 4: unterminated string"),
    "open-po": ("a.po", PO.format('msgid "a"\nmsgstr "bc\n'), "line 5: unterminated string"),
    "po-not-utf8": ("a.po", PO.format("").encode() + b'msgid "\xff"', "line 4, byte 8: not UTF-8"),
    "po-charset": ("a.po", '"Content-Type: x; charset=x-y\\n"', "not x-y (unknown encoding: x-y)"),
    "po-bytes": ("a.po", b'msgid ""\nmsgstr "Content-Type: x; charset=koi8-r"', "no sentence pair"),
    "po-language": ("a.po", PO.format("").replace("de", "d e!"), "'d e!' is not a language code"),
    "po-punycode": (
        "a.po",
        '"Content-Type: x; charset=punycode\\n"\n-' + "abcdefgh" * 100_000,
        "not punycode (not a character set); convert it to UTF-8",
    ),
    "po-long": ("a.po", PO.format('msgid ""\n' + '"a"\n' * 10_002), "line 10005: a text of more"),
    "long-name": (
        "a.tmx",
        f'<tmx>\n<a xmlns="{"x" * 1001}"/>',
        "line 2: a name of more than 1,000 characters",
    ),
    "long-attribute": ("a.tmx", f"<tmx {'x' * 1001}=''/>", "line 1: a name of more than 1,000"),
    "po-half-characters": (
        "a.po",
        '"Content-Type: x; charset=utf-7\\n"\nmsgid "+2AA-"',
        "not utf-7; convert it to UTF-8",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_errors_name_place_and_cause(case: str, tmp_path: Path) -> None:
    name, content, message = CASES[case]
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as raised:
        read(path)
    said = str(raised.value)
    assert said.startswith(f"{path}: ")
    assert message in said
    assert "\n" not in said


def test_an_absent_pair_lists_the_languages(tmp_path: Path) -> None:
    path = write(tmp_path / "t.tmx", PAIRS)
    message = r"t\.tmx: no text in en and fr; found en \(40 units\), de \(40 units\); choose two"
    with pytest.raises(InputError, match=message):
        open_corpus(pair="en-fr", train=path)
    for pair in ("en-GB-en-US", "de-deu"):
        with pytest.raises(InputError, match="no text in"):
            open_corpus(pair=pair, train=path)


def test_an_error_lists_only_some_of_many_languages(tmp_path: Path) -> None:
    units = "".join(UNIT.format("a").replace('"en"', f'"en-{n}"') for n in range(100, 999))
    (tmp_path / "t.tmx").write_text(f"<tmx>{units}</tmx>")
    for wanted in (None, ("fr", "it")):
        with pytest.raises(InputError, match=r"en-100 \(1 units\), .*, …; ") as raised:
            read(tmp_path / "t.tmx", wanted)
        assert len(str(raised.value)) < 500


def test_unnamed_languages_need_the_pair(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("a\tb\n")
    (tmp_path / "a.xlf").write_text(XLF.format("", "<target>b</target>"))
    for name in ("a.tsv", "a.xlf"):
        with pytest.raises(InputError, match=rf"{name}: does not name both of its languages; name"):
            open_corpus(train=tmp_path / name)
        assert open_corpus(train=tmp_path / name, pair="en-de").train.pairs() == [("a", "b")]


def test_long_texts_and_tags_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markup, "LONGEST_LINE", 1 << 18)
    path, long = tmp_path / "a.tmx", "x" * (1 << 19)
    for text, message in (
        (UNIT.format(long), r"a\.tmx: line 2: a text of more than 262,144 characters; split it"),
        (f'<tu tuid="{long}">', r"a\.tmx: line 2: a tag of more than 262,144 bytes; export"),
        (UNIT.format(f"<ph>{long}</ph>a"), None),  # codes are dropped
    ):
        path.write_text(f"<tmx>\n{text}</tmx>")
        if message:
            with pytest.raises(InputError, match=message):
                read(path)
        else:
            assert read(path)[0] == ["a"]


def test_the_same_text_on_both_sides_is_refused(tmp_path: Path) -> None:
    same = [(source, source) for source, _ in PAIRS]
    with pytest.raises(InputError, match=r"the sides of .*t\.tsv are the same, line by line"):
        Bitext.read(*files_of(write(tmp_path / "t.tsv", same)))


# --- packed files


@pytest.mark.parametrize(("suffix", "kind"), [(".xz", "xz"), (".zst", "zstandard")])
def test_truncated_packed_files_are_refused(suffix: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"t.en{suffix}"
    whole = PACKERS[suffix](b"a line\n" * 9)
    for n in range(1, len(whole)):
        path.write_bytes(whole[:n])
        with pytest.raises(InputError, match=rf"t\.en{suffix}: not a complete {kind} file"):
            read_lines(path)
    path.write_bytes(whole + whole)
    assert read_lines(path) == ["a line"] * 18
    for data in (b"plain text\n", whole + b"more"):
        path.write_bytes(data)
        with pytest.raises(InputError, match=rf"t\.en{suffix}: not a complete {kind} file"):
            read_lines(path)


@pytest.mark.parametrize("suffix", PACKERS)
def test_bombs_are_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.tmx{suffix}"
    path.write_bytes(PACKERS[suffix](b"<tmx>" + b" " * (4 * reading.SMALL)))
    with pytest.raises(InputError, match=r"unpacks to more than 100 times its size; refused"):
        read(path)


def test_a_window_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    wide = zstandard.ZstdCompressionParameters(window_log=30, enable_ldm=False)
    packer = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    (tmp_path / "a.en.zst").write_bytes(packer.compress(b"a\n") + packer.flush())
    with pytest.raises(InputError, match=r"not a complete zstandard file"):
        read_lines(tmp_path / "a.en.zst")


@pytest.mark.parametrize(
    ("module", "name", "message"),
    [
        ("zstandard", "a.en.zst", "a.en.zst: .zst files need the package zstandard: pip"),
        ("polib", "a.po", "a.po: PO files need the package polib: pip install 'mtkit[formats]'"),
    ],
)
def test_a_missing_package_is_named(
    module: str, name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, module, None)
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InputError, match=re.escape(message)):
        read(tmp_path / name, file_format="po")


# --- random damage


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from([*WRITERS, "t.tmx.gz", "t.tmx.xz", "t.tsv.zst"]), rng=st.randoms())
def test_a_damaged_file_is_read_or_refused(name: str, rng: random.Random, tmp_path: Path) -> None:
    data = bytearray(write(tmp_path / name, PAIRS[:5]).read_bytes())
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(data))
        if rng.random() < 0.5:
            data[at] = rng.randrange(256)
        else:
            end = at + rng.randint(0, 30)
            data[at:end] = data[rng.randrange(len(data)) :][: rng.randint(0, 30)]
        data = data or bytearray(b"x")
    (tmp_path / name).write_bytes(data)
    for wanted in (None, ("en", "de")):
        try:
            source, target, _ = read(tmp_path / name, wanted)
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017
        else:
            assert len(source) == len(target) > 0
            assert not {c for line in source + target for c in line} & {"\n", "\r"}
            "".join(source + target).encode()


# --- the command


@pytest.mark.parametrize("case", ["bomb", "cut", "no-tab", "one-key", "broken-po"])
def test_the_command_prints_one_line_and_writes_nothing(case: str, tmp_path: Path) -> None:
    name, content, message = CASES[case]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    for command in ("train-smt", "align"):
        done = mtkit(command, "--train", name, "--pair", "en-de", cwd=tmp_path, check=2)
        [line] = done.stderr.decode().splitlines()
        assert line.startswith(f"mtkit: {name}: ")
        assert message.partition("; ")[0] in line
        assert [p.name for p in tmp_path.iterdir()] == [name]
