"""The language model, compared with KenLM, an oracle and the definition."""

from __future__ import annotations

import gzip
import itertools
import math
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import kenlm
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mtkit.errors import InputError
from mtkit.smt.language_model import arpa, estimate, ngrams
from mtkit.smt.language_model.ngrams import LM_BOS, LM_EOS, LM_UNK, MAX_ORDER
from tests.support.kernels import lm_step
from tests.support.lm_oracle import Arpa, KneserNey
from tests.support.paths import MULTI30K, SHARED

MOSES_ARPA = SHARED / "moses" / "lm.arpa.gz"
Sentences = list[list[str]]


def read(path: Path) -> Sentences:
    if not path.exists():
        pytest.skip(f"{path} is not here; MTKIT_SHARED names the directory that holds data/")
    return [line.split(" ") for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def german() -> ngrams.NgramModel:
    return estimate.train(read(MULTI30K / "train.tok.de"), order=5)


@pytest.fixture(scope="module")
def pruned() -> ngrams.NgramModel:
    return estimate.train(read(MULTI30K / "train.tok.de"), order=5, prune=[0, 0, 1, 1, 2])


@pytest.fixture(scope="module")
def held_out() -> Sentences:
    return read(MULTI30K / "test2016.tok.de")


def corpus(seed: int, vocabulary: str = "abcdef", size: int = 12) -> Sentences:
    """Return skewed words, immediate repetitions and an empty sentence."""
    rng = random.Random(seed)
    weights = [1 / (i + 1) for i in range(len(vocabulary))]
    sentences = [rng.choices(vocabulary, weights, k=rng.randrange(1, 8)) for _ in range(size)]
    return [*sentences, ["a", "a", "a"], []]


def state_after(model: ngrams.NgramModel, history: Sequence[str]) -> int:
    state, rest = ngrams.ROOT, list(history)
    if rest[:1] == ["<s>"]:
        state, rest = model.begin, rest[1:]
    for w in model.encode(rest):
        _, state = lm_step(model.arrays, state, w)
    return state


def p(model: ngrams.NgramModel, w: str, state: int) -> float:
    i = LM_EOS if w == "</s>" else model.encode([w])[0]
    return math.exp(lm_step(model.arrays, state, i)[0])


def assert_same(one: ngrams.NgramModel, other: ngrams.NgramModel, atol: float = 0) -> None:
    assert (one.order, one.words) == (other.order, other.words)
    for name in ("word", "first_child", "suffix"):
        x, y = getattr(one.arrays, name), getattr(other.arrays, name)
        np.testing.assert_array_equal(x, y, name, strict=True)
    for name in ("log_prob", "backoff"):
        x, y = getattr(one.arrays, name), getattr(other.arrays, name)
        np.testing.assert_allclose(x, y, rtol=0, atol=atol, err_msg=name, strict=True)


def perplexity(log_prob: np.ndarray) -> float:
    return math.exp(-log_prob.mean())


# --- KenLM


def test_multi30k_has_the_ngrams_and_perplexities_of_lmplz(
    german: ngrams.NgramModel, held_out: Sentences
) -> None:
    assert german.counts == [18725, 95945, 189550, 249575, 266998]
    assert german.notes == []
    scores = german.score(held_out)
    assert len(scores.log_prob) == 13103
    assert scores.is_oov.sum() == 320
    assert perplexity(scores.log_prob) == pytest.approx(47.0647, abs=1e-4)
    assert perplexity(scores.log_prob[~scores.is_oov]) == pytest.approx(37.3599, abs=1e-4)


def test_pruned_multi30k_has_the_ngrams_and_perplexities_of_lmplz(
    pruned: ngrams.NgramModel, held_out: Sentences
) -> None:
    assert pruned.counts == [18725, 95945, 31724, 23271, 4914]
    scores = pruned.score(held_out)
    assert perplexity(scores.log_prob) == pytest.approx(48.3471, abs=1e-4)
    assert perplexity(scores.log_prob[~scores.is_oov]) == pytest.approx(38.5225, abs=1e-4)


def test_a_file_of_lmplz_equals_our_model(german: ngrams.NgramModel) -> None:
    if not MOSES_ARPA.exists():
        pytest.skip(f"{MOSES_ARPA} is not here")
    assert_same(arpa.read_arpa(MOSES_ARPA), german, atol=1e-5)


@pytest.mark.parametrize("name", ["german", "pruned"])
def test_kenlm_reads_our_arpa_and_scores_the_same(
    name: str, held_out: Sentences, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    model: ngrams.NgramModel = request.getfixturevalue(name)
    arpa.write_arpa(model, tmp_path / "lm.arpa")
    peer = kenlm.Model(str(tmp_path / "lm.arpa"))
    theirs = [row for words in held_out for row in peer.full_scores(" ".join(words))]
    log10, orders, oov = (np.array(column) for column in zip(*theirs, strict=True))
    ours = model.score(held_out)
    np.testing.assert_allclose(ours.log_prob / math.log(10), log10, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(ours.order, orders)
    np.testing.assert_array_equal(ours.is_oov, oov)


# --- the equations


@pytest.mark.parametrize(
    ("order", "prune"),
    [(1, []), (2, []), (3, []), (4, []), (2, [0, 1]), (4, [0, 1, 1, 2]), (4, [0, 0, 0, 3])],
)
@pytest.mark.parametrize("seed", range(4))
def test_probabilities_equal_the_oracle(seed: int, order: int, prune: list[int]) -> None:
    sentences = corpus(seed, size=12 + 20 * seed)
    model, oracle = estimate.train(sentences, order, prune), KneserNey(sentences, order, prune)
    kept = [sum(len(g) == k for g in {*oracle.a} - oracle.pruned) for k in range(1, order + 1)]
    assert model.counts == [n for n in (kept[0] + 2, *kept[1:]) if n]  # with <unk> and <s>
    np.testing.assert_allclose(
        model.discounts, [oracle.D[k][1:] for k in range(1, model.order + 1)]
    )
    assert model.arrays.log_prob[1 + LM_BOS] == 0  # as lmplz writes it
    rng = random.Random(seed)
    words = [*oracle.predicted, "never-seen"]
    seen = [["<s>", *s][: rng.randrange(9)] for s in sentences]
    unseen = [rng.choices("abcdefgh", k=rng.randrange(6)) for _ in range(30)]
    for history in [*seen, *unseen]:
        state = state_after(model, history)
        for w in words:
            assert p(model, w, state) == pytest.approx(oracle.p(w, history), rel=2e-6), (w, history)


def test_the_oracle_test_covers_estimated_and_fallback_discounts() -> None:
    notes = [estimate.train(corpus(seed, size=12 + 20 * seed), 4).notes for seed in range(4)]
    assert any(len(n) >= 2 for n in notes)
    assert any(len(n) <= 1 for n in notes)


words = st.sampled_from("abcde")
sentence = st.lists(words, max_size=6)


thresholds = st.lists(st.integers(0, 3), max_size=4).map(lambda some: [0, *sorted(some)])


@settings(max_examples=120, deadline=None, derandomize=True)
@given(
    st.lists(sentence, min_size=1, max_size=12),
    st.integers(1, 5),
    thresholds,
    st.lists(words, max_size=6),
)
@example(corpus(3, size=72), 1, [0], ["a", "b", "a"])  # no order falls back
@example(corpus(3, size=72), 3, [0], ["a", "b", "a"])
@example(corpus(3, size=72), 5, [0, 1, 2], ["a", "b", "a"])
def test_probabilities_sum_to_one_after_any_history(
    sentences: Sentences, order: int, prune: list[int], history: list[str]
) -> None:
    model = estimate.train(sentences, order, prune[:order])
    outcomes = [*model.words[3:], "<unk>", "</s>"]
    for start in ([], ["<s>"], ["never-seen"]):
        state = state_after(model, [*start, *history])
        assert sum(p(model, w, state) for w in outcomes) == pytest.approx(1, abs=1e-6)


def test_scores_are_per_token_and_include_the_end_of_sentence() -> None:
    sentences = corpus(1)
    model = estimate.train(sentences, 3)
    batch = [["a", "zzz", "b"], [], ["c"], *sentences]
    scores = model.score(batch)
    assert scores.offsets.tolist() == [0, *np.cumsum([len(s) + 1 for s in batch])]
    assert [str(x.dtype) for x in scores] == ["float64", "int8", "bool", "int64"]
    for s, one in enumerate(batch):
        state, tokens = model.begin, [*model.encode(one), LM_EOS]
        for t, w in enumerate(tokens, start=scores.offsets[s]):
            expected, state = lm_step(model.arrays, state, w)
            assert scores.log_prob[t] == expected
            assert scores.is_oov[t] == (w == LM_UNK)
    assert scores.order[:4].tolist() == [2, 1, 1, 2]  # <s> a · zzz · b · b </s>
    assert len(model.score([]).log_prob) == 0


# --- the state


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_a_state_is_the_longest_history_that_matters(order: int) -> None:
    sentences = corpus(2, size=30)
    model = estimate.train(sentences, order)
    histories = {("<s>", *s[:i]) for s in sentences for i in range(len(s) + 1)}
    histories |= set(itertools.product("abcf", repeat=4))
    states = {history: state_after(model, history) for history in histories}
    followed = {
        ("<s>", *s)[i : i + n]
        for s in sentences
        for n in range(1, order)
        for i in range(len(s) + 2 - n)
    }
    for history, state in states.items():
        # by definition: the longest suffix, of at most n - 1 words, that some word follows
        known = [history[i:] for i in range(len(history)) if history[i:] in followed]
        assert state == (node_of(model, known[0]) if known else ngrams.ROOT), history
    assert len(set(states.values())) < len(states)
    assert state_after(model, ["a", "b", "never-seen"]) == ngrams.ROOT


def node_of(model: ngrams.NgramModel, gram: Sequence[str]) -> int:
    node = ngrams.ROOT
    for w in gram:
        trie = model.arrays
        children = range(trie.first_child[node], trie.first_child[node + 1])
        (node,) = (child for child in children if model.words[trie.word[child]] == w)
    return node


# --- unusual corpora


@pytest.mark.parametrize("sentences", [[[]], [["a"]], [["a", "b", "c"]], [["a"] * 9] * 3])
def test_a_tiny_corpus_falls_back_with_notes(sentences: Sentences) -> None:
    model = estimate.train(sentences, 5)
    longest = min(5, len(sentences[0]) + 2)
    assert model.order == len(model.counts) == len(model.discounts) == longest
    assert model.discounts[0] == list(estimate.FALLBACK_DISCOUNTS)
    assert any("1-grams" in note and "using 0.5, 1.0, 1.5" in note for note in model.notes)
    assert any(f"order {longest} instead of 5" in note for note in model.notes) == (longest < 5)
    oracle = KneserNey(sentences, 5)
    for w in oracle.predicted:
        assert p(model, w, model.begin) == pytest.approx(oracle.p(w, ["<s>"]), rel=1e-6)


def test_invalid_input_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one sentence"):
        estimate.train([])
    for order in (0, MAX_ORDER + 1):  # a model of a higher order could not be read again
        with pytest.raises(ValueError, match=f"order from 1 to 30, found {order}"):
            estimate.train([["a"]], order=order)


@pytest.mark.parametrize("prune", [[1], [0, 2, 1], [0, -1], [0, 0, 0, 0]])
def test_invalid_thresholds_are_refused(prune: list[int]) -> None:
    with pytest.raises(ValueError, match="expected at most 3 numbers, the first 0"):
        estimate.train([["a"]], order=3, prune=prune)


def test_the_last_threshold_applies_to_longer_ngrams() -> None:
    sentences = corpus(3, size=72)
    assert_same(estimate.train(sentences, 4, [0, 1]), estimate.train(sentences, 4, [0, 1, 1, 1]))


def test_the_order_is_that_of_the_longest_kept_ngram() -> None:
    sentences = [["a", "b", "c"], ["a", "b"], ["c"]]
    model = estimate.train(sentences, 4, [0, 1])  # only <s> a, a b, c </s> and <s> a b occur twice
    assert (model.order, model.counts) == (3, [6, 3, 1])
    assert len(model.discounts) == 3
    assert any("order 3 instead of 4" in note for note in model.notes)
    assert not any("4-grams" in note for note in model.notes)


def test_text_spelled_like_a_special_symbol_is_not_trained_on_and_unknown() -> None:
    model = estimate.train([["a", "<s>", "b", "<unk>"], ["</s>", "b"]], 3)
    clean = estimate.train([["a", "b"], ["b"]], 3)
    assert_same(model, clean)
    assert model.notes[0].startswith("3 tokens spelled like")
    assert model.encode(["<s>", "</s>", "<unk>", "b"]).tolist() == [0, 0, 0, 4]


# --- files


@pytest.mark.compiled
def test_load_after_save_is_the_identity(tmp_path: Path) -> None:
    model = estimate.train([*corpus(3), ["ü", "\u2028", "<s>"]], 4)
    model.save(tmp_path / "lm")
    loaded = ngrams.NgramModel.load(tmp_path / "lm")
    assert_same(model, loaded)
    assert (loaded.discounts, loaded.notes) == (model.discounts, model.notes)
    assert isinstance(loaded.arrays.word.base, np.memmap)
    sentences = [*corpus(4), ["ü", "?"]]
    np.testing.assert_array_equal(model.score(sentences).log_prob, loaded.score(sentences).log_prob)
    assert len(ngrams._score.signatures) == 1  # one numba type, mapped or not: one compilation


def test_arrays_of_different_models_are_refused(tmp_path: Path) -> None:
    estimate.train(corpus(3), 3).save(tmp_path)
    estimate.train(corpus(4), 3).save(tmp_path / "other")
    (tmp_path / "other" / "suffix.npy").replace(tmp_path / "suffix.npy")
    with pytest.raises(InputError, match=r"suffix.npy: damaged: .* rows instead of"):
        ngrams.NgramModel.load(tmp_path)


@pytest.mark.parametrize("name", ["lm.arpa", "lm.arpa.gz"])
@pytest.mark.parametrize(("order", "prune"), [(1, []), (2, []), (4, []), (4, [0, 1, 1, 2])])
def test_writing_and_reading_keeps_the_model(
    order: int, prune: list[int], name: str, tmp_path: Path
) -> None:
    model = estimate.train([*corpus(5), ["no\u00a0break", "\u2028", "\x85", "ü"]], order, prune)
    arpa.write_arpa(model, tmp_path / name)
    assert_same(arpa.read_arpa(tmp_path / name), model, atol=1e-6)
    if name.endswith(".gz"):
        assert (tmp_path / name).read_bytes()[3:8] == bytes(5)  # no name and no time
    (tmp_path / "again").mkdir()
    arpa.write_arpa(model, tmp_path / "again" / name)
    assert (tmp_path / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


@pytest.mark.parametrize("word", ["", "two words", "line\nend", "form\ffeed"])
def test_a_word_that_arpa_cannot_hold_is_refused(word: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=re.escape(repr(word))):
        arpa.write_arpa(estimate.train([["a", word]], 2), tmp_path / "lm.arpa")


def prune(text: str, is_dropped: Callable[[list[str]], bool]) -> str:
    """Drop n-grams from an ARPA file and correct its counts."""
    kept = [
        line
        for line in text.split("\n")
        if line.count("\t") == 0 or not is_dropped(line.split("\t")[1].split(" "))
    ]
    n = {len(line.split("\t")[1].split(" ")): 0 for line in kept if "\t" in line}
    for line in kept:
        if "\t" in line:
            n[len(line.split("\t")[1].split(" "))] += 1
    return re.sub(r"ngram (\d)=\d+", lambda m: f"ngram {m[1]}={n[int(m[1])]}", "\n".join(kept))


PRUNED: dict[str, Callable[[list[str]], bool]] = {
    "histories": lambda gram: 1 < len(gram) < 4 and gram[0] == "a",
    "suffixes": lambda gram: gram[:2] == ["b", "a"],  # no "b a", but "a b a"
    "followers": lambda gram: len(gram) > 1 and gram[0] == "b",  # "b" has a useless backoff
    "both": lambda gram: len(gram) in (2, 3) and "a" in gram,
    "no <unk>": lambda gram: gram == ["<unk>"],
}


@pytest.mark.compiled
@pytest.mark.parametrize("what", PRUNED)
def test_a_pruned_arpa_file_equals_the_oracle(what: str, tmp_path: Path) -> None:
    arpa.write_arpa(estimate.train(corpus(6, size=60), 4), tmp_path / "whole.arpa")
    text = prune((tmp_path / "whole.arpa").read_text(encoding="utf-8"), PRUNED[what])
    (tmp_path / "lm.arpa").write_text(text, encoding="utf-8")
    model, oracle = arpa.read_arpa(tmp_path / "lm.arpa"), Arpa(text)
    oracle.p.setdefault(("<unk>",), -100.0)
    assert any("contexts" in note for note in model.notes) == (what in ("histories", "both"))
    assert any("<unk>" in note for note in model.notes) == (what == "no <unk>")
    rng = random.Random(6)
    for _ in range(300):
        history = [*rng.choice([[], ["<s>"]]), *rng.choices("aabcdez", k=rng.randrange(5))]
        for w in ("a", "b", "f", "z"):
            expected = oracle.ln_p(w, history)
            ours, _ = lm_step(model.arrays, state_after(model, history), *model.encode([w]))
            assert ours == pytest.approx(expected, abs=1e-5), (w, history)


def test_kenlm_scores_an_arpa_file_without_some_suffixes_the_same(tmp_path: Path) -> None:
    arpa.write_arpa(estimate.train(corpus(6, size=60), 4), tmp_path / "whole.arpa")
    text = prune((tmp_path / "whole.arpa").read_text(encoding="utf-8"), PRUNED["suffixes"])
    grams = set(Arpa(text).p)
    assert any(g[1:] not in grams for g in grams if len(g) > 1)
    (tmp_path / "lm.arpa").write_text(text, encoding="utf-8")
    peer = kenlm.Model(str(tmp_path / "lm.arpa"))
    sentences = corpus(7, "abcdefz", size=40)
    theirs = [log10 for s in sentences for log10, _, _ in peer.full_scores(" ".join(s))]
    ours = arpa.read_arpa(tmp_path / "lm.arpa").score(sentences).log_prob / math.log(10)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


GOOD = """\\data\\
ngram 1=4
ngram 2=2

\\1-grams:
-1\t<unk>
0\t<s>\t-0.5
-0.3\t</s>
-0.6\ta\t-0.2

\\2-grams:
-0.1\t<s> a
-0.2\ta </s>

\\end\\
"""


def test_the_unchanged_arpa_file_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "lm.arpa").write_text("# a comment\n" + GOOD.replace("\n", "\r\n"))
    model = arpa.read_arpa(tmp_path / "lm.arpa")
    assert model.counts == [4, 2]
    assert model.score([["a"]]).log_prob / math.log(10) == pytest.approx([-0.1, -0.2])


def test_the_backoff_of_an_ngram_of_the_highest_order_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "lm.arpa").write_text(GOOD.replace("<s> a", "<s> a\t-0.7"))
    scores = arpa.read_arpa(tmp_path / "lm.arpa").score([["a", "a"]])
    assert scores.log_prob / math.log(10) == pytest.approx([-0.1, -0.2 - 0.6, -0.2])


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("\\data\\\n", "", 4, "expected"),
        ("ngram 1=4\nngram 2=2\n", "", 1, "expected"),
        ("ngram 2=2", "ngram 2=3", 11, "found 2 2-grams"),
        ("ngram 1=4", "ngram 1=x", 5, "found 4 1-grams"),
        ("\\2-grams:", "\\3-grams:", 11, "expected"),
        ("-0.6\ta", "0.6\ta", 9, "log10 p"),
        ("-0.6\ta", "nan\ta", 9, "log10 p"),
        ("-0.6\ta", "-inf\ta", 9, "log10 p"),
        ("-0.6\ta", "-1e7\ta", 9, "log10 p"),  # the saved model could not be read
        ("a\t-0.2", "a\t1e7", 9, "log10 p"),
        ("-0.6\ta", "x\ta", 9, "log10 p"),
        ("a\t-0.2", "a\tinf", 9, "log10 p"),
        ("a\t-0.2", "a\t-0.2 -0.3", 9, "log10 p"),
        ("-0.6\ta", "-0.6\tb", 12, "unigrams"),
        ("<s> a", "a", 12, "2 words"),
        ("<s> a", "a </s>", 13, "is a duplicate"),
        ("-0.3\t</s>", "-0.3\tb", 9, "lack <s> or </s>"),
        ("0\t<s>\t-0.5", "0\tb\t-0.5", 9, "lack <s> or </s>"),
        ("-0.1\t<s> a\n-0.2\ta </s>", "-0.1\ta a\n-0.2\ta a", 13, "is a duplicate"),
        ("\\end\\\n", "", 14, "end"),
        ("\\end\\\n", "\\end\\\n\\3-grams:\n", 16, "nothing more"),
        (GOOD, "", 0, "data"),
    ],
)
def test_a_bad_arpa_file_is_refused_with_its_line(
    old: str, new: str, line: int, message: str, tmp_path: Path
) -> None:
    assert old in GOOD
    (tmp_path / "lm.arpa").write_text(GOOD.replace(old, new, 1))
    with pytest.raises(InputError, match=rf"lm\.arpa:{line}: .*{message}"):
        arpa.read_arpa(tmp_path / "lm.arpa")


def test_damaged_bytes_are_refused(tmp_path: Path) -> None:
    packed = gzip.compress(GOOD.encode() * 50)
    (tmp_path / "lm.arpa.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(InputError, match=r"lm\.arpa\.gz: not a complete gzip file"):
        arpa.read_arpa(tmp_path / "lm.arpa.gz")
    (tmp_path / "lm.arpa").write_bytes(GOOD.encode().replace(b"a\t", b"\xff\t"))
    with pytest.raises(InputError, match=r"lm\.arpa:9: .*UTF-8"):
        arpa.read_arpa(tmp_path / "lm.arpa")
