"""Documents like those of software, and translators with known output."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from mtkit.system import Hypothesis
from mtkit.text.tokenizer import WordTokenizer, is_verbatim

WORDS = WordTokenizer()


def shout(lines: Sequence[str]) -> list[Hypothesis]:
    """Translate each line to upper case, word for word."""
    return [
        reply(line, [t if is_verbatim(t) else t.upper() for t in WORDS.tokenize(line)])
        for line in lines
    ]


def mirror(lines: Sequence[str]) -> list[Hypothesis]:
    """Translate each line to its words in reverse order, followed by its marks."""
    hypotheses = []
    for line in lines:
        tokens = WORDS.tokenize(line)
        is_mark = [not is_verbatim(t) and not any(map(str.isalnum, t)) for t in tokens]
        order = sorted(range(len(tokens)), key=lambda i: (is_mark[i], i if is_mark[i] else -i))
        links = [(s, t) for t, s in enumerate(order)]
        hypotheses.append(reply(line, [tokens[s] for s in order], links))
    return hypotheses


def reply(line: str, tokens: list[str], links: list[tuple[int, int]] | None = None) -> Hypothesis:
    """Return a translation of ``line``; links: by default token by token."""
    n = min(len(WORDS.tokenize(line)), len(tokens))
    links = [(i, i) for i in range(n)] if links is None else links
    return Hypothesis(WORDS.detokenize(tokens), tokens, 0.0, alignment=links)


_THINGS = ["train", "house", "dog", "letter", "station", "coffee"]
_TEXTS = [
    "The %s is here.",
    "Where is the %s?",
    "I like the %s, and you?",
    "Do not open the %s\u00a0now!",
    "Tom has a %s. It is old.",
]
# Codes to put into the texts above: in PO files, and escaped in XLIFF.
PLACEHOLDERS = [
    "%s", "%d", "%1$s", "%-10s", "%5.2f", "%(count)d", "{name}", "{0}", "{}", "{0:.2f}", "${x}",
    "{{x}}", "%{n}", "$HOME", "%1", "&amp;", "&#8230;", "100%%", "https://example.org/a?b=%s&c=d",
    "help@example.org", "R&D", "<br/>", "<img src=\"a.png\">", "&lt;b&gt;", "\\n", "\n", "\n\n",
    "\t", "  ", "{n, number}", "%@", "%lu", "%<n>s", "%'d", "%1$'05d", "%[1]s", "@count", "!name",
    ":count", "{$user.name}", "{% if x %}", "$t(key)", "<0/>", "%1!s!", "__name__", "&nbsp;",
    "C:\\temp\\new", "C:\\\\Users\\\\ann", "\\\\host\\share", "Ctrl+Shift+S", "--dry-run", "v1.2",
    "1.2.3", "[[link]]", "$NAME$",
]  # fmt: skip
AROUND = [("<b>", "</b>"), ('<a href="x?y=1&amp;z=2">', "</a>"), ("&lt;i&gt;", "&lt;/i&gt;")]
# The same as XLIFF elements.
EMPTY_12 = [
    '<x id="1"/>', '<ph id="1">%s</ph>', '<ph id="1">&lt;br/&gt;</ph>', '<x id="1" ctype="lb"/>',
    '<it id="1" pos="open">&lt;p&gt;</it>', '<mrk mtype="protected">mtkit</mrk>',
    "<x id=\"1\" equiv-text='a > b'/>", '<ph id="1">[<sub>see</sub>]</ph>', '<bx id="1"/>',
]  # fmt: skip
AROUND_12 = [
    ('<g id="2">', "</g>"), ('<bpt id="2">&lt;i&gt;</bpt>', '<ept id="2">&lt;/i&gt;</ept>'),
    ('<bx id="2" rid="7"/>', '<ex id="3" rid="7"/>'), ('<mrk mtype="x-term">', "</mrk>"),
    ('<x id="START_LINK"/>', '<x id="CLOSE_LINK"/>'), ('<g id="2"><g id="3">', "</g></g>"),
    ('<ph id="2">&lt;b&gt;</ph>', '<ph id="3">&lt;/b&gt;</ph>'),
]  # fmt: skip
EMPTY_2 = [
    '<ph id="1"/>', '<ph id="1" equiv="%s" disp="name"/>', '<ph id="1" type="fmt"/>',
    '<ph id="1" type="fmt" subType="xlf:lb"/>', '<cp hex="0007"/>',
    '<mrk id="m" translate="no">mtkit</mrk>', '<sc id="1" isolated="yes"/>',
]  # fmt: skip
AROUND_2 = [
    ('<pc id="2">', "</pc>"), ('<sc id="2"/>', '<ec startRef="2"/>'),
    ('<mrk id="2" type="term">', "</mrk>"), ('<sm id="2"/>', '<em startRef="2"/>'),
    ('<pc id="2"><pc id="3">', "</pc></pc>"),
]  # fmt: skip


def sources(empty: Sequence[str], around: Sequence[tuple[str, str]], blank: str = "") -> list[str]:
    """Return sentences with a code, a pair, or both at every place; ``blank`` beside some."""
    texts = []
    for i, (code, (left, right)) in enumerate(product(empty, around)):
        thing, other = _THINGS[i % len(_THINGS)], _THINGS[(i + 1) % len(_THINGS)]
        text = _TEXTS[i % len(_TEXTS)] % thing
        texts += [
            text.replace(thing, f"{left}{thing}{right}"),
            text.replace(thing, f"{code} {thing}"),
            f"{left}{text}{right} {code}",
            text.replace(thing, f"{left}old {code}{right}{blank}{thing}") + f"{blank}{code}",
            f"{code}{blank}{text} {left}The {other}{right}: {code}.",
        ]
    return list(dict.fromkeys(texts))


def escaped(text: str) -> str:
    """Return ``text`` escaped for an element."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def xliff_12(contents: Sequence[str], newline: str = "\n") -> bytes:
    """Return a file with a unit for each source content, some with an empty target."""
    units = []
    for i, content in enumerate(contents):
        target = ["", f"{newline}        <target/>", "<target state='new'></target >"][i % 3]
        units.append(
            f'      <trans-unit id="{i}" xml:space="preserve">{newline}        '
            f"<source>{content}</source>{target}{newline}"
            f"        <note>about {i}</note>{newline}      </trans-unit>{newline}"
        )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{newline}<!-- <source> -->'
        f'<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">{newline}'
        f'  <file original="a" source-language="en" target-language="de" datatype="plaintext">'
        f"<body>{newline}{''.join(units)}</body></file></xliff>{newline}"
    ).encode()


def xliff_2(contents: Sequence[str]) -> bytes:
    """Return the same in XLIFF 2.1."""
    units = []
    for i, content in enumerate(contents):
        state = ["", ' state="initial"', ' id="s" subState="a:b" state="initial"'][i % 3]
        target = ["", "<target/>"][i % 2]
        units.append(
            f'<unit id="{i}">\n  <segment{state}>\n    <source xml:space="preserve">{content}'
            f"</source>{target}\n  </segment>\n  <ignorable><source> </source></ignorable>\n"
            "</unit>\n"
        )
    return (
        '<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.1" srcLang="en" '
        f'trgLang="de">\n<file id="f">\n{"".join(units)}</file>\n</xliff>\n'
    ).encode()


HEADER = (
    'msgid ""\nmsgstr ""\n"Language: de\\n"\n"Content-Type: text/plain; charset=UTF-8\\n"\n'
    '"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n'
)


def quoted(text: str) -> str:
    """Return a PO string, with a line for each line of the text."""
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    lines = [f'"{line}"' for line in text.replace("\n", "\\n\n").split("\n") if line]
    return "\n".join(lines if len(lines) == 1 else ['""', *lines])


def po(texts: Sequence[str]) -> bytes:
    """Return a PO file with an entry for each text, some with a plural or flags."""
    entries = []
    for i, text in enumerate(dict.fromkeys(texts)):
        flags = ["", "#, no-wrap\n", '#| msgid "before"\n'][i % 3]
        plural = f"msgid_plural {quoted(text)}\n" if i % 4 == 1 else ""
        forms = 'msgstr[0] ""\nmsgstr[1] ""\n' if plural else 'msgstr ""\n'
        entries.append(f"#: a.c:{i}\n{flags}msgid {quoted(text)}\n{plural}{forms}")
    return "\n".join([HEADER, *entries]).encode()
