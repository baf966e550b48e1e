"""Why a system said what it said, as data: the parts of its score, and what it learnt them from.

A statistical system is a sum that can be shown whole:

    score = Σ_k λ_k f_k = Σ over phrases of what each adds

and what it knows of a phrase comes from training pairs that contain both of its sides. A neural
system gives each subword a probability and looks at the source while it does; that, too, can be
shown, but it is no sum of reasons, and no training sentence can be said to have caused it. The
closest ones in the encoder's space are evidence, not proof.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from heapq import nsmallest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtkit.errors import InputError
from mtkit.manifest import TrainingPair, training_pairs
from mtkit.text.vocabulary import EOS, SPECIALS, UNK

if TYPE_CHECKING:
    from mtkit.nmt.system import Derived as NmtDerived
    from mtkit.nmt.system import NmtSystem
    from mtkit.smt.system import Derived as SmtDerived
    from mtkit.smt.system import SmtSystem
    from mtkit.system import Hypothesis, System

SHOWN = 3  # training sentences of a phrase, and neighbours of a sentence
RIVALS = 4  # subwords that are shown beside the chosen one


@dataclass(frozen=True)
class Term:
    """One feature of the score: value · weight = product."""

    feature: str
    value: float
    weight: float
    product: float


@dataclass(frozen=True)
class Phrase:
    """Source words ``span[0] : span[1]`` and what they became.

    copied: the system does not know the word. terms: what the phrase adds to each feature. pairs:
    training pairs that contain both sides as they stand, None where nobody could look; shown: the
    shortest of these.
    """

    source: list[str]
    target: list[str]
    span: tuple[int, int]
    orientation: str
    copied: bool
    terms: list[Term]
    pairs: int | None
    shown: list[TrainingPair]


@dataclass(frozen=True)
class Word:
    """A target word, or the end, with ln P by the language model and the n-gram that it is of."""

    text: str
    log_p: float
    ngram: list[str]


@dataclass(frozen=True)
class SmtExplanation:
    """phrases in target order; terms: the sum of theirs; missing: why nobody could look for pairs.

    The products of ``terms`` sum to ``score``.
    """

    kind: str
    name: str
    source: list[str]
    translation: str
    score: float
    phrases: list[Phrase]
    words: list[Word]
    terms: list[Term]
    missing: str


@dataclass(frozen=True)
class Rival:
    """A subword that was not chosen, and its probability."""

    text: str
    p: float


@dataclass(frozen=True)
class Piece:
    """A target subword with ln p of it and the best others.

    looked_at: the source subword with the largest weight, None without attention. copied: the
    source word that stands for an ``<unk>``.
    """

    text: str
    log_p: float
    looked_at: int | None
    rivals: list[Rival]
    copied: str


@dataclass(frozen=True)
class Neighbour:
    """A training pair whose source is close, by the cosine of sentence vectors."""

    pair: TrainingPair
    cosine: float


@dataclass(frozen=True)
class NmtExplanation:
    """source: its subwords, ``</s>`` last; attention: a row for each target subword, which sums
    to 1 over the source's, None for a model without.

    score: Σ ln p divided by the number of subwords to the power of ``normalisation``. put_back:
    numbers, URLs and placeholders that the network lost. missing: why there are no neighbours.
    """

    kind: str
    name: str
    source: list[str]
    translation: str
    score: float
    normalisation: float
    pieces: list[Piece]
    attention: list[list[float]] | None
    put_back: list[str]
    neighbours: list[Neighbour]
    missing: str


Explanation = SmtExplanation | NmtExplanation


def explain(directory: Path, system: System, sentences: Sequence[str]) -> list[Explanation]:
    """Why ``system``, read from ``directory``, translates raw sentences as it does.

    Raises InputError for a system that does not translate, and for a sentence that is blank or too
    long to be translated at once.
    """
    if system.kind not in ("smt", "nmt"):
        raise InputError(f"{directory}: a model of kind {system.kind}; explain needs a translator")
    if not all(sentence.strip() for sentence in sentences):
        raise InputError("the sentence is blank; there is nothing to explain")
    known, missing = list[TrainingPair](), ""
    try:
        known = training_pairs(directory)
    except InputError as error:
        missing = str(error)
    how: Any = explain_smt if system.kind == "smt" else explain_nmt
    found: list[Explanation] = how(str(directory), system, sentences, known, missing)
    return found


def as_object(sentence: str, found: Sequence[Explanation]) -> dict[str, Any]:
    """What ``--json`` prints."""
    return {"source": sentence, "systems": [asdict(explanation) for explanation in found]}


# --- statistical


def explain_smt(
    name: str,
    system: SmtSystem,
    sentences: Sequence[str],
    known: Sequence[TrainingPair],
    missing: str,
) -> list[SmtExplanation]:
    """The derivations, their scores as sums, and the training pairs that contain their phrases."""
    made = [system.derive(sentence) for sentence in sentences]
    pairs = containing([sides for of in made for sides in _sides(of)], system, known)
    explanations = []
    for of in made:
        h = of.hypothesis
        found, pairs = pairs[: len(h.segments)], pairs[len(h.segments) :]
        explanations.append(
            SmtExplanation(
                "smt",
                name,
                of.words,
                h.text,
                h.score,
                _phrases(of, system, None if missing else found),
                _words(h),
                _terms(h.features, system),
                missing,
            )
        )
    return explanations


def _sides(of: SmtDerived) -> list[tuple[list[str], list[str]]]:
    """The source and the target words of each phrase."""
    h = of.hypothesis
    return [(of.words[s0:s1], h.tokens[t0:t1]) for s0, s1, t0, t1 in h.segments]


def _phrases(
    of: SmtDerived, system: SmtSystem, pairs: list[list[TrainingPair]] | None
) -> list[Phrase]:
    phrases = []
    for k, (source, target) in enumerate(_sides(of)):
        h = of.hypothesis
        terms = _terms(dict(zip(h.features, of.parts[k].tolist(), strict=True)), system)
        phrases.append(
            Phrase(
                source,
                target,
                h.segments[k][:2],
                of.orientations[k],
                any(term.feature == "unknown" and term.value > 0 for term in terms),
                terms,
                None if pairs is None else len(pairs[k]),
                nsmallest(SHOWN, pairs[k], key=lambda pair: len(pair.source)) if pairs else [],
            )
        )
    return phrases


def _words(h: Hypothesis) -> list[Word]:
    context = [SPECIALS[2], *h.tokens, SPECIALS[EOS]]
    return [
        Word(text, log_p, context[max(0, at - order + 1) : at + 1])
        for at, ((text, log_p), order) in enumerate(zip(h.token_logprobs, h.orders, strict=True), 1)
    ]


def _terms(features: dict[str, float], system: SmtSystem) -> list[Term]:
    weights = system.weights  # + 0.0: no feature costs −0
    return [Term(name, f, weights[name], f * weights[name] + 0.0) for name, f in features.items()]


def containing(
    phrases: Sequence[tuple[Sequence[str], Sequence[str]]],
    system: System,
    known: Sequence[TrainingPair],
) -> list[list[TrainingPair]]:
    """For each phrase pair, as tokens, the training pairs that contain both sides as they stand.

    More than supplied it, where they are not aligned to each other; fewer than tell of it, where
    the lexical weights have it from its single words.
    """
    # Blanks separate tokens, so that tokens side by side are a substring.
    wanted = [(_spaced(source), _spaced(target)) for source, target in phrases]
    found: list[list[TrainingPair]] = [[] for _ in phrases]
    for pair in known:
        x, y = map(_spaced, system.tokenize([pair.source, pair.target]))
        for (source, target), pairs in zip(wanted, found, strict=True):
            if source in x and target in y:
                pairs.append(pair)
    return found


def _spaced(tokens: Sequence[str]) -> str:
    return f" {' '.join(tokens)} "


# --- neural


def explain_nmt(
    name: str,
    system: NmtSystem,
    sentences: Sequence[str],
    known: Sequence[TrainingPair],
    missing: str,
) -> list[NmtExplanation]:
    """Attention, the probability of each subword beside its rivals, and the closest sentences."""
    from mtkit.nmt.encode import nearest

    near = nearest(system, sentences, [pair.source for pair in known], SHOWN)
    explanations = []
    for sentence, at, cosine in zip(sentences, *(found.tolist() for found in near), strict=True):
        derived = system.derive(sentence)
        pieces, attention = _pieces(system, derived)
        lost = Counter(derived.hypothesis.tokens) - Counter(derived.made)
        explanations.append(
            NmtExplanation(
                "nmt",
                name,
                [system.subwords.pieces[i] for i in (*derived.source.ids, EOS)],
                derived.hypothesis.text,
                derived.hypothesis.score,
                system.normalisation,
                pieces,
                attention,
                list(lost.elements()),
                [Neighbour(known[i], c) for i, c in zip(at, cosine, strict=True)],
                missing,
            )
        )
    return explanations


def _pieces(system: NmtSystem, derived: NmtDerived) -> tuple[list[Piece], list[list[float]] | None]:
    """The target subwords and where the network looked for each: (T, I), if it can."""
    from mtkit.nmt.forced import force

    spell, ids = system.subwords.pieces, derived.output.ids
    forced = force(system.models, derived.source.ids, ids, RIVALS)
    alpha = forced.attention
    copied = iter(derived.copied)
    pieces = [
        Piece(
            spell[i],
            float(forced.log_p[t]),
            None if alpha is None else int(np.argmax(alpha[t])),
            [Rival(spell[rival], p) for rival, p in forced.rivals[t]],
            next(copied) if i == UNK else "",
        )
        for t, i in enumerate((*ids, EOS))
    ]
    return pieces, None if alpha is None else alpha.tolist()
