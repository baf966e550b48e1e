"""Explanations against the models' own figures, and the escaping of hostile text."""

from __future__ import annotations

import io
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from mtkit import load
from mtkit.errors import InputError
from mtkit.explanation.page import COPIED, as_html, print_explanations, spelled, view
from mtkit.explanation.reasons import MAX_SHOWN, Explanation, as_object, explain
from mtkit.nmt.model import ModelConfig, Seq2Seq
from mtkit.nmt.system import NmtSystem
from mtkit.smt.system import SmtSystem
from mtkit.system import RIVALS, PhraseReasons, SubwordReasons
from mtkit.text.corpus import Corpus
from mtkit.text.vocabulary import BOS, EOS, PAD, SPECIALS
from tests.support.corpora import beside_its_text

SENTENCES = ["Where is the train?", "I have a Xqzvw and 1234 books.", "Is she here today?"]
HOSTILE = "The \x1b[31mtrain\x07 <b>is</b> [red]here[/red] \u202e."


@pytest.fixture(scope="module")
def smt_copy(smt_directory: Path, few: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return beside_its_text(smt_directory, few, tmp_path_factory.mktemp("smt"))[0]


@pytest.fixture(scope="module")
def nmt_copy(nmt_directory: Path, few: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return beside_its_text(nmt_directory, few, tmp_path_factory.mktemp("nmt"))[0]


def smt_of(directory: Path, sentence: str) -> tuple[SmtSystem, PhraseReasons]:
    system = SmtSystem.load(directory)
    return system, system.explain(sentence)


def nmt_of(directory: Path, sentence: str) -> tuple[NmtSystem, SubwordReasons]:
    system = NmtSystem.load(directory)
    return system, system.explain(sentence)


def asked(directory: Path, sentence: str) -> Explanation:
    [explanation] = explain(directory, load(directory), [sentence])
    return explanation


# --- statistical


@pytest.mark.parametrize("sentence", SENTENCES)
def test_products_sum_to_the_score(sentence: str, smt_copy: Path) -> None:
    system, found = smt_of(smt_copy, sentence)
    [[best]] = system.translate([sentence])
    assert (found.translation, found.score) == (best.text, best.score)
    assert {term.feature: term.value for term in found.terms} == best.features
    assert sum(term.product for term in found.terms) == pytest.approx(best.score, abs=1e-6)
    for k, term in enumerate(found.terms):
        assert (term.weight, term.product) == (system.weights[term.feature],
                                               term.value * term.weight)  # fmt: skip
        of_phrases = sum(phrase.terms[k].value for phrase in found.phrases)
        assert of_phrases == pytest.approx(term.value, abs=1e-6), term.feature
    assert [w for phrase in found.phrases for w in phrase.target] == best.tokens
    covered = [i for phrase in found.phrases for i in range(*phrase.span)]
    assert sorted(covered) == list(range(len(found.source)))


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_phrase_has_the_scores_of_its_table_row(sentence: str, smt_copy: Path) -> None:
    system, found = smt_of(smt_copy, sentence)
    table, vocabularies = system.models.table, (system.models.source, system.models.target)
    sources = [table.source[a:b].tolist() for a, b in zip(table.s_begin, table.s_begin[1:])]  # noqa: B905
    end = 0
    for phrase in found.phrases:
        terms = {term.feature: term.value for term in phrase.terms}
        x, y = (
            v.encode(w) for v, w in zip(vocabularies, (phrase.source, phrase.target), strict=True)
        )
        assert terms["distortion"] == -abs(phrase.span[0] - end)
        assert terms["words"] == len(phrase.target)
        end = phrase.span[1]
        assert phrase.copied == (terms["unknown"] == 1)
        if phrase.copied:
            assert phrase.source == phrase.target
            continue
        r = sources.index(x)
        [pair] = [
            p
            for p in range(table.row[r], table.row[r + 1])
            if table.target[table.t_begin[p] : table.t_begin[p + 1]].tolist() == y
        ]
        named = [terms[n] for n in ("direct", "direct-lexical", "channel", "channel-lexical")]
        np.testing.assert_allclose(named, table.features[pair], atol=1e-9)
        o = ["monotone", "swap", "discontinuous"].index(phrase.orientation)
        reordering = terms[f"previous-{phrase.orientation}"]
        assert reordering == pytest.approx(float(table.reordering[pair, o]), abs=1e-9)


def test_orientations_follow_from_the_spans(smt_copy: Path, few: Corpus) -> None:
    system = SmtSystem.load(smt_copy)
    eager = dict.fromkeys(system.weights, 0.0) | {"previous-swap": -5.0, "words": 0.1}
    seen = set()
    for one in (system, system.with_weights(eager)):
        for sentence in few.train.source[:40]:
            [[best]] = one.translate([sentence])
            phrases, last = one.explain(sentence).phrases, (-1, 0)
            for (s0, s1, _, _), phrase in zip(best.segments, phrases, strict=True):
                swap = s1 == last[0]
                expected = "monotone" if s0 == last[1] else "swap" if swap else "discontinuous"
                assert phrase.orientation == expected
                last = (s0, s1)
                seen.add(expected)
    assert seen == {"monotone", "swap", "discontinuous"}


def test_words_show_ngrams_and_log_p(smt_copy: Path) -> None:
    system, found = smt_of(smt_copy, SENTENCES[0])
    [[best]] = system.translate(SENTENCES[:1])
    assert [(w.text, w.log_p) for w in found.words] == best.token_logprobs
    assert [len(w.ngram) for w in found.words] == best.orders
    text = ["<s>", *best.tokens, "</s>"]
    for at, word in enumerate(found.words, 1):
        assert word.ngram == text[at + 1 - len(word.ngram) : at + 1]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_the_pairs_of_a_phrase_contain_both_sides(
    sentence: str, smt_copy: Path, few: Corpus
) -> None:
    system, found = SmtSystem.load(smt_copy), asked(smt_copy, sentence)
    assert isinstance(found.reasons, PhraseReasons)

    def contains(line: str, phrase: list[str]) -> bool:
        [words] = system.tokenize([line])
        return any(words[i : i + len(phrase)] == phrase for i in range(len(words)))

    for phrase, support in zip(found.reasons.phrases, found.support, strict=True):
        expected = [
            n
            for n, (s, t) in enumerate(few.train.pairs(), 1)
            if contains(s, phrase.source) and contains(t, phrase.target)
        ]
        assert support.pairs == len(expected)
        assert len(support.shown) == min(MAX_SHOWN, len(expected))
        for pair in support.shown:
            assert pair.line in expected
            assert (pair.source, pair.target) == few.train.pairs()[pair.line - 1]
        assert phrase.copied or support.pairs


def test_copied_words_are_marked(smt_copy: Path) -> None:
    found = asked(smt_copy, SENTENCES[1])
    assert isinstance(found.reasons, PhraseReasons)
    copied = [" ".join(phrase.target) for phrase in found.reasons.phrases if phrase.copied]
    assert sorted(copied) == ["1234", "Xqzvw", "books"]  # not in the training text
    marked = [row[0].text for row in view(found).grids[0].rows if row[0].small == COPIED]
    assert marked == copied


# --- neural


@pytest.mark.parametrize("sentence", SENTENCES)
def test_attention_and_log_p_equal_the_networks(sentence: str, nmt_copy: Path) -> None:
    system, found = nmt_of(nmt_copy, sentence)
    [[best]] = system.translate([sentence])
    assert found.translation == best.text
    assert [p.text for p in found.pieces] == [text for text, _ in best.token_logprobs]
    searched = [log_p for _, log_p in best.token_logprobs]
    np.testing.assert_allclose([p.log_p for p in found.pieces], searched, atol=1e-4)
    assert found.attention is not None
    alpha = np.array(found.attention)
    assert alpha.shape == (len(found.pieces), len(found.source))
    np.testing.assert_allclose(alpha.sum(1), 1, atol=1e-5)
    assert [p.looked_at for p in found.pieces] == alpha.argmax(1).tolist()
    assert (found.source[-1], found.pieces[-1].text) == ("</s>", "</s>")
    mean = sum(searched) / len(searched) ** found.normalisation
    assert found.score == pytest.approx(mean, abs=1e-5)


@torch.inference_mode()
def test_rivals_are_the_best_pieces_not_chosen(nmt_copy: Path) -> None:
    system, found = nmt_of(nmt_copy, SENTENCES[0])
    [model], pieces = system.models, system.subwords.pieces
    x, y = ([pieces.index(p) for p in side] for side in (found.source, shown_pieces(found)))
    logits = model(torch.tensor([x]), torch.tensor([[BOS, *y[:-1]]]), torch.arange(len(y)))
    for piece, chosen, p in zip(found.pieces, y, logits.softmax(-1).tolist(), strict=True):
        others = [i for i in range(len(p)) if i not in (chosen, PAD, BOS)]
        best = sorted(others, key=lambda i: -p[i])[:RIVALS]
        assert [r.text for r in piece.rivals] == [pieces[i] for i in best]
        np.testing.assert_allclose([r.p for r in piece.rivals], [p[i] for i in best], rtol=1e-3)
        assert math.exp(piece.log_p) == pytest.approx(p[chosen], rel=1e-3)


def shown_pieces(found: SubwordReasons) -> list[str]:
    return [piece.text for piece in found.pieces]


def test_neighbours_are_the_closest_training_pairs(nmt_copy: Path, few: Corpus) -> None:
    found = asked(nmt_copy, few.train.source[7])
    assert len(found.neighbours) == MAX_SHOWN
    first = found.neighbours[0]
    assert first.cosine == pytest.approx(1, abs=1e-5)
    assert (first.pair.source, first.pair.target) == few.train.pairs()[first.pair.line - 1]
    assert first.pair.source == few.train.source[7]
    cosines = [n.cosine for n in found.neighbours]
    assert cosines == sorted(cosines, reverse=True)
    [(heading, _)] = view(found).evidence
    assert heading.startswith("Similar training sentences, by the encoder (cosine ")


def test_restored_and_copied_words_are_shown(nmt_copy: Path) -> None:
    system, reasons = nmt_of(nmt_copy, "Room 98765, {name}!")
    lost = [w for w in ("98765", "{name}") if w in reasons.translation]
    assert lost == reasons.put_back
    remarks = view(asked(nmt_copy, "Room 98765, {name}!")).remarks
    assert "Restored, as the network dropped it: 98765, {name}." in remarks
    [model] = system.models
    with torch.no_grad():
        model.bias[1] = 30.0  # makes <unk> the best piece
    [found] = explain(nmt_copy, system, ["Hello ☃."])
    assert isinstance(found.reasons, SubwordReasons)
    copied = [p.copied for p in found.reasons.pieces if p.text == "<unk>"]
    assert copied
    assert set(copied) <= {"Hello", "☃", "￭."}
    assert f"{copied[0]}, copied (unknown word)" in re.sub(r"\s+", " ", as_html("x", [found]))


def test_no_attention_means_no_heat_map(nmt_copy: Path) -> None:
    system = NmtSystem.load(nmt_copy)
    size = len(system.subwords)
    model = Seq2Seq(ModelConfig(size, attention="none", embedding=8, hidden=8))
    other = NmtSystem([model], system.subwords, system.tokenizer)
    [found] = explain(nmt_copy, other, ["Hello."])
    assert isinstance(found.reasons, SubwordReasons)
    assert found.reasons.attention is None
    assert view(found).heat is None
    assert all(piece.looked_at is None for piece in found.reasons.pieces)
    assert "no attention" in shown([found])


# --- both


@pytest.mark.parametrize("directory", ["smt_directory", "nmt_directory"])
def test_explanations_need_no_training_text(directory: str, request: pytest.FixtureRequest) -> None:
    path: Path = request.getfixturevalue(directory)
    [found] = explain(path, load(path), ["Hello."])  # its path has a longer text
    assert "differs from the text that" in found.missing
    assert not view(found).evidence
    assert not [*found.support, *found.neighbours]
    assert "Its training text cannot be searched: " in " ".join(shown([found]).split())
    [system] = as_object("Hello.", [found])["systems"]
    if isinstance(found.reasons, PhraseReasons):
        assert {(phrase["pairs"], *phrase["shown"]) for phrase in system["phrases"]} == {(None,)}


@pytest.mark.parametrize("directory", ["smt_directory", "nmt_directory"])
@pytest.mark.parametrize(
    ("sentence", "message"),
    [
        (" \t", "the sentence is blank"),
        ("x " * 201, "expected a sentence of 1 to [12]00 .*words, found"),
    ],
)
def test_blank_or_long_sentences_are_errors(
    directory: str, sentence: str, message: str, request: pytest.FixtureRequest
) -> None:
    path: Path = request.getfixturevalue(directory)
    with pytest.raises(InputError, match=message):
        explain(path, load(path), [sentence])


def shown(found: list[Explanation], sentence: str = "x") -> str:
    console = Console(file=io.StringIO(), width=100, force_terminal=False)
    print_explanations(sentence, found, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_batch_is_explained_as_single_sentences(smt_copy: Path, nmt_copy: Path) -> None:
    for path in (smt_copy, nmt_copy):
        system = load(path)
        together = explain(path, system, SENTENCES)
        alone = [found for sentence in SENTENCES for found in explain(path, system, [sentence])]
        for a, b in zip(together, alone, strict=True):
            assert [n.pair for n in a.neighbours] == [n.pair for n in b.neighbours]
            assert replace(a, neighbours=[]) == replace(b, neighbours=[])


def test_subwords_are_made_readable() -> None:
    assert [spelled(p) for p in ("a</w>", "a", "<b>", "<unk>")] == ["a", "a…", "<b>…", "<unk>"]


def test_hostile_text_stays_text(smt_copy: Path, nmt_copy: Path) -> None:
    found = [explain(path, load(path), [HOSTILE])[0] for path in (smt_copy, nmt_copy)]
    found = [replace(f, name="</style><i>\x1b", missing="<u>\x07") for f in found]
    text, page = shown(found, HOSTILE), as_html(HOSTILE, found)
    for made in (text, page):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", made)
        assert "<U+001B>" in made.replace("&lt;", "<").replace("&gt;", ">")
    assert "[red]" in text
    assert not re.search("<[biu]>", page)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids)) == 4 + 2 + 2  # the tables, the systems' headings
    assert set(re.findall(r'aria-labelledby="([^"]+)"', page)) <= set(ids)
    [attention] = re.findall(r'<table class="heat".*?</table>', page, re.DOTALL)
    rows = [[int(w or 0) for w in re.findall(r"<td style[^>]*>(\d*)</td>", row)]
            for row in attention.split("<tr>")[2:]]  # fmt: skip
    reasons = found[1].reasons
    assert isinstance(reasons, SubwordReasons)
    assert reasons.attention is not None
    assert rows == [[round(100 * w) for w in row] for row in reasons.attention]
    assert as_html(HOSTILE, found) == page


def test_json_has_all_fields(smt_copy: Path, nmt_copy: Path) -> None:
    found = [explain(path, load(path), SENTENCES[:1])[0] for path in (smt_copy, nmt_copy)]
    one = json.loads(json.dumps(as_object(SENTENCES[0], found)))
    assert one["source"] == SENTENCES[0]
    smt, nmt = one["systems"]
    assert (smt["kind"], nmt["kind"]) == ("smt", "nmt")
    assert {"phrases", "words", "terms", "missing"} < set(smt)
    assert {"pieces", "attention", "put_back", "neighbours", "missing"} < set(nmt)
    assert set(smt["phrases"][0]["shown"][0]) == {"line", "source", "target"}
    assert set(nmt["pieces"][0]["rivals"][0]) == {"text", "p"}
    assert nmt["pieces"][-1]["text"] == nmt["source"][-1] == SPECIALS[EOS]
