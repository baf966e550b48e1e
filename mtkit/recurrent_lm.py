"""A recurrent language model as a model directory: P(y) of any text, beside an n-gram model's.

    ln P(y) = Σ_t ln P(y_t | <s> </s> y_1 … y_{t−1})

The end of a sentence stands before the first word, as it does in the text that the model was
trained on; a word outside the vocabulary is ``<unk>``. Limits: no translator.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property, partial
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from mtkit.corpus import Corpus
from mtkit.errors import InputError
from mtkit.intervals import Floats
from mtkit.laboratory import STACKS, Laboratory
from mtkit.manifest import (
    LABORATORY,
    LANGUAGE_MODEL,
    LOG,
    Manifest,
    describe_corpus,
    replacing,
)
from mtkit.nmt.language_model import LanguageModel, Trace, load_model, save_model, text_logprobs
from mtkit.nmt.probe import Setup, Trained
from mtkit.smt.spelling import Spelling
from mtkit.system import Hypothesis, LogProbability, Score, TokenScores
from mtkit.tokenizer import WordTokenizer
from mtkit.vocabulary import EOS, SPECIALS, UNK, Vocabulary

WORDS = "words.json"


@dataclass(frozen=True)
class RecurrentLm:
    """Language model, vocabulary and tokenizer together; meets ``mtkit.system.System``."""

    kind: ClassVar[str] = LANGUAGE_MODEL
    model: LanguageModel
    words: Vocabulary
    tokenizer: WordTokenizer

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read a model directory; see ``NmtSystem.load``."""
        tokenizer = WordTokenizer(**Manifest.read(directory).tokenizer)
        return cls(load_model(directory), Vocabulary.load(directory / WORDS), tokenizer)

    def tokenize(self, sentences: Sequence[str]) -> list[list[str]]:
        """See ``System``."""
        return [self.tokenizer.tokenize(sentence) for sentence in sentences]

    def translate(self, sentences: Sequence[str], n_best: int = 1) -> list[list[Hypothesis]]:
        """Raise InputError: there is no translating with P(y) alone."""
        raise InputError("a language model cannot translate; `mtkit perplexity` measures with it")

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[Score]:
        """See ``System``: ``lm`` of each target."""
        ids = [self.words.encode(words) for words in self.tokenize([y for _, y in pairs])]
        return [
            Score(
                LogProbability.of(TokenScores(log_p, np.array([i == UNK for i in (*target, EOS)]))),
                why="a language model has no derivations",
            )
            for target, log_p in zip(ids, text_logprobs(self.model, ids), strict=True)
        ]

    def spell(self, words: Sequence[str], source: bool = False) -> Floats:
        """See ``System``: by a character n-gram of the words that are known."""
        return self._spelling.log_probabilities(words)

    @cached_property
    def _spelling(self) -> Spelling:
        return Spelling.of(self.words.words[len(SPECIALS) :])


# --- a whole laboratory


def save(laboratory: Laboratory, corpus: Corpus, tokenizer: WordTokenizer, directory: Path) -> None:
    """Write every model as ``directory/SET-UP-SEED``, and what they have in common."""
    manifest = partial(
        Manifest,
        languages=corpus.pair,
        corpus=describe_corpus(corpus),
        tokenizer=asdict(tokenizer),
    )
    shared = {"hidden": laboratory.hidden, "updates": laboratory.updates}
    names = []
    with replacing(directory) as scratch:
        for setup, group in _all(laboratory):
            names.append([f"{_slug(setup)}-{k}" for k in range(1, len(group) + 1)])
            for name, trained in zip(names[-1], group, strict=True):
                (place := scratch / name).mkdir()
                save_model(trained.model, place)
                laboratory.words.save(place / WORDS)
                log = zip(trained.trace.loss, trained.trace.norm, strict=True)
                lines = [json.dumps({"loss": a, "gradient_norm": b}) + "\n" for a, b in log]
                (place / LOG).write_text("".join(lines), encoding="utf-8")
                manifest(kind=LANGUAGE_MODEL, config={**asdict(setup), **shared}).write(place)
        config = {**shared, "setups": len(laboratory.setups), "models": names}
        manifest(kind=LABORATORY, config=config).write(scratch)


def load_laboratory(directory: Path) -> tuple[Laboratory, Manifest]:
    """Read what ``save`` wrote. Raises InputError where ``directory`` is no such thing."""
    manifest = Manifest.read(directory)
    if manifest.kind != LABORATORY:
        raise InputError(f"{directory}: not what `mtkit gradients` wrote; it has no models to load")
    setups, groups = [], []
    for names in manifest.config["models"]:
        config = Manifest.read(directory / names[0]).config
        setups.append(Setup(**{f.name: config[f.name] for f in fields(Setup)}))
        groups.append([_trained(directory / name) for name in names])
    n = manifest.config["setups"]
    words = Vocabulary.load(directory / manifest.config["models"][0][0] / WORDS)
    shared = manifest.config["hidden"], manifest.config["updates"]
    return Laboratory(words, setups[:n], groups[:n], groups[n:], *shared), manifest


def _trained(directory: Path) -> Trained:
    log = [json.loads(line) for line in (directory / LOG).read_text("utf-8").splitlines()]
    trace = Trace([entry["loss"] for entry in log], [entry["gradient_norm"] for entry in log])
    return Trained(load_model(directory), trace)


def _all(laboratory: Laboratory) -> list[tuple[Setup, list[Trained]]]:
    setups = [*laboratory.setups, *STACKS]
    return list(zip(setups, [*laboratory.trained, *laboratory.stacks], strict=True))


def _slug(setup: Setup) -> str:
    """A set-up's name as one of a directory."""
    stack = f"-{setup.layers}-layers" if setup.layers > 1 else ""
    return setup.name.replace(",", "").replace(" ", "-") + stack
