from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from mtkit.nmt.verbatim import put_back
from mtkit.text.tokenizer import JOINER, is_verbatim

WORDS = st.sampled_from(["12", "3", "￭3", "{name}", "%s", "<b>￭", "um", "Uhr", "￭."])


def bare(words: list[str]) -> Counter[str]:
    return Counter(word.strip(JOINER) for word in words if is_verbatim(word))


@given(
    st.lists(WORDS, max_size=6),
    st.lists(WORDS, max_size=6),
    st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5))),
)
def test_all_verbatim_words_survive(
    source: list[str], target: list[str], links: set[tuple[int, int]]
) -> None:
    links = {(s, t) for s, t in links if s < len(source) and t < len(target)}
    words, after = put_back(source, target, links)
    assert not bare(source) - bare(words)
    assert all(s < len(source) and t < len(words) for s, t in after)
    if not bare(source) - bare(target):  # nothing was lost, nothing changes
        assert (words, after) == (target, links)
    ordinary = [word for word in words if not is_verbatim(word)]
    there = iter(target)
    assert all(word in there for word in ordinary), "other words come in another order"


def test_a_misspelt_number_is_replaced_in_place() -> None:
    source = ["until", "12:30", "o'clock"]
    links = {(0, 0), (1, 1), (1, 2), (2, 3)}
    words, after = put_back(source, ["bis", "etwa", "12:3", "Uhr"], links)
    assert words == ["bis", "etwa", "12:30", "Uhr"]
    assert after == links
    words, _ = put_back(source, ["bis", "zwölf", "Uhr"], {(0, 0), (1, 1), (2, 2)})
    assert words == ["bis", "12:30", "Uhr"]


def test_a_word_with_other_links_stays() -> None:
    words, after = put_back(["room", "7", "please"], ["Zimmer", "bitte"], {(0, 0), (1, 0), (2, 1)})
    assert words == ["Zimmer", "7", "bitte"]
    assert after == {(0, 0), (1, 0), (1, 1), (2, 2)}
    words, after = put_back(["7", "rooms"], ["Zimmer"], {(1, 0)})
    assert (words, after) == (["7", "Zimmer"], {(0, 0), (1, 1)})


def test_correct_copies_are_not_replaced() -> None:
    """Two of three are present: the third gets its own place and neither is lost."""
    source, target = ["3", "und", "3", "und", "4"], ["3", "und", "3", "und", "5"]
    words, _ = put_back(source, target, {(k, k) for k in range(5)})
    assert words == source
    words, _ = put_back(["3", "4"], ["4"], {(0, 0)})
    assert words == ["3", "4"] or words == ["4", "3"]


def test_unlinked_words_go_to_the_end() -> None:
    assert put_back(["a", "%s"], ["ein"], set()) == (["ein", "%s"], {(1, 1)})


def test_restored_words_precede_the_final_mark() -> None:
    source, target = ["Gleis", "12", "￭."], ["platform", "￭."]
    words, _ = put_back(source, target, {(0, 1), (2, 1)})
    assert words == ["platform", "12", "￭."]
    assert put_back(["12"], ["￭."], set())[0] == ["￭.", "12"]
