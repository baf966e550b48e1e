"""A glossary: phrases and how the user wants them translated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass, field
from operator import add
from pathlib import Path

from mtkit.errors import InputError
from mtkit.text.lines import read_lines

LONGEST_PHRASE = 7  # tokens a side: no phrase of the decoder has more
Words = tuple[str, ...]


@dataclass(frozen=True)
class Compliance:
    """Matches of a glossary in so many sentences, and those that were translated as it asks."""

    sentences: int = 0
    matches: int = 0
    complied: int = 0

    def __add__(self, more: Compliance) -> Compliance:
        return Compliance(*map(add, astuple(self), astuple(more)))

    def __str__(self) -> str:
        if not self.matches:
            return "no match"
        count = f"{self.matches:,} match" + "es" * (self.matches > 1)
        where = f"{self.sentences:,} sentence" + "s" * (self.sentences > 1)
        share = 100 * self.complied // self.matches  # 100 only where all are
        return f"{count} in {where}, {self.complied:,} translated as asked ({share} %)"


@dataclass(frozen=True)
class Glossary:
    """Source phrase → its translations, as word tokens."""

    entries: dict[Words, list[Words]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path, tokenize: Callable[[str], list[str]]) -> Glossary:
        """One entry a line: source phrase, TAB, target phrase; blank lines and # lines are skipped.

        Lines of the same source are alternatives. Raises InputError, naming the line, for others.

        Limits: a phrase matches where a sentence has exactly its tokens, case included. Words have
        the same everywhere; a mark at the edge of the phrase has those it has beside a space, so
        that it does not match where the sentence glues it to what stands outside: ``pre-`` in
        ``pre-war``, ``'s`` in ``Ann's``, ``"Ox"`` in ``("Ox")``.
        """
        entries: dict[Words, list[Words]] = {}
        for number, line in enumerate(read_lines(path), 1):
            if line.strip() and not line.startswith("#"):
                source, target = _entry(line, f"{path}: line {number}", tokenize)
                ways = entries.setdefault(source, [])
                ways += [] if target in ways else [target]
        if not entries:
            raise InputError(f"{path}: no entry; a line of a glossary is source TAB target")
        return cls(entries)

    def matches(self, words: Sequence[str]) -> list[tuple[int, int, list[Words]]]:
        """(start, end, translations) of the longest matches from left to right; none overlap."""
        matches: list[tuple[int, int, list[Words]]] = []
        longest, start = max(map(len, self.entries), default=0), 0
        while start < len(words):
            ends = range(min(start + longest, len(words)), start, -1)
            end = next((end for end in ends if tuple(words[start:end]) in self.entries), None)
            if end:
                matches.append((start, end, self.entries[tuple(words[start:end])]))
            start = end or start + 1
        return matches

    def compliance(
        self, sources: Iterable[Sequence[str]], outputs: Iterable[Sequence[str]]
    ) -> Compliance:
        """Of sentences and their translations, all as tokens, whoever translated them.

        Matches that ask for the same translations need a place each; those that ask for others are
        counted as if each had the output to itself.
        """
        sentences = matches = complied = 0
        for source, output in zip(sources, outputs, strict=True):
            asked = Counter(frozenset(ways) for _, _, ways in self.matches(source))
            sentences += bool(asked)
            matches += asked.total()
            complied += sum(min(n, _places(ways, output)) for ways, n in asked.items())
        return Compliance(sentences, matches, complied)


def _entry(line: str, where: str, tokenize: Callable[[str], list[str]]) -> tuple[Words, Words]:
    sides = line.split("\t")
    if len(sides) != 2:
        raise InputError(
            f"{where}: expected two columns separated by one TAB; found {len(sides) - 1 or 'none'}"
        )
    source, target = (tuple(tokenize(side.strip())) for side in sides)
    for name, words in (("source", source), ("target", target)):
        if not words:
            raise InputError(f"{where}: the {name} phrase is empty")
        if len(words) > LONGEST_PHRASE:
            raise InputError(
                f"{where}: the {name} phrase has {len(words)} tokens; the decoder's phrases have "
                f"at most {LONGEST_PHRASE}"
            )
    return source, target


def _places(ways: frozenset[Words], output: Sequence[str]) -> int:
    """How often one of ``ways`` stands in the output: as many places as do not overlap."""
    count = begin = 0
    for end in range(1, len(output) + 1):  # the place that ends first leaves most room for others
        if any(tuple(output[max(begin, end - len(way)) : end]) == way for way in ways):
            count, begin = count + 1, end
    return count
