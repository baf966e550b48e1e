"""The comparison: its figures, JSON and pages, and the escaping of hostile text."""

from __future__ import annotations

import json
import math
import random
import re
import unicodedata
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from sacrebleu.metrics.chrf import CHRF

from mtkit.cli.output import finite
from mtkit.comparison.choices import Chosen, origin
from mtkit.comparison.conclusion import conclude
from mtkit.comparison.faults import Errors, errors
from mtkit.comparison.page.render import as_html, print_report, sections, verdict, verdicts
from mtkit.comparison.record import Record
from mtkit.comparison.report import GROUP_SIZE, Comparison, as_json, length_groups
from mtkit.comparison.seeds import SeedScores
from mtkit.console import note, step, visible
from mtkit.errors import InputError
from mtkit.evaluation import metrics
from mtkit.evaluation.perplexity import perplexities
from mtkit.evaluation.significance import Pair, significance
from mtkit.evaluation.statistics import Scorer, Statistics
from mtkit.page.tables import Grid, write_page
from mtkit.system import Hypothesis, LogProbability, Score
from tests.support.comparisons import CHANNEL, REFERENCES, SOURCES, built, gap, of, systems

HOSTILE = (
    "<script>alert(1)</script> <unk> \"double\" 'single' &amp; [bold]loud[/bold] [/] :smile: "
    "{{ 7*7 }} \x1b[31mred\x07 \x9b2J \u202eoverride \u200fmark שלום"
)
SEEN = HOSTILE.translate({ord(c): f"<U+{ord(c):04X}>" for c in "\x1b\x07\x9b\u202e\u200f"})
NASTY = "</table><b onclick='x'>\"\x1b]0;title\x07"


def counted(**options: Any) -> dict[str, Statistics]:
    """Return the statistics of ``systems()`` by name."""
    scorer = Scorer([REFERENCES], **options)
    return {t.name: scorer.count(t.outputs) for t in systems()}


def comparison(**options: object) -> Comparison:
    known = {
        "paths": ("test.en", "test.de"),
        "languages": ("en", "de"),
        "resamples": 60,
        "trials": 60,
        "warnings": ["3 test lines stood in the training text"],
    }
    return built(SOURCES, REFERENCES, systems(), **(known | options))


@pytest.fixture(scope="module")
def report() -> Comparison:
    return comparison()


@pytest.fixture(scope="module")
def hostile() -> Comparison:
    """A comparison with hostile text in every input."""
    outputs = [HOSTILE] * 6
    translations = [
        of(HOSTILE, HOSTILE, outputs),
        replace(of(NASTY, "smt", REFERENCES[:6]), scores=[Score(lm=LogProbability(-math.inf, 2))]),
    ]
    return built(
        [HOSTILE] * 6,
        [HOSTILE, *REFERENCES[1:6]],
        translations,
        paths=(HOSTILE, NASTY),
        languages=(NASTY, HOSTILE),
        resamples=10,
        trials=10,
        warnings=[HOSTILE, NASTY],
    )


def grids(report: Comparison) -> list[Grid]:
    return [grid for tables in sections(report).values() for grid in tables]


def printed(report: Comparison, width: int = 2000, full: bool = True) -> str:
    console = Console(file=StringIO(), width=width, force_terminal=False, color_system=None)
    print_report(report, console, full)
    return console.file.getvalue()


class Page(HTMLParser):
    """The tags of a page in order: (tag, attributes, text up to the next tag)."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], str]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        self.elements.append((f"/{tag}", {}, ""))

    def handle_data(self, data: str) -> None:
        if self.elements:
            tag, attrs, text = self.elements[-1]
            self.elements[-1] = (tag, attrs, text + data)
        self.text += data

    def texts(self, tag: str) -> list[str]:
        return [text for name, _, text in self.elements if name == tag]

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs, _ in self.elements if name == tag]


# --- figures


def test_figures_come_from_evaluation(report: Comparison) -> None:
    rows = counted(resamples=60, trials=60)
    for system, translations in zip(report.systems, systems(), strict=True):
        assert system.metrics == metrics.corpus_scores(rows[system.name])
        assert system.perplexity == perplexities(translations.scores)
    assert report.pairs == significance(rows)
    assert [s.sentences_per_second for s in report.systems] == [5.0, 2.0, None]


def test_every_output_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counted_lines = list[list[str]]()
    count = Scorer.count

    def counting(scorer: Scorer, outputs: list[str], *more: Any, **options: Any) -> Statistics:
        counted_lines.append(outputs)
        return count(scorer, outputs, *more, **options)

    monkeypatch.setattr(Scorer, "count", counting)
    comparison()
    assert counted_lines == [*(t.outputs for t in systems()), *CHANNEL.values()]


def test_tokenize_affects_scores_and_pairs() -> None:
    report = comparison(tokenize="none")
    rows = counted(tokenize="none", resamples=60, trials=60)
    assert report.pairs == significance(rows)
    assert "tok:none" in report.systems[0].metrics["bleu"].signature
    assert "tok:none" in printed(report)
    assert "tokens separated by spaces" in printed(report)


def test_examples_have_the_largest_gaps_of_either_sign(report: Comparison) -> None:
    chrf = {name: rows.by_sentence("chrf") for name, rows in counted().items()}
    bleu = {s.name: s.metrics["bleu"].score for s in report.systems}
    assert bleu["nmt"] > bleu["other"] > bleu["smt"]  # other is the best of another kind
    gaps = [a - b for a, b in zip(chrf["nmt"], chrf["other"], strict=True)]
    assert len(report.examples) == 12
    ranked = sorted(gaps)
    assert [gaps[e.line - 1] for e in report.examples[:8:2]] == ranked[:-5:-1]
    assert [gaps[e.line - 1] for e in report.examples[1:8:2]] == ranked[:4]
    assert ranked[3] < 0 < ranked[-4]
    assert report.examples[0].why == f"nmt is ahead of other by {ranked[-1]:.1f} chrF"
    assert report.examples[1].why == f"other is ahead of nmt by {-ranked[0]:.1f} chrF"
    assert {e.why for e in report.examples[8:]} == {"systematic sample"}
    lines = [e.line for e in report.examples[8:]]
    assert all(later - earlier in range(3, 15) for earlier, later in pairwise(lines))
    for example in report.examples:
        i = example.line - 1
        assert (example.source, example.references) == (SOURCES[i], (REFERENCES[i],))
        shown = [(o.system, o.text, o.chrf) for o in example.outputs]
        assert shown == [(t.name, t.outputs[i], chrf[t.name][i]) for t in systems()]


def test_rivals_differ_in_kind_if_possible() -> None:
    smt, nmt, other = systems()
    report = built(
        SOURCES, REFERENCES, [smt, nmt, replace(other, kind="nmt")], resamples=5, trials=5
    )
    assert report.examples[0].why.startswith("nmt is ahead of smt by ")


@pytest.mark.parametrize(
    ("sentences", "wanted", "got"), [(30, 5, 5), (30, 0, 0), (3, 5, 3), (30, 1, 1)]
)
def test_number_of_examples(sentences: int, wanted: int, got: int) -> None:
    two = [of(t.name, t.kind, t.outputs[:sentences]) for t in systems()[:2]]
    report = built(
        SOURCES[:sentences], REFERENCES[:sentences], two, resamples=5, trials=5, examples=wanted
    )
    assert len({e.line for e in report.examples}) == len(report.examples) == got


def test_one_system_has_examples_and_no_pairs() -> None:
    report = built(SOURCES, REFERENCES, systems()[:1], resamples=5, trials=5)
    assert report.pairs == []
    assert len(report.examples) == 12
    assert "Significance: p-values" not in printed(report) + as_html(report)


def test_invalid_input_fails() -> None:
    smt = systems()[0]
    with pytest.raises(InputError, match="two systems are called 'smt'"):
        built(SOURCES, REFERENCES, [smt, smt])
    with pytest.raises(InputError, match="smt: 29 lines for 30 references"):
        built(SOURCES, REFERENCES, [replace(smt, outputs=smt.outputs[1:])])
    with pytest.raises(InputError, match="the source: 29 lines"):
        built(SOURCES[1:], REFERENCES, [smt])
    with pytest.raises(InputError, match="empty"):
        built([], [], [of("smt", "smt", [])])
    with pytest.raises(InputError, match="no system"):
        built(SOURCES, REFERENCES, [])


# --- JSON


def test_json_has_the_documented_shape(report: Comparison) -> None:
    data = json.loads(json.dumps(finite(as_json(report)), allow_nan=False))
    assert set(data) >= {"test", "systems", "pairs"}
    assert data["test"] == {
        "name": "test.en",
        "source": "test.en",
        "reference": "test.de",
        "languages": ["en", "de"],
        "sentences": 30,
        "references": 1,
        "tokenize": "13a",
        "ignore_case": False,
        "resamples": 60,
        "trials": 60,
    }
    for system, result in zip(data["systems"], report.systems, strict=True):
        documented = {"name", "kind", "metrics", "perplexity", "seconds", "sentences_per_second"}
        assert set(system) >= documented
        assert list(system["metrics"]) == ["bleu", "chrf", "ter"]
        for name, metric in system["metrics"].items():
            assert set(metric) == {"score", "low", "high", "signature", "less_is_better"}
            assert metric["less_is_better"] == (name == "ter")
            assert metric["score"] == result.metrics[name].score
    pair = {"a", "b", "metric", "delta", "p_bootstrap", "p_randomization"}
    pair |= {"holm_bootstrap", "holm_randomization", "p_sacrebleu", "agreement"}
    assert len(data["pairs"]) == 6
    assert all(set(p) == pair for p in data["pairs"])
    assert data["pairs"][0]["delta"] == report.pairs[0].delta
    assert data["examples"][0]["outputs"][0]["text"] == report.examples[0].outputs[0].text
    smt = data["systems"][0]
    assert smt["perplexity"]["P(y)"]["value"] == pytest.approx(math.e**2)
    assert smt["perplexity"]["P(x|y)"]["value"] is None  # infinite, and JSON has no infinity
    assert "probability 0" in smt["perplexity"]["P(x|y)"]["note"]
    assert smt["unknown"] == 17
    assert list(smt["channel"]) == list(CHANNEL)
    assert smt["channel"]["Tuned weights"] == smt["metrics"]["bleu"]["score"]
    assert data["systems"][1]["channel"] == {}
    assert smt["errors"] == {"reached": 20, "same": 7, "search": 2, "model": 11, "wider": 3}
    assert data["systems"][1]["errors"] is None


# --- hostile text


def test_html_shows_hostile_text_as_text(hostile: Comparison) -> None:
    page = Page(as_html(hostile))
    assert len(page.texts("script")) == 1
    assert "alert" not in page.texts("script")[0]
    assert not page.attributes("b")
    assert not page.attributes("unk")
    assert SEEN in page.texts("dd")  # a source or an output
    assert SEEN in page.texts("h1")[0]
    assert SEEN in page.texts("li")  # a warning
    assert SEEN in page.texts("bdi")  # a system's name
    assert SEEN in page.texts("desc")[0]
    assert {visible(NASTY), SEEN} == {a["lang"] for a in page.attributes("dd")}


def test_control_characters_are_never_rendered(hostile: Comparison) -> None:
    for rendered in (as_html(hostile), printed(hostile)):
        others = {c for c in rendered if unicodedata.category(c) == "Cc"}
        assert others == {"\n"}
        assert not set("\u202e\u200f") & set(rendered)


def test_progress_messages_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    said = Console(file=StringIO(), width=300, force_terminal=True, highlight=False)
    monkeypatch.setattr("mtkit.console.console", said)
    with step("a[/b]\x1b]0;title\x07"):
        note("c[/d]\x1b]0;title\x07")
    text = said.file.getvalue()
    for name in ("a[/b]", "c[/d]"):
        assert f"{name}<U+001B>]0;title<U+0007>" in text
    assert "\x07" not in text


def test_terminal_shows_hostile_text_as_text(hostile: Comparison) -> None:
    lines = printed(hostile).splitlines()
    assert any(f"{visible(NASTY)} → {SEEN}, 6 sentences" in line for line in lines)
    assert f"Warning: {SEEN}" in lines
    assert any(line.startswith("source") and line.rstrip().endswith(SEEN) for line in lines)
    assert any(line.strip().startswith(f"{visible(NASTY)} ") for line in lines)


@given(
    st.text(st.characters() | st.sampled_from("\x00\x1b\x9b\u061c\u200e\u2028\u202d\u2067\ufeff"))
)
def test_visible_escapes_only_invisible_characters(text: str) -> None:
    for c in text:
        acts = unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")
        acts |= unicodedata.bidirectional(c)[:2] in ("RL", "LR", "FS", "PD")
        if acts or c in "\u200e\u200f\u061c\ufeff":
            assert visible(c) == f"<U+{ord(c):04X}>"
        else:
            assert visible(c) == c
    assert visible(text) == "".join(map(visible, text))


def test_joiners_in_words_are_kept() -> None:
    assert visible("می\u200cخواهم क्\u200dष ￭") == "می\u200cخواهم क्\u200dष ￭"


# --- tables and text


def test_each_question_has_its_own_table(report: Comparison) -> None:
    tables = {g.caption.split(":")[0]: g for g in grids(report)}
    names = {k: [row[0].text for row in g.rows] for k, g in tables.items() if "Perplexity" in k}
    assert names == {
        "Perplexity by P(y)": ["smt"],
        "Perplexity by P(x|y)": ["smt"],
        "Perplexity by P(y|x)": ["smt", "nmt"],
    }
    (channel,) = tables["Perplexity by P(x|y)"].rows
    assert channel[1].text == "∞"
    assert "probability 0" in tables["Perplexity by P(x|y)"].notes[0]
    assert [row[1].text for row in tables["Perplexity by P(y|x)"].rows] == ["12.18", "2.72"]
    assert tables["Perplexity by P(y|x)"].notes == []


def test_search_and_model_errors_are_counted() -> None:
    def said(*given: tuple[str, float]) -> list[Hypothesis]:
        return [Hypothesis(text.upper(), [text], score) for text, score in given]

    outputs = said(("a", -1.0), ("b", -2.0), ("c", -3.0), ("d", -4.0), ("e", -5.0))
    wider = said(("a", -1.0), ("b", -2.0), ("x", -2.9), ("d", -4.0 + 1e-9), ("y", -4.0))
    models = [-1.0, -2.5, -2.5, None, -5.0 + 1e-9]
    best = [Score(model=model) for model in models]
    references = [[word] for word in "axzdq"]
    record = Record(outputs, 1.0, 1, best, [h.score for h in wider], [h.text for h in wider])
    counted = errors(record, references)
    assert counted == Errors(reached=4, same=1, search=1, model=2, wider=2)
    outputs[1] = replace(outputs[1], pieces=2)  # translated in pieces: not counted
    assert errors(record, references).reached == 3


def test_seeds_of_one_recipe_are_shown_with_their_spread() -> None:
    smt, nmt, other = systems()
    again = replace(other, name="nmt-2", kind="nmt", family="f")
    report = built(
        SOURCES, REFERENCES, [smt, replace(nmt, family="f"), again], resamples=5, trials=5
    )
    [spread] = report.spreads
    bleu = [metrics.bleu(o, REFERENCES) for o in (nmt.outputs, other.outputs)]
    assert (spread.systems, spread.bleu) == (["nmt", "nmt-2"], bleu)
    assert spread.mean == pytest.approx(sum(bleu) / 2)
    assert spread.deviation == pytest.approx(abs(bleu[0] - bleu[1]) / math.sqrt(2))
    assert "nmt, nmt-2" in printed(report)
    assert spread.name == "nmt"
    assert list(spread.metrics) == ["bleu", "chrf", "ter"]
    assert spread.metrics["bleu"] == SeedScores(spread.mean, spread.deviation, min(bleu), max(bleu))
    assert built(SOURCES, REFERENCES, systems(), resamples=5, trials=5).spreads == []


def test_a_combination_of_one_system_is_marked_and_is_no_rival() -> None:
    smt, nmt, _ = systems()
    N = len(SOURCES)
    chosen = Chosen([{"nmt": 0}] * N, {"nmt": nmt.outputs}, nmt.outputs, 5.0)
    combined = replace(nmt, name="combined", kind="combination", chosen=chosen)
    report = built(SOURCES, REFERENCES, [smt, nmt, combined], resamples=5, trials=5)
    marked = "combined = nmt's translations: tuning gave it all the weight."
    for rendered in (printed(report), printed(report, full=False), Page(as_html(report)).text):
        assert marked in " ".join(rendered.split())
    assert as_json(report)["systems"][2]["choices"]["sole_part"] == "nmt"
    assert report.examples[0].why.startswith(("nmt is ahead of smt", "combined chose"))
    assert {(n.ahead, n.behind) for n in report.ngrams} == {("nmt", "smt"), ("smt", "nmt")}
    both = replace(chosen, alone={"smt": smt.outputs, "nmt": nmt.outputs})
    mixed = replace(combined, chosen=both)
    report = built(SOURCES, REFERENCES, [smt, nmt, mixed], resamples=5, trials=5)
    assert "translations: tuning" not in printed(report)


def test_an_output_that_several_systems_rank_first_is_credited_to_none() -> None:
    names = ["a", "b", "c"]
    assert origin({"a": 0, "b": 0, "c": 0}, names) == "first in all lists"
    assert origin({"a": 0, "b": 0, "c": 3}, names) == "first in several lists"
    assert origin({"a": 1, "b": 0}, names) == "first in b's list"
    smt, nmt, other = systems()
    places = [{"a": 0, "b": 0} if k % 2 else {"a": 0} for k in range(len(SOURCES))]
    alone = {"a": smt.outputs, "b": nmt.outputs, "c": other.outputs}
    combined = replace(nmt, chosen=Chosen(places, alone, nmt.outputs, 5.0))
    report = built(SOURCES, REFERENCES, [combined], resamples=5, trials=5)
    counts = {o.label: o.sentences for o in report.systems[0].choices.origins}
    assert counts == {"first in a's list": 15, "first in several lists": 15}


def test_bleu_without_seen_sentences_is_shown() -> None:
    seen = [0, 7, 8]
    report = built(SOURCES, REFERENCES, systems(), resamples=5, trials=5, seen=seen)
    rest = [i for i in range(30) if i not in seen]
    for system, given_system in zip(report.systems, systems(), strict=True):
        own = [[lines[i] for i in rest] for lines in (given_system.outputs, REFERENCES)]
        assert system.unseen == metrics.bleu(*own)
    assert "on the 27 that are in no training text" in " ".join(printed(report).split())
    all_seen = built(SOURCES, REFERENCES, systems(), resamples=5, trials=5, seen=range(30))
    assert [s.unseen for s in all_seen.systems] == [None] * 3


def test_groups_by_length_difference_and_by_chrf() -> None:
    references = ["a b c d e f g"] * 6
    outputs = ["a b c d e f g", "a", "a b c d e f", "a b c d e f g h h h", "", "x y z x y z q"]
    report = built(SOURCES[:6], references, [of("s", "file", outputs)], resamples=2, trials=5)
    [system] = report.systems
    groups = {(g.low, g.high): g for g in system.by_difference}
    wanted = {(None, -5): 2, (-1, -1): 1, (0, 0): 2, (3, 5): 1}
    assert {limits: g.sentences for limits, g in groups.items() if g.sentences} == wanted
    assert groups[0, 0].bleu == metrics.bleu([outputs[0], outputs[5]], references[:2])
    assert groups[1, 1].bleu is None
    chrf = [CHRF().sentence_score(y, [x]).score for y, x in zip(outputs, references, strict=True)]
    assert system.by_chrf == [sum(min(9, c // 10) == k for c in chrf) for k in range(10)]
    assert all(label in printed(report) for label in ("≤ −5", "−4 to −2", "+3 to +5", "≥ +6"))


def test_errors_are_a_row_of_counts(report: Comparison) -> None:
    (grid,) = (g for g in grids(report) if g.caption.startswith("Model errors"))
    assert [[cell.text for cell in row] for row in grid.rows] == [
        ["smt", "20", "7", "11", "2", "3", "–"]
    ]


def test_noisy_channel_bleu_is_shown_by_weights(report: Comparison) -> None:
    (grid,) = (g for g in grids(report) if g.caption.startswith("Noisy channel"))
    assert grid.columns == ("System", *CHANNEL)
    bleu = [metrics.bleu(lines, REFERENCES) for lines in CHANNEL.values()]
    assert [[c.text for c in row] for row in grid.rows] == [["smt", *(f"{b:.1f}" for b in bleu)]]
    assert grid.caption in printed(report)
    assert grid.caption in Page(as_html(report)).texts("caption")
    without = built(SOURCES, REFERENCES, systems()[1:], resamples=5, trials=5)
    assert "Noisy channel" not in printed(without) + as_html(without)


def test_glossary_compliance_is_a_table() -> None:
    entries = {"entries": 20, "unmatched": 7}
    complied = [
        {"matches": 12, "complied": 9} | entries, {"matches": 0, "complied": 0} | entries, None,
    ]  # fmt: skip
    known = [
        replace(t, glossary=c, unmatched=["fire engine", "A, B"] if c else ())
        for t, c in zip(systems(), complied, strict=True)
    ]
    report = built(SOURCES, REFERENCES, known, resamples=5, trials=5)
    (grid,) = (g for g in grids(report) if g.caption.startswith("Glossary"))
    rows = [[cell.text for cell in row] for row in grid.rows]
    assert rows == [["smt", "12", "9", "75.0"], ["nmt", "0", "0", "–"]]
    lacked = '7 of 20 entries match nothing in the test set: "fire engine", "A, B", …'
    assert grid.notes == [lacked]
    assert lacked in " ".join(printed(report).split())
    assert grid.caption in printed(report)
    assert grid.caption in Page(as_html(report)).texts("caption")
    assert [s["glossary"] for s in as_json(report)["systems"]] == complied
    without = built(SOURCES, REFERENCES, systems(), resamples=5, trials=5)
    assert "glossary" not in (printed(without) + as_html(without)).lower()


def test_different_tokens_are_not_comparable() -> None:
    smt, nmt, _ = systems()
    nmt = replace(nmt, scores=nmt.scores[:-1])
    report = built(SOURCES, REFERENCES, [smt, nmt], resamples=5, trials=5)
    assert printed(report, 200).count(": the tokens differ.") == 1


def test_very_large_perplexity_is_still_readable() -> None:
    bad = replace(systems()[0], scores=[Score(lm=LogProbability(-1200.0, 2))])
    report = built(SOURCES, REFERENCES, [bad], resamples=5, trials=5)
    assert "3.77e+260" in printed(report)


def test_zero_bleu_is_explained_in_every_rendering() -> None:
    bad = of("bad", "nmt", ["x"] * 30)
    report = built(SOURCES, REFERENCES, [bad], resamples=20, trials=5)
    short = printed(report, full=False)
    page = Page(as_html(report)).text
    for rendered in (short, printed(report), page, json.dumps(as_json(report))):
        assert "BLEU is 0: no token of the output" in rendered


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (
            gap("a", "b", "bleu", 2.5, 0.001, 0.002),
            "a scores 2.50 BLEU higher than b (significant; p = 0.001, 0.002).",
        ),
        (gap("a", "b", "chrf", -2.5, 0.001, 0.002), "b scores 2.50 chrF higher than a (signif"),
        (gap("a", "b", "bleu", 0.1, 0.4, 0.5), "higher than b (not significant; p = 0.4, 0.5)."),
        (
            Pair("a", "b", "bleu", 0.8, 0.02, 0.03, 0.04, 0.06, 0.01),
            "(disputed; p = 0.02, 0.03; Holm 0.04, 0.06).",
        ),
        (gap("a", "b", "bleu", 0.8, 0.04, 0.06), "a scores 0.80 BLEU higher than b (disputed; "),
        (gap("a", "b", "bleu", 0.0, 1.0, 1.0), "a and b score the same BLEU."),
        (gap("a", "b", "bleu", 2.5, 1 / 1001, 1 / 10_001), "p ≤ 0.001, 0.0001)."),
        (gap("a", "b", "bleu", 2.5, 1 / 1001, 0.0002), "p ≤ 0.001, = 0.0002)."),
        (
            Pair("a", "b", "bleu", 2.5, 1 / 1001, 2 / 10_001, 3 / 1001, 6 / 10_001, 0.01),
            "p ≤ 0.001, = 0.0002; Holm ≤ 0.003, = 0.0006).",
        ),
        (
            replace(gap("a", "b", "bleu", 3.35, 0.002, 0.002), agreement=0.85),
            "people agree with 85 % of such differences).",
        ),
        (
            replace(gap("a", "b", "bleu", -3.36, 0.002, 0.002), agreement=0.85),
            "people agree with at least 85 % of such differences).",
        ),
    ],
)
def test_verdict(pair: Pair, words: str) -> None:
    assert words in verdict(pair)


def test_verdicts_are_limited_to_the_best_system() -> None:
    smt, nmt, other = systems()
    report = built(
        SOURCES, REFERENCES, [smt, nmt, other, replace(smt, name="d")], resamples=5, trials=5
    )
    best = max(report.systems, key=lambda s: s.metrics["bleu"].score).name
    *said, last = verdicts(report)
    assert len(said) == 6
    assert all(best in line for line in said)
    assert last.startswith(f"Only pairs with {best} are shown; --json has all 12.")
    assert len(verdicts(comparison())) == 6


def test_warnings_are_in_all_three_renderings(report: Comparison) -> None:
    wanted = ["3 test lines stood in the training text", "only 30 test sentences"]
    for rendered in (printed(report), as_html(report), json.dumps(as_json(report))):
        assert all(warning in rendered for warning in wanted)


def test_tokenized_output_is_reported() -> None:
    lines = [f"{line} ." for line in REFERENCES]
    for references, tokenize, warned in (
        (REFERENCES, "13a", True),
        (lines, "13a", True),
        (lines, "none", False),
    ):
        report = built(
            SOURCES, references, [of("raw", "file", lines)], resamples=5, tokenize=tokenize
        )
        assert any("tokenised" in w for w in report.warnings) is warned
        assert report.warnings == [
            "only 30 test sentences: intervals and p-values are rough",
            *(f"raw: {clause}" for clause in report.systems[0].mismatches),
        ]


@pytest.mark.parametrize("width", [40, 60, 80])
def test_narrow_terminals_show_all(width: int) -> None:
    smt, nmt, other = systems()
    long_name = replace(other, name="Ω" * 50)
    report = built(SOURCES, REFERENCES, [smt, nmt, long_name], resamples=20, trials=5, examples=0)
    text = printed(report, width)
    assert "…" not in text
    for grid in grids(report):
        for column in grid.columns:
            assert "Ω" in column or all(word in text for word in column.split())
        for cell in (cell for row in grid.rows for cell in row[1:]):
            assert cell.text in text
            assert all(word in text for word in cell.small.split())  # interval ends
        assert all(note in text for note in grid.notes)  # not wrapped, as users copy signatures
    naming = [row for grid in grids(report) for row in grid.rows if "Ω" in row[0].text]
    of_ngrams = 2 * 2  # two captions and two heads
    pairs = 4
    concluded = "".join(conclude(report)).count("Ω") // 50
    assert concluded >= 1
    named = text.count("Ω") / 50  # each part of a split table names its rows
    assert named == int(named) >= len(naming) + of_ngrams + pairs + concluded


def test_the_short_report_has_scores_verdicts_and_the_conclusion(report: Comparison) -> None:
    short, whole = printed(report, 80, full=False), printed(report)
    assert set(conclude(report)) <= set(Page(as_html(report)).texts("li"))
    for text in (short, whole):
        assert all(sentence in " ".join(text.split()) for sentence in conclude(report))
        assert all(f"Warning: {warning}" in text for warning in report.warnings)
        assert " ".join(verdicts(report)[0].split()) in " ".join(text.split())
    assert [text.count("\n System ") for text in (short, whole)] == [1, 14]
    assert "nrefs:1" in whole
    assert "nrefs:1" not in short
    assert "Line " not in short
    assert short.rstrip().endswith(
        "More: --full (signatures, all tables, examples), --html FILE (a page)"
    )
    assert "--full" not in whole


def test_the_short_report_fits_28_lines() -> None:
    two = built(
        SOURCES * 4,
        REFERENCES * 4,
        [
            replace(t, outputs=t.outputs * 4, words=[*t.words] * 4, scores=[], by_weights={})
            for t in systems()[:2]
        ],
        resamples=20,
        trials=20,
    )
    assert printed(two, 80, full=False).count("\n") <= 28


def test_groups_by_length_have_intervals() -> None:
    longer = [line + " x" * (6 * (k % 2)) for k, line in enumerate(SOURCES * 2)]
    outputs = systems()[0].outputs * 2
    report = built(longer, REFERENCES * 2, [of("a", "file", outputs)], resamples=200, trials=2)
    groups = report.systems[0].by_length
    assert len(groups) == 2
    for k, group in enumerate(groups):
        rows = list(range(k, 60, 2))
        own = Scorer([[(REFERENCES * 2)[i] for i in rows]], resamples=200)
        alone = metrics.corpus_scores(own.count([outputs[i] for i in rows]))["bleu"]
        assert group.bleu == pytest.approx(alone.score)
        assert group.bleu_low == pytest.approx(alone.low, abs=3)
        assert group.bleu_high == pytest.approx(alone.high, abs=3)
        assert group.bleu_low < group.bleu < group.bleu_high
    assert f"{groups[0].bleu_low:.1f}–{groups[0].bleu_high:.1f}" in printed(report)


def test_case_is_ignored_on_request() -> None:
    folded = [line.lower() for line in REFERENCES]
    for ignore_case, said in ((True, "case ignored, as in all tables"), (False, "case-sensitive")):
        report = built(
            SOURCES, REFERENCES, [of("a", "file", folded)], resamples=2, ignore_case=ignore_case
        )
        assert report.test.ignore_case is ignore_case
        assert (report.systems[0].bleu == pytest.approx(100)) is ignore_case
        assert said in printed(report)
        assert said in as_html(report)
        assert any("count case" in warning for warning in report.warnings) is not ignore_case


def test_an_ensemble_is_marked() -> None:
    report = built(SOURCES, REFERENCES, [replace(systems()[1], networks=3)], resamples=2, trials=2)
    assert "neural, 3 networks" in printed(report)
    assert as_json(report)["systems"][0]["networks"] == 3


# --- HTML


def test_same_input_same_bytes(report: Comparison, tmp_path: Path) -> None:
    write_page(as_html(report), tmp_path / "a.html")
    write_page(as_html(comparison()), tmp_path / "b.html")
    first, second = ((tmp_path / name).read_bytes() for name in ("a.html", "b.html"))
    assert first == second
    assert first.decode("utf-8") == as_html(report)


def test_page_needs_no_external_files(report: Comparison) -> None:
    text = as_html(report)
    for reference in ("http:", "https:", "//cdn", "src=", "url(", "@import", "<link"):
        assert reference not in text
    ids = {attrs["id"] for _, attrs, _ in Page(text).elements if "id" in attrs}
    assert {f"#{name}" for name in ids} >= {a["href"] for a in Page(text).attributes("a")} > set()
    assert "default-src 'none'" in text


def test_page_is_accessible_to_screen_readers(report: Comparison) -> None:
    page = Page(as_html(report))
    assert len(page.texts("caption")) == len(page.attributes("table")) == len(grids(report)) == 16
    assert {attrs.get("scope") for attrs in page.attributes("th")} == {"col", "row"}
    charts = [a for a in page.attributes("svg") if "aria-hidden" not in a]
    assert [chart["role"] for chart in charts] == ["img"]  # BLEU by length
    ids = {attrs["id"] for _, attrs, _ in page.elements if "id" in attrs}
    labels = [a["aria-labelledby"] for _, a, _ in page.elements if "aria-labelledby" in a]
    assert labels
    assert all(set(label.split()) <= ids for label in labels)
    for system in report.systems:
        group = system.by_length[0]
        end = f"{group.bleu:.4g} at {group.low}–{group.high}"
        assert f"{system.name}: {end}" in page.texts("desc")[0]


def test_bars_are_proportional_to_bleu(report: Comparison) -> None:
    bars = re.findall(r'class="bar" style="width: ([\d.]+)%; --colour: (.*?)"', as_html(report))
    widths = [float(width) for width, _ in bars]
    scores = [system.metrics["bleu"].score for system in report.systems]
    assert [w / widths[0] for w in widths] == pytest.approx(
        [s / scores[0] for s in scores], abs=1e-3
    )
    assert 100 / 2 < max(widths) <= 100
    assert [colour for _, colour in bars] == [f"var(--series-{k})" for k in range(3)]


def test_a_page_needs_no_intervals() -> None:
    report = built(SOURCES, REFERENCES, systems()[2:], resamples=0, trials=5)
    assert 'class="whisker"' not in as_html(report)
    assert f"{report.systems[0].metrics['bleu'].score:.1f}" in printed(report)


def test_unwritable_page_is_a_plain_error(report: Comparison, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such directory: "):
        write_page(as_html(report), tmp_path / "missing" / "a.html")


def test_bleu_by_length_uses_sentences_of_that_length() -> None:
    rng = random.Random(1)
    words = [rng.choice([0, 1, 4, 10, 12, 12, 15, 20, 33, 70]) for _ in range(200)]
    sources = [" ".join("x" * n) for n in words]
    references = [" ".join(rng.choices("abc", k=8)) for _ in words]
    outputs = [line if rng.random() < 0.3 else line[::-1] for line in references]
    report = built(sources, references, [of("a", "file", outputs)], resamples=2, trials=2)
    groups = length_groups(sources)
    assert sorted(i for _, _, rows in groups for i in rows) == list(range(200))
    assert len(groups) > 3
    for (low, high, rows), group in zip(groups, report.systems[0].by_length, strict=True):
        assert (group.low, group.high, group.sentences) == (low, high, len(rows))
        assert len(rows) >= GROUP_SIZE
        assert all(words[i] == 0 or low <= words[i] <= high for i in rows)
        own = [[lines[i] for i in rows] for lines in (outputs, references)]
        assert group.bleu == metrics.bleu(*own)
    assert [rows for _, _, rows in length_groups(sources[:3])] == [[0, 1, 2]]


def test_training_logs_are_drawn() -> None:
    log = [{"update": k, "dev_perplexity": 90 / k, "gradient_norm": 1.0} for k in (10, 20, 30)]
    a = replace(of(NASTY, "nmt", REFERENCES), training=log)
    b = replace(of("b", "nmt", REFERENCES), training=[e | {"bleu": 3.0} for e in log])
    report = built(SOURCES, REFERENCES, [a, b], resamples=2, trials=2)
    page = as_html(report)
    plots = re.findall(
        r"<svg style=\"--lines: \d+\" viewBox=\"0 0 100 100\".*?</svg>", page, re.DOTALL
    )
    perplexity, bleu, norm = plots[1:]
    assert "perplexity on the dev set" in perplexity
    assert perplexity.count("stroke-dasharray") == norm.count("stroke-dasharray") == 2
    assert "b: 9 at 10, 3 at 30." in perplexity
    assert re.findall(r'stroke="(.*?)" stroke-dasharray', bleu) == ["var(--series-1)"]  # b's
    assert NASTY not in page
    assert ">Training</h2>" not in as_html(
        built(SOURCES, REFERENCES, [replace(a, training=())], resamples=2, trials=5)
    )
