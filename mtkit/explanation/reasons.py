"""Explanations as data: the parts of a translation's score, and the training pairs behind it.

The score of a statistical system is a sum of contributions:

    score = Σ_k λ_k f_k = Σ over phrases of what each adds

Its knowledge of a phrase comes from training pairs that contain both sides of the phrase. The
probabilities and attention weights of a neural system are not such a sum, and no single training
sentence causes them. The closest ones in the encoder's space are evidence, not proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from heapq import nsmallest
from pathlib import Path
from typing import Any

from mtkit.errors import InputError
from mtkit.manifest import TrainingPair, training_pairs
from mtkit.system import Phrase, PhraseReasons, Reasons, SubwordReasons, System

MAX_SHOWN = 3  # training pairs shown per phrase, and neighbours per sentence


@dataclass(frozen=True)
class Support:
    """Training pairs that contain both sides of a phrase: how many, and the shortest of them."""

    pairs: int
    shown: list[TrainingPair]


@dataclass(frozen=True)
class Neighbour:
    """A training pair whose source is close to the sentence, by the cosine of their vectors."""

    pair: TrainingPair
    cosine: float


@dataclass(frozen=True)
class Explanation:
    """The reasons for one translation by the system ``name``, and their evidence."""

    kind: str
    name: str
    reasons: Reasons
    support: list[Support]  # of each phrase, in order
    neighbours: list[Neighbour]  # of the sentence, only by a neural system
    missing: str  # why the training text could not be searched; then both lists are empty


def explain(directory: Path, system: System, sentences: Sequence[str]) -> list[Explanation]:
    """Explain how ``system``, loaded from ``directory``, translates raw sentences.

    Raises InputError for a blank sentence, and as ``System.explain`` does.
    """
    if not all(sentence.strip() for sentence in sentences):
        raise InputError("the sentence is blank; there is nothing to explain")
    return with_evidence(directory, system, sentences, [system.explain(s) for s in sentences])


def with_evidence(
    directory: Path, system: System, sentences: Sequence[str], reasons: Sequence[Reasons]
) -> list[Explanation]:
    """Return the reasons for each sentence with evidence from the training text of ``system``."""
    pairs, missing = list[TrainingPair](), ""
    try:
        pairs = training_pairs(directory)
    except InputError as error:
        missing = str(error)
    support = _support(system, reasons, pairs)
    neighbours = _neighbours(system, sentences, reasons, pairs)
    return [
        Explanation(system.kind, str(directory), *evidence, missing)
        for evidence in zip(reasons, support, neighbours, strict=True)
    ]


def as_object(sentence: str, explanations: Sequence[Explanation]) -> dict[str, Any]:
    """Return what ``--json`` prints; a phrase's ``pairs`` are null if no text could be searched."""
    systems = []
    for explanation in explanations:
        system = asdict(explanation)
        reasons, support = system.pop("reasons"), system.pop("support")
        if isinstance(explanation.reasons, PhraseReasons):
            del system["neighbours"]
            for k, phrase in enumerate(reasons["phrases"]):
                phrase.update(support[k] if support else {"pairs": None, "shown": []})
        systems.append(system | reasons)
    return {"source": sentence, "systems": systems}


def _support(
    system: System, reasons: Sequence[Reasons], corpus: Sequence[TrainingPair]
) -> list[list[Support]]:
    """Return, for each phrase of each sentence, the training pairs that contain both its sides.

    These can be more pairs than the phrase was extracted from, as both sides need not be aligned to
    each other. Pairs that affect only its lexical weights, by single words, are not included.
    """

    def spaced(tokens: Sequence[str]) -> str:
        """Join tokens with a space around each, so that adjacent tokens are a substring."""
        return f" {' '.join(tokens)} "

    derivations = [reason for reason in reasons if corpus and isinstance(reason, PhraseReasons)]
    if not derivations:
        return [[] for _ in reasons]
    texts = [tuple(map(spaced, system.tokenize([pair.source, pair.target]))) for pair in corpus]

    def support(phrase: Phrase) -> Support:
        source, target = spaced(phrase.source), spaced(phrase.target)
        pairs = [p for p, (x, y) in zip(corpus, texts, strict=True) if source in x and target in y]
        return Support(len(pairs), nsmallest(MAX_SHOWN, pairs, key=lambda pair: len(pair.source)))

    return [[support(phrase) for phrase in reason.phrases] for reason in derivations]


def _neighbours(
    system: System, sentences: Sequence[str], reasons: Sequence[Reasons],
    pairs: Sequence[TrainingPair],
) -> list[list[Neighbour]]:  # fmt: skip
    """Return the training pairs whose sources are closest to each sentence, for a neural system."""
    if not any(isinstance(reason, SubwordReasons) for reason in reasons):
        return [[] for _ in sentences]
    from mtkit.nmt.encode import nearest
    from mtkit.nmt.system import NmtSystem

    assert isinstance(system, NmtSystem)
    indices, cosine = nearest(system, sentences, [pair.source for pair in pairs], MAX_SHOWN)
    return [
        [Neighbour(pairs[i], c) for i, c in zip(rows, cosines, strict=True)]
        for rows, cosines in zip(indices.tolist(), cosine.tolist(), strict=True)
    ]
