"""Model directories: choose, find, load, import and export them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, cast

from mtkit.console import note
from mtkit.errors import InputError, LossError
from mtkit.manifest import (
    ALIGNMENT,
    COMBINATION,
    LABORATORY,
    LANGUAGE_MODEL,
    MANIFEST,
    UND,
    Manifest,
    check_intact,
)
from mtkit.storage.writing import recover, replacing
from mtkit.translators import TRANSLATORS, load_neural, open_translator

if TYPE_CHECKING:
    from mtkit.combination.system import Combination
    from mtkit.nmt.system import NmtSystem
    from mtkit.smt.alignment.word_model import WordModels
    from mtkit.smt.system import SmtSystem
    from mtkit.system import System
    from mtkit.text.corpus import Corpus
    from mtkit.text.glossary import Glossary
    from mtkit.text.tokenizer import WordTokenizer

MODELS = Path("models")
KINDS = TRANSLATORS | {COMBINATION: "combined"}
Parts = Sequence[Path]  # a file, a model directory, or the directories of an ensemble's networks


def check_out(
    out: str | Path | None, default: str, force: bool, mark: str = MANIFEST, what: str = "model",
    option: str = "--out",
) -> Path:  # fmt: skip
    """Return the directory for a new model: ``out``, or ``models/DEFAULT`` if it is None.

    mark: file without which an existing directory is not replaced. what, option: names in messages.
    Raises InputError if ``out`` exists without ``force``, if a directory to replace is not a model,
    and if nothing can be written there.
    """
    chosen = MODELS / default if out is None else Path(out)
    if out is not None and chosen.exists() and not force:
        raise InputError(f"{out} exists; name another {option}, or add --force to replace it")
    resolved = chosen.resolve()  # a link stays a link
    vacant = not resolved.exists() or (resolved.is_dir() and not any(resolved.iterdir()))
    if resolved == Path.cwd():
        raise InputError(f"{chosen} is the current directory; name another {option}")
    if not (vacant or (resolved / mark).is_file()):
        raise InputError(
            f"{chosen} exists and is not a {what} directory (it has no {mark}), so it is not "
            f"replaced; name another {option}"
        )
    parent = next(p for p in resolved.parents if p.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise InputError(f"{chosen}: cannot write to {parent}; name another {option}")
    return chosen


def default_directory(kind: str, pair: Sequence[str]) -> Path:
    """Return the default directory of a model, such as ``models/smt-en-de``."""
    return MODELS / "-".join([kind, *pair])


def numbered(out: Path, seeds: int) -> list[Path]:
    """Return the directories of models with several seeds, OUT-1 … OUT-N; for one ``out``."""
    return [out.with_name(f"{out.name}-{k}") for k in range(1, seeds + 1)] if seeds > 1 else [out]


def check_named(out: str | Path | None, force: bool, seeds: int = 1) -> None:
    """Check the ``out`` that the user names, if any, by ``check_out``, before any text is read."""
    for directory in numbered(Path(out), seeds) if out is not None else ():
        check_out(directory, "", force)


def output_directories(
    out: str | Path | None, kind: str, corpus: Corpus, force: bool, seeds: int = 1
) -> list[Path]:
    """Return the directories for models of ``corpus``: ``out``, or ``models/KIND-SOURCE-TARGET``.

    Raises InputError as ``check_out`` does, and LossError as ``check_loss`` does.
    """
    if out is not None:
        check_named(out, force, seeds)
        return numbered(Path(out), seeds)
    directories = numbered(default_directory(kind, corpus.pair), seeds)
    for directory in directories:
        check_out(None, directory.name, force)
    if not force:
        check_loss(directories, lambda old: old.kind == kind and old.is_of(corpus))
        for directory in directories:
            if seeds == 1 and directory.exists():  # with several seeds, finished ones may be kept
                note(f"{directory}: replacing the model of the same corpus there")
    return directories


def check_loss(directories: Iterable[Path], same: Callable[[Manifest], bool]) -> None:
    """Raise LossError if ``directories`` hold models that are unreadable or not the ``same``.

    same: whether a model may be replaced, being of the same corpus as the new one.
    """
    lost = []
    for directory in directories:
        if not (directory / MANIFEST).is_file():
            continue
        try:
            old = Manifest.read(directory)
            if not same(old):
                lost.append(f"{directory} holds a model {old.origin}")
        except InputError:
            lost.append(f"{directory} holds a model that this mtkit cannot read")
    if lost:
        raise LossError(", ".join(lost))


def check_kept(out: str | Path | None, model: str | Path | None, force: bool) -> None:
    """Check the ``out`` of an alignment by ``check_out``. Raises InputError beside a ``model``."""
    if out is not None and model is not None:
        raise InputError(
            "--model and --out exclude each other: with --model, no new model is trained"
        )
    check_named(out, force)


def all_models() -> list[Path]:
    """Return the translators and combinations under ``models/``, newest first."""
    recover(MODELS)
    directories = (path.parent for path in MODELS.glob(f"*/{MANIFEST}"))
    finished = [path for path in directories if not path.name.startswith(".")]
    translators = [path for path in finished if _kind(path) in KINDS]
    return sorted(translators, key=lambda p: (-(p / MANIFEST).stat().st_mtime_ns, p.name))


def _kind(directory: Path) -> str:
    """Return the kind of a model; "" with a note on stderr if it cannot be read."""
    try:
        return Manifest.read(directory).kind
    except InputError as error:
        note(f"skipped: {error}")
        return ""


def models_or_all(models: Sequence[Path] | None) -> list[Path]:
    """Return the named models, or all translators under ``models/``, newest last.

    Raises InputError if there is none, and for a named combination, which has no probabilities.
    """
    for path in models or ():
        if (path / MANIFEST).is_file() and Manifest.read(path).kind == COMBINATION:
            raise InputError(f"{path}: a combination has no probabilities; name its systems")
    candidates = [] if models else all_models()[::-1]
    chosen = list(models or (p for p in candidates if Manifest.read(p).kind in TRANSLATORS))
    if skipped := [str(path) for path in candidates if path not in chosen]:
        note(f"left out, as combinations give no probabilities: {', '.join(skipped)}")
    if not chosen:
        raise InputError(f"no model under {MODELS}/; train one, or name its directory")
    return chosen


def newest_model(how: str = "with --model DIR", kind: str | None = None) -> Path:
    """Return the newest model under ``models/``. Raises InputError if there is none.

    how: the way to name another, for the message. kind: consider only "smt" or only "nmt".
    """
    for path in all_models():
        if kind in (None, Manifest.read(path).kind):
            return path
    name = f"{KINDS[kind]} model" if kind else "model"
    commands = " or ".join(f"`mtkit train-{k}`" for k in ([kind] if kind else TRANSLATORS))
    raise InputError(f"no {name} under {MODELS}/; train one with {commands}, or name one {how}")


def newest_of_each() -> list[Path]:
    """Return the newest statistical and the newest neural model; a note on stderr names them.

    Both have the languages of the newest of all. Raises InputError if one is missing.
    """
    manifests = {path: Manifest.read(path) for path in all_models()}
    manifests = {path: m for path, m in manifests.items() if m.kind in TRANSLATORS}
    languages = next((m.languages for m in manifests.values()), ())
    chosen = list[Path]()
    for kind, name in TRANSLATORS.items():
        of_kind = [p for p, m in manifests.items() if (m.kind, m.languages) == (kind, languages)]
        if not of_kind:
            pair = f" for {' → '.join(languages)}" if languages else ""
            raise InputError(
                f"no {name} model{pair} under {MODELS}/; train one with `mtkit train-{kind}`, or "
                "name the systems to combine"
            )
        chosen.append(of_kind[0])
    note(f"systems: {', '.join(map(str, chosen))} ({' → '.join(languages)})")
    return chosen


def named_systems(systems: Sequence[str | Path]) -> dict[str, Parts]:
    """Return name → path of each system, or paths of an ensemble's networks.

    The default name is the last component of the path; for an ensemble, those of its paths joined
    by +. Raises InputError if names are missing or equal, and if a path is neither a model
    directory nor a file.
    """
    pairs = []
    for system in map(str, systems):
        name, equals, path = system.partition("=")
        if equals and not path:
            raise InputError(f"{system} names no file; expected NAME=FILE")
        parts = _parts(path if equals else system)
        pairs.append((name if equals else "+".join(part.name for part in parts), parts))
    check_names([name for name, _ in pairs])
    return dict(pairs)


def _parts(system: str) -> Parts:
    path, parts = Path(system), list(map(Path, system.split("+")))
    if len(parts) == 1 or path.exists():  # a file name may contain +
        if not path.is_dir() and not path.is_file():
            advice = f"; did you mean {MODELS / path}?" if (MODELS / path).is_dir() else ""
            raise InputError(
                f"{path}: neither a model directory nor a file of translations{advice}"
            )
        return (path,)
    for part in parts:
        Manifest.read(part)  # raises if it is no model
    return parts


def check_names(names: Sequence[str]) -> None:
    """Raise InputError unless there are systems and every one has its own name."""
    if not names:
        raise InputError("no system to compare; name a model directory or NAME=FILE")
    if "" in names:
        raise InputError("a system has no name before =; use NAME=FILE")
    if repeated := [n for n in names if names.count(n) > 1]:
        raise InputError(f"two systems are called {repeated[0]!r}; rename one with NAME=…")


def load_word_models(directory: Path) -> WordModels:
    """Load the word models of a statistical model or of `mtkit align --out`.

    Raises InputError if there are none, or if the model is damaged.
    """
    from mtkit.smt.alignment.word_model import WordModels

    Manifest.read(directory)  # raises if it is no model or of a newer mtkit
    if not (directory / "forward").is_dir():
        raise InputError(f"{directory / 'forward'}: missing; {directory} cannot align words")
    check_intact(directory)
    return WordModels.load(directory)


def import_moses(
    ini: Path, out: Path | None = None, languages: tuple[str, str] | None = None,
    lowercase: bool = False, force: bool = False,
) -> Path:  # fmt: skip
    """Make a model directory from the Moses model that ``ini`` describes, and return it.

    out: None for ``models/moses-SOURCE-TARGET``, where a model of the same ``ini`` is replaced.
    languages: None for undetermined. lowercase: lowercase the input. force: replace an existing
    directory. Raises InputError and LossError as ``output_directories`` does.
    """
    from mtkit.smt.moses.ini import read_moses

    default, ini_path = default_directory("moses", languages or ()), ini.resolve()
    model = check_out(out, default.name, force)
    if out is None and not force:
        check_loss([model], lambda old: old.config.get("imported") == str(ini_path))
    with replacing(model) as directory:
        system = read_moses(ini, lowercase)
        models, pair = system.models, languages or (UND, UND)
        settings = {"limits": system.limits._asdict(), "verbatim": system.verbatim}
        config = settings | {"imported": str(ini_path)}
        figures = {"phrase_pairs": len(models.table.links), "ngrams": models.lm.counts}
        system.save(directory)
        manifest = Manifest(system.kind, pair, {}, asdict(system.tokenizer), config, figures)
        manifest.write(directory)
    return model


def export_moses(model: Path, out: Path, force: bool = False) -> Path:
    """Write a statistical model for Moses; return its ``moses.ini``.

    Raises InputError for another kind of model, and as ``check_out`` does.
    """
    from mtkit.smt.moses.ini import MARK, write_moses

    check_out(out, "", force, MARK)
    if (kind := Manifest.read(model).kind) != "smt":
        raise InputError(
            f"{model} is a {KINDS.get(kind, kind)} model; only statistical ones can be exported"
        )
    system = cast("SmtSystem", load(model))
    with replacing(out) as directory:
        write_moses(system, directory)
    return out / MARK


def load_with_glossary(
    directory: Path, glossary: Path, inflected: bool = False
) -> tuple[System, Glossary]:
    """Load a system that follows a glossary, and the glossary. InputError for a neural one."""
    from mtkit.text.glossary import Glossary

    manifest = Manifest.read(directory)
    if (kind := manifest.kind) not in ("smt", COMBINATION):
        raise InputError(
            f"{directory} is a {KINDS.get(kind, kind)} model, which cannot "
            "follow a glossary; name a statistical one or a combination with --model DIR"
        )
    system = cast("SmtSystem | Combination", load(directory))
    tokenize = system.tokenizer.tokenize
    terms = Glossary.read(glossary, tokenize, manifest.languages, inflected)
    terms.note_left_out(glossary)
    system.use_glossary(terms)
    return system, terms


def load_start(directory: Path, languages: tuple[str, str], tokenizer: WordTokenizer) -> NmtSystem:
    """Load a neural model to train further.

    Raises InputError if its kind, languages or tokenizer differ.
    """
    system = load_neural(directory, "can be trained further")
    model_pair = Manifest.read(directory).languages
    if model_pair != languages:
        old, new = (" → ".join(pair) for pair in (model_pair, languages))
        raise InputError(f"{directory} translates {old}, but the text is {new}; name another model")
    if system.tokenizer != tokenizer:
        raise InputError(
            f"{directory} was trained with another --tokenizer or --lowercase; use the same"
        )
    return system


def load_any(directory: Path) -> None:
    """Load a model of any kind, translator or not. Raises InputError if that is not possible."""
    kind = Manifest.read(directory).kind
    if kind == ALIGNMENT:
        load_word_models(directory)
    elif kind == LABORATORY:
        from mtkit.laboratory.files import load_laboratory

        load_laboratory(directory)
    else:
        load(directory)


def load(directory: str | Path, *others: str | Path) -> System:
    """See ``mtkit.load``."""
    directory = Path(directory)
    kind = Manifest.read(directory).kind
    if others or kind in TRANSLATORS:
        return open_translator(directory, *map(Path, others))
    check_intact(directory)
    if kind == COMBINATION:
        from mtkit.combination.system import Combination

        return Combination.load(directory)
    if kind == LANGUAGE_MODEL:
        from mtkit.laboratory.recurrent_lm import RecurrentLm

        return RecurrentLm.load(directory)
    no_system = {
        LABORATORY: f"{directory} holds language models; name one, as in {directory}/lstm-1",
        ALIGNMENT: f"{directory} aligns words (`mtkit align --model`), it cannot translate",
    }
    raise InputError(no_system.get(kind, f"{directory}: a model of unknown kind {kind!r}"))
