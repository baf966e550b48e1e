from __future__ import annotations

from pathlib import Path

import pytest

from mtkit.text.languages import (
    ISO_639_1,
    NAMES,
    base,
    language_called,
    language_of,
    languages_named,
    surely_differ,
)


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("train.en", "en"),
        ("train.en.gz", "en"),
        ("train.en.xz", "en"),
        ("train.tok.de.zst", "de"),
        ("a.b/gnt.grc", "grc"),
        ("news.2016.pt-BR", "pt-BR"),
        ("x.zh_cn", "zh_cn"),
        ("x.sr-Latn-RS.gz", "sr-Latn-RS"),
        ("dev.eng_Latn", "eng_Latn"),
        ("x.es-419", "es-419"),
        ("TRAIN.DE", "DE"),
        ("de", "de"),
    ],
)
def test_a_file_name_ends_in_its_language(name: str, language: str) -> None:
    assert language_of(Path(name)) == language


USUAL = "txt tok csv tsv xml raw bpe src trg tgt ref hyp out low dat log tmx doc new old"


@pytest.mark.parametrize(
    "name",
    [
        *(f"a.{suffix}" for suffix in USUAL.split()),
        *("a.txt.gz", "en.txt", "a.xx", "a.xx-DE", "a.en-de", "a.tok_DE", "a.TXT", "a.json", "a.1"),
        *("a.en-test", "english", "src", "abc", "a.", "a", ".gz"),
    ],
)
def test_other_names_have_no_language(name: str) -> None:
    assert language_of(Path(name)) == ""


def test_only_codes_of_iso_639_1_surely_differ() -> None:
    assert len(ISO_639_1) == 183
    assert [base(code) for code in ("en-GB", "pt_BR", "zh-Hans", "EN")] == ["en", "pt", "zh", "en"]
    assert surely_differ("en", "fr-CA")
    assert surely_differ("DE", "en")
    for a, b in (("en", "en-GB"), ("en", "eng"), ("en", ""), ("en", "xx"), ("grc", "lat")):
        assert not surely_differ(a, b)


def test_a_shared_3_letter_suffix_is_ignored() -> None:
    for names, pair in (
        (("a.foo", "b.foo.gz"), ("", "")),
        (("a.grc", "a.lat"), ("grc", "lat")),
        (("a.en", "b.en"), ("en", "en")),
        (("a.eng_Latn", "b.eng_Latn"), ("eng_Latn", "eng_Latn")),
    ):
        assert languages_named(*map(Path, names)) == pair


def test_each_name_is_of_one_language() -> None:
    assert set(NAMES.values()) <= ISO_639_1
    assert len(NAMES) == len({*NAMES}) > 100
    for name, code in (("Englisch", "en"), (" français ", "fr"), ("EN_gb", "en"), ("id", "id")):
        assert language_called(name) == code
    for other in ("", "house", "english house", "xx", "grc"):
        assert language_called(other) == ""
