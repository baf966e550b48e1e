"""Records: a model's translations and scores of a test set, stored in the model's directory.

A report made again from records has the same bytes, times included. A record belongs to one model,
one test set, one glossary and one version of the code. Training replaces the model's directory and
so removes its records. The name of a record consists of three digests:

    WHO-STATE-ASKED.json    who: paths of the models and their parts, relative to the first model
                            state: the code, and the files of the models (name, size, time)
                            asked: the test set and the glossary

A record of the same models in another state is outdated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

from mtkit.combination.parts import state_of, with_parts
from mtkit.comparison.choices import Chosen
from mtkit.errors import InputError
from mtkit.evaluation.perplexity import Question
from mtkit.manifest import RECORDS
from mtkit.platforms import path_from
from mtkit.storage.digests import digest_of, digest_of_code
from mtkit.storage.reading import as_fields, damaged, read_json
from mtkit.storage.writing import recover, remove_stale, write_whole
from mtkit.system import Hypothesis, LogProbability, Score
from mtkit.text.corpus import Bitext
from mtkit.text.glossary import Glossary

# A name of one digest is of earlier versions.
RECORD_NAME = re.compile(r"[0-9a-f]{16}(-[0-9a-f]{16}-[0-9a-f]{16})?")
HYPOTHESIS_FIELDS = ("text", "tokens", "score", "alignment", "unknown", "pieces", "places")
MODELS = ("lm", "channel", "direct")  # log-probabilities of a score


@dataclass(frozen=True)
class Record:
    """A model's translations and scores of a test set."""

    best: Sequence[Hypothesis]  # the best translation of each source
    seconds: float  # wall time to translate all sources with ``threads``
    threads: int
    scores: Sequence[Score] = ()  # of the references
    wider: Sequence[float] = ()  # model scores of the translations by a wider search
    wider_texts: Sequence[str] = ()  # these translations
    channel: Mapping[str, Sequence[str]] = field(default_factory=dict)  # by label of the weights
    chosen: Chosen | None = None  # choices of a combination
    bits: Mapping[Question, float | None] = field(default_factory=dict)  # per reference character

    @property
    def is_complete(self) -> bool:
        """Whether it has more than translations; a combination has no scores of its own."""
        return bool(self.scores) or self.chosen is not None

    def translations(self) -> Record:
        """Return the record without all that ``--quick`` skips."""
        return Record(self.best, self.seconds, self.threads, chosen=self.chosen)


def path_of(parts: Sequence[Path], test: Bitext, glossary: Glossary | None = None) -> Path:
    """Return the path of a model's record; it changes when a file of the model changes.

    parts: the model's directory, or those of an ensemble, whose record is in the first.
    """
    first, directories = parts[0], with_parts(parts)
    who = [path_from(first, directory).as_posix() for directory in directories]
    entries = [glossary.inflected, *glossary.entries.items()] if glossary else []
    asked = [test.digest(), *entries]
    state = [digest_of_code(), *state_of(parts)]
    digests = [digest_of(json.dumps(key).encode()) for key in (who, state, asked)]
    return first / RECORDS / f"{'-'.join(digests)}.json"


def prune(path: Path) -> int:
    """Remove the records that the one at ``path`` makes outdated; return their number."""
    who, state, _ = path.stem.split("-")

    def is_stale(name: str) -> bool:
        first, _, others = name.partition("-")
        of_same_models = first == who and not others.startswith(state)
        return bool(RECORD_NAME.fullmatch(name)) and (of_same_models or not others)

    return remove_stale(path.parent, is_stale)


def write(record: Record, path: Path) -> bool:
    """Write the record atomically; return False if the directory cannot be written."""
    best = [{name: getattr(h, name) for name in HYPOTHESIS_FIELDS} for h in record.best]
    data = vars(record) | {"best": best, "scores": list(map(vars, record.scores))}
    data["chosen"] = record.chosen and vars(record.chosen)
    try:
        # Without the terms per token: they are many, and no report shows them.
        sums = attrgetter("value", "tokens", "oov", "known", "given_length")
        write_whole(json.dumps(data, ensure_ascii=False, default=sums), path)
    except OSError:  # a read-only model
        return False
    return True


def read(path: Path, sentences: int) -> Record | None:
    """Return the record; ``None`` if it is missing, damaged, or has not so many ``sentences``."""
    recover(path.parent)
    try:
        data = read_json(path, dict)
        best = [_hypothesis(h, path) for h in data["best"]]
        scores = [_score(score, path) for score in data["scores"]]
        chosen = data["chosen"] and as_fields(Chosen, data["chosen"], path)
        record = as_fields(Record, data | {"best": best, "scores": scores, "chosen": chosen}, path)
        texts = [record.wider_texts, *record.channel.values()]
        columns: list[Sequence[object]] = [best, scores, record.wider]
        if chosen:
            texts += [*chosen.alone.values(), chosen.oracle]
            columns += [chosen.places]
        lengths = {len(column) for column in (*columns, *texts) if column}
        if not lengths <= {sentences} or not _are_texts(*texts):
            return None
    except (InputError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return record


def _hypothesis(data: Any, path: Path) -> Hypothesis:
    h = as_fields(Hypothesis, data, path)
    links = [(int(i), int(j)) for i, j in h.alignment]
    if not _are_texts(h.tokens, h.unknown):
        raise damaged(path, "words that are not text")
    return replace(h, alignment=links)


def _score(data: Any, path: Path) -> Score:
    sums = {name: data[name] and LogProbability(*data[name]) for name in MODELS}
    return as_fields(Score, data | sums, path)


def _are_texts(*columns: Sequence[object]) -> bool:
    return all(isinstance(text, str) for column in columns for text in column)
