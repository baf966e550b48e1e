"""External scores in tables, intervals, tests and examples."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mtkit.comparison.conclusion import conclude
from mtkit.comparison.external import ExternalScores, read_columns
from mtkit.comparison.page.render import as_html, verdicts
from mtkit.comparison.page.who import scores
from mtkit.comparison.report import Comparison
from mtkit.errors import InputError
from mtkit.evaluation.significance import significance
from mtkit.evaluation.statistics import Scorer
from tests.support.comparisons import REFERENCES, SOURCES, built, systems

N = len(SOURCES)
RNG = random.Random(8)
GOOD = [0.8 + 0.01 * RNG.random() for _ in range(N)]
POOR = [good - 0.1 * RNG.random() for good in GOOD]
COLUMNS = [
    ExternalScores("other", "COMET", False, GOOD),
    ExternalScores("nmt", "COMET", False, POOR),
    ExternalScores("other", "MetricX", True, [3 - good for good in GOOD]),
    ExternalScores("nmt", "MetricX", True, [3 - poor for poor in POOR]),
    ExternalScores("smt", "MetricX", True, [3.0] * N),
]


@pytest.fixture(scope="module")
def report() -> Comparison:
    return built(SOURCES, REFERENCES, systems(), trials=999, columns=COLUMNS, examples=16)


def test_a_score_and_its_interval_are_of_the_mean(report: Comparison) -> None:
    smt, _, other = report.systems
    comet = other.metrics["COMET"]
    assert comet.score == pytest.approx(np.mean(GOOD))
    assert comet.low < comet.score < comet.high
    half = 1.96 * np.std(GOOD, ddof=1) / N**0.5
    assert comet.high - comet.low == pytest.approx(2 * half, rel=0.15)
    assert not comet.less_is_better
    assert smt.metrics["MetricX"].less_is_better
    assert "COMET" not in smt.metrics


def test_external_scores_are_tested_if_both_have_them(report: Comparison) -> None:
    tested = {(p.a, p.b): p for p in report.pairs if p.metric == "COMET"}
    assert list(tested) == [("nmt", "other")]
    comet = tested["nmt", "other"]
    assert comet.delta == pytest.approx(np.mean(POOR) - np.mean(GOOD))
    assert comet.rejections == 2
    assert comet.agreement is None
    assert comet.holm_bootstrap == comet.p_bootstrap  # only this pair has COMET
    of_x = [p for p in report.pairs if p.metric == "MetricX"]
    assert len(of_x) == 3
    assert any(p.holm_bootstrap > p.p_bootstrap for p in of_x)
    order = list(dict.fromkeys((p.a, p.b) for p in report.pairs))
    assert order == [("smt", "nmt"), ("smt", "other"), ("nmt", "other")]


def test_a_trial_that_exchanges_nothing_is_as_extreme() -> None:
    """Its difference is the measured one, but for rounding: 2 of the 32 exchanges of 5 lines."""
    x, y = [0.58, 0.05, 0.59, 0.90, 0.90], [0.53, 0.00, 0.41, 0.81, 0.76]
    lines = ["a b c d e"] * 5
    scorer = Scorer([lines], metrics=["bleu"], resamples=9, trials=4000)
    a, b = (scorer.count(lines).joined("x", np.array(values)) for values in (x, y))
    [_, pair] = significance({"a": a, "b": b})
    assert pair.p_randomization == pytest.approx(2 / 32, abs=0.015)


def test_equal_scores_have_p_value_1() -> None:
    scorer = Scorer([REFERENCES], metrics=["bleu"], resamples=9, trials=9)
    rows = scorer.count(REFERENCES).joined("x", GOOD)
    [_, same] = significance({"a": rows, "b": rows})
    assert (same.metric, same.delta, same.p_bootstrap) == ("x", 0.0, 1.0)


def test_lower_is_better_where_specified(report: Comparison) -> None:
    said = verdicts(report)
    x = [line for line in said if "MetricX" in line]
    assert any(line.startswith("other scores") and "lower than nmt (signif" in line for line in x)
    assert any("COMET higher than nmt (significant" in line for line in said)
    who, _, _, agreement, *_ = conclude(report)
    ahead, behind = who.split("behind it by")
    assert who.startswith("nmt is ahead of other")
    assert "COMET" in behind
    assert "MetricX" in behind
    assert "MetricX" not in ahead
    assert "other is best by MetricX" in agreement  # COMET is missing for one of them
    assert "COMET" not in agreement


def test_tables_show_all_scores(report: Comparison) -> None:
    grid = scores(report)
    assert grid.columns == ("System", "BLEU", "chrF", "TER", "MetricX", "COMET")
    comet = ["–", f"{np.mean(POOR):.4f}", f"{np.mean(GOOD):.4f}"]
    assert [row[5].text for row in grid.rows] == comet
    assert "lower for TER and MetricX" in grid.caption
    assert any("COMET mean of a number a sentence|bs:1000|seed:12345" in n for n in grid.notes)


def test_examples_have_the_largest_differences(report: Comparison) -> None:
    gaps = np.array(GOOD) - np.array(POOR)
    chosen = [e for e in report.examples if "COMET" in e.why]
    assert len(chosen) >= 2
    assert all("other is ahead of nmt by" in e.why for e in chosen)
    assert chosen[0].line - 1 in np.argsort(-gaps)[:3]
    for example in report.examples:
        smt, _, other = example.outputs
        good = GOOD[example.line - 1]
        assert other.scores == {"COMET": good, "MetricX": 3 - good}
        assert set(smt.scores) == {"MetricX"}
    assert f"COMET {report.examples[0].outputs[2].scores['COMET']:.3g}" in as_html(report)


@pytest.mark.parametrize(
    ("named", "text", "message"),
    [
        (["smt=x"], "", "--scores smt=x: expected NAME:METRIC=FILE, as in nmt:COMET=nmt.txt"),
        (["a:COMET={}"], "1\n2\n", "no system 'a'; the systems are smt, nmt"),
        (["smt:bleu={}"], "1\n2\n", "mtkit computes bleu itself; use another name"),
        (["smt:C={}", "smt:C={}"], "1\n2\n", "C of smt is given twice"),
        (["smt:C={}", "nmt:-C={}"], "1\n2\n", "C is given with a minus and without; use one form"),
        (["smt:C={}"], "1\nx\n", "line 2: expected a number, found 'x'"),
        (["smt:C={}"], "1\nnan\n", "line 2: expected a number, found 'nan'"),
        (["smt:C={}"], "1\n\n", "line 2: expected a number, found ''"),
        (["smt:C={}"], "1\n", "1 lines for 2 references; they must correspond line by line"),
        (["smt:C=no-such-file"], "", "no-such-file"),
    ],
)
def test_invalid_scores_are_an_error(
    named: list[str], text: str, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "scores"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        read_columns([of.format(file) for of in named], ["smt", "nmt"], 2)
    assert message in str(error.value)


def test_scores_are_read(tmp_path: Path) -> None:
    file = tmp_path / "a=b:c"
    file.write_text("0.5\n-1e3\n", encoding="utf-8")
    assert read_columns([f"my:system:-X 2={file}"], ["my:system"], 2) == [
        ExternalScores("my:system", "X 2", True, [0.5, -1000.0])
    ]


def test_one_system_can_have_scores() -> None:
    alone = replace(systems()[2], name="only")
    report = built(
        SOURCES, REFERENCES, [alone], columns=[ExternalScores("only", "DA", False, GOOD)]
    )
    assert report.systems[0].metrics["DA"].score == pytest.approx(np.mean(GOOD))
