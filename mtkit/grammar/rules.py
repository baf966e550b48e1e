"""The parts of a synchronous grammar, and how a tree of its rules becomes two sentences.

A word has forms, a phrase has a template of slots for each language, and a tree is one choice for
every slot. Agreement is a set of features, kind → value, as ``{"case": "dat", "number": "pl"}``.
Features rise from the words (a noun's gender, a preposition's case) to the phrase, are merged
there, and pass down to each of its words, where they select the form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain

from mtkit.errors import InputError

Features = Mapping[str, str]
SOURCE, TARGET = 0, 1  # the sides of a rule


@dataclass(frozen=True, eq=False)
class Word:
    """A word. ``forms[side]``: (features it requires, text); where: file and line, for messages."""

    where: str
    features: Features
    forms: tuple[Sequence[tuple[Features, str]], Sequence[tuple[Features, str]]]

    def form(self, side: int, features: Features) -> str:
        """Return the last form whose features are all in ``features``; InputError if none is."""
        for required, text in reversed(self.forms[side]):
            if required.items() <= features.items():
                return text
        names = " ".join(features.values()) or "no features"
        raise InputError(f"{self.where}: this word has no form for {names}")


@dataclass(frozen=True)
class Part:
    """A slot with its required features and the slots it agrees with, or a literal text."""

    text: str
    is_slot: bool = False
    features: Features = field(default_factory=dict)
    agrees: Sequence[str] = ()


@dataclass(frozen=True)
class Token:
    """Parts that are joined into one word, or into a phrase."""

    parts: Sequence[Part]
    bracket: str = ""  # ``[`` or ``<`` for the two tokens that depend on each other
    repetition: str = ""  # ``?`` if it is optional, ``*`` if it occurs any number of times
    punctuation: str = ""  # the punctuation after it

    @cached_property
    def slots(self) -> list[str]:
        """The names of its slots."""
        return [part.text for part in self.parts if part.is_slot]


@dataclass(frozen=True, eq=False)
class Phrase:
    """A template for each language. random_kinds: of feature, whose values are drawn at random."""

    where: str
    features: Features
    random_kinds: Sequence[str]
    sides: tuple[Sequence[Token], Sequence[Token]]

    @cached_property
    def slots(self) -> dict[str, str]:
        """Slot → ``?``, ``*`` or "", in the order of the source."""
        tokens = chain(*self.sides)
        return {name: token.repetition for token in tokens for name in token.slots}


@dataclass(frozen=True, eq=False)
class Tree:
    """A rule with the trees of each slot: one; none or one for ``X?``; any number for ``X*``."""

    rule: Word | Phrase
    features: Features
    parts: Mapping[str, Sequence[Tree]]

    def words(self) -> Iterator[Word]:
        """Yield the words that were chosen."""
        if isinstance(self.rule, Word):
            yield self.rule
        for trees in self.parts.values():
            for tree in trees:
                yield from tree.words()


@dataclass(frozen=True)
class Language:
    """One side of the grammar; ``contractions``: ("in", "dem") → "im"."""

    side: int
    contractions: Mapping[tuple[str, str], str]

    def spell(self, tree: Tree, features: Features | None = None) -> list[str]:
        """Return the words of a tree under ``features``; punctuation is part of the word before."""
        merged = {**(features or {}), **tree.features}
        if isinstance(tree.rule, Word):
            return tree.rule.form(self.side, merged).split()
        return self.spell_tokens(tree, merged)[0]

    def spell_tokens(self, tree: Tree, features: Features) -> tuple[list[str], list[int]]:
        """Return the words of a phrase, and their number after each token of its template."""
        assert isinstance(tree.rule, Phrase)
        words: list[str] = []
        ends = []
        for token in tree.rule.sides[self.side]:
            for nth in range(len(tree.parts[token.slots[0]]) if token.slots else 1):
                token_words = self._token(token, tree, nth, features)
                if words and (contraction := self.contractions.get((words[-1], token_words[0]))):
                    words[-1] = contraction
                    del token_words[0]
                words += token_words
            if token.punctuation and words:  # replaces a comma at the end of the word
                words[-1] = words[-1].removesuffix(",") + token.punctuation
            ends.append(len(words))
        return words, ends

    def _token(self, token: Token, tree: Tree, nth: int, features: Features) -> list[str]:
        """Return the words of the ``nth`` repetition of a token, from 0."""
        words: list[str] = []
        for part in token.parts:
            part_words = [part.text]
            if part.is_slot:
                required = dict(features)
                for name in part.agrees:
                    required |= tree.parts[name][0].features
                part_words = self.spell(tree.parts[part.text][nth], {**required, **part.features})
            if words:  # joined: Küchen + Tür, an + kommen
                words[-1] += part_words.pop(0).lower()
            words += part_words
        return words
