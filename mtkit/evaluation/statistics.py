"""Sufficient statistics of BLEU, chrF and TER, one row per sentence; sums of rows give scores.

    score of the sentences S = f(Σ_{s ∈ S} row_s)

    BLEU    c, r, matches of 1- to 4-grams, 1- to 4-grams of the output          10 columns
    chrF    of 1- to 6-grams of characters: output, reference, matches           18 columns
    TER     edits, mean length of the references                                  2 columns
    others  an external score, 1                                                  2 columns

Groups of sentences, resampled test sets and exchanged outputs use sums of the same rows: nothing is
tokenised twice. Rows and f are sacreBLEU's own (Post 2018, "A Call for Clarity in Reporting BLEU
Scores"), so a score here equals the one that its command prints. Random draws have the seed 12345
or, as in sacreBLEU, that of the environment variable SACREBLEU_SEED; the signature contains it.

Limits: all trials are drawn at once, so memory grows with sentences × trials, by about 0.1 GB for
every 1,000 sentences.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from mtkit.errors import InputError

METRICS = ("bleu", "chrf", "ter")
RESAMPLES, SEED = 1000, 12345  # sacreBLEU's defaults
TRIALS = 10_000  # of approximate randomisation
Lines = Sequence[str]
Rows = NDArray[Any]  # (N, columns): integers; floats for TER and external scores


class Mean(NamedTuple):
    """The score of an external metric, in place of sacreBLEU's score object."""

    score: float


class Scorer:
    """BLEU, chrF and TER against the references of one test set, which are tokenised once.

    references: one or more lists of N lines. tokenize: BLEU's tokenizer; ``none`` for text whose
    tokens are separated by spaces. metrics: those to compute. resamples: of the bootstrap; less
    than 2: none. trials: of approximate randomisation. ignore_case: for BLEU and chrF; sacreBLEU's
    TER always does. Raises InputError for an unknown tokenizer or different numbers of lines.
    """

    def __init__(
        self,
        references: Sequence[Lines],
        tokenize: str = "13a",
        metrics: Sequence[str] = METRICS,
        resamples: int = RESAMPLES,
        trials: int = TRIALS,
        ignore_case: bool = False,
    ) -> None:
        if tokenize not in BLEU.TOKENIZERS:
            raise InputError(
                f"unknown BLEU tokenizer {tokenize!r}; choose one of {', '.join(BLEU.TOKENIZERS)}"
            )
        for k, lines in enumerate(references, 1):
            check_parallel(lines, references[0], f"reference {k}")
        self.references = [list(lines) for lines in references]
        self.tokenize, self.ignore_case = tokenize, ignore_case
        self.resamples, self.trials = resamples, trials
        # force: no advice on sacreBLEU's log; ``comparison.mismatch`` warns in the report.
        bleu: Callable[..., Any] = partial(BLEU, ignore_case, force=True, tokenize=tokenize)
        chrf: Callable[..., Any] = partial(CHRF, lowercase=ignore_case)
        kinds = {"bleu": bleu, "chrf": chrf, "ter": TER}
        self.metrics = {name: kinds[name](references=self.references) for name in metrics}

    def count(self, outputs: Lines, metrics: Sequence[str] = (), name: str = "") -> Statistics:
        """Return the rows of a system's N outputs for ``metrics``, by default all.

        name: the system's, for messages. Raises InputError if there are not N outputs.
        """
        check_parallel(outputs, self.references[0], name)
        rows = {
            metric: np.array(self.metrics[metric]._extract_corpus_statistics(outputs, None))
            for metric in metrics or self.metrics
        }
        return Statistics(self, rows)

    def score(self, metric: str, total: Rows) -> Any:
        """Return sacreBLEU's score object, or a ``Mean``, for a sum of rows, (columns,)."""
        if metric not in self.metrics:
            return Mean(total[0] / total[1])
        return self.metrics[metric]._compute_score_from_stats(total)

    def signature(self, metric: str) -> str:
        """Return the signature of a metric, which includes the bootstrap if there is one."""
        if metric not in self.metrics:
            drawn = f"|bs:{self.resamples}|seed:{_seed()}".lower() if self.resamples > 1 else ""
            return f"mean of a number a sentence{drawn}"
        signature = self.metrics[metric].get_signature()
        if self.resamples > 1:
            signature.update("seed", str(_seed()).lower())
            signature.update("bs", self.resamples)
        return str(signature)

    @cached_property
    def draws(self) -> NDArray[np.int64]:
        """Sentences of each resampled test set, (resamples, N); the same for every system."""
        N = len(self.references[0])
        return np.random.default_rng(_seed()).choice(N, size=(self.resamples, N), replace=True)

    @cached_property
    def shuffles(self) -> NDArray[np.bool_]:
        """True if two systems keep a sentence in a trial, False if they swap it; (trials, N)."""
        size = self.trials, len(self.references[0])
        return np.random.default_rng(_seed()).integers(2, size=size, dtype=np.bool_)


@dataclass(frozen=True, eq=False)
class Statistics:
    """The rows of one system's outputs, by metric."""

    scorer: Scorer
    rows: dict[str, Rows]

    def total(self, metric: str, sentences: Sequence[int] | None = None) -> Any:
        """Return the score object for all sentences, or for these. Raises InputError for none."""
        rows = self.rows[metric][slice(None) if sentences is None else list(sentences)]
        if not len(rows):
            raise InputError("no sentence; there is nothing to score")
        return self.scorer.score(metric, rows.sum(0).tolist())

    def score(self, metric: str, sentences: Sequence[int] | None = None) -> float:
        """Return the score, 0 to 100 (TER: 0 or more). Raises InputError for no sentences."""
        return float(self.total(metric, sentences).score)

    def among(self, metric: str, sentences: Sequence[int]) -> Statistics:
        """Return the statistics of one metric with the rows of all other sentences set to 0."""
        chosen = np.isin(np.arange(len(self.scorer.references[0])), sentences)[:, None]
        return replace(self, rows={metric: self.rows[metric] * chosen})

    def joined(self, metric: str, values: Sequence[float]) -> Statistics:
        """Return the statistics with an external metric added. values: (N,)."""
        rows = np.column_stack([values, np.ones(len(values))])
        return replace(self, rows=self.rows | {metric: rows})

    def by_sentence(self, metric: str) -> list[float]:
        """Return the score of each of the N sentences."""
        rows = self.rows[metric].tolist()
        return [float(self.scorer.score(metric, row).score) for row in rows]

    @cached_property
    def resampled(self) -> dict[str, NDArray[Any]]:
        """Scores of the resampled test sets by metric, (resamples,).

        Rows are summed in float32 as in sacreBLEU; those of external metrics in float64.
        """
        scores = {}
        for metric, rows in self.rows.items():
            single = rows.astype(np.float32) if metric in self.scorer.metrics else rows
            totals = [single[drawn].sum(0) for drawn in self.scorer.draws]
            scores[metric] = np.array([self.scorer.score(metric, row).score for row in totals])
        return scores


def check_parallel(lines: Lines, references: Sequence[object], name: str = "") -> None:
    """Raise InputError if there is no reference, or not exactly one line for each reference."""
    who = f"{name}: " if name else ""
    if not references:
        raise InputError(f"{who}the test set is empty; there is nothing to score")
    if len(lines) != len(references):
        counts = f"{len(lines)} lines for {len(references)} references"
        raise InputError(f"{who}{counts}; they must correspond line by line")


def _seed() -> int | None:
    seed = os.environ.get("SACREBLEU_SEED", str(SEED))
    return None if seed.lower() == "none" else int(seed)
