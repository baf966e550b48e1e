"""Behaviour of all translators, and of the statistical one alone."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from mtkit import load
from mtkit.errors import InputError
from mtkit.manifest import COMBINATION, HASHES, MANIFEST, RECORDS, Manifest
from mtkit.nmt.system import NmtSystem
from mtkit.smt import train as smt_training
from mtkit.smt.alignment import direction
from mtkit.smt.search.decoder import Limits
from mtkit.smt.search.features import (
    DEFAULT_WEIGHTS,
    NOISY_CHANNEL,
    PRESETS,
    read_weights,
    weights_named,
)
from mtkit.smt.system import SmtSystem
from mtkit.smt.train import TrainConfig, train_smt
from mtkit.system import System
from mtkit.text.corpus import Bitext, Corpus, hold_out, line_hashes
from mtkit.text.tokenizer import WordTokenizer
from mtkit.text.vocabulary import SPECIALS
from tests.support.lines import random_lines

UNKNOWN = "xqzvwy☃"
SLOW = pytest.mark.slow


@pytest.fixture(params=["smt", "nmt", "combination"])
def directory(request: pytest.FixtureRequest) -> Path:
    return request.getfixturevalue(f"{request.param}_directory")


@pytest.fixture
def system(directory: Path) -> System:
    return load(directory)


@pytest.fixture
def smt(smt_directory: Path) -> SmtSystem:
    return SmtSystem.load(smt_directory)


def test_lines_keep_their_number_and_order(system: System, few: Corpus) -> None:
    lines = few.train.source[:12]
    together = [h[0].text for h in system.translate([*lines, "", *lines[::-1], "  "])]
    alone = [system.translate([line])[0][0].text for line in lines]
    assert together == [*alone, "", *alone[::-1], ""]


def test_n_best_size_does_not_change_the_best(system: System, few: Corpus) -> None:
    text = few.train.source[:8]
    for ten, five, one in zip(*(system.translate(text, n) for n in (10, 5, 1)), strict=True):
        assert [h.text for h in ten[: len(five)]] == [h.text for h in five]
        assert five[0].text == one[0].text


def test_n_best_are_distinct_and_sorted(system: System, few: Corpus) -> None:
    for hypotheses in system.translate(few.train.source[:8], n_best=5):
        texts = [h.text for h in hypotheses]
        assert 1 <= len(texts) == len(set(texts)) <= 5
        scores = [h.score for h in hypotheses]
        assert scores == sorted(scores, reverse=True)
        assert all(map(math.isfinite, scores))


def test_a_copied_model_translates_the_same(directory: Path, few: Corpus, tmp_path: Path) -> None:
    a, b = load(directory), load(shutil.copytree(directory, tmp_path / "elsewhere"))
    assert a.translate(few.train.source[:5], 2) == b.translate(few.train.source[:5], 2)
    pairs = few.train.pairs()[:5]
    assert a.score(pairs) == b.score(pairs)


def test_explain_explains_the_translation(system: System, few: Corpus) -> None:
    for sentence in few.train.source[:5]:
        [[best]] = system.translate([sentence])
        reasons = system.explain(sentence)
        assert reasons.translation == best.text
        assert reasons.score == pytest.approx(best.score, abs=1e-5)
    for sentence in ("", " \t", "x " * 201):
        with pytest.raises(InputError, match=r"expected a sentence of 1 to \d+ .*words, found"):
            system.explain(sentence)


def test_wider_does_not_change_the_system(smt: SmtSystem, nmt_directory: Path, few: Corpus) -> None:
    smt.limits = Limits(stack=2, pops=3)
    assert smt.wider(4).limits == Limits(stack=8, pops=12)
    assert smt.limits == Limits(stack=2, pops=3)
    narrow = [h.score for [h] in smt.translate(few.test.source)]
    wide = [h.score for [h] in smt.wider(50).translate(few.test.source)]
    assert sum(wide) > sum(narrow)
    nmt = NmtSystem.load(nmt_directory)
    beam = nmt.beam
    assert (nmt.wider(4).beam, nmt.beam) == (4 * beam, beam)


def test_smt_and_nmt_use_the_same_word_tokens(
    smt_directory: Path, nmt_directory: Path, few: Corpus
) -> None:
    lines = [*few.train.source, "Don't  pay €3.50 at {name}'s, visit https://a.b/c?d=1!"]
    tokens = load(smt_directory).tokenize(lines)
    assert tokens == load(nmt_directory).tokenize(lines)
    assert tokens == [WordTokenizer().tokenize(line) for line in lines]


def test_scores_use_the_same_token_count(
    smt_directory: Path, nmt_directory: Path, few: Corpus
) -> None:
    pairs = [*few.train.pairs()[:10], ("Hello", UNKNOWN)]
    for (_, target), a, b in zip(
        pairs, load(smt_directory).score(pairs), load(nmt_directory).score(pairs), strict=True
    ):
        tokens = len(WordTokenizer().tokenize(target)) + 1
        assert a.lm is not None
        assert a.channel is not None
        assert a.direct is not None
        assert b.direct is not None
        assert a.lm.tokens == a.direct.tokens == b.direct.tokens == tokens
        values = (a.lm.value, a.channel.value, a.direct.value, b.direct.value)
        assert all(-math.inf < value < 0 for value in values)


def test_the_manifest_names_the_corpus_and_its_hashes(directory: Path, few: Corpus) -> None:
    manifest = Manifest.read(directory)
    assert manifest.languages == ("en", "de")
    assert manifest.corpus["sentences"] == len(few.train)
    assert manifest.corpus["test"] == [str(p.resolve()) for p in few.test.paths]
    import numpy as np

    assert np.array_equal(np.load(directory / HASHES), line_hashes(few.train.source))


def test_a_long_line_is_translated_in_pieces(system: System, few: Corpus) -> None:
    sentences = [line for line in few.test.source if line.endswith(".")]
    line = " ".join([*sentences] * 4)
    hypotheses = system.translate([line], 30)[0]
    assert len(hypotheses) > 1
    for h in hypotheses:
        assert h.pieces > 1
        assert h.text == system.tokenizer.detokenize(h.tokens)
        assert [text for text, _ in h.token_logprobs].count("</s>") == 1
        last = len(system.tokenize([line])[0]) - 1
        assert all(0 <= s <= last and 0 <= t < len(h.tokens) for s, t in h.alignment)
    best, *others = hypotheses
    assert [h.score for h in others] == sorted((h.score for h in others), reverse=True)
    assert system.translate([line])[0][0] == best
    assert max(s for s, _ in best.alignment) > last - 20  # shifted to the position of the piece
    assert system.translate([sentences[0]])[0][0].pieces == 1
    assert system.translate(["", line], 30)[1] == hypotheses


@pytest.mark.parametrize("name", ["sentences", "one word", "dots", "blanks", "symbols", "rare"])
def test_a_line_of_any_length_is_translated(name: str, system: System, few: Corpus) -> None:
    line = {
        "sentences": " ".join(few.train.source[:300]),
        "one word": "x" * 5000,
        "dots": "q." * 5000,
        "blanks": f"q{' ' * 5000}q",
        "symbols": "🙂" * 2000,
        "rare": " ".join(chr(0x4E00 + i) for i in range(2000)),
    }[name]
    [[hypothesis]] = system.translate([line])
    assert hypothesis.text
    if name == "one word" or (system.kind == "smt" and name != "sentences"):
        assert hypothesis.text == line


@pytest.mark.parametrize(
    ("n", "kind"), [(1000, "words"), (1000, "none"), pytest.param(10_000, "words", marks=SLOW)]
)
def test_odd_lines_with_smt(n: int, kind: Literal["words", "none"], smt: SmtSystem) -> None:
    smt.tokenizer = WordTokenizer(kind)
    check_lines(smt, random_lines(n, huge=10 if n == 1000 else 40))


def test_odd_lines_with_nmt(nmt_directory: Path) -> None:
    check_lines(load(nmt_directory), random_lines(100, huge=2))


def check_lines(system: System, lines: list[str]) -> None:
    answers = system.translate(lines)
    assert len(answers) == len(lines)
    for line, [hypothesis] in zip(lines, answers, strict=True):
        assert "\n" not in hypothesis.text
        if not line.strip():
            assert hypothesis.text == ""
        elif system.kind == "smt":
            assert hypothesis.text.strip(" ")


def test_the_language_model_scores_every_token(smt: SmtSystem, few: Corpus) -> None:
    orders = set()
    for hypotheses in smt.translate([*few.train.source[:20], f"A {UNKNOWN}!"], 3):
        for h in hypotheses:
            assert [text for text, _ in h.token_logprobs] == [*h.tokens, "</s>"]
            total = sum(p for _, p in h.token_logprobs)
            assert total == pytest.approx(h.features["lm"], abs=1e-4)
            assert len(h.orders) == len(h.token_logprobs)
            assert all(n <= i + 2 for i, n in enumerate(h.orders))  # at most <s> … w
            orders.update(h.orders)
    assert orders == set(range(1, smt.models.lm.order + 1))
    [[h]] = smt.translate([f"A {UNKNOWN}!"])
    order = dict(zip(h.tokens, h.orders, strict=False))
    assert order[UNKNOWN[:-1]] == 1
    assert smt.translate([""])[0][0].token_logprobs == []


def test_unknown_words_are_copied_and_listed(smt: SmtSystem) -> None:
    [[hypothesis]] = smt.translate([f"The {UNKNOWN} is here."])
    assert UNKNOWN in hypothesis.text
    assert hypothesis.unknown
    assert hypothesis.features["unknown"] == len(hypothesis.unknown)


@pytest.mark.parametrize("name", PRESETS)
def test_features_times_weights_is_the_score(name: str, smt: SmtSystem, few: Corpus) -> None:
    smt.weights = weights_named(name)
    sentences = [*few.test.source, f"A {UNKNOWN}!", " ".join(few.train.source[:60])]
    for hypotheses in smt.translate(sentences, n_best=10):
        for h in hypotheses:
            total = sum(smt.weights[k] * v for k, v in h.features.items())
            assert total == pytest.approx(h.score, abs=1e-4)
            assert h.segments[0][2] == 0
            assert h.segments[-1][3] == len(h.tokens)
    assert h.pieces > 1


def test_threads_change_nothing(smt: SmtSystem, few: Corpus) -> None:
    smt.limit_threads(1)
    one = smt.translate(few.test.source, 3)
    smt.limit_threads(2)
    assert smt.threads == 2
    assert smt.translate(few.test.source, 3) == one


def test_an_incomplete_model_is_refused(directory: Path, tmp_path: Path) -> None:
    every = {p.relative_to(directory) for p in directory.rglob("*") if p.is_file()}
    needed = {path for path in every if path.parts[0] != RECORDS}
    for name in needed - {Path(MANIFEST), Path(HASHES), Path("log.jsonl")}:
        copy = shutil.copytree(directory, tmp_path / str(name).replace("/", "-"))
        (copy / name).unlink()
        with pytest.raises(InputError, match=f"{name}.*train it again"):
            load(copy)
    copy = shutil.copytree(directory, tmp_path / "copy")
    replace(Manifest.read(copy), config={}).write(copy)
    if Manifest.read(copy).kind == COMBINATION:  # which needs no config
        return
    with pytest.raises(InputError, match=r"manifest\.json: damaged"):
        load(copy)


def test_the_noisy_channel_has_two_weights_of_one() -> None:
    ones = {name for name, weight in NOISY_CHANNEL.items() if weight == 1}
    assert ones == {"channel", "lm"}


def test_bad_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="not JSON"):
        read_weights(path)
    path.write_text(json.dumps({"lm": 1}), encoding="utf-8")
    with pytest.raises(InputError, match="exactly these weights"):
        read_weights(path)
    for value in ("1", None, math.nan):
        path.write_text(json.dumps({**DEFAULT_WEIGHTS, "lm": value}), encoding="utf-8")
        with pytest.raises(InputError, match=r"the weight lm is .*not a finite number"):
            read_weights(path)
    path.write_text(json.dumps(DEFAULT_WEIGHTS), encoding="utf-8")
    assert read_weights(path) == DEFAULT_WEIGHTS


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failed_training_keeps_the_old_model_and_resumes(
    error: type[BaseException],
    smt_directory: Path,
    few: Corpus,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "smt"
    shutil.copytree(smt_directory, out)

    def break_off(*_: object) -> None:
        raise error

    call = few, WordTokenizer(), TrainConfig(), DEFAULT_WEIGHTS, out
    monkeypatch.setattr(smt_training, "save_training_hashes", break_off)
    with pytest.raises(error):
        train_smt(*call)
    assert {p.name for p in tmp_path.iterdir()} == {"smt", ".smt.stages"}
    assert load(out).translate(["Hello"]) == load(smt_directory).translate(["Hello"])
    monkeypatch.undo()
    with pytest.raises(InputError, match="another text or other settings"):
        train_smt(*call[:2], TrainConfig(order=2), *call[3:], resume=True)
    monkeypatch.setattr(smt_training, "compile_kernels", lambda *_: None)  # it calls _expect
    monkeypatch.setattr(direction, "_expect", break_off)  # all its tasks are done
    train_smt(*call, resume=True)
    assert [p.name for p in tmp_path.iterdir()] == ["smt"]
    with pytest.raises(InputError, match="no interrupted training to resume"):
        train_smt(*call, resume=True)


def test_held_out_pairs_are_not_trained_on(few: Corpus) -> None:
    train, dev = hold_out(few.train, 20)
    assert len(train) + len(dev) == len(few.train)
    assert 0 < len(dev) <= 1000
    assert not set(train.source) & set(dev.source)


def test_phrases_tile_both_sides_and_links_stay_inside(smt: SmtSystem, few: Corpus) -> None:
    long = " ".join([*few.train.source[:60], UNKNOWN])
    sentences = [*few.train.source[:8], *few.test.source, f"A {UNKNOWN}!", long]
    for words, hypotheses in zip(smt.tokenize(sentences), smt.translate(sentences, 3), strict=True):
        for h in hypotheses:
            source = sorted(w for s0, s1, _, _ in h.segments for w in range(s0, s1))
            assert source == list(range(len(words)))
            target = [w for _, _, t0, t1 in h.segments for w in range(t0, t1)]
            assert target == list(range(len(h.tokens)))
            ends = [0, *(s1 for _, s1, _, _ in h.segments)]
            jumps = [abs(s[0] - end) for s, end in zip(h.segments, ends, strict=False)]
            if h.pieces == 1:  # each piece begins anew
                assert h.features["distortion"] == -sum(jumps)
            inside = {
                (s, t)
                for s0, s1, t0, t1 in h.segments
                for s in range(s0, s1)
                for t in range(t0, t1)
            }
            assert set(h.alignment) <= inside
            for s0, s1, t0, t1 in h.segments:  # a phrase pair has at least one link
                assert any(s0 <= s < s1 and t0 <= t < t1 for s, t in h.alignment)
            for word in h.unknown:
                assert any(words[s] == h.tokens[t] == word for s, t in h.alignment)


def test_n_best_lists_have_n_hypotheses(smt: SmtSystem, few: Corpus) -> None:
    assert sum(len(h) == 5 for h in smt.translate(few.train.source[:8], 5)) >= 3
    assert len(smt.translate(["the"], 10)[0]) == 10  # one word has many translations


def test_distortion_limit_0_is_obeyed(smt: SmtSystem, few: Corpus) -> None:
    smt.weights = {**DEFAULT_WEIGHTS, "distortion": 0.0}
    assert any(h.features["distortion"] for [h] in smt.translate(few.test.source))
    smt.limits = Limits(distortion=0)
    assert not any(h.features["distortion"] for [h] in smt.translate(few.test.source))


def test_the_lm_score_separates_unknown_words(smt: SmtSystem) -> None:
    known, unknown = smt.score([("A man", "Ein Mann"), ("A man", f"Ein {UNKNOWN}")])
    assert known.lm is not None
    assert unknown.lm is not None
    assert known.lm.oov == 0
    assert known.lm.known == pytest.approx(known.lm.value)
    assert unknown.lm.oov > 0
    tokens = smt.tokenize([f"Ein {UNKNOWN}"])
    scores = smt.models.lm.score(tokens)
    parts = zip(scores.log_prob.tolist(), scores.is_oov.tolist(), strict=True)
    assert unknown.lm.known == pytest.approx(sum(p for p, oov in parts if not oov))


def test_training_follows_its_settings(few: Corpus, tmp_path: Path) -> None:
    config = TrainConfig(
        "hmm", "union", "kneser-ney", 2, (0, 1), tune="none", limits=Limits(7, 9, 1)
    )
    tokenizer = WordTokenizer(lowercase=True)
    manifest = train_smt(few, tokenizer, config, NOISY_CHANNEL, tmp_path / "told")
    other = train_smt(
        few, tokenizer, replace(config, heuristic="intersection"), NOISY_CHANNEL, tmp_path / "other"
    )
    assert other.figures["links"] < manifest.figures["links"]
    plain = replace(config, discount="none", prune=())
    train_smt(few, tokenizer, plain, NOISY_CHANNEL, tmp_path / "plain")
    whole = SmtSystem.load(tmp_path / "plain").models
    assert manifest.config == {
        "aligner": "hmm",
        "heuristic": "union",
        "discount": "kneser-ney",
        "order": 2,
        "prune": (0, 1),
        "tune": "none",
        "limits": {"stack": 7, "pops": 9, "distortion": 1, "table": 20},
        "weights": NOISY_CHANNEL,
        "verbatim": True,
    }
    told = SmtSystem.load(tmp_path / "told")
    assert told.weights == NOISY_CHANNEL
    assert told.limits == config.limits
    assert told.tokenizer == tokenizer
    assert told.models.lm.order == 2
    assert len(told.models.lm.arrays.word) < len(whole.lm.arrays.word)
    assert told.models.table.features.sum() < whole.table.features.sum()
    x, y = (tokenizer_words(tokenizer, side) for side in (few.train.source, few.train.target))
    assert set(told.models.source.words) - set(SPECIALS) == x
    assert set(told.models.target.words) - set(SPECIALS) == y
    assert set(told.models.lm.ids) == y


def test_the_same_call_makes_the_same_bytes(few: Corpus, tmp_path: Path) -> None:
    for name, threads in (("a", 1), ("b", 2)):
        train_smt(few, WordTokenizer(), TrainConfig(), DEFAULT_WEIGHTS, tmp_path / name, threads)
    files = [p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file()]
    assert len(files) > 10
    for file in set(files) - {Path(MANIFEST)}:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    a, b = (Manifest.read(tmp_path / name) for name in "ab")
    figures = b.figures | {"seconds": a.figures["seconds"]}
    assert a == replace(b, figures=figures, seal=a.seal)


def tokenizer_words(tokenizer: WordTokenizer, lines: list[str]) -> set[str]:
    return {word for line in lines for word in tokenizer.tokenize(line)}


def test_channel_and_direct_are_not_exchanged(tmp_path: Path) -> None:
    # Given x, one word of y has P = ½; given y, every word of x has P = 1: P(y|x) is ½ P(x|y).
    text = Bitext(["a b"] * 40, ["A B", "C B"] * 20, (tmp_path, tmp_path))
    tiny = Corpus("tiny", ("en", "de"), text, None, None)
    manifest = train_smt(tiny, WordTokenizer(), TrainConfig(), DEFAULT_WEIGHTS, tmp_path / "tiny")
    [score] = SmtSystem.load(tmp_path / "tiny").score([("a b", "C B B")])
    assert score.channel is not None
    assert score.direct is not None
    assert (score.channel.tokens, score.direct.tokens) == (3, 4)
    [score] = SmtSystem.load(tmp_path / "tiny").score([("a b", "C B")])
    assert score.channel is not None
    assert score.direct is not None
    assert -0.5 < score.channel.value < 0
    assert score.direct.value == pytest.approx(score.channel.value - math.log(2), abs=0.1)
    perplexity = manifest.figures["alignment_perplexity"]
    last = {k: list(v.values())[-1][-1] for k, v in perplexity.items()}
    assert last["P(y|x)"] > last["P(x|y)"] * 1.1
