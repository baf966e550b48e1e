"""``mtkit export`` and ``import``: to Moses and back."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.command import mtkit


def test_a_model_is_exported_and_imported(project: Path, tmp_path: Path) -> None:
    out = tmp_path / "moses"
    said = mtkit("export", "--out", out, cwd=project).stderr.decode()
    assert said.startswith("model: models/smt (en → de)\n")
    assert "not exported: the discriminative lexicon" in said
    assert "not exported: the protection of numbers, URLs and placeholders" in said
    first = (out / "phrase-table.gz").read_bytes()
    done = mtkit("export", "models/smt", "--out", out, cwd=project, check=2)
    assert "moses exists; name another --out, or add --force" in done.stderr.decode()
    assert mtkit("export", "--out", out, "--force", "-q", cwd=project).stderr == b""
    assert (out / "phrase-table.gz").read_bytes() == first
    done = mtkit("export", "--out", "models/smt", "--force", cwd=project, check=2)
    assert "is not a model directory (it has no moses.ini)" in done.stderr.decode()
    done = mtkit("export", "models/nmt", "--out", "no", cwd=project, check=2)
    assert done.stderr.decode().startswith("mtkit: models/nmt is a neural model; only statistical")

    for _ in range(2):  # a model of the same moses.ini is replaced
        said = mtkit("import", "moses/moses.ini", cwd=tmp_path).stderr.decode()
        assert "; name them with --pair, as in --pair en-de\n" in said
        assert said.endswith("model: models/moses\n")
    done = mtkit("translate", cwd=tmp_path, stdin=b"The train is here \xef\xbf\xad.\n\n")
    assert done.stderr == "model: models/moses (und → und)\n".encode()
    assert len(done.stdout.split()) > 2
    assert done.stdout.count(b"\n") == 2
    said = mtkit("import", "moses/moses.ini", "--pair", "en-de", cwd=tmp_path).stderr.decode()
    assert said.endswith("\nmodel: models/moses-en-de\n")

    manifest = tmp_path / "models/moses/manifest.json"
    before = manifest.read_bytes()
    out.rename(tmp_path / "other")
    done = mtkit("import", "other/moses.ini", cwd=tmp_path, check=2)
    lost = f"models/moses holds a model imported from {out.resolve() / 'moses.ini'}; add --force"
    assert done.stderr.decode().startswith(f"mtkit: {lost}")
    assert manifest.read_bytes() == before
    mtkit("import", "other/moses.ini", "--force", cwd=tmp_path)
    assert manifest.read_bytes() != before


def test_imported_models_can_be_used(project: Path, tmp_path: Path) -> None:
    mtkit("export", "models/smt", "--out", tmp_path / "moses", cwd=project)
    (tmp_path / "models").mkdir()
    options = ("import", "moses/moses.ini", "-q", "--lowercase")
    assert mtkit(*options, cwd=tmp_path).stderr == b""
    mtkit(*options, "--pair", "en-de", "--out", "models/named", cwd=tmp_path)
    manifest = json.loads(mtkit("info", "models/named", "--json", cwd=tmp_path).stdout)
    assert (manifest["kind"], manifest["languages"]) == ("smt", ["en", "de"])
    assert manifest["tokenizer"] == {"kind": "none", "lowercase": True}
    assert manifest["config"]["imported"] == str((tmp_path / "moses/moses.ini").resolve())
    assert manifest["figures"]["phrase_pairs"] > 1000
    assert "und → und" in mtkit("info", "models/moses", cwd=tmp_path).stdout.decode()
    test = ("--test", project / "test.en", project / "test.de", "--json")
    found = json.loads(mtkit("perplexity", *test, cwd=tmp_path).stdout)
    assert {name: set(of) for name, of in found.items()} == {
        "models/moses": {"P(y)"},
        "models/named": {"P(y)"},
    }
    for models in (["models/moses"], ["models/moses", "models/named"]):
        compared = json.loads(mtkit("compare", *models, *test, cwd=tmp_path).stdout)
        assert compared["test"]["languages"] == ["en", "de"]
        assert len({s["metrics"]["bleu"]["score"] for s in compared["systems"]}) == 1
    done = mtkit("align", "--model", "models/moses", "--stdin", cwd=tmp_path,
                 stdin=b"a ||| b\n", check=2)  # fmt: skip
    assert "models/moses cannot align words" in done.stderr.decode()
