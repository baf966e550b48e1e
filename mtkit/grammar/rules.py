"""What a synchronous grammar is made of, and how a choice among its rules becomes two sentences.

A word has forms, a phrase has a template of slots for each language, and a tree is one choice for
every slot. Agreement is a set of features, kind → value, as ``{"case": "dat", "number": "pl"}``:
they come up from the words (a noun's gender, a preposition's case), join in the phrase, and go down
to every word of it, where they choose its form.
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
    """``forms[side]``: (features that ask for it, text); where: file and line, for messages."""

    where: str
    features: Features
    forms: tuple[Sequence[tuple[Features, str]], Sequence[tuple[Features, str]]]

    def form(self, side: int, features: Features) -> str:
        """The last form all of whose features are among ``features``; InputError where none is."""
        for asked, text in reversed(self.forms[side]):
            if asked.items() <= features.items():
                return text
        names = " ".join(features.values()) or "no features"
        raise InputError(f"{self.where}: this word has no form for {names}")


@dataclass(frozen=True)
class Part:
    """A slot with the features asked of it and the slots it agrees with, or a literal text."""

    text: str
    is_slot: bool = False
    features: Features = field(default_factory=dict)
    agrees: Sequence[str] = ()


@dataclass(frozen=True)
class Token:
    """Parts that make one word, or a phrase."""

    parts: Sequence[Part]
    bracket: str = ""  # ``[`` or ``<`` of the two tokens that depend on each other
    often: str = ""  # ``?`` where it may be missing, ``*`` for any number
    after: str = ""  # the mark behind it

    @cached_property
    def slots(self) -> list[str]:
        """The names of its slots."""
        return [part.text for part in self.parts if part.is_slot]


@dataclass(frozen=True, eq=False)
class Phrase:
    """A template for each language. free: the kinds of feature of which any value will do."""

    where: str
    features: Features
    free: Sequence[str]
    sides: tuple[Sequence[Token], Sequence[Token]]

    @cached_property
    def slots(self) -> dict[str, str]:
        """Each slot with ``?``, ``*`` or nothing behind it, in the order of the source."""
        tokens = chain(*self.sides)
        return {name: token.often for token in tokens for name in token.slots}


@dataclass(frozen=True, eq=False)
class Tree:
    """A rule with one choice for each slot: one tree, for ``X?`` perhaps none, for ``X*`` any."""

    rule: Word | Phrase
    features: Features
    parts: Mapping[str, Sequence[Tree]]

    def words(self) -> Iterator[Word]:
        """The words that were chosen."""
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
        """The words of a word or phrase under ``features``; a mark clings to the word before it."""
        joined = {**(features or {}), **tree.features}
        if isinstance(tree.rule, Word):
            return tree.rule.form(self.side, joined).split()
        return self.spell_tokens(tree, joined)[0]

    def spell_tokens(self, tree: Tree, features: Features) -> tuple[list[str], list[int]]:
        """The words of a phrase, and how many there are after each token of its template."""
        assert isinstance(tree.rule, Phrase)
        words: list[str] = []
        ends = []
        for token in tree.rule.sides[self.side]:
            for nth in range(len(tree.parts[token.slots[0]]) if token.slots else 1):
                more = self._token(token, tree, nth, features)
                if words and (short := self.contractions.get((words[-1], more[0]))):
                    words[-1] = short
                    del more[0]
                words += more
            if token.after and words:  # it takes the place of a comma that stands there
                words[-1] = words[-1].removesuffix(",") + token.after
            ends.append(len(words))
        return words, ends

    def _token(self, token: Token, tree: Tree, nth: int, features: Features) -> list[str]:
        """The words of a token the ``nth`` time that it stands there."""
        words: list[str] = []
        for part in token.parts:
            more = [part.text]
            if part.is_slot:
                asked = dict(features)
                for name in part.agrees:
                    asked |= tree.parts[name][0].features
                more = self.spell(tree.parts[part.text][nth], {**asked, **part.features})
            if words:  # joined: Küchen + Tür, an + kommen
                words[-1] += more.pop(0).lower()
            words += more
        return words
