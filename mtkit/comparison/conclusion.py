"""The conclusion of a comparison: ranking, largest difference, agreement, weak points, next step.

With several systems, a is the best by BLEU and b the second. A combination that returns another
system's translations has no rank of its own. a and b differ in a group of sentences or words if
the 95 % interval of a − b, over the same resamples of sentences, excludes 0. The group whose
interval is furthest from 0 is named. BLEU of sentences and F1 or recall of words are all on a scale
from 0 to 100. About one group in 20 differs by chance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from mtkit.comparison.report import SMALL_TEST_SET, Comparison, SystemResult, ranking
from mtkit.comparison.where import MIN_WORDS, Difference
from mtkit.evaluation.means import Interval
from mtkit.evaluation.metrics import LABELS, label
from mtkit.evaluation.significance import ALPHA
from mtkit.manifest import COMBINATION
from mtkit.translators import TRANSLATORS

GROUPS = {
    "frequency": "words seen {} × in training",
    "kind": "words of the kind {}",
    "case": "words of {} case",
    "jump": "words reordered over {} source words",
    "source frequency": "source words seen {} × in training",
}
USELESS, PERFECT = 2.0, 99.9  # BLEU below or above these suggests a wrong input file
RANKS = ("Third", "fourth", "fifth")  # systems that are named after the best two
FALLING = 0.98  # a dev perplexity below this share of the previous best is still falling


class Group(NamedTuple):
    """One group of sentences or words: scores by system and differences by pair, 0 to 100."""

    name: str
    measure: str
    figures: dict[str, Interval]
    differences: dict[frozenset[str], Interval]


def conclude(comparison: Comparison) -> list[str]:
    """Return the conclusion: four to six sentences."""
    ranked = ranking(comparison.systems)
    a, *others = ranked
    if not others:
        sentences = [_scores(a), _weakest(comparison, a), *_further(comparison, ranked)]
    else:
        b = others[0]
        sentences = [
            _ahead(comparison, a, b, len(ranked)),
            _strongest(comparison, a, b),
            *_further(comparison, ranked),
            _agreement(ranked),
        ]
    return [*sentences, _weak_points(comparison), f"Next: {_advice(comparison)}."]


def _scores(system: SystemResult) -> str:
    bleu, chrf, ter = (system.metrics[metric] for metric in LABELS)
    interval = "" if bleu.low is None else f" ({bleu.low:.1f}–{bleu.high:.1f})"
    scores = f"{bleu.score:.1f} BLEU{interval}, {chrf.score:.1f} chrF, {ter.score:.1f} TER"
    return f"{system.name} scores {scores}."


def _ahead(comparison: Comparison, a: SystemResult, b: SystemResult, n: int) -> str:
    """Return by which metrics ``a`` is ahead of ``b`` or behind it, each with its significance.

    n: number of systems that have a rank.
    """
    tests = {p.metric: p.significance for p in comparison.pairs if {p.a, p.b} == {a.name, b.name}}
    ahead, behind = list[str](), list[str]()
    for metric in (metric for metric in a.metrics if metric in b.metrics):
        gap = a.metrics[metric].score - b.metrics[metric].score
        if gap:
            side = ahead if (gap < 0) == a.metrics[metric].less_is_better else behind
            size = f"{abs(gap):.1f}" if metric in LABELS else f"{abs(gap):.3g}"
            side.append(f"{size} {label(metric)} ({tests.get(metric, 'untested')})")
    other = f"{b.name} (second of {n} systems)" if n > 2 else b.name
    clauses = [f"ahead of {other} by {_and(ahead)}"] if ahead else []
    if behind:
        clauses.append(f"behind {'it' if ahead else other} by {_and(behind)}")
    return f"{a.name} is {', '.join(clauses) or f'as good as {other} by every metric'}."


def _further(comparison: Comparison, ranked: Sequence[SystemResult]) -> list[str]:
    """Return a sentence on the other systems: how far each is behind the one ranked before it."""
    clauses = [
        f"{rank}: {s.name}, {_behind(comparison, before, s)}"
        for rank, (before, s) in zip(RANKS, pairwise(ranked[1:]), strict=False)
    ]
    if more := ranked[2 + len(RANKS) :]:
        clauses.append(f"{len(more)} more, down to {more[-1].bleu:.1f} BLEU")
    clauses += [s.equation for s in comparison.systems if s.equation]
    return ["; ".join(clauses) + "."] if clauses else []


def _behind(comparison: Comparison, a: SystemResult, b: SystemResult) -> str:
    """Return the BLEU of ``a`` − that of ``b`` with the larger of the two corrected p-values."""
    gap = f"{a.bleu - b.bleu:.1f} BLEU behind {a.name}"
    for pair in comparison.pairs:
        if pair.metric == "bleu" and {pair.a, pair.b} == {a.name, b.name}:
            values = pair.p_values((comparison.test.resamples, comparison.test.trials), holm=True)
            larger = values[pair.holm_randomization > pair.holm_bootstrap]
            return f"{gap} ({pair.significance}, p {larger})"
    return f"{gap} (untested)"


def _groups(comparison: Comparison) -> Iterator[Group]:
    """Yield the groups of sentences by length, and the groups of at least ``MIN_WORDS`` words."""
    systems = comparison.systems
    for k, group in enumerate(systems[0].by_length):
        name = f"sentences of {group.low}–{group.high} words"
        scores = {
            s.name: Interval(score.bleu, score.bleu_low, score.bleu_high)
            for s in systems
            for score in [s.by_length[k]]
            if score.bleu is not None and score.bleu_low is not None and score.bleu_high is not None
        }
        yield Group(name, "BLEU", scores, _differences(comparison.by_length, k))
    for grouping in comparison.groupings:
        for k, group_label in enumerate(grouping.labels):
            accuracies = {name: score[k] for name, score in grouping.systems.items()}
            shares = {name: a.f1 or a.recall for name, a in accuracies.items()}
            if grouping.words[k] >= MIN_WORDS:
                percents = {name: _times(100, score) for name, score in shares.items() if score}
                differences = _differences(grouping.differences, k, 100)
                name = GROUPS[grouping.by].format(group_label)
                yield Group(name, grouping.measure, percents, differences)


def _differences(
    differences: Sequence[Difference], k: int, factor: int = 1
) -> dict[frozenset[str], Interval]:
    """Differences in group k by pair of systems, times ``factor``."""
    in_group = {frozenset((gap.a, gap.b)): gap.by_group[k] for gap in differences}
    return {pair: _times(factor, gap) for pair, gap in in_group.items() if gap}


def _times(factor: int, interval: Interval) -> Interval:
    return Interval(factor * interval.value, factor * interval.low, factor * interval.high)


def _strongest(comparison: Comparison, a: SystemResult, b: SystemResult) -> str:
    pair = frozenset((a.name, b.name))
    gaps = [(g, gap) for g in _groups(comparison) if (gap := g.differences.get(pair))]
    differing = [(group, gap) for group, gap in gaps if gap.low > 0 or gap.high < 0]
    if not differing:
        return "They differ in no group of sentences or words (95 % intervals)."
    group, gap = max(differing, key=lambda entry: max(entry[1].low, -entry[1].high))
    x, y = (group.figures[system.name].value for system in (a, b))
    count = f"{len(differing)} of {len(gaps)} groups (by chance about {ALPHA * len(gaps):.0f})"
    figures = f"{group.measure} {x:.1f} ({a.name}), {y:.1f} ({b.name})"
    low, high = sorted((abs(gap.low), abs(gap.high)))  # the interval excludes 0
    size = f"difference {abs(gap.value):.1f} ({low:.1f}–{high:.1f})"
    return f"They differ in {count}, most clearly in {group.name}: {figures}; {size}."


def _weakest(comparison: Comparison, system: SystemResult) -> str:
    of_words = [group for group in _groups(comparison) if group.measure != "BLEU"]
    if not of_words:
        return "There are too few words for an analysis by groups."
    group = min(of_words, key=lambda group: group.figures[system.name].value)
    interval = group.figures[system.name]
    figure = f"{interval.value:.1f} ({interval.low:.0f}–{interval.high:.0f})"
    return f"It is weakest on {group.name}: {group.measure} {figure}."


def _agreement(systems: Sequence[SystemResult]) -> str:
    """Return which system each metric ranks first; ignores ties and metrics that a system lacks."""
    votes = dict[str, list[str]]()
    for metric, figure in systems[0].metrics.items():
        if all(metric in s.metrics for s in systems):
            sign = -1 if figure.less_is_better else 1
            scores = {s.name: sign * s.metrics[metric].score for s in systems}
            winners = [name for name, score in scores.items() if score == max(scores.values())]
            if len(winners) == 1:
                votes.setdefault(winners[0], []).append(label(metric))
    if not votes:
        return "No metric has a single best system."
    if len(votes) == 1:
        [(name, labels)] = votes.items()
        return f"{_and(labels)} {'agree' if len(labels) > 1 else 'says'} that {name} is best."
    ranking = "; ".join(f"{name} is best by {_and(labels)}" for name, labels in votes.items())
    return f"The metrics disagree: {ranking}."


def _weak_points(comparison: Comparison) -> str:
    N, repeated = comparison.test.sentences, {n for s in comparison.spreads for n in s.systems}
    single_seed = [
        s.name
        for s in comparison.systems
        if s.kind == "nmt" and s.networks == 1 and s.name not in repeated
    ]
    useless = [s.name for s in comparison.systems if s.bleu < USELESS]
    perfect = [s.name for s in comparison.systems if s.bleu > PERFECT]
    warnings = len(comparison.warnings)
    points = [f"{warnings} warning{'s' * (warnings > 1)}"] if warnings else []
    if useless:
        points.append(f"almost nothing of {_and(useless)} is correct")
    if perfect:
        points.append(f"{_and(perfect)} almost equals the references")
    if N < SMALL_TEST_SET:
        points.append(f"only {N} sentences")
    if comparison.seen:
        points.append(f"{comparison.seen} sentences seen in training")
    if single_seed:
        points.append(f"only one seed of {_and(single_seed)}")
    if comparison.quick and any(s.kind in TRANSLATORS for s in comparison.systems):
        points.append("perplexity and search errors not measured (--quick)")
    return f"Weak points: {', '.join(points)}." if points else "No weak point is known."


def _advice(comparison: Comparison) -> str:
    """Return the most useful next step."""
    systems, N = comparison.systems, comparison.test.sentences
    if mismatched := [s.name for s in systems if s.mismatches]:
        return f"fix what the warnings say about {_and(mismatched)}; its figures are misleading"
    if comparison.seen:
        return "test on sentences that no system was trained on (--test SRC TGT)"
    if N < SMALL_TEST_SET:
        return f"test on more sentences; {N} can show only large differences"
    if unfinished := [s.name for s in systems if _still_falls(s)]:
        names = list(dict.fromkeys(_family(comparison, name) for name in unfinished))
        return f"train {_and(names)} longer; the dev perplexity was still falling at the end"
    if comparison.spreads and all(s.networks == 1 for s in systems):
        return "use the networks of several seeds as an ensemble (NAME=DIR+DIR)"
    kinds = {s.kind for s in systems}
    best = max(systems, key=lambda system: system.bleu).kind
    if best == "smt" and "nmt" in kinds and comparison.curve is None:
        return "run with --curve N,N,… to see how much more text the network needs"
    if {"smt", "nmt"} <= kinds and COMBINATION not in kinds:
        return "combine both systems (mtkit combine)"
    if len(systems) > 1 and len({tuple(s.metrics[m].score for m in LABELS) for s in systems}) == 1:
        return "compare systems that differ; these have the same scores"
    if len(systems) == 1:
        return "compare it with another system (a model, or NAME=FILE)"
    return "look at the sentences that one system translates better"


def _family(comparison: Comparison, name: str) -> str:
    """Return the common name of a system and those that differ only in the seed."""
    for spread in comparison.spreads:
        if name in spread.systems:
            return f"{spread.name} ({len(spread.systems)} seeds)"
    return name


def _still_falls(system: SystemResult) -> bool:
    """Whether the last dev perplexity is clearly the lowest; False if it was not finite."""
    values = [e.get("dev_perplexity", math.nan) for e in system.training]
    *before, last = values or [math.nan]
    return last < FALLING * min((p for p in before if p > 0), default=0.0)


def _and(names: list[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
