"""Codes follow the links; each occurs once, well nested, whatever the links are."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtkit.documents.projection import Pair, Point, Projection

MONOTONE = [(0, 0), (1, 1), (2, 2), (3, 3)]


def spelled(m: int, n: int, links: list[tuple[int, int]], codes: Sequence[Pair | Point]) -> str:
    """Return target tokens as letters, codes as numbers."""
    steps = Projection(n, m, links).order(codes)
    return "".join(str(i) if is_code else chr(97 + i) for is_code, i in steps)


@pytest.mark.parametrize(
    ("links", "codes", "expected"),
    [
        (MONOTONE, [Pair(1, 2, 1, 3)], "a1bc2d"),
        ([(0, 3), (1, 1), (2, 0), (3, 2)], [Pair(1, 2, 1, 3)], "1ab2cd"),
        (MONOTONE, [Point(5, 2)], "ab5cd"),
        ([(0, 0), (1, 3), (2, 2), (3, 1)], [Point(5, 2)], "ab5cd"),  # before the target of token 2
        ([(0, 0), (1, 3), (2, 2), (3, 1)], [Point(5, 2, sticks_left=True)], "abcd5"),
        (MONOTONE, [Point(5, 0), Point(6, 4)], "5abcd6"),  # edge codes stay there
        ([(0, 3), (3, 0)], [Point(5, 0), Point(6, 4)], "5abcd6"),
        (MONOTONE, [Pair(1, 2, 0, 4, [Pair(3, 4, 1, 2)])], "1a3b4cd2"),
        # Adjacent in the source, in reverse order in the target.
        ([(0, 2), (1, 3), (2, 0), (3, 1)], [Pair(1, 2, 0, 2), Pair(3, 4, 2, 4)], "3ab41cd2"),
        # Overlapping spans a–c and b–d: the cut leaves one token in the wrong span.
        (
            [(0, 0), (0, 2), (1, 0), (2, 1), (3, 3)],
            [Pair(1, 2, 0, 2), Pair(3, 4, 2, 4)],
            "1a23bcd4",
        ),
        ([], [Pair(1, 2, 0, 4)], "1abcd2"),
        (MONOTONE[:1] + MONOTONE[2:], [Pair(1, 2, 1, 2)], "a1b2cd"),  # no link: takes the gap
        ([(0, 0), (2, 1), (3, 2), (3, 3)], [Pair(1, 2, 1, 2)], "1a2bcd"),  # no gap
        (MONOTONE, [Pair(None, 2, 0, 1), Pair(3, None, 2, 4)], "a2b3cd"),
        ([(0, 3), (1, 2), (2, 1), (3, 0)], [Pair(None, 2, 0, 1), Pair(3, None, 2, 4)], "a23bcd"),
    ],
)  # fmt: skip
def test_codes_follow_the_links(
    links: list[tuple[int, int]], codes: list[Pair | Point], expected: str
) -> None:
    assert spelled(4, 4, links, codes) == expected


def _tree(
    draw: st.DrawFn, start: int, end: int, numbers: list[int], deep: int
) -> list[Pair | Point]:
    """Draw codes around and between source tokens ``start : end``, in order."""
    codes, at = list[Pair | Point](), start
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(at, end))
        numbers[0] += 2
        number = numbers[0]
        if deep and draw(st.booleans()):
            stop = draw(st.integers(at, end))
            codes.append(
                Pair(number, number + 1, at, stop, _tree(draw, at, stop, numbers, deep - 1))
            )
            at = stop
        else:
            codes.append(Point(number, at, draw(st.booleans())))
    return codes


@st.composite
def projections(draw: st.DrawFn) -> tuple[int, int, list[tuple[int, int]], list[Pair | Point]]:
    n, m = draw(st.integers(0, 8)), draw(st.integers(0, 8))
    links = st.tuples(st.integers(0, max(0, n - 1)), st.integers(0, max(0, m - 1)))
    return n, m, draw(st.lists(links)) if n and m else [], _tree(draw, 0, n, [0], 3)


def parents(codes: Sequence[Pair | Point], around: int | None = None) -> dict[int, int | None]:
    """Return the pair directly around each code."""
    found = dict[int, int | None]()
    for code in codes:
        if isinstance(code, Point):
            found[code.code] = around
        else:
            assert code.open is not None
            found |= {code.open: around} | parents(code.inside, code.open)
    return found


@given(projections())
@settings(max_examples=500, deadline=None)
def test_codes_and_tokens_occur_once_and_nesting_stays(
    case: tuple[int, int, list[tuple[int, int]], list[Pair | Point]],
) -> None:
    n, m, links, codes = case
    steps = Projection(n, m, links).order(codes)
    assert [i for is_code, i in steps if not is_code] == list(range(m))
    expected, opens = parents(codes), set[int]()
    found, inside = dict[int, int | None](), list[int]()
    closing = {i for is_code, i in steps if is_code and i % 2}
    for is_code, i in steps:
        if not is_code:
            continue
        if i % 2:
            assert inside.pop() == i - 1
            continue
        assert i not in found
        found[i] = inside[-1] if inside else None
        if i + 1 in closing:
            opens.add(i)
            inside.append(i)
    assert not inside
    assert found == expected
