"""Sentence pairs drawn from a grammar, the distance of their dependency as asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from mtkit.corpus import corpora_directory
from mtkit.errors import InputError
from mtkit.grammar.reader import class_of, read_draft
from mtkit.grammar.rules import SOURCE, TARGET, Features, Language, Phrase, Tree, Word

DEFAULT_GRAMMAR = Path("grammar", "en-de.grammar")  # among the corpora that come with mtkit
TRIES = 60  # draws of one sentence rule before another one's turn

T = TypeVar("T")


@dataclass(frozen=True)
class Pair:
    """A sentence, its translation, and what depends on what in it.

    places: the two words of the target, counted from 0 and by blanks, that depend on each other.
    """

    source: str
    target: str
    phenomenon: str
    places: tuple[int, int]

    @property
    def distance(self) -> int:
        """The words between the two."""
        return self.places[1] - self.places[0] - 1


@dataclass(frozen=True)
class Sentence:
    """A sentence as the grammar makes it: words by token, so that two can be held side by side."""

    phenomenon: str
    tree: Tree
    sides: tuple[list[list[str]], list[list[str]]]

    @property
    def rule(self) -> Phrase:
        """The line of the grammar that it comes from."""
        assert isinstance(self.tree.rule, Phrase)
        return self.tree.rule

    def marked(self) -> tuple[int, int]:
        """The two tokens of the target that depend on each other."""
        first, second = (i for i, token in enumerate(self.rule.sides[TARGET]) if token.bracket)
        return first, second

    def pair(self) -> Pair:
        """As text: the first letter large, and marks where they belong."""
        source, target = (_text(tokens) for tokens in self.sides)
        ends = np.cumsum([len(token) for token in self.sides[TARGET]])
        first, second = (int(ends[i]) - 1 for i in self.marked())
        return Pair(source, target, self.phenomenon, (first, second))


class Grammar:
    """Words and phrases of two languages side by side, and the sentences made of them."""

    def __init__(
        self,
        rules: Mapping[str, Sequence[Word | Phrase]],
        sentences: Mapping[str, Sequence[Phrase]],
        kinds: Mapping[str, str],
        contractions: Mapping[tuple[str, str], str],
    ) -> None:
        self.rules, self.sentences = rules, sentences
        self.languages = Language(SOURCE, {}), Language(TARGET, contractions)
        self._values: dict[str, list[str]] = {}  # of each kind of feature
        for value, kind in kinds.items():
            self._values.setdefault(kind, []).append(value)

    @classmethod
    def read(cls, path: Path | None = None) -> Grammar:
        """Read a grammar's file; without ``path`` the one that comes with mtkit.

        Raises InputError, naming file and line, for what is no grammar.
        """
        draft = read_draft(path or corpora_directory() / DEFAULT_GRAMMAR)
        return cls(draft.rules, draft.sentences, draft.kinds, draft.contractions)

    def sentence(self, rng: np.random.Generator, distance: int) -> Pair:
        """A random pair with ``distance`` words between the two that depend on each other.

        All phenomena are equally likely that can have this distance. Raises InputError where none
        can.
        """
        phenomena = list(self.sentences)
        for _ in range(TRIES):
            name = pick(rng, phenomena)
            if drawn := self.draw(rng, name, pick(rng, self.sentences[name]), distance):
                return drawn.pair()
        raise InputError(f"the grammar makes no sentence with {distance} words in between")

    def draw(
        self, rng: np.random.Generator, phenomenon: str, rule: Phrase, distance: int
    ) -> Sentence | None:
        """A sentence by one rule, or None where none of that distance turned up."""
        for _ in range(TRIES):
            used: set[Word] = set()
            tree = self._tree(rng, rule, used)
            first, second = self.spelled(phenomenon, tree).pair().places
            missing = distance - (second - first - 1)
            often = next((n for n, sign in rule.slots().items() if sign == "*"), None)
            if missing and often:
                stretch = self._stretch(rng, often, missing, used)
                tree = Tree(rule, tree.features, {**tree.parts, often: stretch})
            drawn = self.spelled(phenomenon, tree)
            if drawn.pair().distance == distance:
                return drawn
        return None

    def spelled(self, phenomenon: str, tree: Tree) -> Sentence:
        """The words of a sentence's tree, in both languages."""
        source, target = (language.spell_tokens(tree) for language in self.languages)
        return Sentence(phenomenon, tree, (source, target))

    def choose(self, rng: np.random.Generator, slot: str, used: set[Word]) -> Tree:
        """A random choice for a slot. A word comes back only when its whole class has been used."""
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
        for slot, often in rule.slots().items():
            times = 1 if not often else int(rng.integers(2)) if often == "?" else 0
            parts[slot] = [self.choose(rng, slot, used) for _ in range(times)]
        features: Features = {}
        for trees in reversed(parts.values()):
            for tree in trees:
                features = {**features, **tree.features}
        drawn = {kind: pick(rng, self._values[kind]) for kind in rule.free}
        return Tree(rule, {**features, **rule.features, **drawn}, parts)

    def _stretch(
        self, rng: np.random.Generator, slot: str, length: int, used: set[Word]
    ) -> list[Tree]:
        """Trees for ``X*`` that have ``length`` words together, if luck will have it; else none."""
        target = self.languages[TARGET]
        for _ in range(TRIES):
            taken, trees, left = set(used), [], length
            for _ in range(length + TRIES):
                before = set(taken)
                tree = self.choose(rng, slot, taken)
                if (words := len(target.spell(tree))) > left:
                    taken = before  # too long: another one may fit
                    continue
                trees.append(tree)
                left -= words
                if not left:
                    return trees
                if left == 1:
                    break
        return []


def pick(rng: np.random.Generator, choices: Sequence[T]) -> T:
    """One of them, all equally likely."""
    return choices[int(rng.integers(len(choices)))]


def _text(tokens: Sequence[Sequence[str]]) -> str:
    text = " ".join(word for words in tokens for word in words)
    return text[0].upper() + text[1:]
