"""Line colours: contrast with the page, and distinct for every colour vision."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from mtkit.page.chart import DASHES
from mtkit.page.tables import ENVIRONMENT

Floats = NDArray[np.float64]

# Linear RGB as seen without one type of cone (Machado et al. 2009, severity 1).
VISION = {
    "all cones": np.eye(3),
    "no L cones": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
    "no M cones": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                   [-0.011820, 0.042940, 0.968881]],
    "no S cones": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                   [0.004733, 0.691367, 0.303900]],
}  # fmt: skip
# OKLab (Ottosson 2020), in which distances are perceptual.
LMS = np.array([[0.4122214708, 0.5363325363, 0.0514459929],
                [0.2119034982, 0.6806995451, 0.1073969566],
                [0.0883024619, 0.2817188376, 0.6299787005]])  # fmt: skip
LAB = np.array([[0.2104542553, 0.7936177850, -0.0040720468],
                [1.9779984951, -2.4285922050, 0.4505937099],
                [0.0259040371, 0.7827717662, -0.8086757660]])  # fmt: skip
ENOUGH = 3.0  # contrast of graphics: WCAG 2, success criterion 1.4.11
FEW = 3  # systems in most comparisons


def linear(colour: str) -> Floats:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    rgb = np.array([int(digits[k : k + 2], 16) / 255 for k in (0, 2, 4)])
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def apart(a: str, b: str, vision: str) -> float:
    """Return the perceived distance of two colours."""
    seen = [np.clip(np.asarray(VISION[vision]) @ linear(of), 0, 1) for of in (a, b)]
    first, second = (LAB @ np.cbrt(LMS @ of) for of in seen)
    return float(np.linalg.norm(first - second))


def contrast(a: str, b: str) -> float:
    dark, light = sorted(float(linear(of) @ [0.2126, 0.7152, 0.0722]) for of in (a, b))
    return (light + 0.05) / (dark + 0.05)


@pytest.fixture(params=["light", "dark"])
def colours(request: pytest.FixtureRequest) -> dict[str, str]:
    """Name → value."""
    css = ENVIRONMENT.get_template("page.css.j2").render()
    light, dark = re.findall(r":root \{(.*?)\}", css)
    return dict(re.findall(r"--([\w-]+): (#\w+)", light if request.param == "light" else dark))


def test_lines_stand_out_from_the_page(colours: dict[str, str]) -> None:
    lines = [colours[f"series-{k}"] for k in range(len(DASHES))]
    assert all(contrast(line, colours[of]) >= ENOUGH for line in lines for of in ("page", "panel"))


@pytest.mark.parametrize("vision", VISION)
def test_colours_are_distinct(colours: dict[str, str], vision: str) -> None:
    lines = [colours[f"series-{k}"] for k in range(len(DASHES))]
    assert min(apart(a, b, vision) for a, b in combinations(lines, 2)) > 0.06
    assert min(apart(a, b, vision) for a, b in combinations(lines[:FEW], 2)) > 0.1
