"""Sentences in the form that training reads."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from mtkit.nmt.training.segmented import Segmented, Spelling
from mtkit.text.subwords import Subwords
from mtkit.text.vocabulary import Vocabulary


def text_of(subwords: Subwords, sentences: Sequence[Sequence[str]]) -> Segmented:
    vocabulary = Vocabulary.build(sentences)
    ids = [vocabulary.encode(words) for words in sentences]
    words, begin = np.fromiter(chain.from_iterable(ids), np.int32), np.cumsum([0, *map(len, ids)])
    for array in (words, begin):
        array.flags.writeable = False  # as mapped arrays are
    return Segmented(Spelling.of(subwords, vocabulary.words), words, begin[:-1], begin[1:])
