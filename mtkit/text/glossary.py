"""Glossaries: source phrases and the translations that the user requires."""

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
from mtkit.text.tokenizer import WordTokenizer, is_verbatim

LONGEST_PHRASE = 7  # tokens per side, as in the decoder's phrases
MAX_NAMED = 5  # entries that a summary or a report names
Words = tuple[str, ...]


@dataclass(frozen=True)
class Compliance:
    """How often a glossary matched, in how many sentences, and how often it was followed.

    complied: matches translated as required. matched: the source phrases that matched at least
    once.
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
        share = 100 * self.complied // self.matches  # rounded down: 100 only if all complied
        return f"{count} in {where}, {self.complied:,} translated as asked ({share} %)"


@dataclass(frozen=True)
class Glossary:
    """Source phrase → its translations, as word tokens.

    inflected: a phrase also matches if only the stems of its words match. left_out: number of
    terms of a termbase that are too long for an entry.
    """

    entries: dict[Words, list[Words]] = field(default_factory=dict)
    inflected: bool = False
    left_out: int = 0

    @classmethod
    def read(
        cls, path: Path, tokenize: Callable[[str], list[str]],
        languages: tuple[str, str] | None = None, inflected: bool = False,
    ) -> Glossary:  # fmt: skip
        """Read a file; see ``read_terms`` for formats and languages, ``of`` for the entries.

        Raises InputError as these do.
        """
        return cls.of(read_terms(path, languages), tokenize, inflected)

    @classmethod
    def of(
        cls, terms: Sequence[Term], tokenize: Callable[[str], list[str]], inflected: bool = False
    ) -> Glossary:
        """Return terms as entries; terms with the same source are alternatives.

        Raises InputError, naming the line, for a phrase that is empty or too long. Terms of a
        termbase that are too long are left out instead, unless all are.

        A phrase matches where a sentence has its tokens, case included. But the first word of a
        sentence, or a word after punctuation, may have a capital letter, and then so may the first
        word of the translation. Limit: punctuation at the edge of a phrase is tokenised as beside a
        space, so the phrase does not match where a sentence joins it to its neighbour: ``pre-`` in
        ``pre-war``, ``'s`` in ``Ann's``, ``"Ox"`` in ``("Ox")``.

        ``inflected`` compares the first letters of words (``stems``), without case and accents.
        Endings of longer words match (``machine``, ``machines``). Endings of shorter words do not
        (``car``, ``cars``), nor do changes inside a word (``mouse``, ``mice``). Unrelated words
        with the same beginning match, too (``community``, ``communism``). The translation is used
        as in the file; it is not inflected.
        """
        entries: dict[Words, dict[Words, None]] = {}
        left_out, refusal = 0, ""
        for term in terms:
            source, target = tuple(tokenize(term.source)), tuple(tokenize(term.target))
            _check_not_empty(term, source, target)
            if error := _length_error(term, source, target):
                left_out, refusal = left_out + 1, refusal or error
                if not term.foreign:
                    raise InputError(error)
                continue
            entries.setdefault(source, {})[target] = None
        if refusal and not entries:
            raise InputError(refusal)
        return cls({x: list(targets) for x, targets in entries.items()}, inflected, left_out)

    def matches(self, words: Sequence[str]) -> list[tuple[int, int, list[Words]]]:
        """Return (start, end, translations) of the longest matches from left to right, disjoint.

        Inflected matches are sought only between the exact ones.
        """
        matches = []
        for start, end in self._spans(words):
            choices = dict[Words, None]()
            for source in self._sources(words, start, end):
                targets = self.entries[source]
                choices |= dict.fromkeys(targets)
                if _has_sentence_capital(words, start) and source[0][:1].islower():
                    choices |= dict.fromkeys((_capital(first), *rest) for first, *rest in targets)
            matches.append((start, end, list(choices)))
        return matches

    def note_left_out(self, path: Path) -> None:
        """Print on stderr how many terms of the file ``path`` were left out."""
        if self.left_out:
            entries = f"{self.left_out:,} entr" + ("ies" if self.left_out > 1 else "y")
            note(f"{path}: left out {entries} with more than {LONGEST_PHRASE} tokens on a side")

    def unmatched(self, compliance: Compliance) -> list[Words]:
        """Return the source phrases that matched nothing."""
        return [source for source in self.entries if source not in compliance.matched]

    def summary(self, compliance: Compliance, tokenizer: WordTokenizer) -> str:
        """Describe how often the glossary was followed, and which entries never matched."""
        total, unmatched = len(self.entries), self.unmatched(compliance)
        if not unmatched:
            return str(compliance)
        summary = f"{compliance}; {len(unmatched):,} of {total:,} entries matched nothing"
        if len(unmatched) == total:
            return summary
        phrases = [f'"{tokenizer.detokenize(source)}"' for source in unmatched[:MAX_NAMED]]
        return f"{summary}: {', '.join(phrases)}{', …' * (len(unmatched) > MAX_NAMED)}"

    def _spans(self, words: Sequence[str]) -> list[tuple[int, int]]:
        exact = _longest_spans(words, self.entries)
        if not self.inflected:
            return exact
        spans, begin, stems = list[tuple[int, int]](), 0, _stems(words)
        for start, end in [*exact, (len(words), len(words))]:
            spans += _longest_spans(stems, self._by_stems, begin, start)
            spans += [(start, end)] * (end > start)
            begin = end
        return spans

    def _sources(self, words: Sequence[str], start: int, end: int) -> list[Words]:
        """Return the source phrases that match there: an exact one, else all with these stems."""
        exact = next((v for v in _variants(words, start, end) if v in self.entries), None)
        if exact:
            return [exact]
        inexact = _variants(_stems(words), start, end)
        return next(self._by_stems[v] for v in inexact if v in self._by_stems)

    @cached_property
    def _by_stems(self) -> dict[Words, list[Words]]:
        sources: dict[Words, list[Words]] = {}
        for source in self.entries:
            sources.setdefault(_stems(source), []).append(source)
        return sources

    def compliance(
        self, sources: Iterable[Sequence[str]], outputs: Iterable[Sequence[str]]
    ) -> Compliance:
        """Measure the compliance of tokenised translations, by any system, of tokenised sentences.

        Matches that require the same translations need one place each in the output. Matches that
        require different translations are counted independently of each other.
        """
        sentences = matches = complied = 0
        matched = set[Words]()
        for source, output in zip(sources, outputs, strict=True):
            spans = self.matches(source)
            matched.update(entry for i, j, _ in spans for entry in self._sources(source, i, j))
            required = Counter(frozenset(targets) for _, _, targets in spans)
            sentences += bool(required)
            matches += required.total()
            complied += sum(min(n, _hits(targets, output)) for targets, n in required.items())
        return Compliance(sentences, matches, complied, frozenset(matched))


def _check_not_empty(term: Term, source: Words, target: Words) -> None:
    for name, words in (("source", source), ("target", target)):
        if not words:
            raise InputError(f"{term.where}: the {name} phrase is empty")


def _length_error(term: Term, source: Words, target: Words) -> str:
    """Return a message on the side with too many tokens; "" for none."""
    for name, words in (("source", source), ("target", target)):
        if len(words) > LONGEST_PHRASE:
            return (
                f"{term.where}: the {name} phrase has {len(words)} tokens; the decoder's phrases "
                f"have at most {LONGEST_PHRASE}"
            )
    return ""


def _longest_spans(
    words: Sequence[str], phrases: Collection[Words], start: int = 0, stop: int | None = None
) -> list[tuple[int, int]]:
    """Return (start, end) of the longest phrases in words[start:stop], left to right, disjoint."""
    spans, stop = list[tuple[int, int]](), len(words) if stop is None else stop
    longest = max(map(len, phrases), default=0)
    while start < stop:
        ends = range(min(start + longest, stop), start, -1)
        end = next((e for e in ends if any(v in phrases for v in _variants(words, start, e))), None)
        spans += [(start, end)] if end else []
        start = end or start + 1
    return spans


def _variants(words: Sequence[str], start: int, end: int) -> Iterator[Words]:
    """Yield the words there, then with a small initial if the capital may be the sentence's."""
    yield tuple(words[start:end])
    if _has_sentence_capital(words, start):
        first = words[start]
        yield (first[0].lower() + first[1:], *words[start + 1 : end])


def _has_sentence_capital(words: Sequence[str], i: int) -> bool:
    """Return whether word ``i`` is capitalised and is the first, or follows punctuation."""
    begins = i == 0 or not any(map(str.isalnum, words[i - 1]))
    return begins and words[i][:1].isupper()


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:]


def _stems(words: Sequence[str]) -> Words:
    """Return the keys by which inflected words match; verbatim tokens match only exactly."""
    return tuple(word if is_verbatim(word) else stem(word) for word in words)


def _hits(targets: frozenset[Words], output: Sequence[str]) -> int:
    """Return the largest number of disjoint places in ``output`` that hold one of ``targets``."""
    count = begin = 0
    for end in range(1, len(output) + 1):  # the place that ends first leaves most room for others
        if any(tuple(output[max(begin, end - len(target)) : end]) == target for target in targets):
            count, begin = count + 1, end
    return count
