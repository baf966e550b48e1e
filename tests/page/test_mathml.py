"""Equations as MathML: their structure, and the escaping of hostile text."""

from __future__ import annotations

from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtkit.page.mathml import mathml, prose


def shape(element: Element) -> str:
    """Return an element as name(children) or as its text."""
    if element.text:
        return element.text
    return f"{element.tag.removeprefix('m')}({' '.join(map(shape, element))})"


@pytest.mark.parametrize(
    ("equation", "wanted"),
    [
        ("V = K N^β", "V = K sup(N β)"),
        ("‖{∂L_t}/{∂s_{t−k}}‖", "‖ frac(row(∂ sub(L t)) row(∂ sub(s row(t − k)))) ‖"),
        ("Σ_{f'} c(f'|e)", "under(∑ row(f ′)) c ( f ′ | e )"),
        ("x_i^2 1/N", "subsup(x i 2) 1 / N"),
        ("ln P, τ = 0.5", "ln P , τ = 0.5"),
    ],
)
def test_equations_have_the_expected_structure(equation: str, wanted: str) -> None:
    assert shape(fromstring(mathml(equation))) == f"ath({wanted})"


def test_names_numbers_and_signs_differ() -> None:
    kinds = [(e.tag, e.text) for e in fromstring(mathml("2 ln Π"))]
    assert kinds == [("mn", "2"), ("mi", "ln"), ("mo", "∏")]


@given(st.text("{}_^/ab1<&\"'Σ∂ "))
def test_any_text_is_well_formed_and_loses_no_letter(text: str) -> None:
    element = fromstring(mathml(text))
    said = "".join(element.itertext())
    kept = [[c for c in line if c in 'ab1<&"'] for line in (said, text)]
    assert kept[0] == kept[1]


def test_prose_keeps_all_but_derivatives() -> None:
    assert prose("my_file^2 <b>") == "my_file^2 <b>"
    page = str(prose("norm of ∂L_t/∂e_i, <b>"))
    assert page.startswith("norm of <math ")
    assert page.endswith("</math>, &lt;b&gt;")
    assert page.count("<msub>") == 2
    assert str(prose("Σ ln p / T^0.6.")).endswith("<mn>0.6</mn></msup></math>.")
