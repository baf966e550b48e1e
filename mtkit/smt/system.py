"""The statistical translator as a ``System``: argmax_y Σ_k λ_k f_k(x, y), raw text in and out.

With λ = 1 for ln φ(s̄|t̄) and for ln P(y) and 0 for the rest this is the noisy channel,
argmax_y P(x|y) P(y); the default weights add the other direction, the lexical weights, the lengths
and the distance of reordering (the log-linear model of Och & Ney 2002).
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from mtkit.errors import InputError
from mtkit.manifest import Manifest
from mtkit.smt.decoder import Derivation, Limits, derivations, search
from mtkit.smt.lm import NgramModel
from mtkit.smt.options import COPIED, Options, Table, Weights, collect
from mtkit.smt.phrases import FEATURES, MAX_PHRASE, PhraseTable
from mtkit.smt.word_model import WordModels
from mtkit.system import EMPTY, Hypothesis, LogProbability, Score
from mtkit.tokenizer import WordTokenizer
from mtkit.vocabulary import UNK

TABLE_LIMIT = 20  # translations of one source phrase that the search considers

DEFAULT_WEIGHTS = {
    **dict.fromkeys(FEATURES, 0.2),
    "direct": 0.3,
    "phrases": 0.0,
    "words": 1.0,
    "unknown": -10.0,
    "lm": 0.5,
    "distortion": 0.5,
}
NOISY_CHANNEL = {**dict.fromkeys(DEFAULT_WEIGHTS, 0.0), "channel": 1.0, "unknown": -10.0, "lm": 1.0}
PRESETS = {"default": DEFAULT_WEIGHTS, "noisy-channel": NOISY_CHANNEL}


@dataclass(frozen=True)
class Models:
    """All that was estimated from the corpus."""

    words: WordModels
    table: PhraseTable
    lm: NgramModel

    def save(self, directory: Path) -> None:
        """Write everything into ``directory``."""
        self.words.save(directory)
        self.table.save(directory / "phrases")
        self.lm.save(directory / "lm")

    @classmethod
    def load(cls, directory: Path) -> Models:
        """Read what ``save`` wrote."""
        return cls(
            WordModels.load(directory),
            PhraseTable.load(directory / "phrases"),
            NgramModel.load(directory / "lm"),
        )


class SmtSystem:
    """Phrase table, language model, word models and weights; meets ``mtkit.system.System``."""

    kind: ClassVar[str] = "smt"

    def __init__(
        self,
        models: Models,
        tokenizer: WordTokenizer,
        weights: dict[str, float],
        limits: Limits = Limits(),  # noqa: B008  a tuple: immutable
        threads: int | None = None,
    ) -> None:
        self.models = models
        self.tokenizer = tokenizer
        self.weights = weights
        self.limits = limits
        self.threads = threads or os.cpu_count() or 1
        table, lm = models.table, models.lm
        self._table = Table(
            table.source, table.s_begin, table.target, table.t_begin, table.key, table.row,
            table.features,
        )  # fmt: skip
        self._lm = lm.arrays
        self._lm_id = lm.encode(models.words.target.words)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read a model directory.

        Raises FileNotFoundError or KeyError where it is not whole, of which ``mtkit.load`` makes
        an InputError.
        """
        manifest = Manifest.read(directory)
        return cls(
            Models.load(directory),
            WordTokenizer(**manifest.tokenizer),
            read_weights(directory / "weights.json"),
            Limits(**manifest.config["limits"]),
        )

    def save(self, directory: Path) -> None:
        """Write models and weights, all but the manifest."""
        self.models.save(directory)
        text = json.dumps(self.weights, indent=2)
        (directory / "weights.json").write_text(text + "\n", encoding="utf-8")

    def tokenize(self, sentences: Sequence[str]) -> list[list[str]]:
        """The word tokens of each sentence."""
        return [self.tokenizer.tokenize(sentence) for sentence in sentences]

    def translate(self, sentences: Sequence[str], n_best: int = 1) -> list[list[Hypothesis]]:
        """See ``System``. The score is the log-linear sum of the module's head, in nats."""
        tokens = self.tokenize(sentences)

        def one(k: int) -> list[Hypothesis]:
            return self._translate(tokens[k], n_best) if sentences[k].strip() else [EMPTY]

        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(one, range(len(sentences))))

    def _translate(self, words: list[str], n_best: int) -> list[Hypothesis]:
        ids = np.array(self.models.words.source.encode(words), np.int32)
        weights = self._kernel_weights()
        copied = self.models.lm.encode(words)
        options = collect(ids, copied, self._table, self._lm, self._lm_id, weights, TABLE_LIMIT)
        begin = self.models.lm.begin
        graph = search(len(ids), options, self._lm, begin, weights, self.limits)
        found: dict[str, Hypothesis] = {}
        for derivation in islice(derivations(graph), 20 * n_best):
            hypothesis = self._spell(words, options, derivation)
            found.setdefault(hypothesis.text, hypothesis)
            if len(found) == n_best:
                break
        return list(found.values())

    def _kernel_weights(self) -> Weights:
        λ = self.weights
        phrase = np.array([λ[name] for name in FEATURES])
        counts = (λ[name] for name in ("phrases", "words", "unknown", "lm", "distortion"))
        return Weights(phrase, *counts)

    def _spell(self, words: list[str], options: Options, derivation: Derivation) -> Hypothesis:
        """A derivation as text, with its features, its phrases and its word alignment."""
        table, tokens = self.models.table, list[str]()
        segments, links, unknown = [], list[tuple[int, int]](), []
        phrase = np.zeros(len(FEATURES))
        jumps, end = 0, 0
        spans = np.searchsorted(options.begin, derivation.options, side="right") - 1
        for option, span in zip(derivation.options, spans.tolist(), strict=True):
            s0, length = divmod(span, MAX_PHRASE)
            s1, t0 = s0 + length + 1, len(tokens)
            pair = int(options.pair[option])
            if pair == COPIED:
                tokens.append(words[s0])
                unknown.append(words[s0])
                links.append((s0, t0))
            else:
                at = slice(table.t_begin[pair], table.t_begin[pair + 1])
                tokens += self.models.words.target.decode(table.target[at])
                phrase += table.features[pair]
                mask = int(table.links[pair])
                links += [(s0 + b // 8, t0 + b % 8) for b in range(64) if mask >> b & 1]
            segments.append((s0, s1, t0, len(tokens)))
            jumps += abs(s0 - end)
            end = s1
        features = dict(zip(FEATURES, phrase.tolist(), strict=True))
        features |= {
            "phrases": len(segments),
            "words": len(tokens),
            "unknown": len(unknown),
            "lm": float(self.models.lm.score([tokens]).log_prob.sum()),
            "distortion": -jumps,
        }
        text = self.tokenizer.detokenize(tokens)
        return Hypothesis(
            text, tokens, derivation.score, features, sorted(links), segments, unknown=unknown
        )

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[Score]:
        """See ``System``: the n-gram model's ``lm``, the HMMs' ``channel`` and ``direct``."""
        x = self.tokenize([source for source, _ in pairs])
        y = self.tokenize([target for _, target in pairs])
        lm = self.models.lm.score(y)
        result = []
        for k, (source, target) in enumerate(zip(x, y, strict=True)):
            span = slice(lm.offsets[k], lm.offsets[k + 1])
            p, oov = lm.log_prob[span], lm.is_oov[span]
            s, t = self.models.words.source.encode(source), self.models.words.target.encode(target)
            channel = self.models.words.backward.log_probability(t, s)
            direct = self.models.words.forward.log_probability(s, t)
            result.append(
                Score(
                    lm=LogProbability(float(p.sum()), len(p), int(oov.sum()), float(p[~oov].sum())),
                    channel=LogProbability(channel, len(s) + 1, s.count(UNK)),
                    direct=LogProbability(direct, len(t) + 1, t.count(UNK)),
                    why="the best derivation of a given target is not searched for",
                )
            )
        return result


def read_weights(path: Path) -> dict[str, float]:
    """Weights from a JSON object, all names of ``DEFAULT_WEIGHTS``. Raises InputError otherwise."""
    try:
        weights = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not JSON ({error})") from None
    if not isinstance(weights, dict) or set(weights) != set(DEFAULT_WEIGHTS):
        raise InputError(f"{path}: must give exactly these weights: {', '.join(DEFAULT_WEIGHTS)}")
    for name, value in weights.items():
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise InputError(f"{path}: the weight {name!r} is {value!r}, not a finite number")
    return {name: float(weights[name]) for name in DEFAULT_WEIGHTS}
