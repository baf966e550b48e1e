"""Align a corpus, and write a directory with the word models of both directions."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from mtkit.console import step
from mtkit.manifest import ALIGNMENT, Manifest
from mtkit.smt.alignment.align import align
from mtkit.smt.alignment.symmetrize import Links
from mtkit.smt.alignment.word_model import WordModels
from mtkit.storage.stages import Stages
from mtkit.storage.writing import replacing
from mtkit.text import shards
from mtkit.text.corpus import Corpus
from mtkit.text.tokenizer import WordTokenizer


def learn(
    corpus: Corpus, tokenizer: WordTokenizer, aligner: str, heuristic: str, out: Path | None,
    threads: int, score: bool,
) -> Links:  # fmt: skip
    """Train on the corpus and return the links of its training text.

    out: directory for the word models, or None. score: also compute ln P(y|x) per word of y for
    each pair. Raises InputError if another process is writing ``out``.
    """
    with (
        nullcontext() if out is None else replacing(out) as directory,
        TemporaryDirectory(prefix="mtkit-") as work,
        step(f"word alignment ({aligner}), both directions"),
    ):
        stages = Stages(Path(work), threads)
        alignment = align(
            shards.write_tokenized(corpus.train, tokenizer, stages), stages, aligner, heuristic
        )
        links = alignment.read_links()
        if directory is not None or score:
            alignment.save_models(stages, directory or Path(work))
        if score:
            models = WordModels.load(directory or Path(work))
            links = replace(links, score=models.score(*corpus.train.tokens(tokenizer)))
        if directory is not None:
            config = {"aligner": aligner, "heuristic": heuristic}
            Manifest.of(ALIGNMENT, corpus, tokenizer, config).write(directory)
    return links
