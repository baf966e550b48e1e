"""A combination as a system, and as a directory that refers to its parts."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mtkit
from mtkit.combination.combine import combine
from mtkit.combination.parts import PARTS, OtherSystem, Part, size, with_parts
from mtkit.combination.pool import Pool
from mtkit.combination.system import WEIGHTS, Combination
from mtkit.combination.tune import Figures, tune, without_length_gain
from mtkit.comparison.choices import Chosen
from mtkit.errors import InputError
from mtkit.manifest import Manifest, model_size
from mtkit.smt.tuning.bleu import COLUMNS, ORDER
from mtkit.system import Hypothesis, Score
from mtkit.text.corpus import Bitext, Corpus
from mtkit.text.glossary import Glossary
from mtkit.text.tokenizer import WordTokenizer
from tests.support.corpora import first


@pytest.fixture
def combination(combination_directory: Path) -> Combination:
    return Combination.load(combination_directory)


def copied(directory: Path, to: Path) -> Path:
    """Copy the combination to ``to``; its parts stay in place."""
    shutil.copytree(directory, to)
    parts = json.loads((to / PARTS).read_text("utf-8"))
    for part in parts:
        part["paths"] = [str((directory / path).resolve()) for path in part["paths"]]
    (to / PARTS).write_text(json.dumps(parts), encoding="utf-8")
    return to


# --- selection


@pytest.mark.parametrize("alone", ["smt", "nmt"])
@pytest.mark.parametrize("n_best", [1, 4])
def test_if_the_weights_of_one_part_are_0_the_other_decides(
    alone: str, n_best: int, combination: Combination, few: Corpus, request: pytest.FixtureRequest
) -> None:
    other = {"smt": "nmt", "nmt": "smt"}[alone]
    nothing = dict.fromkeys(combination.weights[other], 0.0)
    combination.weights = {**combination.weights, other: nothing}
    lines = [*few.test.source[:12], "", " ".join(few.test.source)]
    system = mtkit.load(request.getfixturevalue(f"{alone}_directory"))
    expected = [[h.text for h in of] for of in system.translate(lines, n_best)]
    assert [[h.text for h in of] for of in combination.translate(lines, n_best)] == expected
    assert combination.explain(lines[0]).translation == expected[0][0]
    combination.weights = {"all": {"words": 1.0}}
    with pytest.raises(InputError, match="all weights of the combination are 0"):
        combination.translate(lines)


def test_the_score_is_the_sum_of_weights_times_features(
    combination: Combination, few: Corpus
) -> None:
    for [best, *_] in combination.translate(few.test.source[:6], 3):
        weighed = {
            f"{part}.{feature}": weight
            for part, of in combination.weights.items()
            for feature, weight in of.items()
        }
        assert set(best.features) == set(weighed)
        total = sum(weighed[name] * value for name, value in best.features.items())
        assert best.score == pytest.approx(total)
        assert best.features["all.words"] == len(best.tokens)


def test_equal_translations_are_one_candidate_with_both_places(
    combination: Combination, few: Corpus
) -> None:
    system = combination.systems["smt"]
    twin = replace(combination.parts[0], name="twin")
    combination.parts = [combination.parts[0], twin]
    combination.weights = {"smt": {"model": 1.0}, "twin": {"model": 1.0}}
    for line, [best] in zip(
        few.test.source[:5], combination.translate(few.test.source[:5]), strict=True
    ):
        assert best.text == system.translate([line])[0][0].text
        assert best.places == {"smt": 0, "twin": 0}


def test_unreachable_candidates_are_marked(combination: Combination) -> None:
    words = combination.tokenize(["The train is here."])
    pool = combination.pool(words)
    unreached = pool.columns["smt", "unreached"]
    listed = np.array(["smt" in y.places for y in pool.candidates])
    assert not unreached[listed].any()
    model = pool.columns["smt", "model"]
    assert unreached.any()
    assert (model[unreached == 1] == model[unreached == 0].min()).all()
    assert not pool.columns["nmt", "unreached"].any()


def test_a_statistical_system_scores_only_what_its_search_did_not_find(
    combination: Combination, few: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, lines = combination.systems["smt"], few.test.source[:4]
    found = {
        (line, y.text): y.score
        for line, list_ in zip(lines, system.translate(lines, 30), strict=True)
        for y in list_
    }
    forced = dict[tuple[str, str], float | None]()
    score = system.score

    def remember(pairs: list[tuple[str, str]], brief: bool) -> list[Score]:
        scores = score(pairs, brief)
        forced.update({pair: s.model for pair, s in zip(pairs, scores, strict=True)})
        return scores

    monkeypatch.setattr(system, "score", remember)
    pool = combination.pool(combination.tokenize(lines))
    sources = np.repeat(lines, np.diff(pool.begin)).tolist()
    pairs = [(x, y.text) for x, y in zip(sources, pool.candidates, strict=True)]
    assert forced
    assert not forced.keys() & found.keys()
    reached = pool.columns["smt", "unreached"] == 0
    expected = [{**forced, **found}[pair] for pair in pairs]
    assert [value is not None for value in expected] == reached.tolist()
    model = pool.columns["smt", "model"][reached].tolist()
    assert model == [value for value in expected if value is not None]


def test_a_glossary_is_used(combination: Combination) -> None:
    entries = {("train",): [("Zauberzug",)]}
    plain = combination.translate(["The train is here."])[0][0].text
    combination.use_glossary(Glossary(entries))
    assert "Zauberzug" in combination.translate(["The train is here."])[0][0].text
    assert "Zauberzug" not in plain
    combination.use_glossary(Glossary())
    assert combination.translate(["The train is here."])[0][0].text == plain


def test_numbers_stay(combination: Combination) -> None:
    lines = ["The 1984 train {name} costs 35 euros.", "At 7 or 7."]
    [[first], [second]] = combination.translate(lines)
    assert all(word in first.text for word in ("1984", "35", "{name}"))
    assert second.text.count("7") == 2


# --- tuning


def pool_of(columns: dict[tuple[str, str], list[float]], texts: list[str], each: int) -> Pool:
    parts = [part for part, feature in columns if feature == "model"]
    candidates = []
    for i, text in enumerate(texts):
        own = slice(i - i % each, i - i % each + each)
        firsts = [p for p in parts if int(np.argmax(columns[p, "model"][own])) == i % each]
        candidates.append(Hypothesis(text, text.split(), 0.0, places=dict.fromkeys(firsts, 0)))
    arrays = {name: np.array(values, np.float64) for name, values in columns.items()}
    return Pool(np.arange(0, len(texts) + 1, each), candidates, arrays)


def test_an_implausible_length_wins_only_if_there_is_nothing_else(combination: Combination) -> None:
    combination.weights, combination.length_ratio = {"all": {"words": -1.0}}, 0.9
    pool = pool_of({("all", "words"): [4.0, 19.0]}, ["x " * 4, "y " * 19], 2)
    for n_source, expected in ((20, [19, 4]), (5, [4, 19]), (90, [4, 19])):
        [ranked] = combination.choose(pool, [["a"] * n_source], 2)
        assert [len(y.tokens) for y in ranked] == expected


def test_tuning_finds_the_useful_feature() -> None:
    rng, S = np.random.default_rng(3), 60
    right, wrong = list("abcde"), list("vwxyz")
    references = [[right[k] for k in rng.permutation(5)] for _ in range(S)]
    texts = [t for r in references for t in (" ".join(r), " ".join(wrong), " ".join(r[:3]))]
    noise = rng.standard_normal(3 * S).tolist()
    better = [0.2, 0.0, 0.0] * S  # the only informative feature
    columns = {("p", "model"): noise, ("q", "model"): noise[::-1], ("p", "agreement"): better}
    tuned = tune(pool_of(columns, texts, 3), ["p", "q"], references)
    assert tuned.fitted.bleu == tuned.oracle.bleu == pytest.approx(100)
    assert tuned.validated.bleu > 99
    assert tuned.pays
    alone = max(of.bleu for of in tuned.alone.values())
    assert alone < 80
    assert tuned.gain.value == pytest.approx(tuned.validated.bleu - alone)
    assert 0 < tuned.gain.low < tuned.gain.value < tuned.gain.high


def test_a_useless_part_does_not_pay() -> None:
    rng, S = np.random.default_rng(4), 40
    references = [list("abcdef") for _ in range(S)]
    texts = ["a b c d e f", "a b c x e f"] * S
    columns = {
        ("p", "model"): [1.0, 0.0] * S,
        ("q", "model"): [0.0, 1.0] * S,
        ("q", "agreement"): rng.standard_normal(2 * S).tolist(),
    }
    tuned = tune(pool_of(columns, texts, 2), ["p", "q"], references)
    assert tuned.alone["p"].bleu == pytest.approx(100)
    assert (tuned.best, tuned.pays) == ("p", False)
    assert tuned.fitted.bleu == pytest.approx(100)  # never below the best part


def test_references_count_as_no_longer_than_the_output() -> None:
    begin, rows = np.array([0, 2, 4, 6]), np.array([0, 2, 5])
    statistics = np.zeros((6, COLUMNS), np.int32)
    statistics[:, ORDER] = [9, 5, 8, 8, 1, 7]  # output of 9 + 8 + 7 = 24 words
    for references, expected in (([10, 10, 10], [8, 8, 8]), ([2, 3, 19], [2, 3, 19])):
        statistics[:, 2 * ORDER] = np.repeat(references, 2)
        neutral = without_length_gain(statistics, begin, rows)
        assert neutral[:, 2 * ORDER].tolist() == np.repeat(expected, 2).tolist()
        assert (neutral[:, : 2 * ORDER] == statistics[:, : 2 * ORDER]).all()


def test_tuning_does_not_lengthen_the_output_to_long_references() -> None:
    rng, S = np.random.default_rng(5), 200
    references, texts = [], []
    for _ in range(S):
        words = [f"w{k}" for k in rng.integers(0, 50, 24)]
        references.append(words)  # two words longer than the systems' output
        texts += [" ".join(words[:22]), " ".join([*words[:22], words[23]])]
    columns = {
        ("p", "model"): [1.0, 0.0] * S,
        ("q", "model"): [1.0, 0.0] * S,
        ("all", "words"): [22.0, 23.0] * S,
    }
    tuned = tune(pool_of(columns, texts, 2), ["p", "q"], references)
    assert tuned.alone["p"].bleu == pytest.approx(100 * np.exp(1 - 24 / 22))  # true references
    assert tuned.fitted.bleu == tuned.alone["p"].bleu


# --- on disk


def test_a_missing_or_changed_part_is_an_error(
    combination_directory: Path, smt_directory: Path, tmp_path: Path
) -> None:
    place = copied(combination_directory, tmp_path / "combined")
    parts = json.loads((place / PARTS).read_text("utf-8"))
    own = Path(shutil.copytree(smt_directory, tmp_path / "smt"))
    parts[0]["paths"] = ["../smt"]
    (place / PARTS).write_text(json.dumps(parts), encoding="utf-8")
    assert Combination.load(place).translate(["Two men."])[0][0].text
    manifest = Manifest.read(own)
    replace(manifest, figures=manifest.figures | {"seconds": -1.0}).write(own)
    with pytest.raises(
        InputError, match=r"system smt \(.*smt\) has changed; run `mtkit combine` again"
    ):
        Combination.load(place)
    shutil.rmtree(own)
    with pytest.raises(InputError, match=r"system smt is missing \(.*smt\); restore it"):
        Combination.load(place)
    (place / PARTS).write_text("[{}]", encoding="utf-8")
    with pytest.raises(InputError, match=r"parts\.json: damaged: 'name' is missing"):
        Combination.load(place)


def test_with_copies_it_is_self_contained(
    combination_directory: Path, smt_directory: Path, nmt_directory: Path, few: Corpus,
    tmp_path: Path,
) -> None:  # fmt: skip
    parts = {}
    for name, path in (("smt", smt_directory), ("nmt", nmt_directory)):
        parts[name] = (Path(shutil.copytree(path, tmp_path / name)),)
    combine(parts, few.dev, tmp_path / "here/combined", copy=True)
    for [path] in parts.values():
        shutil.rmtree(path)
    moved = (tmp_path / "here").rename(tmp_path / "there") / "combined"
    shutil.copyfile(combination_directory / WEIGHTS, moved / WEIGHTS)
    parts = with_parts([moved])
    assert [path.resolve() for path in parts[1:]] == [moved / "parts/1", moved / "parts/2"]
    assert size(moved) == model_size(moved)  # parts inside count once
    outside = map(model_size, (combination_directory, moved / "parts/1", moved / "parts/2"))
    assert size(combination_directory) == sum(outside)
    expected = Combination.load(combination_directory).translate(few.test.source[:5])
    assert Combination.load(moved).translate(few.test.source[:5]) == expected


def test_lines_that_are_all_too_long_have_no_candidates(
    combination: Combination, few: Corpus
) -> None:
    line = " ".join(few.test.source)
    test = Bitext([line], [line], few.test.paths)
    chosen = Chosen.of(combination, [combination.translate([line])[0][0]], test)
    assert chosen.places == [None]
    assert chosen.candidates == 0


def test_blank_lines_and_very_long_words_come_from_no_list(combination: Combination) -> None:
    lines = ["", "x" * 101, "The train is here."]
    best = [ys[0] for ys in combination.translate(lines)]
    chosen = Chosen.of(combination, best, Bitext(lines, lines, (Path("x"), Path("y"))))
    assert chosen.places[:2] == [None, None]
    assert chosen.places[2]


def test_several_equal_choices_have_the_scores_of_one() -> None:
    """BLEU counts an order without a match as a part of a match."""
    statistics = np.array([[3, 1, 0, 0, 5, 4, 3, 2, 5, 2]] * 7, np.int32)
    assert Figures.of(np.stack([statistics] * 5)) == Figures.of(statistics)


def test_bad_weights_are_refused(combination_directory: Path, tmp_path: Path) -> None:
    place = copied(combination_directory, tmp_path / "combined")
    for text, message in (
        ("{", "not JSON"),
        ('{"else": {}}', "expected weights of smt, nmt, all"),
        ('{"smt": {"model": "1"}}', "the weight smt.model is '1', not a finite number"),
        ('{"smt": {"model": NaN}}', "the weight smt.model is nan, not a finite number"),
        ('{"smt": 3}', "the weights of smt are 3, not an object"),
        ('{"smt": {"model": 1, "x": 1}, "nmt": {"model": 1}}', "smt lacks the feature x"),
    ):
        (place / WEIGHTS).write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=message):
            Combination.load(place).translate(["Two men."])


# --- compatibility


def test_incompatible_systems_are_refused(
    smt_directory: Path, nmt_directory: Path, few: Corpus, tmp_path: Path
) -> None:
    def twisted(name: str, **changes: object) -> tuple[Path]:
        path = Path(shutil.copytree(nmt_directory, tmp_path / name))
        replace(Manifest.read(path), **changes).write(path)  # type: ignore[arg-type]
        return (path,)

    smt, out = (smt_directory,), tmp_path / "out"
    tokens = {"kind": "none", "lowercase": False}
    with pytest.raises(InputError, match="nmt and smt use different tokens; train both"):
        combine({"smt": smt, "nmt": twisted("a", tokenizer=tokens)}, few.dev, out)
    with pytest.raises(InputError, match="translates en → fr; it cannot be combined with en → de"):
        combine({"smt": smt, "nmt": twisted("b", languages=("en", "fr"))}, few.dev, out)
    with pytest.raises(InputError, match="smt is the only system"):
        combine({"smt": smt}, few.dev, out)
    with pytest.raises(InputError, match="cannot be called 'all'; rename it with NAME=DIR"):
        combine({"smt": smt, "all": (nmt_directory,)}, few.dev, out)
    endless = Bitext(["a " * 81], ["b"], few.dev.paths)
    with pytest.raises(InputError, match="all lines are too long"):
        combine({"smt": smt, "nmt": (nmt_directory,)}, endless, out)
    with pytest.raises(InputError, match="needs at least one model"):
        combine({"x": (tmp_path / "x.nbest",)}, few.dev, out)
    reverse = Path(shutil.copytree(smt_directory, tmp_path / "reverse"))
    replace(Manifest.read(reverse), languages=("de", "en")).write(reverse)
    with pytest.raises(InputError, match="a system of the reverse direction must be neural"):
        combine({"smt": smt, "reverse": (reverse,)}, few.dev, out)
    corpus = Manifest.read(smt_directory).corpus
    other = twisted("c", corpus=corpus | {"dev": ["x.en", "x.de"]})
    with pytest.raises(InputError, match="different dev sets; name one with --dev"):
        combine({"smt": smt, "nmt": other}, None, out)
    none = twisted("d", corpus=corpus | {"dev": None})
    with pytest.raises(InputError, match="without a dev set; name one with --dev"):
        combine({"a": none, "b": none}, None, out)
    assert not out.exists()


def test_a_reverse_network_adds_one_feature(
    smt_directory: Path, nmt_directory: Path, few: Corpus, tmp_path: Path
) -> None:
    reverse = Path(shutil.copytree(nmt_directory, tmp_path / "reverse"))
    replace(Manifest.read(reverse), languages=("de", "en")).write(reverse)
    parts = {"smt": (smt_directory,), "nmt": (nmt_directory,), "reverse": (reverse,)}
    combine(parts, few.dev, tmp_path / "out")
    system = Combination.load(tmp_path / "out")
    assert [part.reverse for part in system.parts] == [False, False, True]
    system.weights = {"smt": {"model": 1.0}, "nmt": {"model": 1.0}, "reverse": {"channel": 1.0}}
    line = few.test.source[0]
    pool = system.pool(system.tokenize([line]))
    assert [feature for part, feature in pool.columns if part == "reverse"] == ["channel"]
    expected = system.systems["reverse"].score([(pool.candidates[0].text, line)])[0].direct
    assert expected is not None
    assert pool.columns["reverse", "channel"][0] == pytest.approx(expected.value, abs=1e-4)


def test_an_external_system_needs_only_lists(
    smt_directory: Path, few: Corpus, tmp_path: Path
) -> None:
    dev, test = first(few.dev, 20), few.test.source[:3]
    rows = [f"{n} ||| {line} ||| 0.5" for n, line in enumerate(dev.target)]
    rows += [f"{n} ||| falsch ||| x= 1 ||| -2" for n in range(len(dev))]
    (tmp_path / "dev.nbest").write_text("\n".join(rows) + "\n", encoding="utf-8")
    parts = {"smt": (smt_directory,), "oracle": (tmp_path / "dev.nbest",)}
    combine(parts, dev, tmp_path / "out")
    system = Combination.load(tmp_path / "out")
    assert system.weights == {"oracle": {"model": 1.0}}  # its lists are perfect
    with pytest.raises(InputError, match="translate --lists oracle=FILE`"):
        system.translate(test)
    one_y, three_y = (
        " ".join([word] * len(x.split())) for word, x in zip("ab", test[::2], strict=True)
    )
    lists = f"2 ||| {three_y} ||| 1\n0 ||| {one_y} ||| 1\n"
    (tmp_path / "test.nbest").write_text(lists, encoding="utf-8")
    system.weights = {"smt": {"model": 0.01}, "oracle": {"model": 1.0, "unreached": -9.0}}
    system.use_lists("oracle", tmp_path / "test.nbest", test)
    [one], [two], [three] = system.translate(test)
    assert (one.text, three.text) == (one_y, three_y)
    assert two.places.keys() == {"smt"}
    with pytest.raises(
        InputError, match=r"--lists smt: the combination has no .*; choose one of oracle"
    ):
        system.use_lists("smt", tmp_path / "test.nbest", test)
    for row in ("3 ||| y ||| 1", "-1 ||| y ||| 1", "1 ||| y", "1 ||| y ||| nan", "1 ||| y ||| inf"):
        (tmp_path / "bad").write_text(f"0 ||| x ||| 1\n{row}\n", encoding="utf-8")
        with pytest.raises(InputError, match=r"bad: line 2: expected `number .*from 0 to 2, found"):
            system.use_lists("oracle", tmp_path / "bad", test)


def test_lists_are_found_by_what_the_combination_reads(tmp_path: Path) -> None:
    """Spaces and capitals that its tokens do not keep do not matter."""
    other = OtherSystem("other", WordTokenizer("none", lowercase=True))
    lists = "0 ||| a ||| -1\n0 ||| b ||| -2\n0 ||| a ||| -5\n1 ||| c ||| -1\n2 ||| d ||| -9\n"
    (tmp_path / "lists").write_text(lists, encoding="utf-8")
    sources = ["The  train ", "Ein", "the train", "none"]
    other.read(tmp_path / "lists", sources)
    found = [[(y.text, y.score) for y in ys] for ys in other.translate(sources, 9)]
    assert found == [[("a", -1), ("b", -2)], [("c", -1)], [("a", -1), ("b", -2)], []]
    pairs = [("the train", "a"), ("The  train ", "b"), ("the train", "d"), ("none", "a")]
    assert [score.model for score in other.score(pairs)] == [-1, -2, None, None]
    assert other.missing(sources) == 1


def test_a_system_with_all_the_weight_may_lack_lists_and_prefers_the_glossary(
    tmp_path: Path,
) -> None:
    tokenizer = WordTokenizer("none")
    other = OtherSystem("other", tokenizer)
    (tmp_path / "lists").write_text("0 ||| Ein Zug ||| -1\n0 ||| Ein Bus ||| -2\n", "utf-8")
    lines = ["a train", "not here", ""]
    other.read(tmp_path / "lists", lines)
    system = Combination([Part("other", (), other)], tokenizer, {"other": {"model": 1.0}})
    assert [ys[0].text for ys in system.translate(lines)] == ["Ein Zug", "not here", ""]
    system.use_glossary(Glossary({("train",): [("Bus",)]}))
    [[best], *_] = system.translate(lines)
    assert (best.text, best.places) == ("Ein Bus", {"other": 1})


def test_lists_are_numbered_by_the_lines_of_the_file(
    smt_directory: Path, few: Corpus, tmp_path: Path
) -> None:
    """Also by its blank lines."""
    dev = first(few.dev, 20)
    with_blanks = replace(dev, source=["", *dev.source], target=["", *dev.target])
    rows = [f"{n} ||| {line} ||| 0.5" for n, line in enumerate(with_blanks.target)]
    (tmp_path / "dev.nbest").write_text("\n".join(rows) + "\n", encoding="utf-8")
    parts = {"smt": (smt_directory,), "oracle": (tmp_path / "dev.nbest",)}
    manifest = combine(parts, with_blanks, tmp_path / "out")
    assert manifest.figures["dev"]["alone"]["oracle"]["bleu"] == pytest.approx(100)
