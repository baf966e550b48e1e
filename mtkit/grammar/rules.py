"""What a synchronous grammar is made of, and how a choice among its rules becomes two sentences.

A word has forms, a phrase has a template of slots for each language, and a tree is one choice for
every slot. Agreement is a set of features, kind → value, as ``{"case": "dat", "number": "pl"}``:
they come up from the words (a noun's gender, a preposition's case), join in the phrase, and go down
to every word of it, where they choose its form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from mtkit.errors import InputError

Features = Mapping[str, str]
SOURCE, TARGET = 0, 1  # the sides of a rule


@dataclass(frozen=True, eq=False)
class Word:
    """A word of both languages: ``forms[side]`` as (features that ask for it, text).

    where: file and line, for messages.
    """

    where: str
    features: Features
    forms: tuple[Sequence[tuple[Features, str]], Sequence[tuple[Features, str]]]

    def form(self, side: int, features: Features) -> str:
        """The last form all of whose features are among ``features``.

        Raises InputError, naming the line, where there is none.
        """
        for asked, text in reversed(self.forms[side]):
            if asked.items() <= features.items():
                return text
        given = " ".join(features.values()) or "no features"
        raise InputError(f"{self.where}: no form of this word goes with {given}")


@dataclass(frozen=True)
class Part:
    """A slot with the features asked of it and the slots it agrees with, or a literal text."""

    text: str
    is_slot: bool = False
    features: Features | None = None
    agrees: Sequence[str] = ()


@dataclass(frozen=True)
class Token:
    """Parts that make one word, or a phrase; ``after`` is the mark behind it.

    bracket: ``[`` or ``<`` where the token is one of the two that depend on each other. often:
    ``?`` where it may be missing, ``*`` where it may come any number of times.
    """

    parts: Sequence[Part]
    bracket: str = ""
    often: str = ""
    after: str = ""

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

    def slots(self) -> dict[str, str]:
        """Each slot with ``?``, ``*`` or nothing behind it, in the order of the source."""
        tokens = chain(*self.sides)
        return {name: token.often for token in tokens for name in token.slots()}


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
        given = {**(features or {}), **tree.features}
        if isinstance(tree.rule, Word):
            return tree.rule.form(self.side, given).split()
        return [word for words in self.spell_tokens(tree, given) for word in words]

    def spell_tokens(self, tree: Tree, features: Features | None = None) -> list[list[str]]:
        """The words of each token of a phrase: where, in the sentence, something stands."""
        assert isinstance(tree.rule, Phrase)
        spelled: list[list[str]] = []
        for token in tree.rule.sides[self.side]:
            spelled.append([])
            for words in self._fillings(token, tree, features or {}):
                self._append(spelled, words)
            if token.after:
                _punctuate(spelled, token.after)
        return spelled

    def _fillings(self, token: Token, tree: Tree, features: Features) -> Iterator[list[str]]:
        """The words of a token, once for each time that it stands there."""
        slots = token.slots()
        for nth in range(len(tree.parts[slots[0]]) if slots else 1):
            words: list[str] = []
            for part in token.parts:
                more = self._part(part, tree, nth, features)
                if words:  # joined: Küche + Tür, an + kommen
                    words[-1] += more.pop(0).lower()
                words += more
            yield words

    def _part(self, part: Part, tree: Tree, nth: int, features: Features) -> list[str]:
        if not part.is_slot:
            return [part.text]
        given = dict(features)
        for name in part.agrees:
            given.update(tree.parts[name][0].features)
        given.update(part.features or {})
        return self.spell(tree.parts[part.text][nth], given)

    def _append(self, spelled: list[list[str]], words: list[str]) -> None:
        """Put words behind those of the last token; two that contract become one."""
        before = next((token for token in reversed(spelled) if token), None)
        if before and words and (short := self.contractions.get((before[-1], words[0]))):
            before[-1], words = short, words[1:]
        spelled[-1] += words


def _punctuate(spelled: list[list[str]], mark: str) -> None:
    """Put a mark behind the last word, instead of a comma that stands there."""
    for token in reversed(spelled):
        if token:
            token[-1] = token[-1].removesuffix(",") + mark
            return
