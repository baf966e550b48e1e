"""How good translations are: metrics with intervals, significance, perplexity.

Metrics and their statistics are sacreBLEU's (Post 2018, "A Call for Clarity in Reporting BLEU
Scores"), so that a figure here is the figure its own command prints. Its random draws are seeded
with 12345 or with its environment variable SACREBLEU_SEED; the signature says which.

Of several references a sentence ``also`` holds the further ones, each a list of lines.

Limits: sacreBLEU draws all resamples at once, so that memory grows with
sentences × resamples, about 0.1 GB for every 1,000 sentences.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER
from sacrebleu.significance import PairedTest

from mtkit.errors import InputError
from mtkit.system import LogProbability, Score

ALPHA = 0.05  # below this p a difference counts as real
References = Sequence[Sequence[str]]  # each with a line for every hypothesis
Question = Literal["P(y)", "P(x|y)", "P(y|x)"]
MEANINGS: dict[Question, str] = {
    "P(y)": "how well the language model expects the reference, the source unseen",
    "P(x|y)": "how well the channel model explains the source by the reference",
    "P(y|x)": "how well the model predicts the reference from the source",
}

# --- metrics


@dataclass(frozen=True)
class Metric:
    """A corpus score, 0 to 100 (TER: errors per 100 reference words, 0 is best).

    low, high: the 95 % bootstrap interval, mean ∓ half-width as sacreBLEU prints them, cut at the
    ends of the scale; ``None`` without bootstrap. signature: what exactly was computed. note: why
    the score is 0, where it is. parts: what a BLEU is made of.
    """

    score: float
    low: float | None
    high: float | None
    signature: str
    note: str = ""
    parts: dict[str, float] = field(default_factory=dict)


def corpus_scores(
    hypotheses: Sequence[str],
    references: Sequence[str],
    tokenize: str = "13a",
    bootstrap: int = 1000,
    also: References = (),
) -> dict[str, Metric]:
    """BLEU, chrF and TER of ``hypotheses``, under the names ``bleu``, ``chrf`` and ``ter``.

    tokenize: BLEU's tokenizer; ``none`` for text whose tokens already stand between spaces.
    bootstrap: the number of resamples (Koehn 2004) that the intervals rest on; 0 for none.
    Raises InputError where the lines do not correspond.
    """
    check_parallel(hypotheses, references)
    every = [list(lines) for lines in (references, *also)]
    result = {}
    for name, scorer in _scorers(tokenize).items():
        score = scorer.corpus_score(list(hypotheses), every)
        low = high = None
        signature = str(scorer.get_signature())
        if bootstrap > 1:
            low, high, signature = _interval(scorer, hypotheses, every, bootstrap)
        bleu = name == "bleu"
        result[name] = Metric(
            score=float(score.score),
            low=low,
            high=high,
            signature=signature,
            note=_why_zero(score) if bleu else "",
            parts=_bleu_parts(score) if bleu else {},
        )
    return result


def bleu(
    hypotheses: Sequence[str],
    references: Sequence[str],
    tokenize: str = "13a",
    also: References = (),
) -> float:
    """Corpus BLEU alone, 0 to 100, as in ``corpus_scores``."""
    check_parallel(hypotheses, references)
    scorer = _scorers(tokenize)["bleu"]
    every = [list(lines) for lines in (references, *also)]
    return float(scorer.corpus_score(list(hypotheses), every).score)


def _interval(
    scorer: Any, hypotheses: Sequence[str], references: References, bootstrap: int
) -> tuple[float, float, str]:
    """(low, high, signature) by sacreBLEU's bootstrap, cut at the ends of the scale.

    A paired test of one system is the same computation as ``corpus_score(n_bootstrap=…)``, which in
    sacreBLEU 2.6 raises TypeError with numpy 2 once a single resample has a BLEU of 0.
    """
    named: list[tuple[str, Sequence[str]]] = [("", hypotheses)]
    test = PairedTest(named, {"": scorer}, references, test_type="bs", n_samples=bootstrap)
    signatures, results = test()
    ((label, signature),) = signatures.items()
    found: Any = results[label][0]
    top = math.inf if isinstance(scorer, TER) else 100.0
    low, high = (float(min(top, max(0.0, found.mean + half))) for half in (-found.ci, found.ci))
    return low, high, str(signature)


def sentence_chrf(
    hypotheses: Sequence[str], references: Sequence[str], also: References = ()
) -> list[float]:
    """chrF of each sentence by itself, 0 to 100."""
    scorer = CHRF()
    lines = zip(hypotheses, references, *also, strict=True)
    return [float(scorer.sentence_score(y, list(every)).score) for y, *every in lines]


def looks_tokenized(lines: Sequence[str]) -> bool:
    """Whether most lines end in `` .``, as text does that was never detokenised."""
    lines = [line for line in lines if line.strip()]
    return sum(line.rstrip().endswith(" .") for line in lines) > len(lines) / 2


def check_parallel(hypotheses: Sequence[str], references: Sequence[str], name: str = "") -> None:
    """Raise InputError unless there is one line for each of at least one reference."""
    who = f"{name}: " if name else ""
    if not references:
        raise InputError(f"{who}the test set is empty; there is nothing to score")
    if len(hypotheses) != len(references):
        raise InputError(
            f"{who}{len(hypotheses)} lines for {len(references)} references; "
            "they must correspond line by line"
        )


def _scorers(tokenize: str) -> dict[str, Any]:
    if tokenize not in BLEU.TOKENIZERS:
        raise InputError(f"no BLEU tokenizer {tokenize!r}; one of {', '.join(BLEU.TOKENIZERS)}")
    # force: no advice on sacreBLEU's log; looks_tokenized() tells the reader of the report instead.
    return {"bleu": BLEU(tokenize=tokenize, force=True), "chrf": CHRF(), "ter": TER()}


def _bleu_parts(score: Any) -> dict[str, float]:
    """BLEU = brevity penalty × geometric mean of the n-gram precisions (per cent)."""
    precisions = {f"precision_{n}": float(p) for n, p in enumerate(score.precisions, 1)}
    return {**precisions, "brevity_penalty": float(score.bp), "length_ratio": float(score.ratio)}


def _why_zero(score: Any) -> str:
    """Which n-gram order brought BLEU to 0, or would have without smoothing."""
    if not score.sys_len:
        return "BLEU is 0: every output is empty"
    if not any(score.counts):
        return "BLEU is 0: no 1-gram matched, not one token of the output is in its reference"
    if 0 in score.totals:
        n = score.totals.index(0) + 1
        return f"BLEU is 0: the output has no {n}-gram, every line is shorter than {n} tokens"
    if 0 in score.counts:
        n = score.counts.index(0) + 1
        return f"no {n}-gram matched: without smoothing BLEU would be 0"
    return ""


# --- significance


@dataclass(frozen=True)
class Pair:
    """Two systems on one metric: delta = score of ``a`` − score of ``b``.

    The p-values are two-sided: how often a difference as large arises where there is none.
    """

    a: str
    b: str
    metric: str
    delta: float
    p_bootstrap: float
    p_randomization: float

    @property
    def significant(self) -> bool:
        """Whether both tests call the difference real at p < ``ALPHA``."""
        return max(self.p_bootstrap, self.p_randomization) < ALPHA

    @property
    def disputed(self) -> bool:
        """Whether only one of them does."""
        return min(self.p_bootstrap, self.p_randomization) < ALPHA and not self.significant


def significance(
    outputs: Mapping[str, Sequence[str]],
    references: Sequence[str],
    tokenize: str = "13a",
    metrics: Sequence[str] = ("bleu", "chrf"),
    resamples: int = 1000,
    trials: int = 10_000,
    also: References = (),
) -> list[Pair]:
    """Every pair of systems by two tests: is the difference real, or this test set's chance?

    outputs: system name → its lines. Paired bootstrap resampling (Koehn 2004) draws ``resamples``
    test sets from this one; paired approximate randomisation (Riezler & Maxwell 2005) swaps the two
    systems' sentences at random, ``trials`` times. The p-values are sacreBLEU's, but where two
    systems score the same p is 1: it counts only what exceeds the difference, and would say 0.001.
    """
    for name, lines in outputs.items():
        check_parallel(lines, references, name)
    names, every = list(outputs), [list(lines) for lines in (references, *also)]
    pairs = []
    for i, a in enumerate(names[:-1]):
        named = [(name, outputs[name]) for name in names[i:]]
        bootstrap, randomization = (
            _paired_test(kind, n, named, every, tokenize, metrics)
            for kind, n in (("bs", resamples), ("ar", trials))
        )
        for j, b in enumerate(names[i + 1 :], 1):
            for metric in metrics:
                delta = float(bootstrap[metric][0].score - bootstrap[metric][j].score)
                p = [float(test[metric][j].p_value) for test in (bootstrap, randomization)]
                pairs.append(Pair(a, b, metric, delta, *(p if delta else (1.0, 1.0))))
    return pairs


def _paired_test(
    kind: str,
    samples: int,
    named: list[tuple[str, Sequence[str]]],
    references: References,
    tokenize: str,
    metrics: Sequence[str],
) -> dict[str, list[Any]]:
    """The first of ``named`` against each other one: metric → ``Result`` of each of ``named``."""
    scorers = {name: _scorers(tokenize)[name] for name in metrics}
    test = PairedTest(named, scorers, references, test_type=kind, n_samples=samples)
    by_label: dict[str, Any] = test()[1]
    del by_label["System"]
    return dict(zip(metrics, by_label.values(), strict=True))


# --- perplexity


@dataclass(frozen=True)
class Perplexity:
    """exp(−(1/N) Σ ln p), N = ``tokens``: word tokens and one ``</s>`` a sentence.

    value: ``None`` where no sentence has one, infinite where one is impossible. without_oov: over
    the ``tokens`` − ``oov`` tokens that the model knows, ``None`` where it cannot tell. Figures for
    different questions are never ranked against each other. note: which sentences are in the way.
    """

    value: float | None
    without_oov: float | None
    tokens: int
    oov: int
    question: Question
    note: str = ""


def perplexity(values: Sequence[LogProbability | None], question: Question) -> Perplexity:
    """The perplexity of the sentences whose log-probabilities are ``values``."""
    given = [v for v in values if v is not None and not math.isnan(v.value)]
    possible = [v for v in given if v.value > -math.inf]
    tokens, oov = sum(v.tokens for v in given), sum(v.oov for v in given)
    known = [v.known for v in given if v.known is not None]
    notes = []
    if len(given) < len(values):
        missing = len(values) - len(given)
        notes.append(f"{missing} of {len(values)} sentences have no value and are left out")
    if len(possible) < len(given):
        note = f"{len(given) - len(possible)} of {len(values)} sentences have probability 0"
        rest = perplexity_of([v.value for v in possible], sum(v.tokens for v in possible))
        notes.append(note if rest is None else f"{note}; over the others it is {rest:.2f}")
    return Perplexity(
        value=perplexity_of([v.value for v in given], tokens),
        without_oov=perplexity_of(known, tokens - oov) if len(known) == len(given) else None,
        tokens=tokens,
        oov=oov,
        question=question,
        note="; ".join(notes),
    )


def by_question(scores: Sequence[Score]) -> dict[Question, list[LogProbability | None]]:
    """What a system answers to each question that it has a model of, sentence by sentence."""
    values: dict[Question, list[LogProbability | None]] = {
        "P(y)": [score.lm for score in scores],
        "P(x|y)": [score.channel for score in scores],
        "P(y|x)": [score.direct for score in scores],
    }
    return {q: v for q, v in values.items() if any(p is not None for p in v)}


def perplexities(scores: Sequence[Score]) -> dict[Question, Perplexity]:
    """The perplexity of a test set for each question that the system has a model of."""
    return {q: perplexity(v, q) for q, v in by_question(scores).items()}


def perplexity_of(logs: Sequence[float], tokens: int) -> float | None:
    """exp(−(1/N) Σ ln p) of N = ``tokens``; infinite beyond the largest float, ``None`` of none."""
    if not tokens:
        return None
    nats = -math.fsum(logs) / tokens
    return math.exp(nats) if nats < 709.0 else math.inf
