"""Coverage-guided fuzzing (atheris) of all readers of external files.

A reader must return or raise InputError; anything else is a fault, and its input is saved beside
the models as ``crash-*``. Each reader runs in its own process:

    python -m tests.torture.readers NAME SECONDS SEED DIRECTORY
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from mtkit.errors import InputError
from tests.torture.models import CHECKPOINT

Reader = Callable[[Path], object]
PYTHON = {**os.environ, "NUMBA_DISABLE_JIT": "1"}  # so that kernels are instrumented
SEEDS = Path(__file__).with_name("seeds")  # initial inputs
FILES = {  # the file name for each reader
    "plain": "a.en",
    "gz": "a.en.gz",
    "xz": "a.en.xz",
    "zst": "a.en.zst",
    "tsv": "a.tsv",
    "jsonl": "a.jsonl",
    "tmx": "a.tmx",
    "xliff": "a.xlf",
    "po": "a.po",
    "pharaoh": "links",
    "arpa": "lm.arpa",
    "table": "phrase-table",
    "ini": "moses.ini",
    "glossary": "terms.tsv",
    "glossary-csv": "terms.csv",
    "glossary-tbx": "terms.tbx",
    "weights": "weights.json",
    "manifest": "manifest.json",
    "translations": "t.json",
    "suite": "suite.tsv",
    "grammar": "g.grammar",
    "lists": "dev.nbest",
    "vocabulary": "v.json",
    "subwords": "subwords.json",
    "array": "a.npy",
    "checkpoint": "checkpoint",
    "tokens": "line",
}


def torture(name: str, made: Path, seconds: float, seed: int) -> tuple[Counter[str], list[str]]:
    """Fuzz a reader for ``seconds``; return the number of inputs, and faults."""
    place = made.with_name("readers") / name
    place.mkdir(parents=True, exist_ok=True)
    call = [sys.executable, "-m", __name__, name, str(seconds), str(seed), str(place)]
    done = subprocess.run(call, env=PYTHON, capture_output=True, check=False, text=True)
    runs = [line for line in done.stderr.split("\n") if line.startswith("Done ")]
    faults = list[str]()
    if done.returncode or not runs:
        said = [line for line in done.stderr.split("\n") if "Error" in line or "==" in line]
        crash = max(place.glob("crash-*"), key=lambda p: p.stat().st_mtime, default=place)
        faults.append(f"{(said or ['exit ' + str(done.returncode)])[0][:150]} ({crash})")
    return Counter(contents=int(runs[-1].split()[1]) if runs else 0), faults


def reader(name: str, place: Path) -> Reader:
    """Return the reader; its modules are imported here, under instrumentation."""
    from mtkit.combination.parts import OtherSystem
    from mtkit.comparison import record
    from mtkit.grammar.reader import read_draft
    from mtkit.grammar.suite import read_suite
    from mtkit.manifest import Manifest
    from mtkit.nmt.training import checkpoint
    from mtkit.smt.alignment.symmetrize import read_pharaoh
    from mtkit.smt.language_model.arpa import read_arpa
    from mtkit.smt.moses.ini import read_moses
    from mtkit.smt.moses.tables import Words, read_table
    from mtkit.smt.search.features import read_weights
    from mtkit.storage.reading import read_array
    from mtkit.text.formats.bilingual import READERS, read
    from mtkit.text.glossary import Glossary
    from mtkit.text.lines import read_lines
    from mtkit.text.subwords import Subwords
    from mtkit.text.tokenizer import WordTokenizer
    from mtkit.text.vocabulary import Vocabulary

    for beside in ("table", "arpa") if name == "ini" else ():
        (place / FILES[beside]).write_bytes((SEEDS / beside / "0").read_bytes())

    def tokens(path: Path) -> None:
        line = path.read_bytes().decode("utf-8", "ignore").replace("\n", " ")
        assert (tokenizer := WordTokenizer()).detokenize(tokenizer.tokenize(line)) == line
        WordTokenizer("none").detokenize(WordTokenizer("none").tokenize(line))

    readers: dict[str, Reader] = {
        **dict.fromkeys(("plain", "gz", "xz", "zst"), read_lines),
        **dict.fromkeys(READERS, read), "arpa": read_arpa, "ini": read_moses,
        "pharaoh": lambda path: [read_pharaoh(line, "l") for line in read_lines(path)],
        "table": lambda path: list(read_table(path, 4, Words(), Words())),
        "glossary": lambda path: Glossary.read(path, str.split),
        **dict.fromkeys(
            ("glossary-csv", "glossary-tbx"),
            lambda path: Glossary.read(path, str.split, ("en", "de")),
        ),
        "weights": read_weights, "suite": read_suite, "grammar": read_draft,
        "manifest": lambda path: Manifest.read(path.parent).mismatches(path.parent),
        "translations": lambda path: record.read(path, 1),
        "lists": lambda path: OtherSystem("o", WordTokenizer("none")).read(path, ["a", "b"]),
        "vocabulary": Vocabulary.load, "subwords": Subwords.load,
        "array": lambda path: read_array(path, "<i4"), "checkpoint": checkpoint.progress_of,
        "tokens": tokens,
    }  # fmt: skip
    return readers[name]


def main(name: str, seconds: str, seed: str, directory: str) -> None:
    """Fuzz one reader; ends the process."""
    import atheris

    place = Path(directory)
    with atheris.instrument_imports(include=["mtkit"]):
        read = reader(name, place)
    file, corpus, made = FILES[name], place / "corpus", place.parents[1] / "made"
    corpus.mkdir(exist_ok=True)
    contents = [path.read_bytes() for path in sorted((SEEDS / name).glob("*"))]
    more = {
        "array": made / "models/smt/lm/word.npy", "checkpoint": made / CHECKPOINT,
        "subwords": made / "models/nmt/subwords.json", "gz": made / "moses/phrase-table.gz",
        "grammar": Path(__file__).parents[2] / "corpora/grammar/en-de.grammar",
    }  # fmt: skip
    if name in more:
        contents = [*contents, more[name].read_bytes()]

    def once(data: bytes) -> None:
        (place / file).write_bytes(data)
        try:
            read(place / file)
        except InputError as error:
            assert "\n" not in str(error), f"an error of several lines: {error}"  # noqa: PT017

    for k, content in enumerate(contents):
        (corpus / f"seed-{k}").write_bytes(content)
    options = [f"-max_total_time={seconds}", f"-seed={seed}", f"-artifact_prefix={place}/crash-"]
    atheris.Setup([sys.argv[0], str(corpus), *options, "-timeout=20", "-rss_limit_mb=4096"], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
