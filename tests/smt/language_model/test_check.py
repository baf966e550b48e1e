"""A language model file with one invalid value is refused."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtkit.errors import InputError
from mtkit.smt.language_model import arpa, estimate, ngrams
from mtkit.smt.language_model.ngrams import LM_BOS, LM_EOS, LM_UNK, LOG2_CACHE_SIZE, MAX_ORDER
from mtkit.storage.structure import MAX_VALUE
from tests.support.changes import Change, put
from tests.support.kernels import lm_step, lm_step_cached

SENTENCES = ["a b a c", "b a c b", "a b a b c", "c c a b", "a c"]
V = 6  # the three specials, a, b, c


@pytest.fixture
def where(tmp_path: Path) -> Path:
    estimate.train([line.split() for line in SENTENCES], 3).save(tmp_path)
    return tmp_path


REFUSED: list[tuple[str, Change, str]] = [
    *((name, lambda a: a[:-1], "rows instead of") for name in ngrams.Lm._fields[1:]),
    *((name, lambda a: np.append(a, a[-1:]), "rows instead of") for name in ngrams.Lm._fields[1:]),
    ("word", put(-1, V), "outside 0 to 5"),
    ("word", put(-1, -1), "outside 0 to 5"),
    ("word", put([1, 2], [1, 0]), "not in the order of the words"),
    ("word", put(V, V - 2), "not in the order of the words"),
    ("word", lambda a: a[[0, *range(1, V + 1), *range(len(a) - 1, V, -1)]], "do not increase"),
    ("first_child", put(0, 0), "6 children"),
    ("first_child", put(0, 2), "6 children"),
    ("first_child", put(1, V), "6 children"),
    (
        "first_child",
        lambda a: np.maximum(a, [1] + [V + 2] * (len(a) - 1), dtype=a.dtype),
        "6 children",
    ),
    ("first_child", put(-1, 2**30), "offsets from"),
    ("first_child", put(-2, 0), "offsets decrease"),
    ("first_child", lambda a: np.full_like(a, len(a) - 1), "6 children"),
    ("suffix", put(1, 1), "not a shorter n-gram"),
    ("suffix", put(V, 1), "not a shorter n-gram"),
    ("suffix", lambda a: np.where(np.arange(len(a)) == len(a) - 1, len(a) - 1, a), "not a shorter"),
    ("suffix", put(-1, 0), "outside 1 to"),
    ("suffix", put(-1, -1), "outside 1 to"),
    ("suffix", put(-1, 1 + LM_BOS), "another word"),
    ("suffix", put(V + 1, 1 + LM_BOS), "another word"),
    ("log_prob", put(2, 0.001), "outside"),
    ("log_prob", put(-1, -1.01 * MAX_VALUE), "outside"),
    ("log_prob", put(-1, np.nan), "outside"),
    ("backoff", put(-1, 1.01 * MAX_VALUE), "outside"),
    ("backoff", put(1, -1.01 * MAX_VALUE), "outside"),
]


@pytest.mark.parametrize(("name", "change", "message"), REFUSED)
def test_changed_arrays_are_refused(name: str, change: Change, message: str, where: Path) -> None:
    file = where / f"{name}.npy"
    np.save(file, change(np.load(file)))
    with pytest.raises(InputError, match=f"^{file}: damaged: .*{message}"):
        ngrams.NgramModel.load(where)


@pytest.mark.parametrize(
    ("name", "at", "value"),
    [("log_prob", 2, 0), ("log_prob", 2, -MAX_VALUE)]
    + [("backoff", 3, sign * MAX_VALUE) for sign in (1, -1)],
)
def test_values_at_the_limits_are_accepted(name: str, at: int, value: float, where: Path) -> None:
    array = np.load(where / f"{name}.npy")
    array[at] = value
    np.save(where / f"{name}.npy", array)
    assert getattr(ngrams.NgramModel.load(where).arrays, name)[at] == value


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("order", 0, "order"), ("order", MAX_ORDER + 1, "order"),
        ("order", 2, "more than 2 words"), ("order", -1, "order"),
        ("words", ["<s>", "<unk>", "</s>", "a", "b", "c"], "words"),
        ("words", ["<unk>", "<s>", "</s>", "a", "b", "b"], "twice"),
        ("words", ["<unk>", "<s>", "</s>", "a", "b"], "outside"),
    ],
)  # fmt: skip
def test_changed_json_is_refused(field: str, value: Any, message: str, where: Path) -> None:
    file = where / "lm.json"
    fields = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(fields | {field: value}), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        ngrams.NgramModel.load(where)


def test_a_model_of_the_highest_order_is_loaded(tmp_path: Path) -> None:
    estimate.train([["a"] * (MAX_ORDER + 2)], MAX_ORDER).save(tmp_path)
    assert ngrams.NgramModel.load(tmp_path).order == MAX_ORDER


# --- lookups


def test_every_word_may_follow_a_history(tmp_path: Path) -> None:
    lines = [
        *("\\data\\", "ngram 1=4", "ngram 2=5", "", "\\1-grams:", "-1\t<unk>", "-1\t<s>\t0"),
        *("-1\t</s>", "-1\ta\t0", "", "\\2-grams:", "-0.1\ta <unk>", "-0.2\ta <s>"),
        *("-0.3\ta </s>", "-0.4\ta a", "-0.5\t<s> a", "", "\\end\\"),
    ]
    (tmp_path / "lm.arpa").write_text("\n".join(lines), encoding="utf-8")
    model = arpa.read_arpa(tmp_path / "lm.arpa")
    [a] = model.encode(["a"]).tolist()
    log_p, state = lm_step(model.arrays, model.begin, a)
    assert log_p / np.log(10) == pytest.approx(-0.5)  # a history matters if words follow it
    for log10, w in ((-0.1, LM_UNK), (-0.2, LM_BOS), (-0.3, LM_EOS), (-0.4, a)):
        assert lm_step(model.arrays, state, w)[0] / np.log(10) == pytest.approx(log10)


def test_the_cache_does_not_change_answers() -> None:
    rng = random.Random(1)
    words = [chr(ord("a") + k) for k in range(26)]
    model = estimate.train([rng.choices(words, k=9) for _ in range(40)], 3)
    answers = ngrams.empty_cache()
    assert len(answers) == 1 << LOG2_CACHE_SIZE
    questions = [(s, w) for s in range(len(model.arrays.word)) for w in range(len(model.words))]
    rng.shuffle(questions)
    assert len(questions) > len(answers)  # some are evicted
    for state, w in questions[: 2 * len(answers)]:
        asked = lm_step_cached(model.arrays, state, w, answers)
        assert asked == lm_step(model.arrays, state, w)
    assert len(np.unique(answers["key"])) > len(answers) / 2  # keys are spread
    answers["log_p"] = 1
    assert lm_step_cached(model.arrays, state, w, answers)[0] == 1  # from the cache
