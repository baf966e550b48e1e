"""Draw sentence pairs from a grammar, with a chosen distance between two dependent words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TypeVar

import numpy as np

from mtkit.errors import InputError
from mtkit.grammar.reader import class_of, read_draft
from mtkit.grammar.rules import SOURCE, TARGET, Language, Phrase, Tree, Word
from mtkit.text.catalog import corpora_directory

DEFAULT_GRAMMAR = Path("grammar", "en-de.grammar")  # among the corpora that come with mtkit
TRIES = 20  # draws of one sentence rule, and sentence rules that are tried
MISSES = 8  # adjuncts that may be too long before the sentence is drawn again

T = TypeVar("T")


@dataclass(frozen=True)
class Pair:
    """A sentence, its translation, and the places of two dependent words."""

    source: str
    target: str
    phenomenon: str
    places: tuple[int, int]  # the two target words, counted from 0 and separated by blanks

    @property
    def distance(self) -> int:
        """The number of words between the two dependent words."""
        return self.places[1] - self.places[0] - 1


@dataclass(frozen=True)
class Sentence:
    """A tree and its target words; the first i + 1 template tokens make ``words[: ends[i]]``."""

    phenomenon: str
    tree: Tree
    words: list[str]
    ends: list[int]

    @property
    def rule(self) -> Phrase:
        """The sentence rule that the tree was drawn from."""
        assert isinstance(self.tree.rule, Phrase)
        return self.tree.rule

    @property
    def places(self) -> tuple[int, int]:
        """The places in ``words`` of the two words that depend on each other."""
        tokens = zip(self.rule.sides[TARGET], self.ends, strict=True)
        first, second = (end - 1 for token, end in tokens if token.bracket)
        return first, second

    @property
    def distance(self) -> int:
        """The number of words between the two dependent words."""
        return self.places[1] - self.places[0] - 1

    def token(self, i: int) -> list[str]:
        """Return the words of the i-th template token, from 0."""
        return self.words[self.ends[i - 1] if i else 0 : self.ends[i]]


class Grammar:
    """A synchronous grammar: words and phrases of two languages, and its sentence rules."""

    def __init__(self, path: Path | None = None) -> None:
        """Read a grammar, by default mtkit's. Raises InputError naming the file and the line."""
        draft = read_draft(path or corpora_directory() / DEFAULT_GRAMMAR)
        self.rules, self.sentences = draft.rules, draft.sentences
        self.languages = Language(SOURCE, {}), Language(TARGET, draft.contractions)
        self._values: dict[str, list[str]] = {}  # kind of feature → its values
        for value, kind in draft.kinds.items():
            self._values.setdefault(kind, []).append(value)

    def sentence(self, rng: np.random.Generator, distance: int) -> Pair:
        """Draw a random pair with ``distance`` words between the two that depend on each other.

        All phenomena that allow the distance are equally likely. Raises InputError if no draw has
        it.
        """
        for _ in range(TRIES):
            name = pick(rng, list(self.sentences))
            if drawn := self.draw(rng, name, pick(rng, self.sentences[name]), distance):
                return self.pair(drawn)
        raise InputError(
            f"the grammar has no sentence with {distance} words between two dependent words; "
            "change --distance"
        )

    def draw(
        self, rng: np.random.Generator, phenomenon: str, rule: Phrase, distance: int
    ) -> Sentence | None:
        """Draw a sentence from one rule; None if no draw has the distance."""
        for _ in range(TRIES):
            used: set[Word] = set()
            tree = self._tree(rng, rule, used)
            drawn = self.spelled(phenomenon, tree)
            missing = distance - drawn.distance
            repeated = next((name for name, sign in rule.slots.items() if sign == "*"), None)
            if missing > 0 and repeated:
                stretch = self._stretch(rng, repeated, missing, used)
                tree = Tree(rule, tree.features, {**tree.parts, repeated: stretch})
                drawn = self.spelled(phenomenon, tree)
            if drawn.distance == distance:
                return drawn
        return None

    def spelled(self, phenomenon: str, tree: Tree) -> Sentence:
        """Return the sentence of a tree."""
        return Sentence(phenomenon, tree, *self.languages[TARGET].spell_tokens(tree, {}))

    def pair(self, sentence: Sentence) -> Pair:
        """Return a sentence as text in both languages."""
        source, _ = self.languages[SOURCE].spell_tokens(sentence.tree, {})
        return Pair(text(source), text(sentence.words), sentence.phenomenon, sentence.places)

    def choose(self, rng: np.random.Generator, slot: str, used: set[Word]) -> Tree:
        """Draw a tree for a slot and add its words to ``used``.

        A word is drawn again only after its whole class has been used.
        """
        rules = self.rules[class_of(slot)]
        fresh = [rule for rule in rules if rule not in used]
        if not fresh:
            used.difference_update(rule for rule in rules if isinstance(rule, Word))
        return self._tree(rng, pick(rng, fresh or rules), used)

    def _tree(self, rng: np.random.Generator, rule: Word | Phrase, used: set[Word]) -> Tree:
        if isinstance(rule, Word):
            used.add(rule)
            return Tree(rule, rule.features, {})
        parts: dict[str, list[Tree]] = {}
        for slot, sign in rule.slots.items():
            times = 1 if not sign else int(rng.integers(2)) if sign == "?" else 0
            parts[slot] = [self.choose(rng, slot, used) for _ in range(times)]
        features: dict[str, str] = {}
        for tree in chain.from_iterable(reversed(parts.values())):
            features |= tree.features
        drawn = {kind: pick(rng, self._values[kind]) for kind in rule.random_kinds}
        return Tree(rule, {**features, **rule.features, **drawn}, parts)

    def _stretch(
        self, rng: np.random.Generator, slot: str, length: int, used: set[Word]
    ) -> list[Tree]:
        """Draw trees for ``X*`` of ``length`` words in all, or fewer after ``MISSES`` misses."""
        trees: list[Tree] = []
        misses = 0
        while length > 0 and misses < MISSES:
            used_next = set(used)
            tree = self.choose(rng, slot, used_next)
            words = len(self.languages[TARGET].spell(tree))
            if words > length:
                misses += 1  # too long; another one may fit
            else:
                trees.append(tree)
                length -= words
                used = used_next
        return trees


def pick(rng: np.random.Generator, choices: Sequence[T]) -> T:
    """Draw one of ``choices``, all equally likely."""
    return choices[int(rng.integers(len(choices)))]


def text(words: Sequence[str]) -> str:
    """Return the words as a sentence with a capital first letter."""
    joined = " ".join(words)
    return joined[0].upper() + joined[1:]
