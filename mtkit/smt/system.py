"""The statistical translator as a ``System``: argmax_y Σ_k λ_k f_k(x, y), raw text in and out.

With λ = 1 for ln φ(s̄|t̄) and ln P(y), and 0 for all other features but the penalty on unknown
words, this is the noisy channel, argmax_y P(x|y) P(y). The default weights add the other direction,
lexical weights, lengths, reordering and context (the log-linear model of Och & Ney 2002).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import chain, compress, pairwise
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

import numpy as np

from mtkit.console import counted
from mtkit.errors import InputError
from mtkit.manifest import MANIFEST, Manifest
from mtkit.smt.alignment.word_model import WordModel, WordModels
from mtkit.smt.flat import Bool, Flat, Float64, read_only
from mtkit.smt.language_model.ngrams import NgramModel
from mtkit.smt.language_model.spelling import Spelling
from mtkit.smt.phrases.context import Lexicon
from mtkit.smt.phrases.table import PhraseTable, links_of
from mtkit.smt.reasons import reasons
from mtkit.smt.search.decoder import Limits, search
from mtkit.smt.search.features import NAMES, read_weights, save_weights
from mtkit.smt.search.forced import MAX_OPTIONS, force
from mtkit.smt.search.nbest import NBest, by_phrase, derivations, n_best
from mtkit.smt.search.options import FREE, Model, Options, Sentence, collect
from mtkit.storage.arrays import save
from mtkit.storage.reading import as_fields, damaged
from mtkit.system import Hypothesis, LogProbability, PhraseReasons, Score, TokenScores
from mtkit.text.glossary import Glossary
from mtkit.text.pieces import by_pieces, cut
from mtkit.text.tokenizer import WordTokenizer, is_code, is_verbatim
from mtkit.text.vocabulary import EOS, SPECIALS, UNK, Vocabulary
from mtkit.threads import cores

MAX_WORDS = 200  # of one search; longer sentences are translated in pieces
EMPTY_SENTENCE = "an empty sentence has no derivation"
SEPARATOR = -1  # separates the targets of one forced search; no word has this id


class Derived(NamedTuple):
    """The best derivation of a given translation, if it has one."""

    score: float | None = None
    why: str = ""  # the reason if it has none
    spell: Callable[[], Hypothesis] | None = None  # builds the hypothesis on demand


@dataclass(frozen=True)
class Models:
    """All models that were estimated from the corpus, and both vocabularies."""

    source: Vocabulary
    target: Vocabulary
    table: PhraseTable
    lm: NgramModel
    context: Lexicon
    words: WordModels | None = None  # P(y|x) and P(x|y); None if an imported model lacks them

    @cached_property
    def source_spelling(self) -> Spelling:
        """Character n-gram model for the spelling of unknown source words."""
        return Spelling.of(self.source.words[len(SPECIALS) :])

    @cached_property
    def target_spelling(self) -> Spelling:
        """Character n-gram model for the spelling of unknown target words."""
        return Spelling.of(list(self.lm.ids))

    def save(self, directory: Path) -> None:
        """Write everything into ``directory``."""
        if self.words:
            self.words.save(directory)
        self.source.save(directory / "source.json")
        self.target.save(directory / "target.json")
        save(directory / "context", **self.context._asdict())
        save(directory / "phrases", **self.table._asdict())
        self.lm.save(directory / "lm")

    @classmethod
    def load(cls, directory: Path) -> Models:
        """Read what ``save`` wrote. Raises InputError if a part is missing or damaged."""
        words = WordModels.load(directory) if (directory / "forward").exists() else None
        source, target = (
            (words.source, words.target)
            if words
            else (Vocabulary.load(directory / f"{side}.json") for side in ("source", "target"))
        )
        sizes = len(source), len(target)
        table = PhraseTable.load(directory / "phrases", *sizes)
        context = Lexicon.load(directory / "context", *sizes)
        return cls(source, target, table, NgramModel.load(directory / "lm"), context, words)


@dataclass(eq=False)
class SmtSystem:
    """Phrase table, language model, word models and weights; implements ``mtkit.system.System``."""

    kind: ClassVar[str] = "smt"
    models: Models
    tokenizer: WordTokenizer
    weights: dict[str, float]
    limits: Limits = Limits()  # noqa: RUF009  a tuple: immutable
    threads: int = field(default_factory=cores)
    verbatim: bool = True  # whether numbers, URLs and placeholders must stay as they are

    def __post_init__(self) -> None:
        self.use_glossary(Glossary())

    def use_glossary(self, glossary: Glossary) -> None:
        """Translate phrases as ``glossary`` prescribes; it replaces the previous glossary."""
        self.glossary, m = glossary, self.models
        extra = [word for phrases in glossary.entries.values() for y in phrases for word in y]
        known = m.target.words[len(SPECIALS) :]
        self._target = Vocabulary(list(dict.fromkeys([*known, *extra]))) if extra else m.target
        lm_id = m.lm.encode(self._target.words)
        words = self._target.words if self.verbatim else ()
        code = np.array([not w.isalnum() and is_code(w) for w in words], np.bool_)
        code = code[: len(code) * code.any()]
        self._model = Model(m.table, m.context, m.lm.arrays, m.lm.begin, lm_id, code)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read a model directory. Raises InputError if a part is missing or damaged."""
        manifest, file = Manifest.read(directory), directory / MANIFEST
        limits = as_fields(Limits, manifest.config.get("limits"), file)
        limits.check(file)
        if type(verbatim := manifest.config.get("verbatim")) is not bool:
            raise damaged(file, f"verbatim is {verbatim!r}")
        weights = read_weights(directory / "weights.json")
        models = Models.load(directory)
        return cls(models, manifest.word_tokenizer, weights, limits, verbatim=verbatim)

    def save(self, directory: Path) -> None:
        """Write models and weights, but no manifest."""
        self.models.save(directory)
        save_weights(self.weights, directory)

    def tokenize(self, sentences: Sequence[str]) -> list[list[str]]:
        """Return the word tokens of each sentence."""
        return self.tokenizer.tokenize_all(sentences)

    def with_weights(self, weights: dict[str, float]) -> SmtSystem:
        """Return a system with the same models and other weights."""
        other = copy(self)
        other.weights = weights
        return other

    def wider(self, k: int) -> Self:
        """See ``System``. The limits ``stack`` and ``pops`` are ``k`` times as large."""
        other, limits = copy(self), self.limits
        other.limits = limits._replace(stack=k * limits.stack, pops=k * limits.pops)
        return other

    def limit_threads(self, threads: int) -> None:
        """See ``System``."""
        self.threads = threads

    def translate(self, sentences: Sequence[str], n_best: int = 1) -> list[list[Hypothesis]]:
        """See ``System``. The score is Σ_k λ_k f_k(x, y); its logarithms are natural."""

        def translate(pieces: list[Sequence[str]]) -> list[list[Hypothesis]]:
            with ThreadPoolExecutor(self.threads) as pool:
                translations = pool.map(lambda w: self._translate(w, n_best), pieces)
                return self._judge(list(counted(translations, len(pieces))))

        words = self.tokenize([sentence if sentence.strip() else "" for sentence in sentences])
        spans = [cut(w, [1] * len(w), MAX_WORDS) for w in words]
        return by_pieces(words, spans, translate, n_best, self.tokenizer.detokenize)

    def _judge(self, translations: list[list[Hypothesis]]) -> list[list[Hypothesis]]:
        """Add each token's ln p and n-gram order, by the language model, to the hypotheses."""
        tokens = [h.tokens for hypotheses in translations for h in hypotheses]
        lm = self.models.lm.score(tokens)
        log_p, order = lm.log_prob.tolist(), lm.order.tolist()
        spans = pairwise(lm.offsets.tolist())

        def with_scores(h: Hypothesis) -> Hypothesis:
            span = slice(*next(spans))
            pairs = zip([*h.tokens, SPECIALS[EOS]], log_p[span], strict=True)
            return replace(h, token_logprobs=list(pairs), orders=order[span])

        return [[with_scores(h) for h in hypotheses] for hypotheses in translations]

    def explain(self, sentence: str) -> PhraseReasons:
        """See ``System``. Raises InputError for no words or more than ``MAX_WORDS``."""
        [words] = self.tokenize([sentence.strip() and sentence])
        if not 0 < len(words) <= MAX_WORDS:
            raise InputError(f"expected a sentence of 1 to {MAX_WORDS} words, found {len(words):,}")
        options, best = self._decode(words, 1, True)
        [[hypothesis]] = self._judge([[self._spell(words, options, best, 0)]])
        log_p = np.array([p for _, p in hypothesis.token_logprobs])
        parts = by_phrase(best.options, options, self._model, log_p)
        return reasons(words, hypothesis, parts, self.weights)

    def n_best(self, sentences: Sequence[list[str]], k: int) -> list[NBest]:
        """Return the best derivations of each tokenised sentence: at least one, at most ``k``."""
        with ThreadPoolExecutor(self.threads) as pool:
            lists = pool.map(lambda words: self._decode(words, k, False)[1], sentences)
            return list(counted(lists, len(sentences)))

    def _decode(self, words: Sequence[str], k: int, distinct: bool) -> tuple[Options, NBest]:
        λ = self._λ
        options = collect(self._sentence(words), self._model, λ, self.limits.table)
        graph = search(len(words), options, self._model, λ, self.limits)
        return options, n_best(graph, options, self._model, k, distinct)

    def _sentence(self, words: Sequence[str]) -> Sentence:
        """Return the sentence as kernels take it, with its glossary matches and verbatim words."""
        match, targets, begin = np.full(len(words), FREE, np.int32), list[tuple[str, ...]](), [0]
        for m, (start, end, translations) in enumerate(self.glossary.matches(words)):
            match[start:end] = m
            targets += translations
            begin.append(len(targets))
        verbatim = np.full(len(words), -1, np.int32)
        if self.verbatim and (indices := [i for i, word in enumerate(words) if is_verbatim(word)]):
            verbatim[indices] = self.models.target.encode([words[i] for i in indices])
        target = Flat.of(targets, self._target.encode)
        ids = np.array(self.models.source.encode(words), np.int32)
        arrays = ids, self.models.lm.encode(words), verbatim, match, np.array(begin)
        return Sentence(*read_only([*arrays, target.words, target.begin, np.empty(0, np.int32)]))

    def _translate(self, words: Sequence[str], k: int) -> list[Hypothesis]:
        options, best = self._decode(words, k, True)
        by_text: dict[str, Hypothesis] = {}  # different tokens may give the same text
        for row in range(len(best.score)):
            hypothesis = self._spell(words, options, best, row)
            by_text.setdefault(hypothesis.text, hypothesis)
        return list(by_text.values())

    @property
    def _λ(self) -> Float64:
        """Weights as kernels take them, float64 (F,)."""
        return np.array([self.weights[name] for name in NAMES])

    def _spell(self, words: Sequence[str], options: Options, best: NBest, row: int) -> Hypothesis:
        """Return derivation ``row`` as text, with its features, phrases and word alignment."""
        ids = best.words[best.w_begin[row] : best.w_begin[row + 1]].tolist()
        tokens = [self._target.words[i] if i >= 0 else words[-1 - i] for i in ids]
        segments, links, t0 = [], list[tuple[int, int]](), 0
        for option in best.options[best.o_begin[row] : best.o_begin[row + 1]].tolist():
            s0, s1 = int(options.start[option]), int(options.end[option])
            t1 = t0 + int(options.w_begin[option + 1] - options.w_begin[option])
            segments.append((s0, s1, t0, t1))
            if (pair := options.pair[option]) >= 0:
                within = links_of(int(self.models.table.links[pair]))
                links += [(s0 + i, t0 + j) for i, j in within]
            else:  # copied or from the glossary: link every word to every word
                links += [(s, t) for s in range(s0, s1) for t in range(t0, t1)]
            t0 = t1
        return Hypothesis(
            self.tokenizer.detokenize(tokens), tokens, float(best.score[row]),
            dict(zip(NAMES, best.features[row].tolist(), strict=True)), sorted(links), segments,
            unknown=[words[-1 - i] for i in ids if i < 0],
        )  # fmt: skip

    def score(self, pairs: Sequence[tuple[str, str]], brief: bool = False) -> list[Score]:
        """See ``System``.

        The n-gram model gives ``lm``, the HMM word models give ``channel`` and ``direct``.
        ``model`` is the score of the best derivation.
        """
        x = self.tokenize([source for source, _ in pairs])
        y = self.tokenize([target for _, target in pairs])
        derived = self._force(list(zip(x, y, strict=True)))
        if brief:
            return [Score(model=best.score, why=best.why) for best in derived]
        m, lm, scores = self.models, self.models.lm.score(y), []
        for k, best in enumerate(derived):
            span = slice(lm.offsets[k], lm.offsets[k + 1])
            tokens = TokenScores(lm.log_prob[span], lm.is_oov[span], lm.order[span])
            s, t = m.source.encode(x[k]), m.target.encode(y[k])
            channel = _log_probability(m.words.backward, t, s) if m.words else None
            direct = _log_probability(m.words.forward, s, t) if m.words else None
            scores.append(Score(LogProbability.of(tokens), channel, direct, best.score, best.why))
        return scores

    def spell(self, words: Sequence[str], source: bool = False) -> Float64:
        """See ``System``. The model is a character n-gram of the known words."""
        m = self.models
        return (m.source_spelling if source else m.target_spelling).log_probabilities(words)

    def force(
        self, pairs: Sequence[tuple[list[str], list[str]]]
    ) -> list[tuple[Hypothesis | None, str]]:
        """Return the best derivation of each tokenised pair, or None and the reason."""
        return [(best.spell and best.spell(), best.why) for best in self._force(pairs)]

    def _force(self, pairs: Sequence[tuple[list[str], list[str]]]) -> list[Derived]:
        """Do the search of ``force``; spell nothing. Targets of one source share its options."""
        targets_of: dict[tuple[str, ...], dict[tuple[str, ...], None]] = {}
        for x, y in pairs:
            targets_of.setdefault(tuple(x), {})[tuple(y)] = None
        with ThreadPoolExecutor(self.threads) as pool:
            forced = pool.map(lambda x: self._derive(x, list(targets_of[x])), targets_of)
            derived = dict(zip(targets_of, counted(forced, len(targets_of)), strict=True))
        return [derived[tuple(x)][tuple(y)] for x, y in pairs]

    def _derive(
        self, x: tuple[str, ...], targets: Sequence[tuple[str, ...]]
    ) -> dict[tuple[str, ...], Derived]:
        """Return the best derivation of each target of one source."""
        if not x:
            return dict.fromkeys(targets, Derived(why=EMPTY_SENTENCE))
        if len(x) > MAX_WORDS:
            why = f"of more than {MAX_WORDS} words only pieces are translated"
            return dict.fromkeys(targets, Derived(why=why))
        size, new_ids = len(self._target), dict[str, int]()  # temporary ids of unknown words
        words = (*x, *chain.from_iterable(targets))
        encoded = zip(words, self._target.encode(words), strict=True)
        ids = [i if i != UNK else new_ids.setdefault(w, size + len(new_ids)) for w, i in encoded]
        copied, text = read_only(np.split(np.array(ids, np.int32), [len(x)]))
        flat_targets = Flat(text, np.cumsum([0, *map(len, targets)]))
        separated = np.insert(text, flat_targets.begin[1:], SEPARATOR)
        sentence = self._sentence(x)._replace(forced_targets=separated)
        options = collect(sentence, self._model, self._λ, MAX_OPTIONS)
        forced = force(len(x), options, copied, flat_targets, self._model.lm, self._λ, self.limits)
        best = derivations(forced.options, forced.begin, options, self._model, self._λ)
        derived, scores = dict[tuple[str, ...], Derived](), best.score.tolist()
        for k, y in enumerate(targets):
            if forced.begin[k] < forced.begin[k + 1]:
                derived[y] = Derived(scores[k], "", partial(self._spell, x, options, best, k))
            else:
                span = slice(*flat_targets.begin[[k, k + 1]])
                why = (
                    _failure_reason(x, y, forced.source[k], forced.target[span])
                    if y
                    else EMPTY_SENTENCE
                )
                derived[y] = Derived(why=why)
        return derived


def _failure_reason(x: Sequence[str], y: Sequence[str], source: Bool, target: Bool) -> str:
    """Return why ``y`` has no derivation. source, target: which words a usable phrase covers."""
    unreached = {
        "no phrase gives": compress(y, ~target),
        "no phrase of the target translates": compress(x, ~source),
    }
    lists = {what: ", ".join(words) for what, words in unreached.items()}
    why = "; ".join(f"{what}: {words}" for what, words in lists.items() if words)
    return why or "its phrases do not fit together"


def _log_probability(model: WordModel, e: list[int], f: list[int]) -> LogProbability:
    """Return ln P(f|e), word by word. ``</s>`` has ln p = 0, since the length of f is given."""
    log_p = np.append(model.log_probabilities(e, f), 0.0)
    scores = TokenScores(log_p, np.array([*f, EOS]) == UNK)
    return LogProbability.of(scores, given_length=True)
