"""From a corpus to a statistical model: align, extract phrases, estimate, tune.

Weights are tuned on pairs that the models have not seen. Without a dev set these are held out of
the training text: models of the rest find the weights, which then serve models of all the text.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mtkit.console import busy, note, step
from mtkit.errors import check_choice
from mtkit.manifest import Manifest, replacing, save_training_hashes
from mtkit.smt.alignment.align import ALIGNERS, align, perplexity
from mtkit.smt.alignment.symmetrize import HEURISTICS
from mtkit.smt.language_model.estimate import train as train_lm
from mtkit.smt.phrases.context import train as train_context
from mtkit.smt.phrases.table import DISCOUNTS, build_table
from mtkit.smt.search.decoder import Limits
from mtkit.smt.system import Models, SmtSystem
from mtkit.smt.tuning.tune import TUNERS, Round, tune
from mtkit.smt.warm_up import compile_kernels
from mtkit.text.corpus import Bitext, Corpus, hold_out
from mtkit.text.tokenizer import WordTokenizer

HELD_OUT_FROM = 2000  # pairs: of fewer, a tenth is too little to tune on and costs BLEU


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a run; the resolved one is saved with the model."""

    aligner: str = "fertility"
    heuristic: str = "grow-diag-final-and"
    discount: str = "none"
    order: int = 5
    prune: tuple[int, ...] = ()
    tune: str = "mira"
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        """Raise InputError for a name that is not known."""
        check_choice("--aligner", self.aligner, ALIGNERS)
        check_choice("--symmetrize", self.heuristic, HEURISTICS)
        check_choice("--discount", self.discount, DISCOUNTS)
        check_choice("--tune", self.tune, (*TUNERS, "none"))


def estimate(
    source: list[list[str]], target: list[list[str]], config: TrainConfig, threads: int
) -> tuple[Models, dict[str, Any]]:
    """The models of tokenised parallel text, and what was measured on the way."""
    with step(f"word alignment ({config.aligner}), both directions"):
        alignment = align(source, target, config.aligner, config.heuristic, threads)
        words, x, y = alignment.models, alignment.source, alignment.target
    links, sizes = alignment.links, (len(words.source), len(words.target))
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
        training = pool.submit(train_context, x, y, links, sizes, threads)
        building = pool.submit(build_table, x, y, links, config.discount)
        lm = pool.submit(train_lm, target, config.order, config.prune).result()
        context, table = training.result(), building.result()
    for remark in lm.notes:
        note(f"  language model: {remark}")
    figures: dict[str, Any] = {"alignment_perplexity": likelihood, "links": len(links.source)}
    figures |= {"vocabulary": list(sizes), "phrase_pairs": len(table.links), "ngrams": lm.counts}
    return Models(words.source, words.target, table, lm, context, words), figures


def tuned(system: SmtSystem, dev: Bitext, tuner: str) -> tuple[SmtSystem, dict[str, Any]]:
    """The system with the weights that are best on ``dev``, and the figures of every round."""
    source, target = system.tokenize(dev.source), system.tokenize(dev.target)
    note(f"  tuning the weights ({tuner}) on {len(dev):,} pairs; scores of word tokens:")
    note(f"    {'round':>5}{'dev BLEU':>10}{'WER':>8}{'hypotheses':>14}{'new':>12}{'seconds':>9}")
    rounds, start = list[Round](), time.perf_counter()
    with busy("translating the dev set"):
        for r in tune(system, source, target, tuner):
            rounds.append(r)
            seconds, start = time.perf_counter() - start, time.perf_counter()
            note(
                f"    {len(rounds):5}{r.bleu:10.2f}{r.wer:8.2f}{r.hypotheses:14,}{r.new:12,}"
                f"{seconds:9.1f}"
            )
    best = [r for r in rounds if r.best][-1]
    note(f"    the weights of round {rounds.index(best) + 1} are kept: dev BLEU {best.bleu:.2f}")
    names = ("bleu", "wer", "hypotheses", "new")
    history = [{name: getattr(r, name) for name in names} for r in rounds]
    figures = {"tuning": history, "dev_bleu": best.bleu, "weights": best.weights}
    return system.with_weights(best.weights), figures


def build(
    corpus: Corpus, tokenizer: WordTokenizer, config: TrainConfig, weights: dict[str, float],
    threads: int,
) -> tuple[SmtSystem, dict[str, Any]]:  # fmt: skip
    """A system of ``corpus``, whose lines all have text, and the figures of its training."""
    text, dev, tuning = corpus.train, corpus.dev, dict[str, Any]()
    if dev is None and config.tune != "none" and len(text) >= HELD_OUT_FROM:
        kept, held = hold_out(text, 10)
        note(f"no dev set: {len(held):,} pairs of the training text are held out to tune on")
        part = replace(corpus, train=kept, dev=held)
        trial, tuning = build(part, tokenizer, config, weights, threads)
        weights = trial.weights
        note("now models of all pairs, with these weights")
    elif dev is None and config.tune != "none":
        note(f"no dev set, and fewer than {HELD_OUT_FROM:,} pairs to hold one out of: no tuning")
    with step(f"tokens of {len(text):,} sentence pairs"):
        source, target = text.tokens(tokenizer)
    models, figures = estimate(source, target, config, threads)
    system = SmtSystem(models, tokenizer, weights, config.limits, threads)
    if dev is not None and config.tune != "none":
        system, tuning = tuned(system, dev, config.tune)
    return system, tuning | figures


def train_smt(
    corpus: Corpus, tokenizer: WordTokenizer, config: TrainConfig, weights: dict[str, float],
    out: Path, threads: int = 2,
) -> Manifest:  # fmt: skip
    """Train on ``corpus`` and write the model directory ``out``; tuning begins at ``weights``."""
    start = time.perf_counter()
    train, dev = corpus.train.without_empty(), corpus.dev and corpus.dev.without_empty()
    with replacing(out) as directory:
        text = replace(corpus, train=train, dev=dev)
        tunes = config.tune != "none" and (dev is not None or len(train) >= HELD_OUT_FROM)
        compile_kernels(config.aligner, config.tune if tunes else None)
        system, figures = build(text, tokenizer, config, weights, threads)
        with step("writing the model"):
            system.save(directory)
            save_training_hashes(corpus, directory)
        searched = {"limits": config.limits._asdict(), "weights": weights, "verbatim": True}
        settings = asdict(config) | searched  # the weights are those that tuning began at
        figures = {"seconds": time.perf_counter() - start} | figures
        manifest = Manifest.of("smt", corpus, tokenizer, settings, figures)
        manifest.write(directory)
    return manifest
