"""Errors in a call or its input are one line, and nothing is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command import mtkit

FILES = {
    "three.en": b"a\nb\nc\n",
    "two.de": b"x\ny\n",
    "two.en": b"a\nb\n",
    "two.fr": b"p\nq\n",
    "two.txt": b"p\nq\n",
    "two.tmx": b"<tmx>\n</tmx>\n",
    "two.xml": b"<tmx>\n</tmx>\n",
    "po.txt": b'# a\nmsgid "a"\nmsgstr ""\n',
    "empty.en": b"",
    "bad.en": b"ok\nb\xff\n",
    "outside.gold": b"5-0\n",
    "fr.tbx": b"<martif><termEntry><langSet xml:lang='fr'><tig><term>a</term></tig></langSet>"
    b"</termEntry></martif>",
    "bomb.tbx": b"<!DOCTYPE tbx [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]>\n<tbx>&b;</tbx>",
    "bad.csv": b"a,A\n\nb\n",
    "bad.tsv": b"# source, target\na\tA\na b\n",
}


REFUSED = {
    "unequal": (
        ["train-smt", "--train", "three.en", "two.de"],
        "line 3 of three.en has no partner",
    ),
    "unequal-nmt": (["train-nmt", "--train", "three.en", "two.de"], "3 lines but two.de has 2"),
    "missing": (["train-smt", "--train", "none.en", "two.de"], "none.en: no such file"),
    "empty": (["train-smt", "--train", "empty.en", "two.de"], "empty.en: the file is empty"),
    "not-utf8": (["train-smt", "--train", "bad.en", "two.de"], "bad.en: line 2, byte 2: not UTF-8"),
    "two-files": (
        ["translate", "three.en", "two.en"],
        "expected one file; translate two.en with a separate",
    ),
    "no-file": (["translate", "none.en"], "none.en: no such file"),
    "no-document": (["translate", "none.po", "--model", "."], ".: not a model directory"),
    "xml-as-text": (["translate", "two.xml"], "two.xml: line 1: this is XML; if it is XLIFF"),
    "po-as-text": (["translate", "po.txt"], "po.txt: line 2: this is PO; rename it"),
    "memory-as-text": (["translate", "two.tmx"], "two.tmx: cannot translate tmx; expected plain"),
    "all-of-text": (["translate", "three.en", "--all"], "--all needs a document"),
    "text-to-xliff": (
        ["translate", "three.en", "-o", "a.xlf"],
        "a.xlf: cannot write plain text as a doc",
    ),
    "xliff-to-po": (
        ["translate", "a.xlf", "-o", "a.po"],
        "a.po: the translation of a.xlf is also XLIFF; use",
    ),
    "n-best-of-po": (
        ["translate", "a.po", "--n-best", "2"],
        "a.po: --n-best, --json, --stream and",
    ),
    "json-of-po": (["translate", "a.po", "--json"], "a.po: --n-best, --json, --stream and --lists"),
    "no-model": (["translate", "--model", "nowhere"], "nowhere: no such model"),
    "not-a-model": (["translate", "--model", "."], ".: not a model directory"),
    "nothing-trained": (["translate"], "no model under models/"),
    "nothing-to-compare": (["compare"], "no models in models/"),
    "no-system": (["compare", "nowhere"], "nowhere: neither a model directory nor a file"),
    "out-exists": (["train-smt", "--out", "."], ". exists; name another --out, or add --force"),
    "out-is-mine": (
        ["train-nmt", "--out", ".", "--force"],
        ". is the current directory; name another --out",
    ),
    "no-corpus": (["train-smt", "--corpus", "nix"], "no directory or corpus 'nix'"),
    "no-weights": (
        ["train-smt", "--weights", "nix"],
        "--weights nix: expected default, noisy-channel",
    ),
    "no-tuner": (["train-smt", "--tune", "x"], "--tune x: unknown; choose one of mira, mert, none"),
    "no-discount": (
        ["train-smt", "--discount", "x"],
        "--discount x: unknown; choose one of none, kneser-ney",
    ),
    "order-0": (["train-smt", "--order", "0"], "--order 0: expected 1 to 30"),
    "order-31": (["train-smt", "--order", "31"], "--order 31: expected 1 to 30"),
    "no-number": (["train-smt", "--prune", "0 x"], "--prune 0 x: expected whole numbers"),
    "no-threshold": (
        ["train-smt", "--prune", "2", "--prune", "1"],
        "--prune 2 1: expected at most 5 numbers",
    ),
    "no-heuristic": (
        ["align", "--symmetrize", "most"],
        "--symmetrize most: unknown; choose one of",
    ),
    "no-aligner": (
        ["align", "--aligner", "ibm9"],
        "--aligner ibm9: unknown (did you mean ibm1?); choose one of ibm1, diagonal",
    ),
    "text-twice": (["align", "--stdin", "--corpus", "everyday"], "exclude each other"),
    "learns-nothing": (
        ["align", "--model", "a", "--out", "b"],
        "--model and --out exclude each other",
    ),
    "no-alignment": (["align", "--model", "nowhere"], "nowhere: no such model"),
    "nothing-on-stdin": (["align", "--stdin"], "stdin: no line has text on both sides"),
    "gold-outside": (
        ["align", "--train", "two.en", "two.de", "--gold", "outside.gold"],
        "outside.gold: line 1: link 5-0 is outside the sentences",
    ),
    "gold-empty": (
        ["align", "--train", "two.en", "two.de", "--gold", "empty.en"],
        "empty.en: expected 1 to 2 lines, one per pair; found 0",
    ),
    "no-model-for-info": (["info"], "or name one as MODEL"),
    "no-pair": (
        ["train-smt", "--pair", "en-", "--train", "two.en", "two.de"],
        "--pair en-: expected two",
    ),
    "no-text": (["perplexity", ".", "--text", "empty.en"], "empty.en: the file is empty"),
    "text-and-test": (
        ["perplexity", ".", "--text", "two.de", "--test", "two.en", "two.de"],
        "--test and --text exclude each other",
    ),
    "one-name": (["compare", "a=two.de", "a=three.en"], "two systems are called 'a'"),
    "no-name": (["compare", "=two.de"], "a system has no name"),
    "exchanged": (
        ["train-smt", "--train", "three.en", "two.de", "--dev", "two.de", "three.en"],
        "--dev two.de three.en: source and target are exchanged; the languages are en → de",
    ),
    "no-language": (
        ["train-nmt", "--train", "two.txt", "two.de"],
        "two.txt: expected a file name that ends in a language, such as two.en; name",
    ),
    "other-language": (
        ["train-smt", "--pair", "en-de", "--train", "two.fr", "two.de"],
        "--train two.fr: the name ends in fr, but the languages are en → de",
    ),
    "other-dev": (
        ["gradients", "--train", "two.en", "two.de", "--dev", "two.fr", "two.de"],
        "--dev two.fr: the name ends in fr, but the languages are en → de",
    ),
    "same-text": (
        ["align", "--train", "two.en", "two.en"],
        "two.en: one file for both languages, of unknown format; name two",
    ),
    "markup": (
        ["compare", "a=two.de", "--test", "two.tmx", "two.de"],
        "two.tmx: line 1: this is XML; expected two files of plain text",
    ),
    "too-few-lines": (
        ["compare", "a=three.en", "--test", "two.en", "two.de"],
        "a: 3 lines for 2 references",
    ),
    "no-part": (["compare", "a=nowhere+two.de"], "nowhere: no such model"),
    "no-model-part": (["compare", "./two.de+three.en"], "two.de: not a model directory"),
    "names-no-file": (["compare", "a="], "a= names no file; expected NAME=FILE"),
    "no-suite": (["contrast"], "grammar/suite.tsv: no such file; create a suite with"),
    "curve-of-words": (
        ["compare", "a=two.de", "--curve", "1000,x"],
        "--curve 1000,x: expected numbers",
    ),
    "curve-of-one": (
        ["compare", "a=two.de", "--curve", "1000"],
        "--curve 1000: expected numbers of pairs",
    ),
    "curve-of-files": (
        ["compare", "a=two.de", "--curve", "1,2"],
        "translation files do not record a test set",
    ),
    "no-reference": (
        ["compare", "a=two.de", "--test", "two.en", "two.de", "--reference", "none"],
        "none: no such file",
    ),
    "no-glossary": (
        ["compare", "a=two.de", "--test", "two.en", "two.de", "--glossary", "none.tsv"],
        "none.tsv: no such file",
    ),
    "no-html": (["compare", "a=two.de", "--html", "no/r.html"], "no/r.html: no such directory: no"),
    "out-nowhere": (["train-smt", "--out", "two.de/m"], "cannot write to"),
    "no-moses": (["import", "moses.ini"], "moses.ini: no such file"),
    "not-moses": (["import", "two.de"], "two.de: no [feature]"),
    "no-moses-pair": (["import", "two.de", "--pair", "x"], "--pair x: expected two language codes"),
    "no-smt": (["export", "--out", "m"], "no statistical model under models/"),
    "no-export": (["export", "nowhere", "--out", "m"], "nowhere: no such model"),
    "bad-glossary": (
        ["compare", "a=two.de", "--test", "two.en", "two.de", "--glossary", "bad.tsv"],
        "bad.tsv: line 3: expected two columns separated by one TAB",
    ),
    "tbx-of-others": (
        ["compare", "a=two.de", "--test", "two.en", "two.de", "--glossary", "fr.tbx"],
        "fr.tbx: no concept has terms in en and de; found fr (1 concepts); export",
    ),
    "tbx-bomb": (
        ["compare", "a=two.de", "--test", "two.en", "two.de", "--glossary", "bomb.tbx"],
        "bomb.tbx: line 1: declares an entity or a document type of its own",
    ),
    "bad-csv": (
        ["compare", "a=two.de", "--test", "two.en", "two.de", "--glossary", "bad.csv"],
        "bad.csv: line 3: expected two columns separated by commas, or by semicolons; found 1",
    ),
    "inflected-nothing": (["translate", "--inflected"], "--inflected needs a glossary; name one"),
    "inflected-compare": (["compare", "--inflected"], "--inflected needs a glossary; name one"),
    "no-encoder": (["encode"], "no neural model under models/; train one with"),
    "nothing-explains": (["explain", "x"], "no model under models/"),
    "no-explanation": (["explain", "x", "--model", "nowhere"], "nowhere: no such model"),
    "no-info": (["info", "three.en"], "three.en: not a model directory"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_gets_one_line_and_exit_code_2(case: str, tmp_path: Path) -> None:
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    arguments, message = REFUSED[case]
    done = mtkit(*arguments, cwd=tmp_path, check=2)
    [line] = done.stderr.decode().splitlines()
    assert line.startswith("mtkit: ")
    assert message in line
    assert done.stdout == b""
    assert {p.name for p in tmp_path.iterdir()} == set(FILES)
