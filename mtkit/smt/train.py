"""Train a statistical model from a corpus: align, extract phrases, estimate, tune.

On a small text, phrases are extracted from the alignments of two models, which make different
errors: a phrase pair that both support counts twice. With 1,000 to 8,000 sentence pairs this gains
0.2 BLEU on average (0.6 on short everyday sentences), with 29,000 pairs nothing.

Weights are tuned on pairs that the models were not trained on. Without a dev set, such pairs are
held out of the training text: the weights are tuned with models of the other pairs, then used with
models of all pairs. On a small text, cross-validation holds out every pair once, in folds.
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
from mtkit.platforms import MIN_MEMORY, usable_memory
from mtkit.smt.alignment.align import ALIGNERS, align
from mtkit.smt.alignment.symmetrize import HEURISTICS, Links
from mtkit.smt.language_model.build import build as build_lm
from mtkit.smt.language_model.estimate import pruning_thresholds
from mtkit.smt.language_model.ngrams import MAX_ORDER, NgramModel
from mtkit.smt.phrases.build import build as build_phrases
from mtkit.smt.phrases.context_train import build as learn_context
from mtkit.smt.phrases.score import DISCOUNTS
from mtkit.smt.search.decoder import Limits
from mtkit.smt.search.features import save_weights, weights_named
from mtkit.smt.system import Models, SmtSystem
from mtkit.smt.tuning.bleu import WER_WEIGHT
from mtkit.smt.tuning.tune import ROUNDS, TUNERS, Part, Round, tune
from mtkit.smt.warm_up import compile_kernels
from mtkit.storage.arrays import mapped
from mtkit.storage.stages import Outputs, Stages, fingerprint, unfinished
from mtkit.storage.writing import link, renamed, reserved
from mtkit.text import shards
from mtkit.text.corpus import Bitext, Corpus, sample_rows
from mtkit.text.shards import SIDES, Shards
from mtkit.text.tokenizer import WordTokenizer

HELD_OUT_FROM = 2000  # pairs; with fewer, tuning on a tenth of them costs BLEU
FOLDS, FOLDS_FROM = 5, 200  # pairs; fewer are too few for any tuning
HEADER = "  round   BLEU     WER length  step hypotheses     new    s"  # of the table of rounds
TWO_ALIGNERS_BELOW = 10_000  # pairs; with fewer, phrases come from two alignments
LONGEST = 1000  # words; the HMM's time grows with the cube of a sentence's length
DISK_NOTE_FROM = 1e9  # bytes of disk; training that needs more prints a note
MIN_PAIRS, MIN_BLEU = 200, 2.0  # fewest pairs and lowest BLEU for which tuning can be trusted

Weights = Mapping[str, float]


@dataclass(frozen=True)
class TrainConfig:
    """All settings of a training; the model's manifest holds them."""

    aligner: str = "auto"  # or names joined by +, see ``aligners``
    heuristic: str = "grow-diag-final-and"
    discount: str = "none"
    order: int = 5
    prune: tuple[int, ...] = ()
    tune: str = "mira"
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        """Raise InputError for an unknown name, and for a number out of range."""
        if self.aligner != "auto":
            for aligner in self.aligner.split("+"):
                check_choice("--aligner", aligner, ALIGNERS)
        check_choice("--symmetrize", self.heuristic, HEURISTICS)
        check_choice("--discount", self.discount, DISCOUNTS)
        check_choice("--tune", self.tune, (*TUNERS, "none"))
        if not 1 <= self.order <= MAX_ORDER:
            raise InputError(f"--order {self.order}: expected 1 to {MAX_ORDER}")
        try:
            pruning_thresholds(self.prune, self.order)
        except ValueError as error:
            raise InputError(f"--prune {' '.join(map(str, self.prune))}: {error}") from None

    def aligners(self, pairs: int) -> list[str]:
        """Return the names of the aligners to extract phrases by; "auto" depends on ``pairs``."""
        if self.aligner == "auto":
            return ["fertility", "hmm"] if pairs < TWO_ALIGNERS_BELOW else ["fertility"]
        return self.aligner.split("+")


def check_disk(text: Shards, place: Path, order: int) -> None:
    """Raise InputError if the disk of ``place`` lacks space for the stages of a text.

    Needed, as measured on texts of 13 words per sentence: 24 bytes for each pair of positions of a
    sentence pair, the empty words included; 120 bytes per word; and 27 bytes per target word for
    each order of the language model above 5 (few sentences have n-grams of more than 15 words).
    """
    x, y = (mapped(text.directory / side / "begin.npy") for side in SIDES)
    places = int(((np.diff(x) + 1) * (np.diff(y) + 1)).sum())
    needed = 24 * places + 120 * sum(text.tokens) + 27 * max(0, min(order, 15) - 5) * text.tokens[1]
    free = shutil.disk_usage(place).free
    if needed > DISK_NOTE_FROM:
        note(f"  disk space needed in {place.parent}: up to {needed / 1e9:.1f} GB")
    if needed > free:
        raise InputError(
            f"{place.parent}: {free / 1e9:.1f} GB of disk are free, but training needs about "
            f"{needed / 1e9:.1f} GB; name an --out on a larger disk"
        )


def estimate(text: Shards, config: TrainConfig, stages: Stages) -> tuple[Path, dict[str, Any]]:
    """Estimate all models of a text; return their directory and the figures of the training."""
    links = list[Outputs]()
    for aligner in config.aligners(text.pairs)[::-1]:  # the last one's word models are kept
        with step(f"word alignment ({aligner}), both directions"):
            alignment = align(text, stages.within(aligner), aligner, config.heuristic)
            links.append(alignment.links)
    builders: dict[str, Callable[..., object]] = {
        "words": alignment.save_models,
        "context": partial(learn_context, text, links[-1]),
        "phrases": partial(build_phrases, text, links, discount=config.discount),
        "lm": partial(build_lm, text, order=config.order, prune=config.prune),
    }

    def learn(name: str, substages: Stages) -> Path:
        return stages.once(name, partial(builders[name], substages.within(f"{name}-stages")))

    with step(f"discriminative lexicon, phrase table, {config.order}-gram language model"):
        directories = stages.in_parallel(len(text), *(partial(learn, name) for name in builders))
    models = dict(zip(builders, directories, strict=True))
    joined = stages.once("models", partial(_put_together, {"": models.pop("words"), **models}))
    lm = NgramModel.trusted(models["lm"])
    for remark in lm.notes:
        note(f"  language model: {remark}")
    directions = {"P(y|x)": alignment.forward, "P(x|y)": alignment.backward}
    perplexity = {label: direction.perplexity for label, direction in directions.items()}
    figures: dict[str, Any] = {"alignment_perplexity": perplexity}
    figures |= {"links": sum(len(Links.load(out).source) for out in alignment.links)}
    phrase_pairs = len(mapped(models["phrases"] / "links.npy"))
    figures |= {"vocabulary": list(text.sizes), "phrase_pairs": phrase_pairs, "ngrams": lm.counts}
    return joined, figures


def _put_together(models: Mapping[str, Path], into: Path) -> None:
    """Join model directories into ``into``, each under its name, by hard links where possible."""
    for name, directory in models.items():
        shutil.copytree(directory, into / name, dirs_exist_ok=True, copy_function=link)


def tuned(parts: Sequence[Part], tuner: str) -> tuple[dict[str, float], dict[str, Any]]:
    """Return the weights that are best on a dev set, and the figures of every round."""
    size = sum(len(part.source) for part in parts)
    note(f"  tuning the weights ({tuner}) on {size:,} sentence pairs")
    merit = f"{1 - WER_WEIGHT:g} BLEU − {WER_WEIGHT:g} WER"
    note(f"    round 1: the initial weights; * highest {merit} so far")
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
        note(f"warning: tuning did not help; the initial weights are kept: {_cause(best, size)}")
    names = ("bleu", "wer", "length", "step", "hypotheses", "new")
    history = [{name: getattr(r, name) for name in names} for r in rounds]
    return best.weights, {"tuning": history, "dev_bleu": best.bleu, "weights": best.weights}


def _cause(first: Round, size: int) -> str:
    """Return why tuning on a dev set of ``size`` pairs may have brought no gain."""
    if first.bleu < MIN_BLEU:
        return "BLEU is near 0; check that the files correspond line by line"
    if size < MIN_PAIRS:
        return f"a dev set of {size} pairs is small"
    return "other weights gave no better translations"


def build(
    corpus: Corpus, tokenizer: WordTokenizer, config: TrainConfig, weights: str | Weights,
    stages: Stages, threads: int,
) -> tuple[Path, dict[str, float], dict[str, Any]]:  # fmt: skip
    """Return the directory of the models, their weights, and the figures of the training.

    corpus: without blank lines. threads: for tuning, which this process does.
    """
    with step(f"tokens of {len(corpus.train):,} sentence pairs"):
        text = shards.write_tokenized(corpus.train, tokenizer, stages)
    # When resumed, it is not checked again.
    stages.once("disk", lambda _: check_disk(text, stages.directory, config.order))
    ratio = text.tokens[1] / text.tokens[0]
    initial = _initial_weights(weights, ratio)
    tuning, best = dict[str, Any](), initial
    # Models of folds use the aligners of the whole text, since the weights are for its models.
    resolved = replace(config, aligner="+".join(config.aligners(text.pairs)))

    def part(models: Path, pairs: Bitext) -> Part:
        system = SmtSystem(Models.load(models), tokenizer, initial, config.limits, threads)
        return Part(system, *pairs.tokens(tokenizer))

    if config.tune != "none" and corpus.dev is None:
        parts = []
        for number, (name, held) in enumerate(_folds(text.pairs).items(), 1):
            fold = stages.within(f"fold-{number}")
            with step(name), silent():
                others = corpus.train.select([i for i in range(text.pairs) if i not in held])
                fold_text = shards.write_tokenized(others, tokenizer, fold)
                models, _ = estimate(fold_text, resolved, fold)
            parts.append(part(models, corpus.train.select(held)))
        if parts:
            best, tuning = tuned(parts, config.tune)
    models, figures = estimate(text, resolved, stages)
    if config.tune != "none" and corpus.dev is not None:
        best, tuning = tuned([part(models, corpus.dev)], config.tune)
    return models, best, tuning | figures | {"length_ratio": ratio}


def _initial_weights(weights: str | Weights, ratio: float) -> dict[str, float]:
    """Return weights by feature name; see ``weights_named`` for the names of presets."""
    return weights_named(weights, ratio) if isinstance(weights, str) else dict(weights)


def _folds(size: int) -> dict[str, range]:
    """Return the rows to hold out of ``size``; a key says which models are trained without them."""
    if size >= HELD_OUT_FROM:
        held = sample_rows(size, 10)
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
    """Train on ``corpus``, write the model directory ``out``, and return its manifest.

    weights: initial weights by feature name, or the name of a preset (``search.features``). memory:
    bytes that training may use, 0 for half of the machine's; the model is the same. resume:
    continue the interrupted training of ``out``. cluster: an address for ``mtkit.cluster``, whose
    workers then run the tasks instead of threads of this process. Raises InputError if there is
    nothing to resume, if the interrupted training had another text or other settings, if the disk
    is too small, or if the workers cannot be used.
    """
    start = time.perf_counter()
    train = _without_long(corpus.train.without_empty(), tokenizer)
    dev = corpus.dev and _without_long(corpus.dev.without_empty(), tokenizer)
    text = replace(corpus, train=train, dev=dev)
    settings = {"config": asdict(config), "tokenizer": asdict(tokenizer), "weights": weights}
    mark = fingerprint(settings, [side.digest() for side in (train, dev) if side])
    marks = {"text or other settings": mark}
    limit = memory or usable_memory()
    local = Stages(out.resolve().parent, max(1, min(threads, limit // MIN_MEMORY)), limit)
    with (
        reserved(out),
        _stages_at(cluster, local, memory) as stages,
        unfinished(out, marks, resume) as stage_directory,
        renamed(out) as directory,  # the stages are removed once the model has its name
    ):
        stages = replace(stages, directory=stage_directory)
        tunes = config.tune != "none" and (dev is not None or len(train) >= FOLDS_FROM)
        compile_kernels(config.aligners(len(train)), config.tune if tunes else None, threads)
        models, tuned_weights, figures = build(text, tokenizer, config, weights, stages, threads)
        with step("writing the model"):
            _put_together({"": models}, directory)
            save_weights(tuned_weights, directory)
            save_training_hashes(corpus, directory)
        initial = _initial_weights(weights, figures["length_ratio"])
        search_config = {"limits": config.limits._asdict(), "weights": initial, "verbatim": True}
        resolved = asdict(config) | search_config  # weights: the initial ones
        figures = {"seconds": time.perf_counter() - start} | figures
        manifest = Manifest.of("smt", corpus, tokenizer, resolved, figures)
        manifest.write(directory)
    return manifest


def _without_long(text: Bitext, tokenizer: WordTokenizer) -> Bitext:
    """Return the pairs of at most ``LONGEST`` words on both sides, with a note on the others.

    Raises InputError if none are left.
    """

    def is_long(line: str) -> bool:
        # No token is empty, so few lines need to be tokenised here.
        return len(line) > LONGEST and len(tokenizer.tokenize(line)) > LONGEST

    sides = zip(text.source, text.target, strict=True)
    long = {i for i, pair in enumerate(sides) if any(map(is_long, pair))}
    if not long:
        return text
    if len(long) == len(text):
        raise InputError(f"{text.paths[0]}: every pair has more than {LONGEST:,} words on a side")
    left_out = "1 pair has" if len(long) == 1 else f"{len(long):,} pairs have"
    note(f"warning: {left_out} more than {LONGEST:,} words on a side, and will not be used")
    return text.select([i for i in range(len(text)) if i not in long])


def _stages_at(address: str, local: Stages, memory: int) -> AbstractContextManager[Stages]:
    """Return the stages, run by the workers at ``address`` if there is one."""
    if not address:
        return nullcontext(local)
    from mtkit.cluster import connected

    return connected(address, local, memory)
