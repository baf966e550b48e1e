"""The neural translator as a ``System``: raw text in, raw text out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray

from mtkit.console import counted
from mtkit.errors import InputError
from mtkit.manifest import MANIFEST, Manifest
from mtkit.nmt import parallel
from mtkit.nmt.data import Data, batch_rows
from mtkit.nmt.forced import explain_subwords
from mtkit.nmt.model import ModelConfig, Seq2Seq, load_network, save_network
from mtkit.nmt.prefixes import subword_log_probabilities
from mtkit.nmt.recipe import TrainConfig
from mtkit.nmt.search import Output, beam_search
from mtkit.nmt.verbatim import put_back
from mtkit.storage.reading import as_fields, damaged
from mtkit.system import Hypothesis, LogProbability, Score, SubwordReasons, TokenScores
from mtkit.text.corpus import Bitext
from mtkit.text.pieces import by_pieces, cut
from mtkit.text.subwords import Encoded, Subwords
from mtkit.text.tokenizer import WordTokenizer
from mtkit.text.vocabulary import CODE_POINTS, EOS, UNK

MAX_SUBWORDS = TrainConfig.max_length  # most subwords translated at once, as in training
MAX_BEAM = 1000  # largest beam in a manifest
MAX_HYPOTHESES = 640  # most hypotheses in one thread's batch: bounds the memory


class Settings(NamedTuple):
    """Search settings as in the manifest; see ``search`` and ``verbatim``."""

    beam: int
    normalisation: float
    verbatim: bool  # whether lost numbers, URLs and placeholders are restored


SETTINGS = Settings._fields


@dataclass(eq=False)
class NmtSystem:
    """LSTM encoder-decoder, BPE and word tokenizer as a translator; a ``mtkit.system.System``."""

    kind: ClassVar[str] = "nmt"
    models: Sequence[Seq2Seq]  # several, with the same subwords, form an ensemble
    subwords: Subwords
    tokenizer: WordTokenizer
    beam: int = 5
    normalisation: float = 1.0
    verbatim: bool = True  # whether lost numbers, URLs and placeholders are restored

    def __post_init__(self) -> None:
        self.models = [model.to(parallel.device()).eval() for model in self.models]

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read a model directory. Raises InputError if a file is missing or damaged."""
        manifest, file = Manifest.read(directory), directory / "subwords.json"
        network, subwords = load_network(Seq2Seq, ModelConfig, directory), Subwords.load(file)
        if len(subwords) != network.config.vocabulary:
            raise damaged(
                file, f"{len(subwords):,} subwords instead of {network.config.vocabulary:,}"
            )
        settings = {name: manifest.config[name] for name in SETTINGS if name in manifest.config}
        search = as_fields(Settings, settings, directory / MANIFEST)
        if not 0 < search.beam <= MAX_BEAM or abs(search.normalisation) > 10:
            raise damaged(directory / MANIFEST, f"search settings out of range: {search}")
        return cls([network], subwords, manifest.word_tokenizer, *search)

    @classmethod
    def ensemble(cls, systems: Sequence[Self], names: Sequence[Path]) -> Self:
        """Return an ensemble of ``systems``, read from ``names``.

        Raises InputError if their tokens or subwords differ.
        """
        first, *others = systems
        for name, other in zip(names[1:], others, strict=True):
            if (other.tokenizer, other.subwords.pieces) != (first.tokenizer, first.subwords.pieces):
                raise InputError(
                    f"{name}: its subwords differ from those of {names[0]}; an ensemble needs "
                    "models trained on the same text (train-nmt --seeds N)"
                )
        models = [model for system in systems for model in system.models]
        return cls(models, first.subwords, first.tokenizer, **first.settings)

    @property
    def settings(self) -> dict[str, Any]:
        """The search settings by name, as in the manifest."""
        return {name: getattr(self, name) for name in SETTINGS}

    def save(self, directory: Path) -> None:
        """Write weights, shape and subwords of the only model; the manifest is not written."""
        [model] = self.models
        save_network(model, asdict(model.config), directory)
        self.subwords.save(directory / "subwords.json")

    def tokenize(self, sentences: Sequence[str]) -> list[list[str]]:
        """Return the word tokens of each sentence, before segmentation into subwords."""
        return self.tokenizer.tokenize_all(sentences)

    def translate(self, sentences: Sequence[str], n_best: int = 1) -> list[list[Hypothesis]]:
        """See ``System``. The score is ln P(y|x) / T^λ, λ = ``normalisation``; T includes ``</s>``.

        A line translated in pieces has the mean of their scores. A word of more than
        ``MAX_SUBWORDS`` subwords is copied, with score 0. Hypotheses that only a beam wider than
        the system's own finds come after those of its own beam, whatever their score.
        """
        words = self.tokenize([sentence if sentence.strip() else "" for sentence in sentences])
        spans = []
        for line, encoded in zip(words, self.subwords.encode(words), strict=True):
            sizes = Counter(encoded.words)
            spans.append(cut(line, [sizes[i] for i in range(len(line))], MAX_SUBWORDS))
        translate = partial(self._translate, n_best=n_best)
        lines = by_pieces(words, spans, translate, n_best, self.tokenizer.detokenize)
        return [[replace(h, score=h.score / h.pieces) for h in line] for line in lines]

    def explain(self, sentence: str) -> SubwordReasons:
        """See ``System``."""
        [words] = self.tokenize([sentence.strip() and sentence])
        [source] = self.subwords.encode([words])
        if not 0 < len(source.ids) <= MAX_SUBWORDS:
            raise InputError(
                f"expected a sentence of 1 to {MAX_SUBWORDS} subwords, found {len(source.ids):,}"
            )
        [[[output, *_]]] = self._search([source.ids], [[0]], self.beam)
        best = self._hypothesis(output, words, source)
        pieces, attention = explain_subwords(
            self.models, self.subwords, source.ids, output.ids, best.unknown
        )
        source_pieces = [self.subwords.pieces[i] for i in (*source.ids, EOS)]
        restored = Counter(best.tokens) - Counter(self.subwords.decode(output.ids, best.unknown))
        return SubwordReasons(
            source_pieces, best.text, best.score, self.normalisation, pieces, attention,
            put_back=list(restored.elements()),
        )  # fmt: skip

    def _translate(self, words: list[Sequence[str]], n_best: int) -> list[list[Hypothesis]]:
        """Return the hypotheses of the system's own beam, then those that a wider one adds.

        So the best hypothesis does not depend on ``n_best``. A word that is too long is copied.
        """
        encoded = self.subwords.encode(words)
        by_text = [dict[str, Hypothesis]() for _ in words]  # the best first
        rows = [i for i, e in enumerate(encoded) if len(e.ids) <= MAX_SUBWORDS]
        sources = [encoded[i].ids for i in rows]
        for beam in sorted({self.beam, max(self.beam, n_best)}):
            batches = list(batch_rows(sources, max(1, MAX_HYPOTHESES // beam)))[::-1]
            beams = chain.from_iterable(self._search(sources, batches, beam))
            results = zip(chain.from_iterable(batches), beams, strict=True)
            for r, outputs in counted(results, len(sources)):
                i = rows[r]
                for output in outputs:
                    hypothesis = self._hypothesis(output, words[i], encoded[i])
                    by_text[i].setdefault(hypothesis.text, hypothesis)
        detokenize = self.tokenizer.detokenize
        return [
            list(hypotheses.values())[:n_best] or [Hypothesis.copied(line, detokenize(line))]
            for line, hypotheses in zip(words, by_text, strict=True)
        ]

    def _search(
        self, sources: list[list[int]], batches: list[list[int]], beam: int
    ) -> Iterator[list[list[Output]]]:
        """Yield the outputs of each batch.

        On a CPU each thread searches its own batch, which is faster than all threads on one batch.
        """

        def search(batch: list[int]) -> list[list[Output]]:
            x = torch.tensor([[*sources[r], EOS] for r in batch], device=parallel.device())
            return beam_search(self.models, x, beam, self.normalisation)

        return parallel.in_threads(search, batches, parallel.concurrent_batches())

    def _hypothesis(self, output: Output, words: Sequence[str], source: Encoded) -> Hypothesis:
        word_at = [*source.words, source.words[-1]]  # ``</s>`` counts as part of the last word
        pieces = [self.subwords.pieces[i] for i in (*output.ids, EOS)]
        has_attention = any(model.config.attention != "none" for model in self.models)
        steps = zip(output.ids, output.attention, strict=True)
        copied = [words[word_at[position]] for i, position in steps if i == UNK]
        tokens = self.subwords.decode(output.ids, copied)
        links = {
            (word_at[output.attention[k]], target)
            for target, indices in enumerate(self.subwords.words(output.ids))
            for k in indices
            if has_attention and output.attention[k] < len(source.words)
        }
        if self.verbatim:
            tokens, links = put_back(words, tokens, links)
        text, log_p = self.tokenizer.detokenize(tokens), zip(pieces, output.logprobs, strict=True)
        return Hypothesis(
            text, tokens, output.score, alignment=sorted(links), token_logprobs=list(log_p),
            unknown=copied,
        )  # fmt: skip

    def score(self, pairs: Sequence[tuple[str, str]], brief: bool = False) -> list[Score]:
        """See ``System``. Returns ``direct`` and ``model`` of each pair.

        direct: ln P(y|x) for the target's one segmentation by the learnt merges. model: what the
        search maximises, Σ ln p / T^λ, T the number of subwords with ``</s>``.
        """
        lines = list(dict.fromkeys(line for pair in pairs for line in pair))
        encoded = dict(zip(lines, self.subwords.encode(self.tokenize(lines)), strict=True))
        x, y = ([encoded[pair[side]] for pair in pairs] for side in (0, 1))
        data = Data([e.ids for e in x], [e.ids for e in y], [])
        log_p = subword_log_probabilities(self.models, data)
        means = (float(logs.sum()) / len(logs) ** self.normalisation for logs in log_p)
        directs = map(_sum_by_word, y, log_p)
        return [Score(direct=d, model=mean) for d, mean in zip(directs, means, strict=True)]

    def wider(self, k: int) -> Self:
        """See ``System``."""
        return replace(self, beam=k * self.beam)

    def limit_threads(self, threads: int) -> None:
        """See ``System``."""
        torch.set_num_threads(threads)

    def spell(self, words: Sequence[str], source: bool = False) -> NDArray[np.float64]:
        """See ``System``. Unknown pieces: uniform over all characters, inside and at word end."""
        unknown = np.array([e.ids.count(UNK) for e in self.subwords.encode([[w] for w in words])])
        return -math.log(2 * CODE_POINTS) * unknown

    def data(self, text: Bitext) -> Data:
        """Return raw parallel text as subword ids."""
        return Data.of(text.tokens(self.tokenizer), self.subwords)


def _sum_by_word(target: Encoded, logp: NDArray[np.float64]) -> LogProbability:
    """Sum ln p of subwords, ``</s>`` last, within words."""
    word = [*target.words, target.words[-1] + 1 if target.words else 0]
    summed = np.bincount(word, logp).astype(np.float64, copy=False)  # NumPy's stubs say integers
    unknown = np.bincount(word, [i == UNK for i in (*target.ids, EOS)])
    return LogProbability.of(TokenScores(summed, unknown > 0))
