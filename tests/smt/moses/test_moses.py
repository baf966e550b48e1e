from __future__ import annotations

import gzip
import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from mtkit.errors import InputError
from mtkit.smt.flat import read_only
from mtkit.smt.moses.ini import UNLIMITED, read_moses, write_moses
from mtkit.smt.moses.tables import _keys, _same_source
from mtkit.smt.search.decoder import Limits
from mtkit.smt.search.features import NAMES, OF_PHRASES
from mtkit.smt.system import SmtSystem
from mtkit.system import Hypothesis
from mtkit.text.corpus import Corpus
from mtkit.text.vocabulary import Vocabulary
from tests.support.paths import MULTI30K, SHARED, needs_shared

INI = """\
# mine
[input-factors]
0
[mapping]
0 T 0
[distortion-limit]
3  # words
[feature]
UnknownWordPenalty
WordPenalty
PhrasePenalty
PhraseDictionaryMemory name=T num-features=4 path=phrases table-limit=7
LexicalReordering name=L num-features=6 type=wbe-msd-bidirectional-fe path=sub/orders.gz
Distortion
KENLM path=lm.arpa
[weight]
UnknownWordPenalty0= 0.5
WordPenalty0= -0.25
PhrasePenalty0= 0.125
T= 0.1 0.2 0.3 0.4
L= 0.01 0.02 0.03 0.04 0.05 0.06
Distortion0= 0.9
KENLM0= 0.7
"""
PHRASES = """\
b ||| X ||| 0.5 0.25 0.125 1 ||| 0-0 ||| 1 2 1 ||| |||
a ||| A ||| 0.2 0.3 0.4 0 ||| 0-0
a b ||| B A ||| 0.1 0.2 0.3 0.4 ||| 0-1 1-0 |||
a ||| B ||| 0.9 0.9 0.9 0.9 |||
b ||| X ||| 1 1 1 1 ||| 0-0
a ||| C D ||| 0.9 0.9 0.9 0.9
a a a a a a a a ||| A ||| 1 1 1 1 ||| 7-0
<s> ||| A ||| 1 1 1 1
"""
ORDERS = """\
a ||| B ||| 0.1 0.2 0.3 0.4 0.5 0.6
b ||| nothing ||| 1 1 1 1 1 1
a b ||| B A ||| 0.6 0.5 0.4 0.3 0.2 0.1
"""
ARPA = """\
\\data\\
ngram 1=6
ngram 2=1

\\1-grams:
-2\t<unk>
0\t<s>\t0
-1\t</s>
-1\tA\t-0.5
-0.5\tB\t0
-0.25\tX

\\2-grams:
-0.1\tB A

\\end\\
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Write a small Moses model; return its moses.ini."""
    (tmp_path / "moses.ini").write_text(INI)
    with gzip.open(tmp_path / "phrases.gz", "wt") as file:
        file.write(PHRASES)
    (tmp_path / "sub").mkdir()
    with gzip.open(tmp_path / "sub/orders.gz", "wt") as file:
        file.write(ORDERS)
    (tmp_path / "lm.arpa").write_text(ARPA)
    return tmp_path / "moses.ini"


Pair = tuple[list[float], list[float], int]  # features, reordering, links


def pairs_of(system: SmtSystem) -> dict[str, list[tuple[str, Pair]]]:
    """Return the phrase table as text: the pairs of each source phrase, in order."""
    m, found = system.models, dict[str, list[tuple[str, Pair]]]()
    table = m.table
    for r in range(len(table.key)):
        source = m.source.decode(table.source[table.s_begin[r] : table.s_begin[r + 1]])
        for p in range(table.row[r], table.row[r + 1]):
            target = m.target.decode(table.target[table.t_begin[p] : table.t_begin[p + 1]])
            value = table.features[p].tolist(), table.reordering[p].tolist(), int(table.links[p])
            found.setdefault(" ".join(source), []).append((" ".join(target), value))
    return found


def logs(*p: float) -> object:
    return pytest.approx([math.log(x) for x in p], abs=1e-6)


def test_a_small_model_is_read_correctly(small: Path) -> None:
    system = read_moses(small)
    found = pairs_of(system)
    nothing = [0.0] * 6
    assert (np.diff(system.models.table.key.astype(object)) > 0).all()
    assert {source: [t for t, _ in pairs] for source, pairs in found.items()} == {
        "a": ["B", "C D", "A"],  # by estimate
        "a b": ["B A"],
        "b": ["X"],
    }
    direct, channel = (0.125, 1), (0.5, 0.25)
    assert found["b"][0][1] == (logs(*direct, *channel), nothing, 1)
    assert found["a b"][0][1] == (
        logs(0.3, 0.4, 0.1, 0.2),
        logs(0.6, 0.5, 0.4, 0.3, 0.2, 0.1),
        1 << 1 | 1 << 8,
    )
    assert found["a"][0][1] == (logs(*[0.9] * 4), logs(0.1, 0.2, 0.3, 0.4, 0.5, 0.6), 0)
    assert found["a"][2][1] == (logs(0.4, math.exp(-100), 0.2, 0.3), nothing, 1)
    assert [system.weights[name] for name in NAMES] == pytest.approx(
        [0.3, 0.4, 0.1, 0.2, *(k / 100 for k in range(1, 7)), 0.125, 0.25, -50, 0.7, 0.9, 0]
    )
    assert system.limits == Limits(distortion=3, table=7)
    assert (system.tokenizer.kind, system.verbatim) == ("none", False)
    assert system.models.lm.counts == [6, 1]


@pytest.mark.compiled
def test_the_default_distortion_limit_is_that_of_moses(small: Path) -> None:
    for section in ("[distortion-limit]\n", ""):
        small.write_text(INI.replace("[distortion-limit]\n3  # words\n", section))
        assert read_moses(small).limits.distortion == 6


@pytest.mark.compiled
def test_a_table_is_sorted_by_moses_estimate(small: Path) -> None:
    rng = np.random.default_rng(3)
    lines = [
        f"a ||| {' '.join(rng.choice(list('ABXCDE'), rng.integers(1, 4)))} ||| "
        + " ".join(f"{x:.3f}" for x in rng.uniform(0.1, 1, 4))
        for _ in range(60)
    ]
    (small.parent / "phrases").write_text("\n".join(lines))  # preferred to phrases.gz
    system = read_moses(small)
    λ, lm = system.weights, system.models.lm

    def estimate(target: str, pair: Pair) -> float:
        words = target.split()
        known = sum(λ[name] * f for name, f in zip(OF_PHRASES, pair[0], strict=True))
        log10 = {"A": -1, "B": -0.5, "X": -0.25}
        alone = sum(
            -0.1 if words[max(k - 1, 0) : k + 1] == ["B", "A"]
            else log10.get(w, -2) + (-0.5 if k and words[k - 1] == "A" else 0)
            for k, w in enumerate(words)
        )  # fmt: skip
        return known + λ["words"] * len(words) + λ["lm"] * alone * math.log(10)

    assert lm.order == 2
    values = [estimate(*pair) for pair in pairs_of(system)["a"]]
    assert len(values) == len({line.split(" ||| ")[1] for line in lines})
    assert all(a >= b - 1e-5 for a, b in pairwise(values))


def test_reordering_and_limit_are_optional(small: Path) -> None:
    lines = INI.replace("table-limit=7", "table-limit=0").splitlines(keepends=True)
    kept = "".join(line for line in lines if "LexicalR" not in line and "L= 0.01" not in line)
    small.write_text(kept + "Odd0= 0 0\n[feature]\nOdd\n")  # an unused feature
    system = read_moses(small)
    assert not system.models.table.reordering.any()
    assert system.weights["next-swap"] == 0
    assert system.limits.table == UNLIMITED


def test_hash_collisions_are_detected() -> None:
    words = np.array([4, 5, 6, 7, 4, 5, 4], np.int32)
    at, length = np.array([0, 2, 4, 6]), np.array([2, 2, 2, 1], np.int8)
    key = np.full(4, 9, np.uint64)
    assert _same_source(words, at, length, key, np.arange(4)).tolist() == [True, False, True, False]
    key[1] = 10
    assert _same_source(words, at, length, key, np.arange(4)).tolist() == [True, True, True, False]


def test_one_of_colliding_source_phrases_is_kept(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def keys(words: np.ndarray, length: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        s_key, pair_key = _keys(words, length)
        return np.zeros_like(s_key), pair_key

    whole = pairs_of(read_moses(small))
    monkeypatch.setattr("mtkit.smt.moses.tables._keys", keys)
    [(source, pairs)] = pairs_of(read_moses(small)).items()
    assert pairs == whole[source]


def edited(old: str, new: str) -> Callable[[Path], None]:
    def edit(ini: Path) -> None:
        assert old in INI
        ini.write_text(INI.replace(old, new))

    return edit


def written(name: str, text: str | bytes) -> Callable[[Path], None]:
    data = text.encode() if isinstance(text, str) else text

    def write(ini: Path) -> None:
        (ini.parent / name).write_bytes(data)

    return write


EXTRA = "Distortion\nKENLM"
REFUSED = {
    "no-ini": (lambda ini: ini.unlink(), "moses.ini: no such file"),
    "old": (edited("[feature]", "[ttable-file]"), "moses.ini: no [feature]; only files of"),
    "no-table": (lambda ini: (ini.parent / "phrases.gz").unlink(), "line 12: "),
    "no-path": (edited("path=phrases", ""), "line 12: no path=FILE"),
    "no-lm": (edited("KENLM path=lm.arpa\n", ""), "[feature] lacks KENLM"),
    "compact": (edited("PhraseDictionaryMemory", "PhraseDictionaryCompact"), "line 12: PhraseD"),
    "binary-lm": (
        written("lm.arpa", b"mmap lm http://k\n\0"),
        "lm.arpa: a binary file; name the text file it was",
    ),
    "bad-lm": (written("lm.arpa", "nix\n"), "lm.arpa:1: expected"),
    "binary-table": (written("phrases", b"a\0"), "phrases: a binary file; name the text"),
    "bad-gzip": (written("phrases.gz", b"nix"), "phrases.gz: not a complete gzip file"),
    "directory": (lambda ini: (ini.parent / "phrases").mkdir(), "phrases: Is a directory"),
    "two-lms": (edited(EXTRA, "SRILM name=KENLM0 path=lm.arpa\nKENLM"), "line 15: a second KENLM"),
    "feature": (
        edited(EXTRA, "OpSequenceModel name=T\nKENLM"),
        "line 14: mtkit does not support the feature OpSequence",
    ),
    "sparse": (
        edited(EXTRA, "PhrasePairFeature\nKENLM"),
        "line 14: mtkit does not support the feature PhrasePairF",
    ),
    "hierarchy": (edited("=wbe-", "=hier-"), "line 13: mtkit supports only reordering models"),
    "five": (edited("num-features=4", "num-features=5"), "line 12: PhraseDictionaryMemory must"),
    "no-figure": (edited("num-features=4", "num-features=x"), "line 12: expected a whole number"),
    "factors": (
        edited("path=lm.arpa", "path=lm.arpa factor=1"),
        "line 15: mtkit does not support factors",
    ),
    "no-weight": (edited("Distortion0= 0.9", ""), "Distortion0 needs 1 weights; [weight] has 0"),
    "weights": (edited("T= 0.1 0.2 ", "T= "), "T needs 4 weights; [weight] has 2"),
    "no-number": (edited("T= 0.1", "T= 0,1"), "line 20: expected NAME= and numbers"),
    "mapping": (edited("0 T 0", "0 T 0\n0 G 0"), "mtkit supports only the mapping 0 T 0"),
    "nan": (edited("T= 0.1", "T= nan"), "the weights of T in [weight] must be finite"),
    "huge": (edited("T= 0.1", "T= 1000001"), "[weight] must be finite numbers up to 1,000,000"),
    "limit": (edited("table-limit=7", "table-limit=-7"), "table-limit must not be below 0"),
    "distance": (edited("3  # words", "x"), "line 7: expected a whole number, found 'x'"),
    "no-pair": (written("phrases", ""), "phrases: no usable phrase pair"),
    "fields": (
        written("phrases", PHRASES + "a | A\n"),
        "phrases: line 9: expected `source ||| target |||",
    ),
    "scores": (written("phrases", "a ||| A ||| 1 1 1\n"), "phrases: line 1: expected `"),
    "no-score": (written("phrases", "a ||| A ||| 1 1 1 x\n"), "phrases: line 1: expected `"),
    "nan-score": (written("phrases", "a ||| A ||| 1 1 1 nan\n"), "phrases: line 1: expected `"),
    "below-0": (written("phrases", "a ||| A ||| 1 1 1 -1\n"), "phrases: line 1: expected `"),
    "no-words": (written("phrases", " ||| A ||| 1 1 1 1\n"), "phrases: line 1: expected `"),
    "factored": (written("phrases", "a|D ||| A ||| 1 1 1 1\n"), "phrases: line 1: expected `"),
    "not-utf8": (written("phrases", b"\xff ||| A ||| 1 1 1 1\n"), "phrases: line 1: expected `"),
    "links": (written("phrases", "a ||| A ||| 1 1 1 1 ||| 0-1\n"), "phrases: line 1: expected `"),
    "orders": (
        written("sub/orders.gz", gzip.compress(b"a ||| A ||| 1 1 1\n")),
        "orders.gz: line 1: expected `source ||| target ||| 6 probabilities`",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_unreadable_input_is_a_one_line_error(case: str, small: Path) -> None:
    spoil, message = REFUSED[case]
    spoil(small)
    with pytest.raises(InputError) as caught:
        read_moses(small)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(small.parent) in str(caught.value)


# --- export and import


def unpacked(path: Path) -> list[bytes]:
    with gzip.open(path) as file:
        return file.readlines()


@pytest.fixture(scope="module")
def ours(smt_directory: Path) -> SmtSystem:
    """Return a model without what Moses lacks, with different weights."""
    smt = SmtSystem.load(smt_directory)
    weights = {name: 0.2 + 0.01 * k for k, name in enumerate(NAMES)}
    weights |= {"phrases": -0.3, "words": 0.6, "unknown": -7.0, "lm": 0.5, "context": 0.0}
    weights |= {"previous-swap": 0.01, "next-swap": 0.02, "distortion": 0.03}  # some reordering
    limits = Limits(distortion=4, table=18)
    assert np.diff(smt.models.table.row).max() > 18
    return SmtSystem(smt.models, smt.tokenizer, weights, limits, verbatim=False)


@pytest.fixture(scope="module")
def theirs(ours: SmtSystem, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("moses")
    write_moses(ours, out)
    return out


def test_export_and_import_keep_translations(ours: SmtSystem, theirs: Path, few: Corpus) -> None:
    assert few.test
    lines = [*few.train.source[:60], *few.test.source]
    back = read_moses(theirs / "moses.ini")
    assert back.limits == ours.limits
    assert back.weights == pytest.approx(ours.weights, rel=1e-8)
    mine = ours.translate(lines, 10)
    tokens = [" ".join(words) for words in ours.tokenize(lines)]
    for found, [b] in zip(mine, back.translate(tokens), strict=True):
        assert b.score == pytest.approx(found[0].score, abs=1e-4)
        a = next(h for h in found if h.tokens == b.tokens)  # not always the first of ties
        assert b.score == pytest.approx(a.score, abs=1e-4)
        assert b.features == pytest.approx(a.features | {"context": 0}, abs=1e-4)
        assert (b.segments, b.unknown, b.alignment) == (a.segments, a.unknown, a.alignment)
    assert any(h.unknown for h, *_ in mine)
    assert any(h.features["distortion"] for h, *_ in mine)


def test_exports_are_identical_and_sorted(ours: SmtSystem, theirs: Path, tmp_path: Path) -> None:
    write_moses(ours, tmp_path)
    names = {p.name for p in theirs.iterdir()}
    reordering = "reordering-table.wbe-msd-bidirectional-fe.gz"
    assert names == {"moses.ini", "phrase-table.gz", reordering, "lm.arpa.gz"}
    assert all((tmp_path / n).read_bytes() == (theirs / n).read_bytes() for n in names)
    lines = [unpacked(theirs / n) for n in ("phrase-table.gz", reordering)]
    for of in lines:
        assert of == sorted(of)
        assert len(of) == len(ours.models.table.links)
    assert [line.split(b" ||| ")[:2] for line in lines[0]] == [
        line.split(b" ||| ")[:2] for line in lines[1]
    ]
    for line in lines[0]:
        _, _, scores, links, rest = line.split(b" ||| ")
        assert len(scores.split()) == 4
        assert all(b"-" in link for link in links.split())
        assert rest == b"||| |||\n"


def test_bars_are_escaped_and_special_words_left_out(small: Path, tmp_path: Path) -> None:
    system = read_moses(small)

    def spelled(**sides: Vocabulary) -> SmtSystem:
        models = replace(system.models, **sides)
        return SmtSystem(models, system.tokenizer, system.weights, system.limits)

    out = tmp_path / "out"
    out.mkdir()
    write_moses(spelled(target=Vocabulary(["X", "|", "B", "C", "D|"])), out)
    pairs = [line.split(b" ||| ")[:2] for line in unpacked(out / "phrase-table.gz")]
    assert [b"a", b"&#124;"] in pairs
    assert [b"a", b"C D&#124;"] in pairs
    for words in (["X", "|", "&#124;", "C", "D"], ["X", "A\t", "B", "C", "D"]):
        with pytest.raises(InputError):
            write_moses(spelled(target=Vocabulary(words)), out)
    table = system.models.table
    target = table.target.copy()
    target[target == system.models.target.encode(["X"])[0]] = 1
    arrays = table._replace(target=read_only([target])[0])
    models = replace(system.models, table=arrays)
    write_moses(SmtSystem(models, system.tokenizer, system.weights), out)
    left = [line.split(b" ||| ")[1] for line in unpacked(out / "phrase-table.gz")]
    assert left == [b"B A", b"A", b"B", b"C D"]


# --- a model trained by Moses, and the output of Moses

MOSES = SHARED / "moses"


class Printed:
    """A line of Moses's n-best list."""

    def __init__(self, line: str) -> None:
        _, text, features, score = line.split(" ||| ")
        self.text, self.score = text.strip(), float(score)
        self.features = dict[str, list[float]]()
        for word in features.split():
            if word.endswith("="):
                values = self.features.setdefault(word[:-1], [])
            else:
                values.append(float(word))


NAMED = {
    "TranslationModel0": ["channel", "channel-lexical", "direct", "direct-lexical"],
    "LexicalReordering0": [n for n in NAMES if n.startswith(("previous", "next"))],
    "LM0": ["lm"],
    "PhrasePenalty0": ["phrases"],
    "Distortion0": ["distortion"],
}


class Val(NamedTuple):
    """Multi30k's val with Moses's model: our translations, Moses's, and these by forced search."""

    mine: list[Hypothesis]
    printed: list[Printed]
    forced: list[Hypothesis]


@pytest.fixture(scope="module")
def val() -> Val:
    if not SHARED.is_dir():
        pytest.skip(f"no {SHARED}: real text is absent")
    system = read_moses(MOSES / "moses.ini")
    lines = (MULTI30K / "val.tok.en").read_text("utf-8").splitlines()
    said = (MOSES / "val.stack-nbest1.txt").read_text("utf-8").splitlines()
    printed = [Printed(line) for line in said]
    pairs = [(x.split(), p.text.split()) for x, p in zip(lines, printed, strict=True)]
    forced = [best for best, _ in system.force(pairs) if best]
    return Val([h for [h] in system.translate(lines)], printed, forced)


@pytest.mark.compiled
@needs_shared
def test_our_search_is_no_worse_than_moses(val: Val) -> None:
    difference = np.array([h.score - p.score for h, p in zip(val.mine, val.printed, strict=True)])
    assert np.mean([h.score for h in val.mine]) >= -28.88
    assert difference.min() >= -0.6
    assert difference.max() < 0.5  # more would mean another model


@pytest.mark.compiled
@needs_shared
def test_moses_translations_get_the_scores_and_features_it_prints(val: Val) -> None:
    """Forced search scores no less than Moses; equal scores have equal features."""
    equal = 0
    for h, printed in zip(val.forced, val.printed, strict=True):
        assert " ".join(h.tokens) == printed.text
        assert h.score >= printed.score - 1e-3
        if h.score <= printed.score + 1e-3:
            equal += 1
            for name, mine in NAMED.items():
                values = [h.features[n] for n in mine]
                assert values == pytest.approx(printed.features[name], abs=1e-3)
            assert h.features["words"] == -printed.features["WordPenalty0"][0]
    assert equal > 1000
