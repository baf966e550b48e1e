"""From a corpus to a statistical model: align, extract phrases, estimate, tune.

Of little text phrases are extracted from the alignments of two models, which err in different ways:
what both find counts twice, what one finds alone once. With 1,000 to 8,000 pairs that is worth 0.2
BLEU on average (0.6 on short everyday sentences), with 29,000 nothing.

Weights are tuned on pairs that the models have not seen. Without a dev set these are held out of
the training text: models of the rest find the weights, which then serve models of all the text. Of
little text every pair is held out once, in folds (cross-validation).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mtkit.console import busy, note, silent, step
from mtkit.errors import InputError, check_choice
from mtkit.manifest import Manifest, save_training_hashes
from mtkit.platforms import usable_memory
from mtkit.smt.alignment.align import ALIGNERS, align
from mtkit.smt.alignment.symmetrize import HEURISTICS, Links
from mtkit.smt.language_model.build import build as build_lm
from mtkit.smt.language_model.ngrams import NgramModel
from mtkit.smt.phrases.build import build as build_phrases
from mtkit.smt.phrases.context_train import build as learn_context
from mtkit.smt.phrases.score import DISCOUNTS
from mtkit.smt.search.decoder import Limits
from mtkit.smt.search.features import save_weights, weights_named
from mtkit.smt.system import Models, SmtSystem
from mtkit.smt.tuning.bleu import SHARE
from mtkit.smt.tuning.tune import ROUNDS, TUNERS, Part, Round, tune
from mtkit.smt.warm_up import compile_kernels
from mtkit.storage.stages import Outputs, Stages, fingerprint, link, unfinished
from mtkit.storage.writing import replacing
from mtkit.text import shards
from mtkit.text.corpus import Bitext, Corpus, held_out
from mtkit.text.shards import SIDES, Shards
from mtkit.text.tokenizer import WordTokenizer

HELD_OUT_FROM = 2000  # pairs: of fewer, a tenth is too little to tune on and costs BLEU
FOLDS, FOLDS_FROM = 5, 200  # pairs: fewer are too few for any tuning
HEADER = "  round   BLEU     WER length  step hypotheses     new    s"  # of the rounds of tuning
LITTLE = 10_000  # pairs, below which phrases come from two alignments
MENTIONED = 1e9  # bytes of disk that are worth a note
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


def check_disk(text: Shards, place: Path) -> None:
    """Raise InputError where ``place`` has no room for the stages of a text.

    Measured of texts of 13 words a sentence: 24 bytes a place where two words meet, and 120 a word.
    """
    x, y = (np.load(text.directory / side / "begin.npy", mmap_mode="r") for side in SIDES)
    places = int(((np.diff(x) + 1) * (np.diff(y) + 1)).sum())
    needed, free = 24 * places + 120 * sum(text.tokens), shutil.disk_usage(place).free
    if needed > MENTIONED:
        note(f"  disk space needed in {place.parent}: up to {needed / 1e9:.1f} GB")
    if needed > free:
        raise InputError(
            f"{place.parent}: {free / 1e9:.1f} GB of disk are free, but training needs about "
            f"{needed / 1e9:.1f} GB; name an --out on a larger disk"
        )


def estimate(text: Shards, config: TrainConfig, stages: Stages) -> tuple[Path, dict[str, Any]]:
    """The directory of the models of a text, and what was measured on the way."""
    links = list[Outputs]()
    for aligner in config.aligners(text.pairs)[::-1]:  # the first is the one that is kept
        with step(f"word alignment ({aligner}), both directions"):
            alignment = align(text, stages.within(aligner), aligner, config.heuristic)
            links.append(alignment.links)
    models = {"": stages.once("words", alignment.save_models)}
    fill: dict[str, Callable[..., object]] = {
        "context": partial(learn_context, text, links[-1]),
        "phrases": partial(build_phrases, text, links, discount=config.discount),
        "lm": partial(build_lm, text, order=config.order, prune=config.prune),
    }

    def learn(name: str, own: Stages) -> Path:
        return stages.once(name, partial(fill[name], own.within(f"{name}-stages")))

    with step(f"discriminative lexicon, phrase table, {config.order}-gram language model"):
        learnt = stages.beside(len(text), *(partial(learn, name) for name in fill))
        models |= zip(fill, learnt, strict=True)
    together = stages.once("models", partial(_put_together, models))
    lm = NgramModel.trusted(models["lm"])
    for remark in lm.notes:
        note(f"  language model: {remark}")
    ways = {"P(y|x)": alignment.forward, "P(x|y)": alignment.backward}
    likelihood = {way: direction.perplexity for way, direction in ways.items()}
    figures: dict[str, Any] = {"alignment_perplexity": likelihood}
    figures |= {"links": sum(len(Links.load(out).source) for out in alignment.links)}
    phrase_pairs = len(np.load(models["phrases"] / "links.npy", mmap_mode="r"))
    figures |= {"vocabulary": list(text.sizes), "phrase_pairs": phrase_pairs, "ngrams": lm.counts}
    return together, figures


def _put_together(models: Mapping[str, Path], into: Path) -> None:
    """One directory of models, each by its name in it; no file is there twice."""
    for name, place in models.items():
        shutil.copytree(place, into / name, dirs_exist_ok=True, copy_function=link)


def tuned(parts: Sequence[Part], tuner: str) -> tuple[dict[str, float], dict[str, Any]]:
    """The weights that are best on a dev set, and the figures of every round."""
    size = sum(len(part.source) for part in parts)
    note(f"  tuning the weights ({tuner}) on {size:,} sentence pairs")
    note(f"    round 1: the initial weights; * highest {1 - SHARE:g} BLEU − {SHARE:g} WER so far")
    note("    length: output words per reference word")
    note("    step: 0 = best weights so far, 1 = weights that rank the hypotheses best")
    note(HEADER)
    rounds, start = list[Round](), time.perf_counter()
    with busy(f"tuning, at most {ROUNDS} rounds"):
        for r in tune(parts, tuner):
            rounds.append(r)
            seconds, start = time.perf_counter() - start, time.perf_counter()
            note(
                f"{len(rounds):7}{r.bleu:7.2f}{' *' if r.best else '  '}{r.wer:6.2f}{r.length:7.2f}"
                f"{r.step:6.2f}{r.hypotheses:11,}{r.new:8,}{seconds:5.1f}"
            )
    best = [r for r in rounds if r.best][-1]
    gain = f"BLEU {best.bleu:.2f}, {best.bleu - rounds[0].bleu:+.2f} since round 1"
    note(f"  best weights: round {rounds.index(best) + 1}, {gain}")
    if best is rounds[0]:
        note(f"warning: tuning did not help; the initial weights are kept: {_why(best, size)}")
    names = ("bleu", "wer", "length", "step", "hypotheses", "new")
    history = [{name: getattr(r, name) for name in names} for r in rounds]
    return best.weights, {"tuning": history, "dev_bleu": best.bleu, "weights": best.weights}


def _why(first: Round, size: int) -> str:
    """Why tuning may have brought nothing on a dev set of ``size`` pairs."""
    if first.bleu < MEANINGFUL:
        return "BLEU is near 0; check that the files correspond line by line"
    if size < FEW:
        return f"a dev set of {size} pairs is small"
    return "other weights gave no better translations"


def build(
    corpus: Corpus, tokenizer: WordTokenizer, config: TrainConfig, weights: str | Weights,
    stages: Stages, threads: int,
) -> tuple[Path, dict[str, float], dict[str, Any]]:  # fmt: skip
    """Where the models of ``corpus`` are, whose lines all have text; their weights; the figures of
    the training. threads: of this process, which tunes.
    """
    with step(f"tokens of {len(corpus.train):,} sentence pairs"):
        text = shards.of(corpus.train, tokenizer, stages)
    stages.once("disk", lambda _: check_disk(text, stages.directory))  # when resumed, not again
    ratio = text.tokens[1] / text.tokens[0]
    begun = _start(weights, ratio)
    tuning, best = dict[str, Any](), begun
    # As suits all of the text, for models of a part of it, too: weights are tuned for their like.
    settled = replace(config, aligner="+".join(config.aligners(text.pairs)))

    def part(models: Path, pairs: Bitext) -> Part:
        system = SmtSystem(Models.load(models), tokenizer, begun, config.limits, threads)
        return Part(system, *pairs.tokens(tokenizer))

    if config.tune != "none" and corpus.dev is None:
        parts = []
        for number, (name, held) in enumerate(_folds(text.pairs).items(), 1):
            fold, others = stages.within(f"fold-{number}"), sorted({*range(text.pairs)} - {*held})
            with step(name), silent():
                rest = shards.of(corpus.train.select(others), tokenizer, fold)
                models, _ = estimate(rest, settled, fold)
            parts.append(part(models, corpus.train.select(held)))
        if parts:
            best, tuning = tuned(parts, config.tune)
    models, figures = estimate(text, settled, stages)
    if config.tune != "none" and corpus.dev is not None:
        best, tuning = tuned([part(models, corpus.dev)], config.tune)
    return models, best, tuning | figures | {"length_ratio": ratio}


def _start(weights: str | Weights, ratio: float) -> dict[str, float]:
    """What is named or given, as numbers; see ``weights_named``."""
    return weights_named(weights, ratio) if isinstance(weights, str) else dict(weights)


def _folds(size: int) -> dict[str, range]:
    """The rows to hold out of so many, by what it is called to make models of the others."""
    if size >= HELD_OUT_FROM:
        held = held_out(size, 10)
        note(f"no dev set: {len(held):,} training pairs are held out to tune on")
        return {"models without the held-out pairs": held}
    if size >= FOLDS_FROM:
        note(f"no dev set: tuning by cross-validation, in {FOLDS} folds of the training text")
        return {
            f"models without part {k + 1} of {FOLDS}": range(k, size, FOLDS) for k in range(FOLDS)
        }
    note(f"no dev set, and fewer than {FOLDS_FROM} training pairs: weights are not tuned")
    return {}


def train_smt(
    corpus: Corpus, tokenizer: WordTokenizer, config: TrainConfig, weights: str | Weights,
    out: Path, threads: int = 2, memory: int = 0, resume: bool = False, cluster: str = "",
) -> Manifest:  # fmt: skip
    """Train on ``corpus`` and write the model directory ``out``; tuning begins at ``weights``, of
    which a preset may be named (``search.features``).

    memory: bytes that may be taken, 0 for half of the machine's; the model is the same. resume:
    continue what an interruption left beside ``out``. cluster: an address of ``mtkit.cluster``, of
    who does the tasks instead of threads of this process. Raises InputError where there is nothing
    to resume, or a training of another text or other settings, where the disk is too small, and for
    workers that cannot be used.
    """
    start = time.perf_counter()
    train, dev = corpus.train.without_empty(), corpus.dev and corpus.dev.without_empty()
    text = replace(corpus, train=train, dev=dev)
    settings = {"config": asdict(config), "tokenizer": asdict(tokenizer), "weights": weights}
    mark = fingerprint(settings, [side.digest() for side in (train, dev) if side])
    marks = {"text or other settings": mark}
    alone = Stages(out.resolve().parent, threads, memory or usable_memory())
    with (
        replacing(out) as directory,
        _done_by(cluster, alone, memory) as stages,
        unfinished(out, marks, resume) as place,
    ):
        stages = replace(stages, directory=place)
        tunes = config.tune != "none" and (dev is not None or len(train) >= FOLDS_FROM)
        compile_kernels(config.aligners(len(train)), config.tune if tunes else None, threads)
        models, tuned_to, figures = build(text, tokenizer, config, weights, stages, threads)
        with step("writing the model"):
            _put_together({"": models}, directory)
            save_weights(tuned_to, directory)
            save_training_hashes(corpus, directory)
        begun = _start(weights, figures["length_ratio"])
        searched = {"limits": config.limits._asdict(), "weights": begun, "verbatim": True}
        resolved = asdict(config) | searched  # the weights are those that tuning began at
        figures = {"seconds": time.perf_counter() - start} | figures
        manifest = Manifest.of("smt", corpus, tokenizer, resolved, figures)
        manifest.write(directory)
    return manifest


def _done_by(address: str, alone: Stages, memory: int) -> AbstractContextManager[Stages]:
    """The stages, done by those at ``address`` if there is one."""
    if not address:
        return nullcontext(alone)
    from mtkit.cluster import connected

    return connected(address, alone, memory)
