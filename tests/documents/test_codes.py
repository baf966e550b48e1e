"""Codes in a text, their roles and their pairs."""

from __future__ import annotations

import pytest

from mtkit.documents.codes import Code, codes_of, find_codes, is_message, partners, with_roles
from tests.support.documents import PLACEHOLDERS


@pytest.mark.parametrize("code", PLACEHOLDERS)
def test_placeholders_are_found_whole(code: str) -> None:
    items = list(find_codes(f"One {code} two."))
    found = [item.text for item in items if isinstance(item, Code)]
    if code.isspace():
        assert found == [f" {code} "]
    else:
        assert "".join(found) == code.removeprefix("100")


@pytest.mark.parametrize(
    "text",
    [
        "It costs 5 % or 50% of $5.", "a < b and c > d", "Tom's dog, and Ann's.", "1 < 2, 3 > 2",
        "snake_case is fine", "{ not one }", "me@", "Really?! (yes)", "50%-60%", "a - b",
        "Stop!now", "Note:see 12:30 a:b", "I <3 you", "a__b", "Wait! go: on @ home", "std::map ::x",
    ],
)  # fmt: skip
def test_text_is_not_code(text: str) -> None:
    assert list(find_codes(text)) == [text]


def test_the_roles() -> None:
    text = "<b>a</b> %s <hr> b\nC&d <br> E\n\nf\u00a0g {n}"
    codes = [c for c in codes_of([text], str) if isinstance(c, Code)]
    roles = ["open", "close", "word", "point", "break", "point", "break", "break", "space", "word"]
    assert [c.role for c in codes] == roles


def test_a_reference_acts_as_its_character() -> None:
    codes = [c for c in codes_of(["a&nbsp;b&#160;c&mdash;d&amp;e&eacute;f&quot;"], str) if c[1:]]
    roles = ["space", "space", "point", "word", "word", "point"]
    assert [c.role for c in codes if isinstance(c, Code)] == roles


def test_unpaired_codes_are_points() -> None:
    text = "<b>1<i>2</b>3</i></u><p>4"
    items = codes_of([text], str)
    assert partners(items) == {0: 4, 4: 0}
    roles = [item.role for item in with_roles(items)[0] if isinstance(item, Code)]
    assert roles == ["open", "point", "close", "point", "point", "point"]


def test_a_pair_does_not_cross_an_element() -> None:
    items = [Code("<g>", "open", "<0"), *codes_of(["a<b>c"], str), Code("</g>", "close", "<0")]
    items += codes_of(["d</b>"], str)
    assert partners(items) == {0: 4, 4: 0}


def test_a_wrapped_line_is_one_sentence() -> None:
    roles = [
        [item.role for item in with_roles(codes_of([text], str))[0] if isinstance(item, Code)]
        for text in ("It goes\non here.", "It ends.\non here", "It goes\nOn", "It\n\nis", "a\tb")
    ]
    assert roles == [["space"], ["break"], ["break"], ["break"], ["break"]]


def test_icu_messages_are_found() -> None:
    assert is_message("You have {n, plural, one {# dog} other {# dogs}}.")
    assert is_message("{who,select,a{x}other{y}}")
    assert not is_message("{n, number} {name} {plural}")
