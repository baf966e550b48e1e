"""A recurrent language model as a ``System``: P(y) of any text, comparable with an n-gram model's.

    ln P(y) = Σ_t ln P(y_t | <s> </s> y_1 … y_{t−1})

``</s>`` precedes the first word, as in the training text. A word outside the vocabulary is
``<unk>``. Limits: it cannot translate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from mtkit.errors import InputError
from mtkit.evaluation.means import Floats
from mtkit.manifest import LANGUAGE_MODEL, Manifest
from mtkit.nmt.model import load_network, save_network
from mtkit.nmt.parallel import set_threads
from mtkit.nmt.recurrent.language_model import LanguageModel, LmConfig, text_logprobs
from mtkit.smt.language_model.spelling import Spelling
from mtkit.storage.reading import damaged
from mtkit.system import Hypothesis, LogProbability, Reasons, Score, TokenScores
from mtkit.text.tokenizer import WordTokenizer
from mtkit.text.vocabulary import EOS, SPECIALS, UNK, Vocabulary

WORDS = "words.json"
NO_TRANSLATOR = "a language model cannot translate; use it with `mtkit perplexity`"


@dataclass(frozen=True)
class RecurrentLm:
    """Language model, vocabulary and tokenizer; a ``mtkit.system.System``."""

    kind: ClassVar[str] = LANGUAGE_MODEL
    model: LanguageModel
    words: Vocabulary
    tokenizer: WordTokenizer

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read a model directory; see ``NmtSystem.load``."""
        tokenizer = Manifest.read(directory).word_tokenizer
        model = load_network(LanguageModel, LmConfig, directory)
        words = Vocabulary.load(directory / WORDS)
        if len(words) != model.config.vocabulary:
            raise damaged(directory / WORDS, f"its {len(words):,} words do not match the network")
        return cls(model, words, tokenizer)

    def save(self, directory: Path) -> None:
        """Write the network and the vocabulary; the manifest is not written."""
        save_network(self.model, asdict(self.model.config), directory)
        self.words.save(directory / WORDS)

    def tokenize(self, sentences: Sequence[str]) -> list[list[str]]:
        """See ``System``."""
        return self.tokenizer.tokenize_all(sentences)

    def translate(self, sentences: Sequence[str], n_best: int = 1) -> list[list[Hypothesis]]:
        """Raise InputError: P(y) alone cannot translate."""
        raise InputError(NO_TRANSLATOR)

    def explain(self, sentence: str) -> Reasons:
        """Raise InputError: there is no translation to explain."""
        raise InputError(NO_TRANSLATOR)

    def wider(self, k: int) -> Self:
        """Return the model itself, as it has no search."""
        return self

    def limit_threads(self, threads: int) -> None:
        """See ``System``."""
        set_threads(threads)

    def score(self, pairs: Sequence[tuple[str, str]], brief: bool = False) -> list[Score]:
        """See ``System``. Returns ``lm`` of each target."""
        ids = [self.words.encode(words) for words in self.tokenize([y for _, y in pairs])]
        return [
            Score(
                LogProbability.of(TokenScores(log_p, np.array([i == UNK for i in (*target, EOS)]))),
                why="a language model has no derivations",
            )
            for target, log_p in zip(ids, text_logprobs(self.model, ids), strict=True)
        ]

    def spell(self, words: Sequence[str], source: bool = False) -> Floats:
        """See ``System``. Uses a character n-gram model of the vocabulary."""
        return self._spelling.log_probabilities(words)

    @cached_property
    def _spelling(self) -> Spelling:
        return Spelling.of(self.words.words[len(SPECIALS) :])
