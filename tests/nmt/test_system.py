from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mtkit import load
from mtkit.errors import InputError
from mtkit.manifest import Manifest
from mtkit.nmt.model import ModelConfig, Seq2Seq
from mtkit.nmt.recipe import TrainConfig
from mtkit.nmt.search import Output
from mtkit.nmt.system import NmtSystem
from mtkit.nmt.training import build
from mtkit.text.corpus import Bitext, Corpus, hold_out
from mtkit.text.subwords import Subwords
from mtkit.text.tokenizer import WordTokenizer
from mtkit.text.vocabulary import EOS, PAD, SPECIALS, UNK
from tests.support.segmented import text_of

SOURCE = ["abba", "☃", "ab"]  # several pieces, an unknown one, one or two pieces


def spelling(attention: str = "bilinear") -> NmtSystem:
    """Return a system that splits most words into letters."""
    subwords = Subwords.train([["ab", "ba", "bb", "aa"]] * 3, 9)
    torch.manual_seed(1)
    config = ModelConfig(len(subwords), attention=attention, embedding=4, hidden=6)
    return NmtSystem([Seq2Seq(config)], subwords, WordTokenizer())


def backwards(system: NmtSystem) -> tuple[list[int], list[int]]:
    """Return the pieces of SOURCE's words in reverse order, and their positions in SOURCE."""
    source, target = system.subwords.encode([SOURCE, SOURCE[::-1]])
    first = [source.words.index(2 - word) for word in target.words]  # the word's first piece
    at = [k - target.words.index(word) for k, word in enumerate(target.words)]
    return target.ids, [f + k for f, k in zip(first, at, strict=True)]


def test_links_are_between_words_and_unknown_words_are_copied() -> None:
    system = spelling()
    [source] = system.subwords.encode([SOURCE])
    ids, positions = backwards(system)
    assert len(ids) > 3
    assert ids.count(UNK) == 1
    output = Output(ids, [-1.0] * (len(ids) + 1), positions, -1.0)
    hypothesis = system._hypothesis(output, SOURCE, source)
    assert hypothesis.tokens == SOURCE[::-1]
    assert hypothesis.unknown == ["☃"]
    assert hypothesis.alignment == [(0, 2), (1, 1), (2, 0)]
    # A subword whose attention is on </s> has no link.
    nowhere = Output(ids, output.logprobs, [len(source.ids)] * len(ids), -1.0)
    assert system._hypothesis(nowhere, SOURCE, source).alignment == []


SPELLING = spelling()
PIECES = st.sampled_from([UNK, *range(len(SPECIALS), len(SPELLING.subwords))])


@given(st.lists(st.tuples(PIECES, st.integers(0, 7)), max_size=9), st.booleans())
def test_links_are_of_words_even_unfinished_ones(
    steps: list[tuple[int, int]], verbatim: bool
) -> None:
    """A piece belongs to the last word of the prefix that ends with it."""
    system = replace(SPELLING, verbatim=verbatim)
    [source] = system.subwords.encode([SOURCE])
    ids = [i for i, _ in steps]
    positions = [min(k, len(source.ids)) for _, k in steps]
    hypothesis = system._hypothesis(
        Output(ids, [-1.0] * (len(ids) + 1), positions, -1.0), SOURCE, source
    )
    links = {
        (source.words[k], len(system.subwords.decode(ids[: t + 1])) - 1)
        for t, k in enumerate(positions)
        if k < len(source.ids)
    }
    assert hypothesis.alignment == sorted(links)
    assert hypothesis.tokens == system.subwords.decode(ids, hypothesis.unknown)
    assert hypothesis.text == system.tokenizer.detokenize(hypothesis.tokens)
    assert len(hypothesis.unknown) == ids.count(UNK)


def test_a_number_is_restored_after_an_unfinished_word() -> None:
    """ "a" is unfinished and ``<unk>`` copies a word: the number replaces the third word."""
    system, words = spelling(), ["ab", "☃", "12"]
    [source] = system.subwords.encode([words])
    pieces = system.subwords.pieces
    ids = [pieces.index("a"), UNK, pieces.index("b</w>")]
    positions = [source.words.index(k) for k in range(3)]
    output = Output(ids, [-1.0] * 4, positions, -1.0)
    hypothesis = system._hypothesis(output, words, source)
    assert (hypothesis.text, hypothesis.alignment) == ("a ☃ 12", [(0, 0), (1, 1), (2, 2)])


def test_a_dropped_number_is_restored() -> None:
    system = spelling()
    words = ["ab", "12"]
    [source], [target] = system.subwords.encode([words]), system.subwords.encode([["ba"]])
    output = Output(target.ids, [-1.0] * (len(target.ids) + 1), [0] * len(target.ids), -1.0)
    hypothesis = system._hypothesis(output, words, source)
    assert (hypothesis.text, hypothesis.alignment) == ("ba 12", [(0, 0), (1, 1)])
    system.verbatim = False
    assert system._hypothesis(output, words, source).text == "ba"


def test_links_of_two_source_words() -> None:
    system = spelling()
    [source] = system.subwords.encode([SOURCE])
    [target] = system.subwords.encode([["abba"]])
    positions = [source.words.index(2), *[source.words.index(0)] * (len(target.ids) - 1)]
    output = Output(target.ids, [-1.0] * (len(target.ids) + 1), positions, -1.0)
    assert system._hypothesis(output, SOURCE, source).alignment == [(0, 0), (2, 0)]


def test_without_attention_there_are_no_links() -> None:
    system = spelling("none")
    [source] = system.subwords.encode([SOURCE])
    ids, positions = backwards(system)
    output = Output(ids, [-1.0] * (len(ids) + 1), positions, -1.0)
    assert system._hypothesis(output, SOURCE, source).alignment == []


def test_the_search_uses_the_systems_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    system = spelling()
    system.beam, system.normalisation = 3, 0.5
    [source], [a, b] = system.subwords.encode([["abba"]]), system.subwords.encode([["ab"], ["ba"]])
    asked = []

    def search(_: list[Seq2Seq], x: Tensor, beam: int, normalisation: float) -> list[list[Output]]:
        asked.append((x.tolist(), beam, normalisation))
        found = [
            Output(w.ids, [s] * (len(w.ids) + 1), [0] * len(w.ids), s)
            for w, s in ((a, -1.0), (b, -2.0), (a, -3.0))
        ]
        return [found]

    monkeypatch.setattr("mtkit.nmt.system.beam_search", search)
    # Of outputs with equal text, the best is kept.
    assert [(h.text, h.score) for h in system.translate(["abba"], 3)[0]] == [("ab", -1), ("ba", -2)]
    system.translate(["abba"], 9)
    # For more outputs than the beam, a wider search follows that of its own.
    assert asked == [([[*source.ids, EOS]], beam, 0.5) for beam in (3, 3, 9)]


@pytest.mark.parametrize(("pairs", "held"), [(40, 2), (20_000, 1000), (30_000, 1000)])
def test_one_in_twenty_but_at_most_a_thousand_is_held_out(pairs: int, held: int) -> None:
    lines = [str(i) for i in range(pairs)]
    train, dev = hold_out(Bitext(lines, lines, (Path(), Path())), 20)
    assert len(dev) == held
    assert sorted([*train.source, *dev.source]) == sorted(lines)


def test_pairs_too_long_on_either_side_are_left_out() -> None:
    subwords = Subwords.train([["a", "b"]], 6)
    sides = [[["a"] * n for n in (2, 3, 2, 2)], [["b"] * n for n in (2, 2, 3, 0)]]
    kept = build._drop_long(*(text_of(subwords, side) for side in sides), 2)
    assert [[subwords.decode(ids) for ids in side] for side in kept] == [[["a", "a"]], [["b", "b"]]]


def test_dev_perplexity_is_the_saved_models_on_the_dev_set(
    nmt_directory: Path, few: Corpus
) -> None:
    scores = [s.direct for s in load(nmt_directory).score(few.dev.pairs())]
    expected = math.exp(-sum(s.value for s in scores) / sum(s.tokens for s in scores))
    found = Manifest.read(nmt_directory).figures["dev_perplexity"]
    assert found == pytest.approx(expected, rel=1e-4)


def test_the_subwords_spell_both_languages(nmt_directory: Path, few: Corpus) -> None:
    system = load(nmt_directory)
    for side in (few.train.source, few.train.target):
        encoded = system.subwords.encode(system.tokenize(side))
        assert not any(UNK in e.ids for e in encoded)
    german = system.subwords.encode(system.tokenize(few.train.target))
    assert len({i for e in german for i in e.ids}) > len(system.subwords) / 3


def other(system: NmtSystem, seed: int) -> NmtSystem:
    torch.manual_seed(seed)
    return NmtSystem([Seq2Seq(system.models[0].config)], system.subwords, system.tokenizer)


def test_an_ensembles_probability_is_the_mean_of_its_models() -> None:
    """The mean of P(y_t | y_<t, x) by subword; targets are one subword and ``</s>``."""
    systems = [spelling(), other(spelling(), 5), other(spelling(), 6)]
    together = NmtSystem.ensemble(systems, [Path("a"), Path("b"), Path("c")])
    pairs = [("abba ab", "aa"), ("ba", "bb")]
    steps = []
    for system in systems:
        data = system.data(Bitext(["abba ab", "ba"], ["aa", "bb"], (Path(), Path())))
        batches = [data.batch([k]) for k in range(2)]
        logits = [system.models[0](b.x, b.y_in, b.real) for b in batches]
        each = [
            row.softmax(-1).gather(1, b.y_out[b.y_out != PAD][:, None])[:, 0]
            for row, b in zip(logits, batches, strict=True)
        ]
        steps.append(each)
    for k, score in enumerate(together.score(pairs)):
        mean = torch.stack([each[k] for each in steps]).mean(0)
        assert score.direct is not None
        assert score.direct.value == pytest.approx(mean.log().sum().item(), abs=1e-5)


def test_an_ensemble_of_one_model_thrice_is_that_model() -> None:
    system = spelling()
    thrice = NmtSystem.ensemble([system] * 3, [Path()] * 3)
    text = ["abba ab", "ba", "aa bb ab"]
    one, three = (s.translate(text, n_best=3) for s in (system, thrice))
    for a, b in zip(one, three, strict=True):
        assert [h.text for h in a] == [h.text for h in b]
        assert [h.score for h in a] == pytest.approx([h.score for h in b], abs=1e-5)


def test_an_ensemble_shares_its_subwords() -> None:
    subwords = Subwords.train([["ab", "ba", "bb", "aa"]] * 3, 8)
    smaller = NmtSystem(spelling().models, subwords, WordTokenizer())
    with pytest.raises(InputError, match="b: its subwords differ from those of a"):
        NmtSystem.ensemble([spelling(), smaller], [Path("a"), Path("b")])


def test_lines_of_all_lengths_translate_as_each_alone() -> None:
    """In any batches and threads, and by an ensemble too."""
    text = [" ".join(["ab", "ba", "bb", "aa"][: n % 4 + 1] * (n % 3 + 1)) for n in range(24)]
    systems = [spelling(), other(spelling(), 5)]
    for system in (systems[0], NmtSystem.ensemble(systems, [Path(), Path()])):
        together, alone = system.translate(text), [system.translate([line])[0] for line in text]
        assert [h[0].tokens for h in together] == [h[0].tokens for h in alone]
        assert len({h[0].text for h in together}) > 2


def test_bpe_dropout_varies_both_sides_by_the_seed() -> None:
    subwords = Subwords.train([["abba", "ab", "ba", "bb"]] * 3, 14)
    sides = [[["abba", "ab"]] * 20, [["ba", "bb"]] * 20]
    segmented = [text_of(subwords, side) for side in sides]
    assert build._segment(*segmented, 0.0) is None
    segment = build._segment(*segmented, 0.5)
    assert segment is not None
    first, again, other = ((list(d.sources), list(d.targets)) for d in map(segment, (1, 1, 2)))
    assert first == again
    for k, words in enumerate(sides):
        assert first[k] != other[k]
        assert first[k] != [e.ids for e in subwords.encode(words)]
        assert [subwords.decode(ids) for ids in first[k]] == words


def test_continued_training_keeps_the_shape() -> None:
    old = spelling("dot")
    resolved = build._resolved(TrainConfig(dropout=0.4), 100, old)
    assert ModelConfig.of(resolved, resolved.vocabulary) == replace(
        old.models[0].config, dropout=0.4
    )
    assert build._resolved(TrainConfig(), 100, None).vocabulary == 500
    assert build._resolved(TrainConfig(), 10_000, None).vocabulary == 800
