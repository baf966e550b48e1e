"""The comparison of systems as data: ``compare`` computes it, ``as_json`` writes it out.

What people see of it is made in ``render``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mtkit import evaluate
from mtkit.comparison.curve import Curve
from mtkit.errors import InputError
from mtkit.evaluate import Metric, Pair, Perplexity, Question
from mtkit.glossary import Compliance
from mtkit.system import Hypothesis, Score

WIDER = 5
EQUAL = 1e-6  # scores that differ by less are the same
LENGTHS = (5, 10, 15, 20, 25, 30, 40, 60)  # words: the longest source of each group but the last
GROUP = 20  # sentences that a group has at least
FEW = 100  # fewer test sentences than this are remarked on

# --- the data


@dataclass(frozen=True)
class Errors:
    """Of a statistical system, in how many test sentences (Germann et al. 2001)

    reached: some derivation spells the reference; same: the system says just that; search: the
    model prefers the reference, but the search did not find it; model: it prefers another
    translation. wider: a search ``WIDER`` times as wide finds what the model prefers.
    """

    reached: int
    same: int
    search: int
    model: int
    wider: int


def errors(
    outputs: Sequence[Hypothesis],
    references: Sequence[str],
    best: Sequence[Score],
    wider: Sequence[Hypothesis],
) -> Errors:
    """best: ``model`` is the score of each reference's best derivation; wider: found so."""
    found = [
        (h.text == reference, score.model - h.score)
        for h, reference, score in zip(outputs, references, best, strict=True)
        if score.model is not None
    ]
    other = [gain for same, gain in found if not same]
    gains = [w.score - h.score for w, h in zip(wider, outputs, strict=True)]
    search, more = (sum(gain > EQUAL for gain in of) for of in (other, gains))
    same = len(found) - len(other)
    return Errors(len(found), same, search, len(other) - search, more)


@dataclass(frozen=True)
class Translations:
    """What one system made of the test set.

    kind: ``smt``, ``nmt``, or ``file`` for lines that another system wrote. seconds: the wall time
    of translating. scores: its probabilities for the references. unknown: source words copied.
    channel: what a statistical system says with other weights, from the channel model alone to its
    own weights, by their names. errors: whose fault its errors are. glossary: how far one was
    followed. training: what was logged at each validation, with "update" and perhaps "bleu".
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


@dataclass(frozen=True)
class Lengths:
    """The sentences ``rows`` whose sources have ``low`` to ``high`` words, blanks between them."""

    low: int
    high: int
    rows: tuple[int, ...]


@dataclass(frozen=True)
class SystemResult:
    """The figures of one system; ``None`` where nobody measured. Fields as in ``Translations``.

    channel: name of the weights → BLEU. by_length: BLEU of each of ``Comparison.lengths``.
    """

    name: str
    kind: str
    metrics: dict[str, Metric]
    perplexity: dict[Question, Perplexity]
    seconds: float | None
    sentences_per_second: float | None
    unknown: int | None
    channel: dict[str, float]
    errors: Errors | None
    glossary: Compliance | None
    by_length: tuple[float, ...]
    training: tuple[Mapping[str, float], ...]


@dataclass(frozen=True)
class ExampleOutput:
    """One system's translation of an example, with its sentence chrF."""

    system: str
    text: str
    chrf: float


@dataclass(frozen=True)
class Example:
    """A test sentence (``line`` counts from 1) and why it was chosen."""

    line: int
    why: str
    source: str
    reference: str
    outputs: tuple[ExampleOutput, ...]


@dataclass(frozen=True)
class Comparison:
    """Everything the report says.

    name, paths, languages: the test set's, (source, target). lengths: the groups that sentences
    fall into by their sources' length. curve: what more training text would do.
    """

    name: str
    paths: tuple[str, str]
    languages: tuple[str, str]
    sentences: int
    tokenize: str
    lengths: tuple[Lengths, ...]
    systems: tuple[SystemResult, ...]
    pairs: tuple[Pair, ...]
    examples: tuple[Example, ...]
    warnings: tuple[str, ...]
    curve: Curve | None = None


# --- what is computed


def compare(
    sources: Sequence[str],
    references: Sequence[str],
    translations: Sequence[Translations],
    *,
    name: str = "test",
    paths: tuple[str, str] = ("", ""),
    languages: tuple[str, str] = ("", ""),
    tokenize: str = "13a",
    bootstrap: int = 1000,
    trials: int = 10_000,
    examples: int = 5,
    warnings: Sequence[str] = (),
) -> Comparison:
    """Score every system, test every pair, choose examples.

    bootstrap, trials: how often the tests resample and shuffle. warnings: what the caller knows
    against the figures. Raises InputError where lines or names do not fit.
    """
    _check(sources, references, translations)
    lengths = _lengths(sources)
    systems = [_result(t, references, tokenize, bootstrap, lengths) for t in translations]
    outputs = {t.name: t.outputs for t in translations}
    pairs = evaluate.significance(outputs, references, tokenize, resamples=bootstrap, trials=trials)
    return Comparison(
        name=name,
        paths=paths,
        languages=languages,
        sentences=len(sources),
        tokenize=tokenize,
        lengths=tuple(lengths),
        systems=tuple(systems),
        pairs=tuple(pairs),
        examples=_examples(sources, references, translations, systems, examples),
        warnings=(*warnings, *_warnings(translations, len(references), tokenize)),
    )


def check_names(names: Sequence[str]) -> None:
    """Raise InputError unless every system has a name of its own."""
    if not names:
        raise InputError("no system to compare; name a model directory or NAME=FILE")
    if "" in names:
        raise InputError("a system without a name; say NAME=FILE")
    if twice := [n for n in names if names.count(n) > 1]:
        raise InputError(f"two systems are called {twice[0]!r}; name one with NAME=…")


def _check(
    sources: Sequence[str], references: Sequence[str], translations: Sequence[Translations]
) -> None:
    evaluate.check_parallel(sources, references, "the source")
    check_names([t.name for t in translations])
    for t in translations:
        evaluate.check_parallel(t.outputs, references, t.name)


def _lengths(sources: Sequence[str]) -> list[Lengths]:
    """The groups of ``LENGTHS``; one with fewer than ``GROUP`` sentences joins a neighbour."""
    words = [len(source.split()) for source in sources]
    found: list[Lengths] = []
    low, rows = 0, tuple[int, ...]()
    for high in (*LENGTHS, max(words)):
        rows = tuple(i for i, n in enumerate(words) if low <= n <= high)
        if len(rows) >= GROUP:
            found.append(Lengths(max(1, low), high, rows))
            low = high + 1
    if rows and len(rows) < GROUP:  # what is left at the end
        last = found.pop() if found else Lengths(1, 0, ())
        found.append(Lengths(last.low, max(words), (*last.rows, *rows)))
    return found


def _result(
    system: Translations,
    references: Sequence[str],
    tokenize: str,
    bootstrap: int,
    lengths: Sequence[Lengths],
) -> SystemResult:
    seconds = system.seconds
    return SystemResult(
        name=system.name,
        kind=system.kind,
        metrics=evaluate.corpus_scores(system.outputs, references, tokenize, bootstrap),
        perplexity=evaluate.perplexities(system.scores or ()),
        seconds=seconds,
        sentences_per_second=len(references) / seconds if seconds else None,
        unknown=system.unknown,
        channel={
            name: evaluate.bleu(outputs, references, tokenize)
            for name, outputs in system.channel.items()
        },
        errors=system.errors,
        glossary=system.glossary,
        by_length=tuple(
            evaluate.bleu(
                [system.outputs[i] for i in group.rows],
                [references[i] for i in group.rows],
                tokenize,
            )
            for group in lengths
        ),
        training=tuple(system.training),
    )


def _warnings(systems: Sequence[Translations], sentences: int, tokenize: str) -> list[str]:
    found = []
    if sentences < FEW:
        found.append(f"only {sentences} test sentences: intervals and p-values are rough")
    if tokenize != "none":
        found += [
            f"{s.name}: most lines end in ' .', as tokenised text does; detokenise it, or score "
            "both sides as tokens with --tokenizer none"
            for s in systems
            if evaluate.looks_tokenized(s.outputs)
        ]
    return found


def _examples(
    sources: Sequence[str],
    references: Sequence[str],
    translations: Sequence[Translations],
    systems: Sequence[SystemResult],
    count: int,
) -> tuple[Example, ...]:
    """``count`` sentences: the largest chrF difference either way, and others evenly spaced."""
    chrf = [evaluate.sentence_chrf(t.outputs, references) for t in translations]
    chosen: dict[int, str] = {}
    if len(systems) > 1:
        a, b = _rivals(systems)
        for ahead, behind in ((a, b), (b, a)):
            gaps = [x - y for x, y in zip(chrf[ahead], chrf[behind], strict=True)]
            i = gaps.index(max(gaps))
            if gaps[i] > 0 and len(chosen) < count:
                names = systems[ahead].name, systems[behind].name
                chosen[i] = f"{names[0]} is furthest ahead of {names[1]} in chrF"
    rest = [i for i, x in enumerate(sources) if x.strip() and i not in chosen]
    wanted = min(count - len(chosen), len(rest))
    for k in range(wanted):
        chosen[rest[(2 * k + 1) * len(rest) // (2 * wanted)]] = "one of some evenly spaced"
    return tuple(
        Example(
            line=i + 1,
            why=why,
            source=sources[i],
            reference=references[i],
            outputs=tuple(
                ExampleOutput(t.name, t.outputs[i], scores[i])
                for t, scores in zip(translations, chrf, strict=True)
            ),
        )
        for i, why in chosen.items()
    )


def _rivals(systems: Sequence[SystemResult]) -> tuple[int, int]:
    """The best system by BLEU and the best of the others, of another kind if there is one."""

    def best(candidates: list[int]) -> int:
        return max(candidates, key=lambda i: systems[i].metrics["bleu"].score)

    a = best(list(range(len(systems))))
    others = [i for i in range(len(systems)) if i != a]
    return a, best([i for i in others if systems[i].kind != systems[a].kind] or others)


# --- JSON


def as_json(comparison: Comparison) -> dict[str, Any]:
    """The object that ``compare --json`` prints; figures that are not finite become ``None``."""
    data = asdict(comparison)
    return {
        "test": {
            "name": comparison.name,
            "source": comparison.paths[0],
            "reference": comparison.paths[1],
            "languages": list(comparison.languages),
            "sentences": comparison.sentences,
            "tokenize": comparison.tokenize,
        },
        "systems": [_system_as_json(s, comparison.lengths) for s in comparison.systems],
        "pairs": list(data["pairs"]),
        "examples": [e | {"outputs": list(e["outputs"])} for e in data["examples"]],
        "warnings": list(comparison.warnings),
        "curve": data["curve"],
    }


def _system_as_json(system: SystemResult, lengths: Sequence[Lengths]) -> dict[str, Any]:
    bleu, asked = system.metrics["bleu"], system.glossary
    shown = ("score", "low", "high", "signature")
    perplexities = {question: asdict(p) for question, p in system.perplexity.items()}
    return {
        "name": system.name,
        "kind": system.kind,
        "metrics": {k: {f: getattr(m, f) for f in shown} for k, m in system.metrics.items()},
        "bleu_parts": bleu.parts,
        "bleu_note": bleu.note,
        "perplexity": {
            question: {f: None if v == math.inf else v for f, v in fields.items()}
            for question, fields in perplexities.items()
        },
        "seconds": system.seconds,
        "sentences_per_second": system.sentences_per_second,
        "length_ratio": bleu.parts["length_ratio"],
        "unknown": system.unknown,
        "channel": system.channel,
        "errors": system.errors and asdict(system.errors),
        "by_length": [
            {"low": group.low, "high": group.high, "sentences": len(group.rows), "bleu": score}
            for group, score in zip(lengths, system.by_length, strict=True)
        ],
        "glossary": asked and {"matches": asked.matches, "complied": asked.complied},
    }
