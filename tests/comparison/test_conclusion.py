"""The conclusion of a comparison, from invented figures."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest

from mtkit.comparison.choices import Choices
from mtkit.comparison.conclusion import conclude
from mtkit.comparison.report import Comparison, ScoredGroup, SystemResult
from mtkit.comparison.seeds import SeedScores, Spread
from mtkit.comparison.where import Accuracy, Difference, Grouping
from mtkit.evaluation.means import Interval
from mtkit.evaluation.metrics import Metric
from tests.support.comparisons import REFERENCES, SOURCES, built, gap, of

BASE = built(SOURCES, REFERENCES, [of("a", "file", REFERENCES)], resamples=2, trials=2)
LOG = [{"update": k, "dev_perplexity": p} for k, p in ((1, 90.0), (2, 20.0), (3, 19.9))]


def system(
    name: str, kind: str, bleu: float, chrf: float, ter: float, **facts: Any
) -> SystemResult:
    figures = {"bleu": bleu, "chrf": chrf, "ter": ter}
    metrics = {
        metric: Metric(score, score - 2, score + 2, "", less_is_better=metric == "ter")
        for metric, score in figures.items()
    }
    known = {"by_length": [], "training": LOG, "networks": 1, "mismatches": []} | facts
    return replace(BASE.systems[0], name=name, kind=kind, metrics=metrics, **known)


def compared(*systems: SystemResult, **facts: Any) -> Comparison:
    nothing = {"pairs": [], "by_length": [], "groupings": [], "spreads": [], "warnings": []}
    known = nothing | {"seen": 0} | facts
    test = replace(BASE.test, sentences=known.pop("sentences", 500))
    return replace(BASE, test=test, systems=list(systems), **known)


SMT = system("smt", "smt", 35.3, 63.8, 48.1)
NMT = system("nmt", "nmt", 41.4, 63.4, 43.5)
PAIRS = [gap("smt", "nmt", "bleu", -6.1, 0.001, 0.001), gap("smt", "nmt", "chrf", 0.4, 0.2, 0.6)]
OVER_SEEDS = {"bleu": SeedScores(41.2, 0.3, 41.0, 41.4)}
ONE = Spread(["nmt", "nmt-2"], [41.4, 41.0], 41.2, 0.3, "nmt", OVER_SEEDS)


def test_leader_margins_and_significance_are_stated() -> None:
    who, _, agreement, *_ = conclude(compared(SMT, NMT, pairs=PAIRS))
    assert who == (
        "nmt is ahead of smt by 6.1 BLEU (significant) and 4.6 TER (untested), "
        "behind it by 0.4 chrF (not significant)."
    )
    assert agreement == "The metrics disagree: nmt is best by BLEU and TER; smt is best by chrF."
    disputed = [replace(PAIRS[0], holm_randomization=0.06)]
    better = system("nmt", "nmt", 41.4, 64.0, 43.5)
    who, _, agreement, *_ = conclude(compared(better, SMT, pairs=disputed))
    assert "6.1 BLEU (disputed), 0.2 chrF (untested) and 4.6 TER (untested)." in who
    assert agreement == "BLEU, chrF and TER agree that nmt is best."


def test_the_best_two_of_many_systems_are_compared() -> None:
    third = system("third", "file", 20.0, 70.0, 60.0)
    who, _, _, agreement, *_ = conclude(compared(third, SMT, NMT, pairs=PAIRS))
    assert who.startswith("nmt is ahead of smt (second of 3 systems) by 6.1 BLEU (significant)")
    assert agreement == "The metrics disagree: nmt is best by BLEU and TER; third is best by chrF."


def test_other_systems_are_placed_in_one_sentence() -> None:
    third = system("third", "file", 29.0, 60.0, 60.0)
    pairs = [*PAIRS, gap("third", "smt", "bleu", -6.3, 1 / 1001, 1 / 10_001)]
    said = conclude(compared(third, SMT, NMT, pairs=pairs))
    assert said[2] == "Third: third, 6.3 BLEU behind smt (significant, p ≤ 0.001)."
    assert len(said) == 6
    more = [system(f"s{k}", "file", 20.0 - k, 60.0, 60.0) for k in range(4)]
    said = conclude(compared(third, SMT, NMT, *more, pairs=pairs))
    assert said[2] == (
        "Third: third, 6.3 BLEU behind smt (significant, p ≤ 0.001); fourth: s0, 9.0 BLEU behind "
        "third (untested); fifth: s1, 1.0 BLEU behind s0 (untested); 2 more, down to 17.0 BLEU."
    )
    assert len(said) == 6


def copying(part: SystemResult, sole_part: str) -> SystemResult:
    """Return a combination with the scores of ``part``."""
    return replace(
        part, name="combined", kind="combination", choices=Choices([], 1.0, {}, sole_part)
    )


def test_a_combination_of_one_system_is_no_rival_of_that_system() -> None:
    copy = copying(NMT, "nmt")
    said = conclude(compared(SMT, NMT, copy, pairs=PAIRS))
    assert said[0].startswith("nmt is ahead of smt by 6.1 BLEU (significant)")
    assert said[2] == "combined = nmt's translations."
    assert said[3].startswith("The metrics disagree: nmt is best by BLEU and TER")
    alone = conclude(compared(SMT, copy))
    assert alone[0].startswith("combined is ahead of smt by 6.1 BLEU")
    assert alone[2] == "combined = nmt's translations."
    chooses = conclude(compared(SMT, NMT, copying(NMT, "")))
    assert not any("translations." in sentence for sentence in chooses)
    assert conclude(compared(NMT, copy))[2] == "combined = nmt's translations."
    assert conclude(compared(SMT, replace(copy, name="nmt"), pairs=PAIRS))[0] == said[0]
    assert conclude(compared(replace(copy, name="nmt")))


def test_a_quick_comparison_says_what_it_does_not_know() -> None:
    [*_, points, _] = conclude(compared(SMT, replace(NMT, networks=2), quick=True))
    assert points == "Weak points: perplexity and search errors not measured (--quick)."
    [*_, points, _] = conclude(compared(system("a", "file", 20, 60, 60), quick=True))
    assert points == "No weak point is known."


def test_ties_are_stated() -> None:
    who, _, agreement, _, advice = conclude(compared(SMT, replace(SMT, name="twin")))
    assert who == "smt is as good as twin by every metric."
    assert agreement == "No metric has a single best system."
    assert advice.startswith("Next: compare systems that differ")
    level = system("nmt", "nmt", 41.4, 63.8, 48.1)
    assert conclude(compared(SMT, level))[2] == "BLEU says that nmt is best."


def lengths(*bleu: tuple[float, float]) -> list[ScoredGroup]:
    """Return length groups from (BLEU, half the width of its interval)."""
    return [
        ScoredGroup(5 * k + 1, 5 * k + 5, 50, b, b - half, b + half)
        for k, (b, half) in enumerate(bleu)
    ]


def beyond(a: list[Interval], b: list[Interval]) -> list[Interval | None]:
    """Return intervals of a − b, half as wide as those of a."""
    gaps = [(x.value - y.value, (x.high - x.low) / 4) for x, y in zip(a, b, strict=True)]
    return [Interval(gap, gap - half, gap + half) for gap, half in gaps]


def words(by: str, **shares: list[Interval]) -> Grouping:
    systems = {name: [Accuracy(s.value, s, s) for s in of] for name, of in shares.items()}
    gaps = [Difference(a, b, beyond(shares[a], shares[b])) for a, b in combinations(shares, 2)]
    return Grouping(by, ["0", "1"], [50, 5], systems, "F1", gaps)


def test_the_clearest_significant_difference_is_named() -> None:
    smt, nmt = (
        replace(s, by_length=lengths(*bleu))
        for s, bleu in ((SMT, [(30, 9), (20, 9)]), (NMT, [(35, 9), (36, 9)]))
    )
    gaps: list[Interval | None] = [Interval(-5, -8, -2), Interval(-16, -33, 1)]
    by_length = [Difference("smt", "nmt", gaps)]
    _, where, *_ = conclude(compared(smt, nmt, by_length=by_length))
    assert where == (
        "They differ in 1 of 2 groups (by chance about 0), "
        "most clearly in sentences of 1–5 words: BLEU 35.0 (nmt), 30.0 (smt); "
        "difference 5.0 (2.0–8.0)."
    )
    far, near = (
        Interval(0.4, 0.3, 0.5),
        Interval(0.3, 0.2, 0.4),
    )  # they overlap; the difference is significant
    apart = Interval(0.9, 0.9, 0.9), Interval(0.0, 0.0, 0.0)
    frequency = words("frequency", smt=[far, apart[0]], nmt=[near, apart[1]])  # 5 words are too few
    _, where, *_ = conclude(compared(smt, nmt, by_length=by_length, groupings=[frequency]))
    assert "in 2 of 3 groups" in where
    figures = "F1 30.0 (nmt), 40.0 (smt); difference 10.0"
    assert f"most clearly in words seen 0 × in training: {figures}" in where
    _, where, *_ = conclude(
        compared(SMT, NMT, groupings=[words("kind", smt=[near, near], nmt=[near, near])])
    )
    assert where == "They differ in no group of sentences or words (95 % intervals)."


def test_one_system_alone_has_a_shorter_conclusion() -> None:
    share = Interval(0.05, 0.01, 0.09)
    said = conclude(compared(SMT, groupings=[words("frequency", smt=[share, share])]))
    assert said == [
        "smt scores 35.3 BLEU (33.3–37.3), 63.8 chrF, 48.1 TER.",
        "It is weakest on words seen 0 × in training: F1 5.0 (1–9).",
        "No weak point is known.",
        "Next: compare it with another system (a model, or NAME=FILE).",
    ]


def test_weak_points_are_listed() -> None:
    assert conclude(compared(SMT, NMT))[3] == "Weak points: only one seed of nmt."
    assert conclude(compared(SMT, replace(NMT, networks=2)))[3] == "No weak point is known."
    assert conclude(compared(SMT, NMT, spreads=[ONE]))[3] == "No weak point is known."
    facts = {"sentences": 60, "warnings": ["a", "b"], "seen": 7}
    assert conclude(compared(SMT, NMT, **facts))[3] == (
        "Weak points: 2 warnings, only 60 sentences, 7 sentences seen in training, "
        "only one seed of nmt."
    )


COMBINED = system("combined", "combination", 44, 66, 40)
FALLING = [*LOG, {"update": 4, "dev_perplexity": 15.0}]
ADVICE: dict[str, tuple[Comparison, str]] = {
    "alike": (compared(replace(SMT, mismatches=["x"]), NMT, seen=2), "fix what the warnings say"),
    "unseen": (compared(SMT, NMT, seen=2, sentences=60), "test on sentences that no system"),
    "more": (compared(SMT, replace(NMT, training=FALLING), sentences=60), "test on more sentences"),
    "longer": (compared(SMT, replace(NMT, training=FALLING)), "train nmt longer; the dev perpl"),
    "seeds": (
        compared(SMT, replace(NMT, training=FALLING), spreads=[replace(ONE, name="family")]),
        "train family (2 seeds) longer; the dev perplexity was still",
    ),
    "diverged": (
        compared(SMT, replace(NMT, training=[*FALLING, {"update": 5}])),
        "combine both systems",
    ),
    "combine": (
        compared(SMT, NMT, spreads=[ONE]),
        "use the networks of several seeds as an ensemble",
    ),
    "combined": (
        compared(SMT, NMT, replace(NMT, networks=2), spreads=[ONE]),
        "combine both systems",
    ),
    "curve": (
        compared(system("smt", "smt", 44, 60, 40), NMT),
        "run with --curve N,N,… to see how much",
    ),
    "both": (compared(SMT, NMT), "combine both systems (mtkit combine)"),
    "page": (compared(SMT, NMT, COMBINED), "look at the sentences"),
}


@pytest.mark.parametrize("case", ADVICE)
def test_advice_depends_on_the_results(case: str) -> None:
    comparison, advice = ADVICE[case]
    assert conclude(comparison)[-1].startswith(f"Next: {advice}")


def test_sentences_are_short() -> None:
    for comparison, _ in ADVICE.values():
        assert all(len(sentence) <= 115 for sentence in conclude(comparison))


def test_very_low_or_perfect_scores_are_a_weak_point() -> None:
    """The file translates another test set, or is a copy of the references."""
    other, same = system("other", "file", 1.9, 12.0, 99.0), system("same", "file", 100.0, 100.0, 0)
    *_, points, _ = conclude(compared(SMT, other))
    assert points == "Weak points: almost nothing of other is correct."
    *_, points, _ = conclude(compared(SMT, same))
    assert points == "Weak points: same almost equals the references."
