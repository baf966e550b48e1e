"""A glossary: phrases and how the user wants them translated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from mtkit.console import note
from mtkit.errors import InputError
from mtkit.text.stems import stem
from mtkit.text.terms import Term, read_terms
from mtkit.text.tokenizer import is_verbatim

LONGEST_PHRASE = 7  # tokens a side: no phrase of the decoder has more
Words = tuple[str, ...]


@dataclass(frozen=True)
class Compliance:
    """Matches of a glossary in so many sentences, and those that were translated as it asks.

    matched: the entries, by their source phrases, that matched at least once.
    """

    sentences: int = 0
    matches: int = 0
    complied: int = 0
    matched: frozenset[Words] = field(default=frozenset(), compare=False)

    def __add__(self, more: Compliance) -> Compliance:
        return Compliance(
            self.sentences + more.sentences,
            self.matches + more.matches,
            self.complied + more.complied,
            self.matched | more.matched,
        )

    def __str__(self) -> str:
        if not self.matches:
            return "no match"
        count = f"{self.matches:,} match" + "es" * (self.matches > 1)
        where = f"{self.sentences:,} sentence" + "s" * (self.sentences > 1)
        share = 100 * self.complied // self.matches  # 100 only where all are
        return f"{count} in {where}, {self.complied:,} translated as asked ({share} %)"


@dataclass(frozen=True)
class Glossary:
    """Source phrase → its translations, as word tokens.

    inflected: a phrase also matches where only the stems of its words are those of the sentence.
    left_out: terms of a termbase that are too long for an entry.
    """

    entries: dict[Words, list[Words]] = field(default_factory=dict)
    inflected: bool = False
    left_out: int = 0

    @classmethod
    def read(
        cls, path: Path, tokenize: Callable[[str], list[str]],
        languages: tuple[str, str] | None = None, inflected: bool = False,
    ) -> Glossary:  # fmt: skip
        """The entries of a file; see ``read_terms`` for files and languages, ``of`` for the rest.

        Raises InputError where these do.
        """
        return cls.of(read_terms(path, languages), tokenize, inflected)

    @classmethod
    def of(
        cls, terms: Sequence[Term], tokenize: Callable[[str], list[str]], inflected: bool = False
    ) -> Glossary:
        """Terms as entries; those of the same source are alternatives.

        Raises InputError, naming the line, for a phrase that is empty or too long; too long ones of
        a termbase are left out, unless all are.

        A phrase matches where a sentence has its tokens, case included; but the word with which a
        sentence begins, or which follows a mark, may have a capital letter, and then so may the
        first word of the translation. Limits: words have the same tokens everywhere; a mark at the
        edge of the phrase has those it has beside a space, so that it does not match where the
        sentence glues it to what stands outside: ``pre-`` in ``pre-war``, ``'s`` in ``Ann's``,
        ``"Ox"`` in ``("Ox")``.

        ``inflected`` compares the first letters of words, without case and accents. Endings of
        words that are longer match (``machine``, ``machines``); those of shorter words do not
        (``car``, ``cars``), nor do changes inside a word (``mouse``, ``mice``), and other words
        that begin alike match, too (``community``, ``communism``). The translation is as in the
        file: nothing inflects it.
        """
        entries: dict[Words, list[Words]] = {}
        left_out, refusal = 0, ""
        for term in terms:
            source, target = tuple(tokenize(term.source)), tuple(tokenize(term.target))
            _check_not_empty(term, source, target)
            if too_long := _too_long(term, source, target):
                left_out, refusal = left_out + 1, refusal or too_long
                if not term.foreign:
                    raise InputError(too_long)
                continue
            ways = entries.setdefault(source, [])
            ways += [] if target in ways else [target]
        if refusal and not entries:
            raise InputError(refusal)
        return cls(entries, inflected, left_out)

    def matches(self, words: Sequence[str]) -> list[tuple[int, int, list[Words]]]:
        """(start, end, translations) of the longest matches from left to right; none overlap.

        Inflected ones are looked for where no exact one is.
        """
        matches = []
        for start, end in self._spans(words):
            ways = dict[Words, None]()
            for source in self._sources(words, start, end):
                asked = self.entries[source]
                ways |= dict.fromkeys(asked)
                if _is_capital(words, start) and source[0][:1].islower():
                    ways |= dict.fromkeys((_capital(first), *rest) for first, *rest in asked)
            matches.append((start, end, list(ways)))
        return matches

    def note_left_out(self, path: Path) -> None:
        """Say on stderr what of the file ``path`` is no entry."""
        if self.left_out:
            entries = f"{self.left_out:,} entr" + ("ies" if self.left_out > 1 else "y")
            note(f"{path}: left out {entries} with more than {LONGEST_PHRASE} tokens on a side")

    def unmatched(self, compliance: Compliance) -> list[Words]:
        """The source phrases that matched nothing."""
        return [source for source in self.entries if source not in compliance.matched]

    def summary(self, compliance: Compliance) -> str:
        """What to say after translating: how often it was followed, and how much never matched."""
        total, unmatched = len(self.entries), len(self.unmatched(compliance))
        if not unmatched:
            return str(compliance)
        return f"{compliance}; {unmatched:,} of {total:,} entries matched nothing"

    def _spans(self, words: Sequence[str]) -> list[tuple[int, int]]:
        exact = _longest(words, self.entries)
        if not self.inflected:
            return exact
        spans, begin = list[tuple[int, int]](), 0
        for start, end in [*exact, (len(words), len(words))]:
            within = _longest(_stems(words[begin:start]), self._by_stems)
            spans += [(begin + i, begin + j) for i, j in within]
            spans += [(start, end)] * (end > start)
            begin = end
        return spans

    def _sources(self, words: Sequence[str], start: int, end: int) -> list[Words]:
        """The source phrases that match there: one if exactly, perhaps several by their stems."""
        exact = next((r for r in _readings(words, start, end) if r in self.entries), None)
        return [exact] if exact else self._by_stems[_stems(words[start:end])]

    @cached_property
    def _by_stems(self) -> dict[Words, list[Words]]:
        sources: dict[Words, list[Words]] = {}
        for source in self.entries:
            sources.setdefault(_stems(source), []).append(source)
        return sources

    def compliance(
        self, sources: Iterable[Sequence[str]], outputs: Iterable[Sequence[str]]
    ) -> Compliance:
        """Of sentences and their translations, all as tokens, whoever translated them.

        Matches that ask for the same translations need a place each; those that ask for others are
        counted as if each had the output to itself.
        """
        sentences = matches = complied = 0
        matched = set[Words]()
        for source, output in zip(sources, outputs, strict=True):
            places = self.matches(source)
            matched.update(entry for i, j, _ in places for entry in self._sources(source, i, j))
            asked = Counter(frozenset(ways) for _, _, ways in places)
            sentences += bool(asked)
            matches += asked.total()
            complied += sum(min(n, _places(ways, output)) for ways, n in asked.items())
        return Compliance(sentences, matches, complied, frozenset(matched))


def _check_not_empty(term: Term, source: Words, target: Words) -> None:
    for name, words in (("source", source), ("target", target)):
        if not words:
            raise InputError(f"{term.where}: the {name} phrase is empty")


def _too_long(term: Term, source: Words, target: Words) -> str:
    """Which side has too many tokens, "" for none."""
    for name, words in (("source", source), ("target", target)):
        if len(words) > LONGEST_PHRASE:
            return (
                f"{term.where}: the {name} phrase has {len(words)} tokens; the decoder's phrases "
                f"have at most {LONGEST_PHRASE}"
            )
    return ""


def _longest(words: Sequence[str], phrases: Collection[Words]) -> list[tuple[int, int]]:
    """(start, end) of the longest phrases in ``words`` from left to right; none overlap."""
    spans, start = list[tuple[int, int]](), 0
    longest = max(map(len, phrases), default=0)
    while start < len(words):
        ends = range(min(start + longest, len(words)), start, -1)
        end = next((e for e in ends if any(r in phrases for r in _readings(words, start, e))), None)
        spans += [(start, end)] if end else []
        start = end or start + 1
    return spans


def _readings(words: Sequence[str], start: int, end: int) -> Iterator[Words]:
    """The words there, and with a small letter where the capital may be the sentence's."""
    yield tuple(words[start:end])
    if _is_capital(words, start):
        first = words[start]
        yield (first[0].lower() + first[1:], *words[start + 1 : end])


def _is_capital(words: Sequence[str], i: int) -> bool:
    """Whether a word has a capital letter and begins the sentence, or follows a mark."""
    begins = i == 0 or not any(map(str.isalnum, words[i - 1]))
    return begins and words[i][:1].isupper()


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:]


def _stems(words: Sequence[str]) -> Words:
    """By which words match; numbers and placeholders only by themselves."""
    return tuple(word if is_verbatim(word) else stem(word) for word in words)


def _places(ways: frozenset[Words], output: Sequence[str]) -> int:
    """How often one of ``ways`` stands in the output: as many places as do not overlap."""
    count = begin = 0
    for end in range(1, len(output) + 1):  # the place that ends first leaves most room for others
        if any(tuple(output[max(begin, end - len(way)) : end]) == way for way in ways):
            count, begin = count + 1, end
    return count
