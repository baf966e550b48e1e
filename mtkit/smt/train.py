"""From a corpus to a statistical model: align, extract phrases, estimate the language model."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mtkit.console import note, step
from mtkit.corpus import Corpus
from mtkit.manifest import Manifest, describe_corpus, replacing, save_training_hashes
from mtkit.smt.align import align, perplexity
from mtkit.smt.decoder import Limits
from mtkit.smt.lm import train as train_lm
from mtkit.smt.phrases import build_table
from mtkit.smt.system import DEFAULT_WEIGHTS, Models, SmtSystem
from mtkit.tokenizer import WordTokenizer


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a run; the resolved one is saved with the model."""

    aligner: str = "fertility"
    heuristic: str = "grow-diag-final-and"
    order: int = 5
    limits: Limits = field(default_factory=Limits)


def estimate(
    source: list[list[str]], target: list[list[str]], config: TrainConfig, threads: int
) -> tuple[Models, dict[str, Any]]:
    """The models of tokenised parallel text, and what was measured on the way."""
    with step(f"word alignment ({config.aligner}), both directions"):
        found = align(source, target, config.aligner, config.heuristic, threads)
        words = found.models
    with step("phrase table"):
        table = build_table(found.source, found.target, found.links)
    with step(f"{config.order}-gram language model"):
        lm = train_lm(target, config.order)
    for remark in lm.notes:
        note(f"  language model: {remark}")
    figures = {
        "alignment_perplexity": {
            direction: {
                k: [perplexity(v, way.f) for v in values] for k, values in way.likelihood.items()
            }
            for direction, way in (("P(y|x)", found.forward), ("P(x|y)", found.backward))
        },
        "links": len(found.links.source),
        "phrase_pairs": len(table.links),
        "ngrams": lm.counts,
        "vocabulary": [len(words.source), len(words.target)],
    }
    models = Models(words, table, lm)
    return models, figures


def compile_kernels() -> None:
    """Run everything once on three tiny sentences, so that numba compiles what training needs."""
    with step("kernels: compiled to machine code on the first run, then cached"):
        source = [["a", "b", "c"], ["b", "a"], ["c", "d"]]
        target = [["A", "B", "C"], ["B", "A"], ["C", "D"]]
        found = align(source, target)
        table = build_table(found.source, found.target, found.links)
        models = Models(found.models, table, train_lm(target, 3))
        system = SmtSystem(models, WordTokenizer("none"), DEFAULT_WEIGHTS, threads=1)
        system.translate(["a b c"])
        system.score([("a b", "A B")])


def train_smt(
    corpus: Corpus,
    tokenizer: WordTokenizer,
    config: TrainConfig,
    weights: dict[str, float],
    out: Path,
    threads: int = 2,
) -> Manifest:
    """Train on ``corpus`` and write the model directory ``out``."""
    text = corpus.train.without_empty()
    with replacing(out) as directory:
        compile_kernels()
        with step(f"tokens of {len(text)} sentence pairs"):
            source, target = (
                [tokenizer.tokenize(line) for line in side] for side in (text.source, text.target)
            )
        models, figures = estimate(source, target, config, threads)
        with step("writing the model"):
            SmtSystem(models, tokenizer, weights, config.limits).save(directory)
            save_training_hashes(corpus, directory)
        manifest = Manifest(
            kind="smt",
            languages=corpus.pair,
            corpus=describe_corpus(corpus),
            tokenizer=asdict(tokenizer),
            config={
                "aligner": config.aligner,
                "heuristic": config.heuristic,
                "order": config.order,
                "limits": config.limits._asdict(),
            },
            figures=figures,
        )
        manifest.write(directory)
    return manifest
