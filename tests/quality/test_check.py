"""Each kind of damage is found in exactly its lines, and none is found in clean text."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest

from mtkit.errors import InputError
from mtkit.quality.check import Report, check, read_sides
from mtkit.quality.clean import line_numbers, refuse_unclean, write_clean
from mtkit.quality.files import name_files
from mtkit.quality.report import as_json, findings, verdict
from mtkit.text import repeats
from mtkit.text.corpus import corpora_directory
from tests.support.damage import Damaged, plant
from tests.support.paths import MULTI30K, SHARED, needs_shared

EVERYDAY = corpora_directory() / "everyday"
# Damage in Multi30k: "@@" for a sentence, and translations of other pictures.
KNOWN = {
    "entity": {561, 3158, 3913, 4527, 4603, 5215, 14875},
    "length-ratio": {16510, 16664},
    "not-parallel": {12895, 12968, 13584},
}


def files(name: str) -> dict[str, tuple[Path, Path]]:
    if name == "everyday":
        places = {split: EVERYDAY / split for split in ("train", "dev", "test")}
    else:
        names = {"train": "train", "dev": "val", "test": "test2016"}
        places = {split: MULTI30K / name for split, name in names.items()}
    return {
        k: (p.with_name(f"{p.name}.en"), p.with_name(f"{p.name}.de")) for k, p in places.items()
    }


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().split(b"\n")[:-1]


def found(report: Report, split: str = "train") -> dict[tuple[str, str], set[int]]:
    """Return the lines of each kind and file or split."""
    return {
        (f.kind, f.file_or_split): set(f.lines.tolist())
        for f in report.findings
        if f.split == split
    }


@pytest.fixture(
    scope="module",
    params=["everyday", pytest.param("multi30k", marks=[needs_shared, pytest.mark.compiled])],
)
def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Report, Damaged, Report]:
    """Return the report of a corpus, a damaged copy, and the report of the copy."""
    named = files(request.param)
    dev = list(zip(*map(lines, named["dev"]), strict=True))
    clean = check(read_sides(named))
    damaged = plant(*map(lines, named["train"]), dev)
    where = tmp_path_factory.mktemp(request.param)
    damaged.write(where, ("en", "de"))
    train = where / "train.en", where / "train.de"
    return clean, damaged, check(read_sides({**named, "train": train}))


def test_damage_is_found_where_it_is(case: tuple[Report, Damaged, Report]) -> None:
    clean, damaged, report = case
    changed = set().union(*damaged.lines.values())
    before, after = found(clean), found(report)
    where = {"source": "train.en", "target": "train.de", "pair": "train"}
    assert len(damaged.lines) >= 16
    for (kind, side), planted in damaged.lines.items():
        expected = planted | (before.get((kind, where[side]), set()) - changed)
        lines = after.pop((kind, where[side]))
        if kind == "not-parallel" and len(clean.keep["train"]) < 10_000:
            assert lines <= expected  # in a small text, one may be missed
            assert len(lines) >= len(expected) - 1
        else:
            assert lines == expected, kind
    rest = {key: set(numbers) for key, numbers in after.items()}
    assert all(numbers == before.get(key, set()) - changed for key, numbers in rest.items()), rest


def test_all_invalid_utf_8_is_located(case: tuple[Report, Damaged, Report]) -> None:
    _, damaged, report = case
    [of_source] = (
        f for f in report.findings if (f.kind, f.file_or_split) == ("encoding", "train.en")
    )
    expected = {
        (n, at, b) for n in damaged.lines["encoding", "source"] for at, b in ((6, 255), (7, 254))
    }
    assert set(of_source.places) == expected


def test_a_clean_corpus_has_only_duplicates(case: tuple[Report, Damaged, Report]) -> None:
    clean, _, _ = case
    repeated = {"duplicate", "near-duplicate", "leak", "near-leak"}
    others = {f.kind: set(f.lines.tolist()) for f in clean.findings if f.kind not in repeated}
    assert all(KNOWN[kind] & numbers for kind, numbers in others.items())
    assert others.get("length-ratio", set()) <= KNOWN["length-ratio"]
    assert others.get("not-parallel", set()) <= KNOWN["not-parallel"]
    text = clean.texts["train"]
    pairs = list(zip(text[0].lines, text[1].lines, strict=True))
    first: dict[tuple[str, str], int] = {}
    again = {n for n, pair in enumerate(pairs, 1) if first.setdefault(pair, n) != n}
    assert found(clean).get(("duplicate", "train"), set()) == again


@needs_shared
@pytest.mark.compiled
@pytest.mark.parametrize("size", [5000, 7919])
def test_greek_and_lists_of_rare_words_raise_no_false_alarm(size: int, tmp_path: Path) -> None:
    for language in ("en", "grc"):
        text = b"\n".join([*lines(SHARED / f"gnt/gnt.{language}")[:size], b""])
        (tmp_path / f"t.{language}").write_bytes(text)
    report = check(read_sides({"train": (tmp_path / "t.en", tmp_path / "t.grc")}))
    others = {key: n for key, n in found(report).items() if "duplicate" not in key[0]}
    assert others == {("length-ratio", "train"): {1728}}  # Mark 16:8, longer in Greek


def test_cleaning_keeps_undamaged_lines(
    case: tuple[Report, Damaged, Report], tmp_path: Path
) -> None:
    _, damaged, report = case
    stay = {"line-ends", "entity", "joiner", "markup-both", "near-duplicate", "near-leak"}
    gone = {n for (kind, _), some in damaged.lines.items() if kind not in stay for n in some}
    numbers = [int(n) for n in line_numbers(report, "train").split()]
    assert gone & set(numbers) <= damaged.lines["not-parallel", "pair"]  # one may be missed
    assert len(gone & set(numbers)) <= 1
    kept = {n for (kind, _), some in damaged.lines.items() if kind in stay for n in some}
    assert kept <= set(numbers)
    write_clean(report, ("en", "de"), tmp_path)
    old = [int(n) for n in (tmp_path / "train.lines").read_text("utf-8").split()]
    assert old == numbers == sorted(old)
    written = lines(tmp_path / "train.de")
    assert written == [damaged.target[n - 1].rstrip(b"\r") for n in old]
    again = check(read_sides({"train": (tmp_path / "train.en", tmp_path / "train.de")}))
    left = {kind for kind, _ in found(again)} - {"not-parallel"}
    assert left <= stay - {"line-ends", "near-leak"}


def test_json_has_every_line_and_tables_fit(case: tuple[Report, Damaged, Report]) -> None:
    from rich.console import Console

    _, damaged, report = case
    data = json.loads(json.dumps(as_json(report)))
    [swapped] = [f for f in data["findings"] if f["kind"] == "swapped"]
    assert set(swapped["lines"]) == damaged.lines["swapped", "pair"]
    assert swapped["count"] == len(swapped["lines"])
    assert data["damaged"]["train"] > 40
    assert data["keep"]["train"] == len(report.keep["train"])
    assert re.search(r"train: [\d,]+ of [\d,]+ lines damaged", " ".join(verdict(report)))
    for width in (80, 120):
        console = Console(width=width, record=True, file=io.StringIO())
        findings(report).show(console)
        text = console.export_text()
        assert "sides swapped" in text
        assert "extreme length ratio" in text
    assert "sides swapped" in findings(report).as_html()


def small(where: Path, source: list[str], target: list[str], name: str = "t") -> tuple[Path, Path]:
    paths = where / f"{name}.en", where / f"{name}.de"
    for path, side in zip(paths, (source, target), strict=True):
        path.write_text("".join(f"{line}\n" for line in side), encoding="utf-8")
    return paths


def everyday(split: str = "train") -> tuple[list[str], list[str]]:
    source, target = (path.read_text("utf-8").split("\n")[:-1] for path in files("everyday")[split])
    return source, target


@pytest.mark.compiled
@pytest.mark.parametrize(("row", "count"), [(1500, 1), (5000, 25)])
def test_unequal_counts_are_located(row: int, count: int, tmp_path: Path) -> None:
    source, target = everyday()
    paths = small(tmp_path, source[:row] + source[row + count :], target)
    report = check(read_sides({"train": paths}))
    [unequal] = [f for f in report.findings if f.kind == "unequal"]
    assert unequal.file_or_split == "t.de"
    assert len(unequal.lines) >= count
    assert np.abs(unequal.lines[[0, -1]] - [row + 1, row + count]).max() <= 6
    assert f"t.en has {8098 - count:,} lines, t.de 8,098; " in unequal.detail
    assert "train" not in report.keep
    with pytest.raises(InputError, match=r"t\.de has 8,098; run the check without"):
        refuse_unclean(report, ["train"])


@pytest.mark.compiled
def test_a_shift_between_lost_lines_is_found(tmp_path: Path) -> None:
    source, target = everyday()
    paths = small(tmp_path, source[:3000] + source[3001:], target[:3100] + target[3101:])
    [finding] = [
        f for f in check(read_sides({"train": paths})).findings if f.kind == "not-parallel"
    ]
    assert set(finding.lines.tolist()) <= set(range(3000, 3102))
    assert len(finding.lines) > 60
    places = [int(n.replace(",", "")) for n in re.findall(r"line ([\d,]+)", finding.detail)]
    assert np.abs(np.array(places) - [3001, 3100]).max() <= 10


# Good pairs: text that is the same in both languages, alone or with a few words.
CODES = [
    ("https://example.org/en/latest/install-guide.html#step-two",) * 2,
    ("See www.example.org/get-to-the-station", "Siehe www.example.org/get-to-the-station"),
    (
        "From: https://example.org/wo-ist-das-haus-und-der-bahnhof",
        "Aus: https://example.org/wo-ist-das-haus-und-der-bahnhof",
    ),
    ("/usr/local/share/truetype/dejavu/serif/bold.ttf",) * 2,
    (r"C:\Programs\Example\bin\tool.exe --verbose --silent --where",) * 2,
    ("max.mustermann@example-muster.co.uk",) * 2,
    ("ABX-ZX/4711-B QX-RR TTK-NN", "ABX-ZX/4711-B QX-RR TTK-NN."),
    ("%s / %s (%d %%) {where} {0} {the_station}",) * 2,
    ("Lutry, Vevey, Aigle, Ollon and Bex.", "Lutry, Vevey, Aigle, Ollon und Bex."),
    (
        "See Xyzqa Wqoxy Qqazu Zyxwe Pqizo Kjxqa Vuzoq Bexwy",
        "Siehe Xyzqa Wqoxy Qqazu Zyxwe Pqizo Kjxqa Vuzoq Bexwy",
    ),
]
WRONG = [
    ("Wo ist das Haus? http://example.org/x", "Where is the house? http://example.org/x"),
    ("Where is it? http://example.org/x", "Where is the house? http://example.org/x"),
]


def test_codes_have_no_language(tmp_path: Path) -> None:
    pairs = [*zip(*everyday(), strict=True)]
    source, target = map(list, zip(*pairs, *CODES, *WRONG, strict=True))
    report = check(read_sides({"train": small(tmp_path, source, target)}))
    kinds = {
        line - len(pairs): f.kind
        for f in report.findings
        for line in f.lines.tolist()
        if line > len(pairs)
    }
    first = len(CODES) + 1
    assert kinds == {first: "swapped", first + 1: "wrong-language"}


@pytest.mark.compiled
def test_unrelated_sides_are_one_finding(tmp_path: Path) -> None:
    source, target = everyday()
    report = check(read_sides({"train": small(tmp_path, source, target[4000:] + target[:4000])}))
    assert [f.kind for f in report.findings if f.kind in ("unrelated", "not-parallel")] == [
        "unrelated"
    ]


def test_the_summary_says_what_cleaning_drops(tmp_path: Path) -> None:
    source, target = (side[:50] for side in everyday())
    source[3], target[4] = source[3] + " &amp;", ""
    source[9], target[9] = source[8].upper(), target[8]
    uneven = small(tmp_path, ["The house", "The dog"], ["Das Haus"], "u")
    report = check(read_sides({"train": small(tmp_path, source, target), "dev": uneven}))
    *_, train, dev = verdict(report)
    assert train == (
        "train: 2 of 50 lines damaged (4.0 %). --clean DIR drops 1 line (no text on a side) and "
        "keeps 49. Only reported: entities (&amp;), near duplicates."
    )
    assert dev.endswith("2 and 1 lines; repair the files and check them again.")
    outcomes = {
        row[0].text: row[4].text for grid in findings(report).grids[:2] for row in grid.rows
    }
    assert outcomes == {
        "no text on a side": "drops", "entities (&amp;)": "keeps", "near duplicates": "keeps",
        "unequal counts": "refuses",
    }  # fmt: skip


def test_exchanged_dev_files_are_found(tmp_path: Path) -> None:
    train, dev = files("everyday")["train"], everyday("dev")
    exchanged = small(tmp_path, dev[1], dev[0])
    report = check(read_sides({"train": train, "dev": exchanged}))
    assert [f.kind for f in report.findings if f.split == "dev"] == ["exchanged"]
    with pytest.raises(InputError, match="are exchanged; name them in the other order"):
        refuse_unclean(report, ["train", "dev"])


def test_text_without_spaces_is_found(tmp_path: Path) -> None:
    thai = "ฉันไปตลาดกับเพื่อนของฉัน"
    for text, script in (("我昨天和朋友一起去了市场。", "Chinese or Japanese"), (thai, "Thai")):
        paths = small(tmp_path, [f"I went {n} times." for n in range(9)], [text] * 9)
        report = check(read_sides({"train": paths}))
        [unspaced] = [f for f in report.findings if f.kind == "unspaced"]
        assert (unspaced.file_or_split, unspaced.detail) == ("t.de", f"{script}, a sample")
        spaced = [" ".join(text) for _ in range(9)]
        report = check(read_sides({"train": small(tmp_path, everyday()[0][:9], spaced)}))
        assert "unspaced" not in {f.kind for f in report.findings}


def test_a_bom_and_windows_line_ends_are_tolerated(tmp_path: Path) -> None:
    paths = small(tmp_path, *everyday("dev"))
    paths[0].write_bytes(b"\xef\xbb\xbf" + paths[0].read_bytes().replace(b"\n", b"\r\n"))
    report = check(read_sides({"train": paths}))
    assert [(f.kind, f.lines.tolist()) for f in report.findings] == [("bom", [1])]
    assert report.texts["train"][0].lines == everyday("dev")[0]


def test_capitals_before_quotes_are_no_mojibake(tmp_path: Path) -> None:
    clean = ["SÃO PAULO, AMANHÃ…", "« BEAUTÉ »", "CAFÉ\u00a0!", "ÎLE Ñ Ð", "Â «", "ÊTRE"]
    broken = ["schÃ¶n", "Ã¼ber", "donâ€™t", "25Â°C", "Ð¿Ñ€Ð¸Ð²ÐµÑ‚"]
    paths = small(tmp_path, clean + broken, ["x"] * (len(clean) + len(broken)))
    report = check(read_sides({"train": paths}))
    assert found(report)["mojibake", "t.en"] == {7, 8, 9, 10, 11}


def test_less_than_and_ampersands_of_real_text_are_no_markup(tmp_path: Path) -> None:
    clean = ["a < b > c", "I <3 you", "AT&T;", "R&D &x; & Co", "<", "x <- y -> z"]
    broken = ["<b>a</b>", '<a href="x">y', "a<br/>b"]
    paths = small(tmp_path, clean + broken, [f"x{n}" for n in range(9)])
    kinds = found(check(read_sides({"train": paths})))
    assert kinds["markup", "train"] == {7, 8, 9}
    assert not [key for key in kinds if key[0] == "entity"]


def test_near_keys_follow_their_definition() -> None:
    text = [
        *everyday()[0],
        *everyday()[1],
        "a 12 b",
        "A 7, B.",
        "„a“ — 3 b",
        "...",
        "!!",
        "",
        "ÄÖ ß",
    ]

    def slow(line: str) -> str:
        bare = "".join(c for c in line.lower() if c.isalnum())
        return re.sub(r"\d+", "0", bare) or line

    keys = repeats.near_keys(text).tolist()
    pairs = set(zip(keys, map(slow, text), strict=True))
    assert len(pairs) == len(set(keys)) == len(set(map(slow, text)))


def test_files_are_named_as_in_other_commands(tmp_path: Path) -> None:
    paths = small(tmp_path, ["a"], ["b"])
    assert name_files(list(paths), None, None, None, None, None) == (("en", "de"), {"train": paths})
    alone = {"train": (paths[0], paths[0])}  # one file with both languages
    assert name_files([paths[0]], None, None, None, None, None) == (None, alone)
    (tmp_path / "both").mkdir()
    (tmp_path / "both/train.tsv").write_text("en\tde\na\tb\n", encoding="utf-8")
    files = {"train": (tmp_path / "both/train.tsv",) * 2}
    assert name_files(None, str(tmp_path / "both"), None, None, None, None) == (None, files)
    assert list(name_files(None, None, None, None, None, None)[1]) == ["train", "dev", "test"]
    for arguments, message in (
        (([*paths, paths[0]], None, None, None, None, None), "expected two files"),
        ((list(paths), None, None, paths, None, None), "exclude each other"),
        ((list(paths), "everyday", None, None, None, None), "exclude each other"),
        ((None, None, None, None, paths, None), "--dev and --test also need --train or --corpus"),
        ((None, str(tmp_path), None, None, None, None), "no train.en and train.de"),
    ):
        with pytest.raises(InputError, match=message):
            name_files(*arguments)
