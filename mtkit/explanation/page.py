"""What ``mtkit explain`` shows: tables, training sentences and, on a page, attention as heat."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console

from mtkit.explanation.reasons import (
    RIVALS,
    Explanation,
    NmtExplanation,
    Phrase,
    SmtExplanation,
    Term,
)
from mtkit.models import KINDS
from mtkit.page.tables import Cell, Grid, html, number, print_grid, say
from mtkit.text.subwords import END_OF_WORD
from mtkit.text.vocabulary import SPECIALS

MEANINGS = {
    "direct": "ln φ(target phrase | source phrase)",
    "direct-lexical": "the same by the phrase's single words",
    "channel": "ln φ(source phrase | target phrase)",
    "channel-lexical": "the same by the phrase's single words",
    "phrases": "number of phrases",
    "words": "number of target words",
    "unknown": "words that were copied, being unknown",
    "lm": "ln P(y) by the language model",
    "distortion": "minus the source words jumped over",
    "context": "ln P(target word | the words of its sentence)",
}
# What a phrase adds to the score, in columns that a terminal has room for; the rest is order.
COLUMNS = (
    ("φ(t|s)", ("direct",)),
    ("lex", ("direct-lexical",)),
    ("φ(s|t)", ("channel",)),
    ("lex", ("channel-lexical",)),
    ("LM", ("lm",)),
    ("Context", ("context",)),
    ("Count", ("phrases", "words", "unknown")),
)
CLOSE = "Evidence, not proof: close in the encoder's space"
COPIED = "copied, being unknown"


@dataclass(frozen=True)
class Found:
    """Training sentences under a heading: rows of line number, source and target."""

    heading: str
    rows: list[tuple[int, str, str]]


def title(found: Explanation) -> str:
    """Which system this is, and of which kind."""
    return f"{found.name}, {KINDS[found.kind]}"


def grids(found: Explanation) -> list[Grid]:
    """The tables, in order."""
    if isinstance(found, NmtExplanation):
        return [_pieces(found)]
    return [_derivation(found), _scores(found), _words(found), _terms(found)]


def evidence(found: Explanation) -> Iterator[Found]:
    """The training sentences, with what they are to the translation."""
    if isinstance(found, NmtExplanation):
        if found.neighbours:
            yield Found(
                f"{CLOSE}. Cosines: {', '.join(f'{n.cosine:.3f}' for n in found.neighbours)}.",
                [(n.pair.line, n.pair.source, n.pair.target) for n in found.neighbours],
            )
        return
    for phrase in found.phrases:
        if phrase.pairs is not None:
            rows = [(pair.line, pair.source, pair.target) for pair in phrase.shown]
            yield Found(_counted(phrase), rows)


def _counted(phrase: Phrase) -> str:
    sides = f"“{' '.join(phrase.source)}” → “{' '.join(phrase.target)}”"
    n = phrase.pairs
    if n == 0:
        return f"{sides}: no training pair contains both."
    if n == 1:
        return f"{sides}: 1 training pair contains both."
    return f"{sides}: {n:,} training pairs contain both; the shortest:"


def remarks(found: Explanation) -> list[str]:
    """What else there is to say."""
    said = []
    if isinstance(found, NmtExplanation):
        if found.attention is None:
            said.append("The model has no attention: one vector stands for the whole source.")
        if found.put_back:
            words = ", ".join(found.put_back)
            said.append(f"Copied, since the network lost it and it must survive: {words}.")
    if found.missing:
        said.append(f"Its training text cannot be searched: {found.missing}.")
    return said


# --- statistical


def _derivation(found: SmtExplanation) -> Grid:
    rows = []
    for phrase in found.phrases:
        first, last = phrase.span[0] + 1, phrase.span[1]
        rows.append(
            [
                Cell(" ".join(phrase.target), COPIED if phrase.copied else ""),
                Cell(" ".join(phrase.source)),
                Cell(f"{first}–{last}" if first < last else f"{first}", number=first),
                Cell(phrase.orientation),
                number(phrase.pairs, 0),
            ]
        )
    return Grid(
        "The phrases in the order of the translation: the source phrase, the numbers of its "
        "words, how it stands to the phrase before, and the training pairs that contain both.",
        ("Phrase", "Source", "Words", "Order", "Pairs"),
        rows,
        [],
    )


def _scores(found: SmtExplanation) -> Grid:
    rows = [[Cell(" ".join(phrase.target)), *_products(phrase.terms)] for phrase in found.phrases]
    return Grid(
        "What each phrase adds to the score: features times weights.",
        ("Phrase", *(name for name, _ in COLUMNS), "Order", "Sum"),
        [*rows, [Cell("Together"), *_products(found.terms)]],
        [
            "φ, and lex beside it: of the phrase table. LM: its words by the language model, the "
            "last phrase with the end. Context: its words by those of the whole source. Count: "
            "of phrases, words and unknown words. Order: jump, and orientation to the phrase "
            "before, by both."
        ],
    )


def _products(terms: Sequence[Term]) -> list[Cell]:
    total = sum(term.product for term in terms)
    sums = [sum(t.product for t in terms if t.feature in names) for _, names in COLUMNS]
    return [number(x, 2) for x in (*sums, total - sum(sums), total)]


def _words(found: SmtExplanation) -> Grid:
    return Grid(
        "The language model: each word given the words before it, as far back as it has seen "
        "them together.",
        ("Word", "After", "n-gram", "ln P"),
        [
            [
                Cell(word.text),
                Cell(" ".join(word.ngram[:-1]) or "–"),
                number(len(word.ngram), 0),
                number(word.log_p, 2),
            ]
            for word in found.words
        ],
        [],
    )


def _terms(found: SmtExplanation) -> Grid:
    zero = [term.feature for term in found.terms if term.value == 0]
    return Grid(
        f"The score, {found.score:.6f}, is the sum of these products.",
        ("Feature", "Value", "Weight", "Product"),
        [
            [
                Cell(term.feature, MEANINGS.get(term.feature) or _orientation(term.feature)),
                number(term.value, 4),
                number(term.weight, 4),
                number(term.product, 4),
            ]
            for term in found.terms
            if term.value != 0
        ],
        [
            *([f"Not shown, being 0: {', '.join(zero)}."] if zero else []),
            "A score of this kind is no probability; it compares within one system alone.",
        ],
    )


def _orientation(feature: str) -> str:
    side, _, how = feature.partition("-")
    return f"ln P({how}) to the {side} phrase"


# --- neural


def spelled(piece: str) -> str:
    """A subword as people read it: … where the word goes on.

    >>> [spelled(piece) for piece in ("Zü", "ge</w>", "</s>")]
    ['Zü…', 'ge', '</s>']
    """
    if piece.endswith(END_OF_WORD):
        return piece.removesuffix(END_OF_WORD)
    return piece if piece in SPECIALS else f"{piece}…"


def _pieces(found: NmtExplanation) -> Grid:
    rows = []
    for t, piece in enumerate(found.pieces):
        at = piece.looked_at
        looked = Cell("–")
        if at is not None and found.attention is not None:
            looked = Cell(spelled(found.source[at]), f"{found.attention[t][at]:.2f}")
        rows.append(
            [
                Cell(spelled(piece.text), f"{piece.copied}, {COPIED}" if piece.copied else ""),
                number(piece.log_p, 2),
                number(math.exp(piece.log_p), 3),
                looked,
                *(Cell(spelled(r.text), f"{r.p:.3f}", r.p) for r in piece.rivals),
            ]
        )
    return Grid(
        "Each subword with its probability, the source subword that the network looked at most, "
        "with the weight of that, and the best rivals with their probabilities.",
        ("Subword", "ln p", "p", "Looked at", *["Rival"] * RIVALS),
        rows,
        [
            f"The score, {found.score:.4f}, is Σ ln p / T^{found.normalisation:g} of T subwords. "
            "…: the word goes on in the next one.",
            "Attention says where the network looked, not why it chose.",
        ],
    )


@dataclass(frozen=True)
class Heat:
    """Attention in whole per cent: a row for each target subword, a column for each source one."""

    columns: list[str]
    rows: list[tuple[str, list[int]]]


def heat(found: Explanation) -> Heat | None:
    """The attention of a network that has one."""
    if not isinstance(found, NmtExplanation) or found.attention is None:
        return None
    return Heat(
        [spelled(piece) for piece in found.source],
        [
            (spelled(piece.text), [round(100 * weight) for weight in weights])
            for piece, weights in zip(found.pieces, found.attention, strict=True)
        ],
    )


# --- terminal and page


def print_explanations(sentence: str, found: Sequence[Explanation], console: Console) -> None:
    """All of it but the heat maps."""
    say(console, sentence, "bold")
    for system in found:
        console.print()
        say(console, f"{title(system)}: {system.translation}", "bold")
        for grid in grids(system):
            console.print()
            print_grid(console, grid)
        for training in evidence(system):
            console.print()
            say(console, training.heading)
            for line, source, target in training.rows:
                say(console, f"  line {line:,}: {source}")
                say(console, f"  {'→':>{len(f'line {line:,}:')}} {target}")
        for remark in remarks(system):
            console.print()
            say(console, remark)


def shown(found: Explanation) -> dict[str, object]:
    """What the template ``explanation.html.j2`` draws."""
    return {
        "name": found.name,
        "title": title(found),
        "translation": found.translation,
        "heat": heat(found),
        "grids": grids(found),
        "evidence": list(evidence(found)),
        "remarks": remarks(found),
    }


def as_html(sentence: str, found: Sequence[Explanation]) -> str:
    """One page that needs nothing from elsewhere."""
    return html(
        "explain.html.j2",
        title=f"mtkit explain: {sentence}",
        sentence=sentence,
        systems=[shown(system) for system in found],
    )
