"""The steps of ``mtkit.compare``: from systems, files and options to the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path

from mtkit.comparison.examples import Example
from mtkit.comparison.external import ExternalScores
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
MAX_EXPLAINED = 24  # examples with explanations, at most, to limit the size of a page


def scored(task: Task, examples: int, columns: Sequence[ExternalScores] = ()) -> Comparison:
    """Translate the test set with every system and score it. columns: external scores."""
    translations, text, unknown = gather(task)
    seen = seen_in_training(task.models, task.test)
    warnings = [
        f"{name}: {len(rows)} of the {len(task.test)} test sentences are in its training text; "
        "--full and the page have BLEU without them"
        for name, rows in seen.items()
    ]
    rows = sorted(set(chain.from_iterable(seen.values())))
    with step("scores, significance, groups of words and sentences"):
        notes = warnings + unknown
        comparison = build(task.material, text, translations, examples, rows, notes, columns)
    return replace(comparison, quick=task.quick)


def explanations(task: Task, examples: Sequence[Example]) -> dict[int, list[Explanation]]:
    """Explain the models' translations of the first examples: line number → one per model.

    A sentence that is too long to be translated at once has no explanation.
    """
    by_line: dict[int, list[Explanation]] = {}
    for name, parts in task.models.items() if examples else ():
        with step(f"{name}: explaining the examples"):
            system = opened(parts, task)
            reasons: dict[Example, Reasons] = {}
            for example in examples[:MAX_EXPLAINED]:
                with suppress(InputError):  # the sentence is too long
                    reasons[example] = system.explain(example.source)
            sentences = [example.source for example in reasons]
            explained = with_evidence(parts[0], system, sentences, list(reasons.values()))
        for example, explanation in zip(reasons, explained, strict=True):
            by_line.setdefault(example.line, []).append(replace(explanation, name=name))
    return by_line


# --- systems and test set


def systems_by_name(systems: Sequence[str | Path]) -> dict[str, Parts]:
    """See ``named_systems``; if empty, all models in ``models/`` of the newest one's languages."""
    if not systems:
        return {path.name: (path,) for path in _of_newest_pair(all_models())}
    return named_systems(systems)


def _of_newest_pair(models: Sequence[Path]) -> list[Path]:
    """Return the models with the languages of the newest one, sorted by kind and name.

    models: newest first. Raises InputError if there are none.
    """
    if not models:
        raise InputError(f"no models in {MODELS}/; train one, or name systems to compare")
    languages = Manifest.read(models[0]).languages
    chosen = [path for path in models if Manifest.read(path).languages == languages]
    if names := [path.name for path in models if path not in chosen]:
        note(
            f"comparing models of {' → '.join(languages)}; skipped those of other languages: "
            f"{', '.join(names)}"
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
    """Return the test set that is named, or that the models record, with all its references.

    tokenizer: of the text; None for the models'. file_format: of a bilingual ``test`` file whose
    name does not show it. pair: the languages, if the models record none. Raises InputError if
    there is no test set, if the models' test sets, tokenizers or languages differ, if ``pair`` is
    not theirs, or if numbers of lines differ.
    """
    models = {name: parts[0] for name, parts in systems.items() if parts[0].is_dir()}
    own, named_pair = _languages(models), parse_pair(pair) if pair else None
    if own and named_pair and own != named_pair:
        raise InputError(f"--pair {pair}: the systems translate {own[0]} → {own[1]}; remove --pair")
    languages = own or named_pair
    if test:
        files = files_of(test)
    else:
        files, file_format = _common_test_set(models)
    if languages:
        refuse_exchanged("--test", files, languages)
    text = Bitext.read(*files, languages, file_format)
    languages = languages or text.languages
    further = [read_lines(Path(path)) for path in references]
    for path, lines in zip(references, further, strict=True):
        check_parallel(lines, text.target, str(path))
    tokenize = BLEU_TOKENS[tokenizer] if tokenizer else _bleu_tokenizer(models)
    scorer = Scorer([text.target, *further], tokenize, ignore_case=ignore_case)
    return Material(text, scorer, languages)


def _common_test_set(models: Mapping[str, Path]) -> tuple[Files, str]:
    """Return the one test set that the manifests record, and its ``Manifest.file_format``."""
    if not models:
        raise InputError("translation files do not record a test set; name it with --test SRC TGT")
    recording = {name: p for name, p in models.items() if Manifest.read(p).files("test")}
    tests = dict[Files, list[str]]()  # names of models by test set
    for name, path in (recording or models).items():
        tests.setdefault(named_test_set(path), []).append(name)  # raises if no model records one
    if len(tests) > 1:
        named = "; ".join(
            f"{', '.join(names)}: {', '.join(map(str, files))}" for files, names in tests.items()
        )
        raise InputError(
            f"the models record different test sets ({named}); choose one with --test SRC TGT"
        )
    for name, path in models.items():
        if name not in recording:
            note(f"{path} records no test set; using that of the other models")
    first = next(iter(recording.values()))
    return next(iter(tests)), Manifest.read(first).file_format("test")


def _languages(models: Mapping[str, Path]) -> tuple[str, str] | None:
    """Return the languages (source, target) of all models; None if no model records any."""
    by_model = {name: Manifest.read(path).languages for name, path in models.items()}
    languages = {pair for pair in by_model.values() if UND not in pair}
    if len(languages) > 1:
        pairs = ", ".join(f"{name}: {' → '.join(pair)}" for name, pair in by_model.items())
        raise InputError(
            f"the systems translate different languages ({pairs}); name those of one language pair"
        )
    return languages.pop() if languages else None


def _bleu_tokenizer(models: Mapping[str, Path]) -> str:
    """Return BLEU's tokenizer for the kind of text that the models read."""
    kinds = {BLEU_TOKENS[Manifest.read(path).tokenizer["kind"]] for path in models.values()}
    if len(kinds) > 1:
        raise InputError(
            "some of the systems read tokenised text (--tokenizer none) and some plain text; "
            "describe the test set with --tokenizer none or --tokenizer words"
        )
    return kinds.pop() if kinds else BLEU_TOKENS["words"]
