r"""Find codes: the parts of a text that are not language (tags, placeholders, line breaks).

>>> [item.raw if isinstance(item, Code) else item for item in find_codes("See <b>%s</b>, {name}!")]
['See ', '<b>', '%s', '</b>', ', ', '{name}', '!']

A code has a role: ``open`` and ``close`` enclose words; a ``point`` stands between words; a
``word`` acts as a word of the sentence (``Delete %s files?``); a ``space`` is white space other
than one blank; a ``break`` ends a line: the texts before and after it are translated separately.

Limits: in a tag that is written as text, a ``>`` inside quotation marks ends the tag.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Literal, NamedTuple

Role = Literal["open", "close", "point", "word", "space", "break"]
MAX_DEPTH = 50  # nesting limit of tags that are written as text
ORDERED = "%"  # key of placeholders that take the next argument, so that their order matters
ACCELERATOR = "&"  # key of the marks in a word that name a keyboard shortcut
ELEMENT = "<"  # prefix of the keys of XML elements; no other pair crosses an element's border


class Code(NamedTuple):
    """A code as the file writes it; an opening and a closing code of the same ``key`` pair up."""

    raw: str
    role: Role
    key: str = ""
    text: str = ""  # the code as plain text, if it was found in text


Item = str | Code
_ICU = re.compile(r"\{\s*[\w.-]+\s*,\s*(?:plural|select|selectordinal)\s*,")
_CODE = re.compile(
    r"""
      (?P<path>\b[A-Za-z]:\\{1,2}(?![nrt](?:[A-Z\s]|$))[^\s<>"|?*]*[\w\\]          # C:\temp
      | \\\\\w[^\s<>"|?*]*\w)                                           # \\host\share
  | (?P<break>[ ]*(?:[^\S ]*[\n\r\t\v\f\u2028\u2029\x85][^\S]*)|\\[nrt])  # a line break; \n spelled
  | (?P<space>[ ]*[^\S \n\r\t\v\f\u2028\u2029\x85]\s*|[ ]{2,})
  | (?P<tag></?(?P<name>[A-Za-z][\w:.-]*|\d+)(?:[\s/][^<>]*)?>
      | &lt;/?(?P<escaped>[A-Za-z][\w:.-]*)(?:[\s/](?:(?!&[lg]t;).)*)?&gt;)
  | (?P<comment><!--[^<>]*-->)
  | (?P<word>
        https?://(?:(?!&[lg]t;)[^\s<>"])*(?<![.,;:!?)\]])
      | (?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+
      | \b(?:Ctrl|Control|Alt|Shift|Cmd|Meta|Strg)(?:[+-](?:[A-Z][a-z]+\d*|[A-Z\d]|F\d+))+\b
      | (?<![\w-])--[a-z][\w-]*\w                                 # --help
      | \bv\d+(?:\.\d+)+\b | (?<![\w.])\d+(?:\.\d+){2,}(?![\w.]*\w)     # v1.2, 1.2.3
      | \[\[[^\[\]]*\]\] | \$[A-Z][A-Z\d_]*\$                      # [[x]], $NAME$
      | \{\{[^{}]*\}\} | [$#]\{[^{}]*\} | %\{\w+\}              # {{x}}, ${x}, #{x}, %{x}
      | \{%[^{}]*%\} | \{\$[^{}\s]+\} | \$t\([^()]*\)              # {% if x %}, {$x.y}, $t(x)
      | %<\w+>[-+\ #0-9.]*[A-Za-z] | %[-+#0]*\[\d+\][-+#0-9.]*[A-Za-z]  # %<n>d, %[1]s
      | %\d+![^!\s]+! | __[A-Za-z]\w*__                           # %1!s!, __name__
      | (?<![\w:/@]):[a-z_]\w*(?![\w:])                          # :name
      | (?<![\w@])@[a-z]\w+(?![\w@]|\.\w) | (?<![\w!])![a-z]\w+(?![\w!])  # @name, !name
      | \{\s*[\w.\-\[\]]+\s*(?:,\s*\w+[^{}]*)?(?:![rsa])?(?::[^{}]*)?\}  # {name}, {0:.2f}
      | %\(\w+\)[-+\ #0-9.]*[A-Za-z]                              # %(name)s
      | (?<![\w%])%[A-Za-z_]\w{2,}%(?![\w%])                                    # %NAME%
      | %\d+\$(?:'.|[-+#0])*\d*(?:\.\d+)?(?:hh?|ll?|[Lqjzt])?[A-Za-z@]   # %1$s
      | \$\([\w.]+\) | \$[A-Za-z_]\w*                             # $(x), $x
      | &(?:\#\d+|\#x[\dA-Fa-f]+|[A-Za-z]\w*);                    # &amp;
      | %% | %L?\d+(?![\d.]*[A-Za-z]) | \\["'\\]                  # Qt's %1
      | [A-Z]+(?:&[A-Z]+)+ | (?<![^\W_])&(?![^\W_])              # R&D; a & by itself
    )
  | (?P<accelerator>&(?=[^\W_])|(?<!\w)_(?=[^\W\d_]))          # E&xit, _File
  | (?P<ordered>%['+#0-]*(?:\d+|\*)?(?:\.(?:\d+|\*))?(?:hh?|ll?|[Lqjzt])?
        [diouxXeEfFgGaAcspn@]
      | \{(?:![rsa])?(?::[^{}]*)?\})                              # %s, {}
    """,
    re.VERBOSE,
)
_SIGNS = {"open": "\ue000", "close": "\ue001", "break": "\n"}  # for codes, in ``_LABEL``
_OPEN, _CLOSE, _ = _SIGNS.values()
_LABEL = re.compile(rf"^ *(?:[^\s:]+ ){{0,2}}[^\s:]+:{_CLOSE}*(?= .*[^\W\d_])", re.MULTILINE)
_VOID = frozenset("area br col embed hr img input link meta param source track wbr".split())  # noqa: SIM905


def is_message(text: str) -> bool:
    """Whether a text contains an ICU plural or select message."""
    return _ICU.search(text) is not None


def find_codes(text: str, escape: Callable[[str], str] = str) -> Iterator[Item]:
    """Yield the codes of ``text`` and the text between them; ``escape`` encodes for the file."""
    end = 0
    for match in _CODE.finditer(text):
        if match.start() > end:
            yield text[end : match.start()]
        end = match.end()
        role, key = _role_and_key(match)
        yield Code(escape(match[0]), role, key, match[0])
    if end < len(text):
        yield text[end:]


def _role_and_key(match: re.Match[str]) -> tuple[Role, str]:
    kind, text = match.lastgroup, match[0]
    if kind == "word" and text.startswith("&") and (role := _role_of_character(text)):
        return role, ""
    if kind == "break" or kind == "space" or kind == "word":
        return kind, ""  # type: ignore[return-value]
    if kind == "path":
        return "word", ""
    if kind == "ordered":
        return "word", ORDERED
    if kind in ("comment", "accelerator"):
        return "point", ACCELERATOR * (kind == "accelerator")
    name = (match["name"] or match["escaped"] or "").lower()
    inner = text.removesuffix(">").removesuffix("&gt;")
    if name == "br":
        return "break", ""
    if inner.endswith("/") or name in _VOID:
        return "point", ""
    closes = text.startswith(("</", "&lt;/"))
    return ("close" if closes else "open"), name


def _role_of_character(reference: str) -> Role | None:
    """Return the role of a character reference: a space or a punctuation mark, else None.

    None stands for ``&amp;``, apostrophes, letters, symbols and unknown references.

    >>> [_role_of_character(code) for code in ("&nbsp;", "&mdash;", "&amp;", "&eacute;", "&none;")]
    ['space', 'point', None, None, None]
    """
    character = html.unescape(reference)
    if character.isspace():
        return "space"
    if len(character) > 1 or character in "&'’":
        return None
    return "point" if unicodedata.category(character)[0] == "P" or character in "<>" else None


def partners(items: Sequence[Item]) -> dict[int, int]:
    """Map the place of each opening code to that of its closing code, and back; pairs nest.

    A code that opens inside an XML element and does not close there has no partner. A code whose
    pair would cross another pair has none either.
    """
    partner_of, open_ = dict[int, int](), list[int]()
    keys = [item.key if isinstance(item, Code) else "" for item in items]
    for i, item in enumerate(items):
        if not isinstance(item, Code):
            continue
        if item.role == "open" and (len(open_) < MAX_DEPTH or item.key.startswith(ELEMENT)):
            open_.append(i)
        elif item.role == "close":
            for depth in range(len(open_) - 1, -1, -1):
                j = open_[depth]
                if keys[j] == item.key:
                    partner_of |= {i: j, j: i}
                    del open_[depth:]
                    break
                if keys[j].startswith(ELEMENT):
                    break
    return partner_of


def with_roles(items: Sequence[Item]) -> tuple[list[Item], dict[int, int]]:
    """Return the items with their final roles, and their ``partners``.

    These become points: an opening or closing code without a partner; a word after the end of the
    last sentence; a break within a sentence (the next text begins with a small letter), which
    becomes a space if it is white space.
    """
    partner_of, resolved = partners(items), list[Item]()
    texts = [i for i, item in enumerate(items) if isinstance(item, str) and item.strip()]
    last = texts[-1] if texts and str(items[texts[-1]]).rstrip().endswith((".", "!", "?")) else None
    for i, item in enumerate(items):
        if isinstance(item, Code) and item.role in ("open", "close") and i not in partner_of:
            item = item._replace(role="point")
        elif isinstance(item, Code) and item.role == "break" and _within_sentence(items, i):
            item = item._replace(role="point" if item.raw.strip() else "space")
        elif isinstance(item, Code) and item.role == "word" and last is not None and i > last:
            item = item._replace(role="point")
        resolved.append(item)
    return resolved, partner_of


def _within_sentence(items: Sequence[Item], i: int) -> bool:
    """Whether the sentence before the break at ``i`` continues after it."""
    code = items[i]
    assert isinstance(code, Code)
    if code.key or code.text.count("\n") > 1 or "\t" in code.text:  # a key: segment border
        return False
    before = _first_text(items, range(i - 1, -1, -1)).rstrip()
    after = _first_text(items, range(i + 1, len(items))).lstrip()
    return after[:1].islower() and not before.endswith((".", ":", "!", "?", ";")) and before != ""


def _first_text(items: Sequence[Item], places: range) -> str:
    """Return the first text at ``places`` that is not blank, or ""."""
    texts = (items[j] for j in places if isinstance(items[j], str))
    return next((str(text) for text in texts if str(text).strip()), "")


def with_labels(items: Sequence[Item]) -> list[Item]:
    """Insert a break after each label: one to three words and a colon at the start of a line.

    A translator might move an unknown label into the sentence behind it. No pair of codes may go
    beyond the label.

    >>> with_labels(["Tom: He is here."])
    ['Tom:', Code(raw='', role='break', key='label', text=''), ' He is here.']
    """
    signs = [*map(_sign, items)]
    labels = _LABEL.finditer("".join(signs))
    ends = {label.end() for label in labels if label[0].count(_OPEN) == label[0].count(_CLOSE)}
    split, start = list[Item](), 0
    for item, sign in zip(items, signs, strict=True):
        stop = start + len(sign)
        end = next((end for end in range(start + 1, stop + 1) if end in ends), stop)
        if isinstance(item, str) and end < stop:
            split += [item[: end - start], Code("", "break", "label"), item[end - start :]]
        else:
            split += [item] + [Code("", "break", "label")] * (end in ends)
        start = stop
    return split


def _sign(item: Item) -> str:
    """Return a text, or one character for a code."""
    if isinstance(item, str):
        return item
    return _SIGNS.get(item.role, "\ue002")


def lines_of(items: Sequence[Item]) -> Iterator[range]:
    """Yield the places of each line's items; each break is a line of its own."""
    start = 0
    for i, item in enumerate(items):
        if isinstance(item, Code) and item.role == "break":
            yield from (range(start, i), range(i, i + 1))
            start = i + 1
    yield range(start, len(items))


def codes_of(items: Sequence[Item], escape: Callable[[str], str]) -> list[Item]:
    """Merge adjacent texts of ``items`` and split each one as ``find_codes`` does."""
    merged = list[Item]()
    for item in items:
        if isinstance(item, str) and merged and isinstance(merged[-1], str):
            merged[-1] += item
        elif item:
            merged.append(item)
    parts = (find_codes(m, escape) if isinstance(m, str) else iter((m,)) for m in merged)
    return list(chain.from_iterable(parts))
