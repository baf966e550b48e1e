"""From a corpus to a statistical model: align, extract phrases, estimate, tune.

Of little text phrases are extracted from the alignments of two models, which err in different ways:
what both find counts twice, what one finds alone once. With 1,000 to 8,000 pairs that is worth 0.2
BLEU on average (0.6 on short everyday sentences), with 29,000 nothing.

Weights are tuned on pairs that the models have not seen. Without a dev set these are held out of
the training text: models of the rest find the weights, which then serve models of all the text. Of
little text every pair is held out once, in folds (cross-validation).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mtkit.console import busy, note, silent, step
from mtkit.errors import check_choice
from mtkit.manifest import Manifest, save_training_hashes
from mtkit.smt.alignment.align import ALIGNERS, align, perplexity
from mtkit.smt.alignment.symmetrize import HEURISTICS, Links, joined
from mtkit.smt.language_model.estimate import train as train_lm
from mtkit.smt.phrases.context import train as train_context
from mtkit.smt.phrases.table import DISCOUNTS, build_table
from mtkit.smt.search.decoder import Limits
from mtkit.smt.search.features import weights_named
from mtkit.smt.system import Models, SmtSystem
from mtkit.smt.tuning.bleu import SHARE
from mtkit.smt.tuning.tune import TUNERS, Part, Round, tune
from mtkit.smt.warm_up import compile_kernels
from mtkit.storage.writing import replacing
from mtkit.text.corpus import Corpus, held_out
from mtkit.text.tokenizer import WordTokenizer

HELD_OUT_FROM = 2000  # pairs: of fewer, a tenth is too little to tune on and costs BLEU
FOLDS, FOLDS_FROM = 5, 200  # pairs: fewer are too few for any tuning
LITTLE = 10_000  # pairs, below which phrases come from two alignments
FEW, MEANINGFUL = 200, 2.0  # pairs, and BLEU, that tuning can be trusted from

Weights = Mapping[str, float]


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a run; the resolved one is saved with the model."""

    aligner: str = "auto"  # see ``aligners``
    heuristic: str = "grow-diag-final-and"
    discount: str = "none"
    order: int = 5
    prune: tuple[int, ...] = ()
    tune: str = "mira"
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        """Raise InputError for a name that is not known."""
        if self.aligner != "auto":
            for aligner in self.aligner.split("+"):
                check_choice("--aligner", aligner, ALIGNERS)
        check_choice("--symmetrize", self.heuristic, HEURISTICS)
        check_choice("--discount", self.discount, DISCOUNTS)
        check_choice("--tune", self.tune, (*TUNERS, "none"))

    def aligners(self, pairs: int) -> list[str]:
        """Those whose alignments phrases are extracted from: those named, or what suits so much."""
        if self.aligner == "auto":
            return ["fertility", "hmm"] if pairs < LITTLE else ["fertility"]
        return self.aligner.split("+")


def estimate(
    source: list[list[str]], target: list[list[str]], config: TrainConfig, threads: int
) -> tuple[Models, dict[str, Any]]:
    """The models of tokenised parallel text, and what was measured on the way."""
    links = list[Links]()
    for aligner in config.aligners(len(source))[::-1]:  # the first is the one that is kept
        with step(f"word alignment ({aligner}), both directions"):
            alignment = align(source, target, aligner, config.heuristic, threads)
            links.append(alignment.links)
    words, x, y = alignment.models, alignment.source, alignment.target
    sizes, several = (len(words.source), len(words.target)), len(links)
    ways = {"P(y|x)": alignment.forward, "P(x|y)": alignment.backward}
    likelihood = {
        way: {k: [perplexity(v, d.f) for v in values] for k, values in d.learnt.likelihood.items()}
        for way, d in ways.items()
    }
    del alignment, ways  # the posteriors are large
    with (
        step(f"lexicon in context, phrase table, {config.order}-gram language model"),
        ThreadPoolExecutor(min(2, threads)) as pool,
    ):  # none of which needs another
        training = pool.submit(train_context, x, y, links[-1], sizes, threads)
        copies = x.repeated(several), y.repeated(several), joined(links)
        building = pool.submit(build_table, *copies, config.discount)
        lm = pool.submit(train_lm, target, config.order, config.prune).result()
        context, table = training.result(), building.result()
    for remark in lm.notes:
        note(f"  language model: {remark}")
    figures: dict[str, Any] = {"alignment_perplexity": likelihood, "links": len(links[-1].source)}
    figures |= {"vocabulary": list(sizes), "phrase_pairs": len(table.links), "ngrams": lm.counts}
    return Models(words.source, words.target, table, lm, context, words), figures


def tuned(parts: Sequence[Part], tuner: str) -> tuple[dict[str, float], dict[str, Any]]:
    """The weights that are best on a dev set, and the figures of every round."""
    size = sum(len(part.source) for part in parts)
    note(f"  tuning the weights ({tuner}) on {size:,} pairs; round 1 has those it begins at")
    merit = f"{1 - SHARE:g} BLEU − {SHARE:g} WER"
    note(f"    * best so far by {merit}; length: words per word of the references")
    note("    step: how far from the best weights to those that rank the hypotheses best")
    note("    round      BLEU       WER  length  step  hypotheses         new  seconds")
    rounds, start = list[Round](), time.perf_counter()
    with busy("translating the dev set"):
        for r in tune(parts, tuner):
            rounds.append(r)
            seconds, start = time.perf_counter() - start, time.perf_counter()
            note(
                f"    {len(rounds):5}{r.bleu:10.2f} {' *'[r.best]}{r.wer:8.2f}{r.length:8.2f}"
                f"{r.step:6.2f}{r.hypotheses:12,}{r.new:12,}{seconds:9.1f}"
            )
    best = [r for r in rounds if r.best][-1]
    gain = f"BLEU {best.bleu:.2f}, {best.bleu - rounds[0].bleu:+.2f} to round 1"
    note(f"    the weights of round {rounds.index(best) + 1} are kept: {gain}")
    if best is rounds[0]:
        note(f"warning: tuning brought nothing, the weights stay as they were: {_why(best, size)}")
    names = ("bleu", "wer", "length", "step", "hypotheses", "new")
    history = [{name: getattr(r, name) for name in names} for r in rounds]
    return best.weights, {"tuning": history, "dev_bleu": best.bleu, "weights": best.weights}


def _why(first: Round, size: int) -> str:
    """Why tuning may have brought nothing on a dev set of ``size`` pairs."""
    if first.bleu < MEANINGFUL:
        return "hardly a phrase is right; do dev and training text go together, line by line?"
    if size < FEW:
        return f"{size} pairs are few to tune on"
    return "none that rank the translations found better stood up to a translation"


def build(
    corpus: Corpus, tokenizer: WordTokenizer, config: TrainConfig, weights: str | Weights,
    threads: int,
) -> tuple[SmtSystem, dict[str, Any]]:  # fmt: skip
    """A system of ``corpus``, whose lines all have text, and the figures of its training."""
    with step(f"tokens of {len(corpus.train):,} sentence pairs"):
        source, target = corpus.train.tokens(tokenizer)
    ratio = sum(map(len, target)) / sum(map(len, source))
    begun = _start(weights, ratio)
    tuning, best = dict[str, Any](), begun
    # As suits all of the text, for models of a part of it, too: weights are tuned for their like.
    settled = replace(config, aligner="+".join(config.aligners(len(source))))

    def system(rows: Iterable[int], weights: Weights) -> tuple[SmtSystem, dict[str, Any]]:
        x, y = ([side[i] for i in rows] for side in (source, target))
        models, figures = estimate(x, y, settled, threads)
        return SmtSystem(models, tokenizer, dict(weights), config.limits, threads), figures

    every = range(len(source))
    if config.tune != "none" and corpus.dev is None:
        parts = []
        for name, held in _folds(len(source)).items():
            with step(name), silent():
                trial, _ = system(sorted(set(every) - set(held)), begun)
            parts.append(Part(trial, *([side[i] for i in held] for side in (source, target))))
        if parts:
            best, tuning = tuned(parts, config.tune)
    whole, figures = system(every, best)
    if config.tune != "none" and corpus.dev is not None:
        best, tuning = tuned([Part(whole, *corpus.dev.tokens(tokenizer))], config.tune)
        whole = whole.with_weights(best)
    return whole, tuning | figures | {"length_ratio": ratio}


def _start(weights: str | Weights, ratio: float) -> dict[str, float]:
    """What is named or given, as numbers; see ``weights_named``."""
    return weights_named(weights, ratio) if isinstance(weights, str) else dict(weights)


def _folds(size: int) -> dict[str, range]:
    """The rows to hold out of so many, by what it is called to make models of the others."""
    if size >= HELD_OUT_FROM:
        held = held_out(size, 10)
        note(f"no dev set: {len(held):,} pairs of the training text are held out to tune on")
        return {"models of the other pairs": held}
    if size >= FOLDS_FROM:
        note(f"no dev set: models of the rest translate one of {FOLDS} parts each, to tune on all")
        return {
            f"models without part {k + 1} of {FOLDS}": range(k, size, FOLDS) for k in range(FOLDS)
        }
    note(f"no dev set, and fewer than {FOLDS_FROM} pairs to hold one out of: no tuning")
    return {}


def train_smt(
    corpus: Corpus, tokenizer: WordTokenizer, config: TrainConfig, weights: str | Weights,
    out: Path, threads: int = 2,
) -> Manifest:  # fmt: skip
    """Train on ``corpus`` and write the model directory ``out``; tuning begins at ``weights``, of
    which a preset may be named (``search.features``).
    """
    start = time.perf_counter()
    train, dev = corpus.train.without_empty(), corpus.dev and corpus.dev.without_empty()
    with replacing(out) as directory:
        text = replace(corpus, train=train, dev=dev)
        tunes = config.tune != "none" and (dev is not None or len(train) >= FOLDS_FROM)
        compile_kernels(config.aligners(len(train)), config.tune if tunes else None, threads)
        system, figures = build(text, tokenizer, config, weights, threads)
        with step("writing the model"):
            system.save(directory)
            save_training_hashes(corpus, directory)
        begun = _start(weights, figures["length_ratio"])
        searched = {"limits": config.limits._asdict(), "weights": begun, "verbatim": True}
        settings = asdict(config) | searched  # the weights are those that tuning began at
        figures = {"seconds": time.perf_counter() - start} | figures
        manifest = Manifest.of("smt", corpus, tokenizer, settings, figures)
        manifest.write(directory)
    return manifest
