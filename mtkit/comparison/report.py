"""The comparison of systems as data: ``build`` computes it from their translations.

Every score is computed from sums of the rows that ``evaluation.statistics`` counts once per system.
``as_json`` gives the comparison to programs; ``page`` shows it to people.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import combinations
from typing import Any

from mtkit.comparison import faults, groups, where
from mtkit.comparison.choices import Choices, Chosen, choices, helpful_choices
from mtkit.comparison.curve import Curve
from mtkit.comparison.examples import Example, choose, maker
from mtkit.comparison.external import ExternalScores
from mtkit.comparison.faults import Coverage, Errors, Unknown
from mtkit.comparison.mismatch import mismatches
from mtkit.comparison.seeds import Spread, spread
from mtkit.comparison.where import Difference, Grouping, Links, Ngrams, Text, Words
from mtkit.evaluation import means, metrics
from mtkit.evaluation.means import Interval
from mtkit.evaluation.metrics import LOWER_IS_BETTER, Metric
from mtkit.evaluation.perplexity import Perplexity, Question, perplexities
from mtkit.evaluation.significance import Pair, interval, significance
from mtkit.evaluation.statistics import RESAMPLES, TRIALS, Lines, Scorer, Statistics, check_parallel
from mtkit.explanation.reasons import Explanation
from mtkit.models import check_names
from mtkit.system import Score
from mtkit.text.corpus import Bitext

LENGTHS = (5, 10, 15, 20, 25, 30, 40, 60)  # longest source of each group but the last, in words
# Groups by output length − reference length in tokens: from, to, both included.
LENGTH_DIFFERENCES = ((None, -5), (-4, -2), (-1, -1), (0, 0), (1, 1), (2, 2), (3, 5), (6, None))
GROUP_SIZE = 20  # fewest sentences of a length group
SMALL_TEST_SET = 100  # a test set with fewer sentences causes a warning

# --- what is compared


@dataclass(frozen=True)
class TestSet:
    """The test set: its files, languages and size, and how it is scored and tested."""

    name: str
    source: str
    reference: str
    languages: tuple[str, str]
    sentences: int
    references: int
    tokenize: str  # BLEU's tokenizer
    ignore_case: bool = False  # in scores and in tables of words
    resamples: int = RESAMPLES  # of the bootstrap
    trials: int = TRIALS  # of approximate randomisation


@dataclass(frozen=True, eq=False)
class Material:
    """A test set, a scorer with all its references, and the languages (source, target)."""

    text: Bitext
    scorer: Scorer
    languages: tuple[str, str] = ("", "")


@dataclass(frozen=True, kw_only=True)
class Run:
    """One system and its run on the test set; ``None``: not measured."""

    name: str
    networks: int = 1  # members of the ensemble; 1: a single model
    kind: str  # ``smt``, ``nmt``, or ``file`` for lines that another system wrote
    seconds: float | None = None  # wall time to translate the test set with ``threads``
    threads: int | None = None
    bytes: int | None = None  # size of the model
    unknown: int | None = None  # unknown source words copied to the output
    errors: Errors | None = None  # search and model errors
    glossary: Mapping[str, int] | None = None  # counts: matches, complied, entries, unmatched
    unmatched: Sequence[str] = ()  # the first glossary phrases that are not in the test set
    training: Sequence[Mapping[str, float]] = ()  # the training log, an entry per validation


@dataclass(frozen=True, kw_only=True)
class Translations(Run):
    """A run with its outputs, one line per source sentence, and the data that come with them."""

    outputs: Lines
    words: Sequence[Words] = ()  # the outputs as tokens; ``build`` needs them
    scores: Sequence[Score] = ()  # log-probabilities of the references
    bits: Mapping[Question, float | None] = field(default_factory=dict)  # per reference character
    by_weights: Mapping[str, Lines] = field(default_factory=dict)  # outputs by label of the weights
    by_wider: Lines = ()  # outputs of a wider search
    system_links: Sequence[Links] | None = None  # (source, output) links of the system itself
    aligned: Sequence[Links] | None = None  # the same by the word aligner
    family: str = ""  # equal for systems that differ only in the seed
    chosen: Chosen | None = None  # choices of a combination


# --- what is computed


@dataclass(frozen=True)
class ScoredGroup:
    """BLEU of sentences whose length, or length difference, is from ``low`` to ``high`` words.

    low, high: ``None`` for no limit. bleu: ``None`` without sentences. bleu_low, bleu_high: the
    95 % interval, only of groups by length.
    """

    low: int | None
    high: int | None
    sentences: int
    bleu: float | None
    bleu_low: float | None = None
    bleu_high: float | None = None


@dataclass(frozen=True, kw_only=True)
class SystemResult(Run):
    """A run with its scores and analyses."""

    sentences_per_second: float | None
    metrics: dict[str, Metric]
    bleu_parts: dict[str, float]
    bleu_note: str
    perplexity: dict[Question, Perplexity]
    channel: dict[str, float]  # BLEU by label of the weights
    wider: float | None  # BLEU of the wider search
    by_length: list[ScoredGroup]  # by source length, in words between spaces
    by_difference: list[ScoredGroup]  # by output length − reference length, in tokens
    by_chrf: list[int]  # number of sentences with a chrF of 0–10, 10–20 … 90–100
    coverage: Coverage
    unknown_words: Unknown | None
    unseen: float | None  # BLEU without sentences that some system was trained on
    mismatches: list[str]  # differences in form from the references, which distort scores
    choices: Choices | None  # only of a combination

    @property
    def bleu(self) -> float:
        """Corpus BLEU, 0 to 100."""
        return self.metrics["bleu"].score

    @property
    def sole_part(self) -> str:
        """The system whose translations this combination returns; empty if it chooses."""
        return self.choices.sole_part if self.choices else ""

    @property
    def equation(self) -> str:
        """Whose translations these are, if all weight is on one part; else an empty string."""
        return f"{self.name} = {self.sole_part}'s translations" if self.sole_part else ""


@dataclass(frozen=True)
class Comparison:
    """All data of the report."""

    test: TestSet
    systems: list[SystemResult]
    pairs: list[Pair]
    by_length: list[Difference]  # of BLEU in the groups of ``SystemResult.by_length``
    groupings: list[Grouping]  # accuracy of words, by group
    ngrams: list[Ngrams]  # that tell the best system and its best rival apart
    spreads: list[Spread]
    seen: int  # test sentences that are in some system's training text
    examples: tuple[Example, ...]
    warnings: list[str]
    quick: bool = False  # whether analyses that run the models again were skipped
    curve: Curve | None = None  # learning curves
    explanations: Mapping[int, Sequence[Explanation]] = field(default_factory=dict)  # by line
    sentences: Mapping[str, groups.Groups] = field(default_factory=dict)  # "length", "frequency"

    @property
    def metrics(self) -> dict[str, bool]:
        """Metrics that at least one system has, in order; the value says whether less is better."""
        items = (metric for s in self.systems for metric in s.metrics.items())
        return {name: metric.less_is_better for name, metric in items}


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Return what ``compare --json`` prints: all but explanations and sentences of groups.

    Perplexities and crossover sizes may be infinite.
    """
    data = asdict(replace(comparison, explanations={}, sentences={}))
    del data["explanations"], data["sentences"]
    return data


def build(
    material: Material,
    text: Text,
    translations: Sequence[Translations],
    examples: int = 12,
    seen: Sequence[int] = (),
    warnings: Sequence[str] = (),
    columns: Sequence[ExternalScores] = (),
) -> Comparison:
    """Score every system, test every pair, group words and sentences, choose examples.

    text: the test set as tokens. examples: how many to choose. seen: rows of the test set that are
    in some system's training text. warnings: the caller's, shown first. columns: external scores.
    Raises InputError if numbers of lines differ, or if a system's name is empty or used twice.
    """
    sources, scorer = material.text.source, material.scorer
    check_parallel(sources, material.text.target, "the source")
    check_names([t.name for t in translations])
    counted = {t.name: scorer.count(t.outputs, name=t.name) for t in translations}
    for column in columns:
        counted[column.system] = counted[column.system].joined(column.metric, column.values)
    less = LOWER_IS_BETTER | {column.metric for column in columns if column.less_is_better}
    chrf = {name: rows.by_sentence("chrf") for name, rows in counted.items()}
    lengths = length_groups(sources)
    options = scorer.ignore_case, scorer.tokenize
    mismatched = [mismatches(sources, scorer.references, t.outputs, *options) for t in translations]
    parts = {n: [rows.among("bleu", of) for *_, of in lengths] for n, rows in counted.items()}
    systems = [
        _result(t, counted[t.name], chrf[t.name], text, lengths, parts[t.name], seen, clauses, less)
        for t, clauses in zip(translations, mismatched, strict=True)
    ]
    words = {t.name: t.words for t in translations}
    outputs = {t.name: t.outputs for t in translations}
    rivals = _rivals(systems)
    combined = [(t.name, t.chosen, chrf[t.name], counted[t.name]) for t in translations if t.chosen]
    helpful = [side for choice in combined for side in helpful_choices(*choice)]
    make = maker(sources, scorer.references, outputs, chrf, {})
    shown = rivals or [systems[0].name]
    return Comparison(
        test=_test_set(material),
        systems=systems,
        pairs=significance(counted),
        by_length=[_difference(*pair, parts) for pair in combinations(parts, 2)],
        groupings=where.groupings(text, words),
        ngrams=where.ngrams(text.reference, {name: words[name] for name in rivals}),
        sentences={
            "length": groups.by_length(lengths, chrf, shown, make),
            "frequency": groups.by_frequency(text, {name: words[name] for name in shown}, make),
        },
        spreads=list(_spreads(translations, systems)),
        seen=len(seen),
        examples=choose(
            sources, scorer.references, outputs, chrf, rivals, examples, helpful, columns
        ),
        warnings=[*warnings, *_doubts(len(sources), systems)],
    )


def _test_set(material: Material) -> TestSet:
    x, y = material.text.paths
    sizes, scorer = (len(material.text), len(material.scorer.references)), material.scorer
    return TestSet(
        x.name, str(x), str(y), material.languages, *sizes, scorer.tokenize, scorer.ignore_case,
        scorer.resamples, scorer.trials,
    )  # fmt: skip


def _doubts(sentences: int, systems: Sequence[SystemResult]) -> Iterator[str]:
    """Yield warnings about a small test set and about mismatches with the references."""
    if sentences < SMALL_TEST_SET:
        yield f"only {sentences} test sentences: intervals and p-values are rough"
    for system in systems:
        yield from (f"{system.name}: {clause}" for clause in system.mismatches)


def _result(
    system: Translations,
    rows: Statistics,
    chrf: Sequence[float],
    text: Text,
    lengths: Sequence[tuple[int, int, list[int]]],
    parts: Sequence[Statistics],
    seen: Sequence[int],
    clauses: list[str],
    less: Collection[str],
) -> SystemResult:
    N, words = len(system.outputs), system.words
    unseen = sorted(set(range(N)) - set(seen))
    tenths = [min(9, int(score // 10)) for score in chrf]
    begins = [low for low, _ in LENGTH_DIFFERENCES if low is not None]
    sides = zip(words, text.reference, strict=True)
    differences = [bisect(begins, len(output) - len(reference)) for output, reference in sides]

    def bleu(outputs: Lines) -> float:
        return rows.scorer.count(outputs, ["bleu"]).score("bleu")

    def group(low: int | None, high: int | None, chosen: Sequence[int]) -> ScoredGroup:
        return ScoredGroup(low, high, len(chosen), rows.score("bleu", chosen) if chosen else None)

    def of_length(limits: tuple[int, int, Sequence[int]], part: Statistics) -> ScoredGroup:
        bleu_low, bleu_high = interval(part, "bleu")
        return replace(group(*limits), bleu_low=bleu_low, bleu_high=bleu_high)

    return SystemResult(
        **{f.name: getattr(system, f.name) for f in fields(Run)},
        sentences_per_second=N / system.seconds if system.seconds else None,
        metrics=metrics.corpus_scores(rows, less),
        bleu_parts=metrics.bleu_parts(rows),
        bleu_note=metrics.why_zero(rows),
        perplexity={
            q: replace(p, bits_per_character=system.bits.get(q))
            for q, p in perplexities(system.scores).items()
        },
        channel={name: bleu(lines) for name, lines in system.by_weights.items()},
        wider=bleu(system.by_wider) if system.by_wider else None,
        by_length=list(map(of_length, lengths, parts)),
        by_difference=[
            group(*limits, [i for i, number in enumerate(differences) if number == k])
            for k, limits in enumerate(LENGTH_DIFFERENCES)
        ],
        by_chrf=[tenths.count(k) for k in range(10)],
        coverage=faults.coverage(text, words, system.system_links, system.aligned),
        unknown_words=faults.unknown(text, words),
        unseen=rows.score("bleu", unseen) if 0 < len(unseen) < N else None,
        mismatches=clauses,
        choices=choices(system.chosen, rows) if system.chosen else None,
    )


def _difference(a: str, b: str, parts: Mapping[str, Sequence[Statistics]]) -> Difference:
    """Difference of two systems' BLEU in each of ``parts``."""
    gaps = [
        difference_interval(one, two, "bleu") for one, two in zip(parts[a], parts[b], strict=True)
    ]
    return Difference(a, b, gaps)


def difference_interval(one: Statistics, two: Statistics, metric: str) -> Interval | None:
    """Interval of score(one) − score(two) over the same resamples; ``None`` without bootstrap."""
    if one.scorer.resamples < 2:
        return None
    drawn = one.resampled[metric] - two.resampled[metric]
    return means.interval(one.score(metric) - two.score(metric), drawn)


def length_groups(sources: Sequence[str]) -> list[tuple[int, int, list[int]]]:
    """Group rows by source length in words: (fewest, most, rows), ``GROUP_SIZE`` rows or more.

    Groups end at ``LENGTHS``. A group with fewer rows is merged with the next one, the last group
    with the one before it. A test set with fewer rows is one group.
    """
    words = [len(source.split()) for source in sources]
    groups: list[tuple[int, int, list[int]]] = []
    low, rows = 0, list[int]()
    for high in (*LENGTHS, max(words)):
        rows = [i for i, n in enumerate(words) if low <= n <= high]
        if len(rows) >= GROUP_SIZE:
            groups.append((max(1, low), high, rows))
            low = high + 1
    if rows and len(rows) < GROUP_SIZE:  # too few rows for a last group
        first, _, before = groups.pop() if groups else (1, 0, [])
        groups.append((first, max(words), [*before, *rows]))
    return groups


def _spreads(
    translations: Sequence[Translations], systems: Sequence[SystemResult]
) -> Iterator[Spread]:
    """Yield the spread of each family of two or more systems; see ``Translations.family``."""
    for family in dict.fromkeys(t.family for t in translations if t.family):
        members = {
            s.name: s.metrics
            for t, s in zip(translations, systems, strict=True)
            if t.family == family
        }
        if len(members) > 1:
            yield spread(members)


def ranking(systems: Sequence[SystemResult]) -> list[SystemResult]:
    """Return the systems, the highest BLEU first.

    A combination that returns the translations of another system here is left out: it is no rival.
    """
    scores = {system.name: system.bleu_parts for system in systems}
    different = [
        s for s in systems if s.sole_part == s.name or s.bleu_parts != scores.get(s.sole_part)
    ]
    return sorted(different, key=lambda system: -system.bleu)


def _rivals(systems: Sequence[SystemResult]) -> list[str]:
    """Return the best system by BLEU and the best other one, of another kind if there is one."""
    first, *others = ranking(systems)
    of_other_kinds = [s for s in others if s.kind != first.kind]
    return [s.name for s in (first, *(of_other_kinds or others)[:1])] if others else []
