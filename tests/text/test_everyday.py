"""Properties of the embedded corpus."""

from __future__ import annotations

import re
from collections import Counter, defaultdict

import pytest

from mtkit.text.corpus import Corpus, open_corpus
from mtkit.text.tokenizer import JOINER, WordTokenizer

FUNCTION_WORDS = set(
    """the a an this that these those i you he she it we they me him her us them my your his its our
    their mine yours who what which when where why how all some any no every each both either
    neither not n't and or but because if than as so while until since before after although whether
    to of in on at by for with from into about over under up down out off through between during
    without near next is are was were be been being am 's 're 'm 'd 'll 've do does did have has had
    will would can could may might must shall should there here very too also just only still
    already always never often again more most much many few little one two three please yes no then
    now today tomorrow yesterday""".split()  # noqa: SIM905
)
LETTERS = set("äöüÄÖÜßé")
Tokens = list[str]


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return open_corpus()


def tokens(lines: list[str]) -> list[Tokens]:
    words = WordTokenizer(lowercase=True)
    return [[t.strip(JOINER) for t in words.tokenize(line)] for line in lines]


def test_it_has_thousands_of_pairs_of_sentence_length(corpus: Corpus) -> None:
    assert corpus.dev is not None
    assert corpus.test is not None
    splits = (corpus.train, corpus.dev, corpus.test)
    assert sum(map(len, splits)) >= 2000
    sources = [line for split in splits for line in split.source]
    assert len({line.lower() for line in sources}) == len(sources)
    for sentence in tokens(sources):
        assert 3 <= sum(t[0].isalnum() or t[0] == "'" for t in sentence) <= 25, sentence


def test_no_skeleton_is_shared_by_more_than_one_per_cent(corpus: Corpus) -> None:
    def skeleton(sentence: Tokens) -> str:
        kept = (t if t in FUNCTION_WORDS or not t[0].isalnum() else "_" for t in sentence)
        return re.sub(r"_( _)+", "_", " ".join(kept))

    counts = Counter(map(skeleton, tokens(corpus.train.source)))
    shape, n = counts.most_common(1)[0]
    assert n <= len(corpus.train) / 100, shape


def distance(a: Tokens, b: Tokens) -> int:
    """Return the Levenshtein distance in tokens."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]


def near(sentence: Tokens, others: list[Tokens], index: dict[str, list[int]]) -> list[Tokens]:
    """Return the others whose distance is at most 20 % of the longer length.

    Such a pair shares 80 % of its tokens, so it shares one of the ⌊0.2 n⌋ + 2 rarest.
    """
    rare = sorted(sentence, key=lambda t: len(index.get(t, ())))
    # The longer sentence has at most len / 0.8 tokens.
    candidates = {i for t in rare[: int(0.25 * len(sentence)) + 2] for i in index.get(t, ())}
    found = []
    for i in candidates:
        other = others[i]
        limit = 0.2 * max(len(sentence), len(other))
        if abs(len(sentence) - len(other)) > limit or len({*sentence} - {*other}) > limit:
            continue  # each token that the other lacks is at least one edit
        if distance(sentence, other) <= limit:
            found.append(other)
    return found


@pytest.mark.parametrize("side", ["source", "target"])
def test_no_held_out_line_is_near_a_training_line(side: str, corpus: Corpus) -> None:
    train = tokens(getattr(corpus.train, side))
    index: dict[str, list[int]] = defaultdict(list)
    for i, sentence in enumerate(train):
        for t in set(sentence):
            index[t].append(i)
    for split in (corpus.dev, corpus.test):
        for sentence in tokens(getattr(split, side)):
            assert not near(sentence, train, index), sentence
    # The search finds a training line with one token changed.
    for sentence in [t for t in train if len(t) >= 6][:20]:
        assert sentence in near([*sentence[:-2], "xyz", sentence[-1]], train, index)


def test_both_sides_have_similar_lengths_and_ends(corpus: Corpus) -> None:
    splits = [text for text in (corpus.train, corpus.dev, corpus.test) if text is not None]
    for text in splits:
        for source, target in text.pairs():
            assert target == target.strip() != "", source
            assert source != target
            assert all(c.isascii() or c in LETTERS for c in source + target), (source, target)
        sides = tokens(text.source), tokens(text.target)
        lengths = [(len(s), len(t)) for s, t in zip(*sides, strict=True)]
        assert all(1 / 3 < n / m < 3 for n, m in lengths)
        # Misaligned lines would end in different marks.
        ends = [source[-1] == target[-1] for source, target in text.pairs()]
        assert sum(ends) >= 0.99 * len(ends)
