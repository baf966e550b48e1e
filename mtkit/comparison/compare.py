"""Systems, files and options in, a report out: the steps of ``mtkit.compare``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path

from mtkit.comparison.elsewhere import Column
from mtkit.comparison.examples import Example
from mtkit.comparison.report import Comparison, Material, build
from mtkit.comparison.systems import Task, gather, opened, seen_in_training
from mtkit.console import note, step
from mtkit.errors import InputError
from mtkit.evaluation.statistics import Scorer, check_parallel
from mtkit.explanation.reasons import Explanation, with_evidence
from mtkit.manifest import UND, Manifest, named_test_set
from mtkit.models import KINDS, MODELS, Parts, all_models, named_systems
from mtkit.system import Reasons
from mtkit.text.corpus import Bitext, Files, Named, files_of, parse_pair, refuse_exchanged
from mtkit.text.lines import read_lines
from mtkit.text.tokenizer import Kind

BLEU_TOKENS: dict[Kind, str] = {"words": "13a", "none": "none"}  # sacreBLEU's names
EXPLAINED = 24  # examples on a page, which would grow large


def scored(task: Task, examples: int, columns: Sequence[Column] = ()) -> Comparison:
    """Translate the test set with every system and score it; columns: scores from elsewhere."""
    translations, text, unknown = gather(task)
    seen = seen_in_training(task.models, task.test)
    warnings = [
        f"{name}: {len(rows)} of the {len(task.test)} test sentences are in its training text; "
        "--full and the page have BLEU without them"
        for name, rows in seen.items()
    ]
    rows = sorted(set(chain.from_iterable(seen.values())))
    with step("metrics, intervals and significance"):
        told = warnings + unknown
        return build(task.material, text, translations, examples, rows, told, columns)


def explanations(task: Task, examples: Sequence[Example]) -> dict[int, list[Explanation]]:
    """Why the models translate the first examples as they do: line → one for each that can say."""
    by_line: dict[int, list[Explanation]] = {}
    for name, parts in task.models.items() if examples else ():
        with step(f"{name}: explaining the examples"):
            system = opened(parts, task)
            reasons: dict[Example, Reasons] = {}
            for example in examples[:EXPLAINED]:
                with suppress(InputError):  # too long to be translated at once
                    reasons[example] = system.explain(example.source)
            sentences = [example.source for example in reasons]
            every = with_evidence(parts[0], system, sentences, list(reasons.values()))
        for example, explanation in zip(reasons, every, strict=True):
            by_line.setdefault(example.line, []).append(replace(explanation, name=name))
    return by_line


# --- what is named


def named(systems: Sequence[str | Path]) -> dict[str, Parts]:
    """See ``named_systems``; none: all models under ``models/`` of the newest one's languages."""
    if not systems:
        return {path.name: (path,) for path in _of_newest_pair(all_models())}
    return named_systems(systems)


def _of_newest_pair(models: Sequence[Path]) -> list[Path]:
    """Those of the ``models``, newest first, that translate what the newest does, by kind and name.

    Raises InputError where there are none.
    """
    if not models:
        raise InputError(f"no models in {MODELS}/; train one, or name systems to compare")
    languages = Manifest.read(models[0]).languages
    chosen = [path for path in models if Manifest.read(path).languages == languages]
    if left := [path.name for path in models if path not in chosen]:
        note(
            f"comparing models of {' → '.join(languages)}; skipped those of other languages: "
            f"{', '.join(left)}"
        )
    kinds = list(KINDS)
    return sorted(chosen, key=lambda path: (kinds.index(Manifest.read(path).kind), path.name))


def material(
    systems: Mapping[str, Parts],
    test: Named | None,
    references: Sequence[str | Path],
    ignore_case: bool,
    tokenizer: Kind | None,
    file_format: str = "",
    pair: str | None = None,
) -> Material:
    """The test set that is named, or that the models name, with its further references.

    tokenizer: None for that of the models. file_format: of a bilingual ``test``, where its name
    does not tell. pair: its languages, which models tell. Raises InputError where the models do not
    go together or translate another ``pair``, and where lines do not correspond.
    """
    models = {name: parts[0] for name, parts in systems.items() if parts[0].is_dir()}
    own, asked = _languages(models), parse_pair(pair) if pair else None
    if own and asked and own != asked:
        raise InputError(f"--pair {pair}: the systems translate {own[0]} → {own[1]}; remove --pair")
    languages = own or asked
    if test:
        files = files_of(test)
    else:
        files, file_format = _common_test_set(list(models.values()))
    if languages:
        refuse_exchanged("--test", files, languages)
    text = Bitext.read(*files, languages, file_format)
    languages = languages or text.languages
    also = [read_lines(Path(path)) for path in references]
    for path, lines in zip(references, also, strict=True):
        check_parallel(lines, text.target, str(path))
    tokenize = BLEU_TOKENS[tokenizer] if tokenizer else _tokenize(models)
    scorer = Scorer([text.target, *also], tokenize, ignore_case=ignore_case)
    return Material(text, scorer, languages)


def _common_test_set(models: Sequence[Path]) -> tuple[Files, str]:
    """The one test set that the manifests name, and its format; see ``Manifest.file_format``."""
    if not models:
        raise InputError("only translation files are named; name the test set with --test SRC TGT")
    telling = [path for path in models if Manifest.read(path).files("test")]
    named = {named_test_set(path) for path in telling or models}  # raises where none tells
    if len(named) > 1:
        raise InputError("the models record different test sets; choose one with --test SRC TGT")
    for path in models:
        if path not in telling:
            note(f"{path} records no test set; using that of the other models")
    return named.pop(), Manifest.read(telling[0]).file_format("test")


def _languages(models: Mapping[str, Path]) -> tuple[str, str] | None:
    """The languages that all models translate; None where no model names any."""
    named = {name: Manifest.read(path).languages for name, path in models.items()}
    languages = {of for of in named.values() if UND not in of}
    if len(languages) > 1:
        pairs = ", ".join(f"{name}: {' → '.join(of)}" for name, of in named.items())
        raise InputError(
            f"the systems translate different languages ({pairs}); name those of one language pair"
        )
    return languages.pop() if languages else None


def _tokenize(models: Mapping[str, Path]) -> str:
    """BLEU's tokenizer for what the models read."""
    kinds = {BLEU_TOKENS[Manifest.read(path).tokenizer["kind"]] for path in models.values()}
    if len(kinds) > 1:
        raise InputError(
            "some of the systems read tokenised text (--tokenizer none) and some plain text; "
            "describe the test set with --tokenizer none or --tokenizer words"
        )
    return kinds.pop() if kinds else BLEU_TOKENS["words"]
