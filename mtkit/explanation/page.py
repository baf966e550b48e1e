"""Output of ``mtkit explain``: tables, training sentences and, on a page, attention heat maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from rich.console import Console

from mtkit.combination.pool import SHARED
from mtkit.explanation.reasons import Explanation, Support
from mtkit.manifest import TrainingPair
from mtkit.models import KINDS
from mtkit.page.tables import Cell, Grid, html, number, print_grid, say, table
from mtkit.system import RIVALS, Candidate, Phrase, PhraseReasons, PoolReasons, SubwordReasons, Term
from mtkit.text.subwords import END_OF_WORD
from mtkit.text.vocabulary import SPECIALS

MEANINGS = {
    "direct": "ln φ(target phrase | source phrase)",
    "direct-lexical": "the same by the phrase's single words",
    "channel": "ln φ(source phrase | target phrase)",
    "channel-lexical": "the same by the phrase's single words",
    "phrases": "number of phrases",
    "words": "number of target words",
    "unknown": "unknown words, copied",
    "lm": "ln P(y) by the language model",
    "distortion": "minus the source words jumped over",
    "context": "ln P(target word | the words of its sentence)",
}
# Columns for a phrase's contributions to the score, few enough for a terminal; all other features
# are in the column Order.
COLUMNS = (
    ("φ(t|s)", ("direct",)),
    ("lex", ("direct-lexical",)),
    ("φ(s|t)", ("channel",)),
    ("lex", ("channel-lexical",)),
    ("LM", ("lm",)),
    ("Context", ("context",)),
    ("Count", ("phrases", "words", "unknown")),
)
COPIED = "copied (unknown word)"
POOL_MEANINGS = {
    "channel": "ln P(x|y)",
    "direct": "ln P(y|x)",
    "model": "score of its search",
    "unreached": "1 if it cannot produce it",
    "agreement": "chrF with its list, 0 to 1",
    "words": "number of words",
}
CANDIDATES = 10  # shown at most


@dataclass(frozen=True)
class View:
    """What is shown of one system. heat: None without attention. evidence: (heading, pairs)."""

    name: str
    title: str
    translation: str
    heat: Grid | None
    grids: list[Grid]
    evidence: list[tuple[str, list[TrainingPair]]]
    remarks: list[str]


def view(explanation: Explanation) -> View:
    """Return the tables, training pairs and remarks for one explanation."""
    reasons = explanation.reasons
    if isinstance(reasons, PhraseReasons):
        heat, remarks, grids = None, list[str](), [_derivation(explanation, reasons)]
        grids += [_scores(reasons), _words(reasons), _terms(reasons)]
        supported = zip(reasons.phrases, explanation.support, strict=False)  # no support if missing
        evidence = [(_support_text(*pair), pair[1].shown) for pair in supported]
    elif isinstance(reasons, PoolReasons):
        heat, remarks, evidence = None, [], []
        grids = [_candidates(reasons), _features(reasons)]
    else:
        heat, remarks, grids = _heat(reasons), [], [_pieces(reasons)]
        if heat is None:
            remarks.append("The model has no attention: one vector stands for the whole source.")
        if reasons.put_back:
            words = ", ".join(reasons.put_back)
            remarks.append(f"Restored, as the network dropped it: {words}.")
        neighbours = explanation.neighbours
        cosines = ", ".join(f"{neighbour.cosine:.3f}" for neighbour in neighbours)
        heading = f"Similar training sentences, by the encoder (cosine {cosines}):"
        evidence = [(heading, [neighbour.pair for neighbour in neighbours])] if neighbours else []
    if explanation.missing:
        remarks.append(f"Its training text cannot be searched: {explanation.missing}.")
    title = f"{explanation.name}, {KINDS[explanation.kind]}"
    return View(explanation.name, title, reasons.translation, heat, grids, evidence, remarks)


# --- statistical


def _derivation(explanation: Explanation, reasons: PhraseReasons) -> Grid:
    names = [Cell(" ".join(phrase.target), COPIED * phrase.copied) for phrase in reasons.phrases]
    with_counts = zip_longest(reasons.phrases, (support.pairs for support in explanation.support))
    return table(
        "Phrases in target order: source phrase, its word numbers, order relative to the phrase "
        "before, and number of training pairs that contain both sides of it.",
        zip(names, with_counts, strict=True),
        [
            ("Source", lambda row: Cell(" ".join(row[0].source))),
            ("Words", lambda row: _span(*row[0].span)),
            ("Order", lambda row: Cell(row[0].orientation)),
            ("Pairs", lambda row: number(row[1], 0)),
        ],
        first="Phrase",
    )


def _span(begin: int, end: int) -> Cell:
    """Format a half-open span as word numbers from 1, the last one included."""
    return Cell(f"{begin + 1}–{end}" if begin + 1 < end else f"{end}", number=begin + 1)


def _support_text(phrase: Phrase, support: Support) -> str:
    n = support.pairs
    counted = f"{n:,} training pairs contain both; the shortest:"
    if n <= 1:
        counted = f"{n or 'no'} training pair contains both."
    return f"“{' '.join(phrase.source)}” → “{' '.join(phrase.target)}”: {counted}"


def _scores(reasons: PhraseReasons) -> Grid:
    rows = [[Cell(" ".join(phrase.target)), *_products(phrase.terms)] for phrase in reasons.phrases]
    return Grid(
        "Contribution of each phrase to the score: features times weights.",
        ("Phrase", *(name for name, _ in COLUMNS), "Order", "Sum"),
        [*rows, [Cell("Total"), *_products(reasons.terms)]],
        [
            "φ and lex: phrase table, and its lexical weights. LM: language model, for the last "
            "phrase with the end of sentence. Context: target words given the source sentence. "
            "Count: number of phrases, words and unknown words. Order: jump and orientation."
        ],
    )


def _products(terms: Sequence[Term]) -> list[Cell]:
    total = sum(term.product for term in terms)
    sums = [sum(t.product for t in terms if t.feature in names) for _, names in COLUMNS]
    return [number(x, 2) for x in (*sums, total - sum(sums), total)]


def _words(reasons: PhraseReasons) -> Grid:
    return table(
        "Language model: each word given the words before it, as far back as the n-gram was seen "
        "in training.",
        [(word.text, word) for word in reasons.words],
        [
            ("After", lambda word: Cell(" ".join(word.ngram[:-1]) or "–")),
            ("n-gram", lambda word: number(len(word.ngram), 0)),
            ("ln P", lambda word: number(word.log_p, 2)),
        ],
        first="Word",
    )


def _terms(reasons: PhraseReasons) -> Grid:
    zero = ", ".join(term.feature for term in reasons.terms if term.value == 0)

    def named(feature: str) -> Cell:
        side, _, orientation = feature.partition("-")
        return Cell(feature, MEANINGS.get(feature, f"ln P({orientation}) to the {side} phrase"))

    return table(
        f"The score, {reasons.score:.6f}, is the sum of these products.",
        [(named(term.feature), term) for term in reasons.terms if term.value != 0],
        [
            ("Value", lambda term: number(term.value, 4)),
            ("Weight", lambda term: number(term.weight, 4)),
            ("Product", lambda term: number(term.product, 4)),
        ],
        [
            *([f"Not shown, as they are 0: {zero}."] if zero else []),
            "The score is not a probability; compare scores only within one system.",
        ],
        first="Feature",
    )


# --- neural


def spelled(piece: str) -> str:
    """Return a subword for display, with … if the word continues.

    >>> [spelled(piece) for piece in ("Zü", "ge</w>", "</s>")]
    ['Zü…', 'ge', '</s>']
    """
    if piece.endswith(END_OF_WORD):
        return piece.removesuffix(END_OF_WORD)
    return piece if piece in SPECIALS else f"{piece}…"


def _pieces(reasons: SubwordReasons) -> Grid:
    def attended(t: int, i: int | None) -> Cell:
        if i is None or reasons.attention is None:
            return Cell("–")
        return Cell(spelled(reasons.source[i]), f"{reasons.attention[t][i]:.2f}")

    return Grid(
        "Each subword with its probability, the source subword with the highest attention weight, "
        "and the most probable alternatives.",
        ("Subword", "ln p", "p", "Attention", *["Rival"] * RIVALS),
        [
            [
                Cell(spelled(piece.text), f"{piece.copied}, {COPIED}" if piece.copied else ""),
                number(piece.log_p, 2),
                number(math.exp(piece.log_p), 3),
                attended(t, piece.looked_at),
                *(Cell(spelled(rival.text), f"{rival.p:.3f}", rival.p) for rival in piece.rivals),
            ]
            for t, piece in enumerate(reasons.pieces)
        ],
        [
            f"The score, {reasons.score:.4f}, is Σ ln p / T^{reasons.normalisation:g} of T "
            "subwords. …: the word continues in the next subword.",
            "Attention shows where the network looked, not why it chose a word.",
        ],
    )


def _heat(reasons: SubwordReasons) -> Grid | None:
    if reasons.attention is None:
        return None
    rows = [
        [Cell(spelled(piece.text)), *(number(round(100 * weight), 0) for weight in weights)]
        for piece, weights in zip(reasons.pieces, reasons.attention, strict=True)
    ]
    return Grid(
        "Attention weights in per cent: target subwords in rows, source subwords in columns.",
        ("", *map(spelled, reasons.source)),
        rows,
    )


# --- combined


def _candidates(reasons: PoolReasons) -> Grid:
    systems = dict.fromkeys(term.feature.rpartition(".")[0] for term in reasons.candidates[0].terms)
    proposers = [s for s in systems if any(s in y.places for y in reasons.candidates)]
    first = reasons.candidates[:CANDIDATES]

    def contribution(y: Candidate, system: str) -> Cell:
        products = [t.product for t in y.terms if t.feature.rpartition(".")[0] == system]
        return number(sum(products), 2)

    return Grid(
        f"The first {len(first)} of {len(reasons.candidates)} candidates: their ranks in the "
        "n-best lists of the systems, and the contribution of each system's features to the score.",
        ("Candidate", *(f"In {name}" for name in proposers), *systems, "Score"),
        [
            [
                Cell(y.text),
                *(number(None if (k := y.places.get(n)) is None else k + 1, 0) for n in proposers),
                *(contribution(y, system) for system in systems),
                number(y.score, 2),
            ]
            for y in first
        ],
        ["all: the number of words, a feature that belongs to no system."]
        if SHARED in systems
        else [],
    )


def _features(reasons: PoolReasons) -> Grid:
    chosen, *_ = candidates = reasons.candidates
    shown = {"Chosen": chosen}
    firsts = {name: y for y in candidates for name, place in y.places.items() if place == 0}
    shown |= {f"Of {name}": firsts[name] for name in sorted(firsts)}
    rows = [
        [
            Cell(term.feature, POOL_MEANINGS.get(term.feature.rpartition(".")[2], "")),
            number(term.weight, 3),
            *(number(y.terms[k].product, 2, f"{y.terms[k].value:.3g}") for y in shown.values()),
        ]
        for k, term in enumerate(chosen.terms)
    ]
    scores = [number(y.score, 2) for y in shown.values()]
    return Grid(
        "Weight times feature value (value below), of the chosen candidate and of the first choice "
        "of each system.",
        ("Feature", "Weight", *shown),
        [*rows, [Cell("Score"), Cell(""), *scores]],
        ["The score is not a probability; compare scores only within one sentence."],
    )


# --- terminal and page


def print_explanations(sentence: str, systems: Sequence[Explanation], console: Console) -> None:
    """Print everything except the heat maps."""
    say(console, sentence, "bold")
    for system in map(view, systems):
        say(console, f"{system.title}: {system.translation}", "bold", above=True)
        for grid in system.grids:
            print_grid(console, grid, above=True)
        for heading, pairs in system.evidence:
            say(console, heading, above=True)
            for pair in pairs:
                line = f"line {pair.line:,}:"
                say(console, f"  {line} {pair.source}")
                say(console, f"  {'→':>{len(line)}} {pair.target}")
        for remark in system.remarks:
            say(console, remark, above=True)


def as_html(sentence: str, explanations: Sequence[Explanation]) -> str:
    """Return one self-contained HTML page."""
    title, systems = f"mtkit explain: {sentence}", list(map(view, explanations))
    return html("explain.html.j2", title=title, sentence=sentence, systems=systems)
