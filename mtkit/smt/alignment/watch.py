"""Show how Model 1 learns the translations of a word: t(f|e) of one word e, by EM iteration.

    t_0(f|e) = 1 / V_f        for all words f; then one EM iteration after another
    perplexity                as in ``align``: one end per sentence counts as a token

The log-likelihood of Model 1 is concave, so EM reaches its maximum from any start with t > 0. If
several t have this likelihood, the start decides which of them (Brown et al. 1993, section 4.3).
Limits: whole words and no prior, as in the paper. ``align`` trains on stems with a prior, so its
figures for the same text differ.
"""

from __future__ import annotations

from difflib import get_close_matches
from itertools import islice
from typing import NamedTuple

import numpy as np

from mtkit.errors import InputError
from mtkit.smt.alignment.align import perplexity
from mtkit.smt.alignment.ibm1 import ibm1
from mtkit.smt.alignment.places import Places
from mtkit.smt.flat import Flat
from mtkit.text.vocabulary import UNK, Sentences, Vocabulary


class Watched(NamedTuple):
    """The translations of a word in the course of EM."""

    words: list[str]  # those with the highest t after the last iteration, best first
    t: list[list[float]]  # of these words by iteration, (iterations + 1, len(words))
    perplexity: list[float]  # of the corpus by iteration, (iterations + 1,)


def watch(e: Sentences, f: Sentences, word: str, iterations: int = 10, best: int = 5) -> Watched:
    """Train P(f|e) on sentence pairs; return the ``best`` translations of ``word`` by iteration.

    Raises InputError if no sentence of ``e`` has the word.
    """
    e_words, f_words = Vocabulary.build(e), Vocabulary.build(f)
    [word_id] = e_words.encode([word])
    if word_id == UNK:
        forms = {w.lower(): w for w in reversed(e_words.words)}  # the form that occurs first wins
        suggestions = [forms[w] for w in get_close_matches(word.lower(), forms, 2)]
        advice = f"; did you mean {' or '.join(suggestions)}?" if suggestions else ""
        raise InputError(f"{word}: the source text has no such word{advice}")
    sides = Flat.of(e, e_words.encode), Flat.of(f, f_words.encode)
    places = Places.of(*sides, len(e_words), len(f_words))
    row = slice(int(places.row[word_id]), int(places.row[word_id + 1]))
    t_after, likelihood = zip(*islice(ibm1(places), iterations + 1), strict=True)
    rows = [t[row] for t in (places.uniform(), *t_after[:-1])]
    top = np.argsort(-rows[-1], kind="stable")[:best]
    return Watched(
        f_words.decode(places.column[row][top].tolist()),
        [t[top].tolist() for t in rows],
        [perplexity(value, len(sides[1].words), len(f)) for value in likelihood],
    )
