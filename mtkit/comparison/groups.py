"""Example sentences of each group that BLEU or F1 is shown for.

A group by length shows the sentences where two systems differ most in chrF. A group of words by
frequency shows the sentences with the most words that only one of the systems gets right.
"""

from __future__ import annotations

from bisect import bisect
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from mtkit.comparison.examples import Example
from mtkit.comparison.where import Text, Words, matches
from mtkit.evaluation.perplexity import FREQUENCIES, ranges

SENTENCES = 5  # shown per group, at most
WORDS_SHOWN = 6  # words named per sentence, at most
Make = Callable[[int, str], Example]
Groups = list[tuple[str, list[Example]]]  # label → sentences
MatchedWords = list[tuple[str, list[str]]]  # (word, systems that match it)


def by_length(
    lengths: Iterable[tuple[int, int, Sequence[int]]],
    chrf: Mapping[str, Sequence[float]],
    rivals: Sequence[str],
    make: Make,
) -> Groups:
    """Choose examples by source length. lengths: (fewest words, most words, rows) of each group.

    rivals: two systems, or the only one, whose sentences of the lowest chrF are then chosen.
    """

    def order(i: int) -> float:
        return -abs(chrf[rivals[0]][i] - chrf[rivals[1]][i]) if rivals[1:] else chrf[rivals[0]][i]

    def why(i: int) -> str:
        ahead, *behind = sorted(rivals, key=lambda name: -chrf[name][i])
        if not behind:
            return "among the lowest chrF"
        gap = chrf[ahead][i] - chrf[behind[0]][i]
        return f"{ahead} is ahead of {behind[0]} by {gap:.1f} chrF" if gap else "the same chrF"

    return [
        (f"{low}–{high}", [make(i, why(i)) for i in sorted(rows, key=order)[:SENTENCES]])
        for low, high, rows in lengths
    ]


def by_frequency(text: Text, outputs: Mapping[str, Sequence[Words]], make: Make) -> Groups:
    """Choose examples by training frequency of reference words. outputs: of one or two systems.

    Empty if the frequencies are not known.
    """
    if text.counts is None:
        return []
    labels = ranges(FREQUENCIES)
    by_label: dict[str, dict[int, MatchedWords]] = {label: defaultdict(list) for label in labels}
    for row, reference in enumerate(text.reference):
        matched = {name: set(matches(reference, lines[row])) for name, lines in outputs.items()}
        for position, word in enumerate(reference):
            label = labels[bisect(FREQUENCIES, text.counts[word]) - 1]
            systems = [name for name, positions in matched.items() if position in positions]
            by_label[label][row].append((word, systems))

    def order(words: MatchedWords) -> int:
        return -sum(len(systems) == 1 for _, systems in words)

    return [
        (label, [make(i, _why(of[i])) for i in sorted(of, key=lambda i: order(of[i]))[:SENTENCES]])
        for label, of in by_label.items()
    ]


def _why(words: MatchedWords) -> str:
    """Name the words and the systems that match them.

    >>> _why([("Zug", ["a", "b"]), ("Gleis", [])])
    'Zug (a, b), Gleis (no system)'
    """
    clauses = dict.fromkeys(f"{word} ({', '.join(names) or 'no system'})" for word, names in words)
    more = ", …" * (len(clauses) > WORDS_SHOWN)
    return ", ".join(list(clauses)[:WORDS_SHOWN]) + more
