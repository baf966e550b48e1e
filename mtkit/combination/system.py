"""The combination as a ``System``: argmax_{y ∈ Y(x)} Σ_k λ_k f_k(x, y), raw text in and out.

Y(x): the candidates whose number of words J is plausible for the I words of x,

    |J − r I| ≤ 3 + 0.4 r I,    r = words of the dev set's references / words of its sources

or all candidates if none is. Weights are tuned on sentences like those of the dev set; on much
longer ones, scores that grow with the length, as ln P(y|x), let a fragment of a bad network win.

A part whose weights are all 0 is not used. If only one part that translates is left, its own n-best
list is the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from mtkit.combination.parts import OtherSystem, Part, read_parts
from mtkit.combination.pool import SHARED, Name, Pool, build_pool
from mtkit.console import note
from mtkit.errors import InputError
from mtkit.manifest import COMBINATION, MANIFEST, Manifest
from mtkit.smt.flat import Float64
from mtkit.smt.system import SmtSystem
from mtkit.storage.reading import check_weight, read_json, unfit
from mtkit.system import EMPTY, Candidate, Hypothesis, PoolReasons, Score, System, Term
from mtkit.text.glossary import Glossary
from mtkit.text.pieces import by_pieces, cut
from mtkit.text.tokenizer import WordTokenizer

MAX_WORDS = 80  # most words translated at once: networks translate longer ones badly
MAX_CHARACTERS = 100  # most characters of a word; a longer one is copied
LENGTH_SLACK, LENGTH_SHARE = 3, 0.4  # 98.5 to 100 % of the pairs of three corpora are within
WEIGHTS = "weights.json"
Weights = Mapping[str, Mapping[str, float]]  # part → feature → λ


@dataclass(eq=False)
class Combination:
    """Parts and weights as a translator; a ``mtkit.system.System``."""

    kind: ClassVar[str] = COMBINATION
    parts: Sequence[Part]
    tokenizer: WordTokenizer
    weights: Weights
    length_ratio: float = 1.0  # r; 1 for a directory that an older version wrote
    glossary: Glossary = field(default_factory=Glossary)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read a model directory. Raises InputError if a part is missing or has changed."""
        manifest = Manifest.read(directory)
        parts = read_parts(directory, manifest)
        weights = read_weights(directory / WEIGHTS, [part.name for part in parts])
        ratio = manifest.config.get("length_ratio", 1.0)
        check_weight(directory / MANIFEST, "length_ratio", ratio)
        return cls(parts, manifest.word_tokenizer, weights, ratio)

    @property
    def systems(self) -> dict[str, System]:
        """The parts that are models, by name; parts known by n-best lists are left out."""
        return {p.name: p.system for p in self.parts if not isinstance(p.system, OtherSystem)}

    @property
    def used_parts(self) -> list[Part]:
        """The parts with at least one weight other than 0."""
        return [part for part in self.parts if any(self.weights.get(part.name, {}).values())]

    @property
    def only_translator(self) -> Part | None:
        """The used part that translates, if there is just one, else None.

        Raises InputError if there is none.
        """
        forward = [part for part in self.used_parts if not part.reverse]
        if not forward:
            raise InputError("all weights of the combination are 0; run `mtkit combine` again")
        return forward[0] if len(forward) == 1 else None

    def tokenize(self, sentences: Sequence[str]) -> list[list[str]]:
        """See ``System``."""
        return self.tokenizer.tokenize_all(sentences)

    def translate(self, sentences: Sequence[str], n_best: int = 1) -> list[list[Hypothesis]]:
        """See ``System``. The score is Σ_k λ_k f_k, comparable only within a sentence.

        ``features`` are the f_k, named PART.FEATURE; ``places`` are the ranks in the parts' lists.
        """
        if part := self.only_translator:
            return self._translations_of(part, sentences, n_best)
        words = self.tokenize([sentence if sentence.strip() else "" for sentence in sentences])
        sizes = [[1 if len(w) <= MAX_CHARACTERS else MAX_WORDS + 1 for w in line] for line in words]
        spans = [cut(line, costs, MAX_WORDS) for line, costs in zip(words, sizes, strict=True)]

        detokenize = self.tokenizer.detokenize

        def translate(pieces: list[Sequence[str]]) -> list[list[Hypothesis]]:
            accepted = [piece for piece in pieces if is_accepted(piece)]
            chosen = iter(self.choose(self.pool(accepted), accepted, n_best) if accepted else [])
            return [
                next(chosen)
                if is_accepted(piece)
                else [Hypothesis.copied(piece, detokenize(piece))]
                for piece in pieces
            ]

        return by_pieces(words, spans, translate, n_best, detokenize)

    def _translations_of(
        self, part: Part, sentences: Sequence[str], n_best: int
    ) -> list[list[Hypothesis]]:
        """Return the n-best lists of ``part``, with candidates that obey the glossary first.

        A sentence without a list is copied.
        """
        size = max(n_best, part.size) if self.glossary.entries else n_best
        rows = list[list[Hypothesis]]()
        for words, text, row in zip(
            self.tokenize(sentences), sentences, part.system.translate(sentences, size), strict=True
        ):
            ys = [replace(y, places={part.name: k}) for k, y in enumerate(row)]
            ys = ys or [Hypothesis.copied(words, text) if words else EMPTY]
            if self.glossary.matches(words):
                ys.sort(key=partial(self._disobeys, words))
            rows.append(ys[:n_best])
        return rows

    def pool(self, pieces: Sequence[Sequence[str]]) -> Pool:
        """Return candidates and features for sentences given as word tokens."""
        return build_pool(
            self.used_parts, list(map(self.tokenizer.detokenize, pieces)), self.tokenizer
        )

    def choose(
        self, pool: Pool, sentences: Sequence[Sequence[str]], n_best: int
    ) -> list[list[Hypothesis]]:
        """Return the best ``n_best`` candidates of each sentence.

        Candidates that obey the glossary come first, then those of plausible length. Raises
        InputError if a feature with a weight is missing.
        """
        λ = self._λ
        try:
            features = pool.matrix(λ)
        except KeyError as error:
            part, feature = error.args[0]
            raise InputError(
                f"{part} lacks the feature {feature}, which has a weight; run `mtkit combine` again"
            ) from None
        scores, names = features @ np.array(list(λ.values())), [".".join(name) for name in λ]
        ranked = []
        for words, (a, b) in zip(sentences, pairwise(pool.begin.tolist()), strict=True):
            order = a + np.argsort(-scores[a:b], kind="stable")
            lengths = [len(pool.candidates[i].tokens) for i in order.tolist()]
            far = [not is_plausible(len(words), n, self.length_ratio) for n in lengths]
            order = order[np.argsort(far, kind="stable")]
            if self.glossary.matches(words):
                disobeys = [self._disobeys(words, pool.candidates[i]) for i in order.tolist()]
                order = order[np.argsort(disobeys, kind="stable")]
            ranked.append([
                replace(
                    pool.candidates[i], score=float(scores[i]),
                    features=dict(zip(names, features[i].tolist(), strict=True)),
                )
                for i in order[:n_best].tolist()
            ])  # fmt: skip
        return ranked

    @property
    def _λ(self) -> dict[Name, float]:
        """The weights that are not 0, by part and feature."""
        names = [*(part.name for part in self.used_parts), SHARED]
        weights = {(p, f): w for p in names for f, w in self.weights.get(p, {}).items()}
        return {name: weight for name, weight in weights.items() if weight}

    def _disobeys(self, words: Sequence[str], y: Hypothesis) -> bool:
        compliance = self.glossary.compliance([words], [y.tokens])
        return compliance.complied < compliance.matches

    def use_glossary(self, glossary: Glossary) -> None:
        """Pass the glossary to the statistical parts, and prefer candidates that obey it."""
        self.glossary = glossary
        for system in self.systems.values():
            if isinstance(system, SmtSystem):
                system.use_glossary(glossary)

    def use_lists(self, name: str, file: Path, sources: Sequence[str]) -> None:
        """Read n-best lists of the part ``name`` for ``sources``; see ``OtherSystem.read``.

        Raises InputError if there is no such part that is known only by n-best lists.
        """
        others = {p.name: p.system for p in self.parts if isinstance(p.system, OtherSystem)}
        if name not in others:
            hint = f"; choose one of {', '.join(others)}" if others else ""
            raise InputError(f"--lists {name}: the combination has no such external system{hint}")
        others[name].read(file, sources)
        if missing := others[name].missing(sources):
            note(f"{file}: no n-best list for {missing:,} of {len(sources):,} lines")

    def explain(self, sentence: str) -> PoolReasons:
        """See ``System``."""
        [words] = self.tokenize([sentence.strip() and sentence])
        if not is_accepted(words):
            raise InputError(
                f"expected a sentence of 1 to {MAX_WORDS} words, found {len(words):,}"
                + f", some of more than {MAX_CHARACTERS} characters" * (0 < len(words) <= MAX_WORDS)
            )
        if part := self.only_translator:
            [ranked] = self.translate([sentence], part.size)
            candidates = [Candidate(y.text, y.score, y.places, []) for y in ranked]
        else:
            pool = self.pool([words])
            [ranked] = self.choose(pool, [words], len(pool.candidates))
            candidates = [Candidate(y.text, y.score, y.places, self._terms(y)) for y in ranked]
        best = ranked[0]
        return PoolReasons(words, best.text, best.score, candidates)

    def _terms(self, y: Hypothesis) -> list[Term]:
        pairs = zip(self._λ.values(), y.features.items(), strict=True)
        return [Term(name, value, weight, value * weight + 0.0) for weight, (name, value) in pairs]

    def score(self, pairs: Sequence[tuple[str, str]], brief: bool = False) -> list[Score]:
        """See ``System``. Returns no score: it would compare only candidates of one sentence."""
        return [Score(why="a combination chooses among its parts' translations")] * len(pairs)

    def spell(self, words: Sequence[str], source: bool = False) -> Float64:
        """See ``System``. Uses the first model."""
        return next(iter(self.systems.values())).spell(words, source)

    def wider(self, k: int) -> Self:
        """See ``System``. Widens all parts; their n-best lists are ``k`` times as long."""
        parts = [
            part
            if isinstance(part.system, OtherSystem)
            else replace(part, system=part.system.wider(k), size=k * part.size)
            for part in self.parts
        ]
        return replace(self, parts=parts)

    def limit_threads(self, threads: int) -> None:
        """See ``System``."""
        for system in self.systems.values():
            system.limit_threads(threads)


def is_accepted(words: Sequence[str]) -> bool:
    """Whether a line is neither empty nor too long, in words or characters of a word."""
    return 0 < len(words) <= MAX_WORDS and max(map(len, words)) <= MAX_CHARACTERS


def is_plausible(n_source: int, n_target: int, ratio: float) -> bool:
    """Return whether a source of so many words may have a translation of so many words."""
    expected = ratio * n_source
    return abs(n_target - expected) <= LENGTH_SLACK + LENGTH_SHARE * expected


def read_weights(path: Path, parts: Sequence[str]) -> Weights:
    """Read λ by part and feature. Raises InputError if the file is not such a JSON object."""
    weights = read_json(path, dict, unfit)
    if not set(weights) <= {*parts, SHARED}:
        raise InputError(f"{path}: expected weights of {', '.join((*parts, SHARED))}")
    for part, features in weights.items():
        if not isinstance(features, dict):
            raise InputError(f"{path}: the weights of {part} are {features!r}, not an object")
        for feature, value in features.items():
            check_weight(path, f"{part}.{feature}", value)
    return {part: dict(features) for part, features in weights.items()}
