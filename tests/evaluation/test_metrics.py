"""Scores, intervals and p-values against sacreBLEU; perplexity against a plain loop."""

from __future__ import annotations

import math
import os
import random
from typing import Any

import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER
from sacrebleu.significance import PairedTest

from mtkit.errors import InputError
from mtkit.evaluation.metrics import Metric, bleu_parts, corpus_scores, why_zero
from mtkit.evaluation.perplexity import perplexities, perplexity
from mtkit.evaluation.significance import Pair, agreement, holm, significance
from mtkit.evaluation.statistics import Scorer, Statistics
from mtkit.system import LogProbability, Score

RNG = random.Random(7)
TEXT = "the a dog, cat house runs sleeps under old-fashioned red (small) tree. near 3.5 Bob's"
WORDS = TEXT.split()
REFERENCES = [" ".join(RNG.choices(WORDS, k=RNG.randint(3, 12))) for _ in range(50)]


def damaged(share: float, seed: int) -> list[str]:
    rng = random.Random(seed)
    return [
        " ".join(rng.choice(WORDS) if rng.random() < share else word for word in line.split())
        for line in REFERENCES
    ]


SYSTEMS = {"good": damaged(0.20, 1), "fair": damaged(0.24, 2), "poor": damaged(0.60, 3)}


def counted(outputs: list[str], references: list[str] = REFERENCES, **options: Any) -> Statistics:
    return Scorer([references], **options).count(outputs)


def scores(outputs: list[str], tokenize: str = "13a", resamples: int = 0) -> dict[str, Metric]:
    return corpus_scores(counted(outputs, tokenize=tokenize, resamples=resamples))


def scorers(tokenize: str) -> dict[str, BLEU | CHRF | TER]:
    return {"bleu": BLEU(tokenize=tokenize), "chrf": CHRF(), "ter": TER()}


# --- metrics


@pytest.mark.parametrize("tokenize", ["13a", "none", "intl"])
def test_scores_intervals_and_signatures_are_sacrebleus(tokenize: str) -> None:
    ours = scores(SYSTEMS["fair"], tokenize, 200)
    assert list(ours) == ["bleu", "chrf", "ter"]
    for name, scorer in scorers(tokenize).items():
        theirs = scorer.corpus_score(SYSTEMS["fair"], [REFERENCES], n_bootstrap=200)
        assert ours[name].score == theirs.score
        assert ours[name].signature == str(scorer.get_signature())
        low, high = ours[name].low, ours[name].high
        printed = f"μ = {(low + high) / 2:.2f} ± {(high - low) / 2:.2f}"
        assert printed in theirs.format()
    assert f"tok:{tokenize}" in ours["bleu"].signature
    assert "bs:200|seed:" in ours["bleu"].signature


def test_scores_without_case_match_sacrebleu() -> None:
    outputs = [line.upper() if k % 2 else line for k, line in enumerate(SYSTEMS["fair"])]
    ours = corpus_scores(counted(outputs, ignore_case=True, resamples=200))
    kinds = {"bleu": BLEU(lowercase=True), "chrf": CHRF(lowercase=True), "ter": TER()}
    for name, scorer in kinds.items():
        theirs = scorer.corpus_score(outputs, [REFERENCES], n_bootstrap=200)
        assert ours[name].score == theirs.score
        assert ours[name].signature == str(scorer.get_signature())
        assert "case:lc" in ours[name].signature
    assert corpus_scores(counted(outputs, resamples=0))["bleu"].score < ours["bleu"].score - 5


def test_bleu_depends_on_the_tokenizer() -> None:
    plain, tokenised = (scores(SYSTEMS["fair"], t)["bleu"].score for t in ("13a", "none"))
    assert plain != tokenised


def test_bleu_is_its_parts() -> None:
    rows = counted([line[:-4] for line in SYSTEMS["good"]])
    parts = bleu_parts(rows)
    logs = [math.log(parts[f"precision_{n}"]) for n in range(1, 5)]
    assert parts["brevity_penalty"] < 1
    assert parts["length_ratio"] < 1
    bleu = parts["brevity_penalty"] * math.exp(sum(logs) / 4)
    assert rows.score("bleu") == pytest.approx(bleu)


def test_intervals_repeat_and_leave_the_environment_alone() -> None:
    before = dict(os.environ)
    first = scores(SYSTEMS["good"], resamples=50)
    random.seed(99)
    assert scores(SYSTEMS["good"], resamples=50) == first
    assert dict(os.environ) == before


def test_the_seed_is_in_the_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    default = scores(SYSTEMS["good"], resamples=50)["bleu"]
    monkeypatch.setenv("SACREBLEU_SEED", "5")
    other = scores(SYSTEMS["good"], resamples=50)["bleu"]
    assert "seed:12345" in default.signature
    assert "seed:5|" in other.signature
    assert (other.low, other.high) != (default.low, default.high)
    monkeypatch.setenv("SACREBLEU_SEED", "None")
    drawn = [scores(SYSTEMS["good"], resamples=50)["bleu"] for _ in range(2)]
    assert "seed:none|" in drawn[0].signature
    assert (drawn[0].low, drawn[0].high) != (drawn[1].low, drawn[1].high)


def test_without_bootstrap_there_is_no_interval() -> None:
    for metric in scores(SYSTEMS["good"]).values():
        assert metric.low is None
        assert metric.high is None
        assert "bs:" not in metric.signature
    assert "bs:" not in scores(SYSTEMS["good"], resamples=1)["bleu"].signature


def test_intervals_stay_on_the_scale_and_survive_resamples_of_score_0() -> None:
    poor = ["dog, cat", *["x"] * 9]
    for hypotheses in (poor, REFERENCES[:10], [*REFERENCES[:9], "x"]):
        rows = counted(hypotheses, REFERENCES[:10], resamples=100)
        for name, metric in corpus_scores(rows).items():
            assert 0 <= metric.low <= metric.high
            assert metric.high <= 100 or name == "ter"


@pytest.mark.parametrize(
    ("hypotheses", "zero", "note"),
    [
        (["x y z u", "v w"], True, "no token of the output is in its"),
        (["", " "], True, "every output is empty"),
        (["a b", "f g"], True, "no 3-gram, as every line is shorter than 3"),
        (["a", "f"], True, "no 2-gram, as every line is shorter than 2"),
        (["a x c x e", "f"], False, "no 2-gram matched: without smoothing"),
        (["a b x d", "x x"], False, "no 3-gram matched: without smoothing"),
        (["a b c d e", "f g"], False, ""),
    ],
)
def test_zero_bleu_is_explained(hypotheses: list[str], zero: bool, note: str) -> None:
    rows = counted(hypotheses, ["a b c d e", "f g"], resamples=10)
    assert corpus_scores(rows)["bleu"].low >= 0
    assert (rows.score("bleu") < 1e-9) is zero
    assert note in why_zero(rows)
    assert bool(note) == bool(why_zero(rows))


@pytest.mark.parametrize("references", [1, 3])
def test_groups_and_sentences_are_scored_as_by_sacrebleu(references: int) -> None:
    every = [REFERENCES, damaged(0.3, 8), damaged(0.5, 9)][:references]
    rows = Scorer(every, resamples=0).count(SYSTEMS["poor"])
    group = [3, 4, 17, 41]
    for name, scorer in scorers("13a").items():
        lines, *chosen = ([side[i] for i in group] for side in (SYSTEMS["poor"], *every))
        assert rows.score(name, group) == scorer.corpus_score(lines, chosen).score
        assert rows.score(name) == scorer.corpus_score(SYSTEMS["poor"], every).score
        sides = zip(SYSTEMS["poor"], *every, strict=True)
        own = [scorer.sentence_score(output, refs).score for output, *refs in sides]
        assert rows.by_sentence(name) == own
        alone = rows.among(name, group)
        assert list(alone.rows) == [name]
        assert alone.score(name) == rows.score(name, group)
    with pytest.raises(InputError, match="no sentence"):
        rows.score("bleu", [])


def test_tokenized_text_logs_no_advice(caplog: pytest.LogCaptureFixture) -> None:
    lines = ["ein Hund ."] * 200
    counted(lines, lines).score("bleu")
    assert not caplog.records


def test_lines_must_correspond() -> None:
    with pytest.raises(InputError, match="1 lines for 2 references"):
        counted(["a"], ["a", "b"])
    with pytest.raises(InputError, match="2 lines for 1 references"):
        counted(["a", "b"], ["a"])
    with pytest.raises(InputError, match="empty"):
        counted([], [])
    with pytest.raises(InputError, match="poor: 1 lines"):
        Scorer([["a", "b"]]).count(["a"], name="poor")
    with pytest.raises(InputError, match="reference 2: 1 lines"):
        Scorer([["a", "b"], ["a"]])
    with pytest.raises(InputError, match="unknown BLEU tokenizer '13b'"):
        counted(["a"], ["a"], tokenize="13b")


# --- significance


def pairs_of(systems: dict[str, list[str]], **options: Any) -> list[Pair]:
    scorer = Scorer([REFERENCES], **options)
    return significance({name: scorer.count(lines) for name, lines in systems.items()})


def sacrebleu_p(kind: str, samples: int, a: str, b: str, metric: str, tokenize: str) -> float:
    named = [(name, SYSTEMS[name]) for name in (a, b)]
    scorer = {metric: scorers(tokenize)[metric]}
    found = PairedTest(named, scorer, [REFERENCES], test_type=kind, n_samples=samples)()[1]
    return float(next(v for k, v in found.items() if k != "System")[1].p_value)


@pytest.mark.parametrize("tokenize", ["13a", "none"])
def test_p_values_are_sacrebleus(tokenize: str) -> None:
    pairs = pairs_of(SYSTEMS, tokenize=tokenize, resamples=150, trials=250)
    named = [(p.a, p.b, p.metric) for p in pairs]
    assert named == [
        (a, b, metric)
        for a, b in (("good", "fair"), ("good", "poor"), ("fair", "poor"))
        for metric in ("bleu", "chrf")
    ]
    for p in pairs:
        a, b = (scores(SYSTEMS[s], tokenize)[p.metric].score for s in (p.a, p.b))
        assert p.delta == a - b
        assert p.p_sacrebleu == sacrebleu_p("bs", 150, p.a, p.b, p.metric, tokenize)
        assert p.p_bootstrap >= p.p_sacrebleu
        assert p.p_randomization == sacrebleu_p("ar", 250, p.a, p.b, p.metric, tokenize)
    assert len({p.p_randomization for p in pairs}) > 1
    assert any(p.p_bootstrap > 1.5 * p.p_sacrebleu for p in pairs)
    assert holm([0.04, 0.01, 0.03, 0.9]) == pytest.approx([0.09, 0.04, 0.09, 0.9])  # by hand
    for metric in ("bleu", "chrf"):
        of = [p for p in pairs if p.metric == metric]
        assert [p.holm_bootstrap for p in of] == holm([p.p_bootstrap for p in of])
        assert [p.holm_randomization for p in of] == holm([p.p_randomization for p in of])


def test_agreement_matches_mt_thresholds() -> None:
    """Its README gives 63.989 % for 1 BLEU and for 0.71 chrF."""
    for metric, delta in (("bleu", 1.0), ("bleu", -1.0), ("chrf", 0.71)):
        assert agreement(metric, delta) == pytest.approx(0.63989, abs=2e-4)
    assert agreement("bleu", 0.0) == 0.5
    # The largest differences in the paper's table, and beyond them.
    for metric, delta, share in (("bleu", 3.35, 0.85), ("chrf", 3.05, 0.90)):
        assert agreement(metric, delta) == pytest.approx(share, abs=5e-4)
        assert agreement(metric, -9 * delta) == agreement(metric, delta)
    assert agreement("ter", 9.0) is None
    scorer = Scorer([["a b c d e", "f g h i j"]], resamples=5, trials=5)
    lines = {"good": ["a b c d e", "f g h i j"], "poor": ["a b c d", "f x h i"]}
    for pair in significance({name: scorer.count(of) for name, of in lines.items()}):
        assert pair.agreement == agreement(pair.metric, pair.delta)


def test_default_trials_are_sacrebleus() -> None:
    two = {name: SYSTEMS[name] for name in ("good", "poor")}
    (pair,) = pairs_of(two, metrics=["bleu"])
    assert pair.p_sacrebleu == sacrebleu_p("bs", 0, "good", "poor", "bleu", "13a")
    assert pair.p_randomization == sacrebleu_p("ar", 0, "good", "poor", "bleu", "13a")


def test_a_system_does_not_differ_from_itself() -> None:
    same = {"one": SYSTEMS["good"], "two": list(SYSTEMS["good"])}
    for pair in pairs_of(same, resamples=50, trials=50):
        assert (pair.delta, pair.p_bootstrap, pair.p_randomization) == (0.0, 1.0, 1.0)
        assert pair.rejections == 0


def test_one_system_has_no_pair() -> None:
    assert pairs_of({"good": SYSTEMS["good"]}) == []


@pytest.mark.parametrize(
    ("p", "rejections"),
    [((0.01, 0.02), 2), ((0.01, 0.05), 1), ((0.30, 0.02), 1), ((0.05, 0.50), 0)],
)
def test_significant_tests_are_counted(p: tuple[float, float], rejections: int) -> None:
    assert Pair("a", "b", "bleu", 1.0, 0.0, 0.0, *p, 0.0).rejections == rejections


# --- perplexity


def test_perplexity_is_the_plain_loop() -> None:
    rng = random.Random(3)
    words = [
        [(rng.uniform(0.001, 0.9), rng.random() < 0.2) for _ in range(rng.randint(1, 20))]
        for _ in range(30)
    ]
    values = [
        LogProbability(
            value=sum(math.log(p) for p, _ in sentence),
            tokens=len(sentence),
            oov=sum(unknown for _, unknown in sentence),
            known=sum(math.log(p) for p, unknown in sentence if not unknown),
        )
        for sentence in words
    ]
    product, known_product, n, known_n = 1.0, 1.0, 0, 0
    for p, unknown in (word for sentence in words for word in sentence):
        n += 1
        product *= p ** (1 / 400)  # a root, so that the product does not underflow
        if not unknown:
            known_n += 1
            known_product *= p ** (1 / 400)
    found = perplexity(values, "P(y)")
    assert found.value == pytest.approx(product ** (-400 / n))
    assert found.without_oov == pytest.approx(known_product ** (-400 / known_n))
    assert found.value != pytest.approx(found.without_oov)
    assert (found.tokens, found.oov, found.question, found.note) == (n, n - known_n, "P(y)", "")


def test_uniform_model_has_its_vocabulary_as_perplexity() -> None:
    values = [LogProbability(n * math.log(1 / 8), n) for n in (1, 5, 9)]
    assert perplexity(values, "P(y|x)").value == pytest.approx(8)


def test_a_probability_of_0_is_infinite_and_noted() -> None:
    values = [LogProbability(-math.inf, 4), LogProbability(-6.0, 3), LogProbability(-8.0, 4)]
    found = perplexity(values, "P(x|y)")
    assert found.value == math.inf
    assert (
        found.note == f"1 of 3 sentences have probability 0; over the others it is {math.e**2:.2f}"
    )
    assert "over the others" not in perplexity(values[:1], "P(x|y)").note


@pytest.mark.parametrize("gap", [None, LogProbability(math.nan, 7)])
def test_missing_sentence_is_left_out_and_counted(gap: LogProbability | None) -> None:
    found = perplexity([gap, LogProbability(-6.0, 3)], "P(y)")
    assert found.value == pytest.approx(math.e**2)
    assert found.tokens == 3
    assert found.note == "1 of 2 sentences have no value and are left out"


def test_no_values_at_all() -> None:
    found = perplexity([None, None], "P(y)")
    assert (found.value, found.without_oov, found.tokens) == (None, None, 0)
    assert "2 of 2" in found.note
    assert perplexity([], "P(y)").value is None


def test_without_oov_needs_it_for_every_sentence() -> None:
    knows, cannot = LogProbability(-9.0, 4, 1, known=-3.0), LogProbability(-5.0, 2)
    assert perplexity([knows], "P(y)").without_oov == pytest.approx(math.e)
    assert perplexity([knows, cannot], "P(y)").without_oov is None
    assert perplexity([LogProbability(-9.0, 2, 2, known=0.0)], "P(y)").without_oov is None


def test_too_large_for_a_float_is_infinite() -> None:
    assert perplexity([LogProbability(-5000.0, 2)], "P(y)").value == math.inf


def test_each_question_has_its_own_model() -> None:
    scores = [
        Score(
            LogProbability(-2.0, 2), LogProbability(-4.0, 2), LogProbability(-6.0, 2), model=-9.0
        ),
        Score(LogProbability(-2.0, 2), None, LogProbability(-6.0, 2)),
    ]
    found = perplexities(scores)
    values = {question: p.value for question, p in found.items()}
    assert values == pytest.approx({"P(y)": math.e, "P(x|y)": math.e**2, "P(y|x)": math.e**3})
    assert all(question == p.question for question, p in found.items())
    assert "1 of 2" in found["P(x|y)"].note
    assert list(perplexities([Score(direct=LogProbability(-6.0, 2))])) == ["P(y|x)"]
    assert perplexities([]) == {}
