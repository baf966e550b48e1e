from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from mtkit.errors import InputError
from mtkit.grammar import contrasts
from mtkit.grammar.contrasts import judgements
from mtkit.grammar.suite import Contrast
from mtkit.system import LogProbability, Score

ITEMS = [Contrast(f"s {k}", f"right {k}", f"wrong {k}", "a" if k < 6 else "b", k) for k in range(8)]


class Judge:
    """A system whose scores are given functions of the translation."""

    def __init__(self, kind: str, **scores: object) -> None:
        self.kind, self.scores = kind, scores

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[Score]:
        def value(name: str, y: str) -> LogProbability | None:
            of = self.scores.get(name)
            return LogProbability(of(y), 3) if of else None

        return [
            Score(lm=value("lm", y), channel=value("channel", y), direct=value("direct", y))
            for _, y in pairs
        ]


def number(y: str) -> int:
    return int(y.split()[1])


def test_each_model_of_a_system_chooses_by_its_own_score() -> None:
    """P(y) is right up to distance 3 and ties beyond; the channel model decides the ties."""

    def lm(y: str) -> float:
        return -1.0 if "right" in y or number(y) > 3 else -2.0

    def channel(y: str) -> float:
        return -5.0 if "right" in y else -6.0

    found = judgements("models/smt", Judge("smt", lm=lm, channel=channel), ITEMS)
    assert [j.name for j in found] == ["models/smt, P(y)", "models/smt, P(x|y) P(y)"]
    by_lm, by_both = found
    lm_decides = Judge("smt", lm=lm, channel=lambda y: -5.0 - 0.1 * ("right" in y))
    assert judgements("m", lm_decides, ITEMS)[1].whole.share == 0.5  # the sum decides
    assert [(a.nearest, a.farthest, a.items, a.share) for a in by_lm.by_distance] == [
        (0, 1, 2, 1.0),
        (2, 3, 2, 1.0),
        (4, 6, 3, 0.5),
        (7, 7, 1, 0.5),
    ]
    assert by_lm.whole.share == 0.75
    assert {p: (a.items, round(a.share, 3)) for p, a in by_lm.by_phenomenon.items()} == {
        "a": (6, 0.833),
        "b": (2, 0.5),
    }
    assert by_both.whole.share == 1.0
    [neural] = judgements("n", Judge("nmt", direct=lambda y: -float("right" in y)), ITEMS)
    assert (neural.model, neural.whole.share) == ("P(y|x)", 0.0)


def test_without_word_models_only_the_language_model_is_judged() -> None:
    [found] = judgements("m", Judge("smt", lm=lambda y: 0.0), ITEMS)
    assert (found.model, found.whole.share) == ("P(y)", 0.5)
    with pytest.raises(InputError, match="m gives no probabilities"):
        judgements("m", Judge("nmt"), ITEMS)


def test_the_page_shows_every_judgement() -> None:
    found = judgements("<b>", Judge("lm", lm=lambda y: float("right" in y)), ITEMS)
    page = contrasts.findings("suite", found).as_html()
    assert "&lt;b&gt;, P(y)" in page
    assert "<b>" not in page
    assert "Which models capture long-distance dependencies?" in page
    assert "100.0 % (95 % interval" in page
    assert "above the chance level of 50 %." in page
    assert contrasts.chart(found).level == (50, "chance level")
    [by_distance, by_phenomenon] = contrasts.grids(found)
    assert by_distance.columns == ("System", "0–1", "2–3", "4–6", "7–7", "All")
    assert [cell.text for cell in by_distance.rows[0][1:]] == ["100.0"] * 5
    assert by_phenomenon.columns == ("System", "a", "b")
    line = contrasts.chart(found).lines[0]
    assert [x for x, _ in line.points] == [0.5, 2.5, 5.0, 7.0]
    np.testing.assert_allclose([high for _, _, high in line.band], 100)
    assert contrasts.as_object(found)["systems"][0]["whole"]["items"] == 8
