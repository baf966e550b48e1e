"""One-line equations as MathML, which browsers typeset and screen readers read as mathematics.

    a_b, a^b        subscript and superscript: a name, a number or {several of these}
    {a}/{b}         a fraction
    Σ_i, Π_i        the index below the sign

All other characters stand for themselves. A run of letters is one name; spaces are ignored.
"""

from __future__ import annotations

import re
from collections import deque

from markupsafe import Markup

from mtkit.console import visible

_TOKEN = re.compile(r"[^\W\d_]+|\d+(?:\.\d+)?|\S")
_IN_PROSE = re.compile(r"(∂\S*[_^][^\s,;:.]*|Σ ln p / T\^[\d.]*\d)")
SUMS = "ΣΠ"  # with their index below
SIGNS = str.maketrans("'ΣΠ", "′∑∏")  # keyboard characters → mathematical signs
SCRIPTS = {
    "_": Markup("<msub>{}{}</msub>"),
    "^": Markup("<msup>{}{}</msup>"),
    "_^": Markup("<msubsup>{}{}{}</msubsup>"),
    "Σ_": Markup("<munder>{}{}</munder>"),
    "Σ^": Markup("<mover>{}{}</mover>"),
    "Σ_^": Markup("<munderover>{}{}{}</munderover>"),
}


def mathml(equation: str) -> Markup:
    """Return the equation as a ``math`` element.

    >>> print(mathml("x_i"))
    <math displaystyle="true"><msub><mi>x</mi><mi>i</mi></msub></math>
    """
    tokens = deque(_TOKEN.findall(equation))
    items = Markup("")
    while tokens:
        items += _items(tokens) or _atom(tokens)  # an unmatched } stands for itself
    return Markup('<math displaystyle="true">{}</math>').format(items)


def prose(text: str) -> str:
    """Return text in which the equations of tables are replaced by MathML.

    These are derivatives with an index, and the score of a neural translation.
    """
    parts = _IN_PROSE.split(visible(text))
    if len(parts) == 1:
        return text
    return Markup("").join(mathml(part) if k % 2 else part for k, part in enumerate(parts))


def _items(tokens: deque[str]) -> Markup:
    """Convert tokens up to the end, or to the brace that closes a group, which is not consumed."""
    items = Markup("")
    while tokens and tokens[0] != "}":
        is_group = tokens[0] == "{"
        item = _scripted(tokens)
        if is_group and list(tokens)[:2] == ["/", "{"]:
            tokens.popleft()
            item = Markup("<mfrac>{}{}</mfrac>").format(item, _scripted(tokens))
        items += item
    return items


def _scripted(tokens: deque[str]) -> Markup:
    """Convert a name, number, sign or group with its subscript and superscript."""
    kind = "Σ" if tokens[0] in SUMS else ""
    parts = [_atom(tokens)]
    for mark in "_^":
        if tokens and tokens[0] == mark:
            tokens.popleft()
            kind += mark
            parts.append(_atom(tokens))
    return SCRIPTS[kind].format(*parts) if len(parts) > 1 else parts[0]


def _atom(tokens: deque[str]) -> Markup:
    sign = tokens.popleft() if tokens else ""
    if sign == "{":
        items = _items(tokens)
        if tokens:
            tokens.popleft()
        return Markup("<mrow>{}</mrow>").format(items)
    if sign in SUMS or not (sign[0].isalnum() or sign == "∂"):
        return Markup('<mo stretchy="false">{}</mo>').format(sign.translate(SIGNS))
    return Markup("<{0}>{1}</{0}>").format("mn" if sign[0].isdigit() else "mi", sign)
