"""Token log-probabilities against KenLM and a stepwise decoder; groups against loops."""

from __future__ import annotations

import io
import itertools
import math
import random
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import kenlm
import numpy as np
import pytest
import torch
from rich.cells import cell_len
from rich.console import Console

from mtkit import load
from mtkit.cli.output import finite
from mtkit.errors import InputError
from mtkit.evaluation.perplexity import (
    END,
    FREQUENCIES,
    POSITIONS,
    Question,
    TextPerplexity,
    TokenProbabilities,
    _length_log_p,
    as_json,
    splits,
    token_probabilities,
)
from mtkit.evaluation.perplexity_page import as_html, print_tables, print_tokens
from mtkit.manifest import Manifest, training_pairs, training_text
from mtkit.nmt.system import NmtSystem
from mtkit.smt.language_model.arpa import write_arpa
from mtkit.smt.language_model.ngrams import LM_BOS
from mtkit.smt.language_model.spelling import Spelling
from mtkit.smt.system import SmtSystem
from mtkit.system import LogProbability, Score, TokenScores
from mtkit.text.corpus import Bitext, Corpus
from mtkit.text.tokenizer import WordTokenizer
from mtkit.text.vocabulary import BOS, CODE_POINTS, EOS, UNK
from tests.support.corpora import beside_its_text
from tests.support.kernels import lm_step

ODD = [("A xqzvwy☃!", "Ein xqzvwy☃ Zebrafell!"), ("", ""), ("Hello.", ""), ("", "Hallo.")]
JudgedBy = dict[str, dict[Question, TokenProbabilities]]


@pytest.fixture(scope="module")
def smt(smt_directory: Path) -> SmtSystem:
    return SmtSystem.load(smt_directory)


@pytest.fixture(scope="module")
def nmt(nmt_directory: Path) -> NmtSystem:
    return NmtSystem.load(nmt_directory)


@pytest.fixture(scope="module")
def pairs(few: Corpus) -> list[tuple[str, str]]:
    return [*few.test.pairs(), *few.train.pairs()[:30], *ODD]


@pytest.fixture(scope="module")
def judged(smt: SmtSystem, nmt: NmtSystem, pairs: list[tuple[str, str]]) -> JudgedBy:
    return {s.kind: token_probabilities(s, s.tokenizer, pairs) for s in (smt, nmt)}


def every(judged: JudgedBy) -> list[TokenProbabilities]:
    found = [j for of in judged.values() for j in of.values()]
    assert len(found) == 4
    return found


# --- against independent computations


def test_ngram_tokens_match_kenlm(smt: SmtSystem, judged: JudgedBy, tmp_path: Path) -> None:
    write_arpa(smt.models.lm, tmp_path / "lm.arpa")
    peer = kenlm.Model(str(tmp_path / "lm.arpa"))
    found = judged["smt"]["P(y)"]
    total = 0.0
    for span in found.spans:
        words = found.words[span]
        theirs = list(peer.full_scores(" ".join(words[:-1])))
        total += sum(log10 for log10, _, _ in theirs)
        expected = [log10 * math.log(10) for log10, _, _ in theirs]
        assert found.log_p[span].tolist() == pytest.approx(expected, abs=2e-4)
        assert found.order[span].tolist() == [order for _, order, _ in theirs]
        assert found.is_oov[span].tolist() == [oov for _, _, oov in theirs]
    assert found.perplexity.value == pytest.approx(10 ** (-total / len(found.words)), rel=1e-3)
    assert 0 < found.is_oov.sum() < len(found.words) / 2


@torch.inference_mode()
def test_neural_perplexity_equals_a_decoder_loop(
    nmt: NmtSystem, judged: JudgedBy, pairs: list[tuple[str, str]]
) -> None:
    found, [model] = judged["nmt"]["P(y|x)"], nmt.models
    sources, targets = ([pair[k] for pair in pairs] for k in (0, 1))
    x, y = (nmt.subwords.encode(nmt.tokenize(side)) for side in (sources, targets))
    total = 0.0
    for source, target, span in zip(x, y, found.spans, strict=True):
        by_word = [0.0] * len(found.words[span])
        encoded = model.encode(torch.tensor([[*source.ids, EOS]]))
        state, before = model.start(encoded), BOS
        for word, piece in zip((*target.words, -1), (*target.ids, EOS), strict=True):
            o, _, state = model.decode(torch.tensor([[before]]), encoded, state)
            p = model.logits(o[0, 0]).double().softmax(-1)
            assert p.sum().item() == pytest.approx(1)
            by_word[word] += math.log(p[piece].item())
            before = piece
        assert found.log_p[span].tolist() == pytest.approx(by_word, rel=1e-4, abs=1e-4)
        total += sum(by_word)
    expected = math.exp(-total / len(found.words))
    assert found.perplexity.value == pytest.approx(expected, rel=1e-4)
    assert max(len(e.ids) / max(1, len(set(e.words))) for e in y) > 1.5, "no word in pieces"


def test_ngram_next_words_sum_to_one(smt: SmtSystem, few: Corpus) -> None:
    model = smt.models.lm
    rng = random.Random(4)
    states = set()
    for words in rng.sample(smt.tokenize(few.test.target + few.train.target), 20):
        state = model.begin
        for word in model.encode(words[: rng.randrange(len(words))]):
            _, state = lm_step(model.arrays, state, word)
        states.add(state)
        ids = [i for i in range(len(model.words)) if i != LM_BOS]
        p = [math.exp(lm_step(model.arrays, state, i)[0]) for i in ids]
        assert sum(p) == pytest.approx(1, abs=1e-5)
    assert len(states) > 10


def test_word_model_tokens_follow_the_chain_rule(
    smt: SmtSystem, judged: JudgedBy, pairs: list[tuple[str, str]]
) -> None:
    """test_align checks the shorter sentences against enumeration."""
    words = smt.models.words
    sources, targets = (smt.tokenize([pair[k] for pair in pairs]) for k in (0, 1))
    direct, channel = (judged["smt"][question] for question in ("P(y|x)", "P(x|y)"))
    spans = zip(direct.spans, channel.spans, strict=True)
    for x, y, (at_y, at_x) in zip(sources, targets, spans, strict=True):
        s, t = smt.models.source.encode(x), smt.models.target.encode(y)
        for model, e, f, found in (
            (words.forward, s, t, direct.log_p[at_y]),
            (words.backward, t, s, channel.log_p[at_x]),
        ):
            shorter = [model.log_probabilities(e, f[: k + 1]).sum() for k in range(len(f))]
            assert np.cumsum(found[:-1]).tolist() == pytest.approx(shorter)
            assert found[-1] == 0  # the end is certain, as the length is given


# --- sums


def test_tokens_sum_to_sentences_and_sentences_to_text(
    smt: SmtSystem, nmt: NmtSystem, judged: JudgedBy, pairs: list[tuple[str, str]]
) -> None:
    names = {"P(y)": "lm", "P(x|y)": "channel", "P(y|x)": "direct"}
    for system in (smt, nmt):
        scores = system.score(pairs)
        for question, found in judged[system.kind].items():
            values = [getattr(score, names[question]) for score in scores]
            for value, span in zip(values, found.spans, strict=True):
                assert found.log_p[span].sum() == pytest.approx(value.value, abs=1e-9)
                known = found.log_p[span][~found.is_oov[span]]
                assert known.sum() == pytest.approx(value.known, abs=1e-9)
                assert (len(found.words[span]), found.is_oov[span].sum()) == (
                    value.tokens,
                    value.oov,
                )
                assert found.words[span][-1] == END
            mean = found.log_p.sum() / len(found.words)
            assert found.perplexity.value == pytest.approx(math.exp(-mean))
            assert found.perplexity.tokens == len(found.words) == found.begin[-1]


def test_splits_match_loops_and_partition_the_tokens(
    judged: JudgedBy, smt: SmtSystem, few: Corpus
) -> None:
    counts = Counter(word for words in smt.tokenize(few.train.target) for word in words)

    def label(value: int, begins: tuple[int, ...]) -> str:
        begin = max(b for b in begins if b <= value)
        if begin == begins[-1]:
            return f"{begin:,}–"
        end = begins[begins.index(begin) + 1] - 1
        return str(begin) if begin == end else f"{begin}–{end:,}"

    for found in every(judged):
        expected: dict[str, dict[str, list[float]]] = {"oov": {}, "frequency": {}, "position": {}}
        for span in found.spans:
            tokens = zip(found.words[span], found.log_p[span], found.is_oov[span], strict=True)
            for k, (word, log_p, oov) in enumerate(tokens, 1):
                end = k == len(found.words[span])
                of = {
                    "oov": "unknown" if oov else "known",
                    "frequency": END if end else label(counts[word], FREQUENCIES),
                    "position": END if end else label(k, POSITIONS),
                }
                for name, group in of.items():
                    expected[name].setdefault(group, []).append(float(log_p))
        groups = splits(found, counts)
        for name, of in groups.items():
            assert sum(g.tokens for g in of) == len(found.words)
            assert sum(g.log_p for g in of) == pytest.approx(found.log_p.sum())
            logs = [g.tokens * math.log(g.perplexity) for g in of if g.tokens]
            assert sum(logs) == pytest.approx(-found.log_p.sum())
            if name != "order":
                assert {g.label: g.tokens for g in of if g.tokens} == {
                    key: len(values) for key, values in expected[name].items()
                }
                sums = {g.label: g.log_p for g in of if g.tokens}
                assert sums == pytest.approx({k: sum(v) for k, v in expected[name].items()})
        assert ("order" in groups) == (found.order is not None)
        assert "frequency" not in splits(found)
    orders = splits(judged["smt"]["P(y)"])["order"]
    by_order = Counter(judged["smt"]["P(y)"].order.tolist())
    assert {g.label: g.tokens for g in orders} == {str(k): by_order[k] for k in range(1, 6)}


# --- bits per character


class Toy:
    """Tokens of p = ¼ each, the ends of sentences ½; unknown words are spelled with p = ⅛."""

    kind = "toy"

    def __init__(self, first: float = 0.0) -> None:
        """first: added to ln p of the first token of a sentence."""
        self.first = first

    def tokenize(self, sentences: list[str]) -> list[list[str]]:
        return [WordTokenizer().tokenize(sentence) for sentence in sentences]

    def score(self, given: list[tuple[str, str]]) -> list[Score]:
        scores = []
        for words in self.tokenize([target for _, target in given]):
            log_p = np.log(np.array([0.25] * len(words) + [0.5]))
            log_p[0] += self.first
            oov = np.array([word == "new" for word in (*words, END)])
            scores.append(Score(lm=LogProbability.of(TokenScores(log_p, oov))))
        return scores

    def spell(self, words: list[str], source: bool = False) -> np.ndarray:
        assert not source
        assert set(words) <= {"new"}
        return np.full(len(words), math.log(1 / 8))


def toy(*lines: str) -> TokenProbabilities:
    return token_probabilities(Toy(), WordTokenizer(), [("", line) for line in lines])["P(y)"]


def test_bits_per_character_of_a_toy_by_hand() -> None:
    # "ab," and its end: 2 + 2 + 1 bits for 3 + 1 characters; the joiner mark does not count.
    assert toy("ab,").words == ["ab", "￭,", END]
    assert toy("ab,").perplexity.bits_per_character == pytest.approx(5 / 4)
    # "new ä" and its end: (2 + 3) + 2 + 1 bits for 5 + 1; an empty line: 1 bit for its end.
    found = toy("new ä", "")
    assert found.perplexity.bits_per_character == pytest.approx((8 + 1) / (6 + 1))
    assert found.perplexity.value == pytest.approx(2 ** ((5 + 1) / 4))
    [first, second] = as_json(TextPerplexity("m", {"P(y)": found}, {"P(y)": {}}))["P(y)"][
        "sentences"
    ]
    assert (first["bits_per_character"], second["bits_per_character"]) == pytest.approx((8 / 6, 1))
    assert (first["characters"], second["characters"]) == (6, 1)


def test_only_unknown_words_are_spelled(smt: SmtSystem, judged: JudgedBy, few: Corpus) -> None:
    for found in judged["smt"].values():
        source = found.perplexity.question == "P(x|y)"
        known = smt.tokenize(few.train.source if source else few.train.target)
        spelling = Spelling.of(list({word for words in known for word in words}))
        unknown = [w for w, oov in zip(found.words, found.is_oov, strict=True) if oov]
        expected = spelling.log_probabilities(unknown)
        assert found.extra_log_p[found.is_oov].tolist() == pytest.approx(expected.tolist())
        is_end = np.isin(np.arange(len(found.words)), found.begin[1:] - 1)
        assert not found.extra_log_p[~found.is_oov & ~is_end].any()
        assert (found.extra_log_p[is_end] < 0).all() == found.perplexity.given_length
        assert (expected < -1).all()
    found = judged["smt"]["P(y)"]
    expected = found.extra_log_p[found.is_oov]
    nats = -(found.log_p.sum() + expected.sum())
    characters = sum(len(line) + 1 for line in detokenized(found))
    bits = nats / math.log(2) / characters
    assert found.perplexity.bits_per_character == pytest.approx(bits)


def detokenized(found: TokenProbabilities) -> list[str]:
    return [WordTokenizer().detokenize(found.words[span][:-1]) for span in found.spans]


def test_subwords_spell_all_but_unknown_characters(nmt: NmtSystem, judged: JudgedBy) -> None:
    spelled = nmt.spell(["Zug", "zzug", "☃", "☃☃"])
    one = -math.log(2 * CODE_POINTS)
    assert spelled.tolist() == pytest.approx([0, 0, one, 2 * one])
    found = judged["nmt"]["P(y|x)"]
    pieces = [UNK in e.ids for e in nmt.subwords.encode([[word] for word in found.words])]
    is_word = [word != END for word in found.words]
    expected = [unknown and word for unknown, word in zip(pieces, is_word, strict=True)]
    assert found.is_oov.tolist() == expected
    assert 0 < sum(expected) < 10


# --- the training text


def test_counts_are_of_the_training_text(smt_directory: Path, few: Corpus, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"differs from the text that .*smt was trained on"):
        training_text(smt_directory)  # few is the beginning of it
    copy, paths = beside_its_text(smt_directory, few, tmp_path)
    assert training_text(copy).pairs() == Bitext.read(*paths).without_empty().pairs()
    source, target = few.train.source, few.train.target
    others = (
        (["x", *source[1:]], target),
        (source, ["x", *target[1:]]),
        (source[::-1], target[::-1]),
    )
    for sides in others:
        write(paths, *sides)
        with pytest.raises(InputError, match=r"train\.en differs from"):
            training_text(copy)
    write(paths, ["", *source[1:]], target)
    manifest = Manifest.read(copy)
    corpus = manifest.corpus | {"digest": Bitext.read(*paths).digest()}
    replace(manifest, corpus=corpus).write(copy)
    assert training_text(copy).pairs() == few.train.pairs()[1:]  # blank lines are dropped
    second = training_pairs(copy)[0]
    assert (second.line, second.source, second.target) == (2, *few.train.pairs()[1])
    paths[0].unlink()
    with pytest.raises(InputError, match=r"train\.en: no such file"):
        training_text(copy)


def write(paths: tuple[Path, Path], *sides: list[str]) -> None:
    for path, lines in zip(paths, sides, strict=True):
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


# --- output

HOSTILE = "[red]rot[/] \x1b]0;title\x07\x1b[31m\u202e {name} &lt;unk&gt;"


def shown(models: list[TextPerplexity], width: int, colour: bool, tokens: bool = True) -> str:
    out = io.StringIO()
    system: Any = "truecolor" if colour else None
    console = Console(
        file=out, width=width, force_terminal=colour, color_system=system, highlight=False
    )
    (print_tokens if tokens else print_tables)(models, console)
    return out.getvalue()


@pytest.fixture
def models(judged: JudgedBy) -> list[TextPerplexity]:
    return [
        TextPerplexity(name, of, {q: splits(j) for q, j in of.items()}, "no text")
        for name, of in judged.items()
    ]


def test_each_token_is_above_its_bits(models: list[TextPerplexity]) -> None:
    text = shown(models, 1000, colour=False)
    blocks = text.split("\nLine ")[1:]
    found = models[0].probabilities["P(y)"]
    sentences = as_json(models[0])["P(y)"]["sentences"]
    assert len(blocks) == len(found.begin) - 1
    for block, span in zip(blocks, found.spans, strict=True):
        head, row, orders, *rest = block.split("\n")[1:]
        assert head.split() == ["target", "perplexity", *found.words[span]]
        assert re.findall(r"\S+", row)[:2] == ["P(y)", "smt"]
        figures = [cell.rstrip("*") for cell in row.split()[3:]]
        assert [float(f) for f in figures] == pytest.approx(found.bits[span].tolist(), abs=0.051)
        assert [cell.endswith("*") for cell in row.split()[3:]] == found.is_oov[span].tolist()
        assert [int(n) for n in orders.split()[1:]] == found.order[span].tolist()
        assert [line.split()[:2] for line in rest[:2]] == [["P(y|x)", "smt"], ["P(y|x)", "nmt"]]
        value = sentences[blocks.index(block)]["perplexity"]
        assert float(row.split()[2].replace(",", "")) == pytest.approx(value, abs=0.051)
    assert "-0.0" not in text


@pytest.mark.parametrize("width", [40, 80])
def test_lines_fit_the_terminal_and_lose_no_token(models: list[TextPerplexity], width: int) -> None:
    text = shown(models, width, colour=False)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    wide = shown(models, 1000, colour=False)

    def words(of: str) -> Counter[str]:
        return Counter(of.split("Line 1\n")[1].split())

    missing = words(wide) - words(text)
    assert not missing
    more = words(text) - words(wide)  # labels of continued lines
    assert not any(map(re.compile(r"[\d.]+\*?").fullmatch, more))


def test_colours_show_the_bits(models: list[TextPerplexity]) -> None:
    text = shown(models, 1000, colour=True)
    plain = shown(models, 1000, colour=False)
    assert re.sub(r"\x1b\[[\d;]*m", "", text) == plain
    for code, low, high in (
        ("32", 0, 1),
        ("36", 1, 3),
        ("33", 3, 6),
        ("35", 6, 10),
        ("1;31", 10, 99),
    ):
        values = re.findall(rf"\x1b\[{code}m([\d.]+)\*?\x1b", text)
        assert values
        assert all(low <= float(value) <= high for value in values)


@pytest.mark.parametrize("tokens", [True, False])
def test_no_escape_sequence_reaches_the_terminal(smt: SmtSystem, tokens: bool) -> None:
    found = token_probabilities(smt, smt.tokenizer, [(HOSTILE, HOSTILE)])
    name = "m\x1b[2J[bold]"
    model = TextPerplexity(name, found, {q: splits(j) for q, j in found.items()}, "\x1b[2J")
    text = shown([model], 200, colour=False, tokens=tokens)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
    assert "m<U+001B>[2J[bold]" in text
    if tokens:
        assert "<U+001B>" in text.split("Line 1")[1]
        assert "[red" in text.replace("￭", "").replace("  ", "").replace(" ", "")


def test_tables_show_every_group_and_figure(models: list[TextPerplexity]) -> None:
    text = shown(models, 200, colour=False, tokens=False)
    for model, question in itertools.product(models, ("P(y)", "P(x|y)", "P(y|x)")):
        if found := model.probabilities.get(question):
            p = found.perplexity
            row = [model.name, question, f"{p.value:,.4f}", f"{p.without_oov:,.4f}"]
            row += [f"{p.tokens:,}", f"{p.oov:,}", f"{p.bits_per_character:.4f}"]
            assert row in [line.split() for line in text.splitlines()]
            for name, groups in model.splits[question].items():
                for group in groups:
                    assert not group.tokens or f"{group.tokens:,}" in text, (name, group)
    assert "smt: no split by frequency: no text." in text
    assert "frequency of the word" not in text
    assert "P(y|x) by known and unknown words: perplexity, tokens" in text
    assert "the tokens differ" not in text
    others = [TextPerplexity(name, {"P(y)": toy(name)}, {}) for name in ("a", "b")]
    text = shown(others, 200, colour=False, tokens=False)
    compare = "compare bits per character, not perplexities"
    assert f"P(y): {compare}: the tokens differ." in text


def test_the_page_is_complete_and_reproducible(models: list[TextPerplexity]) -> None:
    page = as_html(models)
    assert page == as_html(models)
    for question in ("P(y)", "P(y|x)"):
        assert f"Perplexity by position of the word in its sentence, {question}" in page
    assert "smt: no split by frequency: no text." in page
    lines = len(models[0].probabilities["P(y)"].begin) - 1
    assert f"The first {min(lines, 30)} of {lines} lines." in page
    title = "Perplexity by position of the word in its sentence, P(y|x). "
    words = re.search(rf"<desc[^>]*>{re.escape(title)}(.*?)</desc>", page)
    assert words
    for model in models:
        groups = [g for g in model.splits["P(y|x)"]["position"] if g.tokens and g.label != END]
        ends = [f"{g.perplexity:.4g} at {g.label}" for g in (groups[0], groups[-1])]
        assert f"{model.name}: {', '.join(ends)}." in words[1]
    two = [replace(models[0], files=(Path(name),)) for name in ("a.de", "b.de")]
    assert re.findall(r'<h2 id="text-\d">(.*?)</h2>', as_html(two)) == ["a.de", "b.de"]


def test_word_model_length_is_noted_and_charged(models: list[TextPerplexity]) -> None:
    """Word models are given the length, and treat all unknown words as one."""
    smt, nmt = (model.probabilities["P(y|x)"] for model in models)
    assert (smt.perplexity.given_length, nmt.perplexity.given_length) == (True, False)
    lines = [line.split() for line in shown(models, 200, colour=False, tokens=False).splitlines()]
    at = next(k for k, line in enumerate(lines) if line[:2] == ["smt", "P(y|x)"])
    assert lines[at + 1] == ["without", "</s>"]
    assert ["without", "</s>"] not in lines[at + 2 : at + 4]
    text = shown(models, 200, colour=False, tokens=False)
    compare = "compare bits per character, not perplexities"
    why = "smt is given the number of words; their unknown words differ"
    assert f"P(y|x): {compare}: {why}." in text
    ends = smt.begin[1:] - 1
    assert smt.log_p[ends].tolist() == [0.0] * len(ends)
    assert (smt.extra_log_p[ends] < 0).all()
    assert not nmt.extra_log_p[nmt.begin[1:] - 1].any()


def test_lengths_are_poisson() -> None:
    """The probabilities of all lengths sum to 1, and their mean is r I."""
    tokens, other = [["w"] * j for j in range(60)], [["x"] * 4] * 60
    r = sum(range(60)) / (4 * 60)
    p = np.exp(_length_log_p(tokens, other))
    assert p.sum() == pytest.approx(1, abs=1e-4)
    assert (p @ np.arange(60)) == pytest.approx(4 * r, rel=1e-3)
    assert _length_log_p([[], []], [[], []]) == pytest.approx([-0.5, -0.5])


def test_impossible_tokens_are_infinite_in_text_and_null_in_json() -> None:
    found = token_probabilities(Toy(-math.inf), WordTokenizer(), [("", "a b")])["P(y)"]
    model = TextPerplexity("m", {"P(y)": found}, {"P(y)": splits(found)})
    assert "∞" in shown([model], 80, False)
    data = finite(as_json(model)["P(y)"])
    assert data["bits_per_character"] is None
    assert data["sentences"][0]["log_p"] == [None, *found.log_p[1:].tolist()]
    assert data["splits"]["position"][0]["perplexity"] is None


def test_a_loaded_system_is_equal(smt_directory: Path, judged: JudgedBy, few: Corpus) -> None:
    again = token_probabilities(load(smt_directory), WordTokenizer(), few.test.pairs())["P(y)"]
    assert again.bits.tolist() == judged["smt"]["P(y)"].bits[: len(again.bits)].tolist()
