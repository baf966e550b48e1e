"""The comparison of systems as data: ``compare`` computes it.

What programs see of it is made in ``as_json``, what people see in ``render``.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mtkit.comparison import faults, where
from mtkit.comparison.curve import Curve
from mtkit.comparison.examples import Example, choose
from mtkit.comparison.faults import Coverage, Errors, Unknown
from mtkit.comparison.where import Grouping, Links, Ngrams, Text, Words
from mtkit.errors import InputError
from mtkit.evaluation import metrics
from mtkit.evaluation.metrics import Metric, Pair, Perplexity, Question, References
from mtkit.system import Score
from mtkit.text.glossary import Compliance

LENGTHS = (5, 10, 15, 20, 25, 30, 40, 60)  # words: the longest source of each group but the last
EDGES = (-5, -2, -1, 0, 1, 2, 5)  # words that an output is longer than its reference
DIFFERENCES = list(zip((None, *EDGES), (*EDGES, None), strict=True))  # groups: above, up to
GROUP = 20  # sentences that a group has at least
FEW = 100  # fewer test sentences than this are remarked on

# --- the data


@dataclass(frozen=True)
class Translations:
    """What one system made of the test set.

    kind: ``smt``, ``nmt``, or ``file`` for lines that another system wrote. seconds: the wall time
    of translating, on ``threads``. scores: its probabilities for the references. unknown: source
    words copied. channel: what a statistical system says with other weights, from the channel model
    alone to its own weights, by their names. errors: whose fault its errors are. glossary: how far
    one was followed. training: what was logged at each validation, with "update" and perhaps
    "bleu". wider: what a wider search finds. bytes: of the model. tokens: of the outputs, by
    default between blanks. made_from: (source, output) links by the system itself; aligned: by a
    model of words. family: the same for systems that differ in their seed alone.
    """

    name: str
    kind: str
    outputs: Sequence[str]
    seconds: float | None = None
    scores: Sequence[Score] | None = None
    unknown: int | None = None
    channel: Mapping[str, Sequence[str]] = field(default_factory=dict)
    errors: Errors | None = None
    glossary: Compliance | None = None
    training: Sequence[Mapping[str, float]] = ()
    wider: Sequence[str] | None = None
    threads: int | None = None
    bytes: int | None = None
    tokens: Sequence[Words] = ()
    made_from: Sequence[Links] | None = None
    aligned: Sequence[Links] | None = None
    family: str = ""


@dataclass(frozen=True)
class Sentences:
    """The sentences ``rows`` whose sources have ``low`` to ``high`` words, blanks between them."""

    low: int
    high: int
    rows: tuple[int, ...]


@dataclass(frozen=True)
class SystemResult:
    """The figures of one system; ``None`` where nobody measured. Fields as in ``Translations``.

    channel: name of the weights → BLEU. wider: BLEU of the wider search. by_length: BLEU of each
    of ``Comparison.lengths``. by_difference: of each group of ``DIFFERENCES``, how many outputs are
    so much longer than their references, and their BLEU. by_chrf: how many sentences have a chrF of
    0–10, 10–20 … 90–100. unseen: BLEU without the sentences that are ``seen``.
    """

    name: str
    kind: str
    metrics: dict[str, Metric]
    perplexity: dict[Question, Perplexity]
    seconds: float | None
    threads: int | None
    sentences_per_second: float | None
    bytes: int | None
    unknown: int | None
    channel: dict[str, float]
    errors: Errors | None
    wider: float | None
    glossary: Compliance | None
    by_length: tuple[float, ...]
    by_difference: tuple[tuple[int, float | None], ...]
    by_chrf: tuple[int, ...]
    coverage: Coverage
    unknown_words: Unknown | None
    unseen: float | None
    training: tuple[Mapping[str, float], ...]


@dataclass(frozen=True)
class Spread:
    """Of systems that differ in their seed alone: BLEU of each, mean and standard deviation."""

    systems: list[str]
    bleu: list[float]
    mean: float
    deviation: float


@dataclass(frozen=True)
class Comparison:
    """Everything the report says.

    name, paths, languages: the test set's, (source, target). references: how many a sentence has.
    lengths: the groups that sentences fall into by their sources' length. groupings: words, and
    what is right of them. ngrams: of the best system and its best rival. seen: test sentences that
    are known to be in some system's training text. curve: what more training text would do.
    """

    name: str
    paths: tuple[str, str]
    languages: tuple[str, str]
    sentences: int
    references: int
    tokenize: str
    lengths: tuple[Sentences, ...]
    systems: tuple[SystemResult, ...]
    pairs: tuple[Pair, ...]
    groupings: tuple[Grouping, ...]
    ngrams: tuple[Ngrams, ...]
    spreads: tuple[Spread, ...]
    seen: int
    examples: tuple[Example, ...]
    warnings: tuple[str, ...]
    curve: Curve | None = None


# --- what is computed


@dataclass(frozen=True)
class Test:
    """What the systems are compared on. also: further references. text: the same in tokens.

    tokenize: BLEU's tokenizer. bootstrap, trials: how often the tests resample and shuffle.
    seen: the rows of sentences that some system was trained on.
    """

    sources: Sequence[str]
    references: Sequence[str]
    also: References = ()
    text: Text | None = None
    tokenize: str = "13a"
    bootstrap: int = 1000
    trials: int = 10_000
    seen: Sequence[int] = ()

    @property
    def words(self) -> Text:
        """``text``, or what stands between blanks."""
        if self.text:
            return self.text
        return Text([x.split() for x in self.sources], [y.split() for y in self.references])

    def bleu(self, outputs: Sequence[str], rows: Sequence[int] | None = None) -> float:
        """BLEU, 0 to 100, of all rows or of these alone. Raises InputError of none."""
        if rows is None:
            return metrics.bleu(outputs, self.references, self.tokenize, self.also)
        sides = ([side[i] for i in rows] for side in (outputs, self.references, *self.also))
        chosen, references, *also = sides
        return metrics.bleu(chosen, references, self.tokenize, also)

    def significance(self, outputs: Mapping[str, Sequence[str]]) -> tuple[Pair, ...]:
        """Of every two systems: name → lines."""
        return tuple(
            metrics.significance(
                outputs,
                self.references,
                self.tokenize,
                resamples=self.bootstrap,
                trials=self.trials,
                also=self.also,
            )
        )


def compare(
    test: Test,
    translations: Sequence[Translations],
    *,
    name: str = "test",
    paths: tuple[str, str] = ("", ""),
    languages: tuple[str, str] = ("", ""),
    examples: int = 12,
    warnings: Sequence[str] = (),
) -> Comparison:
    """Score every system, test every pair, group words and sentences, choose examples.

    warnings: what the caller knows against the figures. Raises InputError where lines or names do
    not fit.
    """
    _check(test, translations)
    lengths = _lengths(test.sources)
    systems = [_result(t, test, lengths) for t in translations]
    outputs = {t.name: t.outputs for t in translations}
    words = {t.name: _words(t) for t in translations}
    rivals = _rivals(systems) if len(systems) > 1 else ()
    tell = {systems[i].name: words[systems[i].name] for i in rivals}
    return Comparison(
        name=name,
        paths=paths,
        languages=languages,
        sentences=len(test.sources),
        references=1 + len(test.also),
        tokenize=test.tokenize,
        lengths=tuple(lengths),
        systems=tuple(systems),
        pairs=test.significance(outputs),
        groupings=tuple(where.groupings(test.words, words)),
        ngrams=tuple(where.ngrams(test.words.reference, tell)) if tell else (),
        spreads=tuple(_spreads(translations, systems)),
        seen=len(test.seen),
        examples=choose(test.sources, test.references, test.also, outputs, rivals, examples),
        warnings=(*warnings, *_warnings(translations, len(test.references), test.tokenize)),
    )


def check_names(names: Sequence[str]) -> None:
    """Raise InputError unless every system has a name of its own."""
    if not names:
        raise InputError("no system to compare; name a model directory or NAME=FILE")
    if "" in names:
        raise InputError("a system without a name; say NAME=FILE")
    if twice := [n for n in names if names.count(n) > 1]:
        raise InputError(f"two systems are called {twice[0]!r}; name one with NAME=…")


def _check(test: Test, translations: Sequence[Translations]) -> None:
    metrics.check_parallel(test.sources, test.references, "the source")
    for k, more in enumerate(test.also, 2):
        metrics.check_parallel(more, test.references, f"reference {k}")
    check_names([t.name for t in translations])
    for t in translations:
        metrics.check_parallel(t.outputs, test.references, t.name)


def _lengths(sources: Sequence[str]) -> list[Sentences]:
    """The groups of ``LENGTHS``; one with fewer than ``GROUP`` sentences joins a neighbour."""
    words = [len(source.split()) for source in sources]
    found: list[Sentences] = []
    low, rows = 0, tuple[int, ...]()
    for high in (*LENGTHS, max(words)):
        rows = tuple(i for i, n in enumerate(words) if low <= n <= high)
        if len(rows) >= GROUP:
            found.append(Sentences(max(1, low), high, rows))
            low = high + 1
    if rows and len(rows) < GROUP:  # what is left at the end
        last = found.pop() if found else Sentences(1, 0, ())
        found.append(Sentences(last.low, max(words), (*last.rows, *rows)))
    return found


def _words(system: Translations) -> Sequence[Words]:
    return system.tokens or [line.split() for line in system.outputs]


def _result(system: Translations, test: Test, lengths: Sequence[Sentences]) -> SystemResult:
    seconds, outputs, n = system.seconds, system.outputs, len(test.references)
    scores = metrics.corpus_scores(
        outputs, test.references, test.tokenize, test.bootstrap, test.also
    )
    words, rest = _words(system), sorted(set(range(n)) - set(test.seen))
    return SystemResult(
        name=system.name,
        kind=system.kind,
        metrics=scores,
        perplexity=metrics.perplexities(system.scores or ()),
        seconds=seconds,
        threads=system.threads,
        sentences_per_second=n / seconds if seconds else None,
        bytes=system.bytes,
        unknown=system.unknown,
        channel={name: test.bleu(made) for name, made in system.channel.items()},
        errors=system.errors,
        wider=test.bleu(system.wider) if system.wider else None,
        glossary=system.glossary,
        by_length=tuple(test.bleu(outputs, group.rows) for group in lengths),
        by_difference=tuple(_by_difference(outputs, words, test)),
        by_chrf=_histogram(metrics.sentence_chrf(outputs, test.references, test.also)),
        coverage=faults.coverage(test.words, words, system.made_from, system.aligned),
        unknown_words=faults.unknown(test.words, words),
        unseen=test.bleu(outputs, rest) if 0 < len(rest) < n else None,
        training=tuple(system.training),
    )


def _by_difference(
    outputs: Sequence[str], words: Sequence[Words], test: Test
) -> list[tuple[int, float | None]]:
    """Of each group of ``DIFFERENCES``: sentences and BLEU."""
    sides = zip(words, test.words.reference, strict=True)
    gaps = [len(output) - len(reference) for output, reference in sides]
    groups: list[list[int]] = [[] for _ in DIFFERENCES]
    for row, gap in enumerate(gaps):
        groups[sum(gap > edge for edge in EDGES)].append(row)
    return [(len(rows), test.bleu(outputs, rows) if rows else None) for rows in groups]


def _histogram(chrf: Sequence[float]) -> tuple[int, ...]:
    """How many are in each tenth of the scale."""
    tenths = [min(9, int(score // 10)) for score in chrf]
    return tuple(tenths.count(k) for k in range(10))


def _spreads(translations: Sequence[Translations], systems: Sequence[SystemResult]) -> list[Spread]:
    found = []
    for family in dict.fromkeys(t.family for t in translations if t.family):
        rows = [i for i, t in enumerate(translations) if t.family == family]
        if len(rows) > 1:
            bleu = [systems[i].metrics["bleu"].score for i in rows]
            names = [systems[i].name for i in rows]
            found.append(Spread(names, bleu, statistics.mean(bleu), statistics.stdev(bleu)))
    return found


def _warnings(systems: Sequence[Translations], sentences: int, tokenize: str) -> list[str]:
    found = []
    if sentences < FEW:
        found.append(f"only {sentences} test sentences: intervals and p-values are rough")
    if tokenize != "none":
        found += [
            f"{s.name}: most lines end in ' .', as tokenised text does; detokenise it, or score "
            "both sides as tokens with --tokenizer none"
            for s in systems
            if metrics.looks_tokenized(s.outputs)
        ]
    return found


def _rivals(systems: Sequence[SystemResult]) -> tuple[int, int]:
    """The best system by BLEU and the best of the others, of another kind if there is one."""

    def best(candidates: list[int]) -> int:
        return max(candidates, key=lambda i: systems[i].metrics["bleu"].score)

    a = best(list(range(len(systems))))
    others = [i for i in range(len(systems)) if i != a]
    return a, best([i for i in others if systems[i].kind != systems[a].kind] or others)
